"""_states/slurm.py and _modules/slurm.py on a real host."""

import pytest

CONF = "/etc/slurm/slurm.conf"


def pid(minion, unit):
    """Return the process id of a daemon."""
    return minion.run("systemctl", "show", "--value", "-p", "MainPID", unit).stdout.strip()


@pytest.mark.parametrize("unit", ["slurmctld", "slurmd", "munge"])
def test_daemon_current_restarts_a_daemon_that_is_older_than_its_file(minion, unit):
    minion.state("slurm.daemon_current", unit, files=[CONF])
    before = pid(minion, unit)
    for test in (True, False):
        current = minion.state("slurm.daemon_current", unit, test=test, files=[CONF])
        assert (current["result"], current["changes"]) == (True, {})
    assert pid(minion, unit) == before

    minion.run("touch", CONF)
    planned = minion.state("slurm.daemon_current", unit, test=True, files=[CONF])
    assert planned["result"] is None
    assert pid(minion, unit) == before

    done = minion.state("slurm.daemon_current", unit, files=[CONF])
    assert done["result"] is True
    assert done["changes"] == planned["changes"]
    assert pid(minion, unit) != before
    assert minion.state("slurm.daemon_current", unit, files=[CONF])["changes"] == {}


def test_daemon_current_says_where_to_look_when_there_is_no_daemon(minion):
    report = minion.state("slurm.daemon_current", "slurmdbd", files=[CONF])
    assert (report["result"], report["changes"]) == (False, {})
    assert report["comment"] == "slurmdbd is not active; see: journalctl -u slurmdbd"
    assert (
        minion.state("slurm.daemon_current", "slurmdbd", test=True, files=[CONF])["result"] is None
    )


def test_controller_up_is_true_at_once(minion):
    for test in (True, False):
        report = minion.state("slurm.controller_up", "single", test=test)
        assert (report["result"], report["changes"]) == (True, {})


def test_controller_up_waits_no_longer_than_it_may(minion):
    minion.run("systemctl", "stop", "slurmctld")
    try:
        real = minion.state("slurm.controller_up", "single", wait=2)
        planned = minion.state("slurm.controller_up", "single", wait=2, test=True)
    finally:
        minion.run("systemctl", "start", "slurmctld")
    assert (real["result"], planned["result"]) == (False, None)
    assert real["comment"] == (
        "Not after 2 seconds: slurmctld on single does not answer; "
        "see on single: journalctl -u slurmctld"
    )


def test_controller_up_names_the_controllers_that_slurm_knows(minion):
    report = minion.state("slurm.controller_up", "head", wait=1)
    assert report["result"] is False
    assert "Slurm knows no controller head, but single" in report["comment"]


def test_nodes_ready_is_true_for_a_node_that_works(minion):
    report = minion.state("slurm.nodes_ready", "the node is ready", nodes=["single"])
    assert (report["result"], report["changes"]) == (True, {})


def test_nodes_ready_fails_for_a_node_that_slurm_does_not_know(minion):
    report = minion.state("slurm.nodes_ready", "ready", nodes=["nobody"], wait=1)
    assert report["result"] is False
    assert "nobody" in report["comment"]


@pytest.mark.parametrize("state", ["drain", "down"])
def test_nodes_ready_takes_an_administrators_word_with_a_warning(minion, state):
    update = ["scontrol", "update", "nodename=single"]
    minion.run(*update, f"state={state}", "reason=broken fan, rack 4")
    try:
        report = minion.state("slurm.nodes_ready", "ready", nodes=["single"], wait=5)
    finally:
        minion.run(*update, "state=resume")
    assert report["result"] is True
    assert "broken fan, rack 4, set by root" in report["warnings"][0]


def test_nodes_ready_does_not_take_a_node_that_is_gone(minion):
    minion.run("systemctl", "stop", "slurmd")
    minion.run("scontrol", "update", "nodename=single", "state=down", "reason=off")
    minion.run("scontrol", "update", "nodename=single", "state=resume")
    try:
        report = minion.state("slurm.nodes_ready", "ready", nodes=["single"], wait=1)
    finally:
        minion.run("systemctl", "start", "slurmd")
    assert report["result"] is False
    assert report["comment"].startswith("Not after 1 seconds: single is ")
    assert minion.state("slurm.nodes_ready", "ready", nodes=["single"])["result"] is True
