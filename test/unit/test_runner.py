"""_runners/slurm_galaxy.py: what is worked out without a cluster."""

import pytest
from loading import load

runner = load("_runners/slurm_galaxy.py")


@pytest.mark.parametrize(
    ("found", "margin", "usable"),
    [(257_655, 2, 252_000), (257_649, 2, 252_000), (24_105, 0, 24_000), (7_950, 5, 7_500)],
)
def test_memory_is_rounded_down_by_a_margin(found, margin, usable):
    assert runner.usable_memory(found, margin) == usable


def answer(*roles, **comments):
    """Return what a host answers that has these roles; states that fail by their ID."""
    states = {role: {"__sls__": f"slurm_galaxy.{role}", "result": True} for role in roles}
    for id, comment in comments.items():
        states[id] = {
            "__sls__": "slurm_galaxy.common",
            "__id__": id,
            "result": False,
            "comment": comment,
        }
    return states


def test_hosts_have_their_turns_by_role_and_nodes_in_batches():
    nodes = {f"node{n}": answer("common", "exec") for n in range(1, 6)}
    answers = {
        **nodes,
        "portal": answer("submit"),
        "head": answer("dbd", "controller", "submit"),
        "spare": answer("controller"),
        "other": answer("munge"),
    }
    planned = runner.plan(answers, ["node9"], 2)
    assert [(step["name"], step["hosts"]) for step in planned["steps"]] == [
        ("Role dbd is up to date on head", ["head"]),
        ("Role controller is up to date on spare", ["spare"]),
        ("Role exec is up to date on node1 to node2", ["node1", "node2"]),
        ("Role exec is up to date on node3 to node4", ["node3", "node4"]),
        ("Role exec is up to date on node5", ["node5"]),
        ("Role submit is up to date on portal", ["portal"]),
    ]
    assert (planned["problems"], planned["off"]) == ([], ["node9"])


def test_one_host_that_cannot_take_the_change_leaves_no_step():
    answers = {
        "head": answer("controller"),
        "node1": answer("exec", files="no room", later="One or more requisite failed: files"),
        "node2": ["Rendering SLS failed"],
    }
    planned = runner.plan(answers, [], 50)
    assert planned["problems"] == ["node1: files: no room", "node2: Rendering SLS failed"]
    assert planned["steps"] == []


def test_a_controller_that_is_off_is_waited_for_by_nobody():
    planned = runner.plan({"node1": answer("exec")}, ["head"], 50)
    assert planned["problems"] == ["no controller answers; these do not: head"]
    assert planned["steps"] == []
