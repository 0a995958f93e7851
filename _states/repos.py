"""
Trust a package repository by the fingerprint of its key, and only by that.

.. code-block:: yaml

    The key of the repository site is in place:
      repos.key_managed:
        - name: /etc/apt/keyrings/site.asc
        - fingerprint: 8DE68488997C5C6BA19021136F2CC56412788738
        - source: salt://keys/site.asc

    apt trusts the repository site:
      repos.apt_current:
        - name: /etc/apt/sources.list.d/site.sources
        - key: /etc/apt/keyrings/site.asc
"""

import pathlib
from typing import Any

from salt.exceptions import CommandExecutionError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]


def key_managed(
    name: str, fingerprint: str, text: str | None = None, source: str | None = None
) -> dict[str, Any]:
    """
    Write a repository's public key, if it is the one that is expected.

    name
        Path of the file that the package manager is told to trust; it is written armoured.

    fingerprint
        Of the primary key, in hexadecimal digits; blanks do not matter. A file with any other key
        beside it is refused too, for that one would be trusted as well.

    text, source
        One of: the armoured key; a ``salt://`` or ``https://`` URL. What is at an ``https://`` URL
        is read only where the file does not have that key yet, so that a converged host depends on
        no key server.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    wanted = "".join(fingerprint.split()).upper()
    try:
        if (source or "").startswith("https://") and _has(name, wanted):
            return {**ret, "result": True, "comment": f"{name} has the key {wanted}"}
        if (text is None) == (source is None):
            raise CommandExecutionError("one of text and source has to be given")
        key = __salt__["repos.read_key"](source) if text is None else text
        found = __salt__["repos.fingerprints"](key)
        if found != [wanted]:
            raise CommandExecutionError(
                f"its fingerprint is {', '.join(found)}, and {wanted} was expected"
            )
        contents = __salt__["repos.armour"](key)
    except CommandExecutionError as err:
        ret["comment"] = f"The key{f' of {source}' if source else ''} was not trusted: {err}"
        return ret
    written = __states__["file.managed"](
        name, contents=contents, user="root", group="root", mode="0644", makedirs=True
    )
    return {**ret, **{field: written[field] for field in ("changes", "result", "comment")}}


def apt_current(name: str, key: str | None = None) -> dict[str, Any]:
    """
    Prove that apt has an index of this source which the present key has signed; fetch it if not.

    name
        Path of the source's file.

    key
        Path of the key's file; none for a source that is trusted without a signature.

    An index that is older than either file is thrown away and fetched again: it may be another
    key's or another repository's. Nothing is fetched on a converged host.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        if not pathlib.Path(name).exists() and __opts__["test"]:
            index = []
        else:
            index = __salt__["repos.apt_index"](name)
            # The time of the last change of the inode: apt sets the other one to the server's.
            changed = max(_changed(path) for path in (name, key) if path)
            index = [path for path in index if _changed(path) > changed]
        if index:
            ret["comment"] = "apt has its index, and the key has signed it"
            return ret
        ret["changes"] = {"index": {"old": None, "new": "fetched"}}
        if __opts__["test"]:
            ret.update(result=None, comment="apt would fetch its index")
            return ret
        __salt__["repos.apt_fetch"](name)
        ret["comment"] = "apt has fetched its index, and the key has signed it"
    except CommandExecutionError as err:
        ret.update(
            result=False,
            changes={},
            comment=f"Nothing is installed from this repository: {err}",
        )
    return ret


def _changed(path):
    """Tell when a file was last written; none is older than all."""
    try:
        return pathlib.Path(path).stat().st_ctime_ns
    except FileNotFoundError:
        return 0


def _has(name, wanted):
    """Tell whether a file has the one key that is wanted."""
    try:
        return __salt__["repos.fingerprints"](pathlib.Path(name).read_text()) == [wanted]
    except (OSError, UnicodeDecodeError, CommandExecutionError):
        return False
