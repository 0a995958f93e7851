"""Options and progress of every suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --slow, which test/run all gives, and what test/verify asks for."""
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")
    parser.addoption("--topology", help="test/verify: the folder of test/pillar that is looked at")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "slow: other systems and long faults (test/run all)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow unless it was asked for; the closing line counts it as deselected."""
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if item not in slow]
    config.hook.pytest_deselected(items=slow)
