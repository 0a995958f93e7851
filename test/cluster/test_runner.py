"""_runners/slurm_galaxy.py on a real master."""

import json


def run(cluster, *args):
    """Call the runner on the master and return its answer."""
    cluster.exec("salt", ["salt-run", "saltutil.sync_runners"])
    done = cluster.exec("salt", ["salt-run", "--out=json", "slurm_galaxy.hardware", *args])
    return json.loads(done.stdout)


def test_equal_nodes_become_one_line_for_the_pillar(cluster):
    found = cluster.salt("node1.lab.test", "slurm.hardware")["node1.lab.test"]
    answer = run(cluster, "node*", "margin=10")
    (line,) = answer["nodes"]
    assert (line["NodeName"], line["CPUs"]) == ("node[1-2]", found["CPUs"])
    assert found["RealMemory"] * 0.8 < line["RealMemory"] <= found["RealMemory"] * 0.9
    assert answer["failed"] == {}


def test_the_line_that_it_gives_is_taken_without_a_warning(cluster):
    nodes = run(cluster, "node*")["nodes"]
    slurm = {"nodes": nodes, "config": {"SlurmdParameters": None}}
    pillar = json.dumps({"slurm_galaxy": {"slurm": slurm}})
    for test in ("True", "False"):
        args = ("slurm_galaxy", f"pillar={pillar}", f"test={test}")
        states = cluster.salt("*", "state.apply", *args)
        assert not [s for run in states.values() for s in run.values() if s.get("warnings")]
        assert not [s for run in states.values() for s in run.values() if s["result"] is False]
    back = cluster.salt("*", "state.apply", "slurm_galaxy")
    assert not [s for run in back.values() for s in run.values() if s["result"] is False]


def test_a_host_without_slurmd_is_listed_and_does_no_harm(cluster):
    answer = run(cluster)
    assert [line["NodeName"] for line in answer["nodes"]] == ["node[1-2]"]
    assert set(answer["failed"]) == {"head.lab.test"}
    assert "slurmd cannot be run on this host" in answer["failed"]["head.lab.test"]
