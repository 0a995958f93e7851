{#- What Galaxy's jobs need on every host of its cluster: the account, and on the hosts that run them
    the directories that all of them see at the same path. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- elif host.settings.galaxy %}
{%- set galaxy = host.settings.galaxy %}
{%- set user = host.settings.users.galaxy %}

include:
  - slurm_galaxy.repos

The galaxy account exists:
  group.present:
    - name: galaxy
    - gid: {{ user.gid }}
    - system: True
  user.present:
    - name: galaxy
    - uid: {{ user.uid }}
    - gid: {{ user.gid }}
    - system: True
    - createhome: False
    {%- if user.new %}
    - home: {{ galaxy.root | json }}
    - shell: {{ host.settings.os.nologin }}
    {%- endif %}
    - require:
      - group: The galaxy account exists
{%- for one in galaxy.shared if one.mount %}

The shared directory {{ one.name }} is mounted:
  mount.mounted:
    - name: {{ one.path | json }}
    - device: {{ one.mount.device | json }}
    - fstype: {{ one.mount.fstype | json }}
    - opts: {{ one.mount.opts | default(['defaults']) | json }}
    - mkmnt: True
    - persist: True
    - retry:  # while the file server comes up
        attempts: {{ (galaxy.wait / 5) | int + 1 }}
        interval: 5
    - require:
      - user: The galaxy account exists
{%- endfor %}
{%- if galaxy.node_packages %}

What Galaxy's jobs run with is installed:
  pkg.installed:
    - pkgs: {{ galaxy.node_packages | json }}
    - install_recommends: False
    {%- if host.settings.repos %}
    - require:
      - sls: slurm_galaxy.repos
    {%- endif %}
{%- endif %}
{%- endif %}
