{#- Package repositories beside the system's own, each trusted by the fingerprint of its key alone.
    Renders nothing where there are none, as on Debian, so whoever requires it asks for that. #}
{%- set host = salt['slsutil.renderer']('salt://slurm_galaxy/host.py', default_renderer='py') %}
{%- if host.problems %}
{% include 'slurm_galaxy/problems.jinja' %}
{%- elif host.settings.repos %}

include:
  - slurm_galaxy.sync
{%- for repo in host.settings.repos %}
{%- if repo.key %}

The key of the repository {{ repo.name }} is in place:
  repos.key_managed:
    - name: {{ repo.key.path }}
    {%- for argument in ('fingerprint', 'text', 'source') if argument in repo.key %}
    - {{ argument }}: {{ repo.key[argument] | json }}
    {%- endfor %}
    - require_in:
      - {{ repo.writer }}: The repository {{ repo.name }} is known
{%- endif %}

The repository {{ repo.name }} is known:
{%- if repo.writer == 'ini' %}
  {#- A file that another package may own: its other options are kept. pkgrepo.managed would not add
      an option that the repository lacks (Salt 3008.3: it passes over what get_repo did not name). #}
  ini.options_present:
    - name: {{ repo.path }}
    - no_spaces: True
    - sections: {{ repo.sections | json }}
{%- else %}
  file.managed:
    - name: {{ repo.path }}
    - contents: {{ repo.contents | json }}
    - user: root
    - group: root
    - mode: '0644'
{%- endif %}
{%- if host.settings.os.packager == 'apt' %}

apt trusts the repository {{ repo.name }}:
  repos.apt_current:
    - name: {{ repo.path }}
    {%- if repo.key %}
    - key: {{ repo.key.path }}
    {%- endif %}
    - require:
      - file: The repository {{ repo.name }} is known
{%- endif %}
{%- endfor %}
{%- endif %}
