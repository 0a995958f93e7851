"""
Bring Slurm's daemons to what is on disk, and wait until they answer.

.. code-block:: yaml

    slurmctld runs with its configuration:
      slurm.daemon_current:
        - name: slurmctld

    The controller answers:
      slurm.controller_up:
        - name: head
        - wait: 300

    This host's node is ready:
      slurm.nodes_ready:
        - nodes: [node1]
        - wait: 300
"""

import math
import re
import socket
import time
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]

POLL = 0.5  # seconds
# sinfo(1), NODE STATE CODES: what a node may be doing when it is of use.
WORKING = frozenset({"IDLE", "MIXED", "ALLOCATED", "COMPLETING", "PLANNED", "RESERVED"})
LOST = frozenset({"NOT_RESPONDING", "INVALID_REG", "POWERED_DOWN", "POWERING_DOWN", "DRAIN"})
# src/interfaces/gres.c: what slurmctld writes as the reason.
FEWER_GRES = re.compile(r"gres/\S+ count reported lower than configured")
SLURM_USER = "slurm"  # who sets a reason when slurmctld itself gives a node up


def daemon_current(
    name: str,
    folder: str = "/etc/slurm",
    unit: str | None = None,
    primary: bool = True,
    wait: int = 60,
) -> dict[str, Any]:
    """
    Bring a daemon to what is on disk by the least that its changes need, and see that it took it.

    name
        ``slurmctld``, ``slurmd`` or ``slurmdbd``.

    folder
        Slurm's configuration directory.

    unit
        The daemon's systemd unit, if it is not ``name``.

    primary
        Whether this slurmctld is the primary one: it alone reconfigures the cluster, once; a
        backup and a node reload themselves.

    wait
        Seconds to wait at most until it answers.

    What is done follows from what the daemon has loaded and not from the changes of this run, so
    that an action which an earlier run failed to take is taken by this one. No action ends a job.
    A daemon that does not come up gets the files back that it had loaded last, and the state fails
    with its own words. Source: slurm_conf.plan; scontrol(1), reconfigure.
    """
    return _current(name, folder, unit, primary, wait)


def mod_watch(
    name: str,
    sfun: str,
    folder: str = "/etc/slurm",
    unit: str | None = None,
    primary: bool = True,
    wait: int = 60,
    **_requisites: Any,
) -> dict[str, Any]:
    """
    Answer a watched change: only in a test run, in which no file was written, there is more to say.

    name, folder, unit, primary, wait, sfun
        As Salt passes them on from the watching state.
    """
    stage = f"{__opts__['cachedir']}/slurm_conf/{folder.strip('/')}"
    return _current(name, folder, unit, primary, wait, stage if __opts__["test"] else None)


def _current(name, folder, unit, primary, wait, candidate=None):
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    words = {"reconfigure": "reconfigured", "reload": "reloaded", "restart": "restarted"}
    try:
        need = __salt__["slurm_daemon.needs"](name, folder, candidate, primary, unit)
        action = need["action"]
        if action == "nothing":
            ret["comment"] = f"{name} runs with what is on disk"
            return ret
        done = words.get(action, "started")
        if need["changes"] is None:
            why = "what it has loaded is unknown"
        elif action == "start":
            why = "not running"
        else:
            changed = dict.fromkeys(change["parameter"] for change in need["changes"])
            why = f"before the change of {_some(changed)}" if changed else "another slurm.conf"
        ret["changes"] = {name: {"old": why, "new": done}}
        ret["comment"] = f"{name} {'would be' if __opts__['test'] else 'was'} {done}"
        if __opts__["test"]:
            ret["result"] = None
            return ret
        if name == "slurmd" and _counts_gres(need["changes"]) and not _followed(wait):
            ret["changes"] = {}
            ret["result"] = False
            ret["comment"] = (
                f"slurmd was not {done}: after {wait} seconds the controller does not run with "
                "this host's slurm.conf, and would drain a node that counts its gres otherwise; "
                "apply the formula to the controller first"
            )
            return ret
        __salt__["slurm_daemon.bring"](name, action, folder, primary, unit, wait)
        if name == "slurmd" and _counts_gres(need["changes"]):
            _return_to_service()
    except CommandExecutionError as err:
        ret["changes"] = {}
        ret["result"] = None if __opts__["test"] else False
        ret["comment"] = str(err)
        if not __opts__["test"]:
            ret["comment"] += _recovered(name, folder, unit, primary, wait, ret)
    return ret


def _counts_gres(changes):
    """Tell whether a node would report other generic resources than before."""
    return any(c["parameter"] in ("Gres", "GresTypes") for c in changes or ())


