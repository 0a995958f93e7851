"""Changes of the configuration on real hosts: what each restarts, what it loses, and what heals."""

import contextlib
import json
import threading

import pytest
from engine import LabError, together, wait_for
from reports import changed, failed, failures, state

UNITS = {"head": "slurmctld", "node1": "slurmd", "node2": "slurmd"}
WRITTEN = "Slurm's configuration is in place"
CTLD = "slurmctld runs with its configuration"
SLURMD = "slurmd runs with its configuration"
NODE = {"CPUs": 2, "RealMemory": 1000}
MAIN = {"PartitionName": "main", "Nodes": "node[1-2]", "Default": True, "MaxTime": "1-00:00:00"}


class Cluster:
    """The lab's cluster, as the person on call would look at it."""

    def __init__(self, lab):
        self.lab = lab

    def apply(self, *hosts, test=False, pillar=None, concurrent=False, **slurm):
        """Apply the formula with changes below slurm_galaxy:slurm, and return states by host."""
        override = json.dumps({"slurm_galaxy": {"slurm": slurm, **(pillar or {})}})
        ids = ",".join(f"{host}.lab.test" for host in hosts)
        target = ["-L", ids] if hosts else ["*"]
        argv = [*target, "state.apply", "slurm_galaxy", f"pillar={override}", f"test={test}"]
        answer = self.lab.salt(*argv, *(["concurrent=True"] if concurrent else []))
        return {id.partition(".")[0]: states for id, states in answer.items()}

    def run(self, host, *argv, **kwargs):
        return self.lab.exec(host, [*argv], **kwargs).stdout.strip()

    def sh(self, host, script, **kwargs):
        return self.run(host, "sh", "-c", script, **kwargs)

    def daemons(self):
        """Return each daemon's process and the instant of its start."""
        ask = "-pMainPID,InvocationID,ExecMainStartTimestampMonotonic"
        return {h: self.run(h, "systemctl", "show", ask, unit) for h, unit in UNITS.items()}

    def started(self):
        """Return the start of each daemon: from 23.11 on a reconfigure changes the process."""
        ask = ["systemctl", "show", "--value", "-pInvocationID"]
        return {host: self.run(host, *ask, unit) for host, unit in UNITS.items()}

    def reconfigured(self):
        """Return how often slurmctld was told to reconfigure the cluster."""
        said = "reconfigure_controller: completed|Relinquishing control to new child"
        return int(self.sh("head", f"grep -cE '{said}' /var/log/slurm/slurmctld.log; true"))

    def files(self):
        """Return a sum over the files of Slurm's directory on every host."""
        script = "cd /etc/slurm && find . -type f | sort | xargs md5sum; ls -A"
        return {host: self.sh(host, script) for host in UNITS}

    def submit(self, *options, command="sleep 600"):
        """Submit a job as an ordinary user, wait until it runs, and return its id."""
        argv = ["runuser", "-u", "nobody", "--", "sbatch", "--parsable", "--chdir=/tmp", *options]
        job = self.run("head", *argv, "--output=/dev/null", f"--wrap={command}")
        wait_for(f"job {job} runs", lambda: self.job(job)["JobState"] == "RUNNING", 60)
        return job

    def job(self, job):
        shown = self.run("head", "scontrol", "-o", "show", "job", job)
        return dict(word.partition("=")[::2] for word in shown.split())

    def cancel(self, *jobs):
        self.run("head", "scancel", *jobs)
        wait_for("they are over", lambda: not self.run("head", "squeue", "-hj", ",".join(jobs)), 60)
        wait_for("its nodes are free", lambda: "comp" not in self.run("head", "sinfo", "-ho%t"), 60)

    def node_states(self):
        lines = self.run("head", "sinfo", "-hN", "-o", "%n %T %c").splitlines()
        return {name: (how, int(cpus)) for name, how, cpus in map(str.split, lines)}

    def parameter(self, name):
        """Return what slurmctld has of a parameter."""
        shown = self.run("head", "scontrol", "show", "config")
        return next(
            line.partition("=")[2].strip()
            for line in shown.splitlines()
            if line.split("=")[0].strip() == name
        )


@pytest.fixture(scope="module")
def slurm(cluster):
    """Return the converged cluster, and leave it so."""
    slurm = Cluster(cluster)
    assert failures(slurm.apply()) == {}
    yield slurm
    answer = slurm.apply()
    assert failures(answer) == {}


