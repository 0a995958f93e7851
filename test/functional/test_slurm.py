"""_states/slurm.py and _modules/slurm.py on a real host."""

import pytest

CONF = "/etc/slurm/slurm.conf"


def pid(minion, unit):
    """Return the process id of a daemon."""
    return minion.run("systemctl", "show", "--value", "-p", "MainPID", unit).stdout.strip()


@pytest.mark.parametrize("unit", ["slurmctld", "slurmd"])
def test_daemon_current_minds_what_a_file_says_and_not_its_date(minion, unit):
    before = pid(minion, unit)
    minion.run("touch", CONF)
    for test in (True, False):
        current = minion.state("slurm.daemon_current", unit, test=test)
        assert (current["result"], current["changes"]) == (True, {})
    assert pid(minion, unit) == before


@pytest.mark.parametrize(("unit", "new"), [("slurmctld", "reconfigured"), ("slurmd", "reloaded")])
def test_daemon_current_takes_the_least_action_and_then_none(minion, unit, new):
    before = pid(minion, unit)
    minion.sh(f"sed -i.kept 's/MaxTime=1-00/MaxTime=2-00/' {CONF}")
    planned = minion.state("slurm.daemon_current", unit, test=True)
    done = minion.state("slurm.daemon_current", unit)
    assert planned["result"] is None
    assert (
        planned["changes"]
        == done["changes"]
        == {unit: {"old": "before the change of MaxTime", "new": new}}
    )
    assert pid(minion, unit) == before
    assert minion.state("slurm.daemon_current", unit)["changes"] == {}
    minion.run("mv", f"{CONF}.kept", CONF)
    assert minion.state("slurm.daemon_current", unit)["changes"][unit]["new"] == new


@pytest.mark.parametrize("unit", ["slurmctld", "slurmd"])
def test_daemon_current_restarts_what_was_started_before_unknown_files(minion, unit):
    minion.run("rm", "-r", "/var/cache/salt/minion/slurm_daemon")
    minion.run("touch", CONF)
    before = pid(minion, unit)
    done = minion.state("slurm.daemon_current", unit)
    assert done["changes"][unit] == {"old": "what it has loaded is unknown", "new": "restarted"}
    assert pid(minion, unit) != before
    assert minion.state("slurm.daemon_current", unit)["changes"] == {}


def test_daemon_current_starts_what_does_not_run(minion):
    minion.run("systemctl", "stop", "slurmd")
    assert minion.state("slurm.daemon_current", "slurmd", test=True)["result"] is None
    done = minion.state("slurm.daemon_current", "slurmd")
    assert done["changes"] == {"slurmd": {"old": "not running", "new": "started"}}


def test_daemon_current_says_so_where_there_is_no_such_daemon(minion):
    wrong = {"unit": "slurmdbd-elsewhere"}
    assert minion.state("slurm.daemon_current", "slurmdbd", test=True, **wrong)["result"] is None
    report = minion.state("slurm.daemon_current", "slurmdbd", **wrong)
    assert (report["result"], report["changes"]) == (False, {})
    assert "Unit slurmdbd-elsewhere.service not found" in report["comment"]


def test_files_come_back_and_keep_their_owners_and_modes(minion):
    minion.sh(f"cp -a {CONF} /root/kept; chown slurm:munge {CONF}; chmod 640 {CONF}")
    try:
        minion.call("slurm_daemon.remember", "slurmctld")
        minion.sh(f"echo '# more' >>{CONF}")
        assert minion.call("slurm_daemon.put_back", "slurmctld") == [CONF]
        assert minion.sh(f"stat -c '%U %G %a' {CONF}") == "slurm munge 640\n"
        assert minion.sh(f"tail -c7 {CONF}") != "# more\n"
    finally:
        minion.sh(f"mv /root/kept {CONF}")


