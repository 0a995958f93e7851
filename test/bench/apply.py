"""Time applies on one host with every Slurm role, each beside what it is compared with.

- An apply that changes nothing, against one that has no state at all, turn by turn.
- The first apply of a fresh host, against the bare commands of apt and systemd that do the same,
  each on a fresh host, turn by turn.

Run it with: sudo .venv/bin/python test/bench/apply.py
"""

import shlex
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab import Lab

ROUNDS, FRESH_ROUNDS = 7, 3
EMPTY, FORMULA = "slurm_galaxy.repos", "slurm_galaxy"  # the first renders no state on Debian
STATUS = {EMPTY: 1, FORMULA: 0}  # salt-call calls a run without states a failure
FILES = ("/etc/slurm/slurm.conf", "/etc/slurm/cgroup.conf")
BARE = """set -e
groupadd -r -g 903 munge; useradd -r -u 903 -g 903 -d /nonexistent -s /usr/sbin/nologin munge
groupadd -r -g 64030 slurm; useradd -r -u 64030 -g 64030 -d /nonexistent -s /usr/sbin/nologin slurm
install -d -o slurm -g slurm /var/log/slurm; install -d -o slurm -m 700 /var/spool/slurmctld
install -d /etc/slurm /var/spool/slurmd
{files}
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends munge slurmctld slurmd slurm-client
systemctl enable --now munge slurmctld slurmd
until [ "$(sinfo -ho %T)" = idle ]; do sleep 0.1; done
"""


def seconds(lab: Lab, argv: list[str], status: int = 0) -> float:
    """Run a program on the host, and return how long that took."""
    begun = time.monotonic()
    done = lab.exec("single", argv, check=False, timeout=600)
    assert done.returncode == status, done.stdout + done.stderr
    return time.monotonic() - begun


def apply(lab: Lab, sls: str) -> float:
    """Apply an SLS from the host's own shell."""
    return seconds(lab, ["salt-call", "state.apply", sls], STATUS[sls])


def ratio(title: str, first: str, second: str, pairs: list[tuple[float, float]]) -> None:
    """Print the medians of two columns, and what the second is of the first."""
    one, other = (median(column) for column in zip(*pairs, strict=True))
    print(f"{title}: {first} {one:.2f} s, {second} {other:.2f} s: {other / one:.2f}", flush=True)


def main() -> None:
    """Bring labs up, measure, and take them down."""
    lab = Lab("bench", "single")

    def fresh() -> None:
        lab.down()
        lab.up(apply=False)

    try:
        first = []
        for _ in range(FRESH_ROUNDS):
            fresh()
            took = apply(lab, FORMULA)
            texts = {path: lab.exec("single", ["cat", path]).stdout for path in FILES}
            fresh()
            files = "\n".join(f"printf %s {shlex.quote(t)} >{path}" for path, t in texts.items())
            script = BARE.replace("{files}", files)
            first.append((seconds(lab, ["sh", "-c", script]), took))
        ratio("first run", "bare commands", "apply", first)
        fresh()
        apply(lab, FORMULA)
        pairs = [(apply(lab, EMPTY), apply(lab, FORMULA)) for _ in range(ROUNDS)]
        ratio("second run", "empty apply", "apply without changes", pairs)
    finally:
        lab.down()


if __name__ == "__main__":
    main()
