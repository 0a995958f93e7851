"""A cluster of real hosts: converged in one run, left alone by the next, healed by a later one."""

import json
import re

import pytest
from engine import wait_for
from reports import changed, failed, state

ALL = {"head.lab.test", "node1.lab.test", "node2.lab.test"}


def apply(lab, target="*", test=False, **pillar):
    """Apply the formula, with changes below slurm_galaxy:slurm for this one run."""
    override = json.dumps({"slurm_galaxy": {"slurm": pillar}})
    return lab.salt(target, "state.apply", "slurm_galaxy", f"pillar={override}", f"test={test}")


def node_state(lab, node):
    """Ask the controller for a node's state."""
    return lab.exec("head", ["sinfo", "-h", "-n", node, "-o", "%T"]).stdout.strip()


def job_state(lab, job):
    """Ask the controller for a job's state."""
    shown = lab.exec("head", ["scontrol", "-o", "show", "job", job]).stdout
    (found,) = re.findall(r"JobState=(\S+)", shown)
    return found


def submit(lab, *options, command):
    """Submit a job as an ordinary user and return its id."""
    argv = ["runuser", "-u", "nobody", "--", "sbatch", "--parsable", "--chdir=/tmp", *options]
    argv += ["--output=/dev/null", f"--wrap={command}"]
    return lab.exec("head", argv).stdout.strip()


def main_pid(lab, host, unit):
    """Return the process id of a daemon."""
    return lab.exec(host, ["systemctl", "show", "--value", "-p", "MainPID", unit]).stdout.strip()


def slurm_conf_sum(lab, host):
    """Return a sum of a host's slurm.conf."""
    return lab.exec(host, ["md5sum", "/etc/slurm/slurm.conf"]).stdout


def test_fresh_hosts_converge_in_one_run(first_run):
    assert set(first_run) == ALL
    assert {host: failed(states) for host, states in first_run.items()} == {h: [] for h in ALL}


def test_no_daemon_is_restarted_in_its_first_run(first_run):
    for states in first_run.values():
        assert not [s for s in states.values() if "restarted" in json.dumps(s["changes"])]


def test_srun_names_both_nodes(cluster):
    done = cluster.exec("head", ["srun", "-N2", "hostname"])
    assert sorted(done.stdout.split()) == ["node1", "node2"]


def test_an_ordinary_user_submits_a_job(cluster):
    job = submit(cluster, command="hostname")
    wait_for(f"job {job} completes", lambda: job_state(cluster, job) == "COMPLETED", 30)


def test_the_second_run_changes_nothing(cluster):
    states = cluster.salt("*", "state.apply", "slurm_galaxy")
    assert {host: failed(s) + changed(s) for host, s in states.items()} == {h: [] for h in ALL}


def test_a_test_run_on_a_converged_host_is_exact(cluster):
    states = cluster.salt("*", "state.apply", "slurm_galaxy", "test=True")
    assert {host: failed(s) + changed(s) for host, s in states.items()} == {h: [] for h in ALL}


def test_a_test_run_foretells_a_restart_and_does_not_make_it(cluster):
    before = main_pid(cluster, "head", "slurmctld"), slurm_conf_sum(cluster, "head")
    states = apply(cluster, "head.lab.test", test=True, config={"MaxJobCount": 5000})
    assert failed(states["head.lab.test"]) == []
    assert [change.partition(":")[0] for change in changed(states["head.lab.test"])] == [
        "Slurm's configuration is in place",
        "slurmctld runs with its configuration",
    ]
    assert before == (main_pid(cluster, "head", "slurmctld"), slurm_conf_sum(cluster, "head"))


def test_a_node_has_no_controller_and_the_controller_no_node(cluster):
    for host, absent in (("head", "slurmd"), ("node1", "slurmctld")):
        found = cluster.exec(host, ["sh", "-c", f"command -v {absent}"], check=False)
        assert found.returncode != 0, f"{host} has {found.stdout}"


