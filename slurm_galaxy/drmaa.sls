{#- slurm-drmaa: the library through which Galaxy submits jobs, its configuration, and the proof that
    it fits this host's Slurm. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='drmaa') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}
{%- set drmaa = host.settings.drmaa %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.repos
  - slurm_galaxy.submit

slurm-drmaa is installed:
  pkg.installed:
    {%- if drmaa.files %}
    - sources: {{ drmaa.files | json }}
    {%- else %}
    - pkgs: {{ drmaa.packages | json }}
    {%- endif %}
    - install_recommends: False
    - require:
      {%- if host.settings.repos %}
      - sls: slurm_galaxy.repos
      {%- endif %}
      - sls: slurm_galaxy.submit
{%- if drmaa.config %}

slurm-drmaa's configuration is in place:
  drmaa.config_managed:
    - name: /etc/slurm_drmaa.conf
    - config: {{ drmaa.config | json }}
    - require:
      - pkg: slurm-drmaa is installed
{%- endif %}

The DRMAA library fits this host's Slurm:
  drmaa.works:
    - library: {{ drmaa.library | json }}
    - watch:
      - pkg: slurm-drmaa is installed
{%- endif %}
