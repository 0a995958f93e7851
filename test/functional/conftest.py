"""A real masterless minion for each Salt release that is supported."""

import json

import lab
import pytest

SALT_3007 = "3007.15"


class Minion:
    """One host of the lab, on which states are called one by one."""

    def __init__(self, hosts: lab.Lab):
        self.lab = hosts

    def run(self, *argv, **options):
        """Run a program."""
        return self.lab.exec("single", list(argv), **options)

    def sh(self, script):
        """Run a shell script and return what it prints."""
        return self.run("sh", "-c", script).stdout

    def call(self, function, *args, **kwargs):
        """Call a function of Salt and return its answer."""
        words = [json.dumps(arg) for arg in args]
        words += [f"{key}={json.dumps(value)}" for key, value in kwargs.items()]
        return self.lab.salt("*", function, *words)["single.lab.test"]

    def state(self, function, name, test=False, **kwargs):
        """Apply one state and return what it reports."""
        (report,) = self.call("state.single", function, name=name, test=test, **kwargs).values()
        return report


@pytest.fixture(scope="session", params=[lab.SALT, SALT_3007])
def fresh(request):
    """Return a host with nothing applied, on each release of Salt in turn."""
    hosts = lab.Lab(lab.name_for_tests(f"salt-{request.param[:4]}"), "single", salt=request.param)
    hosts.down()
    hosts.up(apply=False)
    yield Minion(hosts)
    hosts.down()


@pytest.fixture(scope="session")
def first_run(fresh):
    """Apply the formula to the fresh host, masterless, and return what it reports."""
    return fresh.call("state.apply", "slurm_galaxy")


@pytest.fixture(scope="session")
def minion(fresh, first_run):
    """Return the host that the first run has made."""
    return fresh
