{#- Brings the formula's modules and states to the minion while the SLS files are rendered, because
    `state.apply slurm_galaxy.controller` does not, and a state of this run would come too late.
    Renders nothing, so it is included and never required. #}
{%- do salt['saltutil.sync_modules'](refresh=False) %}
{%- do salt['saltutil.sync_states'](refresh=False) %}
