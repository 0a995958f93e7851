"""Rotation of the daemons' logs: into the new file, without a restart, and no job is hurt."""

import re

import pytest
from engine import wait_for

DAEMONS = [("head", "slurmdbd"), ("head", "slurmctld"), ("node1", "slurmd")]
JOB = "sbatch --parsable -w node1 -o /dev/null --wrap true"
# What each of them writes down, as a command that prints a word of it.
EVENTS = {
    "slurmdbd": "systemctl kill --signal=HUP slurmdbd && echo SIGHUP",
    "slurmctld": JOB,
    "slurmd": JOB,
}


@pytest.fixture(scope="module", params=DAEMONS, ids=lambda daemon: daemon[1])
def rotated(request, cluster):
    """Rotate a daemon's log while a job runs; return the lab, the facts before, and the names."""
    host, daemon = request.param

    def sh(script, on=host):
        return cluster.exec(on, ["bash", "-c", script], timeout=300).stdout.strip()

    sh("command -v logrotate || apt-get install -qq -y --no-install-recommends logrotate")
    job = sh("sbatch --parsable -w node1 -o /dev/null --wrap 'sleep 600'", "head")
    wait_for("the job runs", lambda: sh(f"squeue -h -j {job} -o %T", "head") == "RUNNING")
    log = f"/var/log/slurm/{daemon}.log"
    before = sh(f"systemctl show -p InvocationID,MainPID {daemon}; stat -c %i {log}")
    sh(f"logrotate -f /etc/logrotate.d/{daemon}")
    yield sh, daemon, log, before, job
    sh(f"scancel {job}", "head")


def test_the_daemon_writes_into_the_new_file_and_is_the_same_process(rotated):
    sh, daemon, log, before, _ = rotated
    pid = "".join(re.findall(r"MainPID=(\d+)", before))

    def reopened():
        return log in sh(f"readlink /proc/{pid}/fd/* || true").split()

    wait_for(f"{daemon} has {log} open", reopened)
    after = sh(f"systemctl show -p InvocationID,MainPID {daemon}; stat -c %i {log}")
    assert before.splitlines()[:2] == after.splitlines()[:2]
    assert before.splitlines()[2] != after.splitlines()[2]


def test_what_happens_later_is_in_the_new_file(rotated):
    sh, daemon, log, _, _ = rotated
    word = sh(EVENTS[daemon], "head")
    wait_for(f"{word} is in {log}", lambda: word in sh(f"cat {log}"))


def test_the_running_job_goes_on(rotated):
    sh, _, _, _, job = rotated
    assert sh(f"squeue -h -j {job} -o %T", "head") == "RUNNING"
