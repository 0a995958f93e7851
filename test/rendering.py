"""Render the formula for any host of any cluster, in process and without a minion."""

import functools
import logging
from pathlib import Path
from typing import Any

import lab
import salt.config
import salt.loader
import salt.pillar
import yaml
from loading import TREE

# What this formula asks of the grains, on the system whose rendering is looked at.
DEBIAN_12 = {
    "kernel": "Linux",
    "os": "Debian",
    "os_family": "Debian",
    "osfinger": "Debian-12",
    "osmajorrelease": 12,
    "init": "systemd",
}

logging.disable(logging.INFO)  # Salt traces each of its modules, at the price of half the time


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
