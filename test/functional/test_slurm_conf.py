"""_states/slurm_conf.py on a real host."""

FILES = {
    "slurm.conf": {
        "settings": {"ClusterName": "c", "SlurmctldHost": ["a", "b"], "MaxJobCount": None},
        "nodes": [{"CPUs": 2, "NodeName": "n1"}, {"NodeName": "DEFAULT", "State": "UNKNOWN"}],
        "partitions": [{"Nodes": "ALL", "PartitionName": "main", "Default": True}],
    },
    "cgroup.conf": {"settings": {}},
}
TEXT = """\
# Managed by Salt (slurm_galaxy): change the pillar, not this file.
ClusterName=c
SlurmctldHost=a
SlurmctldHost=b
NodeName=DEFAULT State=UNKNOWN
NodeName=n1 CPUs=2
PartitionName=main Default=YES Nodes=ALL
"""


def test_managed_writes_the_set_once(minion):
    minion.sh("rm -rf /root/conf; mkdir /root/conf")
    planned = minion.state("slurm_conf.managed", "/root/conf", test=True, files=FILES)
    assert planned["result"] is None
    assert set(planned["changes"]) == {"/root/conf/slurm.conf", "/root/conf/cgroup.conf"}
    assert minion.sh("ls /root/conf") == ""

    assert minion.state("slurm_conf.managed", "/root/conf", files=FILES)["result"] is True
    assert minion.sh("cat /root/conf/slurm.conf") == TEXT
    assert minion.sh("stat -c '%U %a' /root/conf/*") == "root 644\n" * 2

    for test in (True, False):
        again = minion.state("slurm_conf.managed", "/root/conf", test=test, files=FILES)
        assert (again["result"], again["changes"]) == (True, {})


def test_managed_fails_where_the_directory_is_missing(minion):
    report = minion.state("slurm_conf.managed", "/root/none", files=FILES)
    assert report["result"] is False
    assert report["comment"] == "/root/none/slurm.conf: Parent directory not present"
    assert report["changes"] == {}


GOOD = """\
ClusterName=c
SlurmctldHost=single
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
NodeName=single CPUs=1
PartitionName=main Nodes=ALL
"""


def test_check_hears_every_judge_on_a_set_of_texts(minion):
    files = {"slurm.conf": GOOD, "cgroup.conf": "", "slurmdbd.conf": "StoragePass=hunter2\n"}
    checked = minion.call("slurm_conf.check", files)
    assert checked["judges"] == ["lint", "scontrol show hostnames", "slurmd -G"]
    assert checked["absent"] == {}
    assert [one for one in checked["findings"] if one["level"] == "error"] == []
    assert checked["result"] is True
    assert "hunter2" not in minion.sh("cat /var/log/salt/minion 2>/dev/null || true")
    assert minion.sh("ls -d /tmp/slurm_conf.* 2>/dev/null || true") == ""


def test_check_reports_what_each_judge_refuses(minion):
    fault = GOOD + "PriorityType=priority/none_such\nJobRequeue=YES\nTaskProlog=\n"
    checked = minion.call("slurm_conf.check", {"slurm.conf": fault, "cgroup.conf": ""})
    assert checked["result"] is False
    errors = [one for one in checked["findings"] if one["level"] == "error"]
    assert [(f["code"], f["line"]) for f in errors if f["judge"] == "lint"] == [
        ("SC404", 7),
        ("SC203", 8),
        ("SC002", 9),
    ]
    for judge in ("scontrol show hostnames", "slurmd -G"):
        found = [f for f in errors if f["judge"] == judge]
        assert any((f["file"], f["line"]) == ("slurm.conf", 9) for f in found), found


def test_check_of_the_directory_that_the_formula_wrote(minion):
    checked = minion.call("slurm_conf.check", "/etc/slurm")
    assert [one for one in checked["findings"] if one["level"] == "error"] == []
    assert minion.call("slurm_conf.diff", "/etc/slurm", "/etc/slurm") == []
    planned = minion.call("slurm_conf.plan", "/etc/slurm", "/etc/slurm", "22.05")
    assert planned["action"] == "nothing"
