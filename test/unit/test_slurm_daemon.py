"""The slurm_daemon execution module: what a change needs, and which jobs it would lose."""

from types import SimpleNamespace

import pytest
from loading import load
from salt.exceptions import CommandExecutionError

daemon = load("_modules/slurm_daemon.py")
slurm = load("_modules/slurm.py")


def change(parameter, action="reconfigure", section=None, name=None, old="1", new="2", file=None):
    return {
        "file": file or "slurm.conf",
        "section": section,
        "name": name,
        "parameter": parameter,
        "old": old,
        "new": new,
        "action": action,
    }


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Return a host whose daemons run with an older set; its plan and its jobs can be given."""

    host = SimpleNamespace(changes=[], jobs=[], down=False, folder=tmp_path / "etc")

    def squeue(states):
        if host.down:
            raise CommandExecutionError("squeue: Unable to contact slurm controller")
        return host.jobs

    host.folder.mkdir()
    (host.folder / "slurm.conf").write_text("new")
    old = tmp_path / "old"
    old.mkdir()
    (old / "slurm.conf").write_text("old")
    answers = {
        "slurm.version": lambda: "22.05.8",
        "slurm.config": dict,
        "slurm.squeue": squeue,
        "slurm.hostlist_expand": slurm.hostlist_expand,
        "slurm.hostlist_fold": slurm.hostlist_fold,
        "slurm_conf.plan": lambda *_: {"changes": host.changes},
    }
    for name, function in answers.items():
        monkeypatch.setitem(daemon.__salt__, name, function)
    monkeypatch.setattr(daemon, "_status", lambda _: {"active": True})
    monkeypatch.setattr(daemon, "loaded", lambda *_: str(old))
    return host


@pytest.mark.parametrize(
    ("actions", "slurmctld", "backup", "slurmd"),
    [
        ([], "nothing", "nothing", "nothing"),
        (["reconfigure"], "reconfigure", "reload", "reload"),
        (["restart slurmctld"], "restart", "restart", "reload"),
        (["restart slurmd"], "reconfigure", "reload", "restart"),
        (["restart slurmd", "restart slurmctld"], "restart", "restart", "restart"),
        (["restart all"], "restart", "restart", "restart"),
        (["refuse while jobs run"], "restart", "restart", "restart"),
    ],
)
def test_each_daemon_gets_the_least_that_the_changes_need(host, actions, slurmctld, backup, slurmd):
    host.changes = [change(f"P{n}", action) for n, action in enumerate(actions)]
    assert daemon.needs("slurmctld", host.folder)["action"] == slurmctld
    assert daemon.needs("slurmctld", host.folder, primary=False)["action"] == backup
    assert daemon.needs("slurmd", host.folder)["action"] == slurmd


def test_slurmdbd_minds_its_own_file_alone(host):
    (host.folder / "slurmdbd.conf").write_text("new")
    host.changes = [change("MaxJobCount")]
    assert daemon.needs("slurmdbd", host.folder)["action"] == "nothing"
    host.changes += [change("DbdPort", "restart slurmdbd", file="slurmdbd.conf")]
    assert daemon.needs("slurmdbd", host.folder)["action"] == "restart"
    assert daemon.needs("slurmd", host.folder)["changes"] == host.changes[:1]


def test_another_slurm_conf_than_the_one_on_disk_is_reconfigured(host, monkeypatch):
    answer = {"HASH_VAL": "Different Ours=0x1 Slurmctld=0x2"}
    monkeypatch.setitem(daemon.__salt__, "slurm.config", lambda: answer)
    assert daemon.needs("slurmctld", host.folder)["action"] == "reconfigure"
    assert daemon.needs("slurmctld", host.folder, primary=False)["action"] == "nothing"


JOBS = [
    {"id": "7", "state": "RUNNING", "nodelist": "node[1-2]", "partition": "main"},
    {"id": "8_1", "state": "RUNNING", "nodelist": "node3", "partition": "short"},
    {"id": "9", "state": "PENDING", "nodelist": None, "partition": "short,main"},
]
LOSING = [
    (change("NodeName", section="NodeName", name="node[2-4]", new=None), "node[2-3]", "7, 8_1"),
    (change("CPUs", section="NodeName", name="node1"), "node1", "7"),
    (change("ThreadsPerCore", section="NodeName", name="node3"), "node3", "8_1"),
    (change("PartitionName", section="PartitionName", name="short", new=None), "short", "8_1, 9"),
    (change("SlurmdSpoolDir", "refuse while jobs run"), "SlurmdSpoolDir", "7, 8_1"),
]


@pytest.mark.parametrize(("lost", "called", "ids"), LOSING)
def test_what_would_lose_jobs_is_named_with_their_ids(host, lost, called, ids):
    host.changes, host.jobs = [lost], JOBS
    (sentence,) = daemon.endangered("a", "b")
    assert f" {called} would " in sentence
    assert f"Slurm would lose the jobs {ids}; first scontrol update " in sentence
    assert daemon.endangered("a", "b", allow=[called]) == []
    host.jobs = []
    assert daemon.endangered("a", "b") == []
    host.down = True
    with pytest.raises(CommandExecutionError, match="slurm:allow_disruption"):
        daemon.endangered("a", "b")


@pytest.mark.parametrize(
    "harmless",
    [
        change("RealMemory", "restart all", "NodeName", "node1"),
        change("NodeName", "restart all", "NodeName", "node9", old=None, new="node9"),
        change("Nodes", section="PartitionName", name="main"),
        change("ClusterName", "refuse while jobs run", old=None),
    ],
)
def test_what_loses_no_job_asks_nobody(host, harmless):
    host.changes, host.down = [harmless], True
    assert daemon.endangered("a", "b") == []


def test_what_a_daemon_said_is_told_in_its_own_words(monkeypatch):
    log = (
        "Started slurmctld.service\n"
        "slurmctld: error: first\n"
        "[2026-11-24T12:31:52.648] fatal: No such plugin\n"
        "slurmctld: fatal: No such plugin\n"
    )
    monkeypatch.setitem(daemon.__salt__, "cmd.run_all", lambda *_, **__: {"stdout": log})
    assert daemon.complaints("slurmctld") == "fatal: No such plugin"


def test_the_files_of_the_last_good_set_come_back_and_new_ones_go(monkeypatch, tmp_path):
    monkeypatch.setitem(daemon.__opts__, "cachedir", str(tmp_path / "cache"))
    monkeypatch.setattr(daemon, "_status", lambda _: {"invocation": "a"})
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "slurm.conf").write_text("good")
    (folder / "slurmdbd.conf").write_text("its own")
    daemon.remember("slurmctld", folder)
    for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
        (folder / name).write_text("bad")
    back = daemon.put_back("slurmctld", folder)
    assert sorted(back) == [f"{folder}/gres.conf", f"{folder}/slurm.conf"]
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert texts == {"slurm.conf": "good", "slurmdbd.conf": "bad"}
    assert daemon.put_back("slurmd", folder) == []
