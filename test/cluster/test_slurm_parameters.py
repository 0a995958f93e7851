"""The tables of parameters beside what real binaries accept, so that the tables cannot rot."""

import json
import re
import textwrap

import pytest
from lab import Lab, name_for_tests
from loading import load

from cluster.conftest import SUITES

TABLES = load("_modules/slurm_parameters.py")
LINES = {
    "slurm.conf": "",
    "NodeName": "NodeName=n2 ",
    "PartitionName": "PartitionName=p ",
    "NodeSet": "NodeSet=s ",
    "DownNodes": "DownNodes=n2 ",
    "PowerAction": "PowerAction=a Location=slurmctld Program=/bin/true ",
}
NUMBERS = ("uint16", "uint32", "uint64")
TRUTHS = ("YES", "no", "TRUE", "False", "UP", "down", "1", "0")
# One good value of each kind, and of the parameters that want a particular one.
GOOD = {
    "string": "x",
    "path": "/tmp",  # noqa: S108
    "words": "x",
    "hostlist": "n[2-3]",
    "time": "1:00:00",
    "ports": "6000",
    "size": "1K",
    "float": "1.5",
    "yes_no": "YES",
    "ignored": "whatever",
    **dict.fromkeys(NUMBERS, "1"),
}
PARTICULAR = {
    "BcastExclude": "/opt",
    "SlurmUser": "root",
    "SlurmdUser": "root",
    "MCSParameters": "x\nMCSPlugin=mcs/user",
    "MaxNodeCount": "100\nSelectType=select/cons_tres",
    "SlurmSchedLogLevel": "1\nSlurmSchedLogFile=/tmp/sched",
    "PreemptMode": "OFF",
    "TaskPluginParam": "Verbose",
    "Location": "slurmctld",
    "PrologFlags": "Alloc",
    "CgroupPlugin": "disabled",
}
# Modes of preemption that go with a plugin only, some beside another mode.
PREEMPT = {
    ("PreemptMode", "CANCEL"): "qos\nPreemptMode=CANCEL",
    ("PreemptMode", "REQUEUE"): "qos\nPreemptMode=REQUEUE",
    ("PreemptMode", "SUSPEND"): "partition_prio\nPreemptMode=SUSPEND,GANG",
    ("PreemptMode", "WITHIN"): "qos\nPreemptMode=CANCEL,WITHIN",
    ("PreemptMode", "PRIORITY"): "qos\nPreemptMode=CANCEL,PRIORITY",
}

# Runs on the host: a configuration for each line, and what the binary says to it.
JUDGE = textwrap.dedent(
    """
    import json, os, pathlib, subprocess, sys, tempfile

    task = json.load(sys.stdin)
    folder = pathlib.Path(tempfile.mkdtemp())
    environ = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "LC_ALL": "C"}
    said = []
    for case in task["cases"]:
        for name, text in {**task["files"], **case}.items():
            (folder / name).write_text(text)
        done = subprocess.run(
            task["argv"], env=environ, capture_output=True, text=True, timeout=30
        )
        said.append([done.returncode, done.stdout + done.stderr])
    print(json.dumps(said))
    """
)

# Runs on the host: every word in the library that may be a parameter. The linker keeps a string
# that is the end of another one inside that, so the ends count too.
STRINGS = textwrap.dedent(
    """
    import glob, json, pathlib, re

    (library,) = glob.glob("/usr/lib/*/slurm*/libslurmfull.so")
    found = set()
    for word in re.findall(rb"[A-Z][A-Za-z0-9]{1,39}(?=\\0)", pathlib.Path(library).read_bytes()):
        word = word.decode()
        found |= {word[at:] for at in range(len(word) - 2) if word[at].isupper()}
    print(json.dumps(sorted(found)))
    """
)


