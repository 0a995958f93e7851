"""Other ways to the same cluster: test=True first, a role alone, salt-ssh."""

import json

import pytest
from lab import Lab, name_for_tests
from reports import changed, failed, state

# What an apply would make, and a test run must not.
TRACES = (
    "ls -d /etc/munge /etc/slurm /var/log/slurm /var/spool/slurmctld; getent passwd slurm munge"
)


@pytest.fixture(scope="module")
def lab():
    """Return fresh hosts of the default topology."""
    lab = Lab(name_for_tests("ways"), "slurm")
    lab.down()
    lab.up(apply=False)
    yield lab
    lab.down()


@pytest.mark.parametrize("host", ["head", "node1"])
def test_a_test_run_on_a_fresh_host_changes_nothing(lab, host):
    states = lab.salt(f"{host}.lab.test", "state.apply", "slurm_galaxy", "test=True")
    assert failed(states[f"{host}.lab.test"]) == []
    assert changed(states[f"{host}.lab.test"])
    assert lab.exec(host, ["sh", "-c", TRACES], check=False).stdout == ""


@pytest.mark.parametrize("test", ["True", "False"])
def test_a_problem_of_the_pillar_fails_alone_in_both_modes(lab, test):
    pillar = json.dumps({"slurm_galaxy": {"slurm": {"config": {"ClusterName": "x"}}}})
    args = ("slurm_galaxy", f"pillar={pillar}", f"test={test}")
    (only,) = lab.salt("head.lab.test", "state.apply", *args)["head.lab.test"].values()
    assert only["result"] is False
    assert only["comment"].startswith("slurm:config:ClusterName: comes from cluster")
    assert lab.exec("head", ["sh", "-c", TRACES], check=False).stdout == ""


def test_an_id_that_another_account_has_is_refused(lab):
    pillar = json.dumps({"slurm_galaxy": {"users": {"munge": {"uid": 7}}}})
    states = lab.salt("node1.lab.test", "state.apply", "slurm_galaxy", f"pillar={pillar}")
    (only,) = states["node1.lab.test"].values()
    assert only["comment"].startswith("users:munge:uid: 7 belongs to lp on this host")
    assert lab.exec("node1", ["sh", "-c", TRACES], check=False).stdout == ""


def test_a_role_alone_brings_what_it_needs_to_a_fresh_minion(lab):
    states = lab.salt("head.lab.test", "state.apply", "slurm_galaxy.controller")["head.lab.test"]
    assert failed(states) == []
    assert state(states, "The controller answers")["result"] is True
    assert "UP" in lab.exec("head", ["scontrol", "ping"]).stdout


def test_salt_ssh_converges_a_host_that_has_no_minion(lab):
    lab.remove_host("node1")
    lab.add_host("node1")
    key = "/root/.ssh/lab"
    lab.exec("salt", ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    public = lab.exec("salt", ["cat", f"{key}.pub"]).stdout
    trust = (
        "ssh-keygen -A >/dev/null; install -d -m 700 /root/.ssh; cat >/root/.ssh/authorized_keys"
    )
    lab.exec("node1", ["sh", "-c", f"{trust}; systemctl start ssh"], input=public)
    roster = f"node1.lab.test: {{host: node1, user: root, priv: {key}}}\n"
    lab.exec("salt", ["sh", "-c", "cat >/etc/salt/roster"], input=roster)

    def salt_ssh(*args):
        argv = ["salt-ssh", "-i", "--out=json", "--static", "node1.lab.test", "state.apply", *args]
        done = lab.exec("salt", argv, check=False, timeout=600)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)["node1.lab.test"]

    assert failed(salt_ssh("slurm_galaxy")) == []
    assert lab.exec("head", ["srun", "-w", "node1", "hostname"]).stdout == "node1\n"
    again = salt_ssh("slurm_galaxy")
    assert failed(again) + changed(again) == []
    assert failed(salt_ssh("slurm_galaxy.controller")) == [
        "slurm_galaxy.controller can use the pillar of this host: slurm_galaxy.controller was "
        "applied to node1.lab.test, whose roles are exec; add the role in hosts, or apply another"
    ]
