"""The lab's hosts for the cluster tests, fresh for every session and gone after it."""

import json

import pytest
from lab import Lab, name_for_tests

SUITES = ["bookworm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("trixie", "sid"))]


@pytest.fixture(scope="session", params=SUITES)
def fresh(request):
    """Return the default topology's hosts: minions of a master, with nothing applied."""
    lab = Lab(name_for_tests(f"cluster-{request.param}"), suite=request.param)
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


@pytest.fixture(scope="session")
def call(cluster):
    """Return a way to call a function of Salt on one host; an error is answered as its text."""

    def call(function, *args, host="head", **kwargs):
        def word(value):
            # As YAML reads it, which has no pairs of escapes for what lies beyond 16 bits.
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

        words = [*map(word, args), *(f"{key}={word(value)}" for key, value in kwargs.items())]
        return cluster.salt(f"{host}.lab.test", function, *words)[f"{host}.lab.test"]

    return call