@pytest.fixture(scope="module")
def witness(slurm):
    """Return a job that began before any change and runs through all of them."""
    job = slurm.submit("-w", "node1", command="while [ ! -e /run/lock/go ]; do sleep 1; done")
    began = slurm.job(job)["StartTime"]
    yield job
    assert (slurm.job(job)["JobState"], slurm.job(job)["StartTime"]) == ("RUNNING", began)
    slurm.run("node1", "touch", "/run/lock/go")
    wait_for(f"job {job} completes", lambda: slurm.job(job)["JobState"] == "COMPLETED", 60)
    assert (slurm.job(job)["Restarts"], slurm.job(job)["ExitCode"]) == ("0", "0:0")


@pytest.fixture(autouse=True)
def witnessed(witness, slurm):
    """Hold every test of this module against the job that runs through it."""
    yield
    assert slurm.job(witness)["JobState"] == "RUNNING"
    assert slurm.job(witness)["Restarts"] == "0"


# --- a bad configuration changes nothing ----------------------------------------------------------

BAD = {
    "a parameter that there is not": (
        {"config": {"MaxJobCuont": 10}},
        "did you mean MaxJobCount?",
    ),
    "a plugin that is not installed": (
        {"config": {"SelectType": "select/cons_tress"}},
        "select_cons_tress.so",
    ),
    "a scheduler that is not installed": (
        {"config": {"SchedulerType": "sched/bakfill"}},
        "sched_bakfill.so",
    ),
    "an option of a plugin that is not loaded, which slurmd -G does not see": (
        {"acct_gather": {"ProfileInfluxDBPass": "hush-hush"}},
        "ProfileInfluxDBPass is an option of acct_gather_profile/influxdb",
    ),
    "a boolean where none belongs": (
        {"config": {"JobRequeue": True}},
        "JobRequeue: takes no YES or NO",
    ),
    "a time that YAML has counted": (
        {"partitions": [{**MAIN, "MaxTime": 23400}]},
        "MaxTime",
    ),
    "two lines in one value": (
        {"config": {"MailProg": "/bin/mail\nSlurmUser=root"}},
        "MailProg: no file of Slurm can hold a line break",
    ),
}


@pytest.mark.parametrize(("pillar", "says"), BAD.values(), ids=BAD.keys())
def test_a_bad_configuration_changes_nothing(slurm, pillar, says):
    files, daemons = slurm.files(), slurm.daemons()
    for test in (True, False):
        for host, states in slurm.apply("head", "node1", test=test, **pillar).items():
            report = state(states, WRITTEN)
            assert report["result"] is False, (host, test)
            assert says in report["comment"], (host, test)
            assert not {"Traceback", "hush-hush"} & {*json.dumps(states).split()}
    assert (slurm.files(), slurm.daemons()) == (files, daemons)


def test_a_partition_with_a_node_that_there_is_not_changes_nothing(slurm):
    files, daemons = slurm.files(), slurm.daemons()
    partitions = [{**MAIN, "Nodes": "node[1-9]"}]
    for test in (True, False):
        for states in slurm.apply("head", "node1", test=test, partitions=partitions).values():
            (failure,) = failed(states)
            assert "slurm:partitions[0]:Nodes: node3, node4, node5 and 4 more has no" in failure
    assert (slurm.files(), slurm.daemons()) == (files, daemons)


@pytest.mark.parametrize("host", ["head", "node1"])
def test_a_truncated_file_is_whole_again_and_restarts_nothing(slurm, host):
    files, daemons = slurm.files(), slurm.daemons()
    slurm.run(host, "truncate", "--size=200", "/etc/slurm/slurm.conf")
    states = slurm.apply(host)[host]
    assert failed(states) == []
    assert [change.partition(":")[0] for change in changed(states)] == [WRITTEN]
    assert (slurm.files(), slurm.daemons()) == (files, daemons)


# --- a good one restarts nothing that it need not -------------------------------------------------


