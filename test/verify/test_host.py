"""A converged host, seen from outside of it: what its roles say is there, and nothing else."""

import pytest
from engine import wait_for


@pytest.mark.parametrize(
    ("unit", "role"), [("munge", None), ("slurmctld", "controller"), ("slurmd", "exec")]
)
def test_a_daemon_is_running_and_enabled_where_its_role_is(host, roles, unit, role):
    service, wanted = host.service(unit), role is None or role in roles
    assert (service.is_running, service.exists and service.is_enabled) == (wanted, wanted)


@pytest.mark.parametrize(("port", "role"), [(6817, "controller"), (6818, "exec")])
def test_a_port_is_open_where_its_role_is(host, roles, port, role):
    assert host.socket(f"tcp://0.0.0.0:{port}").is_listening is (role in roles)


@pytest.mark.parametrize(
    ("program", "role"), [("slurmctld", "controller"), ("slurmd", "exec"), ("srun", None)]
)
def test_a_program_is_installed_where_its_role_is(host, roles, program, role):
    assert host.exists(program) is (role is None or role in roles)


@pytest.mark.parametrize(
    ("path", "owner", "mode", "role"),
    [
        ("/etc/munge", "munge", 0o700, None),
        ("/etc/slurm", "root", 0o755, None),
        ("/etc/slurm/slurm.conf", "root", 0o644, None),
        ("/etc/slurm/cgroup.conf", "root", 0o644, None),
        ("/var/log/slurm", "slurm", 0o755, None),
        ("/var/spool/slurmctld", "slurm", 0o700, "controller"),
        ("/var/spool/slurmd", "root", 0o755, "exec"),
    ],
)
def test_a_path_has_its_owner_and_mode_where_its_role_is(host, roles, path, owner, mode, role):
    file = host.file(path)
    assert file.exists is (role is None or role in roles)
    if file.exists:
        assert (file.user, file.group, file.mode) == (owner, owner, mode)


def test_only_munged_can_read_its_key(host):
    key = host.file("/etc/munge/munge.key")
    assert (key.user, key.mode & 0o077) == ("munge", 0)  # 0600 if it is the package's own


def test_munge_credentials_can_be_encoded_and_decoded(host):
    assert "Success" in host.check_output("munge -n | unmunge")


def test_the_controller_answers(host):
    assert " is UP" in host.check_output("scontrol ping")


def test_every_node_of_the_cluster_is_idle(host, nodes):
    def idle():
        lines = host.check_output("sinfo -hN -o '%N %T'").splitlines()
        return set(lines) == {f"{node} idle" for node in nodes}

    wait_for("every node is idle", idle, 30)  # the job of another test may be completing


def test_an_ordinary_user_runs_a_job(host, nodes):
    job = "runuser -u nobody -- timeout 60 srun --chdir=/tmp uname -n"
    assert host.check_output(job) in nodes
