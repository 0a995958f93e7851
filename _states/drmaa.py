"""
Configure slurm-drmaa, and prove that its library fits the Slurm of this host.

.. code-block:: yaml

    slurm-drmaa's configuration is in place:
      drmaa.config_managed:
        - name: /etc/slurm_drmaa.conf
        - config: {cache_job_state: 5, job_categories: {default: '--partition=main'}}

    The DRMAA library fits this Slurm:
      drmaa.works:
        - library: /usr/lib/slurm-drmaa/lib/libdrmaa.so.1
        - watch:
          - pkg: slurm-drmaa is installed
"""

from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]

HEADER = "# Managed by Salt (slurm_galaxy): change the pillar, not this file.\n"


def config_managed(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """
    Write slurm_drmaa.conf; leave it as it is when slurm-drmaa would not take it.

    name
        Path of the file, ``/etc/slurm_drmaa.conf``.

    config
        Its content, as for ``drmaa.render_config``.

    A session reads it when it is opened: whoever holds one has to open another.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        text = __salt__["drmaa.render_config"](config)
    except (CommandExecutionError, SaltInvocationError) as err:
        ret["comment"] = f"{name} was not written: {err}"
        return ret
    written = __states__["file.managed"](
        name,
        contents=HEADER + text,
        user="root",
        group="root",
        mode="0644",
    )
    return {**ret, **{field: written[field] for field in ("changes", "result", "comment")}}


def works(name: str, library: str | None = None, user: str | None = None) -> dict[str, Any]:
    """
    Fail when the DRMAA library is missing, does not load, or is of another Slurm.

    name
        A sentence that says so; it has no other meaning.

    library
        Path of the library; default: the first that is found where packages put it.

    user
        Who loads it, such as the user that Galaxy runs as; default: the user of Salt.

    Nothing is changed, and no job is submitted. The answer under ``test=True`` is that of the real
    run, unless a state that this one watches would change something first.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        found = __salt__["drmaa.info"](library, user=user)
    except (CommandExecutionError, SaltInvocationError) as err:
        ret["comment"] = f"the DRMAA library was not looked at: {err}"
        return ret
    ret["result"] = not found["problem"]
    ret["comment"] = found["problem"] or (
        f"{found['library']} is slurm-drmaa {found['version']}, and fits this host's "
        f"{found['needs']}"
    )
    return ret


def mod_watch(
    name: str,
    sfun: str,
    library: str | None = None,
    user: str | None = None,
    **_requisites: Any,
) -> dict[str, Any]:
    """
    Answer a watched change: in a test run the library is not yet the one that will be there.

    name, sfun, library, user
        As Salt passes them on from the watching state.
    """
    if not __opts__["test"]:
        return works(name, library, user)
    comment = "The DRMAA library would be looked at when it is installed"
    return {"name": name, "changes": {}, "result": None, "comment": comment}