def test_a_changed_partition_is_reconfigured_and_restarts_nothing(slurm):
    before, asked = slurm.started(), slurm.reconfigured()
    partitions = [{**MAIN, "MaxTime": "2-00:00:00"}]
    planned = slurm.apply(test=True, partitions=partitions)
    done = slurm.apply(partitions=partitions)
    for answer in (planned, done):
        assert failures(answer) == {}
        assert state(answer["head"], CTLD)["changes"]["slurmctld"]["new"] == "reconfigured"
        assert state(answer["node1"], SLURMD)["changes"]["slurmd"]["new"] == "reloaded"
        file = state(answer["head"], WRITTEN)["changes"]["/etc/slurm/slurm.conf"]
        assert file["parameters"] == {
            "PartitionName=main MaxTime": {"old": "1-00:00:00", "new": "2-00:00:00"}
        }
        assert "+PartitionName=main Default=YES MaxTime=2-00:00:00" in file["diff"]
    assert slurm.started() == before
    assert slurm.reconfigured() == asked + 1
    assert slurm.run("head", "sinfo", "-ho", "%l") == "2-00:00:00"
    assert {host: changed(s) for host, s in slurm.apply(partitions=partitions).items()} == {
        host: [] for host in UNITS
    }
    slurm.apply()


def test_a_changed_scheduler_restarts_slurmctld_only(slurm):
    before = slurm.started()
    answer = slurm.apply(config={"SchedulerType": "sched/builtin"})
    assert failures(answer) == {}
    after = slurm.started()
    era = "restarted" if slurm.run("head", "scontrol", "-V") < "slurm-wlm 23.11" else "reconfigured"
    assert state(answer["head"], CTLD)["changes"]["slurmctld"]["new"] == era
    assert (after["head"] != before["head"]) is (era == "restarted")
    assert (after["node1"], after["node2"]) == (before["node1"], before["node2"])
    assert slurm.parameter("SchedulerType") == "sched/builtin"
    slurm.apply()
    assert slurm.parameter("SchedulerType") == "sched/backfill"


def test_a_change_that_no_running_job_may_see_is_refused_with_its_id(slurm, witness):
    files, daemons = slurm.files(), slurm.daemons()
    for test in (True, False):
        answer = slurm.apply("head", "node2", test=test, config={"SlurmdSpoolDir": "/var/spool/x"})
        for states in answer.values():
            comment = state(states, WRITTEN)["comment"]
            assert "the parameter SlurmdSpoolDir would change, and Slurm would lose the jobs " in (
                comment
            )
            assert witness in comment
            assert "slurm:allow_disruption" in comment
    assert (slurm.files(), slurm.daemons()) == (files, daemons)


# --- nodes and partitions come and go -------------------------------------------------------------


def nodes(count, **changes):
    """Return the pillar's nodes and partition; the last node may differ from the others."""
    lines = [{"NodeName": f"node[1-{count}]", **NODE}]
    if changes:
        lines = [
            {"NodeName": "node[1-2]", **NODE},
            {"NodeName": f"node{count}", **NODE, **changes},
        ]
    return {"nodes": lines, "partitions": [{**MAIN, "Nodes": f"node[1-{count}]"}]}


def settled(slurm, *names):
    """Wait until these nodes and no others are there and of use; return their states."""

    def probe():
        states = slurm.node_states()
        of_use = all(how in ("idle", "mixed", "allocated") for how, _ in states.values())
        return states if {*names} == {*states} and of_use else None

    try:
        return wait_for(f"{names} are there", probe, 60)
    except LabError:
        pytest.fail(slurm.run("head", "scontrol", "show", "node"))


@pytest.fixture(scope="class")
def node3(slurm, cluster):
    """Return the pillar's nodes and partition with a host that is there for one class of tests."""
    cluster.add_host("node3", "minion")
    cluster.wait_minions()
    yield nodes(3)
    cluster.remove_host("node3")


