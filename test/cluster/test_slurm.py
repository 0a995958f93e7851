"""_modules/slurm.py on the hosts of a cluster, each function called through Salt."""

import json
import re
from pathlib import Path

import pytest
from engine import together, wait_for
from loading import TREE, load
from reports import failed

slurm = load("_modules/slurm.py")

VERSIONS = {"bookworm": "22.05", "trixie": "24.11", "sid": "26.05"}
CAPTURED = {path.name for path in Path(TREE, "test/fixtures/slurm").iterdir()}
LONG = "#!/bin/sh\nexec sleep 300"
NODES = ["node1", "node2"]
DAY = 86400


@pytest.fixture(autouse=True)
def left_as_found(cluster):
    """Cancel the jobs of a test, and demand that it has left the cluster as it found it."""
    yield
    cluster.exec("head", ["scancel", "--partition=main"])
    wait_idle(cluster)


def wait_idle(cluster):
    """Wait until no job is left and both nodes are idle."""
    question = "squeue -h -o %i; sinfo -h -N -o '%N %T'"
    idle = "".join(f"{node} idle\n" for node in NODES)
    wait_for(
        "no job, and idle nodes",
        lambda: cluster.exec("head", ["sh", "-c", question], check=False).stdout == idle,
    )


@pytest.fixture
def submit(call):
    """Return a way to submit a script as an ordinary user."""

    def submit(script=LONG, args=None, runas="nobody", cwd="/srv", **options):
        options = {"output": "/dev/null", **options}
        job = call("slurm.sbatch", script, args=args, runas=runas, cwd=cwd, options=options)
        assert isinstance(job, int), job
        return job

    return submit


@pytest.fixture
def running(call, submit):
    """Return the id of a job that runs on node1."""
    job = submit(nodelist="node1")
    wait_for("the job runs", lambda: call("slurm.job", job)["JobState"] == "RUNNING")
    return job


@pytest.fixture
def no_controller(cluster):
    """Stop slurmctld for the time of a test."""
    cluster.exec("head", ["systemctl", "stop", "slurmctld"])
    yield
    cluster.exec("head", ["systemctl", "start", "slurmctld"])


@pytest.fixture
def silent_controller(cluster):
    """Let slurmctld take connections and answer none, for the time of a test."""
    cluster.exec("head", ["systemctl", "kill", "--signal=STOP", "slurmctld"])
    yield
    cluster.exec("head", ["systemctl", "kill", "--signal=CONT", "slurmctld"])


@pytest.fixture
def impatient(cluster):
    """Let the controller give a silent node up after seconds, not minutes."""

    def apply(**config):
        override = json.dumps({"slurm_galaxy": {"slurm": {"config": config}}})
        states = cluster.salt("head.lab.test", "state.apply", "slurm_galaxy", f"pillar={override}")
        assert failed(states["head.lab.test"]) == []
        wait_idle(cluster)

    apply(SlurmdTimeout=20)  # less, and the wait for one node makes slurmctld give up the other
    yield
    apply()


def node(call, name):
    """Ask for one node."""
    (found,) = call("slurm.nodes", name)
    return found


def ended(call, job, **options):
    """Wait for a job's end; return its state, exit code and signal."""
    result = call("slurm.wait_job", job, timeout=60, interval=0.5, **options)
    return result["state"], result["exit_code"], result["signal"]


# --- what there is --------------------------------------------------------------------------------


def test_version_is_the_one_that_the_suite_has(cluster):
    suite = cluster.settings["suite"]
    (version,) = set(cluster.salt("*", "slurm.version").values())
    major = version.rpartition(".")[0]
    if suite == "sid" and major not in CAPTURED:
        pytest.skip(f"sid has moved on to Slurm {version}: capture it (test/fixtures/capture sid)")
    assert major == VERSIONS[suite]


def test_ping_names_the_controller(call):
    primary = {"role": "primary", "host": "head", "up": True}
    assert call("slurm.ping") == {"up": True, "controllers": [primary]}


