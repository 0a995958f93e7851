"""Time slurm.nodes of 10,000 nodes that do not respond beside plain `sinfo -N`, turn by turn.

Run it with: sudo .venv/bin/python test/bench/nodes.py
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine import wait_for
from lab import Lab
from reports import failed

ROUNDS = 5
NODES = 10_000
# Nobody listens on that port, so that slurmctld learns at once that no node answers; one that is
# down from the start is asked once, where 10,000 that may come up keep a small machine busy.
BIG = {"NodeName": f"big[1-{NODES}]", "CPUs": 64, "RealMemory": 256000}
BIG |= {"NodeAddr": "127.0.0.9", "Port": 9, "State": "DOWN", "Reason": "not there"}
PILLAR = {
    "nodes": [{"NodeName": "single", "CPUs": 2, "RealMemory": 1000}, BIG],
    "partitions": [
        {"PartitionName": "main", "Nodes": "single", "Default": True},
        {"PartitionName": "big", "Nodes": BIG["NodeName"]},
    ],
    "config": {"TreeWidth": 65533},  # no fan-out through nodes that are not there
}
SALT = ["salt-call", "--local", "--out=json"]
COMMANDS = {
    "sinfo -N": ["sinfo", "-N"],
    "scontrol --all show node": ["scontrol", "--all", "show", "node"],
    "slurm.version (Salt alone)": [*SALT, "slurm.version"],
    "slurm.nodes": [*SALT, "slurm.nodes"],
}
# Runs a program; prints its seconds, and the peak memory of its largest process in MiB.
MEASURE = """
import resource, subprocess, sys, time
begun = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.monotonic() - begun
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def measure(lab: Lab, argv: list[str]) -> tuple[float, float]:
    """Run a program on the host and return its seconds and its peak memory in MiB."""
    seconds, memory = lab.exec("single", ["python3", "-c", MEASURE, *argv]).stdout.split()
    return float(seconds), float(memory)


def prepare(lab: Lab) -> float:
    """Give slurmctld its nodes, wait until it knows that none answers; return the seconds."""
    begun = time.monotonic()
    override = json.dumps({"slurm_galaxy": {"slurm": PILLAR}})
    (states,) = lab.salt("*", "state.apply", "slurm_galaxy", f"pillar={override}").values()
    assert failed(states) == []
    count, lost = ["sinfo", "-h", "-p", "big", "-o", "%D %T"], f"{NODES} down*\n"
    wait_for("no node answers", lambda: lab.exec("single", count).stdout == lost, 120, every=1)
    (shown,) = lab.salt("*", "slurm.nodes").values()
    assert sum("NOT_RESPONDING" in node["flags"] for node in shown) == NODES
    return time.monotonic() - begun


def main() -> None:
    """Bring a lab up, measure, and take it down."""
    lab = Lab("bench", "single")
    lab.up()
    try:
        print(f"slurmctld has {NODES} nodes that do not respond after {prepare(lab):.0f} s")
        rounds = [[measure(lab, argv) for argv in COMMANDS.values()] for _ in range(ROUNDS)]
    finally:
        lab.down()
    print(f"{'median of ' + str(ROUNDS):<28}{'seconds':>9}{'MiB':>9}")
    for name, column in zip(COMMANDS, zip(*rounds, strict=True), strict=True):
        seconds, memory = map(median, zip(*column, strict=True))
        print(f"{name:<28}{seconds:>9.2f}{memory:>9.1f}")


if __name__ == "__main__":
    main()
