"""
Install Galaxy and keep its processes at what is on disk: what the role ``galaxy`` is made of.

.. code-block:: yaml

    Galaxy is installed:
      galaxy_server.installed:
        - name: /srv/galaxy/venv
        - version: 26.1.1

    Galaxy runs with what it reads:
      galaxy_server.current:
        - name: /etc/galaxy/galaxy.yml
        - venv: /srv/galaxy/venv
        - files: [/etc/galaxy/job_conf.yml]
"""

import pathlib
import re
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]

CHECK_USER = "slurm-galaxy-check@localhost"


def installed(
    name: str,
    version: str,
    python: str = "/usr/bin/python3",
    pip: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Have one exact version of Galaxy in a virtual environment.

    name
        Path of the virtual environment.

    version, python, pip
        As for ``galaxy_server.install``.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        found = __salt__["galaxy_server.installed"](name)
        if found == version:
            ret["comment"] = f"Galaxy {version} is installed"
            return ret
        ret["changes"] = {"galaxy": {"old": found or "", "new": version}}
        if __opts__["test"]:
            ret.update(result=None, comment=f"Galaxy {version} would be installed")
            return ret
        __salt__["galaxy_server.install"](name, version, python, pip)
        ret["comment"] = f"Galaxy {version} was installed"
    except (CommandExecutionError, SaltInvocationError) as error:
        ret.update(result=False, changes={}, comment=str(error))
    return ret


def dependencies_installed(
    name: str,
    config: str,
    files: list[str],
    pip: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Have what Galaxy's configuration needs beside Galaxy, such as a database's driver.

    name
        Path of the virtual environment.

    config, files
        Paths of galaxy.yml, and of the other files that the answer depends on.

    pip
        As for ``galaxy_server.install``.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    question = ("dependencies", config, files, name)
    try:
        if __salt__["galaxy_server.asked"](*question):
            ret["comment"] = "all that the configuration needs is installed"
            return ret
        if __opts__["test"]:
            ret.update(result=None, comment="Galaxy would be asked what its configuration needs")
            return ret
        needed = __salt__["galaxy_server.missing"](name, config)
        if needed:
            __salt__["galaxy_server.install_missing"](name, needed, pip)
            ret["changes"] = {"installed": needed}
        __salt__["galaxy_server.answered"](*question)
        ret["comment"] = f"installed: {', '.join(needed) or 'nothing more'}"
    except (CommandExecutionError, SaltInvocationError) as error:
        ret.update(result=False, comment=str(error))
    return ret


def check_tools_present(name: str, tools: dict[str, str], folder: str) -> dict[str, Any]:
    """
    Have the hidden tools that ``galaxy.destination_check`` runs.

    name
        Path of the tool_conf.xml that names them.

    tools
        Mapping of tool id to environment.

    folder
        Where their files are.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        texts = {
            f"{folder}/{tool}.xml": __salt__["galaxy.check_tool"](environment)
            for tool, environment in tools.items()
        }
        texts[name] = __salt__["galaxy_server.tool_conf"](tools, folder)
    except (CommandExecutionError, SaltInvocationError) as error:
        ret.update(result=False, comment=str(error))
        return ret
    for path, text in texts.items():
        done = __states__["file.managed"](
            path, contents=text, user="root", group="root", mode="0644", makedirs=True
        )
        if done["changes"]:
            ret["changes"][path] = done["changes"]
        if done["result"] is False or ret["result"] is True:
            ret["result"] = done["result"]
        if done["result"] is False:
            ret["comment"] = done["comment"]
            return ret
    ret["comment"] = f"{len(tools)} tools of the checks"
    return ret


def current(
    name: str,
    venv: str,
    files: list[str],
    user: str = "galaxy",
) -> dict[str, Any]:
    """
    Have Galaxy's processes run with what they read, and restart them only when that has changed.

    name
        Path of galaxy.yml.

    venv
        Path of the virtual environment.

    files
        The other files that a process reads when it starts (paths).

    user
        The user that Galaxy runs as.

    A new version of Galaxy gets its database upgraded while no process runs. Jobs in Slurm go on.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    units_of: tuple[str, str, list[str], str] = ("units", name, [], venv)
    try:
        written = __salt__["galaxy_server.asked"](*units_of) and __salt__["galaxy_server.units"](
            name
        )
        need = __salt__["galaxy_server.needs"](name, files, venv)
        if written and need["action"] == "nothing":
            ret["comment"] = "Galaxy runs with what is on disk"
            return ret
        words = {"start": "started", "restart": "restarted", "nothing": "given new units"}
        done = words[need["action"]]
        why = f"before the change of {', '.join(need['changed'])}" if need["changed"] else "not so"
        changes = {"galaxy": {"old": why, "new": done}}
        if __opts__["test"]:
            ret.update(result=None, changes=changes, comment=f"Galaxy would be {done}")
            return ret
        if not written:
            __salt__["galaxy_server.update_units"](venv, name)
            __salt__["galaxy_server.answered"](*units_of)
        if "Galaxy" in need["changed"]:
            __salt__["galaxy_server.act"]("stop", venv, name)
            __salt__["galaxy_server.upgrade_database"](venv, name, user)
            need["action"] = "start"
        if need["action"] != "nothing":
            __salt__["galaxy_server.act"](need["action"], venv, name)
        __salt__["galaxy_server.remember"](name, files, venv)
        ret.update(changes=changes, comment=f"Galaxy was {done}")
    except (CommandExecutionError, SaltInvocationError) as error:
        ret.update(result=False, comment=str(error))
    return ret


def database_present(name: str, admin: str = "postgres") -> dict[str, Any]:
    """
    Have a role of PostgreSQL's and its database, for the system user of that name.

    name
        Of the user, the role and the database.

    admin
        The system user that PostgreSQL knows as its superuser.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        found = __salt__["galaxy_server.database"](name, admin)
        if found is None and not __opts__["test"]:
            raise CommandExecutionError("psql is missing: PostgreSQL is not installed on this host")
        missing = [what for what in ("role", "database") if not (found or {}).get(what)]
        if not missing:
            ret["comment"] = f"{name} has its database"
            return ret
        ret["changes"] = dict.fromkeys(missing, "new")
        if __opts__["test"]:
            ret.update(result=None, comment=f"{name} would get a database")
            return ret
        __salt__["galaxy_server.make_database"](name, admin)
        ret["comment"] = f"{name} got a database"
    except (CommandExecutionError, SaltInvocationError) as error:
        ret.update(result=False, changes={}, comment=str(error))
    return ret


def users_present(
    name: str,
    venv: str,
    admins: dict[str, dict[str, str]],
    key_file: str = "/etc/galaxy/check_user.key",
) -> dict[str, Any]:
    """
    Have the administrators of the pillar, and the user of the checks with a key of its own.

    name
        Path of galaxy.yml.

    venv
        Path of the virtual environment.

    admins
        Mapping of mail address to ``password`` (for a new user) and ``key``.

    key_file
        Where the key of the checks' user is kept, for root alone. It is made once.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    keys = {email: one.get("key") for email, one in admins.items()}
    try:
        path = pathlib.Path(key_file)
        text = path.read_text(encoding="ascii", errors="replace") if path.exists() else ""
        key = text.strip() if re.fullmatch(r"[!-~]{1,32}", text.strip()) else None
        if key and __salt__["galaxy_server.asked"]("users", name, [key_file], venv, keys):
            ret["comment"] = "Galaxy has its users"
            return ret
        users = [{"email": email, **one} for email, one in admins.items()]
        users.append({"email": CHECK_USER, "key": key or __salt__["galaxy_server.new_key"]()})
        if __opts__["test"]:
            ret.update(result=None, comment="Galaxy would be asked for its users")
            return ret
        changed = __salt__["galaxy_server.users"](venv, name, users)
        if not key:
            # The mode at creation: nobody else may read it, not even for an instant.
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600, exist_ok=False)
            new.write_text(users[-1]["key"] + "\n")
            new.replace(path)
        __salt__["galaxy_server.answered"]("users", name, [key_file], venv, keys)
        ret["changes"] = changed
        ret["comment"] = f"made or mended: {', '.join(changed) or 'none'}"
    except (CommandExecutionError, SaltInvocationError, OSError) as error:
        ret.update(result=False, comment=str(error))
    return ret