def test_config_is_what_the_controller_runs_with(call):
    config = call("slurm.config")
    assert config["ClusterName"] == "lab"
    assert config["ProctrackType"] == "proctrack/linuxproc"
    assert config["SLURM_VERSION"] == call("slurm.version")


def test_hardware_is_what_slurmd_finds(cluster, call):
    hardware = call("slurm.hardware", host="node1")
    assert hardware["NodeName"] == "node1"
    assert hardware["CPUs"] == int(cluster.exec("node1", ["nproc", "--all"]).stdout)
    assert hardware["RealMemory"] > 0
    assert hardware["line"].startswith("NodeName=node1 CPUs=")


def test_hardware_of_a_host_without_slurmd_is_an_error(call):
    assert call("slurm.hardware").startswith("ERROR: slurmd cannot be run on this host")


@pytest.mark.parametrize("options", [{}, {"partition": "main"}])
def test_sinfo_counts_a_partition(call, options):
    assert call("slurm.sinfo", **options) == {
        "main": {
            "default": True,
            "avail": "up",
            "time_limit": DAY,
            "nodes": {"allocated": 0, "idle": 2, "other": 0, "total": 2},
            "cpus": {"allocated": 0, "idle": 4, "other": 0, "total": 4},
            "nodelist": "node[1-2]",
            "states": {"idle": "node[1-2]"},
        }
    }


def test_a_hidden_partition_is_seen(cluster, call, submit):
    update = ["scontrol", "update", "PartitionName=main"]
    cluster.exec("head", [*update, "Hidden=YES"])
    try:
        job = submit(hold=True)
        assert "main" in call("slurm.sinfo")
        assert "main" in call("slurm.sinfo", partition="main")
        assert [row["job"] for row in call("slurm.squeue", partition="main")] == [job]
        assert [node["name"] for node in call("slurm.nodes")] == NODES
    finally:
        cluster.exec("head", [*update, "Hidden=NO"])


def test_nodes_are_listed_with_what_they_have(call):
    found = call("slurm.nodes")
    assert [node["name"] for node in found] == NODES
    for each in found:
        assert (each["state"], each["flags"]) == ("IDLE", [])
        assert each["cpus"] == {"allocated": 0, "idle": 2, "other": 0, "total": 2}
        assert (each["memory"], each["partitions"]) == (1000, ["main"])
        assert each["version"] == call("slurm.version")
    assert call("slurm.nodes", ["node2"]) == [found[1]]


def test_an_unknown_node_is_an_error_in_slurms_words(call):
    assert call("slurm.nodes", "nobody") == "ERROR: scontrol: Node nobody not found"


def test_every_view_agrees_on_a_running_job(call, running):
    (row,) = call("slurm.squeue", user="nobody")
    assert (row["job"], row["state"], row["nodelist"]) == (running, "RUNNING", "node1")
    assert (row["user"], row["cpus"], row["time_limit"]) == ("nobody", 1, DAY)
    assert call("slurm.squeue", jobs=[running], partition="main", states="running") != []
    assert call("slurm.squeue", states="pending") == []
    assert "no-one" in call("slurm.squeue", user="nobody,no-one")
    record = call("slurm.job", running)
    assert (record["JobId"], record["NodeList"]) == (str(running), "node1")
    busy = node(call, "node1")
    assert (busy["state"], busy["cpus"]["allocated"]) == ("MIXED", 1)
    partition = call("slurm.sinfo")["main"]
    assert partition["states"] == {"mixed": "node1", "idle": "node2"}
    assert partition["cpus"] == {"allocated": 1, "idle": 3, "other": 0, "total": 4}


