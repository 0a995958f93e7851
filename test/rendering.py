"""Render the formula for any host of any cluster, in process and without a minion."""

import functools
import logging
from pathlib import Path
from typing import Any
from unittest import mock

import lab
import salt.config
import salt.loader
import salt.pillar
import yaml
from loading import TREE
from salt.grains import core

# What this formula asks of the grains, on the system whose rendering is looked at.
DEBIAN_12 = {
    "kernel": "Linux",
    "os": "Debian",
    "os_family": "Debian",
    "osfinger": "Debian-12",
    "osmajorrelease": 12,
    "init": "systemd",
}

# Salt traces each of its modules, at the price of half the time, and complains of those that do not
# fit this machine where it is to render for another system.
logging.disable(logging.ERROR)


class Minion:
    """
    A minion in name only: it renders what a host would be told, and applies nothing.

    Salt's loader keeps the grains of the newest one only, so there is one at a time.
    """

    def __init__(self, root: Path, host: lab.Host, pillar: dict[str, Any], grains: dict[str, Any]):
        self.host = host
        formula = root / "formula"
        formula.mkdir()
        for part in ("slurm_galaxy", "_modules", "_states"):
            (formula / part).symlink_to(TREE / part)
        top = {"base": {"*": ["cluster"]}}
        for name, data in (("top", top), ("cluster", pillar)):
            (root / f"{name}.sls").write_text(yaml.safe_dump(data))
        self.opts = {
            **salt.config.minion_config(None),
            "id": host.id,
            "file_client": "local",
            "file_roots": {"base": [str(formula)]},
            "pillar_roots": {"base": [str(root)]},
            "root_dir": str(root),
            "cachedir": str(root / "cache"),
            "extension_modules": str(root / "extmods"),
            "grains": {**grains, "id": host.id, "localhost": host.name},
        }
        self.opts["pillar"] = salt.pillar.get_pillar(
            self.opts, self.opts["grains"], host.id
        ).compile_pillar()
        self.modules = salt.loader.minion_mods(self.opts)
        self.states = salt.loader.states(
            self.opts, self.modules, salt.loader.utils(self.opts), None
        )

    @functools.cache  # noqa: B019 - a Minion lives as long as the tests
    def show(self, function: str, sls: str) -> Any:
        """Call a function of Salt's state module that shows what a run would do."""
        shown = self.modules[f"state.{function}"](sls)
        assert not isinstance(shown, list) or all(isinstance(c, dict) for c in shown), shown
        return shown


OS_RELEASE = TREE / "test/fixtures/os-release"


def grains_of(system: str) -> dict[str, Any]:
    """
    Compute the grains of a system from its os-release, with Salt's own functions.

    system
        Name of a file of test/fixtures/os-release.
    """
    text = (OS_RELEASE / system).read_text()
    release = dict(line.split("=", 1) for line in text.splitlines())
    release = {"ID_LIKE": "", **{key: value.strip('"') for key, value in release.items()}}
    with (
        mock.patch.object(core, "_freedesktop_os_release", lambda: release),
        # As with a working lsb_release, which leaves the word to os-release: this machine's own
        # /etc/lsb-release is not to be read.
        mock.patch.object(core, "_linux_lsb_distrib_data", lambda: ({}, False)),
    ):
        grains = core._linux_distribution_data()
    if grains.get("osrelease"):  # sid has none, and then no osfinger: core.os_data
        facts = [grains[key] for key in ("os", "osfullname", "osrelease")]
        grains |= core._osrelease_data(*facts)
    return {"kernel": "Linux", "init": "systemd", **grains}
