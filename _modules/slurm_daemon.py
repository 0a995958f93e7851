"""
Know what Slurm's daemons on this host have loaded, and bring them to what is on disk.

Slurm does not say from which files a daemon was started. So what each of them loaded is kept as a
copy below the minion's cache, with the InvocationID that systemd gave that start. Where there is no
such copy, as on a host that is adopted, files older than the start are what it has loaded. The
files of a set are those named ``*.conf`` in Slurm's directory, and slurmdbd's is its own alone.

A daemon goes by the name of its program (``slurmctld``, ``slurmd``, ``slurmdbd``), which is also
the name of its systemd unit unless ``unit`` says otherwise.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict
__opts__: dict

DBD_FILE = "slurmdbd.conf"
DBD_PORT = 6819  # slurmdbd.conf(5), DbdPort

POLL = 0.2  # seconds
SETTLE = 2  # seconds that a daemon must have been up: some errors strike only after the start

# Fields of a node whose change makes slurmctld give up the jobs that run there: they are bound to
# its cores. So does a node or a partition that goes (seen on 22.05, 24.11 and 26.05).
_LAYOUT = frozenset(
    "boards corespersocket cpus procs sockets socketsperboard threadspercore".split()
)
_ON_NODES = "RUNNING,SUSPENDED,COMPLETING,CONFIGURING,STOPPED,SIGNALING"


# --- what a daemon has loaded ---------------------------------------------------------------------


def loaded(name, folder="/etc/slurm", unit=None):
    """
    Find the copy of what a daemon has loaded.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.loaded slurmctld

    name, unit
        The daemon (see the top of this module).
    folder
        Slurm's configuration directory.

    Returns the path of the directory with the copy, or None where the daemon does not run or what
    it has loaded is unknown. The copy is made now if all files are older than the daemon's start.

    Raises CommandExecutionError when systemd does not answer or the copy cannot be written.
    """
    status = _status(unit or name)
    if not status["active"]:
        return None
    copy = _copy_of(name, folder)
    with contextlib.suppress(OSError):
        if (copy / "invocation").read_text() == status["invocation"]:
            return str(copy / "files")
    if any(path.stat().st_mtime > status["started"] for path in _files(name, folder)):
        return None
    remember(name, folder, unit)
    return str(copy / "files")


def remember(name, folder="/etc/slurm", unit=None):
    """
    Keep a copy of the files on disk as what a daemon has loaded.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.remember slurmctld

    name, folder, unit
        As for :py:func:`loaded`.

    Returns True. Only root can read the copy.

    Raises CommandExecutionError when it cannot be written.
    """
    copy = _copy_of(name, folder)
    new = copy.with_name(f"{name}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)
        (new / "files").mkdir(parents=True)
        new.chmod(0o700)
        for path in _files(name, folder):
            target = new / "files" / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        (new / "invocation").write_text(_status(unit or name)["invocation"])
        shutil.rmtree(copy, ignore_errors=True)
        new.rename(copy)
    except OSError as exc:
        raise CommandExecutionError(
            f"what {name} has loaded cannot be kept in {copy}: {exc.strerror}"
        ) from exc
    return True


def put_back(name, folder="/etc/slurm"):
    """
    Put the files back that a daemon loaded last, with the owners and modes that they have now.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.put_back slurmctld

    name, folder
        As for :py:func:`loaded`.

    Returns the list of paths that were changed by it; none where no copy is known.

    Raises CommandExecutionError when a file cannot be written.
    """
    copy = _copy_of(name, folder) / "files"
    changed = []
    try:
        for path in _files(name, copy):
            target = pathlib.Path(folder) / path.relative_to(copy)
            if target.exists() and target.read_bytes() == path.read_bytes():
                continue
            beside = target.with_name(f".{target.name}.back")
            shutil.copy2(path, beside)
            if target.exists():  # Salt gives all of its cache to root whenever it starts
                status = target.stat()
                os.chown(beside, status.st_uid, status.st_gid)
                beside.chmod(status.st_mode)
            beside.replace(target)
            changed.append(str(target))
        kept = {path.relative_to(copy) for path in _files(name, copy)}
        for path in _files(name, folder) if kept else ():
            if path.relative_to(folder) not in kept:
                path.unlink()
                changed.append(str(path))
    except OSError as exc:
        raise CommandExecutionError(
            f"{exc.filename} cannot be put back: {exc.strerror}; the copy is in {copy}"
        ) from exc
    return changed


def _copy_of(name, folder):
    return pathlib.Path(__opts__["cachedir"], "slurm_daemon", str(folder).strip("/"), name)


def _files(name, folder):
    """List the files of a set that a daemon reads."""
    folder = pathlib.Path(folder)
    if name == "slurmdbd":
        return [path for path in [folder / DBD_FILE] if path.is_file()]
    found = (path for path in sorted(folder.rglob("*.conf")) if path.is_file())
    return [
        path
        for path in found
        if path.name != DBD_FILE
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _texts(name, folder):
    return {path.relative_to(folder): path.read_bytes() for path in _files(name, folder)}


def _status(unit):
    """Ask systemd for a unit: whether it is active, its start in seconds since 1970, and so on."""
    names = ("ActiveState", "InvocationID", "MainPID", "ExecMainStartTimestampMonotonic")
    result = __salt__["cmd.run_all"](
        ["systemctl", "show", f"--property={','.join(names)}", unit],
        python_shell=False,
        ignore_retcode=True,
        output_loglevel="quiet",
        timeout=30,
    )
    if result["retcode"]:
        raise CommandExecutionError(f"systemctl show {unit}: {result['stderr'].strip()}")
    found = dict(line.split("=", 1) for line in result["stdout"].splitlines() if "=" in line)
    age = time.clock_gettime(time.CLOCK_MONOTONIC) - int(found.get(names[3]) or 0) / 1e6
    return {
        "active": found.get("ActiveState") in ("active", "reloading"),
        "state": found.get("ActiveState"),
        "invocation": found.get("InvocationID", ""),
        "pid": int(found.get("MainPID") or 0),
        "age": age,
        "started": time.time() - age,
    }


# --- what it needs --------------------------------------------------------------------------------


def needs(name, folder="/etc/slurm", candidate=None, primary=True, unit=None):
    """
    Tell what a daemon needs so that it runs with what is on disk, and no more than that.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.needs slurmctld
        salt '*' slurm_daemon.needs slurmd candidate=/root/new

    name, folder, unit
        As for :py:func:`loaded`.
    candidate
        A directory with files that are to take the place of those on disk.
    primary
        Whether this slurmctld is the primary one, which alone is reconfigured by scontrol.

    Returns ``{"action": …, "changes": […]}``: the action is ``nothing``, ``start``,
    ``reconfigure`` (by scontrol, which tells every node), ``reload`` (this daemon alone) or
    ``restart``; the changes are those of ``slurm_conf.plan`` that concern the daemon, and None
    where it is unknown what it has loaded.

    Raises as :py:func:`loaded`.

    Source: slurm_conf.plan; scontrol(1), SHOW CONFIG, of which HASH_VAL compares slurm.conf here
    with what slurmctld has loaded.
    """
    if not _status(unit or name)["active"]:
        return {"action": "start", "changes": []}
    copy = loaded(name, folder, unit)
    if copy is None:
        return {"action": "restart", "changes": None}
    disk = candidate or folder
    lesser = "reconfigure" if name == "slurmctld" and primary else "reload"
    changes = []
    if _texts(name, copy) != _texts(name, disk):
        try:
            plan = __salt__["slurm_conf.plan"](copy, disk, __salt__["slurm.version"]())
        except SaltInvocationError:  # a version that the tables do not know
            return {"action": "restart", "changes": None}
        changes = [c for c in plan["changes"] if (c["file"] == DBD_FILE) == (name == "slurmdbd")]
    actions = {change["action"] for change in changes}
    whole = {f"restart {name}", "restart all", "refuse while jobs run"}
    if {"restart slurmd", "restart slurmctld"} <= actions or actions & whole:
        return {"action": "restart", "changes": changes}
    if actions or (lesser == "reconfigure" and not candidate and followed() is False):
        return {"action": lesser, "changes": changes}
    return {"action": "nothing", "changes": []}


def followed():
    """
    Tell whether the controller runs with the slurm.conf that is on this host's disk.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.followed

    Returns a boolean, or None where no controller answers.

    Source: scontrol(1), SHOW CONFIG: HASH_VAL.
    """
    try:
        return not str(__salt__["slurm.config"]().get("HASH_VAL")).startswith("Different")
    except CommandExecutionError:
        return None


def endangered(folder, candidate, allow=None):
    """
    Tell which jobs a set of files would lose if it took the place of the one on disk.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.endangered /etc/slurm /root/new

    folder
        Slurm's configuration directory.
    candidate
        The directory with the new files.
    allow
        List of what may lose its jobs: nodes (hostlists), partitions and parameters.

    Returns a list of sentences, each with the ids of jobs and what to do first. Slurm kills the
    jobs of a node or partition that goes, and those of a node whose layout of cores changes; some
    parameters may not change while any job runs.

    Raises CommandExecutionError when there is such a change and Slurm cannot be asked for its jobs,
    SaltInvocationError for a hostlist that is none.

    Source: slurm.conf(5); seen on 22.05, 24.11 and 26.05.
    """
    allowed = {name for text in allow or () for name in __salt__["slurm.hostlist_expand"](text)}
    risks = []
    for change in _changes(folder, candidate):
        section, key, name = change["section"], change["parameter"], change["name"]
        gone = change["new"] is None and key == section
        if section == "NodeName" and (gone or key.lower() in _LAYOUT):
            nodes = {*__salt__["slurm.hostlist_expand"](name)} - allowed
            verb = "would leave the cluster" if gone else f"would have another {key}"
            risks.append(("node", nodes, verb))
        elif section == "PartitionName" and gone:
            risks.append(("partition", {name} - allowed, "would be gone"))
        elif change.get("action") == "refuse while jobs run" and change["old"] is not None:
            risks.append(("parameter", {key} - allowed, "would change"))
    risks = [risk for risk in risks if risk[1]]
    if not risks:
        return []
    what = ", ".join(sorted(name for _, names, _ in risks for name in names))
    try:
        jobs = __salt__["slurm.squeue"](states=f"PENDING,{_ON_NODES}")
    except CommandExecutionError as exc:
        raise CommandExecutionError(
            f"a change of {what} may lose jobs, and Slurm cannot be asked for them ({exc}); "
            f"start the controller first, or name it in slurm:allow_disruption"
        ) from exc
    found = (_endangers(*risk, jobs) for risk in risks)
    return [sentence for sentence in found if sentence]


def _changes(folder, candidate):
    """Compare two sets; say of each change what it needs, if this host's Slurm is one we know."""
    with contextlib.suppress(CommandExecutionError, SaltInvocationError):
        version = __salt__["slurm.version"]()
        return __salt__["slurm_conf.plan"](folder, candidate, version)["changes"]
    return __salt__["slurm_conf.diff"](folder, candidate)


