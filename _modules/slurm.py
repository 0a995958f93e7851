"""Ask Slurm's daemons how they are."""

import pathlib
import re
import time
from typing import Any

from salt.exceptions import CommandExecutionError

__salt__: dict[str, Any]

TIMEOUT = 20  # seconds for one command; slurm.conf(5) MessageTimeout is 10 by default


def ping() -> dict[str, bool]:
    """
    Ask every controller of the cluster whether it answers.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.ping

    Returns a mapping of each controller's host name to whether it is up. Raises
    CommandExecutionError with Slurm's own words when scontrol cannot tell. Source: scontrol(1),
    ``ping``.
    """
    # It exits 1 when no controller is up, and says so on standard output all the same.
    output = _run(["scontrol", "ping"], accept=(0, 1))
    found = re.findall(r"^Slurmctld\(.*?\) at (\S+) is (UP|DOWN)", output, re.M)
    if not found:
        raise CommandExecutionError(f"scontrol ping: {output}")
    return {host: state == "UP" for host, state in found}


def node(name: str) -> dict[str, Any]:
    """
    Read the state of one node.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.node node1

    name
        The node's name in Slurm.

    Returns ``{name, state, flags, reason, user}``: the base state and the list of its flags in
    upper case, the reason that is set and the user who set it, each empty where there is none.
    Raises CommandExecutionError with Slurm's own words, also for a node that Slurm does not know.
    Source: scontrol(1), ``show node``; sinfo(1), NODE STATE CODES.
    """
    output = _run(["scontrol", "--oneliner", "show", "node", name])
    spelled = re.search(r"\sState=(\S+)", output)
    if not spelled:
        raise CommandExecutionError(f"scontrol show node {name}: {output}")
    state, *flags = spelled[1].split("+")
    if state.endswith("*"):  # how releases before 22.05 show the flag
        state, flags = state[:-1], [*flags, "NOT_RESPONDING"]
    reason = re.search(r"\sReason=(.*?) \[([^@\]]+)@[^\]]*\]", output)
    return {
        "name": name,
        "state": state,
        "flags": flags,
        "reason": reason[1] if reason else "",
        "user": reason[2] if reason else "",
    }


def outdated(unit: str, files: list[str]) -> list[str]:
    """
    List the files that have changed since a daemon was started.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.outdated slurmctld '[/etc/slurm/slurm.conf]'

    unit
        The daemon's systemd unit, which is active.

    files
        Paths of the files that it reads when it starts.

    Returns the paths. Raises CommandExecutionError when the unit is not active.
    """
    command = ["systemctl", "show", "--value", "--property=ExecMainStartTimestampMonotonic", unit]
    microseconds = int(_run(command) or 0)
    if not microseconds:
        raise CommandExecutionError(f"{unit} is not active")
    age = time.clock_gettime(time.CLOCK_MONOTONIC) - microseconds / 1e6
    started = time.time() - age
    return [path for path in files if pathlib.Path(path).stat().st_mtime > started]


def _run(argv, accept=(0,)):
    """Run a program within a bound, in English, and return what it prints."""
    try:
        done = __salt__["cmd.run_all"](
            argv, python_shell=False, timeout=TIMEOUT, env={"LC_ALL": "C"}, ignore_retcode=True
        )
    except CommandExecutionError as err:
        raise CommandExecutionError(f"{argv[0]} cannot be run: {err}") from err
    if done["retcode"] not in accept:
        raise CommandExecutionError(f"{' '.join(argv)}: {done['stderr'] or done['stdout']}")
    return done["stdout"]
