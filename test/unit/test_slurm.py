"""The slurm execution module: its parsers on real output, its commands on a stand-in for Slurm."""

import re
import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hostlists import NAMES
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

slurm = load("_modules/slurm.py")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CAPTURES = FIXTURES / "slurm"
VERSIONS = sorted(path.name for path in CAPTURES.iterdir())


def hostile_names():
    """Return the job names that the capture script submits, as Slurm's output is decoded."""
    script = runpy.run_path(str(FIXTURES / "capture"))
    return [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        for name in script["HOSTILE_NAMES"]
    ]


HOSTILE_NAMES = hostile_names()


class Captures:
    """The captures of one version."""

    def __init__(self, version):
        self.path = CAPTURES / version
        self.situations = sorted(path.name.split(".")[0] for path in self.path.glob("*.nodes"))

    def __call__(self, name):
        return (self.path / name).read_bytes().decode("utf-8", "replace")


@pytest.fixture(params=VERSIONS)
def captured(request):
    return Captures(request.param)


def by_name(nodes):
    return {node["name"]: node for node in nodes}


# --- nodes ----------------------------------------------------------------------------------------


def test_every_node_is_read_once_in_blocks_and_in_lines(captured):
    for situation in captured.situations:
        blocks = captured(f"{situation}.nodes")
        lines = captured(f"{situation}.nodes-oneline")
        names = re.findall(r"^NodeName=(\S+)", blocks, re.MULTILINE)
        assert [node["name"] for node in slurm.parse_nodes(blocks)] == names
        assert [node["name"] for node in slurm.parse_nodes(lines)] == names


def test_blocks_and_lines_hold_the_same_nodes(captured):
    moving = ("load", "memory_free", "flags", "slurmd_start_time")
    for situation in captured.situations:
        for block, line in zip(
            slurm.parse_nodes(captured(f"{situation}.nodes")),
            slurm.parse_nodes(captured(f"{situation}.nodes-oneline")),
            strict=True,
        ):
            for key in moving:
                block.pop(key), line.pop(key)
            assert block == line


def test_sinfo_and_scontrol_name_the_same_nodes_in_the_same_partitions(captured):
    for situation in captured.situations:
        nodes = slurm.parse_nodes(captured(f"{situation}.nodes"))
        pairs = {(node["name"], part) for node in nodes for part in node["partitions"]}
        for view in ("sinfo-nodes", "sinfo-nodes-long"):
            rows = slurm.parse_sinfo(captured(f"{situation}.{view}"))
            shown = [(row["nodelist"], row["partition"]) for row in rows]
            assert len(shown) == len(set(shown))
            assert set(shown) <= pairs
            assert {pair for pair in pairs if pair[1] != "hidden"} <= set(shown)


def test_tables_hold_every_partition(captured):
    for situation in captured.situations:
        rows = slurm.parse_sinfo(captured(f"{situation}.sinfo-all"))
        assert {row["partition"] for row in rows} == {
            "main", "a_partition_with_a_long_name", "urgent", "invalid", "cloud", "closed", "empty",
            "hidden",
        }  # fmt: skip
        empty = next(row for row in rows if row["partition"] == "empty")
        assert (empty["nodes"], empty["state"], empty["time_limit"]) == (0, None, None)
        assert all(row["default"] == (row["partition"] == "main") for row in rows)
        assert {row["time_limit"] for row in rows if row["partition"] == "invalid"} == {1800}


@pytest.mark.parametrize(
    ("situation", "node", "state", "flags"),
    [
        ("idle", "n1", "IDLE", set()),
        ("idle", "bad1", None, {"DRAIN", "INVALID_REG"}),
        ("idle", "cloud2", "IDLE", {"CLOUD", "POWERED_DOWN"}),
        ("jobs", "n1", "ALLOCATED", set()),
        ("draining", "n1", "ALLOCATED", {"DRAIN"}),
        ("drained", "n1", "IDLE", {"DRAIN"}),
        ("drained", "ghost1", "DOWN", {"NOT_RESPONDING"}),
        ("failing", "n3", "IDLE", {"FAIL"}),
        ("reserved", "n1", "IDLE", {"MAINTENANCE"}),
        ("reserved", "n2", "IDLE", {"RESERVED"}),
        ("planned", "n1", "MIXED", set()),
        ("planned", "n2", "IDLE", {"PLANNED"}),
        ("silent", "n3", "IDLE", {"NOT_RESPONDING"}),
        ("lost", "n3", "DOWN", {"NOT_RESPONDING"}),
        ("rebooting", "n1", "MIXED", {"DRAIN", "REBOOT_REQUESTED"}),
        ("rebooting", "n2", None, {"REBOOT_ISSUED"}),
        ("power", "n3", None, {"POWERING_DOWN"}),
    ],
)
def test_a_state_is_split_into_base_and_flags(captured, situation, node, state, flags):
    found = by_name(slurm.parse_nodes(captured(f"{situation}.nodes")))[node]
    assert state is None or found["state"] == state
    assert flags <= set(found["flags"])


def test_a_reason_is_read_whole_with_who_and_when(captured):
    nodes = by_name(slurm.parse_nodes(captured("drained.nodes")))
    assert nodes["n1"]["reason"] == "bad disk, see ticket=42 [not urgent] State=IDLE"
    assert nodes["n1"]["reason_user"] == "root"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", nodes["n1"]["reason_time"])
    assert nodes["n2"]["reason"] == "Grüße: 日本"
    assert nodes["ghost1"]["reason"] == "no\nsuch host"
    assert nodes["n3"]["reason"] is None
    assert nodes["n3"]["comment"] == "a comment = here"


def test_cpus_and_memory_are_counted(captured):
    nodes = by_name(slurm.parse_nodes(captured("planned.nodes")))
    assert nodes["n1"]["cpus"] == {"allocated": 1, "idle": 1, "other": 0, "total": 2}
    assert (nodes["n1"]["memory"], nodes["n1"]["memory_allocated"]) == (1000, 100)
    ghost = by_name(slurm.parse_nodes(captured("drained.nodes")))["ghost1"]
    assert ghost["cpus"] == {"allocated": 0, "idle": 0, "other": 64, "total": 64}
    assert (ghost["sockets"], ghost["cores"], ghost["threads"]) == (2, 16, 2)
    assert (ghost["memory"], ghost["tmp_disk"], ghost["memory_free"]) == (512000, 100000, None)
    assert nodes["n1"]["features"] == ["fast", "ib"]
    assert nodes["n1"]["hostname"] == "head"