def test_what_a_daemon_has_loaded_is_closed_to_others(minion):
    minion.state("slurm.daemon_current", "slurmctld")
    folder = "/var/cache/salt/minion/slurm_daemon/etc/slurm/slurmctld"
    assert minion.sh(f"stat -c %a {folder}; cmp {folder}/files/slurm.conf {CONF}") == "700\n"


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
    assert report["comment"].startswith("Not after 1 seconds: 1 of 1 nodes: single is ")
    assert minion.state("slurm.nodes_ready", "ready", nodes=["single"])["result"] is True


def test_nodes_ready_without_names_means_all(minion):
    report = minion.state("slurm.nodes_ready", "all are ready")
    assert (report["result"], report["comment"]) == (True, "ready: single")


def test_nodes_ready_counts_only_the_states_that_it_is_told(minion):
    report = minion.state("slurm.nodes_ready", "allocated", states=["ALLOCATED"], wait=1)
    assert report["result"] is False
    assert report["comment"].startswith("Not after 1 seconds: 1 of 1 nodes: single is IDLE")


def test_job_completes_submits_nothing_in_a_test_run(minion):
    last = "scontrol show job | grep -c JobId= || true"
    before = minion.sh(last)
    planned = minion.state("slurm.job_completes", "a job", runas="nobody", test=True)
    assert (planned["result"], planned["changes"]) == (None, {})
    assert minion.sh(last) == before


@pytest.mark.parametrize(
    ("given", "result", "says"),
    [
        ({"node": "single"}, True, "COMPLETED, exit code 0"),
        ({"partition": "main", "command": "exit 3"}, False, "FAILED, exit code 3"),
        ({"partition": "nowhere"}, False, "invalid partition specified: nowhere"),
        ({"runas": "root"}, False, '"root" is root'),
        ({"runas": "ghost"}, False, 'no user "ghost" on this host'),
    ],
)
def test_job_completes_judges_by_the_exit_code(minion, given, result, says):
    report = minion.state("slurm.job_completes", "a job", **{"runas": "nobody", **given})
    assert (report["result"], report["changes"]) == (result, {})
    assert says in report["comment"]
    assert minion.run("squeue", "-h").stdout == ""


def test_job_completes_cancels_a_job_that_does_not_end(minion):
    given = {"runas": "nobody", "command": "sleep 600", "wait": 3}
    report = minion.state("slurm.job_completes", "a job", **given)
    assert report["result"] is False
    assert "has not ended in 3 s" in report["comment"]
    squeue = minion.run("squeue", "-h", "-t", "pending,running").stdout
    assert squeue == ""


def test_hardware_matches_says_nothing_of_a_line_that_is_true(minion):
    found = minion.call("slurm.hardware")
    line = {"CPUs": found["CPUs"], "Sockets": found["SocketsPerBoard"]}
    line["realmemory"] = found["RealMemory"] * 9 // 10
    for test in (True, False):
        report = minion.state("slurm.hardware_matches", "it matches", line=line, test=test)
        assert (report["result"], report["changes"]) == (True, {})
        assert "warnings" not in report


def test_hardware_matches_warns_of_what_differs_and_does_not_fail(minion):
    found = minion.call("slurm.hardware")
    line = {"CPUs": 999, "RealMemory": found["RealMemory"] + 1}
    report = minion.state("slurm.hardware_matches", "it matches", line=line)
    assert (report["result"], report["changes"]) == (True, {})
    assert report["warnings"] == [
        f"slurm:nodes, single: CPUs is 999, and slurmd finds {found['CPUs']}; "
        f"RealMemory is {found['RealMemory'] + 1} MiB, and the host has {found['RealMemory']}"
    ]


def test_hardware_matches_warns_of_memory_that_nobody_gets(minion):
    found = minion.call("slurm.hardware")
    line = {"CPUs": found["CPUs"], "RealMemory": 1000}
    (warning,) = minion.state("slurm.hardware_matches", "it matches", line=line)["warnings"]
    assert "RealMemory is 1000 MiB, which leaves" in warning