def test_the_parsers_of_records_read_what_this_slurm_prints(cluster, call, running):
    shown = {"NodeName": "node1", "RealMemory": "1000"}
    for parser, command, begins in (
        ("nodes", "scontrol show node", {"name": "node1", "state": "MIXED", "memory": 1000}),
        ("scontrol", "scontrol show node", shown),
        ("scontrol", "scontrol show partition", {"PartitionName": "main", "TotalNodes": "2"}),
        ("scontrol", f"scontrol show job {running}", {"JobId": str(running), "JobName": "sbatch"}),
        ("squeue", "squeue", {"user": "nobody", "state": "RUNNING", "nodelist": "node1"}),
        ("squeue", "squeue -l", {"user": "nobody", "state": "RUNNING", "time_limit": DAY}),
        ("sinfo", "sinfo", {"partition": "main", "state": "MIXED", "nodelist": "node1"}),
        ("sinfo", "sinfo -N -l", {"partition": "main", "nodelist": "node1", "memory": 1000}),
        ("ping", "scontrol ping", {"role": "primary", "host": "head", "up": True}),
    ):
        text = cluster.exec("head", command.split()).stdout
        first = call(f"slurm.parse_{parser}", text)[0]
        assert {key: first[key] for key in begins} == begins, command


def test_the_parsers_of_one_record_read_what_this_slurm_prints(cluster, call):
    text = cluster.exec("head", ["scontrol", "show", "config"]).stdout
    assert call("slurm.parse_config", text)["ClusterName"] == "lab"
    text = cluster.exec("node1", ["slurmd", "-C"]).stdout
    assert call("slurm.parse_hardware", text) == call("slurm.hardware", host="node1")
    text = cluster.exec("head", ["sinfo", "-h", "-n", "node1", "-o", "%T"]).stdout
    assert call("slurm.parse_node_state", text) == {"state": "IDLE", "flags": []}


def test_hostlists_are_read_as_scontrol_reads_them(cluster, call):
    def hostnames(hostlist):
        return cluster.exec("head", ["scontrol", "show", "hostnames", hostlist]).stdout.split()

    hostlist = "node[1-3,07],login,rack[1-2]n[09-11],a[1-2]b[1-2]c[1-2],x,x,y1"
    names = hostnames(hostlist)
    assert call("slurm.hostlist_expand", hostlist) == names
    folded = call("slurm.hostlist_fold", names)
    assert len(folded) <= len(hostlist)
    assert hostnames(folded) == names


def test_outdated_names_the_files_that_a_daemon_has_not_read(cluster, call):
    conf, marker = "/etc/slurm/slurm.conf", "/root/newer"
    assert call("slurm.outdated", "slurmctld", [conf]) == []
    cluster.exec("head", ["touch", marker])
    try:
        assert call("slurm.outdated", "slurmctld", [conf, marker]) == [marker]
    finally:
        cluster.exec("head", ["rm", marker])
    assert call("slurm.outdated", "slurmd", [conf]) == "ERROR: slurmd is not active"


# --- submitting -----------------------------------------------------------------------------------


def test_sbatch_submits_a_text_as_the_user_that_it_is_told(call, submit):
    job = submit('#!/bin/sh\ntest "$(id -un) $PWD $1" = "nobody /srv two words"', ["two words"])
    assert ended(call, job) == ("COMPLETED", 0, 0)
    assert call("slurm.job", job)["UserId"] == "nobody(65534)"


def test_sbatch_submits_the_script_at_a_path(cluster, call, submit):
    path = "/srv/of the test.sh"
    script = '#!/bin/sh\ntest "$1 $2" = "two words ü"\n'
    cluster.exec("head", ["tee", path], input=script)
    try:
        job = submit(path, ["two words", "ü"])
    finally:
        cluster.exec("head", ["rm", path])
    assert ended(call, job) == ("COMPLETED", 0, 0)


def test_sbatch_passes_its_options_on(call, submit):
    job = submit(hold=True, ntasks=2, time="5", p="main", exclude=["node2"], licenses=None)
    record = call("slurm.job", job)
    assert (record["JobState"], record["Reason"]) == ("PENDING", "JobHeldUser")
    assert (record["NumTasks"], record["TimeLimit"]) == ("2", "00:05:00")
    assert (record["Partition"], record["ExcNodeList"]) == ("main", "node2")


def test_sbatch_repeats_slurms_refusal(call):
    refused = call("slurm.sbatch", LONG, runas="nobody", options={"partition": "nowhere"})
    assert refused.startswith("ERROR: sbatch: error: ")
    assert "invalid partition specified: nowhere" in refused


