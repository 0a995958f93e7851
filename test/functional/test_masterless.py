"""The whole formula on one host without a master."""

from reports import changed, failed, state


def test_a_fresh_host_becomes_a_cluster_of_one(minion, first_run):
    assert failed(first_run) == []
    assert minion.run("srun", "hostname").stdout == "single\n"


def test_the_second_run_changes_nothing(minion):
    again = minion.call("state.apply", "slurm_galaxy")
    assert failed(again) + changed(again) == []


def test_a_test_run_after_it_is_exact(minion):
    again = minion.call("state.apply", "slurm_galaxy", test=True)
    assert failed(again) + changed(again) == []


def test_a_problem_fails_alone(minion):
    pillar = {"slurm_galaxy": {"slurm": {"config": {"ClusterName": "x"}}}}
    (only,) = minion.call("state.apply", "slurm_galaxy", pillar=pillar).values()
    assert only["result"] is False
    assert only["comment"].startswith("slurm:config:ClusterName: comes from cluster")


def test_an_account_with_another_uid_is_not_renumbered(minion):
    pillar = {"slurm_galaxy": {"users": {"slurm": {"uid": 777}}}}
    (only,) = minion.call("state.apply", "slurm_galaxy", pillar=pillar).values()
    assert only["comment"].startswith("users:slurm:uid: is 777, but slurm has uid 64030")
    assert minion.run("id", "-u", "slurm").stdout == "64030\n"


def test_an_apply_runs_a_job_only_when_the_pillar_asks_for_it(minion):
    pillar = {"slurm_galaxy": {"slurm": {"check": True}}}
    checked = minion.call("state.apply", "slurm_galaxy", pillar=pillar)
    assert failed(checked) + changed(checked) == []
    assert "COMPLETED" in state(checked, "A job completes on this node")["comment"]


def test_an_apply_warns_when_the_nodes_line_is_not_its_hardware(minion):
    # Without config_overrides a line that promises too little is taken as it is.
    pillar = {"slurm_galaxy": {"slurm": {"config": {"SlurmdParameters": None}}}}
    states = minion.call("state.apply", "slurm_galaxy", pillar=pillar)
    assert failed(states) == []
    (warning,) = state(states, "The node's line says what slurmd finds here")["warnings"]
    assert warning.startswith("slurm:nodes, single: RealMemory is 1000 MiB")
    assert failed(minion.call("state.apply", "slurm_galaxy")) == []
