{#- A change of the whole cluster, agreed on by all its hosts: checked on every one of them before it
    is written on any, then taken up by dbd, controllers, nodes in batches, and submit hosts.

        salt-run state.orch slurm_galaxy.orchestrate.deploy
        salt-run state.orch slurm_galaxy.orchestrate.deploy pillar='{target: "*.lab", batch: 20}'

    Each step is a state.apply that waits for the readiness of its hosts and ends the run when one
    of them fails; the same command goes on from there. #}
{%- do salt['saltutil.runner']('saltutil.sync_runners') %}
{%- set deployment = salt['saltutil.runner']('slurm_galaxy.deployment', kwarg={
      'tgt': pillar.get('target', '*'), 'batch': pillar.get('batch', 50)}) %}

{%- if deployment is string %}
  {%- set deployment = {'problems': [deployment], 'off': [], 'hosts': [], 'steps': []} %}
{%- endif %}

Every host that answers can take the change:
  test.configurable_test_state:
    - result: {{ not deployment.problems }}
    - changes: False
    - allow_test_mode_failure: True
    - comment: {{ (deployment.problems or ['They can: ' ~ deployment.hosts | join(', ')])
                  | join('\n') | json }}
    {%- if deployment.off %}
    - warnings: {{ ['no answer, and not waited for: ' ~ deployment.off | join(', ')] | json }}
    {%- endif %}
{%- if not deployment.problems %}

Slurm's files are written on every host:
  salt.state:
    - tgt: {{ deployment.hosts | json }}
    - tgt_type: list
    - sls: slurm_galaxy.common
    - require:
      - test: Every host that answers can take the change

{%- set before = namespace(id="Slurm's files are written on every host") %}
{%- for step in deployment.steps %}

{{ step.name | json }}:
  salt.state:
    - tgt: {{ step.hosts | json }}
    - tgt_type: list
    - sls: slurm_galaxy
    - require:
      - salt: {{ before.id | json }}
{%- set before.id = step.name %}
{%- endfor %}
{%- endif %}
