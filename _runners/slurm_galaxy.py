"""Ask the whole cluster, from the master."""

from typing import Any

import salt.client
import salt.utils.minions

__opts__: dict[str, Any]

# In which order the hosts of a cluster are changed; one with several roles has its turn with the
# first of them.
TURNS = ("dbd", "controller", "exec", "submit")

# slurmd(8), -C: what makes two nodes alike, in the order in which slurm.conf is mostly written.
HARDWARE = ("CPUs", "Boards", "SocketsPerBoard", "CoresPerSocket", "ThreadsPerCore", "Gres")


def hardware(
    tgt: str = "*", tgt_type: str = "glob", margin: int = 2, timeout: int = 30
) -> dict[str, Any]:
    """
    Fold what the nodes report of themselves into lines for slurm:nodes of the pillar.

    CLI Example:

    .. code-block:: bash

        salt-run saltutil.sync_runners
        salt-run slurm_galaxy.hardware 'node*' --out=yaml

    tgt, tgt_type
        The minions to ask, as ``salt`` takes them; one without slurmd is listed, and does no harm.

    margin
        Percent of a node's memory that Slurm is not to give away, for the system and because a
        node that finds less than its line says is drained. The rest is rounded down to full
        thousands of MiB, so that nodes that differ by a DIMM's rounding share a line.

    timeout
        Seconds to wait for the minions.

    Returns ``{nodes: [NodeName lines as mappings], failed: {minion: why}}``. Nothing is written.
    Raises SaltClientError when the master cannot be asked. Source: slurmd(8), ``-C``.
    """
    with salt.client.get_local_client(mopts=__opts__) as client:
        answers = client.cmd(tgt, "slurm.hardware", tgt_type=tgt_type, timeout=timeout)
        failed = {m: str(said) for m, said in answers.items() if not isinstance(said, dict)}
        alike: dict[tuple[tuple[str, Any], ...], list[str]] = {}
        for minion, found in sorted(answers.items()):
            if minion not in failed:
                memory = usable_memory(found["RealMemory"], margin)
                same = {key: found[key] for key in HARDWARE if key in found}
                line = (*same.items(), ("RealMemory", memory))
                alike.setdefault(line, []).append(found["NodeName"])
        nodes = []
        # Any minion that has answered has the module that folds names into a hostlist.
        asked = next((minion for minion in answers if minion not in failed), None)
        for line, names in alike.items():
            folded = client.cmd(asked, "slurm.hostlist_fold", [names], kwarg={"sort": True})
            nodes.append({"NodeName": folded[asked], **dict(line)})
    return {"nodes": nodes, "failed": failed}


def usable_memory(mebibytes: int, margin: int) -> int:
    """
    Take a margin off a node's memory and round it down.

    CLI Example:

    .. code-block:: bash

        salt-run slurm_galaxy.usable_memory 257655 2

    mebibytes
        What ``slurmd -C`` found.

    margin
        Percent to leave out.

    Returns MiB: full thousands, or full hundreds below 10,000.
    """
    left = mebibytes * (100 - margin) // 100
    step = 1000 if left >= 10_000 else 100
    return left // step * step


def deployment(
    tgt: str = "*", tgt_type: str = "glob", batch: int = 50, timeout: int = 5
) -> dict[str, Any]:
    """
    Ask every host what the formula would do there, and make a plan for all of them.

    CLI Example:

    .. code-block:: bash

        salt-run slurm_galaxy.deployment --out=yaml

    tgt, tgt_type
        The minions of the cluster, as ``salt`` takes them.

    batch
        How many nodes, or submit hosts, have their turn at the same time.

    timeout
        Seconds after which a minion that has not answered is asked whether it is still at work.

    Returns ``{hosts: [minion], off: [minion], problems: [sentence], steps: [{name, hosts}]}``:
    ``off`` are those that do not answer; with problems, nothing may be applied. It runs
    ``state.apply slurm_galaxy test=True``, which changes nothing. Raises SaltClientError when the
    master cannot be asked.
    """
    known = salt.utils.minions.CkMinions(__opts__).check_minions(tgt, tgt_type)["minions"]
    with salt.client.get_local_client(mopts=__opts__) as client:
        replies = client.cmd(
            tgt,
            "state.apply",
            ["slurm_galaxy"],
            timeout,
            tgt_type,
            full_return=True,
            kwarg={"test": True},
        )
    # The client answers for a minion that does not.
    gone = {m for m, reply in replies.items() if reply.get("out") == "no_return"}
    answers = {m: reply["ret"] for m, reply in replies.items() if m not in gone and "ret" in reply}
    return plan(answers, sorted({*known} - {*answers}), batch)


def plan(answers: dict[str, Any], off: list[str], batch: int) -> dict[str, Any]:
    """
    Make a plan of what the hosts have answered; see :py:func:`deployment`.

    CLI Example:

    .. code-block:: bash

        salt-run slurm_galaxy.plan '{}' '[]' 50

    answers
        Minion to the answer of ``state.apply slurm_galaxy test=True``.

    off
        Minions that have not answered.

    batch
        How many nodes, or submit hosts, have their turn at the same time.
    """
    hosts = sorted(answers)
    problems = [f"{host}: {text}" for host in hosts for text in _problems(answers[host])]
    if not problems and not any("controller" in _roles(states) for states in answers.values()):
        problems.append(f"no controller answers; these do not: {', '.join(off) or 'none'}")
    steps = []
    for role in TURNS if not problems else ():
        members = [host for host in hosts if _turn(answers[host]) == role]
        size = 1 if role in ("dbd", "controller") else batch
        for first in range(0, len(members), size):
            some = members[first : first + size]
            names = some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}"
            steps.append({"name": f"Role {role} is up to date on {names}", "hosts": some})
    return {"hosts": hosts, "off": off, "problems": problems, "steps": steps}


def _roles(states: dict[str, Any]) -> set[str]:
    """Return what a host's states say of its roles."""
    return {state["__sls__"].rpartition(".")[2] for state in states.values()}


def _turn(states: dict[str, Any]) -> str | None:
    """Return the role as which a host has its turn."""
    return next((role for role in TURNS if role in _roles(states)), None)


def _problems(answer: Any) -> list[str]:
    """List what keeps a host from taking the change."""
    if not isinstance(answer, dict):
        return answer if isinstance(answer, list) else [str(answer)]
    failed = [state for state in answer.values() if state["result"] is False]
    # What only follows from another failure says nothing.
    told = [state for state in failed if "requisite failed" not in state["comment"]]
    return [f"{state['__id__']}: {state['comment']}" for state in told or failed]