def _endangers(kind, names, verb, jobs):
    """Return a sentence for one kind of change, if it has jobs."""
    running = [job for job in jobs if job["state"] != "PENDING"]
    if kind == "node":
        hit = [
            (job, nodes)
            for job in running
            if (nodes := names & {*__salt__["slurm.hostlist_expand"](job["nodelist"] or "")})
        ]
        names = {name for _, nodes in hit for name in nodes}
        found = [job for job, _ in hit]
        first = "scontrol update nodename={} state=drain reason='is about to change'"
    elif kind == "partition":
        found = [job for job in jobs if names & {*str(job["partition"]).split(",")}]
        first = "scontrol update partitionname={} state=drain"
    else:
        found = running
        first = "scontrol update nodename=ALL state=drain reason='{} is about to change'"
    if not found:
        return None
    called = __salt__["slurm.hostlist_fold"](sorted(names), sort=True)
    ids = [job["id"] for job in found]
    listed = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
    return (
        f"the {kind} {called} {verb}, and Slurm would lose the jobs {listed}; first "
        f"{first.format(called)}, and wait for them, or name {called} in slurm:allow_disruption"
    )


# --- bringing it there ----------------------------------------------------------------------------


def bring(name, action, folder="/etc/slurm", primary=True, unit=None, wait=60):
    """
    Take an action, and wait until the daemon answers and has taken what is on disk.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.bring slurmd reload

    name, folder, primary, unit
        As for :py:func:`needs`.
    action
        ``start``, ``restart``, ``reload`` or ``reconfigure``.
    wait
        Seconds to wait at most.

    Returns True; what was loaded is remembered.

    Raises CommandExecutionError with Slurm's own words when the daemon does not come up, does not
    answer, or did not take the files.
    """
    unit = unit or name
    begun = time.time()
    if name == "slurmctld" and action in ("restart", "reconfigure"):
        _has_room()
    deadline = time.monotonic() + wait
    if action == "reconfigure":
        try:
            _run(["scontrol", "reconfigure"], wait)
        except CommandExecutionError as exc:
            # slurmctld may still be at it: a node whose name has gone holds it up for 10 s.
            if "timed out" not in str(exc).lower():
                raise
    else:
        try:
            _run(["systemctl", action, unit], wait)
        except CommandExecutionError as exc:
            said = complaints(unit, begun)
            raise CommandExecutionError(f"{exc}; {said}" if said else str(exc)) from exc
    settle = SETTLE if action in ("start", "restart") else 0
    while True:
        status = _status(unit)
        answer, words = (False, f"{unit} is {status['state']}")
        if status["active"]:
            answer, words = answers(name, folder, primary)
        if answer and status["age"] >= settle:
            return remember(name, folder, unit)
        if status["state"] in ("failed", "inactive") or time.monotonic() >= deadline:
            said = complaints(unit, begun)
            raise CommandExecutionError(f"{words}; {said or f'see: journalctl -u {unit}'}")
        time.sleep(POLL)


