"""galaxy_jobconf.check_cluster beside the real Slurm."""

import pytest
import yaml
from engine import wait_for


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
    # A controller that has just been started has not heard from its nodes yet.
    call("state.single", "slurm.nodes_ready", name="the nodes are ready", wait=60)
    cluster.exec(
        "head",
        ["scontrol", "create", "PartitionName=guarded", "Nodes=ALL", "AllowAccounts=physics"],
    )

    def check(configuration):
        put(cluster, configuration)
        return call("galaxy_jobconf.check_cluster", FILE, user="nobody")

    yield check
    # A controller that was started anew has forgotten it.
    cluster.exec("head", ["scontrol", "delete", "PartitionName=guarded"], check=False)


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


def test_a_partition_out_of_service_makes_no_destination_wrong(cluster, check):
    cluster.exec("head", ["scontrol", "update", "nodename=ALL", "state=drain", "reason=new disks"])
    try:
        answer = check(conf(plain={}, wrong={"job_ncpus": 64}))
    finally:
        cluster.exec("head", ["scontrol", "update", "nodename=ALL", "state=resume"])
    assert [finding["code"] for finding in answer["findings"]] == ["GJ903"]
    assert [each["why"] for each in answer["not_checked"]] == [
        "no node of main is in service now, and Slurm refuses any job there"
    ] * 2


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
    assert "no DRMAA library is installed" in answer["findings"][1]["message"]


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


# --- through slurm-drmaa --------------------------------------------------------------------------


def drmaa(**specifications):
    """Return a job configuration whose destinations go through slurm-drmaa."""
    return {
        "runners": {"slurm": {"load": "galaxy.jobs.runners.slurm:SlurmJobRunner"}},
        "execution": {
            "default": next(iter(specifications)),
            "environments": {
                name: {"runner": "slurm", "native_specification": spec}
                for name, spec in specifications.items()
            },
        },
    }


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ("-p main -n 2 --mem=900 --time=24:00 --share --job_name=x", None, None),
        ("-N 1- -t 1-2T23:59+1 -k -e /dev/null", None, None),
        ("--time=24:01", "GJ904", "above the limit"),
        ("-p mian", "GJ901", 'did you mean "main"?'),
        ("--mem=1001", "GJ903", "MiB of memory"),
        ("--mem=1G", "GJ311", "write 1024"),
        ("-n2", "GJ311", 'write "-n 2"'),
        ("--gres=gpu:1", "GJ903", "gres gpu:1"),
        ("-p guarded -A arts", "GJ902", 'the account "arts"'),
        ("-w nowhere", "GJ905", "Slurm refuses it"),
    ],
)
def test_a_native_specification_is_held_against_slurm_as_slurm_drmaa_reads_it(
    check, spec, code, words
):
    answer = check(drmaa(only=spec))
    assert (answer["checked"], answer["not_checked"]) == (["only"], [])
    found = {finding["code"]: finding["message"] for finding in answer["findings"]}
    assert "no DRMAA library is installed" in found.pop("GJ906")
    assert list(found) == ([code] if code else [])
    assert all(words in message for message in found.values())


def test_what_this_slurm_cannot_say_is_not_checked(check):
    answer = check(drmaa(far="-M far", account="-A any --qos=any"))
    assert answer["checked"] == ["account"]
    assert [each["why"].partition(":")[0] for each in answer["not_checked"]] == [
        "its jobs go to another cluster, far",
        'account "any" and QOS "any"',
    ]


# --- who asks, and who does not answer ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "back", "code", "words"),
    [
        ("State=DOWN", "State=UP", "GJ901", "is DOWN"),
        ("AllowGroups=root", "AllowGroups=ALL", "GJ902", "nobody is in none"),
        ("AllowAccounts=rich", "AllowAccounts=ALL", "GJ902", 'the account "lab"; it admits rich'),
        ("MaxTime=10", "MaxTime=1-0", "GJ904", "00:10:00"),
        ("MaxMemPerNode=100", "MaxMemPerNode=0", "GJ903", "at most 100"),
        ("MaxCPUsPerNode=1", "MaxCPUsPerNode=UNLIMITED", "GJ903", "at most 1"),
    ],
)
def test_a_partition_that_does_not_admit_the_job_is_found(
    cluster, check, change, back, code, words
):
    job = {"job_--account": "lab", "job_ncpus": 2, "job_time": 60, "job_--mem": 900}
    try:
        cluster.exec("head", ["scontrol", "update", "PartitionName=main", change])
        answer = check(conf(only=job))
    finally:
        cluster.exec("head", ["scontrol", "update", "PartitionName=main", back])
    (finding,) = answer["findings"]
    assert finding["code"] == code
    assert words in finding["message"]


def test_a_user_that_is_none_is_an_error(cluster, call):
    put(cluster, conf(plain={}))
    answer = call("galaxy_jobconf.check_cluster", FILE, user="glaxy")
    assert answer == 'ERROR: user: this host has no user "glaxy" to ask Slurm as'


def test_a_controller_that_is_stopped_is_one_error(cluster, call):
    put(cluster, conf(plain={}, other={}))
    cluster.exec("head", ["systemctl", "stop", "slurmctld"])
    try:
        answer = call("galaxy_jobconf.check_cluster", FILE, user="nobody", timeout=20)
    finally:
        cluster.exec("head", ["systemctl", "start", "slurmctld"])
        wait_for("slurmctld answers", lambda: call("slurm.ping")["up"])
    assert answer.startswith("ERROR: scontrol: ")
    assert "Unable to contact slurm controller" in answer