def _return_to_service():
    """Resume this node if slurmctld drained it for the gres that it has now.

    The controller that was first to know of new gres has counted none here until slurmd was
    brought to them; 24.11 leaves such a node drained.
    """
    for node in __salt__["slurm.nodes"]([socket.gethostname().partition(".")[0]]):
        by_slurm = node["reason_user"] == SLURM_USER
        if "DRAIN" in node["flags"] and by_slurm and FEWER_GRES.match(node["reason"] or ""):
            __salt__["slurm.resume"]([node["name"]])


def _followed(wait):
    """Wait until the controller runs with this host's slurm.conf."""
    deadline = time.monotonic() + wait
    while not __salt__["slurm_daemon.followed"]():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


def _recovered(name, folder, unit, primary, wait, ret):
    """Give a daemon its last good files back; return what to say of it."""
    try:
        back = __salt__["slurm_daemon.put_back"](name, folder)
        if not back:
            return ""
        ret["changes"] = {path: {"old": "new", "new": "as it was loaded last"} for path in back}
        if __salt__["slurm_daemon.needs"](name, folder, None, primary, unit)["action"] != "nothing":
            __salt__["slurm_daemon.bring"](name, "restart", folder, primary, unit, wait)
    except CommandExecutionError as err:
        return f"; its last good files are back, and yet: {err}"
    return f"; its last good files are back, and {name} runs with them: {', '.join(back)}"


def controller_up(name: str, wait: int = 300) -> dict[str, Any]:
    """
    Wait until a controller answers.

    name
        The controller's host name in Slurm.

    wait
        Seconds to wait at most.

    Source: scontrol(1), ``ping``.
    """

    def answers() -> tuple[bool, str]:
        up = {each["host"]: each["up"] for each in __salt__["slurm.ping"]()["controllers"]}
        if name not in up:
            raise CommandExecutionError(f"Slurm knows no controller {name}, but {', '.join(up)}")
        return up[name], f"slurmctld on {name} {'answers' if up[name] else 'does not answer'}"

    return _await(name, wait, answers, f"see on {name}: journalctl -u slurmctld")


def accounting_up(
    name: str, port: int = 6819, wait: int = 300, unit: str | None = None
) -> dict[str, Any]:
    """
    Wait until slurmdbd takes connections.

    name
        Its host name or address, as AccountingStorageHost has it.

    port
        AccountingStoragePort.

    wait
        Seconds to wait at most.

    unit
        The unit of this host's slurmctld: where it runs already, it keeps its records until
        slurmdbd is back, and so nothing is waited for and slurmdbd's absence is a warning.

    Source: slurm.conf(5), AccountingStorageHost; slurmctld(8).
    """

    def answers() -> tuple[bool, str]:
        try:
            with socket.create_connection((name, port), timeout=5):
                return True, f"slurmdbd on {name} answers"
        except OSError as exc:
            return False, f"slurmdbd on {name}, port {port}, does not answer: {exc.strerror or exc}"

    advice = f"see on {name}: journalctl -u slurmdbd"
    begun = time.time()
    if unit and __salt__["service.status"](unit):
        up, comment = answers()
        ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": comment}
        if not up:
            ret["warnings"] = [f"{comment}; {unit} keeps the records meanwhile; {advice}"]
        return ret
    ret = _await(name, wait, answers, advice)
    if ret["result"] is False and name == socket.gethostname().partition(".")[0]:
        said = __salt__["slurm_daemon.complaints"]("slurmdbd", begun)
        ret["comment"] = ret["comment"].replace(advice, said or advice)
    return ret


def nodes_ready(
    name: str,
    nodes: str | list[str] | None = None,
    states: list[str] | None = None,
    wait: int = 300,
) -> dict[str, Any]:
    """
    Wait until nodes are registered with the controller, and respond.

    name
        A sentence that says so; it has no other meaning.

    nodes
        The nodes: a hostlist, or a list of names; default: all that Slurm knows.

    states
        The base states that count as ready; default: those in which a node runs jobs, or would.

    wait
        Seconds to wait at most.

    A node that is drained, or down by an administrator's word, is ready enough, with a warning,
    unless ``states`` says what counts. Source: sinfo(1), NODE STATE CODES.
    """
    warnings: list[str] = []

    def ready() -> tuple[bool, str]:
        found = __salt__["slurm.nodes"](nodes)
        aside = [] if states else [node for node in found if _is_set_aside(node)]
        warnings[:] = map(_say, aside)
        late = [n for n in found if n not in aside and not _is_ready(n, states or WORKING)]
        if late:
            return False, f"{len(late)} of {len(found)} nodes: {_some(map(_say, late))}"
        return True, f"ready: {_some(node['name'] for node in found)}"

    ret = _await(name, wait, ready, "see on the node: journalctl -u slurmd")
    if warnings:
        ret["warnings"] = warnings
    return ret


