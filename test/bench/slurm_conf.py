"""Time slurm_conf on 100, 1,000 and 10,000 distinct node lines with 200 partitions.

Run it with: .venv/bin/python test/bench/slurm_conf.py
"""

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loading import load

SIZES = (100, 1_000, 10_000)
ROUNDS = 3
BOUND = 2.0  # seconds, for each function at the largest size

slurm = load("_modules/slurm.py")
parameters = load("_modules/slurm_parameters.py")
slurm_conf = load(
    "_modules/slurm_conf.py",
    __salt__={
        "slurm.hostlist_expand": slurm.hostlist_expand,
        "slurm.hostlist_fold": slurm.hostlist_fold,
        "slurm_parameters.table": parameters.table,
    },
)


def cluster(count: int, memory: int = 0) -> dict:
    """Return a cluster of distinct node lines, the memory of each plus ``memory``."""
    nodes = [
        {
            "NodeName": f"node{n}",
            "CPUs": 64,
            "Sockets": 2,
            "CoresPerSocket": 32,
            "RealMemory": 128_000 + n + memory,
            "Feature": ["a", f"rack{n % 40}"],
            "Weight": n + 1,
        }
        for n in range(count)
    ]
    partitions = [
        {"PartitionName": f"p{p}", "Nodes": f"node[0-{count - 1}]", "MaxTime": "1-00:00:00"}
        for p in range(200)
    ]
    settings = {"ClusterName": "bench", "SlurmctldHost": ["node0"]}
    return {"settings": settings, "nodes": nodes, "partitions": partitions}


def seconds(function, *args, **kwargs) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        function(*args, **kwargs)
        times.append(time.perf_counter() - begun)
    return median(times)


def measure(count: int) -> dict[str, float]:
    """Return the seconds of each function for a cluster of this size."""
    data = cluster(count)
    text = slurm_conf.render(**data)
    old = {"slurm.conf": text}
    new = {"slurm.conf": slurm_conf.render(**cluster(count, memory=1))}
    return {
        "render": seconds(slurm_conf.render, **data),
        "parse": seconds(slurm_conf.parse, text=text),
        "lint": seconds(slurm_conf.lint, old, version="22.05"),
        "diff": seconds(slurm_conf.diff, old, new),
        "plan": seconds(slurm_conf.plan, old, new, "22.05"),
    }


def main() -> None:
    """Print the curve, and fail where the largest size is over the bound."""
    curve = {count: measure(count) for count in SIZES}
    print(f"{'seconds, median of ' + str(ROUNDS):<24}" + "".join(f"{n:>9,}" for n in SIZES))
    for name in curve[SIZES[0]]:
        print(f"{name:<24}" + "".join(f"{curve[n][name]:>9.3f}" for n in SIZES))
    slow = [name for name, took in curve[SIZES[-1]].items() if took > BOUND]
    if slow:
        sys.exit(f"over {BOUND} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
