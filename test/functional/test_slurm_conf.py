"""_states/slurm_conf.py on a real host."""

from typing import Any

FILES: dict[str, Any] = {
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
    assert report["comment"] == "/root/none: No such file or directory"
    assert report["changes"] == {}


def test_managed_says_what_it_changed_by_parameter_and_never_a_password(minion):
    minion.sh("rm -rf /root/conf; mkdir /root/conf")
    minion.state("slurm_conf.managed", "/root/conf", files=FILES)
    settings = {**FILES["slurm.conf"]["settings"], "AccountingStoragePass": "hunter2"}
    files = {**FILES, "slurm.conf": {**FILES["slurm.conf"], "settings": settings}}
    for test in (True, False):
        report = minion.state("slurm_conf.managed", "/root/conf", test=test, files=files)
        (path,) = report["changes"]
        changes = report["changes"][path]
        assert changes["parameters"] == {"AccountingStoragePass": {"old": None, "new": "(hidden)"}}
        assert "hunter2" not in str(report)
        assert any("SC407" in warning for warning in report["warnings"])
    assert minion.sh("stat -c '%U %a' /root/conf/slurm.conf") == "slurm 600\n"
    taken_back = minion.state("slurm_conf.managed", "/root/conf", files=FILES)
    assert "hunter2" not in str(taken_back)
    assert "hunter2" not in minion.sh("cat /var/log/salt/minion 2>/dev/null || true")


def test_managed_removes_what_it_wrote_and_leaves_what_it_did_not(minion):
    minion.sh("rm -rf /root/conf; mkdir /root/conf; echo 'required x' >/root/conf/plugstack.conf")
    more = {"gres.conf": {"gres": [{"NodeName": "n1", "Name": "gpu", "Count": 1}]}}
    nodes = [{"NodeName": "n1", "Gres": "gpu:1"}]
    settings = {**FILES["slurm.conf"]["settings"], "GresTypes": "gpu"}
    with_gres = {**FILES["slurm.conf"], "settings": settings, "nodes": nodes}
    minion.state(
        "slurm_conf.managed", "/root/conf", files={**FILES, **more, "slurm.conf": with_gres}
    )
    assert "gres.conf" in minion.sh("ls /root/conf")
    planned = minion.state("slurm_conf.managed", "/root/conf", test=True, files=FILES)
    done = minion.state("slurm_conf.managed", "/root/conf", files=FILES)
    assert {*planned["changes"]} == {*done["changes"]}
    assert "/root/conf/gres.conf" in done["changes"]
    assert minion.sh("ls -A /root/conf").split() == ["cgroup.conf", "plugstack.conf", "slurm.conf"]


def test_managed_brings_the_set_back_when_a_file_cannot_be_written(minion):
    minion.sh("mkdir -p /root/small; mount -t tmpfs -o size=64k none /root/small")
    try:
        minion.state("slurm_conf.managed", "/root/small", files=FILES)
        minion.sh("dd if=/dev/zero of=/root/small/filler bs=1k 2>/dev/null; sync; true")
        before = minion.sh("cd /root/small; md5sum *.conf; ls -A")
        settings = {**FILES["slurm.conf"]["settings"], "MaxJobCount": 5}
        files = {
            "cgroup.conf": {"settings": {"ConstrainCores": False}},
            "slurm.conf": {**FILES["slurm.conf"], "settings": settings},
        }
        report = minion.state("slurm_conf.managed", "/root/small", files=files)
        assert (report["result"], report["changes"]) == (False, {})
        assert "No space left on device" in report["comment"]
        assert "Traceback" not in report["comment"]
        assert minion.sh("cd /root/small; md5sum *.conf; ls -A") == before
        minion.sh("rm /root/small/filler")
        assert minion.state("slurm_conf.managed", "/root/small", files=files)["result"] is True
    finally:
        minion.sh("umount /root/small")


def test_managed_writes_slurmdbd_conf_for_slurm_user_alone(minion):
    minion.sh("rm -rf /root/conf; mkdir /root/conf")
    files: dict[str, Any] = {
        "slurmdbd.conf": {"settings": {"DbdHost": "single", "StoragePass": "hunter2"}}
    }
    files["slurmdbd.conf"]["settings"]["StorageType"] = "accounting_storage/mysql"
    report = minion.state("slurm_conf.managed", "/root/conf", files=files)
    assert report["result"] is True, report["comment"]
    assert "hunter2" not in str(report)
    assert minion.sh("stat -c '%U %G %a' /root/conf/*") == "slurm slurm 600\n"
    minion.sh("chmod 644 /root/conf/slurmdbd.conf")
    assert minion.state("slurm_conf.managed", "/root/conf", files=files)["changes"]
    assert minion.sh("stat -c '%a' /root/conf/*") == "600\n"


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
