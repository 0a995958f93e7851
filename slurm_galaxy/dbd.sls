{#- slurmdbd, the accounting daemon, and MariaDB beside it unless another runs the database. Its
    configuration is one of the files of common.sls. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='dbd') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set os = host.settings.os %}
{%- set slurm = host.settings.slurm %}
{%- set database = slurm.dbd.database %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.munge
  - slurm_galaxy.common
  - slurm_galaxy.logrotate
{%- if database.managed %}

The options that slurmdbd asks of MariaDB are set:
  file.managed:
    - name: {{ os.database_options }}
    - contents: |
        # Managed by Salt (slurm_galaxy).
        [mariadb]
        {%- for option, value in database.server | dictsort %}
        {{ option }} = {{ value }}
        {%- endfor %}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True

MariaDB is installed:
  pkg.installed:
    - pkgs: {{ os.packages.database | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.common
      - file: The options that slurmdbd asks of MariaDB are set

MariaDB is running:
  service.running:
    - name: {{ os.services.database }}
    - enable: True
    - require:
      - pkg: MariaDB is installed
    - watch:
      - file: The options that slurmdbd asks of MariaDB are set

The slurm account has its database, and logs in by its socket:
  slurm_acct.database_present:
    - name: {{ database.name }}
    - user: slurm
    - require:
      - service: MariaDB is running
    - require_in:
      - pkg: slurmdbd is installed
{%- endif %}

Slurm's plugin for the database is installed:
  pkg.installed:
    - pkgs: {{ os.packages.database_plugin | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.munge
    - require_in:
      - slurm_conf: Slurm's configuration is in place

slurmdbd is installed:
  pkg.installed:
    - pkgs: {{ os.packages.dbd | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.common

slurmdbd is running:
  service.running:
    - name: {{ os.services.dbd }}
    - enable: True
    - require:
      - pkg: slurmdbd is installed

slurmdbd runs with its configuration:
  slurm.daemon_current:
    - name: slurmdbd
    - unit: {{ os.services.dbd }}
    - folder: {{ os.conf_dir }}
    - wait: {{ slurm.wait }}
    - require:
      - service: slurmdbd is running
    - watch:
      - slurm_conf: Slurm's configuration is in place

slurmdbd answers:
  slurm.accounting_up:
    - name: {{ host.name }}
    - port: {{ slurm.dbd.port }}
    - wait: {{ slurm.wait }}
    - require:
      - slurm: slurmdbd runs with its configuration
{%- endif %}
