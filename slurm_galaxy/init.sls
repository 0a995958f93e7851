{#- This host's roles in one fixed order, or one failing state that names every problem. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if not host.problems %}
include:
  - slurm_galaxy.sync
  - slurm_galaxy.repos
  - slurm_galaxy.munge
  - slurm_galaxy.common
{%- if host.settings.galaxy %}
  - slurm_galaxy.shared
{%- endif %}
{%- for role in host.roles %}
  - slurm_galaxy.{{ role }}
{%- endfor %}
{%- endif %}
{%- if host.problems or host.warnings %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- endif %}