def job_completes(
    name: str,
    runas: str,
    node: str | None = None,
    partition: str | None = None,
    command: str = "true",
    wait: int = 120,
) -> dict[str, Any]:
    """
    Prove that jobs run: submit one, wait for its end, and judge it by its exit code.

    name
        A sentence that says so; it has no other meaning.

    runas
        The ordinary user whose job it is.

    node, partition
        Where it runs; default: wherever Slurm puts it.

    command
        The shell command whose exit code counts. It runs on the node, and its output is not kept.

    wait
        Seconds to wait at most; a job that has not ended by then is cancelled.

    Nothing is submitted under ``test=True``, and no changes are reported. Source: sbatch(1).
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": None, "comment": ""}
    where = f" on node {node}" if node else f" in partition {partition}" if partition else ""
    if __opts__["test"]:
        ret["comment"] = f"A job of {runas}{where} would be submitted and waited for"
        return ret
    try:
        job = __salt__["slurm.test_job"](
            node=node, partition=partition, command=command, runas=runas, timeout=wait
        )
        ret["result"], ret["comment"] = job["ok"], job["comment"]
    except (CommandExecutionError, SaltInvocationError) as err:
        ret["result"], ret["comment"] = False, str(err)
    return ret


def hardware_matches(name: str, line: dict[str, Any]) -> dict[str, Any]:
    """
    Warn when a node's line in slurm.conf is not what slurmd finds in this host.

    name
        A sentence that says so; it has no other meaning.

    line
        The node's parameters, such as ``{CPUs: 32, RealMemory: 128000}``.

    Nothing is changed and nothing fails. More than there is drains the node ("Low RealMemory"), or
    makes it invalid; a fifth of its memory left out is worth a look. Source: slurmd(8), ``-C``;
    slurm.conf(5), NODE CONFIGURATION.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        found = __salt__["slurm.hardware"]()
    except CommandExecutionError as err:
        ret["comment"] = str(err)
        ret["result"] = None if __opts__["test"] else False
        return ret
    given = _hardware(line)
    wrong = [
        f"{key} is {given[key]}, and slurmd finds {found[key]}"
        for key in given
        if key != "RealMemory" and found.get(key, given[key]) != given[key]
    ]
    memory, there = given["RealMemory"], found["RealMemory"]
    if memory > there:
        wrong.append(f"RealMemory is {memory} MiB, and the host has {there}")
    elif memory < there * 0.8:
        wrong.append(f"RealMemory is {memory} MiB, which leaves {there - memory} to nobody")
    ret["comment"] = f"slurmd finds: {found['line']}"
    if wrong:
        ret["warnings"] = [f"slurm:nodes, {found['NodeName']}: {'; '.join(wrong)}"]
    return ret


def _hardware(line):
    """Complete a node's line with Slurm's defaults, under the names that slurmd -C uses."""
    given = {key.lower(): int(value) for key, value in line.items() if str(value).isdecimal()}
    if "sockets" in given:
        given["socketsperboard"] = given["sockets"]
    names = ("SocketsPerBoard", "CoresPerSocket", "ThreadsPerCore")
    topology = {name: given[name.lower()] for name in names if name.lower() in given}
    cpus = given.get("cpus", given.get("procs", math.prod(topology.values())))
    return {"CPUs": cpus, **topology, "RealMemory": given.get("realmemory", 1)}


def _await(name, wait, question, advice):
    """Ask until the answer is yes or the time is over; under test=True ask once."""
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    deadline = time.monotonic() + (0 if __opts__["test"] else wait)
    while True:
        try:
            done, ret["comment"] = question()
        except CommandExecutionError as err:
            done, ret["comment"] = False, str(err)
        if done:
            return ret
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    if __opts__["test"]:
        ret["result"] = None
        ret["comment"] = f"Would wait up to {wait} seconds: {ret['comment']}"
    else:
        ret["result"] = False
        ret["comment"] = f"Not after {wait} seconds: {ret['comment']}; {advice}"
    return ret


def _is_ready(node, states):
    """Tell a node that is in one of these states, registered and in touch."""
    return node["state"] in states and not LOST & set(node["flags"])


def _is_set_aside(node):
    """Tell a node that somebody has taken out of service from one that Slurm has given up."""
    if "NOT_RESPONDING" in node["flags"]:
        return False
    by_hand = node["reason_user"] not in (None, SLURM_USER)
    return "DRAIN" in node["flags"] or (node["state"] == "DOWN" and by_hand)


def _say(node):
    """Say a node's state in words."""
    state = "+".join([node["state"], *node["flags"]])
    reason = f" ({node['reason']}, set by {node['reason_user']})" if node["reason"] else ""
    return f"{node['name']} is {state}{reason}"


def _some(items, limit=5):
    """List the first few and count the others."""
    items = list(items)
    rest = len(items) - limit
    return "; ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")
