"""Programs and their logs, progress on the terminal, and the Docker engine of this machine."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

STATE = Path("/var/lib/slurm-galaxy-lab")
T = TypeVar("T")


class LabError(Exception):
    """Say in one sentence what went wrong and what to do."""


def run(
    argv: Sequence[str],
    *,
    log: IO[str] | None = None,
    input: str | bytes | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program; capture its output, or send it to `log`."""
    data = input.encode() if isinstance(input, str) else input
    streams: dict[str, Any] = {"stdout": log, "stderr": log} if log else {"capture_output": True}
    if data is None:
        streams["stdin"] = subprocess.DEVNULL
    if log:
        print("+", shlex.join(argv), file=log, flush=True)
    try:
        done = subprocess.run(argv, input=data, check=False, timeout=timeout, **streams)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed; `test/lab up` installs it") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"no end after {timeout:.0f} s: {shlex.join(argv)}") from None
    out, err = ((text or b"").decode(errors="replace") for text in (done.stdout, done.stderr))
    if check and done.returncode:
        said = (err or out).strip()[-2000:]
        raise LabError(f"{shlex.join(argv)} failed ({done.returncode})" + f"\n{said}" * bool(said))
    return subprocess.CompletedProcess(argv, done.returncode, out, err)


def docker(*argv: str, **options: Any) -> str:
    """Run a docker command and return what it prints."""
    return run(["docker", *argv], **options).stdout.strip()


def wait_for(what: str, probe: Callable[[], T], timeout: float = 60, every: float = 0.2) -> T:
    """Call `probe` until it returns something true and return that; raise after `timeout` s."""
    end = time.monotonic() + timeout
    while not (found := probe()):
        if time.monotonic() > end:
            raise LabError(f"{what}: not so after {timeout:.0f} s")
        time.sleep(every)
    return found


def together(do: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
    """Call `do` for every item at the same time; raise the first error when all have ended."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        return [job.result() for job in [pool.submit(do, item) for item in items]]


@contextlib.contextmanager
def step(title: str, log: Path) -> Iterator[IO[str]]:
    """Show one step with its seconds; give it a log, whose end is shown when the step fails."""
    begun = time.monotonic()
    live = sys.stdout.isatty()
    ended = threading.Event()

    def line(mark: str) -> str:
        return f"{mark} {title:<52}{time.monotonic() - begun:6.1f} s"

    def tick() -> None:
        while not ended.wait(0.2):
            print(f"\r{line('·')}", end="", flush=True)

    log.parent.mkdir(parents=True, exist_ok=True)
    ticker = threading.Thread(target=tick, daemon=True)
    if live:
        ticker.start()
    mark = "✗"
    try:
        with log.open("w") as file:
            yield file
        mark = "✓"
    finally:
        ended.set()
        if live:
            ticker.join()
            print("\r", end="")
        print(line(mark), flush=True)
        if mark == "✗":
            tail = log.read_text(errors="replace").splitlines()[-20:]
            print("".join(f"    {text}\n" for text in tail) + f"  the whole log: less {log}")


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let one lab at a time start the engine and build images."""
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- the engine ----------------------------------------------------------------------------------


def engine_answers() -> bool:
    """Tell whether a Docker daemon answers."""
    return bool(shutil.which("docker")) and not run(["docker", "info"], check=False).returncode


def ensure_engine(log: IO[str]) -> None:
    """Install what is missing, and start dockerd only where none answers."""
    needs = {"debootstrap": "debootstrap", "ip": "iproute2"}
    if not engine_answers():  # a machine may have the client alone
        needs |= {"docker": "docker.io", "dockerd": "docker.io"}
    missing = sorted({needs[program] for program in needs if not shutil.which(program)})
    if missing:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        run(["apt-get", "update"], log=log)
        split = "docker.io" in missing and run(["apt-cache", "show", "docker-cli"], check=False)
        if split and not split.returncode:  # from Debian 13 on
            missing.append("docker-cli")
        run(["apt-get", "install", "-y", "--no-install-recommends", *missing], log=log)
    if engine_answers():
        return
    if Path("/run/systemd/system").exists():
        run(["systemctl", "start", "docker"], log=log)
    else:
        forget_the_dead()
        with (STATE / "dockerd.log").open("w") as out:
            daemon = subprocess.Popen(
                ["dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        (STATE / "dockerd.pid").write_text(f"{daemon.pid}\n")
    wait_for(f"dockerd answers (its log: {STATE}/dockerd.log)", engine_answers)


def forget_the_dead() -> None:
    """Remove the pid files of an engine that was killed: the number may be another's by now."""
    for file in (Path("/run/docker.pid"), Path("/run/docker/containerd/containerd.pid")):
        if file.exists():
            pid = int(file.read_text())
            comm = Path(f"/proc/{pid}/comm")
            alive = comm.exists() and not _is_zombie(pid)
            if not alive or comm.read_text().strip() not in ("dockerd", "containerd"):
                file.unlink()


def stop_engine() -> bool:
    """End dockerd where `ensure_engine` started it and no container runs; tell whether it did."""
    record = STATE / "dockerd.pid"
    if not record.exists() or (engine_answers() and docker("ps", "-q")):
        return False
    pid = int(record.read_text())
    comm = Path(f"/proc/{pid}/comm")
    if comm.exists() and comm.read_text().strip() == "dockerd":
        os.kill(pid, 15)
        wait_for("dockerd ends", lambda: not comm.exists() or _is_zombie(pid))
    record.unlink()
    return True


def _is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only waits for its parent."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