@pytest.mark.parametrize(
    ("function", "args", "options", "says"),
    [
        ("sbatch", [LONG], {}, "runas is missing"),
        ("sbatch", [LONG], {"runas": "root"}, 'runas: "root" is root'),
        ("sbatch", [LONG], {"runas": "no-one"}, 'runas: no user "no-one" on this host'),
        ("srun", [["true"]], {"runas": "root"}, 'runas: "root" is root'),
        ("test_job", [], {}, "runas is missing"),
    ],
)
def test_no_job_is_submitted_as_root_or_as_nobody_known(call, function, args, options, says):
    assert says in call(f"slurm.{function}", *args, **options)
    assert call("slurm.squeue") == []


def test_a_job_of_root_needs_allow_root(call):
    options = {"output": "/dev/null"}
    job = call("slurm.sbatch", "#!/bin/sh", allow_root=True, options=options)
    assert call("slurm.job", job)["UserId"] == "root(0)"
    assert ended(call, job) == ("COMPLETED", 0, 0)


def test_srun_returns_what_the_command_printed(call):
    done = call("slurm.srun", ["hostname"], options={"nodes": 2}, runas="nobody")
    assert sorted(done["stdout"].split()) == NODES
    assert done["retcode"] == 0


def test_srun_returns_the_failure_of_the_command(call):
    done = call("slurm.srun", ["sh", "-c", "id -un; echo aside >&2; exit 7"], runas="nobody")
    assert (done["stdout"], done["retcode"]) == ("nobody\n", 7)
    assert "aside\n" in done["stderr"]


def test_srun_that_takes_too_long_is_stopped_with_its_job(call):
    late = call("slurm.srun", ["sleep", "300"], runas="nobody", timeout=3)
    assert late == "ERROR: srun: sleep had not ended after 3 s, and was stopped with its job"
    wait_for("the job is gone", lambda: call("slurm.squeue") == [])


# --- how jobs end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("exit 0", ("COMPLETED", 0, 0)),
        ("exit 3", ("FAILED", 3, 0)),
        ("kill -KILL $$", ("FAILED", 0, 9)),
    ],
)
def test_wait_job_tells_how_a_job_ended(call, submit, command, end):
    job = submit(f"#!/bin/sh\n{command}", nodelist="node2")
    result = call("slurm.wait_job", job, timeout=60)
    assert (result["state"], result["exit_code"], result["signal"]) == end
    assert (result["nodes"], result["source"]) == ("node2", "scontrol")
    assert 0 <= result["seconds"] < 60


def test_a_job_over_its_time_limit_ends_as_timeout(cluster, call, running):
    # A limit is at least a minute; the end that follows from it can be moved to now.
    cluster.exec("head", ["scontrol", "update", f"JobId={running}", "EndTime=now"])
    assert ended(call, running) == ("TIMEOUT", 0, 15)


def test_cancel_ends_a_running_job_and_leaves_an_ended_one(call, running):
    assert call("slurm.cancel", running) is True
    assert ended(call, running) == ("CANCELLED", 0, 15)
    assert call("slurm.cancel", running) is True


def test_a_job_that_is_cancelled_before_its_start_ran_on_no_node(call, submit):
    job = submit(hold=True)
    assert call("slurm.cancel", job) is True
    result = call("slurm.wait_job", job, timeout=60)
    assert (result["state"], result["nodes"]) == ("CANCELLED", "")


@pytest.mark.parametrize(
    ("job", "says"),
    [(4_000_000, "Invalid job id specified"), ("--user=nobody", "is no job id")],
)
def test_cancel_refuses_what_is_no_job(call, running, job, says):
    assert says in call("slurm.cancel", job_id=job)
    assert call("slurm.job", running)["JobState"] == "RUNNING"


def test_a_job_that_slurm_does_not_know_is_no_guess(call):
    assert "Invalid job id specified" in call("slurm.job", 4_000_000)
    result = call("slurm.wait_job", 4_000_000, timeout=10)
    assert (result["state"], result["exit_code"]) == ("UNKNOWN", None)
    assert "Slurm has forgotten job 4000000" in result["comment"]


