"""The checks of Test Kitchen's verifier on hosts that have some of the roles."""

import kitchen
import pytest


@pytest.mark.parametrize("name", ["head", "node1"])
def test_a_host_passes_the_verifier(cluster, name):
    done = kitchen.verify("slurm", cluster.container(name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout
