"""galaxy_jobconf.check_cluster and slurm.parse_options beside the real Slurm."""

import re

import pytest
import yaml
from loading import load

slurm = load("_modules/slurm.py")


def conf(**destinations):
    """Return a job configuration whose destinations go through sbatch."""
    environments = {
        name: {"runner": "cli", "job_plugin": "Slurm", "shell_plugin": "LocalShell", **params}
        for name, params in destinations.items()
    }
    return {
        "runners": {"cli": {"load": "galaxy.jobs.runners.cli:ShellJobRunner"}},
        "execution": {"default": next(iter(environments)), "environments": environments},
    }


FILE = "/srv/check/job_conf.yml"


def put(cluster, configuration):
    """Write a job configuration on head."""
    cluster.exec("head", ["mkdir", "-p", "/srv/check"])
    cluster.exec("head", ["tee", FILE], input=yaml.safe_dump(configuration, sort_keys=False))


@pytest.fixture(scope="module")
def check(cluster, call):
    """Return a way to check destinations on head, as nobody."""
    cluster.exec(
        "head",
        ["scontrol", "create", "PartitionName=guarded", "Nodes=ALL", "AllowAccounts=physics"],
    )

    def check(configuration):
        put(cluster, configuration)
        return call("galaxy_jobconf.check_cluster", FILE, user="nobody")

    yield check
    cluster.exec("head", ["scontrol", "delete", "PartitionName=guarded"])


def test_destinations_that_fit_have_no_finding(check):
    answer = check(
        conf(
            plain={},
            full={"job_partition": "main", "job_ncpus": 2, "job_time": "1:00", "job_--mem": 900},
            account={"job_partition": "guarded", "job_--account": "physics"},
        )
    )
    assert answer == {"checked": ["plain", "full", "account"], "not_checked": [], "findings": []}


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"job_partition": "mian"}, "GJ901", 'there is no partition "mian"; did you mean "main"?'),
        ({"job_--mem": "4G"}, "GJ903", "it wants 4096 MiB of memory"),
        ({"job_ncpus": 64}, "GJ903", "it wants 64 CPUs"),
        ({"job_--gres": "gpu:1"}, "GJ903", "it wants gres gpu:1"),
        ({"job_time": "2-00:00:00"}, "GJ904", "above the limit of partition"),
        ({"job_partition": "guarded", "job_--account": "arts"}, "GJ902", 'the account "arts"'),
        ({"job_--reservation": "none"}, "GJ905", "Slurm refuses it"),
    ],
)
def test_a_destination_that_slurm_would_not_serve_is_found(check, params, code, words):
    answer = check(conf(wrong=params, right={}))
    (finding,) = answer["findings"]
    assert (finding["code"], finding["judge"]) == (code, "slurm")
    assert finding["where"] == 'destination "wrong"'
    assert words in finding["message"]


def test_what_cannot_be_known_is_reported_as_not_checked(check):
    configuration = conf(plain={}, templated={"job_partition": "{{ partition }}"})
    environments = configuration["execution"]["environments"]
    environments["tpv"] = {"runner": "dynamic_tpv", "tpv_config_files": ["tpv.yml"]}
    environments["remote"] = {**environments["plain"], "shell_plugin": "SecureShell"}
    answer = check(configuration)
    assert answer["checked"] == ["plain"]
    assert [(each["id"], each["why"].split(":")[0]) for each in answer["not_checked"]] == [
        ("templated", "templated"),
        ("tpv", "dynamic"),
        ("remote", "SecureShell"),
    ]


def test_a_drmaa_destination_without_its_library_is_found(check):
    answer = check(
        {
            "runners": {"slurm": {"load": "galaxy.jobs.runners.slurm:SlurmJobRunner"}},
            "execution": {
                "environments": {"big": {"runner": "slurm", "native_specification": "-p nowhere"}}
            },
        }
    )
    assert [finding["code"] for finding in answer["findings"]] == ["GJ901", "GJ906"]
    assert "there is no libdrmaa.so.1" in answer["findings"][1]["message"]


def test_a_state_holds_a_file_against_the_cluster(cluster, call):
    put(cluster, conf(wrong={"job_partition": "mian"}))
    report = call(
        "state.single",
        "galaxy_jobconf.managed",
        name="/srv/job_conf.yml",
        source=FILE,
        user="nobody",
        check_cluster=True,
    )
    (only,) = report.values()
    assert only["result"] is False
    assert "GJ901" in only["comment"]
    assert cluster.exec("head", ["test", "-e", "/srv/job_conf.yml"], check=False).returncode == 1


# What sbatch says of options that it cannot read, against parse_options.
OPTIONS = (
    """
-p main|-pmain|--partition=main|--partition main|--part=main|--p=main|-n2|-n 2|-n|-n x|--ntasks=2
--ntasks|--ntasks=two|--mem=500|--mem=4G|--mem=4GB|--mem=4GBB|--mem=x|--mem-per-cpu=100M|--time=60
--time=1:00|--time=1:00:00|--time=1-0|--time=1-00:00:00|--time=abc|--time=1:2:3:4|-t 5|-c 1|-c one
--cpus-per-task=1|--nodes=1|--nodes=1-2|--nodes=x|-N 1-2|--share|-s|--exclusive|--exclusive=user
--gpus|--foo|--foo=1|-Z|--requeue|--no-requeue|--hold=x|--nod=1|--nodel=node1|-k|--contiguous
--job-name=x|-J x|--export=ALL|--mincpus=1|--mincpus=x|--tmp=1|--tmp=x|-H|--comment=x|--licenses
--quiet|-Q|-Qv|--mail-type=END|--dependency=singleton|--gres=none|--wckey=x|--nice|--nice=5
""".replace("\n", "|")
    .strip("|")
    .split("|")
)
ASK = """
while IFS= read -r options; do
    echo "### $options"
    runuser -u nobody -- sbatch --test-only --wrap true $options 2>&1
done
"""
UNREADABLE = (
    "unrecognized option|is ambiguous|requires an argument|doesn't allow an argument"
    "|invalid option|Invalid |invalid |Unable to parse|is not a valid|numeric value"
)


def test_options_are_refused_where_sbatch_refuses_them(cluster):
    said = cluster.exec("head", ["sh", "-c", ASK], input="\n".join(OPTIONS) + "\n").stdout
    answers = {}
    for part in said.split("### ")[1:]:
        options, _, words = part.partition("\n")
        answers[options] = words
    assert set(answers) == set(OPTIONS)
    wrong = {
        options: (words.strip(), slurm.parse_options(options)["problems"])
        for options, words in answers.items()
        if bool(slurm.parse_options(options)["problems"]) != bool(re.search(UNREADABLE, words))
    }
    assert wrong == {}