class TestAThirdNode:
    """A host that comes into the cluster and leaves it, while a job runs on another."""

    def test_a_node_is_added_by_the_pillar_and_one_apply(self, slurm, node3):
        answer = slurm.apply(**node3)
        assert {host: failed(states) for host, states in answer.items()} == {
            host: [] for host in (*UNITS, "node3")
        }
        settled(slurm, "node1", "node2", "node3")
        assert slurm.run("head", "srun", "-w", "node3", "hostname") == "node3"

    def test_a_node_without_jobs_is_resized_by_the_pillar_and_one_apply(self, slurm, node3):
        answer = slurm.apply(**nodes(3, CPUs=4))
        assert failures(answer) == {}
        assert settled(slurm, "node1", "node2", "node3")["node3"][1] == 4
        assert slurm.run("head", "srun", "-w", "node3", "-c4", "hostname") == "node3"

    def test_what_has_jobs_neither_goes_nor_changes_its_cores(self, slurm, node3):
        job = slurm.submit("-w", "node3")
        other = [{"PartitionName": "b", "Nodes": "ALL"}]
        files, daemons = slurm.files(), slurm.daemons()
        for pillar, says in (
            (nodes(2), "the node node3 would leave the cluster"),
            (nodes(3, CPUs=2), "the node node3 would have another CPUs"),
            ({**nodes(3, CPUs=4), "partitions": other}, "the partition main would be gone"),
        ):
            for test in (True, False):
                states = slurm.apply("head", test=test, **pillar)["head"]
                comment = state(states, WRITTEN)["comment"]
                assert says in comment
                assert job in comment.partition("first scontrol")[0]
                assert "=drain" in comment
        assert (slurm.files(), slurm.daemons()) == (files, daemons)
        assert slurm.job(job)["JobState"] == "RUNNING"
        slurm.cancel(job)

    def test_a_node_that_is_free_is_removed_by_the_pillar_and_one_apply(self, slurm, node3):
        answer = slurm.apply(*UNITS, **nodes(2))
        assert failures(answer) == {}
        settled(slurm, "node1", "node2")


def test_a_loss_that_is_allowed_by_name_is_not_refused(slurm):
    extra = [MAIN, {"PartitionName": "short", "Nodes": "node2"}]
    assert failures(slurm.apply("head", partitions=extra)) == {}
    job = slurm.submit("-p", "short")
    assert failed(slurm.apply("head")["head"])
    assert not failed(slurm.apply("head", allow_disruption=["short"])["head"])
    wait_for("the job is lost", lambda: slurm.job(job)["JobState"] == "NODE_FAIL", 30)


# --- the other files ------------------------------------------------------------------------------


def test_the_files_beside_slurm_conf_are_written_used_and_removed_again(slurm):
    pillar = {
        "config": {
            "GresTypes": ["licence"],
            "TopologyPlugin": "topology/tree",
            "HealthCheckInterval": 1,
            "AcctGatherInterconnectType": "acct_gather_interconnect/sysfs",
        },
        "gres": [{"NodeName": "node[1-2]", "Name": "licence", "Count": 3}],
        "nodes": [{"NodeName": "node[1-2]", **NODE, "Gres": "licence:3"}],
        "topology": [{"SwitchName": "rack", "Nodes": "node[1-2]"}],
        "acct_gather": {"SysfsInterfaces": "lo"},
        "job_container": [{"BasePath": "/scratch", "AutoBasePath": True}],
        "scripts": {
            "Prolog": {"contents": "#!/bin/sh\ntouch /run/prolog.$SLURM_JOB_ID\n"},
            "Epilog": {"contents": "#!/bin/sh\ntouch /run/epilog.$SLURM_JOB_ID\n"},
            "HealthCheckProgram": {"contents": "#!/bin/sh\ntouch /run/healthy\n"},
        },
    }
    answer = slurm.apply(**pillar)
    assert failures(answer) == {}
    settled(slurm, "node1", "node2")
    assert slurm.run("node1", "tail", "-1", "/etc/slurm/acct_gather.conf") == "SysfsInterfaces=lo"
    assert slurm.run("node1", "cat", "/etc/slurm/job_container.conf").endswith(
        "\nBasePath=/scratch AutoBasePath=YES"
    )
    job = slurm.submit("--gres=licence:2", "-w", "node2", command="sleep 5")
    assert "rack" in slurm.run("head", "scontrol", "show", "topology")
    wait_for("it ends", lambda: slurm.job(job)["JobState"] == "COMPLETED", 60)
    marks = f"cd /run && ls prolog.{job} epilog.{job} healthy | wc -l"
    wait_for("each script has run", lambda: slurm.sh("node2", marks) == "3", 90)
    assert not any(map(changed, slurm.apply(**pillar).values()))
    assert failures(slurm.apply()) == {}
    # A node that had counted less than the controller configured would be drained by now.
    settled(slurm, "node1", "node2")
    gone = "cd /etc/slurm && ls gres.conf topology.conf acct_gather.conf job_container.conf 2>&-"
    assert slurm.sh("node1", gone, check=False) == ""


