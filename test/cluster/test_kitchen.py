"""The steps of Test Kitchen's suite on a fresh host of the lab: copy, sync, converge, verify."""

import io
import tarfile

import kitchen
import pytest
from engine import docker
from lab import Lab, name_for_tests


def tar(files):
    """Pack files by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


PLATFORMS = [
    pytest.param(("debian-12", "bookworm"), id="debian-12"),
    pytest.param(("debian-13", "trixie"), id="debian-13", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=PLATFORMS)
def instance(request):
    """Return a fresh host that has Salt, and what kitchen-salt copies; and how it converges."""
    platform, suite = request.param
    options = kitchen.section(kitchen.CONFIG, "provisioner", platform, "single")
    lab = Lab(name_for_tests("kitchen"), "single", suite)
    lab.down()
    lab.up(apply=False)
    # What the lab has put there is not to help.
    lab.exec("single", ["rm", "-r", "/etc/salt", "/srv/formula"])
    lab.exec("single", ["mkdir", kitchen.ROOT])
    archive = tar(kitchen.sandbox(options))
    docker("exec", "-i", lab.container("single"), "tar", "-xC", kitchen.ROOT, input=archive)
    yield lab, kitchen.salt_call(options)
    lab.down()


@pytest.fixture(scope="module")
def converged(instance):
    """Converge the host; return what that printed."""
    lab, command = instance
    return lab.exec("single", command, check=False)


def test_a_fresh_host_converges(converged):
    assert converged.returncode == 0, converged.stdout + converged.stderr
    assert "changed=" in converged.stdout


def test_the_highstate_has_synced_the_formulas_modules(instance, converged):
    lab, _ = instance
    synced = lab.exec("single", ["ls", f"{kitchen.ROOT}/var/cache/salt/minion/extmods/states"])
    assert "slurm.py" in synced.stdout.split()


def test_the_host_passes_the_verifier(instance, converged):
    lab, _ = instance
    done = kitchen.verify("single", lab.container("single"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout


def test_a_second_converge_changes_nothing(instance, converged):
    lab, command = instance
    done = lab.exec("single", command)
    assert "changed=" not in done.stdout
