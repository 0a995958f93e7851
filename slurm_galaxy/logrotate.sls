{#- Rotation of the daemons' logs, where the system's packages bring none, or one that leaves the
    daemons writing into the file that was moved away. Included by the roles of the daemons. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if not host.problems %}
{%- for path, daemons in host.settings.logrotate.items() %}

The rotation of {{ daemons.values() | join(' and ') }} reopens them:
  file.managed:
    - name: {{ path }}
    - contents: |
        # Managed by Salt (slurm_galaxy): the daemons reopen their logs on SIGUSR2 (slurmctld(8)).
        {%- for unit, log in daemons.items() %}
        {{ log }} {
          size 5M
          rotate 12
          missingok
          notifempty
          nocreate
          compress
          delaycompress
          postrotate
            # The first process alone: slurmd's unit holds the jobs as well.
            systemctl --quiet is-active {{ unit }} || exit 0
            systemctl kill --kill-who=main --signal=USR2 {{ unit }}
          endscript
        }
        {%- endfor %}
    - user: root
    - group: root
    - mode: '0644'
    - makedirs: True
{%- endfor %}
{%- endif %}
