"""_modules/slurm_conf.py beside Slurm's own programs: what they refuse is an error, and no more."""

import io
import random
import tarfile

from engine import docker
from loading import load

slurm = load("_modules/slurm.py")
parameters = load("_modules/slurm_parameters.py")
slurm_conf = load(
    "_modules/slurm_conf.py",
    __salt__={
        "slurm.hostlist_expand": slurm.hostlist_expand,
        "slurm.hostlist_fold": slurm.hostlist_fold,
        "slurm_parameters.table": parameters.table,
    },
)

# What the two programs accept, and docs/slurm-conf-codes.rst calls a trap.
TRAPS = {"SC107", "SC206", "SC303", "SC401", "SC402", "SC403", "SC404"}

BASE = """\
ClusterName=test
SlurmctldHost=head
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdSpoolDir=/tmp/slurmd
StateSaveLocation=/tmp/slurmctld
ReturnToService=1
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_window=60,defer
NodeName=DEFAULT CPUs=2 State=UNKNOWN
NodeName=n[1-4] RealMemory=1000 Weight=3
NodeName=n5 Feature=big,"fast"
NodeSet=fast Feature=big
PartitionName=DEFAULT MaxTime=1-00:00:00
PartitionName=main Nodes=n[1-4] Default=YES
PartitionName=more Nodes=ALL OverSubscribe=FORCE:2
DownNodes=n4 State=DOWN Reason="no fan"
""".splitlines()

# Where a value counts on this host only or beside others; MaxStepCount=0 is not in the tables.
SPECIAL = {"fastschedule", "maxnodecount", "port", "maxstepcount"}
NUMBERS = ["0", "1", "7", "300", "65535", "65536", "-1", "1k", "0x10", "08"]
HUGE = ["4294967295", "4294967296"]  # not for times, which Slurm lets wrap around
WORDS = ["YES", "NO", "true", "INFINITE", "UNLIMITED", "many", "1.5", "12:00:00", '""', "10 20"]

ORACLE = r"""
cd /root/oracle
for conf in [0-9]*.conf; do
    export SLURM_CONF=/root/oracle/$conf
    one=$(timeout 60 scontrol show hostnames n1 2>&1) && one=
    two=$(timeout 60 slurmd -f "$SLURM_CONF" -N n1 -G 2>&1) && two=
    said=$(printf '%s\n' "$one" "$two" | grep -E '(error|fatal): ')
    printf '%s\t%s\n' "$conf" "$(echo "$said" | tr '\n\t' '  ')"
done
"""


def mutated(seed: int, version: str) -> str:
    """Return a configuration with one or two random changes, some of them harmless."""
    rng = random.Random(seed)  # noqa: S311, the same in every run
    lines = list(BASE)
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                del lines[at]
            case 1:
                lines.append(lines[at])
            case 2:
                lines[at] = lines[at].lower()
            case 3:
                key, _, value = lines[at].partition("=")
                cut = rng.randrange(len(key))
                lines[at] = f"{key[:cut]}{key[cut + 1 :]}={value}"
            case 4:
                lines[at] = lines[at].replace("=", rng.choice((" = ", "= ", "", "+=", "==")), 1)
            case 5:
                lines[at] += rng.choice((" # x", " x", ' "', " X=1", "\\\n", " \\#", "\t"))
            case _:
                lines.append(assignment(rng, version))
    return "\n".join(lines) + "\n"


def assignment(rng: random.Random, version: str) -> str:
    """Return a line with a random parameter and a value that may or may not be of its kind."""
    section = rng.choice(("slurm.conf", "slurm.conf", "NodeName", "PartitionName"))
    rows = [
        row
        for key, row in parameters.table(section, version).items()
        if key not in SPECIAL
        and (row["values"] or row["kind"] in ("uint16", "uint32", "uint64", "yes_no", "time"))
    ]
    row = rng.choice(rows)
    huge = [] if row["kind"] == "time" else HUGE
    value = rng.choice([*NUMBERS, *huge, *WORDS, *(row["values"] or [])])
    first = {"slurm.conf": "", "NodeName": "NodeName=n9 ", "PartitionName": "PartitionName=p "}
    return f"{first[section]}{row['name']}={value}"


