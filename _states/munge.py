"""
Give a host the cluster's MUNGE key, and prove that MUNGE works.

.. code-block:: yaml

    The cluster's MUNGE key is in place:
      munge.key_managed:
        - name: /etc/munge/munge.key
        - key: {{ key | json }}

    MUNGE credentials can be encoded and decoded:
      munge.works: []
"""

import base64
import binascii
import pathlib
import tempfile
from typing import Any

from salt.exceptions import CommandExecutionError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]

MIN_KEY_BYTES = 32  # mungekey(8), --bits: 256 bits is the minimum


def key_managed(
    name: str,
    key: str | None = None,
    key_base64: str | None = None,
    key_source: str | None = None,
) -> dict[str, Any]:
    """
    Write the MUNGE key: mode 0400, owned by munge, never shown.

    name
        Path of the key file; its directory exists.

    key, key_base64, key_source
        One of: the key as text; a binary key in base64; a ``salt://`` file.

    Source: munged(8), ``--key-file``.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        content = _key_bytes(key, key_base64, key_source)
    except CommandExecutionError as err:
        ret["comment"] = f"The MUNGE key was not written: {err}"
        return ret
    # file.managed decodes contents that are bytes; a file of its own carries any key unchanged.
    with tempfile.NamedTemporaryFile() as staged:
        pathlib.Path(staged.name).write_bytes(content)
        written = __states__["file.managed"](
            name,
            source=staged.name,
            user="munge",
            group="munge",
            mode="0400",
            show_changes=False,
        )
    return {**ret, **{field: written[field] for field in ("changes", "result", "comment")}}


def daemon_current(name: str, key: str = "/etc/munge/munge.key") -> dict[str, Any]:
    """
    Restart munged if it was started before its key was written.

    name
        The systemd unit of munged.

    key
        Path of the key file.

    A restart that an earlier run failed to make is made by this one, for it compares times and not
    the changes of the run. munged has no other way to read a key: munged(8), SIGNALS.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        if not __salt__["slurm.outdated"](name, [key]):
            ret["comment"] = f"{name} runs with the key on disk"
            return ret
        return _restarted(ret, f"started before {key} changed")
    except CommandExecutionError as err:
        ret["result"] = None if __opts__["test"] else False
        ret["comment"] = f"{err}; see: journalctl -u {name}"
    return ret


def mod_watch(
    name: str, sfun: str, key: str = "/etc/munge/munge.key", **_requisites: Any
) -> dict[str, Any]:
    """
    Answer a watched change: only a test run, in which no key was written, needs telling.

    name, key, sfun
        As Salt passes them on from the watching state.
    """
    if not __opts__["test"]:
        return daemon_current(name, key)
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    return _restarted(ret, f"{key} would change")


def _restarted(ret, why):
    """Restart munged, or say that it would be."""
    name = ret["name"]
    ret["changes"] = {name: {"old": why, "new": "restarted"}}
    if __opts__["test"]:
        return {**ret, "result": None, "comment": f"{name} would be restarted"}
    if not __salt__["service.restart"](name):
        raise CommandExecutionError(f"systemctl restart {name} failed")
    return {**ret, "comment": f"{name} was restarted"}


def works(name: str) -> dict[str, Any]:
    """
    Prove that munged runs and takes its own credentials.

    name
        A sentence that says so; it has no other meaning.

    Under ``test=True`` a host without MUNGE is not an error yet.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        credential = __salt__["munge.check"]()
        ret["comment"] = f"unmunge says: {credential['status']}"
    except CommandExecutionError as err:
        ret["result"] = None if __opts__["test"] else False
        ret["comment"] = f"MUNGE does not work on this host: {err}"
    return ret


def _key_bytes(key, key_base64, key_source):
    """Read the key from the one place that is given."""
    if key is not None:
        content = key.encode()
    elif key_base64 is not None:
        try:
            content = base64.b64decode(key_base64, validate=True)
        except binascii.Error as err:
            raise CommandExecutionError("it is not base64") from err
    elif key_source is not None:
        cached = __salt__["cp.cache_file"](key_source)
        if not cached:
            raise CommandExecutionError(f"the master has no file {key_source}")
        content = pathlib.Path(cached).read_bytes()
    else:
        raise CommandExecutionError("none is given")
    if len(content) < MIN_KEY_BYTES:
        raise CommandExecutionError(
            f"it has {len(content)} bytes, and munged takes {MIN_KEY_BYTES} or more"
        )
    return content