@pytest.mark.parametrize(
    ("text", "state", "flags"),
    [
        ("idle", "IDLE", []),
        ("IDLE*+DRAIN", "IDLE", ["NOT_RESPONDING", "DRAIN"]),
        ("DOWN*", "DOWN", ["NOT_RESPONDING"]),
        ("drng@", "DRAINING", ["REBOOT_REQUESTED", "DRAIN"]),
        ("drained*", "DRAINED", ["NOT_RESPONDING", "DRAIN"]),
        ("mix-", "MIXED", ["PLANNED"]),
        ("plnd", "PLANNED", ["PLANNED"]),
        ("alloc$", "ALLOCATED", ["MAINTENANCE"]),
        ("idle~", "IDLE", ["POWERED_DOWN"]),
        ("mix#", "MIXED", ["POWERING_UP"]),
        ("idle%", "IDLE", ["POWERING_DOWN"]),
        ("idle!", "IDLE", ["POWER_DOWN"]),
        ("down^", "DOWN", ["REBOOT_ISSUED"]),
        ("DOWN+CLOUD+POWERED_DOWN+NOT_RESPONDING", "DOWN",
         ["CLOUD", "POWERED_DOWN", "NOT_RESPONDING"]),
        ("inval", "INVALID", ["INVALID_REG"]),
        ("resv", "RESERVED", ["RESERVED"]),
        ("", "", []),
    ],
)  # fmt: skip
def test_every_spelling_of_a_state_is_known(text, state, flags):
    assert slurm.parse_node_state(text) == {"state": state, "flags": flags}


# --- jobs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["jobs", "jobs-details", "jobs-oneline"])
def test_every_job_is_read_once_whatever_its_name_holds(captured, view):
    jobs = slurm.parse_scontrol(captured(f"jobs.{view}"))
    shown = {row["id"].split("_")[0].split("+")[0] for row in
             slurm.parse_squeue(captured("jobs.squeue"))}  # fmt: skip
    assert {job.get("ArrayJobId") or job.get("HetJobId") or job["JobId"] for job in jobs} == shown
    assert len({job["JobId"] for job in jobs}) == len(jobs)
    names = [job["JobName"] for job in jobs]
    assert [name for name in names if name in HOSTILE_NAMES] == HOSTILE_NAMES
    for job in jobs:
        if job["JobName"] in HOSTILE_NAMES:
            assert job["UserId"] == "alice(2001)"
            assert job["JobState"] == "PENDING"
            assert job["Comment"] == "UserId=root(0) GroupId=root(0)"


def test_blocks_and_lines_hold_the_same_jobs(captured):
    moving = ("RunTime", "LastSchedEval", "Scheduler", "Priority", "StartTime", "EndTime", "Reason",
              "SchedNodeList", "SecsPreSuspend", "JobState")  # fmt: skip
    for block, line in zip(
        slurm.parse_scontrol(captured("jobs.jobs")),
        slurm.parse_scontrol(captured("jobs.jobs-oneline")),
        strict=True,
    ):
        for key in moving:
            block.pop(key, None), line.pop(key, None)
        assert block == line


def test_jobs_of_every_state_are_told_apart(captured):
    states = {job["JobName"]: job["JobState"] for job in
              slurm.parse_scontrol(captured("jobs.jobs"))}  # fmt: skip
    expected = {
        "ends-well": "COMPLETED", "fails": "FAILED", "crashes": "FAILED", "times-out": "TIMEOUT",
        "misses-deadline": "DEADLINE", "cancelled-running": "CANCELLED",
        "cancelled-pending": "CANCELLED", "loses-its-node": "NODE_FAIL", "preempted": "PREEMPTED",
        "alone": "RUNNING", "suspended": "SUSPENDED", "special-exit": "SPECIAL_EXIT",
        "held": "PENDING", "booting": "CONFIGURING", "completing": "COMPLETING",
    }  # fmt: skip
    assert {name: states[name] for name in expected} == expected
    rows = slurm.parse_squeue(captured("jobs.squeue-long"))
    assert {row["state"] for row in rows} == set(states.values()) | {"PENDING", "RUNNING"}


def test_squeue_tables_keep_rows_with_newlines_together(captured):
    rows = slurm.parse_squeue(captured("jobs.squeue"))
    names = [row["name"] for row in rows]
    assert "two\nline" in names and "line\n\nJo" in names
    for row in rows:
        assert re.fullmatch(r"\d+(?:_\d+|_\[.*\]|\+\d)?", row["id"])
        assert row["user"] in ("alice", "bob") and isinstance(row["nodes"], int)
    ghost = next(row for row in rows if row["name"] == "on-a-gho")
    assert ghost["reason"].startswith("ReqNodeNotAvail") and ghost["nodelist"] == ""
    assert next(row for row in rows if row["name"] == "alone")["nodelist"] == "n1"


def test_squeue_with_separators_that_names_hold_as_well(captured):
    rows = slurm.parse_squeue(captured("jobs.squeue-pipes"))
    names = [row["name"] for row in rows]
    assert set(HOSTILE_NAMES) <= set(names)
    assert {row["user"] for row in rows} == {"alice", "bob"}
    assert len(rows) == len(slurm.parse_squeue(captured("jobs.squeue")))


def test_reasons_in_tables_are_read_with_their_newlines(captured):
    reasons = {row["nodelist"]: row["reason"] for row in
               slurm.parse_sinfo(captured("drained.sinfo-nodes-long"))}  # fmt: skip
    assert reasons["ghost1"] == "no\nsuch host" and reasons["n3"] is None
    rows = slurm.parse_sinfo(captured("drained.sinfo-reasons"))
    assert [row["nodelist"] for row in rows if row["reason"] == "no\nsuch host"] == ["ghost1"]
    assert {row["reason_user"] for row in rows} == {"root", "slurm"}


def test_cluster_lines_are_kept_with_their_rows(captured):
    assert {row["cluster"] for row in slurm.parse_squeue(captured("jobs.squeue-clusters"))} == {
        "capture"
    }
    rows = slurm.parse_sinfo(captured("jobs.nodes-clusters"))
    assert {row["cluster"] for row in rows} == {"capture"}


def test_other_entities_are_read(captured):
    partitions = slurm.parse_scontrol(captured("jobs.partitions"))
    assert partitions == slurm.parse_scontrol(captured("jobs.partitions-oneline"))
    assert [part["PartitionName"] for part in partitions if part["Default"] == "YES"] == ["main"]
    reservations = slurm.parse_scontrol(captured("reserved.reservations"))
    assert [res["ReservationName"] for res in reservations] == ["upkeep", "course", "later"]
    assert reservations == slurm.parse_scontrol(captured("reserved.reservations-oneline"))
    steps = slurm.parse_scontrol(captured("jobs.steps"))
    assert len(steps) == captured("jobs.steps").count("StepId=") and steps[0]["State"]
    config = slurm.parse_config(captured("jobs.config"))
    assert config["ClusterName"] == "capture" and config["SlurmctldHost[0]"] == "head"
    assert slurm.parse_scontrol(captured("jobs.config")) == [config]


