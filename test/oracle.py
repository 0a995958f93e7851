"""Galaxy's packages from PyPI in a venv of their own, and its parser as the oracle of the tests."""

import fcntl
import json
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from engine import run, step

VERSION = "26.1.1"
HOME = Path("/var/cache/slurm-galaxy-test/galaxy")  # readable by all, as Galaxy's own user must
PYTHON = "/usr/bin/python3"  # galaxy-app asks for 3.10 or later
HERE = Path(__file__).resolve().parent


def venv() -> Path:
    """Return the venv of galaxy-app, which is made when it is not there yet (a minute)."""
    home = HOME / VERSION
    home.parent.mkdir(parents=True, exist_ok=True)
    with Path(home.parent, ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "made").exists():
            shutil.rmtree(home, ignore_errors=True)
            with step(f"Galaxy {VERSION} from PyPI", home.parent / "pip.log") as log:
                run([PYTHON, "-m", "venv", str(home)], log=log)
                run([f"{home}/bin/pip", "install", f"galaxy-app=={VERSION}"], log=log)
            (home / "made").touch()
    return home


class Oracle:
    """Galaxy's own parser in a process that answers question by question."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.start()

    def start(self) -> None:
        """Start the process, which imports Galaxy for some seconds."""
        self.process = subprocess.Popen(
            [f"{venv()}/bin/python", "-I", str(HERE / "ask_galaxy.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.process.stdout.readline()

    def ask(
        self, text: str, format: str, directory: Path | None = None, bound: float = 10
    ) -> dict[str, Any]:
        """Return the verdict on a text (hangs: none in `bound` s); imports are in `directory`."""
        place = self.directory.name
        if directory:
            shutil.copytree(directory, place, dirs_exist_ok=True)
        question = {"text": text, "format": format, "directory": place}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], bound)[0]:
            self.process.kill()
            self.process.wait()
            self.start()
            return {"verdict": "hangs", "words": "", "dangling": [], "conf": None}
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()
        self.directory.cleanup()