def test_wait_job_waits_no_longer_than_it_may(call, running):
    answer = call("slurm.wait_job", running, timeout=1, interval=0.5)
    assert answer == f"ERROR: job {running} has not ended in 1 s: RUNNING (None)"


def test_an_array_ends_as_its_first_task_that_failed(call, submit):
    job = submit("#!/bin/sh\nexit $SLURM_ARRAY_TASK_ID", array="0,4,5")
    assert ended(call, job) == ("FAILED", 4, 0)
    tasks = {part["ArrayTaskId"]: part["JobState"] for part in call("slurm.job", job)["Members"]}
    assert tasks == {"0": "COMPLETED", "4": "FAILED", "5": "FAILED"}


def test_one_task_of_an_array_is_cancelled_alone(call, submit):
    job = submit(array="1-3", hold=True)
    (row,) = call("slurm.squeue")
    assert (row["id"], row["array_job"]) == (f"{job}_[1-3]", str(job))
    assert call("slurm.cancel", f"{job}_2") is True
    (row,) = call("slurm.squeue", jobs=job)
    assert (row["id"], row["state"]) == (f"{job}_[1,3]", "PENDING")


def test_hostile_names_come_back_whole(call, submit):
    names = [
        "one\nJobId=7 JobName=other",
        "a|b;c=d, e %j \\N",
        "first\n   UserId=root(0) GroupId=root(0)",
        "naïve 名前 \N{DNA DOUBLE HELIX}",
    ]
    jobs = {submit(hold=True, **{"job-name": name}): name for name in names}
    assert {row["job"]: row["name"] for row in call("slurm.squeue")} == jobs
    for job, name in jobs.items():
        record = call("slurm.job", job)
        assert (record["JobName"], record["JobState"]) == (name, "PENDING")


def test_a_name_that_is_not_utf_8_loses_its_odd_byte_alone(cluster, call):
    script = "sbatch --parsable --hold --wrap=: --job-name=\"$(printf 'caf\\351|x')\""
    job = int(cluster.exec("head", ["runuser", "-u", "nobody", "--", "sh", "-c", script]).stdout)
    (row,) = call("slurm.squeue")
    assert (row["job"], row["name"]) == (job, "caf\N{REPLACEMENT CHARACTER}|x")
    assert call("slurm.job", job)["JobName"] == row["name"]


@pytest.mark.parametrize("where", [{"node": "node2"}, {"partition": "main"}, {}])
def test_test_job_proves_that_jobs_run(call, where):
    result = call("slurm.test_job", runas="nobody", **where)
    assert (result["ok"], result["state"], result["exit_code"]) == (True, "COMPLETED", 0)
    assert result["nodes"] in ([where["node"]] if "node" in where else NODES)


def test_test_job_judges_by_the_exit_code_of_the_command(call):
    result = call("slurm.test_job", command="hostname >&2; exit 4", runas="nobody")
    assert (result["ok"], result["state"], result["exit_code"]) == (False, "FAILED", 4)
    assert f"job {result['job_id']} on the cluster: FAILED, exit code 4" in result["comment"]


def test_test_job_repeats_slurms_refusal_of_a_node_that_is_none(call):
    assert "Invalid node name specified" in call("slurm.test_job", node="nobody", runas="nobody")


def test_test_job_cancels_a_job_that_does_not_start(call):
    call("slurm.drain", "node1", "of the test")
    try:
        result = call("slurm.test_job", node="node1", runas="nobody", timeout=3)
    finally:
        call("slurm.resume", "node1")
    assert (result["ok"], result["state"]) == (False, None)
    assert re.search(r"node node1: job \d+ has not ended in 3 s: PENDING \(", result["comment"])
    assert call("slurm.job", result["job_id"])["JobState"] == "CANCELLED"


# --- sbatch's options -----------------------------------------------------------------------------