def answers(name, folder="/etc/slurm", primary=True):
    """
    Ask a daemon of this host whether it is there, and with which configuration.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.answers slurmctld

    name, folder, primary
        As for :py:func:`needs`.

    Returns a boolean and a sentence.

    Source: scontrol(1), ``ping``, ``show slurmd`` and ``show config`` (HASH_VAL).
    """
    try:
        if name == "slurmctld":
            own = socket.gethostname().partition(".")[0]
            up = {each["host"]: each["up"] for each in __salt__["slurm.ping"]()["controllers"]}
            if not up.get(own):
                return False, f"slurmctld on {own} does not answer"
            if primary and followed() is False:
                return False, "slurmctld runs with another slurm.conf than the one on disk"
        elif name == "slurmd":
            _run(["scontrol", "show", "slurmd"], 10)
        else:
            port = DBD_PORT
            for line in (pathlib.Path(folder) / DBD_FILE).read_text().splitlines():
                match = re.match(r"\s*DbdPort\s*=\s*(\d+)", line, re.I)
                port = int(match[1]) if match else port
            with socket.create_connection(("localhost", port), timeout=5):
                pass
    except (CommandExecutionError, OSError) as exc:
        return False, f"{name} does not answer: {exc}"
    return True, f"{name} answers"


def complaints(unit, since=0):
    """
    Return what a daemon complained of last, in its own words.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_daemon.complaints slurmdbd

    unit
        The daemon's systemd unit.
    since
        The time to begin at, in seconds since 1970.

    Returns a text: its last fatal errors, else its last errors, else nothing.
    """
    result = __salt__["cmd.run_all"](
        ["journalctl", "--unit", unit, "--since", f"@{int(since)}", "--output=cat", "--no-pager"],
        python_shell=False,
        ignore_retcode=True,
        output_loglevel="quiet",
        timeout=30,
    )
    said = [
        re.sub(r"^(\[[^]]*\] )?(\w+: )?(?=fatal: |error: )", "", line).strip()
        for line in result["stdout"].splitlines()
    ]
    fatal = [line for line in said if line.startswith("fatal: ")]
    errors = fatal or [line for line in said if line.startswith("error: ")]
    return "; ".join(dict.fromkeys(errors[-3:]))


