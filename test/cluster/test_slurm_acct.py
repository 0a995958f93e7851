"""_states/slurm_acct.py on a real slurmdbd: the pillar's accounts, users and limits, and jobs."""

import json

import pytest
from engine import wait_for
from reports import changed, failed, state

STATE = "Accounts, users and limits are as the pillar has them"
CONFIG = {"AccountingStorageEnforce": ["limits", "qos"]}
WANTED = {
    "qos": {"one": {"MaxJobsPerUser": 1, "Description": 'a "quoted" | text = x'}},
    "accounts": {
        "optics": {"Parent": "physics", "Fairshare": "parent"},
        "physics": {"GrpTRES": {"cpu": 4, "mem": "2G"}, "QOS": ["normal", "one"]},
    },
    "users": {
        "games": {
            "DefaultAccount": "physics",
            "accounts": {
                "optics": {"MaxJobs": 5},
                "physics": {},
                "physics:main": {"MaxWall": "60"},
            },
        }
    },
}
# Not nobody: Slurm 26.05 finds no association for its uid.
GONE = {"users": ["games"], "accounts": ["physics", "optics"], "qos": ["one"]}


@pytest.fixture(scope="module")
def slurmdbd(cluster):
    """Leave slurmdbd without the entities of these tests, and slurmctld without enforcement."""
    yield
    apply(cluster, {"absent": GONE})
    (report,) = cluster.salt("head.lab.test", "state.apply", "slurm_galaxy").values()
    assert failed(report) == []


@pytest.fixture
def wanted(cluster, slurmdbd):
    """Bring the entities about."""
    assert failed(apply(cluster, WANTED)) == []


def apply(cluster, accounting, test=False):
    """Apply the formula to the controller with this accounting; return what it reports."""
    slurm = {"config": CONFIG, "accounting": accounting}
    override = json.dumps({"slurm_galaxy": {"slurm": slurm}})
    words = ("state.apply", "slurm_galaxy", f"pillar={override}", f"test={test}")
    return cluster.salt("head.lab.test", *words)["head.lab.test"]


def bring_about(cluster, accounting):
    """Plan, apply, and apply again: each is what it should be. Return the changes."""
    planned = state(apply(cluster, accounting, test=True), STATE)
    done = apply(cluster, accounting)
    assert failed(done) == []
    real = state(done, STATE)
    assert (planned["result"], planned["changes"]) == (None, real["changes"])
    for test in (True, False):
        again = apply(cluster, accounting, test=test)
        assert failed(again) + changed(again) == []
    return real["changes"]


def submit(cluster, *options):
    """Submit a job as an ordinary user; return its id."""
    argv = ["runuser", "-u", "games", "--", "sbatch", "--parsable", "--chdir=/tmp", *options]
    done = cluster.exec("head", [*argv, "--output=/dev/null", "--wrap=sleep 300"])
    return done.stdout.strip()


def queued(cluster, job):
    """Return a job's state and reason."""
    shown = cluster.exec("head", ["squeue", "-h", "-j", job, "-o", "%T %r"], check=False)
    return tuple(shown.stdout.split())


def test_entities_are_added_changed_and_removed_and_each_test_run_is_exact(cluster, slurmdbd):
    apply(cluster, {"absent": GONE})
    added = bring_about(cluster, WANTED)
    assert set(added) == {
        "qos one", "account physics", "account optics", "user games", "user games in optics",
        "user games in physics", "user games in physics:main",
    }  # fmt: skip
    changes = bring_about(
        cluster,
        {
            "qos": {"one": {"MaxJobsPerUser": None, "MaxTRESPerUser": {"cpu": 1}}},
            "accounts": {"optics": {"Parent": "root"}, "physics": {"GrpTRES": {"cpu": 4}}},
            "users": {"games": {"accounts": {"physics:main": {"MaxWall": None}}}},
        },
    )
    assert changes == {
        "qos one": {
            "MaxJobsPerUser": {"old": 1, "new": None},
            "MaxTRESPerUser": {"old": None, "new": {"cpu": 1}},
        },
        "account optics": {"Parent": {"old": "physics", "new": "root"}},
        "account physics": {"GrpTRES": {"old": {"cpu": 4, "mem": 2048}, "new": {"cpu": 4}}},
        "user games in physics:main": {"MaxWall": {"old": 3600, "new": None}},
    }
    removed = bring_about(cluster, {"absent": GONE})
    assert {name: change["new"] for name, change in removed.items()} == dict.fromkeys(
        ["user games", "account optics", "account physics", "qos one"]
    )
    shown = cluster.exec("head", ["sacctmgr", "-nP", "show", "account", "format=Account"]).stdout
    assert shown.split() == ["root"]


def test_a_qos_limit_holds_a_job_back_until_it_is_removed(cluster, wanted):
    first, second = (submit(cluster, "--account=physics", "--qos=one", "-n1") for _ in range(2))
    try:
        wait_for("the first runs", lambda: queued(cluster, first)[:1] == ("RUNNING",))
        held = ("PENDING", "QOSMaxJobsPerUserLimit")
        wait_for("the second is held back", lambda: queued(cluster, second) == held)
        assert failed(apply(cluster, {"qos": {"one": {"MaxJobsPerUser": None}}})) == []
        wait_for("the second runs", lambda: queued(cluster, second)[:1] == ("RUNNING",), 120)
    finally:
        cluster.exec("head", ["scancel", first, second])
        wait_for("no job is left", lambda: not queued(cluster, first) + queued(cluster, second))


def test_what_a_job_needs_is_not_removed(cluster, wanted):
    job = submit(cluster, "--account=physics", "--qos=one", "--hold")
    try:
        for test in (True, False):
            refused = state(apply(cluster, {"absent": GONE}, test=test), STATE)
            assert (refused["result"], refused["changes"]) == (False, {})
            for what in ("user games", "account physics", "qos one"):
                said = f"{what} cannot be removed while jobs are there: {job};"
                assert said in refused["comment"]
    finally:
        cluster.exec("head", ["scancel", job])
    wait_for("no job is left", lambda: not queued(cluster, job))


def test_a_stopped_slurmdbd_is_one_sentence(cluster, wanted):
    cluster.exec("head", ["systemctl", "stop", "slurmdbd"])
    try:
        words = ("state.single", "slurm_acct.managed", "name=lab", "wait=1", "qos={'one': {}}")
        (told,) = cluster.salt("head.lab.test", *words)["head.lab.test"].values()
    finally:
        cluster.exec("head", ["systemctl", "start", "slurmdbd"])
    assert (told["result"], told["changes"]) == (False, {})
    assert told["comment"].startswith("Not after 1 seconds: sacctmgr: error:")