def test_a_node_with_other_gres_waits_for_its_controller(slurm):
    pillar = {
        "config": {"GresTypes": ["licence"]},
        "gres": [{"NodeName": "node[1-2]", "Name": "licence", "Count": 3}],
        "nodes": [{"NodeName": "node[1-2]", **NODE, "Gres": "licence:3"}],
    }
    before = slurm.started()
    report = state(slurm.apply("node2", wait=1, **pillar)["node2"], SLURMD)
    assert report["result"] is False
    assert "apply the formula to the controller first" in report["comment"]
    assert slurm.started() == before
    assert failures(slurm.apply()) == {}
    settled(slurm, "node1", "node2")


# --- faults ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def meanwhile(do):
    """Do something at the same time, and raise what it raises."""
    found = []

    def guarded():
        try:
            do()
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    yield
    thread.join()
    if found:
        raise found[0]


def when(path_test, then):
    """Return a script that waits, without a pause, until a test of the shell is true."""
    return f"i=0; until {path_test}; do i=$((i+1)); [ $i -lt 200000 ] || exit 9; done; {then}"


def test_slurmctld_killed_in_the_middle_of_an_apply_is_up_with_the_new_files(slurm):
    kill = when("grep -q sched/builtin /etc/slurm/slurm.conf", "systemctl kill -sKILL slurmctld")
    with meanwhile(lambda: slurm.sh("head", kill)):
        first = slurm.apply("head", config={"SchedulerType": "sched/builtin"})["head"]
    last = slurm.apply("head", config={"SchedulerType": "sched/builtin"})["head"]
    assert failed(last) == []
    assert not failed(first) or "slurmctld" in json.dumps(failed(first))
    assert slurm.parameter("SchedulerType") == "sched/builtin"
    assert changed(slurm.apply("head", config={"SchedulerType": "sched/builtin"})["head"]) == []
    slurm.apply("head")


def test_a_full_disk_under_the_state_keeps_slurmctld_as_it_is(slurm):
    place = "/var/spool/slurmctld"
    slurm.sh(
        "head",
        f"systemctl stop slurmctld && cp -a {place} /var/spool/kept && "
        f"mount -t tmpfs -o size=4m none {place} && "
        f"cp -a /var/spool/kept/. {place} && systemctl start slurmctld",
    )
    try:
        ping = ("head", "scontrol", "ping")
        wait_for("it answers", lambda: "UP" in slurm.run(*ping, check=False), 30)
        settled(slurm, "node1", "node2")
        slurm.sh("head", f"dd if=/dev/zero of={place}/filler bs=4k 2>/dev/null; true")
        before = slurm.daemons()["head"]
        report = slurm.apply("head", config={"MaxJobCount": 5000})["head"]
        assert (
            "there is no room in /var/spool/slurmctld (StateSaveLocation)"
            in (state(report, CTLD)["comment"])
        )
        assert slurm.daemons()["head"] == before
        slurm.run("head", "rm", f"{place}/filler")
        # The action that could not be taken is caught up, though nothing is written now.
        healed = slurm.apply("head", config={"MaxJobCount": 5000})["head"]
        assert failed(healed) == []
        assert slurm.parameter("MaxJobCount") == "5000"
    finally:
        slurm.sh(
            "head",
            f"systemctl stop slurmctld; rm -f {place}/filler; cp -a {place}/. /var/spool/kept; "
            f"umount {place}; cp -a /var/spool/kept/. {place}; rm -r /var/spool/kept; "
            "systemctl start slurmctld",
        )
    assert failed(slurm.apply("head")["head"]) == []
    settled(slurm, "node1", "node2")


def test_a_node_that_is_cut_off_during_the_apply_is_healed_by_the_next(slurm, cluster):
    partitions = [{**MAIN, "MaxTime": "3-00:00:00"}]
    try:
        cluster.disconnect("node2")
        answer = slurm.apply("head", "node1", partitions=partitions)
        assert failures(answer) == {}
        # Its minion has no master, and its apply no controller.
        alone = slurm.run(
            "node2", "salt-call", "--local", "--out=json", "slurm_daemon.answers", "slurmd"
        )
        assert json.loads(alone)["local"][0] is True
    finally:
        cluster.connect("node2")
    cluster.wait_minions()
    answer = slurm.apply("node2", partitions=partitions)["node2"]
    assert failed(answer) == []
    assert state(answer, SLURMD)["changes"]["slurmd"]["new"] == "reloaded"
    settled(slurm, "node1", "node2")
    slurm.apply()


