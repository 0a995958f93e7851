"""Time an apply that changes nothing against one that has nothing to do, turn by turn on one host.

Run it with: sudo .venv/bin/python test/bench/noop_apply.py
"""

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab import Lab

ROUNDS = 7
EMPTY, FORMULA = "slurm_galaxy.repos", "slurm_galaxy"  # the first renders no state on Debian
STATUS = {EMPTY: 1, FORMULA: 0}  # salt-call calls a run without states a failure


def seconds(lab: Lab, sls: str) -> float:
    """Apply an SLS on head from its own shell, and return how long that took."""
    begun = time.monotonic()
    done = lab.exec("head", ["salt-call", "state.apply", sls], check=False)
    assert done.returncode == STATUS[sls], done.stdout + done.stderr
    return time.monotonic() - begun


def main() -> None:
    """Bring a lab up, measure, and take it down."""
    lab = Lab("bench")
    lab.up()
    try:
        pairs = [(seconds(lab, EMPTY), seconds(lab, FORMULA)) for _ in range(ROUNDS)]
    finally:
        lab.down()
    empty, formula = (median(column) for column in zip(*pairs, strict=True))
    print(f"empty apply {empty:.2f} s, no-op apply of head {formula:.2f} s: {formula / empty:.2f}")


if __name__ == "__main__":
    main()