class Binaries:
    """Slurm's programs on a host of the lab, as judges of configuration files."""

    def __init__(self, lab):
        self.lab = lab
        said = lab.exec("single", ["scontrol", "-V"]).stdout
        self.version = ".".join(said.split()[-1].split(".")[:2])
        find = "dirname /usr/lib/*/slurm*/libslurmfull.so"
        self.plugins = lab.exec("single", ["sh", "-c", find]).stdout.strip()

    def python(self, script, task=None):
        """Run a script on the host and return the JSON that it prints."""
        argv = ["python3", "-c", script]
        return json.loads(self.lab.exec("single", argv, json.dumps(task), timeout=600).stdout)

    def scontrol(self, lines):
        """Return the exit status and the output of scontrol for each line of a slurm.conf."""

        def conf(line):
            cluster = "" if line.lower().startswith("clustername") else "ClusterName=x\n"
            host = "" if line.lower().startswith("slurmctldhost") else "SlurmctldHost=n1\n"
            return {"slurm.conf": f"{cluster}{host}{line}\n"}

        argv = ["scontrol", "show", "hostnames", "n1"]
        task = {"argv": argv, "files": {}, "cases": [conf(line) for line in lines]}
        return self.python(JUDGE, task)

    def slurmd(self, file, lines):
        """Return what slurmd says to each line of a cgroup.conf or a gres.conf."""
        slurm = ["ClusterName=x", "SlurmctldHost=single", "NodeName=single CPUs=1", "GresTypes=gpu"]
        slurm += ["ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none"]
        # 22.05 knows no plugin of this name, and later versions find no cgroup to own here.
        cgroup = "" if self.version == "22.05" else "CgroupPlugin=disabled\n"
        files = {"slurm.conf": "\n".join(slurm) + "\n", "cgroup.conf": cgroup, "gres.conf": ""}
        argv = ["slurmd", "-N", "single", "-G"]
        cases = [{file: files[file] + line + "\n"} for line in lines]
        return self.python(JUDGE, {"argv": argv, "files": files, "cases": cases})


@pytest.fixture(scope="module", params=SUITES)
def binaries(request):
    """Return the programs of a Debian's Slurm, whose version the tables know."""
    lab = Lab(name_for_tests(f"parameters-{request.param}"), topology="single", suite=request.param)
    lab.down()
    lab.up()
    found = Binaries(lab)
    if found.version not in TABLES.versions():
        pytest.skip(f"Slurm {found.version} is not in the tables")
    yield found
    lab.down()


@pytest.fixture
def rows(binaries):
    """Return the rows of slurm.conf and its lines that this version accepts, with their lines."""
    return [
        (LINES[section], row)
        for section in LINES
        for row in TABLES.table(section, binaries.version).values()
        if row["kind"] != "line"
    ]


def good(row):
    """Return a value that a parameter takes."""
    words = row["values"] or [GOOD.get(row["kind"])]
    least = row["range"] and str(row["range"][0])
    return PARTICULAR.get(row["name"]) or least or words[0]


def refused(lines, said):
    """Return the lines that were refused, with the reason, to compare with none."""
    pairs = zip(lines, said, strict=True)
    return [f"{line}: {text.splitlines()[:2]}" for line, (status, text) in pairs if status]


def accepted(lines, said):
    """Return the lines that were accepted, to compare with none."""
    return [line for line, (status, _) in zip(lines, said, strict=True) if not status]


def test_takes_every_parameter_of_its_version(binaries, rows):
    # Plugins apart: from 24.11 on a command loads some, so their values are the plugins' to judge.
    plain = [(line, row) for line, row in rows if not row["plugin"] and row["name"] != "PluginDir"]
    lines = [f"{line}{row['name']}={good(row)}" for line, row in plain]
    assert len(lines) > 250
    lines.append(f"PluginDir={binaries.plugins}")
    assert not refused(lines, binaries.scontrol(lines))
    lines = [f"{line}{row['name']}=x" for line, row in rows if row["plugin"]]
    said = binaries.scontrol(lines)
    assert [s for s in zip(lines, said, strict=True) if "unrecognized key" in s[1][1]] == []


def test_debian_is_not_built_for_front_ends(binaries):
    ((status, text),) = binaries.scontrol(["FrontendName=f"])
    assert status
    known = "frontendname" in TABLES.table("slurm.conf", binaries.version)
    assert ("without Slurm being configured" in text) == known


def test_refuses_the_parameters_of_other_versions(binaries):
    lines = [
        f"{line}{row['name']}={good(row)}"
        for section, line in LINES.items()
        for name, row in TABLES.table(section).items()
        if name not in TABLES.table(section, binaries.version) and row["kind"] != "line"
    ]
    assert len(lines) > 10
    assert not accepted(lines, binaries.scontrol(lines))


def test_takes_no_parameter_that_the_tables_do_not_know(binaries):
    words = binaries.python(STRINGS)
    assert {"SelectType", "RealMemory", "MaxTime"} <= set(words)
    unknown = []
    for section in ("slurm.conf", "NodeName", "PartitionName"):
        known = TABLES.table(section, binaries.version)
        asked = [word for word in words if word.lower() not in (*known, "include")]
        lines = [f"{LINES[section]}{word}=1" for word in asked]
        said = binaries.scontrol(lines)
        unknown += [
            line
            for line, (_, text) in zip(lines, said, strict=True)
            if not re.search("unrecognized key|has been removed", text)
        ]
    assert unknown == []