def test_a_daemon_that_dies_after_its_restart_gets_its_last_good_files_back(slurm):
    files = slurm.files()["head"]
    drop_in = "/etc/systemd/system/slurmctld.service.d/dies.conf"
    dies = "grep -q MaxJobCount=7000 /etc/slurm/slurm.conf && sleep 1 && echo fatal: too many jobs"
    start = slurm.sh("head", "sed -n 's/^ExecStart=//p' /lib/systemd/system/slurmctld.service")
    text = f"[Service]\nExecStart=\nExecStart=/bin/sh -c '{dies} && exit 1; exec {start}'"
    slurm.sh("head", f"mkdir -p {drop_in.rpartition('/')[0]}; cat >{drop_in}", input=text + "\n")
    slurm.run("head", "systemctl", "daemon-reload")
    # A restart on any version: from 23.11 on a mere reconfigure would do for MaxJobCount.
    wanted = {"MaxJobCount": 7000, "SlurmctldPort": 6827}
    try:
        answer = slurm.apply("head", config=wanted)["head"]
        comment = state(answer, CTLD)["comment"]
        assert state(answer, CTLD)["result"] is False
        assert "fatal: too many jobs" in comment
        assert "its last good files are back, and slurmctld runs with them" in comment
        assert slurm.files()["head"] == files
        assert slurm.parameter("SlurmctldPort") == "6817"
    finally:
        slurm.run("head", "rm", drop_in)
        slurm.run("head", "systemctl", "daemon-reload")
    assert failed(slurm.apply("head")["head"]) == []


def test_a_minion_killed_while_it_moves_files_leaves_nothing_that_the_next_run_does_not_heal(
    slurm, cluster
):
    kill = when(
        '[ -n "$(ls -d /etc/slurm/.before-* 2>/dev/null)" ]',
        "systemctl kill --kill-who=all -sKILL salt-minion",
    )
    pillar = {"config": {"MaxJobCount": 6000}}
    with meanwhile(lambda: slurm.sh("node1", kill)):
        # Nobody waits for the answer that will never come.
        override = json.dumps({"slurm_galaxy": {"slurm": pillar}})
        argv = ["salt", "--async", "node1.lab.test", "state.apply", "slurm_galaxy"]
        slurm.run("salt", *argv, f"pillar={override}")
    slurm.run("node1", "systemctl", "restart", "salt-minion")
    cluster.wait_minions()
    assert failed(slurm.apply("node1", **pillar)["node1"]) == []
    assert slurm.run("node1", "grep", "-c", "MaxJobCount=6000", "/etc/slurm/slurm.conf") == "1"
    assert ".before" not in slurm.run("node1", "ls", "-A", "/etc/slurm")
    assert changed(slurm.apply("node1", **pillar)["node1"]) == []
    slurm.apply("node1")


def test_two_applies_at_once_write_one_set_each(slurm):
    limits = ["4-00:00:00", "5-00:00:00"]

    def apply(limit):
        partitions = [{**MAIN, "MaxTime": limit}]
        return slurm.apply("head", concurrent=True, partitions=partitions)["head"]

    for states in together(apply, limits):
        for failure in failed(states):
            assert "another apply is writing /etc/slurm at this moment" in failure or (
                "One or more requisite failed" in failure or "another slurm.conf" in failure
            )
    held = slurm.run("head", "sinfo", "-ho", "%l")
    assert held in limits
    assert failed(apply(limits[0])) == []
    assert slurm.run("head", "sinfo", "-ho", "%l") == limits[0]
    slurm.apply("head")


def test_an_edit_and_a_restart_by_hand_are_taken_back(slurm):
    slurm.sh("head", "sed -i s/1-00:00:00/9-00:00:00/ /etc/slurm/slurm.conf; scontrol reconfigure")
    assert slurm.run("head", "sinfo", "-ho", "%l") == "9-00:00:00"
    answer = slurm.apply("head")["head"]
    assert failed(answer) == []
    assert slurm.run("head", "sinfo", "-ho", "%l") == "1-00:00:00"
