"""_modules/galaxy_jobconf.py: what it finds, and where."""

import re
from pathlib import Path

import pytest
from loading import TREE, load

FIXTURES = TREE / "test/fixtures/galaxy_jobconf"
drmaa = load("_modules/drmaa.py")
slurm = load("_modules/slurm.py")
jobconf = load(
    "_modules/galaxy_jobconf.py",
    __salt__={
        "drmaa.parse_native": drmaa.parse_native,
        "slurm.parse_options": slurm.parse_options,
    },
)

# Codes of what a file of one format cannot say, and of what is no matter of the text.
ONLY_XML = {
    "GJ009",
    "GJ014",
    "GJ021",
    "GJ022",
    "GJ023",
    "GJ024",
    "GJ025",
    "GJ026",
    "GJ108",
    "GJ316",
}
ONLY_YAML = {"GJ005", "GJ013", "GJ101", "GJ102", "GJ301", "GJ313", "GJ401", "GJ501"}
ELSEWHERE = {"GJ001", "GJ002", "GJ004", *(code for code in jobconf.CODES if code >= "GJ8")}


def found(path):
    return [(f["code"], f["line"]) for f in jobconf.validate(str(path))]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("GJ*")), ids=lambda path: path.name)
def test_each_mistake_is_found_on_its_line_and_nothing_else(path):
    """A fixture marks the lines of its mistakes with their code."""
    expected = [
        (code, number)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for code in re.findall(r"(?:#|<!--) (GJ\d+)", line)
    ]
    assert expected
    assert found(path) == expected


def test_every_code_has_a_fixture_in_each_format_that_can_have_it():
    here = {path.name for path in FIXTURES.glob("GJ*")}
    codes = set(jobconf.CODES) - ELSEWHERE
    assert {f"{code}.yml" for code in codes - ONLY_XML} <= here
    assert {f"{code}.xml" for code in codes - ONLY_YAML} <= here
