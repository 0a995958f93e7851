"""Which host of which topology is looked at: pytest test/verify --topology=NAME --hosts=BACKEND."""

import pytest
from lab import TREE, read_topology


@pytest.fixture(scope="module", autouse=True)
def cluster(pytestconfig):
    """Return the hosts that the topology has."""
    topology = pytestconfig.getoption("--topology")
    if not topology or not pytestconfig.getoption("--hosts"):
        pytest.skip("looks at a host that --topology and --hosts name")
    return read_topology(TREE / "test/pillar" / topology)


@pytest.fixture(scope="module")
def roles(cluster, host):
    """Return the roles of the host that is looked at."""
    name = host.check_output("uname -n").partition(".")[0]
    (found,) = (one for one in cluster if one.name == name)
    return found.roles


@pytest.fixture(scope="module")
def nodes(cluster):
    """Return the names of the hosts that run jobs."""
    return {one.name for one in cluster if "exec" in one.roles}
