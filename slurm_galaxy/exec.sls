{#- slurmd, on a host that runs jobs: its spool directory, package, service, and a wait until the
    controller has this node. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='exec') %}
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
{%- if host.settings.galaxy %}
  - slurm_galaxy.shared
{%- endif %}

The directory of slurmd's spool exists:
  file.directory:
    - name: {{ slurm.spool_dir }}
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
    - require:
      - sls: slurm_galaxy.common

slurmd is installed:
  pkg.installed:
    - pkgs: {{ os.packages.exec | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.munge
      - file: The directory of slurmd's spool exists
      {%- if host.settings.galaxy %}
      - sls: slurm_galaxy.shared  # a node without a directory of Galaxy's would spoil its jobs
      {%- endif %}

slurmd is running:
  service.running:
    - name: {{ os.services.exec }}
    - enable: True
    - require:
      - pkg: slurmd is installed

slurmd runs with its configuration:
  slurm.daemon_current:
    - name: slurmd
    - unit: {{ os.services.exec }}
    - folder: {{ os.conf_dir }}
    - wait: {{ slurm.wait }}
    - require:
      - service: slurmd is running
    - watch:
      - slurm_conf: Slurm's configuration is in place

The controller has this node, and it responds:
  slurm.nodes_ready:
    - nodes: [{{ host.name }}]
    - wait: {{ slurm.wait }}
    - require:
      - slurm: slurmd runs with its configuration
{%- if slurm.node %}

The node's line says what slurmd finds here:
  slurm.hardware_matches:
    - line: {{ slurm.node | json }}
    - require:
      - pkg: slurmd is installed
{%- endif %}
{%- if slurm.check_user %}

A job completes on this node:
  slurm.job_completes:
    - runas: {{ slurm.check_user }}
    - node: {{ host.name }}
    - wait: {{ slurm.wait }}
    - require:
      - slurm: The controller has this node, and it responds
{%- endif %}
{%- endif %}
