"""Time galaxy_jobconf.validate beside Galaxy's own parser on the same files, turn by turn.

Run it with: .venv/bin/python test/bench/galaxy_jobconf.py
"""

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loading import TREE, load
from oracle import Oracle

ROUNDS = 5
jobconf = load(
    "_modules/galaxy_jobconf.py",
    __salt__={
        "drmaa.parse_native": load("_modules/drmaa.py").parse_native,
        "slurm.parse_options": load("_modules/slurm.py").parse_options,
    },
)


def large(count: int) -> dict[str, Any]:
    """Return a configuration of so many destinations and as many tool mappings."""
    return {
        "runners": {"slurm": {"load": "galaxy.jobs.runners.slurm:SlurmJobRunner"}},
        "execution": {
            "default": "d0",
            "environments": {
                f"d{number}": {
                    "runner": "slurm",
                    "native_specification": f"--partition=main -c 4 --mem={number + 100}",
                    "env": [{"name": "NUMBER", "value": str(number)}],
                    "tags": ["all"],
                }
                for number in range(count)
            },
        },
        "tools": [{"id": f"tool{n}", "environment": f"d{n}"} for n in range(count)],
    }


def timed(do, *args) -> float:
    """Return the seconds of a call."""
    begun = time.perf_counter()
    do(*args)
    return time.perf_counter() - begun


def main() -> None:
    """Print a line for each file."""
    galaxy = Oracle()
    usual = (TREE / "test/fixtures/galaxy_jobconf/good/tutorial.yml").read_text()
    files = {("a usual file", "yaml"): usual}
    for count in (100, 1_000, 10_000):
        for format in ("yaml", "xml"):
            text = jobconf.render(large(count), format)
            files[f"{count:,} destinations, {count:,} tools", format] = text
    print(f"{'file':36} {'format':6} {'ours':>9} {'Galaxy':>9}  ratio   (median of {ROUNDS})")
    for (name, format), text in files.items():
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda t, f: jobconf.validate(text=t, format=f), text, format))
            theirs.append(timed(galaxy.ask, text, format, None, 300))
        mine, other = median(ours), median(theirs)
        print(f"{name:36} {format:6} {mine:8.3f}s {other:8.3f}s {mine / other:6.2f}")
    galaxy.close()


main()
