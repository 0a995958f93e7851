"""The steps of Test Kitchen's suite on a fresh Debian 12: copy, sync, converge, verify."""

import io
import tarfile

import kitchen
import pytest
from lab import Lab, docker

OPTIONS = kitchen.section(kitchen.CONFIG, "provisioner", "debian-12", "single")


def tar(files):
    """Pack files by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def lab():
    """Return a fresh host with Salt, as Test Kitchen has it after create and install, and copy."""
    lab = Lab("test-kitchen", "single")
    lab.down()
    lab.up(apply=False)
    lab.exec("single", ["mkdir", kitchen.ROOT])
    archive = tar(kitchen.sandbox(OPTIONS))
    docker("exec", "-i", lab.container("single"), "tar", "-xC", kitchen.ROOT, input=archive)
    # Nothing but what was copied may lead to the result.
    lab.exec("single", ["rm", "-r", "/etc/salt", "/srv/formula"])
    yield lab
    lab.down()


@pytest.fixture(scope="module")
def converged(lab):
    """Converge the host once; return its lab and what Salt printed."""
    done = lab.exec("single", kitchen.salt_call(OPTIONS), check=False)
    return lab, done


def test_a_fresh_host_converges(converged):
    _, done = converged
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=" in done.stdout


def test_the_highstate_has_synced_the_formulas_modules(converged):
    lab, _ = converged
    synced = lab.exec("single", ["ls", f"{kitchen.ROOT}/var/cache/salt/minion/extmods/states"])
    assert "slurm.py" in synced.stdout.split()


def test_the_host_passes_the_verifier(converged):
    lab, _ = converged
    done = kitchen.verify("single", lab.container("single"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout


def test_a_second_converge_changes_nothing(converged):
    lab, _ = converged
    done = lab.exec("single", kitchen.salt_call(OPTIONS))
    assert "changed=" not in done.stdout
