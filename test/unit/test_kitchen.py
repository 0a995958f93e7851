"""kitchen.yml against the repository, and what Test Kitchen and its plugins document."""

import copy

import lab
import pytest
from kitchen import CONFIG, PLATFORMS, problems, section


def test_kitchen_yml_has_no_problem():
    assert list(problems(CONFIG)) == []


def test_the_salt_of_kitchen_is_the_salt_of_the_lab():
    for platform in PLATFORMS:
        assert section(CONFIG, "provisioner", platform, "single")["salt_version"] == lab.SALT


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (
            ["provisioner", "salt_minionid"],
            "single.lab.test",
            "provisioner:salt_minionid: unknown; did you mean salt_minion_id?",
        ),
        (["driver", "priviledged"], True, "driver:priviledged: unknown; did you mean privileged?"),
        (["verifier", "comand"], "true", "verifier:comand: unknown; did you mean command?"),
        (
            ["provisioner", "salt_version"],
            3008.3,
            "provisioner:salt_version: is 3008.3, and takes str",
        ),
        (
            ["platforms", 0, "driver_confg"],
            {},
            "platforms:debian-12:driver_confg: unknown; did you mean driver?",
        ),
        (["platforms", 0, "name"], "debian-11", "platforms: debian-12 is missing"),
        (["provisioner", "formula"], "slurm", "provisioner:formula: slurm does not exist"),
        (
            ["provisioner", "state_top", "base", "*"],
            ["slurm"],
            "provisioner:state_top: slurm is not of the formula slurm_galaxy",
        ),
        (
            ["suites", 0, "provisioner", "pillars_from_files", "cluster.sls"],
            "pillar.sls",
            "provisioner:pillars_from_files: pillar.sls does not exist",
        ),
        (
            ["suites", 0, "provisioner", "pillars", "top.sls", "base", "*"],
            ["munge"],
            "provisioner:pillars:top.sls: munge is no file of pillars_from_files",
        ),
        (
            ["suites", 0, "provisioner", "salt_minion_id"],
            "one.lab.test",
            "provisioner:salt_minion_id: one.lab.test has no row in the pillar's hosts: "
            "single.lab.test",
        ),
        (
            ["verifier", "command"],
            ".venv/bin/pytest test/nowhere",
            "verifier:command: test/nowhere does not exist",
        ),
    ],
)
def test_a_mistake_gets_one_sentence(path, value, says):
    config = copy.deepcopy(CONFIG)
    *parents, last = path
    place = config
    for key in parents:
        place = place[key]
    place[last] = value
    assert says in problems(config)