def test_details_of_each_node_of_a_job_are_kept(captured):
    jobs = {job["JobName"]: job for job in slurm.parse_scontrol(captured("jobs.jobs-details"))}
    assert jobs["alone"]["Allocations"][0]["Nodes"] == "n1"
    assert jobs["alone"]["MinTmpDiskNode"] == "0"


def test_answers_without_records_are_no_records(captured):
    for name in ("jobs.no-such-job", "jobs.no-such-node", "controller-down.jobs"):
        assert slurm.parse_scontrol(captured(name)) == []
    assert slurm.parse_sinfo(captured("controller-down.sinfo")) == []


def test_ping_and_hardware(captured):
    assert slurm.parse_ping(captured("jobs.ping")) == [
        {"role": "primary", "host": "head", "up": True}
    ]
    assert slurm.parse_ping(captured("controller-down.ping"))[0]["up"] is False
    hardware = slurm.parse_hardware(captured("jobs.hardware"))
    assert hardware["line"].startswith("NodeName=head CPUs=")
    assert isinstance(hardware["RealMemory"], int)


def test_ping_of_a_pair_of_controllers():
    assert slurm.parse_ping("Slurmctld(primary/backup) at a/b are UP/DOWN\n") == [
        {"role": "primary", "host": "a", "up": True},
        {"role": "backup", "host": "b", "up": False},
    ]
    assert len(slurm.parse_ping("Slurmctld(primary/backup) at a/(NULL) are UP/DOWN\n")) == 1


# --- shapes that the captured versions do not print -----------------------------------------------


def test_older_jobs_with_several_detail_lines_and_no_trailing_fields():
    text = (
        "JobId=7 JobName=a b\n   UserId=x(1) GroupId=domain users(5) MCS_label=N/A\n"
        "   Priority=1 Nice=-5 Account=l QOS=n\n   JobState=RUNNING Reason=None Dependency=(null)\n"
        "     Nodes=n1 CPU_IDs=1 Mem=2 GRES_IDX=\n     Nodes=n2 CPU_IDs=3 Mem=4 GRES_IDX=gpu(0)\n"
        "   MinCPUsNode=1\n   Command=/bin/x A=1 B=2\n   WorkDir=/a b/c\n\n"
    )
    (job,) = slurm.parse_scontrol(text)
    assert job["JobName"] == "a b" and job["GroupId"] == "domain users(5)"
    assert [part["Nodes"] for part in job["Allocations"]] == ["n1", "n2"]
    assert job["Allocations"][1]["GRES_IDX"] == "gpu(0)"
    assert (job["Command"], job["WorkDir"]) == ("/bin/x A=1 B=2", "/a b/c")


def test_a_fake_record_in_a_comment_is_part_of_the_comment(captured):
    text = captured("jobs.jobs").replace(
        "Comment=a comment, with=signs", "Comment=x\n\nJobId=99999 JobName=fake"
    )
    jobs = slurm.parse_scontrol(text)
    assert len(jobs) == len(slurm.parse_scontrol(captured("jobs.jobs")))
    assert "x\n\nJobId=99999 JobName=fake" in [job.get("Comment", "").strip() for job in jobs]


def test_rows_that_long_cells_push_to_the_right():
    text = (
        "             JOBID PARTITION     NAME     USER    STATE       TIME TIME_LIMI  NODES "
        "NODELIST(REASON)\n"
        "             17923      dgx2     bash     carl  RUNNING 1-13:00:53 30-00:00:00      1 "
        "v05\n"
        "             17924      dgx2  two one     carl  PENDING       0:00 30-00:00:00      1 "
        "(Nodes required for job are DOWN, DRAINED)\n"
    )
    first, second = slurm.parse_squeue(text)
    assert first["time"] == 86400 + 13 * 3600 + 53 and first["nodelist"] == "v05"
    assert first["time_limit"] == 30 * 86400
    assert second["reason"] == "Nodes required for job are DOWN, DRAINED"


def test_a_header_that_lost_its_blanks():
    text = (
        "JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)\n\n"
        "              2611       all job_name     anna PD       0:00      1 (Priority)\n"
        "              2612       all job_name     anna  R    1:00:00      2 a[1-2]\n"
    )
    rows = slurm.parse_squeue(text)
    assert [(row["id"], row["state"]) for row in rows] == [("2611", "PENDING"), ("2612", "RUNNING")]
    assert rows[1]["nodelist"] == "a[1-2]" and rows[1]["nodes"] == 2


def test_left_aligned_columns_with_blanks_in_cells():
    text = (
        "NAME           ST USER     NODELIST\n"
        "my long job    R  anna     n1\n"
        "b              PD berta    \n"
        "größe ä        CG carla    n[1-2]\n"
    )
    rows = slurm.parse_squeue(text)
    assert [row["name"] for row in rows] == ["my long job", "b", "größe ä"]
    assert [row["nodelist"] for row in rows] == ["n1", "", "n[1-2]"]