# Values that are tried with every option of a kind, besides none at all.
TRIED = {
    "acctg-freq": ["30", "task=30,energy=5", "foo=1", "x", ""],
    "bit": ["0", "1", "2", "a", ""],
    "count": ["1", " 2", "+2", "0", "-1", "abc", "1.5", "", "2x", "0x1"],
    "distribution": ["block", "cyclic:block", "*:*", "plane=2", "plane", "foo", "", "block,nopack"],
    "exclusive": ["user", "MCS", "exclusive", "foo", ""],
    "extra-node-info": ["1", "1:1", "1:1:1", "*:*:*", "a", "1:a", "", "1:1:1:1"],
    "get-user-env": ["5", "5S", "L", "x", ""],
    "gres-flags": ["disable-binding", "enforce-binding", "foo"],
    "hint": ["compute_bound", "nomultithread", "foo", ""],
    "kill-on-invalid-dep": ["yes", "NO", "maybe", ""],
    "mail-type": ["BEGIN", "end,fail", "foo", "BEGIN,foo", "NONE", "", "TIME_LIMIT_91"],
    "memory": ["4", "4G", "4gb", "4GBB", "G", "-1", "1.5G", "", "4 G", "+4", "4P"],
    "moment": ["now", "now+1hour", "16:00", "tomorrow", "2030-01-01T10:00:00", "abc", "1", ""],
    "no-kill": ["set", "off", "no", "foo", ""],
    "nodes": ["1", "1-4", "4-1", "-4", "4-", "1k", "a", "1-2-3", "", "1 - 2", "1,3", "-", "*"],
    "number": ["0", "1", "-1", "a", ""],
    "open-mode": ["a", "append", "t", "x", ""],
    "priority": ["TOP", "5", "-1", "abc", ""],
    "profile": ["all", "none", "energy,task", "foo", ""],
    "propagate": ["ALL", "CPU", "foo"],
    "signal": ["USR1", "SIGUSR1", "10", "B:USR1@30", "R:TERM", "FOO", "USR1@", "USR1@x", "B:",
               "0", "USR1@70000", "", "usr1@60", "@60"],
    "switches": ["1", "1@5", "a", "0", ""],
    "text": ["all"],
    "time": ["5", "1:2", "1:2:3", "1-2", "1-2:3", "1-2:3:4", "abc", "1-", "-1", "infinite",
             "1:2:3:4", "5m", "", "1-2-3", ":5", "5:", "0"],
}  # fmt: skip

# Judged by a plugin, by a file, or by what the cluster has; not by sbatch alone.
NOT_SBATCHS = {
    "bbf", "clusters", "cpu-freq", "cpus-per-gpu", "export-file", "gpu-bind", "gpu-freq", "gpus",
    "gpus-per-node", "gpus-per-socket", "gpus-per-task", "gres", "mem-bind", "mem-per-gpu",
    "nodefile", "ntasks-per-gpu", "ntasks-per-tres", "resources", "resv-ports", "tres-bind",
    "tres-per-task",
}  # fmt: skip

ASK_ALL = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

def refused(words):
    argv = ["sbatch", "--test-only", *words]
    done = subprocess.run(argv, input=b"#!/bin/sh\\n", capture_output=True, user="nobody", cwd="/")
    said = done.stderr.decode("utf-8", "replace")
    return said if done.returncode and "allocation failure" not in said else None

with ThreadPoolExecutor(2) as pool:
    print(json.dumps(list(pool.map(refused, json.load(sys.stdin)))))
