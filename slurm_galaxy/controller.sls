{#- slurmctld, the controller: its state directory, package, service, and a wait until it answers. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='controller') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set os = host.settings.os %}
{%- set slurm = host.settings.slurm %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.munge
  - slurm_galaxy.common
  - slurm_galaxy.logrotate
{%- if 'dbd' in host.roles %}
  - slurm_galaxy.dbd  # which this host would wait for in vain, were the controller applied alone
{%- endif %}

The directory of slurmctld's state is closed to others:
  file.directory:
    - name: {{ slurm.state_dir }}
    - user: slurm
    - group: slurm
    - mode: '0700'
    - makedirs: True
    - require:
      - sls: slurm_galaxy.common

{%- if slurm.dbd %}

slurmctld can reach slurmdbd:
  slurm.accounting_up:
    - name: {{ slurm.dbd.address }}
    - port: {{ slurm.dbd.port }}
    - wait: {{ slurm.wait }}
    - unit: {{ os.services.controller }}
    - require:
      - sls: slurm_galaxy.common
    - require_in:
      - pkg: slurmctld is installed
{%- endif %}

slurmctld is installed:
  pkg.installed:
    - pkgs: {{ os.packages.controller | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.munge
      - file: The directory of slurmctld's state is closed to others

slurmctld is running:
  service.running:
    - name: {{ os.services.controller }}
    - enable: True
    - require:
      - pkg: slurmctld is installed

slurmctld runs with its configuration:
  slurm.daemon_current:
    - name: slurmctld
    - unit: {{ os.services.controller }}
    - folder: {{ os.conf_dir }}
    - primary: {{ slurm.primary == host.name }}
    - wait: {{ slurm.wait }}
    - require:
      - service: slurmctld is running
    - watch:
      - slurm_conf: Slurm's configuration is in place

The controller answers:
  slurm.controller_up:
    - name: {{ host.name }}
    - wait: {{ slurm.wait }}
    - require:
      - slurm: slurmctld runs with its configuration
{%- if slurm.accounting %}

Accounts, users and limits are as the pillar has them:
  slurm_acct.managed:
    {%- for argument, value in slurm.accounting.items() %}
    - {{ argument }}: {{ value | json }}
    {%- endfor %}
    - require:
      - slurm: The controller answers
{%- endif %}
{%- endif %}