def test_what_is_around_a_table_is_no_row():
    text = (
        "[me@login ~]$ sinfo\nPARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n"
        "a*           up   infinite      1   idle n1\nb            up 28-00:00:0      0    n/a \n"
        "[me@login ~]$ sinfo\nPARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n"
        "c          down 110-00:00:      1  down* n2\nslurm_load_partitions error: gone\n"
    )
    rows = slurm.parse_sinfo(text)
    assert [row["partition"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["flags"] == ["NOT_RESPONDING"] and rows[2]["time_limit"] == "110-00:00:"


def test_output_without_header_is_read_by_the_columns_that_are_named():
    rows = slurm.parse_squeue("1|R|a|b\n2|PD|c\n", fields=["id", "state", "name"], separator="|")
    assert rows == [
        {"id": "1", "state": "RUNNING", "name": "a|b"},
        {"id": "2", "state": "PENDING", "name": "c"},
    ]
    assert slurm.parse_sinfo("n1,idle\nn2,mix\n") == [
        {"column_1": "n1", "column_2": "idle"},
        {"column_1": "n2", "column_2": "mix"},
    ]


def test_json_is_read_as_it_is():
    text = '{"meta": {}, "errors": [], "jobs": [{"job_id": 1, "name": "a\\nb"}]}'
    assert slurm.parse_squeue(text) == [{"job_id": 1, "name": "a\nb"}]
    assert slurm.parse_scontrol(text) == [{"job_id": 1, "name": "a\nb"}]
    with pytest.raises(SaltInvocationError):
        slurm.parse_squeue('{"jobs": [')


PARSERS = [
    slurm.parse_scontrol, slurm.parse_squeue, slurm.parse_sinfo, slurm.parse_nodes,
    slurm.parse_config, slurm.parse_ping, slurm.parse_hardware, slurm.parse_node_state,
]  # fmt: skip


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text(alphabet=st.sampled_from("aJR1=|*+ \n\t[]():-,é\x1f") | st.characters()))
def test_no_text_makes_a_parser_fail(parse, text):
    if not text.lstrip().startswith("{"):
        parse(text)


@given(cut=st.integers(min_value=0, max_value=60_000), version=st.sampled_from(VERSIONS))
@settings(max_examples=60, deadline=None)
def test_captures_cut_off_anywhere_are_read(cut, version):
    for name in ("jobs.jobs", "jobs.jobs-oneline", "drained.nodes"):
        text = (CAPTURES / version / name).read_bytes().decode("utf-8", "replace")
        kind = "NodeName" if "nodes" in name else "JobId"
        whole = [record[kind] for record in slurm.parse_scontrol(text)]
        part = [record[kind] for record in slurm.parse_scontrol(text[:cut])]
        assert part[:-1] == whole[: len(part[:-1])]
    squeue = (CAPTURES / version / "jobs.squeue").read_bytes()[:cut]
    slurm.parse_squeue(squeue.decode("utf-8", "replace"))


def test_what_sinfo_does_not_know_is_none():
    text = "NODELIST|FREE_MEM|AVAIL_FEATURES\nn1|N/A|(null)\nn2|5000|a,b\n"
    unknown, known = slurm.parse_sinfo(text)
    assert (unknown["memory_free"], unknown["features"]) == (None, None)
    assert (known["memory_free"], known["features"]) == (5000, "a,b")


# --- hostlists ------------------------------------------------------------------------------------

# What Slurm takes and makes nonsense of; here it is an error.
NONSENSE = {"n[1-2", "n1]", "n[[1-2]]", "n[1-2[3-4]]", "n[1, 2]", "n[+1]", "n99999999999999999999"}


@pytest.mark.parametrize("version", VERSIONS)
def test_hostlists_are_read_as_scontrol_reads_them(version):
    for line in (CAPTURES / version / "hostnames.tsv").read_text().splitlines():
        expression, output = line.split("\t")
        if "Invalid hostlist" in output and "[1-2]" in expression and version < "23.11":
            continue  # text after the last bracket is read from 23.11 on
        if expression in NONSENSE or "Invalid hostlist" in output:
            with pytest.raises(SaltInvocationError, match="hostlist"):
                slurm.hostlist_expand(expression)
        else:
            assert slurm.hostlist_expand(expression) == output.split(), expression


@given(NAMES)
def test_folding_and_expanding_gives_the_same_names_in_order(names):
    assert slurm.hostlist_expand(slurm.hostlist_fold(names)) == names


@given(NAMES)
def test_sorted_folding_gives_the_same_set_once(names):
    assert sorted(slurm.hostlist_expand(slurm.hostlist_fold(names, sort=True))) == sorted(
        set(names)
    )


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["n1", "n2", "n3"], "n[1-3]"),
        (["n09", "n10", "n11"], "n[09-11]"),
        (["n9", "n10"], "n[9-10]"),
        (["n099", "n100", "n0101"], "n[099-100,0101]"),
        (["n3", "n1", "n1"], "n[3,1,1]"),
        (["n1-ib", "n2-ib"], "n1-ib,n2-ib"),
        (["r1n1", "r1n2", "r2n1", "r2n2"], "r[1-2]n[1-2]"),
        (["r1n7", "r2n7"], "r[1-2]n[7]"),
        (["login", "n1"], "login,n1"),
        ([], ""),
    ],
)
def test_names_fold(names, folded):
    assert slurm.hostlist_fold(names) == folded


def test_sorting_is_by_number():
    assert slurm.hostlist_fold(["n10", "n2", "m1", "n2", "n1"], sort=True) == "m1,n[1-2,10]"


@pytest.mark.parametrize("name", ["", "a,b", "a b", "n[1]", "n" + "9" * 19, None])
def test_a_name_that_no_hostlist_holds_is_refused(name):
    with pytest.raises(SaltInvocationError, match="hostlist"):
        slurm.hostlist_fold(["n1", name])


def test_an_absurd_size_is_refused_at_once():
    with pytest.raises(SaltInvocationError, match="1000000"):
        slurm.hostlist_expand("a[1-999999]b[1-999999]")


def test_a_hundred_thousand_names_take_less_than_a_second_each_way():
    for names in (
        [f"n{number}" for number in range(100_000)],
        [f"r{rack}n{number:03d}" for rack in range(100) for number in range(1000)],
    ):
        start = time.process_time()
        folded = slurm.hostlist_fold(names)
        middle = time.process_time()
        assert slurm.hostlist_expand(folded) == names
        assert middle - start < 1 and time.process_time() - middle < 1
        assert all(
            int(high) - int(low) < 65_536 for low, high in re.findall(r"(\d+)-(\d+)", folded)
        )


# --- sbatch's options -----------------------------------------------------------------------------

OPTIONS = [
    ("", {}),
    ("-p main --ntasks 2 --mem=4G -t 1-12", {
        "partition": "main", "ntasks": "2", "mem": "4G", "time": "1-12",
    }),
    ("-n2 -Hc4 -kset -k", {"ntasks": "2", "hold": True, "cpus-per-task": "4", "no-kill": True}),
    ("--exclusive --exclusive=user --nice", {"exclusive": "user", "nice": True}),
    ("--tasks-per-node=2 --cluster=c", {"ntasks-per-node": "2", "clusters": "c"}),
    ("--job=x --part main --reserv=r", {"job-name": "x", "partition": "main", "reservation": "r"}),
    ("--gpus=1", {"gpus": "1"}),  # the whole name of one is the beginning of others
    ("--comment='a b' --account=a\\b\\ -n2 # -p", {
        "comment": "a b", "account": "ab", "ntasks": "2",
    }),
    ("""--comment="it's" --mcs-label='say "x"'""", {"comment": "it's", "mcs-label": 'say "x"'}),
    ("-p main#x -n 2", {"partition": "main"}),
    ("-c 2\n\n--mem 5\n", {"cpus-per-task": "2", "mem": "5"}),
    ("--partition=", {"partition": ""}),
    ("-n 1 -n 2 --", {"ntasks": "2"}),
]  # fmt: skip

