"""Load a file of the formula the way Salt's loader does: by its path, with dunders put into it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

TREE = Path(__file__).resolve().parent.parent


def load(path: str, **dunders: Any) -> ModuleType:
    """
    Load a module or a state of the formula; the two kinds share names, so ``import`` cannot.

    path
        Path below the repository, such as ``_modules/slurm.py``.

    dunders
        What stands for ``__salt__``, ``__opts__`` and the others in it.
    """
    name = path.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, TREE / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    vars(module).update({"__opts__": {"test": False}, "__salt__": {}, **dunders})
    return module
