"""Every linter of .pre-commit-config.yaml, over every file."""

import re
import shlex
import subprocess

import pytest
import yaml
from loading import TREE

CONFIG = yaml.safe_load((TREE / ".pre-commit-config.yaml").read_text())
HOOKS = {hook["id"]: hook for hook in CONFIG["repos"][0]["hooks"]}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS.keys())
def test_has_nothing_to_say(hook):
    argv = shlex.split(hook["entry"])
    if hook.get("pass_filenames", True):
        tracked = subprocess.run(
            ["git", "ls-files"], cwd=TREE, check=True, capture_output=True, text=True
        )
        argv += [name for name in tracked.stdout.splitlines() if re.search(hook["files"], name)]
    done = subprocess.run(argv, cwd=TREE, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