# What sbatch submits no job with: the option, and a word of the message.
WRONG_OPTIONS = [
    ("--share", "--share", "did you mean --oversubscribe?"),
    ("--partiton=main", "--partiton", "did you mean --partition?"),
    ("--xyzzy 5", "--xyzzy", "SPANK"),
    ("-z 3", "-z", "no option -z"),
    ("--mem-p=5", "--mem-p", "ambiguous for sbatch: --mem-per-cpu, --mem-per-gpu"),
    ("--hold=1", "--hold", 'takes no value, and has "1"'),
    ("-p", "-p", "no value"),
    ("--mem", "--mem", "no value"),
    ("-p main job.sh -n x", "job.sh", "takes it for the script"),
    ("--exclusive true", "true", "takes it for the script"),
    ("-n 2 -- x", "x", "takes it for the script"),
    ("-n 2 -", "-", "takes it for the script"),
    (" : -n 2", " : -n 2", "heterogeneous"),
    ("--uid=5", "--uid", "root alone"),
    ("--help", "--help", "submits no job"),
    ("-V", "-V", "submits no job"),
    ("--wrap=true", "--wrap", "replaces the script"),
    ("--mem=1 --mem-per-cpu=2", "--mem-per-cpu", "only one of --mem and --mem-per-cpu"),
    ("--gres=help", "--gres", "submit no job"),
    ("-N 4-1", "-N", "a range"),
    ("--nodes=4-", "--nodes", "a range"),
]

# Values by option: what sbatch takes, and what it refuses.
VALUES = [
    ("mem", ["4", "4G", "4gb", " +4k"], ["4GBB", "G", "-1", "1.5G", "", "4 G", "4P"]),
    ("ntasks", ["1", "+2", " 2"], ["0", "-1", "x", "1.5", "", "2147483647", "99999999999"]),
    ("core-spec", ["0", "1", ""], ["-1", "x"]),
    ("time", ["5", "1:2", "1:2:3", "1-2", "1-2:3", "1-2:3:4", "1-", "-1", "infinite"],
     ["abc", "1:2:3:4", "5m", "", "1-2-3", ":5", "5:"]),
    ("nodes", ["1", "1-4", "-4", "1k", "1 - 2", "1,3-5", "2-8:2"], ["", "a", "1-2-3", "-", "*"]),
    ("acctg-freq", ["30", "task=30,energy=5", ""], ["foo=1", "x"]),
    ("distribution", ["block:cyclic", "*:*", "plane=2", "block,nopack"], ["plane", "foo", ""]),
    ("exclusive", ["user", "MCS", "topo"], ["foo"]),
    ("extra-node-info", ["1", "1:1:1", "*:2-3", "1:1:1:1"], ["a", "1:a"]),
    ("gres-flags", ["enforce-binding", ""], ["foo"]),
    ("hint", ["multithread,compute_bound"], ["foo", ""]),
    ("kill-on-invalid-dep", ["yes", "NO"], ["maybe", ""]),
    ("mail-type", ["BEGIN", "end,fail", "NONE", "TIME_LIMIT_90"], ["foo", "", "TIME_LIMIT_91"]),
    ("no-kill", ["off"], ["foo"]),
    ("open-mode", ["append", "t"], ["x", ""]),
    ("priority", ["TOP", "5", "abc"], ["-1"]),
    ("profile", ["all", "energy,task"], ["foo", ""]),
    ("propagate", ["ALL", "CPU,RLIMIT_AS"], ["foo"]),
    ("signal", ["USR1", "10", "B:SIGTERM@30", "R:usr1@"], ["FOO", "0", "B:", "USR1@70000", "@60"]),
    ("switches", ["1", "1@5"], ["a", "0", ""]),
    ("wait-all-nodes", ["0", "1"], ["2", "x"]),
    ("begin", ["now", "now+1hour", "16:00", "2030-01-01T10:00:00"], ["abc", "", "1"]),
    ("get-user-env", ["5", "5S"], ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options"), OPTIONS)
def test_options_are_read_as_sbatch_reads_them(text, options):
    assert slurm.parse_options(text, version="22.05.8") == {
        "options": options, "problems": [], "notes": [],
    }  # fmt: skip


@pytest.mark.parametrize(("text", "option", "words"), WRONG_OPTIONS)
def test_options_that_sbatch_refuses_are_problems(text, option, words):
    [problem] = slurm.parse_options(text)["problems"]
    assert problem["option"] == option
    assert words in problem["message"]


@pytest.mark.parametrize(("name", "right", "wrong"), VALUES)
def test_values_are_checked_by_their_kind(name, right, wrong):
    for value in right:
        assert slurm.parse_options([f"--{name}={value}"], version="24.11") == {
            "options": {name: value}, "problems": [], "notes": [],
        }  # fmt: skip
    for value in wrong:
        [problem] = slurm.parse_options([f"--{name}={value}"])["problems"]
        assert problem["message"].startswith(f'--{name}: "{value}" is not ')


def test_a_backslash_keeps_a_blank_from_24_05_on():
    text = "--comment=a\\ b"
    assert slurm.parse_options(text)["options"] == {"comment": "a b"}
    assert slurm.parse_options(text, "24.05")["options"] == {"comment": "a b"}
    [problem] = slurm.parse_options(text, "23.11")["problems"]
    assert problem["option"] == "b"


def test_a_list_of_words_is_not_split_again():
    answer = slurm.parse_options(["--comment", "a b", "-J", "'x'"])
    assert answer["options"] == {"comment": "a b", "job-name": "'x'"}


@pytest.mark.parametrize("text", ["--comment='a b", '-p main --comment "a', "--comment ''"])
def test_quotes_that_do_not_close_or_hold_nothing_are_problems(text):
    assert slurm.parse_options(text)["problems"]


def test_options_of_some_releases_are_notes_until_the_release_is_known():
    text = "--stepmgr --power=level --requeue=expedite --nodes=1,3 --res=r"
    notes = slurm.parse_options(text)["notes"]
    assert [each["option"] for each in notes] == ["--stepmgr", "--power", "--res"]
    assert notes[0]["message"].endswith("not known to Slurm 22.05, 23.02, 23.11")
    for version, wrong in {
        "21.08.8": ["--stepmgr", "--requeue", "--nodes"],
        "22.05.8": ["--stepmgr", "--requeue", "--nodes"],
        "24.11.5": ["--power", "--requeue", "--res"],
        "26.05.5": ["--power", "--res"],
        "27.11.0": ["--power", "--res"],
    }.items():
        answer = slurm.parse_options(text, version)
        assert ([each["option"] for each in answer["problems"]], answer["notes"]) == (wrong, [])


def test_exclusive_and_oversubscribe_exclude_each_other_from_23_02_on():
    text = "--exclusive -s"
    assert slurm.parse_options(text, "22.05")["problems"] == []
    assert slurm.parse_options(text, "23.02")["problems"]
    assert slurm.parse_options(text)["notes"]


def test_mail_types_that_sbatch_passes_over_are_notes():
    [note] = slurm.parse_options("--mail-type=BEGIN,STOP")["notes"]
    assert "passes over STOP" in note["message"]


def test_options_that_are_neither_text_nor_words_are_refused():
    for arguments in (None, 5, {"p": "main"}):
        with pytest.raises(SaltInvocationError, match="text or a list"):
            slurm.parse_options(arguments)


@given(st.text(st.sampled_from("-=pnNtHk \t\n15:+gm'\"\\#ae"), max_size=30))
def test_any_text_is_answered(text):
    answer = slurm.parse_options(text)
    assert all(each["message"] for each in answer["problems"] + answer["notes"])


# --- commands -------------------------------------------------------------------------------------


def as_bytes(text):
    """Return text as cmd.run_all gives it with output_encoding latin-1."""
    return text.encode("utf-8").decode("latin-1")


@pytest.fixture
def slurm_says(monkeypatch):
    """Put a stand-in under cmd.run_all: answers in turn, and what was asked."""
    calls: list = []
    answers: list = []

    def run_all(argv, **kwargs):
        calls.append(SimpleNamespace(argv=argv, **kwargs))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(argv)
        if isinstance(answer, Exception):
            raise answer
        code, out, err = answer if isinstance(answer, tuple) else (0, answer, "")
        return {"retcode": code, "stdout": as_bytes(out), "stderr": as_bytes(err), "pid": 1}

    monkeypatch.setattr(slurm, "__salt__", {"cmd.run_all": run_all}, raising=False)
    monkeypatch.setattr(slurm.time, "sleep", lambda seconds: None)
    users = {"root": 0, "toor": 0, "galaxy": 2001}
    monkeypatch.setattr(slurm.pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=users[name]))
    return SimpleNamespace(calls=calls, answers=answers)


def table(rows):
    """Answer sinfo or squeue in whatever format was asked for."""

    def answer(argv):
        form = argv[argv.index("--format") + 1]
        (field, *_), (end,) = re.findall(r"%\w(<\w+\|)", form), re.findall(r"<\w+>$", form)
        return "".join(field.join(row) + end + "\n" for row in rows)

    return answer


def record(state="COMPLETED", code="0:0", name="x", job=5, extra=""):
    return (
        f"JobId={job} {extra}JobName={name}\n   UserId=g(2001) GroupId=g(2001) MCS_label=N/A\n"
        f"   Priority=1 Nice=0 Account=l QOS=n\n   JobState={state} Reason=Why Dependency=(null)\n"
        f"   ExitCode={code}\n   RunTime=00:01:05 TimeLimit=1-00:00:00\n   NodeList=n1\n\n"
    )


UNREACHABLE = (1, "", "slurm_load_jobs error: Unable to contact slurm controller\n")
INVALID = (1, "", "slurm_load_jobs error: Invalid job id specified\n")


@pytest.mark.parametrize(
    "ask", [slurm.nodes, slurm.sinfo, slurm.squeue, slurm.config, slurm.ping, slurm.version,
            slurm.hardware]
)  # fmt: skip
def test_a_controller_that_does_not_answer_is_an_error_in_slurms_words(slurm_says, ask):
    slurm_says.answers.append((1, "", "slurm_load_node error: Unable to contact slurm controller"))
    with pytest.raises(CommandExecutionError, match="Unable to contact slurm controller"):
        ask(timeout=7)
    assert slurm_says.calls[0].timeout == 7
    assert slurm_says.calls[0].python_shell is False


def test_no_answer_at_all_is_bounded(slurm_says):
    slurm_says.answers.append((1, "['scontrol'] : Timed out after 3 seconds", ""))
    with pytest.raises(CommandExecutionError, match="no answer within 3 s"):
        slurm.nodes(timeout=3)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: slurm.srun(["sleep", "9"], runas="galaxy", timeout=3),
         "srun: sleep had not ended after 3 s, and was stopped with its job"),
        (lambda: slurm.sbatch("#!/bin/sh", runas="galaxy", timeout=3),
         "sbatch got no answer within 3 s: .* It may have the job all the same"),
    ],
)  # fmt: skip
def test_a_bound_that_is_reached_says_what_became_of_the_job(slurm_says, ask, says):
    slurm_says.answers.append((1, "['x'] : Timed out after 3 seconds", ""))
    with pytest.raises(CommandExecutionError, match=f"^{says}"):
        ask()


