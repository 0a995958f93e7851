"""The lab's hosts for the cluster tests, fresh for every session and gone after it."""

import pytest
from lab import Lab


@pytest.fixture(scope="session")
def fresh():
    """Return the default topology's hosts: minions of a master, with nothing applied."""
    lab = Lab("test-cluster")
    lab.down()
    lab.up(apply=False)
    yield lab
    lab.down()


@pytest.fixture(scope="session")
def first_run(fresh):
    """Apply the formula once to all the fresh hosts at the same time; return what each said."""
    return fresh.salt("*", "state.apply", "slurm_galaxy")


@pytest.fixture(scope="session")
def cluster(fresh, first_run):
    """Return the lab of the cluster that the first run has made."""
    return fresh
