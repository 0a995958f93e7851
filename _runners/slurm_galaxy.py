"""Ask the whole cluster, from the master."""

from typing import Any

import salt.client

__opts__: dict[str, Any]

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
        for line, names in alike.items():
            # Any minion that has answered has the module that folds names into a hostlist.
            asked = next(minion for minion in answers if minion not in failed)
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