def test_a_host_without_slurm_says_so(slurm_says):
    slurm_says.answers.append(CommandExecutionError("Unable …, reason: [Errno 2] No such file"))
    with pytest.raises(
        CommandExecutionError, match=r"^sinfo cannot be run on this host: \[Errno 2"
    ):
        slurm.sinfo()


def test_an_unknown_node_is_named_without_the_others_records(slurm_says):
    slurm_says.answers.append((1, "NodeName=n1 Arch=x\n   State=IDLE\n\nNode n9 not found\n", ""))
    with pytest.raises(CommandExecutionError, match=r"^scontrol: Node n9 not found$"):
        slurm.nodes("n1,n9")


def test_the_environment_cannot_change_what_is_asked(slurm_says, monkeypatch):
    monkeypatch.setenv("SQUEUE_STATES", "all")
    monkeypatch.setenv("SLURM_CLUSTERS", "other")
    monkeypatch.setenv("SLURM_CONF", "/srv/slurm.conf")
    slurm_says.answers.append(table([]))
    slurm.squeue()
    (call,) = slurm_says.calls
    assert call.clean_env is True and call.env["SLURM_CONF"] == "/srv/slurm.conf"
    assert not {"SQUEUE_STATES", "SLURM_CLUSTERS"} & set(call.env)


def test_a_jobs_environment_is_its_users_own(slurm_says):
    slurm_says.answers.append("5\n")
    slurm.sbatch("#!/bin/sh\n", runas="galaxy")
    assert not hasattr(slurm_says.calls[0], "env")


def test_bytes_that_are_no_utf8_are_replaced(slurm_says, monkeypatch):
    monkeypatch.setitem(
        slurm.__salt__,
        "cmd.run_all",
        lambda argv, **kwargs: {"retcode": 0, "stdout": "A = gr\xc3\xbc\xff\n", "stderr": ""},
    )
    assert slurm.config() == {"A": "grü\ufffd"}


