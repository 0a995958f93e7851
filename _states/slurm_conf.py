"""
Keep Slurm's configuration as the pillar has it, checked as a whole before any of it is written.

.. code-block:: yaml

    Slurm's configuration is in place:
      slurm_conf.managed:
        - name: /etc/slurm
        - files:
            slurm.conf:
              settings: {ClusterName: galaxy, SlurmctldHost: [head]}
              nodes: [{NodeName: 'node[1-2]', CPUs: 2}]
              partitions: [{PartitionName: main, Nodes: ALL, Default: true}]
            cgroup.conf:
              settings: {ConstrainCores: true}
        - hosts: [head, node1, node2]
"""

import contextlib
import fcntl
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]

DBD_FILE = "slurmdbd.conf"
SECRET = re.compile(r"pass\w*\s*=", re.I)
DAEMONS = ("slurmctld", "slurmd", "slurmdbd")


def managed(
    name: str,
    files: dict[str, Any],
    user: str = "slurm",
    hosts: list[str] | None = None,
    package: str | None = None,
    training: bool = False,
    galaxy: bool = True,
    allow_disruption: list[str] | None = None,
    backup: str = "",
) -> dict[str, Any]:
    """
    Bring a set of Slurm's files to what is given, all of them or none.

    name
        The configuration directory, which exists.

    files
        File name to what ``slurm_conf.render`` takes. A file of Slurm's that an earlier set had
        and this one has not is removed; what others have written there stays.

    user
        SlurmUser, whose slurmdbd.conf is (mode 0600), and any other file that holds a password.

    hosts
        Names of the cluster's hosts; each controller must be one of them.

    package
        A package with Slurm in it, whose candidate is the version before Slurm is installed.

    training
        Whether config_overrides is meant, as on a training cluster on small hosts.

    galaxy
        Whether Galaxy sends jobs here, and asks for their states later.

    allow_disruption
        Nodes, partitions and parameters whose change may lose running jobs.

    backup
        As for ``file.managed``.

    The set is rendered, linted and checked by Slurm's own programs on a copy, under ``test=True``
    as well; an error, or a change that would lose running jobs, fails the state and changes
    nothing. A file that cannot be written brings those before it back. The changes list each
    parameter by its meaning, and beside it file.managed's diff; where a file holds a password,
    neither shows a value of it.

    Source: slurm.conf(5) and slurmdbd.conf(5), FILE AND DIRECTORY PERMISSIONS.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        with _alone(name):
            texts: dict[str, str | None] = {
                filename: __salt__["slurm_conf.render"](**{"file": filename, **data})
                for filename, data in files.items()
            }
            if "slurm.conf" in texts:
                texts.update(dict.fromkeys(_left_over(name, texts)))
            stage = __salt__["slurm_conf.stage"](name, texts)
            judged = {filename: {"file": filename, **data} for filename, data in files.items()}
            judged = {**_texts(stage), **judged}
            ret["warnings"] = _checked(judged, package, hosts, training, galaxy)
            said = {}
            if any(_read(f"{name}/{filename}") != text for filename, text in texts.items()):
                said = _changes(name, stage)
                _refuse_to_lose_jobs(name, stage, allow_disruption)
            if not __opts__["test"]:
                for daemon in DAEMONS:
                    __salt__["slurm_daemon.loaded"](daemon, name)
            written = _move(name, stage, texts, user, backup)
    except (CommandExecutionError, SaltInvocationError) as err:
        ret["result"], ret["comment"] = False, str(err)
    else:
        for path, changes in written.items():
            filename = path.removeprefix(f"{name}/")
            ret["changes"][path] = {**said.get(filename, {}), **changes}
        if __opts__["test"] and written:
            ret["result"] = None
        would = "would be " if __opts__["test"] else ""
        ret["comment"] = (
            f"{', '.join(written)} {would}written" if written else f"{name} is as it should be"
        )
    if not ret.get("warnings"):
        ret.pop("warnings", None)
    return ret


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Hold the directory's lock, so that two applies at once do not write one set each."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        if __opts__["test"] and isinstance(exc, FileNotFoundError):
            yield  # an earlier state would have made it
            return
        raise CommandExecutionError(f"{folder}: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandExecutionError(
                f"another apply is writing {folder} at this moment; nothing was changed by this one"
            ) from None
        yield
    finally:
        os.close(held)


def _left_over(folder: str, texts: dict[str, Any]) -> list[str]:
    """List the files of an earlier set of ours that this one has no more."""
    header = __salt__["slurm_conf.render"]()
    found = []
    for path in pathlib.Path(folder).glob("*.conf"):
        ours = path.is_file() and path.read_text(errors="replace").startswith(header)
        if ours and path.name not in texts and path.name != DBD_FILE:
            found.append(path.name)
    return sorted(found)


def _texts(stage: str) -> dict[str, Any]:
    """Return the staged files: what others have written there is judged with the set."""
    paths = (path for path in pathlib.Path(stage).rglob("*.conf") if path.is_file())
    return {str(path.relative_to(stage)): path.read_text(errors="replace") for path in paths}


def _checked(
    judged: dict[str, Any],
    package: str | None,
    hosts: list[str] | None,
    training: bool,
    galaxy: bool,
) -> list[str]:
    """Ask every judge of this host; return the warnings, raise with the errors."""
    warnings = []
    version = None
    with contextlib.suppress(CommandExecutionError):
        version = __salt__["slurm.version"]()
    if version is None and package:
        version = __salt__["pkg.latest_version"](package, refresh=False).rpartition(":")[2]
    known = __salt__["slurm_parameters.versions"]()
    if version and ".".join(version.split(".")[:2]) not in known:
        warnings.append(
            f"Slurm {version} is newer or older than the tables of this formula, which know "
            f"{known[0]} to {known[-1]}: what only one version takes is not looked at"
        )
        version = None
    answer = __salt__["slurm_conf.check"](
        judged, version or None, hosts=hosts, training=training, galaxy=galaxy
    )
    errors = [_sentence(one) for one in answer["findings"] if one["level"] == "error"]
    if errors:
        raise CommandExecutionError(
            "nothing was changed, for this configuration has errors:\n" + "\n".join(errors)
        )
    return warnings + [_sentence(one) for one in answer["findings"]]


def _sentence(finding: dict[str, Any]) -> str:
    where = f"{finding['file']}:{finding['line']}" if finding["line"] else finding["file"]
    judge = f" ({finding['judge']})" if finding["judge"] != "lint" else ""
    return f"{finding['code']} {where}: {finding['message']}{judge}"


def _changes(folder: str, stage: str) -> dict[str, dict[str, Any]]:
    """Return file name to what changes there, parameter by parameter."""
    said: dict[str, dict[str, Any]] = {}
    for change in __salt__["slurm_conf.diff"](folder, stage):
        if not pathlib.Path(folder, change["file"]).exists():
            continue  # the whole file is new
        parameter = change["parameter"]
        line = f"{change['section']}={change['name']}"
        key = line if parameter == change["section"] else parameter
        if change["section"] and key != line:
            key = f"{line} {parameter}"
        values = {word: change[word] for word in ("old", "new")}
        if SECRET.search(f"{parameter}="):
            values = {word: value and "(hidden)" for word, value in values.items()}
        said.setdefault(change["file"], {"parameters": {}})["parameters"][key] = values
    return said


def _refuse_to_lose_jobs(folder: str, stage: str, allow: list[str] | None) -> None:
    """Raise where jobs run on what goes or changes its layout."""
    if not pathlib.Path(folder, "slurm.conf").exists():
        return
    lost = __salt__["slurm_daemon.endangered"](folder, stage, allow)
    if lost:
        raise CommandExecutionError("nothing was changed, for " + ";\n".join(lost))


def _move(
    folder: str, stage: str, texts: dict[str, str | None], user: str, backup: str
) -> dict[str, Any]:
    """Put the staged files in place one by one; return path to what file.managed changed."""
    written: dict[str, Any] = {}
    with _restored_on_error(folder, [pathlib.Path(folder, filename) for filename in texts]):
        for filename, text in texts.items():
            path = f"{folder}/{filename}"
            if text is None:
                report = __states__["file.absent"](path)
            else:
                closed = filename == DBD_FILE or _secret(text)
                report = __states__["file.managed"](
                    path,
                    source=f"{stage}/{filename}",
                    user=user if closed else "root",
                    group=user if closed else "root",
                    mode="0600" if closed else "0644",
                    backup=backup,
                    show_changes=not (closed or _secret(_read(path))),
                )
            if report["result"] is False:
                raise CommandExecutionError(f"{path}: {report['comment']}")
            if report["changes"]:
                written[path] = report["changes"]
    return written


def _secret(text: str) -> bool:
    """Tell whether a text holds a password; the path of MUNGE's socket is none."""
    return any(not rest.startswith("/") for rest in SECRET.split(text)[1:])


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return pathlib.Path(path).read_text(errors="replace")
    return ""


@contextlib.contextmanager
def _restored_on_error(folder: str, paths: list[pathlib.Path]) -> Iterator[None]:
    """Keep links to the files as they are, which need no room on the disk, and bring them back."""
    if __opts__["test"]:
        yield
        return
    for stale in pathlib.Path(folder).glob(".before-*"):
        __salt__["file.remove"](str(stale))  # of an apply that was killed
    try:
        there = {*pathlib.Path(folder).iterdir(), *paths}
        before = pathlib.Path(tempfile.mkdtemp(prefix=".before-", dir=folder))
        kept = {path: before / path.name for path in paths}
        for path, link in kept.items():
            if path.exists():
                link.hardlink_to(path)
    except OSError as exc:
        raise CommandExecutionError(f"{folder} cannot be written: {exc.strerror}") from exc
    try:
        yield
    except BaseException:
        for path in {*pathlib.Path(folder).iterdir()} - there:
            if any(path.name.startswith(target.name) for target in paths):
                path.unlink()  # the part of a new file for which the disk had room
        for path, link in kept.items():
            if link.exists():
                link.replace(path)
            else:
                path.unlink(missing_ok=True)
        raise
    finally:
        __salt__["file.remove"](str(before))
