{#- Slurm's commands, on a host from which jobs are sent: srun, sbatch, squeue and the others. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py',
                                        role='submit') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- else %}

include:
  - slurm_galaxy.sync
  - slurm_galaxy.munge
  - slurm_galaxy.common

Slurm's commands are installed:
  pkg.installed:
    - pkgs: {{ host.settings.os.packages.submit | json }}
    - install_recommends: False
    - require:
      - sls: slurm_galaxy.munge
      - sls: slurm_galaxy.common
{%- endif %}
