"""_runners/slurm_galaxy.py: what is worked out without a cluster."""

import pytest
from loading import load

runner = load("_runners/slurm_galaxy.py")


@pytest.mark.parametrize(
    ("found", "margin", "usable"),
    [(257_655, 2, 252_000), (257_649, 2, 252_000), (24_105, 0, 24_000), (7_950, 5, 7_500)],
)
def test_memory_is_rounded_down_by_a_margin(found, margin, usable):
    assert runner.usable_memory(found, margin) == usable