def configurations(version: str, count: int = 120) -> list[str]:
    """Return the configurations of a test."""
    return ["\n".join(BASE) + "\n", *(mutated(seed, version) for seed in range(count))]


def cgroup_conf(version: str) -> str:
    """Return the cgroup.conf with which slurmd can look at a configuration in the lab."""
    return "" if version.startswith("22.05") else "CgroupPlugin=disabled\n"


def judged(container: str, version: str, texts: list[str]) -> list[str]:
    """Return what Slurm's programs on a host say against each configuration."""
    files = {f"{number:04d}.conf": text for number, text in enumerate(texts)}
    files["cgroup.conf"] = cgroup_conf(version)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"oracle/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    docker("exec", container, "rm", "-rf", "/root/oracle")
    docker("exec", "-i", container, "tar", "-C", "/root", "-x", input=buffer.getvalue())
    answer = docker("exec", container, "sh", "-c", ORACLE)
    said = [line.partition("\t")[2].strip() for line in answer.splitlines()]
    # That the node which slurmd was told to be is gone is no fault of the configuration.
    return ["" if "Unable to find node record" in one else one for one in said]


def differences(version: str, texts: list[str], said: list[str]) -> list[str]:
    """Tell where lint and Slurm differ."""
    wrong = []
    for text, complaint in zip(texts, said, strict=True):
        errors = [
            finding
            for finding in slurm_conf.lint({"slurm.conf": text}, version=version)
            if finding["level"] == "error" and finding["code"] not in TRAPS
        ]
        if bool(errors) != bool(complaint):
            shown = [line for line in text.splitlines() if line not in BASE]
            wrong.append(f"{shown}\n    Slurm: {complaint[-300:]}\n    lint: {errors}")
    return wrong


def test_what_slurm_refuses_is_an_error_and_no_more(cluster, call):
    version = call("slurm.version", host="node1")
    texts = configurations(version)
    said = judged(cluster.container("node1"), version, texts)
    assert len(said) == len(texts)
    assert said[0] == ""
    assert len(texts) / 4 < sum(map(bool, said)) < len(texts) * 3 / 4
    wrong = differences(version, texts, said)
    assert wrong == [], "\n".join(wrong)


def test_check_asks_the_programs_of_the_host(call, cluster):
    version = call("slurm.version", host="node1")
    good = {"slurm.conf": "\n".join(BASE) + "\n", "cgroup.conf": cgroup_conf(version)}
    checked = call("slurm_conf.check", good, host="node1", training=True)
    assert checked["result"] is True, checked
    assert checked["judges"] == ["lint", "scontrol show hostnames", "slurmd -G"]
    bad = {**good, "slurm.conf": good["slurm.conf"] + "JobRequeue=YES\n"}
    checked = call("slurm_conf.check", bad, host="node1")
    assert checked["result"] is False
    assert {f["judge"] for f in checked["findings"] if f["level"] == "error"} == {
        "lint",
        "scontrol show hostnames",
        "slurmd -G",
    }
    assert cluster.exec("node1", ["sh", "-c", "ls -d /tmp/slurm_conf.* || true"]).stdout == ""


def test_the_examples_of_the_packages_have_no_errors_but_what_slurm_refuses(cluster, call):
    version = call("slurm.version", host="node1")
    folder = "/usr/share/doc/slurmd/examples"
    names = cluster.exec("node1", ["ls", folder]).stdout.split()
    errors = {}
    for name in names:
        stem, conf, _ = name.partition(".conf")
        if conf:
            text = cluster.exec("node1", ["zcat", "-f", f"{folder}/{name}"]).stdout
            found = slurm_conf.lint({stem + conf: text}, version=version)
            errors[stem] = [one["message"] for one in found if one["level"] == "error"]
    # Debian's cgroup.conf still has it, and slurmd ends with it.
    gone = ["ConstrainKmemSpace was removed in Slurm 23.11; remove it"]
    expected = {"slurm": [], "slurmdbd": [], "cgroup": gone if version >= "23.11" else []}
    assert errors == expected
