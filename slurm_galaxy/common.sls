{#- What every host of the cluster has, before any Slurm package: the account and slurm.conf. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set os = host.settings.os %}
{%- set user = host.settings.users.slurm %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.repos

The slurm account exists:
  group.present:
    - name: slurm
    - gid: {{ user.gid }}
    - system: True
  user.present:
    - name: slurm
    - uid: {{ user.uid }}
    - gid: {{ user.gid }}
    - system: True
    - createhome: False
    {%- if user.new %}
    - home: /nonexistent
    - shell: {{ os.nologin }}
    {%- endif %}
    - require:
      - group: The slurm account exists

The directory of Slurm's configuration exists:
  file.directory:
    - name: {{ os.conf_dir }}
    - user: root
    - group: root
    - mode: '0755'

The directories of Slurm's logs exist:
  file.directory:
    - names: {{ host.settings.slurm.log_dirs | json }}
    - user: slurm
    - group: slurm
    - mode: '0755'
    - makedirs: True
    - require:
      - user: The slurm account exists

{%- for parameter, script in host.settings.slurm.scripts.items() %}

The script of {{ parameter }} is in place:
  file.managed:
    - name: {{ script.path }}
    {%- for key in ('source', 'contents') if key in script %}
    - {{ key }}: {{ script[key] | json }}
    {%- endfor %}
    - user: root
    - group: root
    - mode: '0755'
    - makedirs: True
    - require:
      - file: The directory of Slurm's configuration exists
    - require_in:
      - slurm_conf: Slurm's configuration is in place
{%- endfor %}

Slurm's configuration is in place:
  slurm_conf.managed:
    - name: {{ os.conf_dir }}
    - files: {{ host.settings.slurm.files | json }}
    - hosts: {{ host.settings.slurm.hosts | json }}
    - package: {{ os.packages.submit | first }}
    - training: {{ host.settings.slurm.training }}
    - allow_disruption: {{ host.settings.slurm.allow_disruption | json }}
    - require:
      - file: The directory of Slurm's configuration exists
{%- endif %}
