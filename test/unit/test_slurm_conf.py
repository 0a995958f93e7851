"""_modules/slurm_conf.py: from data to the text of Slurm's files."""

import pytest
from loading import load

slurm_conf = load("_modules/slurm_conf.py")


def body(*args):
    """Render, and return the lines below the header."""
    header, *lines = slurm_conf.render(*args).splitlines()
    assert header.startswith("# Managed by Salt")
    return lines


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (True, ["X=YES"]),
        (False, ["X=NO"]),
        (0, ["X=0"]),
        (None, []),
        (["a", "b"], ["X=a,b"]),
        ("7-00:00:00", ["X=7-00:00:00"]),
        ("/bin/mail -s slurm", ['X="/bin/mail -s slurm"']),
        ("a#b", [r"X=a\#b"]),
    ],
)
def test_a_value_by_its_kind(value, lines):
    assert body({"X": value}) == lines


def test_parameters_are_sorted_whatever_their_case():
    assert body({"b": 1, "C": 2, "A": 3}) == ["A=3", "b=1", "C=2"]


def test_each_controller_has_a_line_of_its_own():
    assert body({"SlurmctldHost": ["a(10.0.0.1)", "b"]}) == [
        "SlurmctldHost=a(10.0.0.1)",
        "SlurmctldHost=b",
    ]


def test_nodes_and_partitions_follow_with_default_first():
    nodes = [{"CPUs": 2, "NodeName": "n2"}, {"nodename": "default", "State": "UNKNOWN"}]
    partitions = [{"Nodes": "ALL", "PartitionName": "main", "Default": True, "MaxTime": None}]
    assert body({}, nodes, partitions) == [
        "NodeName=default State=UNKNOWN",
        "NodeName=n2 CPUs=2",
        "PartitionName=main Default=YES Nodes=ALL",
    ]


def test_an_empty_file_is_a_file():
    assert body({}) == []