"""


def command_lines():
    """Yield options with and without values, abbreviated, joined, and against each other."""
    for name, (main, kind, _) in slurm._SBATCH.items():
        if main in slurm._SBATCH_UNFIT or main in NOT_SBATCHS or kind == "root":
            continue
        yield [f"--{name}"]
        yield from ([f"--{name}={value}"] for value in TRIED.get(kind, ["1"]))
        if kind == "flag":
            continue
        for length in range(1, len(name)):
            yield [f"--{name[:length]}"]
    for letter, main in slurm._SBATCH_LETTERS.items():
        kind = slurm._SBATCH[main][1]
        if main in slurm._SBATCH_UNFIT or main in NOT_SBATCHS:
            continue
        yield [f"-{letter}"]
        for value in TRIED.get(kind, [])[:5]:
            yield from ([f"-{letter}{value}"], [f"-{letter}", value], [f"-H{letter}{value}"])
    yield from ([f"-{letter}", "1"] for letter in "zyZ0")
    for one, other in slurm._SBATCH_CONFLICTS:
        if not {one, other} & NOT_SBATCHS:
            flags = [f"--{each}" if each in ("quiet", "verbose") else f"--{each}=1"
                     for each in (one, other)]  # fmt: skip
            yield flags
    yield from (
        ["--"],
        ["--=1"],
        ["--nonsense"],
        ["--share"],
        ["--workdir=/"],
        ["--exclusive", "-s"],
    )
    yield ["-n2", "-c", "2", "--mem", "100", "-Ht", "1-2", "--part", "main"]


def test_options_are_refused_where_sbatch_refuses_them(cluster, call):
    version = call("slurm.version")
    tried = [words for words in command_lines() if words]
    answer = cluster.exec("head", ["python3", "-c", ASK_ALL], input=json.dumps(tried), timeout=600)
    said = json.loads(answer.stdout)
    assert len(said) == len(tried) > 1000
    wrong = [
        (words, refusal, slurm.parse_options(words, version)["problems"])
        for words, refusal in zip(tried, said, strict=True)
        if bool(slurm.parse_options(words, version)["problems"]) != bool(refusal)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "--comment='a b' --wckey=a\\b # -p nowhere",
        "--comment=a\\ b",
        '--comment "a b" -n 2#x',
        "--comment ''",
        "--comment 'a",
        "-n 2\n#SBATCH -c 1",
        "-n 2 word",
        "--exclusive true",
        ": -n 2",
        '--comment="it\'s"',
    ],
)
def test_a_directive_is_read_as_sbatch_reads_it(cluster, call, text):
    script = f"#!/bin/sh\n#SBATCH {text}\n"
    ask = ["runuser", "-u", "nobody", "--", "sbatch", "--test-only"]
    done = cluster.exec("head", ask, input=script, check=False)
    assert "allocation failure" not in done.stderr
    directives = text.replace("\n#SBATCH", "\n")
    problems = slurm.parse_options(directives, call("slurm.version"))["problems"]
    assert bool(problems) == (done.returncode != 0), done.stderr


def test_a_job_is_tried_and_none_is_submitted(cluster, call):
    answer = call("slurm.test_only", {"partition": "main", "ntasks": 2}, user="nobody")
    assert answer["ok"]
    assert re.match(r"Job \d+ to start at .* in partition main", answer["message"])
    answer = call("slurm.test_only", {"mem": "9G"}, user="nobody")
    assert (answer["ok"], "allocation failure" in answer["message"]) == (False, True)
    assert '"root" is root' in call("slurm.test_only", {}, user="root")
    assert cluster.exec("head", ["squeue", "-h"]).stdout == ""


# --- nodes out of service, and no controller ------------------------------------------------------


def test_drain_takes_a_node_out_of_service_and_resume_puts_it_back(call):
    reason = "new disks, ask Ada = häufig"
    assert call("slurm.drain", "node[1-2]", reason) is True
    try:
        for each in call("slurm.nodes"):
            assert (each["state"], each["flags"]) == ("IDLE", ["DRAIN"])
            assert (each["reason"], each["reason_user"]) == (reason, "root")
        assert call("slurm.sinfo")["main"]["states"] == {"drained": "node[1-2]"}
    finally:
        assert call("slurm.resume", NODES) is True
    # slurmctld 22.05 takes a resumed node for silent until the node has answered its next ping.
    wait_for(
        "both nodes are in service",
        lambda: [(n["state"], n["flags"]) for n in call("slurm.nodes")] == [("IDLE", [])] * 2,
    )
    assert re.search(r"ERROR: .*Invalid node state", call("slurm.resume", "node1"))


def test_drain_lets_a_running_job_end_by_itself(call, running):
    call("slurm.drain", "node1", "of the test")
    try:
        assert "DRAIN" in node(call, "node1")["flags"]
        assert call("slurm.job", running)["JobState"] == "RUNNING"
    finally:
        call("slurm.resume", "node1")


def test_a_stopped_node_is_seen_as_not_responding_and_then_as_down(cluster, call, impatient):
    cluster.exec("node2", ["systemctl", "stop", "slurmd"])
    try:
        wait_for("not responding", lambda: "NOT_RESPONDING" in node(call, "node2")["flags"])
        wait_for("down", lambda: node(call, "node2")["state"] == "DOWN")
        lost = node(call, "node2")
        assert (lost["reason"][-14:], lost["reason_user"]) == ("Not responding", "slurm")
        assert call("slurm.sinfo")["main"]["states"] == {"idle": "node1", "down*": "node2"}
    finally:
        cluster.exec("node2", ["systemctl", "start", "slurmd"])
    wait_for("it responds", lambda: "NOT_RESPONDING" not in node(call, "node2")["flags"])
    # 24.11 keeps the reason of an earlier drain, and such a node does not return by itself.
    call("slurm.resume", "node2")


QUESTIONS = {"nodes": {}, "sinfo": {}, "squeue": {}, "config": {}, "job": {"job_id": 1}}
ORDERS = {
    "cancel": {"job_id": 1},
    "drain": {"names": "node1", "reason": "of the test"},
    "resume": {"names": "node1"},
    "sbatch": {"script": "#!/bin/true", "runas": "nobody"},
    "test_job": {"runas": "nobody"},
}


def together_with_ping(call, asked, **options):
    """Call functions at the same time; return their answers, and apart from them that of ping."""

    def ask(name):
        return call(f"slurm.{name}", **asked.get(name, {}), **options)

    *answers, ping = together(ask, [*asked, "ping"])
    return dict(zip(asked, answers, strict=True)), ping


def test_a_stopped_controller_is_told_in_slurms_words(call, no_controller):
    answers, ping = together_with_ping(call, QUESTIONS | ORDERS, timeout=60)
    primary = {"role": "primary", "host": "head", "up": False}
    assert ping == {"up": False, "controllers": [primary]}
    for name, answer in answers.items():
        assert re.match(
            r"ERROR: (scontrol|sinfo|squeue|scancel|sbatch): .*Unable to contact slurm controller",
            answer,
        ), f"{name}: {answer}"
    done = call("slurm.srun", ["true"], runas="nobody")
    assert done["retcode"] != 0
    assert "Unable to contact slurm controller" in done["stderr"]


def test_a_silent_controller_is_waited_for_no_longer_than_the_bound(call, silent_controller):
    answers, ping = together_with_ping(call, QUESTIONS, timeout=3)
    for name, answer in {**answers, "ping": ping}.items():
        assert "got no answer within 3 s: is slurmctld running" in answer, f"{name}: {answer}"
    late = call("slurm.wait_job", 1, timeout=3)
    assert late.startswith("ERROR: job 1 has not ended in 3 s: scontrol got no answer within")


def test_a_submission_without_an_answer_may_be_there_and_says_so(cluster, call, silent_controller):
    late = call("slurm.sbatch", LONG, options={"hold": True}, runas="nobody", timeout=3)
    assert "It may have the job all the same" in late
    cluster.exec("head", ["systemctl", "kill", "--signal=CONT", "slurmctld"])
    wait_for("the job is there", lambda: call("slurm.squeue", user="nobody"))


def test_wait_job_outlasts_a_restart_of_the_controller(cluster, call, submit):
    job = submit("#!/bin/sh\nsleep 5; exit 5")
    wait_for("the job runs", lambda: call("slurm.job", job)["JobState"] == "RUNNING")
    # After longer than scontrol tries by itself; without an accuracy it may be a minute more.
    later = ["systemd-run", "--quiet", "--on-active=12", "--timer-property=AccuracySec=100ms"]
    later += ["systemctl", "start", "slurmctld"]
    cluster.exec("head", ["systemctl", "stop", "slurmctld"])
    try:
        cluster.exec("head", later)
        assert ended(call, job) == ("FAILED", 5, 0)
    finally:
        cluster.exec("head", ["systemctl", "start", "slurmctld"])
