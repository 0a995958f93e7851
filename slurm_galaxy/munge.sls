{#- MUNGE on this host: its account, the cluster's key, the daemon, and the proof that it works. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set os = host.settings.os %}
{%- set user = host.settings.users.munge %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.repos

The munge account exists:
  group.present:
    - name: munge
    - gid: {{ user.gid }}
    - system: True
  user.present:
    - name: munge
    - uid: {{ user.uid }}
    - gid: {{ user.gid }}
    - system: True
    - createhome: False
    {%- if user.new %}
    - home: /nonexistent
    - shell: {{ os.nologin }}
    {%- endif %}
    - require:
      - group: The munge account exists

The directory of the MUNGE key is closed to others:
  file.directory:
    - name: /etc/munge
    - user: munge
    - group: munge
    - mode: '0700'
    - require:
      - user: The munge account exists
{%- if host.settings.munge %}

The cluster's MUNGE key is in place:
  munge.key_managed:
    - name: /etc/munge/munge.key
    {%- for kind, value in host.settings.munge.items() %}
    - {{ kind }}: {{ value | json }}
    {%- endfor %}
    - require:
      - file: The directory of the MUNGE key is closed to others
    - require_in:
      - pkg: MUNGE is installed
    - watch_in:
      - munge: munged has loaded its key
{%- endif %}

MUNGE is installed:
  pkg.installed:
    - pkgs: {{ os.packages.munge | json }}
    - install_recommends: False
    - require:
      {%- if host.settings.repos %}
      - sls: slurm_galaxy.repos
      {%- endif %}
      - file: The directory of the MUNGE key is closed to others

munged is running:
  service.running:
    - name: {{ os.services.munge }}
    - enable: True
    - require:
      - pkg: MUNGE is installed

munged has loaded its key:
  munge.daemon_current:
    - name: {{ os.services.munge }}
    - require:
      - service: munged is running

MUNGE credentials can be encoded and decoded:
  munge.works:
    - require:
      - munge: munged has loaded its key
{%- endif %}