def test_sinfo_merges_the_states_of_a_partition(slurm_says):
    slurm_says.answers.append(
        table(
            [
                ("main", "main*", "up", "1-00:00:00", "1/0/1/2", "2/0/2/4", "mixed", "n[1-2]"),
                ("main", "main*", "up", "1-00:00:00", "0/1/0/1", "0/2/0/2", "idle", "n3"),
                ("empty", "empty", "down", "infinite", "0/0/0/0", "0/0/0/0", "n/a", ""),
            ]
        )
    )
    found = slurm.sinfo()
    assert found["main"]["nodes"] == {"allocated": 1, "idle": 1, "other": 1, "total": 3}
    assert found["main"]["nodelist"] == "n[1-3]" and found["main"]["default"] is True
    assert found["main"]["time_limit"] == 86400
    assert found["main"]["states"] == {"mixed": "n[1-2]", "idle": "n3"}
    assert found["empty"]["states"] == {} and found["empty"]["time_limit"] is None


def test_sinfo_of_named_partitions_sees_hidden_ones(slurm_says):
    row = ("up", "infinite", "0/1/0/1", "0/2/0/2", "idle", "n1")
    slurm_says.answers.append(table([(name, name, *row) for name in ("a", "b", "c")]))
    assert set(slurm.sinfo(partition="c,a,none")) == {"a", "c"}
    (call,) = slurm_says.calls
    assert "--all" in call.argv and not [word for word in call.argv if "partition" in word]


@given(names=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=3))
def test_squeue_keeps_any_name_whole(names):
    rows = []
    for number, name in enumerate(names):
        row = dict.fromkeys(slurm._SQUEUE_FIELDS, "N/A")
        row.update(id=f"{number}_[1-2%1]", job=str(number), name=name, state="RUNNING", time="1:05",
                   time_limit="UNLIMITED", nodes="1", cpus="2", uid="7", priority="9")  # fmt: skip
        rows.append(row.values())
    answer = table(rows)
    vars(slurm)["__salt__"] = {
        "cmd.run_all": lambda argv, **kw: {
            "retcode": 0,
            "stdout": as_bytes(answer(argv)),
            "stderr": "",
        }
    }
    try:
        found = slurm.squeue()
    finally:
        del slurm.__salt__
    assert [job["name"] for job in found] == names
    assert found[0]["time"] == 65 and found[0]["time_limit"] is None and found[0]["cpus"] == 2


def test_squeue_asks_for_users_by_number(slurm_says):
    slurm_says.answers.append("")
    assert slurm.squeue(user="galaxy,root,1007") == []
    assert "--user=2001,0,1007" in slurm_says.calls[0].argv
    with pytest.raises(SaltInvocationError, match=r"user: .*ada"):
        slurm.squeue(user="galaxy,ada")


def test_sbatch_gives_the_script_on_stdin_and_returns_the_id(slurm_says):
    slurm_says.answers.append("123;cluster\n")
    options = {"partition": "main", "n": 2, "hold": True, "mail_type": None, "x": False}
    assert slurm.sbatch("#!/bin/sh\ntrue\n", options=options, runas="galaxy") == 123
    call = slurm_says.calls[0]
    assert call.argv == ["sbatch", "--parsable", "--partition=main", "-n", "2", "--hold"]
    assert (call.runas, call.stdin) == ("galaxy", "#!/bin/sh\ntrue\n")


def test_sbatch_gives_a_text_with_arguments_in_a_file_of_the_users(slurm_says, monkeypatch):
    owners = {}
    monkeypatch.setattr(slurm.os, "chown", lambda path, uid, gid: owners.update({str(path): uid}))
    seen = []

    def submit(argv):
        seen.append(Path(argv[-2]).read_text())
        return "125\n"

    slurm_says.answers.append(submit)
    assert slurm.sbatch("#!/bin/sh\ntrue\n", args=["a b"], runas="galaxy") == 125
    *_, path, word = slurm_says.calls[0].argv
    assert (seen, word, Path(path).name) == (["#!/bin/sh\ntrue\n"], "a b", "sbatch")
    assert owners == {path: 2001, str(Path(path).parent): 2001}
    assert not Path(path).parent.exists()


def test_sbatch_of_a_path_with_arguments(slurm_says):
    slurm_says.answers.append("sbatch: a word of the site\n124\n")
    assert slurm.sbatch("/srv/x.sh", args=["a b"], runas="galaxy") == 124
    assert slurm_says.calls[0].argv == ["sbatch", "--parsable", "/srv/x.sh", "a b"]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({}, "runas is missing"),
        ({"runas": "root"}, "is root"),
        ({"runas": "toor"}, "is root"),
        ({"runas": "nobody-here"}, "no user"),
        ({"runas": "galaxy", "script": "sleep 1"}, "neither an absolute path"),
        ({"runas": "galaxy", "options": ["-n"]}, "options is a mapping"),
    ],
)
def test_sbatch_refuses_what_cannot_be_meant(slurm_says, kwargs, words):
    slurm_says.answers.append("1\n")
    with pytest.raises(SaltInvocationError, match=words):
        slurm.sbatch(**{"script": "#!/bin/sh\n", **kwargs})
    assert slurm_says.calls == []


def test_sbatch_as_root_when_it_is_said(slurm_says):
    slurm_says.answers.append("1\n")
    slurm.sbatch("#!/bin/sh\n", allow_root=True)
    assert slurm_says.calls[0].runas == "root"


def test_a_refused_job_is_an_error_in_slurms_words(slurm_says):
    slurm_says.answers.append((1, "", "sbatch: error: invalid partition specified: x\n"))
    with pytest.raises(CommandExecutionError, match=r"^sbatch: error: invalid partition"):
        slurm.sbatch("#!/bin/sh\n", runas="galaxy")


def test_a_job_is_tried_without_being_submitted(slurm_says):
    words = "sbatch: Job 5 to start at 2026-11-24T11:02:48 using 1 processors on nodes node1"
    slurm_says.answers += [(0, "", words + "\n"), (1, "", "allocation failure: No partition\n")]
    assert slurm.test_only({"partition": "main", "mem": "4G"}, user="galaxy") == {
        "ok": True, "message": words.removeprefix("sbatch: "),
    }  # fmt: skip
    call = slurm_says.calls[0]
    assert call.argv == ["sbatch", "--partition=main", "--mem=4G", "--test-only"]
    assert (call.runas, call.stdin, call.timeout) == ("galaxy", "#!/bin/sh\n", 60)
    refused = {"ok": False, "message": "allocation failure: No partition"}
    assert slurm.test_only({"partition": "x"}) == refused
    assert not hasattr(slurm_says.calls[1], "runas")