@pytest.mark.parametrize(
    ("host", "path", "owner", "mode"),
    [
        ("node1", "/etc/munge", "munge munge", "700"),
        ("node1", "/etc/munge/munge.key", "munge munge", "400"),
        ("node1", "/etc/slurm/slurm.conf", "root root", "644"),
        ("node1", "/var/spool/slurmd", "root root", "755"),
        ("head", "/var/spool/slurmctld", "slurm slurm", "700"),
        ("head", "/var/log/slurm", "slurm slurm", "755"),
    ],
)
def test_owners_and_modes(cluster, host, path, owner, mode):
    assert cluster.exec(host, ["stat", "-c", "%U %G %a", path]).stdout.strip() == f"{owner} {mode}"


def test_accounts_have_the_same_ids_on_every_host(cluster):
    ids = {
        cluster.exec(host, ["sh", "-c", "id slurm; id munge"]).stdout
        for host in ("head", "node1", "node2")
    }
    assert len(ids) == 1
    assert "uid=64030(slurm) gid=64030(slurm)" in ids.pop()


def test_every_host_has_the_same_slurm_conf(cluster):
    assert len({slurm_conf_sum(cluster, host) for host in ("head", "node1", "node2")}) == 1


def test_the_munge_key_is_in_no_report_and_no_file_that_others_can_read(cluster, first_run):
    key = cluster.exec("node1", ["cat", "/etc/munge/munge.key"]).stdout
    assert len(key) >= 32
    assert key not in json.dumps(first_run)
    # Only what root alone can read may hold it.
    open_files = "find / -xdev -type f -perm -o+r -size -64k ! -path '/proc/*' ! -path '/sys/*' "
    search = f"{open_files} -exec grep -slF -f /etc/munge/munge.key {{}} +"
    assert cluster.exec("node1", ["sh", "-c", search], check=False).stdout == ""


def test_a_wrong_munge_key_on_a_node_is_healed(cluster):
    wrong = "chmod 600 /etc/munge/munge.key; echo not-the-key-of-this-cluster-at-all "
    wrong += ">/etc/munge/munge.key; systemctl restart munge slurmd"
    cluster.exec("node1", ["sh", "-c", wrong])
    refused = cluster.exec("node1", ["srun", "hostname"], check=False, timeout=120)
    assert refused.returncode != 0
    states = apply(cluster, "node1.lab.test")["node1.lab.test"]
    assert failed(states) == []
    restart = state(states, "munged has loaded its key")["changes"]
    assert restart["munge"]["new"] == "restarted"
    names = cluster.exec("head", ["srun", "-N2", "hostname"]).stdout.split()
    assert sorted(names) == ["node1", "node2"]


def test_a_node_that_was_off_during_the_apply_is_healed_by_its_next_one(cluster):
    partitions = [
        {"PartitionName": "main", "Nodes": "node[1-2]", "Default": True, "MaxTime": "2-00:00:00"}
    ]
    cluster.kill("node2")
    states = apply(cluster, "head.lab.test", partitions=partitions)
    assert failed(states["head.lab.test"]) == []  # the controller does not wait for nodes
    cluster.start("node2")
    states = apply(cluster, "node2.lab.test", partitions=partitions)["node2.lab.test"]
    assert failed(states) == []
    assert state(states, "Slurm's configuration is in place")["changes"]
    assert node_state(cluster, "node2") == "idle"
    assert not any(map(failed, apply(cluster).values()))


def test_a_drained_node_is_ready_enough_with_a_warning(cluster):
    reason = "reason=disk is noisy, ask Ada"
    cluster.exec("head", ["scontrol", "update", "nodename=node1", "state=drain", reason])
    states = apply(cluster, "node1.lab.test")["node1.lab.test"]
    cluster.exec("head", ["scontrol", "update", "nodename=node1", "state=resume"])
    assert failed(states) + changed(states) == []
    (warning,) = state(states, "The controller has this node, and it responds")["warnings"]
    assert "disk is noisy, ask Ada" in warning
