"""orchestrate/deploy on real hosts: agreed on by all before it is written on any."""

import json

import pytest
import yaml
from engine import wait_for

HOSTS = ("head", "node1", "node2")
UNITS = {"head": "slurmctld", "node1": "slurmd", "node2": "slurmd"}
ASKED = "Every host that answers can take the change"
WRITTEN = "Slurm's files are written on every host"


@pytest.fixture
def pillar(cluster):
    """Return a way to change slurm_galaxy:slurm of the master's pillar, for one test."""
    file = cluster.state / "secrets/munge.sls"
    before = file.read_text()

    def change(**slurm):
        data = yaml.safe_load(before)
        data["slurm_galaxy"]["slurm"] = slurm
        file.write_text(yaml.safe_dump(data))

    yield change
    file.write_text(before)
    assert deploy(cluster)[0] == 0


def deploy(cluster, *args, **pillar):
    """Run it on the master; return its exit status and its states by their names."""
    argv = ["salt-run", "--out=json", "state.orch", "slurm_galaxy.orchestrate.deploy", *args]
    done = cluster.exec("salt", [*argv, f"pillar={json.dumps(pillar)}"], check=False)
    text = done.stdout[done.stdout.index("{") :]
    ((states),) = json.JSONDecoder().raw_decode(text)[0]["data"].values()
    return done.returncode, {state["__id__"]: state for state in states.values()}


def limit(cluster):
    return cluster.exec("head", ["sinfo", "-ho", "%l"]).stdout.strip()


def written(cluster, what):
    """List the hosts that have a text in their slurm.conf."""
    grep = ["grep", "-q", what, "/etc/slurm/slurm.conf"]
    return [host for host in HOSTS if not cluster.exec(host, grep, check=False).returncode]


def started(cluster):
    ask = ["systemctl", "show", "--value", "-pInvocationID"]
    return {host: cluster.exec(host, [*ask, unit]).stdout for host, unit in UNITS.items()}


def partition(limit):
    return [{"PartitionName": "main", "Nodes": "node[1-2]", "Default": True, "MaxTime": limit}]


def test_a_change_is_written_everywhere_and_then_taken_up_in_order(cluster, pillar):
    before = started(cluster)
    pillar(partitions=partition("5-00:00:00"))
    status, states = deploy(cluster, "test=True")
    assert status == 0, states
    assert written(cluster, "5-00:00:00") == []
    status, states = deploy(cluster, batch=1)
    assert status == 0, states
    assert list(states) == [
        ASKED,
        WRITTEN,
        "Role dbd is up to date on head.lab.test",
        "Role exec is up to date on node1.lab.test",
        "Role exec is up to date on node2.lab.test",
    ]
    assert limit(cluster) == "5-00:00:00"
    assert started(cluster) == before
    status, states = deploy(cluster)
    assert status == 0
    assert not [name for name, state in states.items() if state["changes"]]


def test_one_host_that_cannot_take_it_keeps_it_from_all(cluster, pillar):
    plugin = "/usr/lib/*/slurm-wlm/sched_builtin.so"
    cluster.exec("node2", ["sh", "-c", f"p=$(ls {plugin}); mv $p $p.away"])
    before = started(cluster)
    try:
        pillar(config={"SchedulerType": "sched/builtin"})
        for args in (["test=True"], []):
            status, states = deploy(cluster, *args)
            assert status != 0
            assert list(states) == [ASKED]
            (sentence,) = states[ASKED]["comment"].splitlines()[-1:]
            assert "sched_builtin.so" in sentence
            assert states[ASKED]["comment"].startswith("node2.lab.test: Slurm's configuration is")
            assert "node1.lab.test" not in states[ASKED]["comment"]
        assert written(cluster, "sched/builtin") == []
        assert started(cluster) == before
    finally:
        cluster.exec("node2", ["sh", "-c", f"p=$(ls {plugin}.away); mv $p ${{p%.away}}"])


def test_a_host_that_is_off_is_listed_and_has_its_turn_when_it_is_back(cluster, pillar):
    pillar(partitions=partition("6-00:00:00"))
    cluster.kill("node2")
    try:
        status, states = deploy(cluster)
        assert status == 0, states
        assert states[ASKED]["warnings"] == ["no answer, and not waited for: node2.lab.test"]
        assert limit(cluster) == "6-00:00:00"
    finally:
        cluster.start("node2")
    assert written(cluster, "6-00:00:00") == ["head", "node1"]
    assert deploy(cluster)[0] == 0
    assert written(cluster, "6-00:00:00") == ["head", "node1", "node2"]
    wait_for("node2 is idle", lambda: "idle" in sinfo(cluster, "node2"), 60)


def sinfo(cluster, node):
    return cluster.exec("head", ["sinfo", "-hn", node, "-o", "%T"]).stdout


def test_it_ends_at_the_first_host_that_fails_and_goes_on_from_there(cluster, pillar):
    drop_in = "/etc/systemd/system/slurmd.service.d/reload.conf"
    text = "[Service]\nExecReload=\nExecReload=/bin/false\n"
    script = f"mkdir -p {drop_in.rpartition('/')[0]}; cat >{drop_in}; systemctl daemon-reload"
    cluster.exec("node1", ["sh", "-c", script], input=text)
    try:
        pillar(partitions=partition("7-00:00:00"))
        status, states = deploy(cluster, batch=1)
        assert status != 0
        report = states["Role exec is up to date on node1.lab.test"]
        assert "systemctl reload slurmd" in json.dumps(report["changes"])
        assert states["Role exec is up to date on node2.lab.test"]["result"] is False
        assert "requisite" in states["Role exec is up to date on node2.lab.test"]["comment"]
    finally:
        cluster.exec("node1", ["sh", "-c", f"rm {drop_in}; systemctl daemon-reload"])
    status, states = deploy(cluster, batch=1)
    assert status == 0, states
    assert written(cluster, "7-00:00:00") == ["head", "node1", "node2"]
