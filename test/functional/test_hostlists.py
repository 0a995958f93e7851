"""Random hostlists, read and written as the installed scontrol reads and writes them."""

import pytest
from hostlists import EXPRESSIONS, NAMES
from hypothesis import given, settings
from loading import load

slurm = load("_modules/slurm.py")


def examples(strategy, count):
    """Draw the same examples in every run: one call of scontrol for all of them."""
    drawn = []

    @given(strategy)
    @settings(max_examples=count, database=None, derandomize=True)
    def collect(example):
        drawn.append(example)

    collect()
    return drawn


@pytest.fixture
def scontrol(minion):
    """Return a function that asks scontrol of each line, in one go."""

    def ask(what, lines):
        script = (
            f"while IFS= read -r line; do scontrol show {what} \"$line\" | tr '\\n' ' '; echo; done"
        )
        done = minion.run("bash", "-c", script, input="\n".join(lines) + "\n")
        return [line.split() for line in done.stdout.split("\n")[: len(lines)]]

    return ask


def test_a_hostlist_is_read_as_scontrol_reads_it(scontrol):
    drawn = dict.fromkeys(examples(EXPRESSIONS, 300))
    small = [each for each in drawn if len(slurm.hostlist_expand(each)) < 5000]
    for expression, names in zip(small, scontrol("hostnames", small), strict=True):
        assert slurm.hostlist_expand(expression) == names, expression


def test_scontrol_reads_what_is_folded_and_folds_no_shorter(scontrol):
    drawn = examples(NAMES.filter(bool), 200)
    folded = [slurm.hostlist_fold(names) for names in drawn]
    assert scontrol("hostnames", folded) == drawn
    theirs = scontrol("hostlist", [",".join(names) for names in drawn])
    for ours, (other,) in zip(folded, theirs, strict=True):
        assert len(ours) <= len(other)
