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