def test_a_job_is_tried_as_no_other_user_than_that_one(slurm_says):
    slurm_says.answers.append("")
    for user, words in (("root", "is root"), ("toor", "is root"), ("ada", "no user")):
        with pytest.raises(SaltInvocationError, match=words):
            slurm.test_only({}, user=user)
    assert slurm_says.calls == []


def test_a_job_is_not_tried_without_a_controller(slurm_says):
    lost = "sbatch: error: Unable to contact slurm controller (connect failure)\n"
    slurm_says.answers += [
        (1, "", "allocation failure: " + lost),
        (1, "Timed out after 60 seconds", ""),
    ]
    for _ in range(2):
        with pytest.raises(CommandExecutionError, match=r"sbatch.*(?:contact|no answer)"):
            slurm.test_only({}, user="galaxy")


def test_srun_returns_what_the_command_returned(slurm_says):
    slurm_says.answers.append((7, "out", "err"))
    assert slurm.srun(["false"], options={"nodes": 1}, runas="galaxy") == {
        "stdout": "out", "stderr": "err", "retcode": 7,
    }  # fmt: skip
    assert slurm_says.calls[0].argv == ["srun", "--nodes=1", "--", "false"]


@pytest.mark.parametrize("job_id", ["x", "1;2", "", "-1", "--me"])
def test_cancel_refuses_what_is_no_job(slurm_says, job_id):
    with pytest.raises(SaltInvocationError, match="no job id"):
        slurm.cancel(job_id)


def test_cancel_tells_a_job_that_is_not_there_from_one_that_has_ended(slurm_says):
    begins = "scancel: Terminating job 9\nscancel: error: Kill job error on job id 9: "
    slurm_says.answers += [
        (0, "", begins + "Job/step already completing or completed\n"),
        (0, "", begins + "Invalid job id specified\n"),
        (1, "", begins + "Unable to contact slurm controller (connect failure)\n"),
    ]
    assert slurm.cancel(9) is True
    for words in ("Invalid job id specified", "Unable to contact slurm controller"):
        with pytest.raises(CommandExecutionError, match=f"^scancel: error: Kill .* 9: {words}"):
            slurm.cancel(9)


def test_drain_and_resume(slurm_says):
    slurm_says.answers.append("")
    assert slurm.drain(["n1", "n2"], "new disks") is True
    assert slurm_says.calls[0].argv == [
        "scontrol", "update", "NodeName=n[1-2]", "State=DRAIN", "Reason=new disks",
    ]  # fmt: skip
    slurm.resume("n1")
    assert slurm_says.calls[1].argv[-1] == "State=RESUME"
    with pytest.raises(SaltInvocationError, match="reason"):
        slurm.drain("n1", "")


def test_job_shows_one_record_or_all_of_them(slurm_says):
    slurm_says.answers += [record(), record() + record(job=6, extra="ArrayJobId=5 ArrayTaskId=1 ")]
    assert slurm.job(5)["JobState"] == "COMPLETED" and slurm_says.calls[0].argv[-1] == "5"
    assert [part["JobId"] for part in slurm.job(5)["Members"]] == ["5", "6"]


def test_wait_job_polls_until_the_end(slurm_says):
    slurm_says.answers += [
        record("PENDING"),
        UNREACHABLE,
        record("RUNNING"),
        record("FAILED", "3:0"),
    ]
    assert slurm.wait_job(5) == {
        "state": "FAILED", "exit_code": 3, "signal": 0, "nodes": "n1", "seconds": 65,
        "source": "scontrol",
    }  # fmt: skip


def test_wait_job_reports_the_part_that_failed(slurm_says):
    slurm_says.answers.append(record() + record("TIMEOUT", "0:15", job=6))
    assert slurm.wait_job(5)["state"] == "TIMEOUT"


def test_wait_job_reports_the_first_task_that_failed_whatever_their_order(slurm_says):
    slurm_says.answers.append(
        record("FAILED", "5:0", job=7, extra="ArrayJobId=7 ArrayTaskId=10 ")
        + record("FAILED", "4:0", job=6, extra="ArrayJobId=7 ArrayTaskId=9 ")
        + record(job=5, extra="ArrayJobId=7 ArrayTaskId=1 ")
    )
    assert slurm.wait_job(7)["exit_code"] == 4


def test_wait_job_is_bounded(slurm_says):
    slurm_says.answers.append(record("PENDING"))
    with pytest.raises(CommandExecutionError, match=r"not ended in 0 s: PENDING \(Why\)"):
        slurm.wait_job(5, timeout=0)


def test_a_forgotten_job_is_looked_up_in_accounting(slurm_says):
    slurm_says.answers += [INVALID, "CANCELLED by 2001|0:15|n1|42\n"]
    assert slurm.wait_job(5) == {
        "state": "CANCELLED", "exit_code": 0, "signal": 15, "nodes": "n1", "seconds": 42,
        "source": "sacct",
    }  # fmt: skip


@pytest.mark.parametrize("answer", ["", (1, "", "Slurm accounting storage is disabled")])
def test_a_job_that_nobody_remembers_is_unknown(slurm_says, answer):
    slurm_says.answers += [INVALID, answer]
    found = slurm.wait_job(5)
    assert found["state"] == "UNKNOWN" and "cannot be told" in found["comment"]


def test_test_job_judges_by_the_exit_code(slurm_says):
    slurm_says.answers += ["5\n", record("FAILED", "9:0")]
    found = slurm.test_job(node="n1", command="exit 9", runas="galaxy")
    assert found["ok"] is False and found["job_id"] == 5 and "exit code 9" in found["comment"]
    assert "--nodelist=n1" in slurm_says.calls[0].argv
    assert "--output=/dev/null" in slurm_says.calls[0].argv


def test_test_job_cancels_what_did_not_end(slurm_says):
    slurm_says.answers += ["5\n", record("PENDING"), ""]
    found = slurm.test_job(partition="main", runas="galaxy", timeout=0)
    assert found["ok"] is False and "PENDING (Why)" in found["comment"]
    assert slurm_says.calls[-1].argv == ["scancel", "5"]


def test_test_job_that_passes_leaves_nothing(slurm_says):
    slurm_says.answers += ["5\n", record()]
    assert slurm.test_job(runas="galaxy")["ok"] is True
    assert [call.argv[0] for call in slurm_says.calls] == ["sbatch", "scontrol"]


def test_every_public_function_is_documented():
    public = [
        value
        for name, value in vars(slurm).items()
        if callable(value) and not name.startswith("_") and not isinstance(value, type)
    ]
    assert len(public) > 20
    for function in public:
        assert "CLI Example:" in function.__doc__ and "Returns" in function.__doc__, function
