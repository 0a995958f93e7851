{#- Galaxy: installed from PyPI into a virtual environment of root's, configured from data, run by
    gravity's systemd units, and connected to Slurm by its job configuration. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='galaxy') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set galaxy = host.settings.galaxy %}
{%- set galaxy_yml = galaxy.conf_dir ~ '/galaxy.yml' %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.munge
  - slurm_galaxy.common
  - slurm_galaxy.shared
  - slurm_galaxy.submit
{%- if galaxy.runner == 'drmaa' %}
  - slurm_galaxy.drmaa
{%- endif %}

What Galaxy is installed with is here:
  pkg.installed:
    - pkgs: {{ galaxy.packages | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.shared

The directory above Galaxy's own exists:
  file.directory:
    - name: {{ galaxy.root | json }}
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
    - require:
      - sls: slurm_galaxy.shared

Galaxy's own directories are closed to others:
  file.directory:
    - names:
      - {{ (galaxy.root ~ '/var') | json }}
      {%- for one in galaxy.shared if one.owner == 'galaxy' %}
      - {{ one.path | json }}
      {%- endfor %}
    - user: galaxy
    - group: galaxy
    - mode: '0750'
    - makedirs: True
    - require:
      - file: The directory above Galaxy's own exists

The directories that Galaxy only reads are root's:
  file.directory:
    - names: {{ galaxy.shared | selectattr('owner', 'equalto', 'root') | map(attribute='path') | list | json }}
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
    - require:
      - file: The directory above Galaxy's own exists

The directory of Galaxy's configuration is closed to others:
  file.directory:
    - name: {{ galaxy.conf_dir }}
    - user: root
    - group: galaxy
    - mode: '0750'
    - require:
      - sls: slurm_galaxy.shared
{%- if galaxy.install %}

Galaxy is installed:
  galaxy_server.installed:
    - name: {{ galaxy.venv | json }}
    - version: {{ galaxy.version | json }}
    - python: {{ galaxy.python | json }}
    - pip: {{ galaxy.pip | json }}
    - require:
      - pkg: What Galaxy is installed with is here
      - file: The directories that Galaxy only reads are root's
    - require_in:
      - galaxy_jobconf: Galaxy's job configuration is in place
{%- endif %}
{%- if galaxy.database == 'postgresql' %}

PostgreSQL is installed:
  pkg.installed:
    - pkgs: {{ galaxy.database_packages | json }}
    - install_recommends: False
{%- if galaxy.database_setup %}

PostgreSQL has a directory for its databases:
  cmd.run:
    - name: {{ galaxy.database_setup.name | json }}
    - creates: {{ galaxy.database_setup.creates | json }}
    - require:
      - pkg: PostgreSQL is installed
    - require_in:
      - service: PostgreSQL is running
{%- endif %}

PostgreSQL is running:
  service.running:
    - name: postgresql
    - enable: True
    - require:
      - pkg: PostgreSQL is installed

The galaxy account has its database, and logs in by its socket:
  galaxy_server.database_present:
    - name: galaxy
    - require:
      - service: PostgreSQL is running
    - require_in:
      - galaxy_server: Galaxy runs with what it reads
{%- endif %}

Galaxy's configuration is in place:
  file.serialize:
    - name: {{ galaxy_yml }}
    - dataset: {{ galaxy.config | json }}
    - serializer: yaml
    - user: root
    - group: galaxy
    - mode: '0640'
    - show_changes: False
    - require:
      - file: The directory of Galaxy's configuration is closed to others

The tools of the checks are in place:
  galaxy_server.check_tools_present:
    - name: {{ galaxy.conf_dir }}/tool_conf.xml
    - tools: {{ galaxy.check_tools | json }}
    - folder: {{ galaxy.conf_dir }}/tools
    - require:
      - file: The directory of Galaxy's configuration is closed to others

Slurm answers before Galaxy starts:
  slurm.controller_up:
    - name: {{ host.settings.slurm.primary }}
    - wait: {{ host.settings.slurm.wait }}
    - require:
      - sls: slurm_galaxy.submit

Galaxy's job configuration is in place:
  galaxy_jobconf.managed:
    - name: {{ galaxy.job_conf_path }}
    - conf: {{ galaxy.job_conf | json }}
    - venv: {{ galaxy.venv | json }}
    - config: {{ galaxy_yml }}
    - check_cluster: {{ galaxy.check }}
    - require:
      - file: Galaxy's configuration is in place
      - slurm: Slurm answers before Galaxy starts

{%- if galaxy.install %}

What Galaxy's configuration needs is installed:
  galaxy_server.dependencies_installed:
    - name: {{ galaxy.venv | json }}
    - config: {{ galaxy_yml }}
    - files: [{{ galaxy.job_conf_path }}]
    - pip: {{ galaxy.pip | json }}
    - require:
      - galaxy_jobconf: Galaxy's job configuration is in place
    - require_in:
      - galaxy_server: Galaxy runs with what it reads
{%- endif %}

Galaxy runs with what it reads:
  galaxy_server.current:
    - name: {{ galaxy_yml }}
    - venv: {{ galaxy.venv | json }}
    - files: {{ galaxy.read | json }}
    - require:
      - galaxy_jobconf: Galaxy's job configuration is in place
      - galaxy_server: The tools of the checks are in place
      - file: Galaxy's own directories are closed to others
      {%- if galaxy.runner == 'drmaa' %}
      - sls: slurm_galaxy.drmaa
      {%- endif %}

Galaxy is ready:
  galaxy.ready:
    - url: {{ galaxy.url | json }}
    - wait: {{ galaxy.wait }}
    - require:
      - galaxy_server: Galaxy runs with what it reads

Galaxy has its administrators, and a user for the checks:
  galaxy_server.users_present:
    - name: {{ galaxy_yml }}
    - venv: {{ galaxy.venv | json }}
    - admins: {{ galaxy.admins | json }}
    - require:
      - galaxy: Galaxy is ready
{%- if galaxy.check %}

Every node sees the shared directories:
  galaxy.shared_dirs_visible:
    - paths: {{ galaxy.shared | map(attribute='path') | list | json }}
    - require:
      - galaxy: Galaxy is ready

A job of Galaxy's runs in Slurm:
  galaxy.job_runs:
    - url: {{ galaxy.url | json }}
    - config: {{ galaxy_yml }}
    - venv: {{ galaxy.venv | json }}
    - require:
      - galaxy_server: Galaxy has its administrators, and a user for the checks
{%- endif %}
{%- endif %}