def _has_room():
    """Raise where slurmctld could not save its state before it ends: jobs would be lost."""
    try:
        state_dir = __salt__["slurm.config"]()["StateSaveLocation"]
        files = [path for path in pathlib.Path(state_dir).iterdir() if path.is_file()]
        needed = sum(path.stat().st_size for path in files if path.suffix != ".old") + 2**20
        disk = os.statvfs(state_dir)
    except (CommandExecutionError, OSError, KeyError):
        return  # it does not run, so there is nothing that it could save
    if disk.f_bavail * disk.f_frsize < needed or (disk.f_files and disk.f_favail < len(files)):
        raise CommandExecutionError(
            f"there is no room in {state_dir} (StateSaveLocation) for slurmctld to save its jobs; "
            f"it keeps running as it is; free {needed // 2**20 + 1} MiB there"
        )


def _run(argv, timeout):
    """Run a program within a bound; raise with its words when it fails."""
    result = __salt__["cmd.run_all"](
        argv,
        python_shell=False,
        ignore_retcode=True,
        output_loglevel="quiet",
        timeout=timeout,
        env={"LC_ALL": "C.UTF-8"},
    )
    if result["retcode"]:
        words = " ".join((result["stderr"] or result["stdout"]).split())
        raise CommandExecutionError(f"{' '.join(argv)}: {words or result['retcode']}")