def test_a_boolean_is_taken_where_the_tables_say_so(binaries, rows):
    lines = [
        f"{line}{row['name']}={word}"
        for line, row in rows
        if row["kind"] == "yes_no"
        for word in TRUTHS
    ]
    assert not refused(lines, binaries.scontrol(lines))
    lines = [f"{line}{row['name']}=maybe" for line, row in rows if row["kind"] == "yes_no"]
    assert not accepted(lines, binaries.scontrol(lines))


def test_a_number_or_a_time_is_no_boolean(binaries, rows):
    kinds = (*NUMBERS, "time", "float")
    names = [f"{line}{row['name']}" for line, row in rows if row["kind"] in kinds]
    lines = [f"{name}={word}" for name in names for word in ("YES", "no", "soon")]
    assert len(lines) > 200
    assert not accepted(lines, binaries.scontrol(lines))


def test_a_number_is_bounded_by_its_kind_and_its_range(binaries, rows):
    bits = {"uint16": 16, "uint32": 32, "uint64": 64}
    numbers = [(f"{line}{row['name']}", row) for line, row in rows if row["kind"] in bits]
    beyond = [f"{name}={2 ** bits[row['kind']]}" for name, row in numbers]
    beyond += [f"{name}=-1" for name, _ in numbers]
    within = []
    for name, row in numbers:
        least, most = row["range"] or (0, None)
        if least:
            within.append(f"{name}={least}")
            beyond.append(f"{name}={least - 1}")
        if most and most < 2 ** bits[row["kind"]] - 1:
            within.append(f"{name}={most}")
            beyond.append(f"{name}={most + 1}")
    assert not accepted(beyond, binaries.scontrol(beyond))
    assert not refused(within, binaries.scontrol(within))


def test_takes_the_words_of_a_closed_list_and_no_others(binaries, rows):
    closed = [(f"{line}{row['name']}", row) for line, row in rows if row["values"]]
    modes = dict(closed)["PreemptMode"]["values"]
    lines = [
        f"{name}={word}"
        for name, row in closed
        for word in row["values"]
        if (name, word) not in PREEMPT
    ]
    lines += [f"PreemptType=preempt/{PREEMPT[one]}" for one in PREEMPT if one[1] in modes]
    lines += ["PartitionName=p OverSubscribe=FORCE:4"]
    assert not refused(lines, binaries.scontrol(lines))
    lines = [f"{name}=neverheard" for name, _ in closed]
    assert not accepted(lines, binaries.scontrol(lines))


def unreadable(said):
    """Tell whether slurmd would not read a file, whatever it thought of the rest."""
    return bool(re.search(r"unrecognized key|not a valid|has been removed|error opening", said[1]))


def test_slurmd_takes_the_cgroup_conf_of_its_version(binaries):
    known = TABLES.table("cgroup.conf", binaries.version)
    lines = [
        f"{row['name']}={good(row)}" for row in known.values() if row["name"] != "CgroupPlugin"
    ]
    said = binaries.slurmd("cgroup.conf", lines)
    assert [s for s in zip(lines, said, strict=True) if unreadable(s[1])] == []
    wrong = [
        f"{row['name']}=maybe"
        for row in known.values()
        if row["kind"] in (*NUMBERS, "float", "yes_no")
    ]
    wrong += [
        f"{row['name']}=1" for name, row in TABLES.table("cgroup.conf").items() if name not in known
    ]
    said = binaries.slurmd("cgroup.conf", wrong)
    assert [s for s in zip(wrong, said, strict=True) if not unreadable(s[1])] == []


def test_slurmd_takes_the_gres_conf_of_its_version(binaries):
    known = TABLES.table("gres.conf", binaries.version)
    # slurmd waits for a device that is not there.
    values = {"path": "/dev/null", "words": "1"}
    rows = [row for row in known.values() if row["kind"] != "line"]
    lines = [f"Name=gpu {row['name']}={values.get(row['kind'], 1)}" for row in rows]
    lines.append("NodeName=single Name=gpu Count=1")
    said = binaries.slurmd("gres.conf", lines)
    assert [s for s in zip(lines, said, strict=True) if "unrecognized key" in s[1][1]] == []
    ((status, text),) = binaries.slurmd("gres.conf", ["Name=gpu Colour=1"])
    assert status
    assert "unrecognized key: Colour" in text
