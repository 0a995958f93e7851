"""Run real hosts for the formula on this machine: containers whose first process is systemd.

Docker's labels are the only record of what exists. What a lab looks like comes from a topology, a
pillar root under test/pillar, and from nowhere else.
"""

from __future__ import annotations

import argparse
import base64
import fnmatch
import hashlib
import importlib.util
import io
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml
from engine import (
    STATE,
    LabError,
    docker,
    engine_answers,
    ensure_engine,
    locked,
    run,
    step,
    stop_engine,
    together,
    wait_for,
)
from images import (
    IMAGES,
    TREE,
    bind,
    cgroup_mount,
    galaxy_wheels,
    pip_settings,
    salt_image,
    salt_image_tag,
    wheel_folder,
)

SUITES = ("bookworm", "trixie", "sid")
SUITE, TOPOLOGY, SALT = "bookworm", "default", "3008.3"
LABEL = "slurm-galaxy.lab"
FORMULA = ("slurm_galaxy", "_modules", "_states", "_runners")


@dataclass(frozen=True)
class Host:
    """A host: its minion id, its short name, its roles, and what Salt is on it.

    `kind` is master, minion, masterless (salt-call --local) or bare (no Salt configuration).
    """

    id: str
    name: str
    roles: tuple[str, ...] = ()
    kind: str = "minion"


def name_for_tests(word: str) -> str:
    """Name a lab of the tests of this working tree: those of another may run at the same time."""
    return f"test-{hashlib.md5(str(TREE).encode(), usedforsecurity=False).hexdigest()[:4]}-{word}"


# --- topologies ----------------------------------------------------------------------------------


def topologies() -> list[str]:
    """Return the names of the topologies of the working tree."""
    return sorted(path.parent.name for path in (TREE / "test/pillar").glob("*/top.sls"))


def expand_hostlist(text: str) -> list[str]:
    """Expand a Slurm hostlist, with the formula's own function."""
    file = TREE / "slurm_galaxy/host.py"
    spec = importlib.util.spec_from_file_location("slurm_galaxy_host", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.expand_hostlist(text))


def read_topology(folder: Path) -> list[Host]:
    """Return the hosts of a topology's table, and a Salt master when they are more than one.

    A glob stands for the Slurm nodes that match it.
    """
    try:
        cluster = yaml.safe_load((folder / "cluster.sls").read_text())["slurm_galaxy"]
    except FileNotFoundError:
        known = ", ".join(topologies()) or "none yet"
        raise LabError(f"{folder} is no topology (known: {known}); it needs cluster.sls") from None
    lines = cluster.get("slurm", {}).get("nodes", [])
    names = [name for line in lines for name in expand_hostlist(line["NodeName"])]
    table = cluster["hosts"]
    hosts = []
    for key, row in table.items():
        first, _, domain = key.partition(".")
        if re.search(r"[*?[]", key):
            ids = [f"{name}.{domain}" if domain else name for name in names]
            matched = [id for id in ids if fnmatch.fnmatchcase(id, key) and id not in table]
            hosts += [Host(id, id.partition(".")[0], tuple(row["roles"])) for id in matched]
        else:
            hosts.append(Host(key, row.get("name", first), tuple(row["roles"])))
    if not hosts:
        raise LabError(f"{folder}/cluster.sls names no host")
    if len(hosts) == 1:
        return [Host(hosts[0].id, hosts[0].name, hosts[0].roles, "masterless")]
    domain = hosts[0].id.partition(".")[2]
    return [Host(f"salt.{domain}" if domain else "salt", "salt", (), "master"), *hosts]


def generate_munge() -> dict[str, Any]:
    """Return the pillar part that holds a random MUNGE key."""
    return {"munge": {"key": base64.b64encode(secrets.token_bytes(96)).decode()}}


def generate_galaxy() -> dict[str, Any]:
    """Return the pillar part that holds Galaxy's secrets: its own, and an administrator's."""
    admin = {"password": secrets.token_urlsafe(12), "key": secrets.token_hex(16)}
    return {"galaxy": {"id_secret": secrets.token_hex(24), "admins": {ADMIN: admin}}}


ADMIN = "admin@lab.test"
# A pillar file of a topology's top.sls that the lab makes, one for each secret.
SECRETS: dict[str, Callable[[], dict[str, Any]]] = {
    "munge": generate_munge,
    "galaxy": generate_galaxy,
}


def salt_files(host: Host) -> dict[str, str]:
    """Return a host's files by path: Salt's configuration, and links (see `tar_of`)."""
    roots: dict[str, Any] = {
        "file_roots": {"base": ["/srv/formula"]},
        "pillar_roots": {"base": ["/srv/pillar", "/srv/secrets"]},
        # An edit in the working tree is listed at once.
        "fileserver_list_cache_time": 0,
        "file_ignore_regex": ["(^|/)__pycache__($|/)"],
    }
    # Links, because Salt walks a whole root for every listing, and a tree holds .git and .venv.
    formula = {f"/srv/formula/{part}": f"-> /srv/tree/{part}" for part in FORMULA}
    # The first tries come before the master is up, and its keys are accepted at once.
    minion = {"id": host.id, "minion_id_caching": False, "retry_dns": 1, "acceptance_wait_time": 1}
    minion |= {"recon_default": 200, "recon_max": 1000, "recon_randomize": False}
    wants = "/etc/systemd/system/multi-user.target.wants"
    match host.kind:
        case "master":
            waits = {"timeout": 10, "gather_job_timeout": 30}  # hosts share few cores
            master = {"auto_accept": True, "worker_threads": 3, **waits, **roots}
            return {
                "/etc/salt/master": yaml.safe_dump(master),
                **formula,
                f"{wants}/salt-master.service": "-> /etc/systemd/system/salt-master.service",
            }
        case "minion":
            return {
                "/etc/salt/minion": yaml.safe_dump({"master": "salt", **minion}),
                f"{wants}/salt-minion.service": "-> /etc/systemd/system/salt-minion.service",
            }
        case "masterless":
            local = {"file_client": "local", "minion_id_caching": False, "id": host.id}
            return {"/etc/salt/minion": yaml.safe_dump({**local, **roots}), **formula}
    return {}


def json_documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that start a line, as `salt --out=json` prints one for each minion."""
    decoder = json.JSONDecoder()
    begin = re.compile(r"^\{", re.M)
    found = begin.search(text)
    while found:
        try:
            document, end = decoder.raw_decode(text, found.start())
            yield document
        except ValueError:
            end = found.end()
        found = begin.search(text, end)


def tar_of(files: dict[str, str]) -> bytes:
    """Pack files by path for `docker cp`; a text `-> PATH` makes a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            if text.startswith("-> "):
                member.type, member.linkname = tarfile.SYMTYPE, text[3:]
                tar.addfile(member)
            else:
                member.mode, member.size = 0o640, len(text.encode())
                tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


# --- what an apply did ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Applied:
    """What `state.apply` reported for one host: its states by ID, or the errors in their stead."""

    id: str
    states: dict[str, dict[str, Any]]
    errors: list[str]

    @classmethod
    def read(cls, id: str, data: Any) -> Applied:
        """Sort one host's answer of `state.apply` into states and errors."""
        if isinstance(data, dict) and all(isinstance(one, dict) for one in data.values()):
            return cls(id, data, [])
        if not data:
            return cls(id, {}, ["the minion did not answer"])
        return cls(id, {}, [str(one) for one in (data if isinstance(data, list) else [data])])

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Return the states that failed."""
        return [state for state in self.states.values() if state.get("result") is False]

    @property
    def changed(self) -> list[dict[str, Any]]:
        """Return the states that changed something, or would under test=True."""
        return [state for state in self.states.values() if state.get("changes")]

    @property
    def ok(self) -> bool:
        """Tell whether every state succeeded."""
        return not self.failed and not self.errors

    def __str__(self) -> str:
        """Count the states, and show every failure whole."""
        good = len(self.states) - len(self.failed)
        seconds = sum(float(state.get("duration") or 0) for state in self.states.values()) / 1000
        counts = f"{good:3} succeeded, {len(self.changed):3} changed, {len(self.failed):3} failed"
        lines = [f"  {self.id:<24}{counts}  {seconds:5.1f} s"]
        for state in self.failed:
            lines.append(f"    ✗ {state.get('__id__')} ({state.get('__sls__')})")
            lines += [f"        {text}" for text in str(state.get("comment")).splitlines()]
        lines += ["    ✗ " + error.replace("\n", "\n        ") for error in self.errors]
        return "\n".join(lines)


# --- a lab ---------------------------------------------------------------------------------------


class Lab:
    """One cluster of containers under one name.

    What is not given is taken from the hosts that exist under this name, then from the defaults.
    """

    def __init__(
        self,
        name: str = "lab",
        topology: str | None = None,
        suite: str | None = None,
        salt: str | None = None,
    ) -> None:
        """Describe a lab; `topology` is a name under test/pillar or a path, `salt` a version."""
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise LabError(f"lab name {name!r}: use small letters, digits and hyphens")
        self.name = name
        self.state = STATE / name
        self._wish = {"topology": topology, "suite": suite, "salt": salt}

    # What exists, from the engine

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of this lab's containers, by short host name."""
        if not engine_answers():
            return {}
        ids = docker("ps", "-aq", "--filter", f"label={LABEL}={self.name}").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"][f"{LABEL}.host"]: one for one in found}

    @property
    def settings(self) -> dict[str, str]:
        """Return topology, suite and Salt version; refuse those that the hosts don't have."""
        defaults = {"topology": TOPOLOGY, "suite": SUITE, "salt": SALT}
        for one in self.containers().values():
            labels = one["Config"]["Labels"]
            have = {key: labels[f"{LABEL}.{key}"] for key in defaults}
            for key, value in {**self._wish, "tree": str(TREE)}.items():
                is_ = labels[f"{LABEL}.{key}"]
                if value and value != is_:
                    raise LabError(
                        f"lab {self.name} is up with {key} {is_}, not {value}; "
                        f"run `{self.command('down')}` first, or choose another --name"
                    )
            return have
        return {key: self._wish[key] or value for key, value in defaults.items()}

    @property
    def pillar(self) -> Path:
        """Return the folder of the topology."""
        return TREE / "test/pillar" / self.settings["topology"]

    @property
    def hosts(self) -> list[Host]:
        """Return the hosts of the topology, the Salt master first, then hosts added to it."""
        hosts = read_topology(self.pillar)
        known = {host.name for host in hosts}
        for name, one in self.containers().items():
            labels = one["Config"]["Labels"]
            if name not in known:
                hosts.append(Host(labels[f"{LABEL}.id"], name, (), labels[f"{LABEL}.kind"]))
        return hosts

    @property
    def master(self) -> Host | None:
        """Return the host of the Salt master, or None in a masterless lab."""
        return next((host for host in self.hosts if host.kind == "master"), None)

    def host(self, name: str) -> Host:
        """Find a host by its short name or its id."""
        hosts = self.hosts
        for host in hosts:
            if name in (host.name, host.id):
                return host
        raise LabError(f"no host {name!r} in lab {self.name}: {', '.join(h.name for h in hosts)}")

    def container(self, name: str) -> str:
        """Return the name of a host's container."""
        return f"{self.name}-{self.host(name).name}"

    def command(self, *words: str) -> str:
        """Return the shell command for this lab that a message can name."""
        return shlex.join(["test/lab", *(["--name", self.name] * (self.name != "lab")), *words])

    # Up and down

    def up(self, apply: bool = True) -> list[Applied]:
        """Bring every host up and converge them; do again only what is missing."""
        log = self.state / "log"
        for folder in (STATE, self.state, log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(), step("Docker answers", log / "engine.log") as out:
            ensure_engine(out)
        settings = self.settings
        hosts = self.hosts
        existing = self.containers()
        # One that never ran was left by an interrupted run, perhaps without its configuration.
        for name in [n for n, one in existing.items() if one["State"]["Status"] == "created"]:
            docker("rm", "-f", existing.pop(name)["Id"])
        missing = [host for host in hosts if host.name not in existing]
        stopped = [h for h in hosts if h.name in existing and not self.running(existing[h.name])]
        self.ensure_network()
        self.ensure_secrets()
        if missing:
            suite, salt = settings["suite"], settings["salt"]
            with locked(), step(f"Image: Debian {suite}, Salt {salt}", log / "image.log") as out:
                image = salt_image(suite, salt, self.name, out)
            if self.galaxy:
                version = self.galaxy_version
                with locked(), step(f"Wheels of Galaxy {version}", log / "wheels.log") as out:
                    galaxy_wheels(suite, version, image, self.name, out)
                volume = f"{self.name}-galaxy"
                docker("volume", "create", "--label", f"{LABEL}={self.name}", volume)
            with step(f"Hosts created: {len(missing)}", log / "create.log"):
                together(lambda host: self._create(host, image, settings), missing)
        with step(f"Hosts booted: {len(hosts)}", log / "boot.log"):
            # The master first: a minion that finds none waits for seconds before it tries again.
            for some in ([h for h in hosts if h.kind == "master"], hosts):
                off = [host for host in some if host in missing + stopped]
                together(lambda host: docker("start", f"{self.name}-{host.name}"), off)
                together(self.wait_booted, some)
        if self.master:
            with step("Every minion answers the master", log / "minions.log"):
                self.wait_minions()
        return self.apply() if apply else []

    def down(self) -> None:
        """Remove the lab's containers, network and secrets, also after the engine was stopped."""
        if self.state.exists() and shutil.which("dockerd"):
            with locked(), Path(os.devnull).open("w") as log:
                ensure_engine(log)
        if engine_answers():
            label = f"label={LABEL}={self.name}"
            if ids := docker("ps", "-aq", "--filter", label).split():
                docker("rm", "-f", "-v", *ids)
            for kind in ("network", "volume"):
                if ids := docker(kind, "ls", "-q", "--filter", label).split():
                    docker(kind, "rm", *ids)
        shutil.rmtree(self.state, ignore_errors=True)

    def ensure_network(self) -> None:
        """Make the lab's network unless it is there."""
        if not docker("network", "ls", "-q", "--filter", f"label={LABEL}={self.name}"):
            docker("network", "create", "--label", f"{LABEL}={self.name}", self.name)

    @property
    def galaxy(self) -> Host | None:
        """Return the host that has Galaxy, or None."""
        return next((host for host in self.hosts if "galaxy" in host.roles), None)

    @property
    def galaxy_url(self) -> str:
        """Return where Galaxy is for this machine."""
        one = self.containers()[self.galaxy.name] if self.galaxy else {}
        address = one["NetworkSettings"]["Networks"][self.name]["IPAddress"]
        return f"http://{address}:8080"

    @property
    def galaxy_version(self) -> str:
        """Return the version of Galaxy that the topology asks for."""
        files = (self.pillar / "cluster.sls", TREE / "slurm_galaxy/defaults.yaml")
        cluster, defaults = (yaml.safe_load(file.read_text()) for file in files)
        asked = cluster["slurm_galaxy"].get("galaxy", {}).get("version")
        return str(asked or defaults["galaxy"]["version"])

    def ensure_secrets(self) -> None:
        """Make the pillar files that hold secrets, unless they are there."""
        folder = self.state / "secrets"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, generate in SECRETS.items():
            file = folder / f"{name}.sls"
            if not file.exists():
                file.touch(mode=0o600)
                file.write_text(yaml.safe_dump({"slurm_galaxy": generate()}))

    def add_host(self, name: str, kind: str = "bare") -> Host:
        """Start a host outside of the topology: bare, for salt-ssh, or a minion; wait for it."""
        hosts, settings = self.hosts, self.settings
        domain = hosts[0].id.partition(".")[2]
        host = Host(f"{name}.{domain}" if domain else name, name, (), kind)
        image = salt_image_tag(settings["suite"], settings["salt"])[0]
        self._create(host, image, settings)
        docker("start", f"{self.name}-{name}")
        self.wait_booted(host)
        return host

    def remove_host(self, name: str) -> None:
        """Remove one host and its key; `up` makes a fresh one when the topology names it."""
        host = self.host(name)
        docker("rm", "-f", "-v", self.container(name))
        if host.kind == "minion" and self.master:
            self.exec(self.master.name, ["salt-key", "--yes", "--delete", host.id])

    def _create(self, host: Host, image: str, settings: dict[str, str]) -> None:
        """Create a host's container, configured but not started."""
        name = f"{self.name}-{host.name}"
        labels = {"host": host.name, "id": host.id, "kind": host.kind, "tree": str(TREE)} | settings
        argv = ["create", "--name", name, "--hostname", host.name, "--stop-signal", "SIGRTMIN+3"]
        if domain := host.id.partition(".")[2]:
            argv += ["--domainname", domain]
        argv += ["--label", f"{LABEL}={self.name}"]
        argv += [w for key, value in labels.items() for w in ("--label", f"{LABEL}.{key}={value}")]
        argv += ["--network", self.name, "--network-alias", host.name, "--network-alias", host.id]
        # Enough for systemd; --privileged fails where root lacks CAP_SYS_RESOURCE.
        argv += [w for c in ("ADMIN", "PTRACE", "NICE") for w in ("--cap-add", f"SYS_{c}")]
        argv += ["--cap-add", "NET_ADMIN", "--cgroupns=host", *cgroup_mount(settings["suite"])]
        argv += ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
        argv += ["--tmpfs", "/run", "--tmpfs", "/tmp:exec,mode=1777"]  # noqa: S108
        argv += [word for path in pip_settings()[1] for word in bind(path, path)]
        if host.kind in ("master", "masterless"):
            argv += bind(TREE, "/srv/tree") + bind(self.pillar, "/srv/pillar")
            argv += bind(self.state / "secrets", "/srv/secrets")
        if {"galaxy", "exec"} & {*host.roles} and self.galaxy:
            argv += ["--mount", f"type=volume,source={self.name}-galaxy,target=/srv/galaxy"]
        if "galaxy" in host.roles:
            wheels = wheel_folder(settings["suite"], self.galaxy_version)
            argv += bind(wheels, "/srv/wheels")
        docker(*argv, image)
        if files := salt_files(host):
            docker("cp", "-", f"{name}:/", input=tar_of(files))

    # Faults

    @staticmethod
    def running(container: dict[str, Any]) -> bool:
        """Tell whether a container, as the engine describes it, runs."""
        return bool(container["State"]["Running"])

    def kill(self, name: str) -> None:
        """Lose a host at once, as by a power cut."""
        docker("kill", self.container(name))

    def stop(self, name: str) -> None:
        """Shut a host down in good order."""
        docker("stop", "--time", "30", self.container(name))

    def start(self, name: str) -> None:
        """Start a host again and wait until it has booted and its minion is connected."""
        docker("start", self.container(name))
        self.wait_booted(self.host(name))
        self.wait_minions()

    def disconnect(self, name: str) -> None:
        """Cut a host off, as by pulling its cable: addresses and connections stay as they are."""
        run(["ip", "link", "set", self._cable(name), "down"])

    def connect(self, name: str) -> None:
        """Undo `disconnect`, and wait until the host reaches another one."""
        run(["ip", "link", "set", self._cable(name), "up"])
        other = next((one for one in self.hosts if one.name != self.host(name).name), None)
        if other:
            # Port 9 is closed, so only a host that was reached can refuse it.
            probe = f"timeout 1 bash -c ': >/dev/tcp/{other.name}/9' 2>&1 | grep -q refused"
            wait_for(
                f"{name} reaches {other.name}",
                lambda: not self.exec(name, ["bash", "-c", probe], check=False).returncode,
            )

    def _cable(self, name: str) -> str:
        """Return the machine's end of a host's network link."""
        index = self.exec(name, ["cat", "/sys/class/net/eth0/iflink"]).stdout.strip()
        for link in Path("/sys/class/net").iterdir():
            if (link / "ifindex").read_text().strip() == index:
                return link.name
        raise LabError(f"no network link of this machine leads to {name}")

    # Use

    def exec(
        self,
        name: str,
        argv: Sequence[str],
        input: str | None = None,
        check: bool = True,
        timeout: float | None = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on a host and return its status and output; raise on failure if `check`."""
        command = ["docker", "exec", *(["-i"] * (input is not None)), self.container(name), *argv]
        return run(command, input=input, check=check, timeout=timeout)

    def salt(
        self, target: str | Sequence[str], fun: str, *args: str, timeout: float = 900
    ) -> dict[str, Any]:
        """Run a Salt function and return each minion's answer by its id.

        The target is a glob or a list of ids; a masterless lab has one minion, whatever it is.
        Arguments are as on the command line: `key=value` is a keyword argument, values are YAML.
        A minion that does not answer is not in the result.
        """
        if master := self.master:
            whom = [target] if isinstance(target, str) else ["-L", ",".join(target)]
            # Not --static: that pings first, and leaves out who is slow to answer the ping.
            argv, where = ["salt", "--out=json", *whom, fun, *args], master.name
        else:
            argv, where = ["salt-call", "--local", "--out=json", fun, *args], self.hosts[0].name
        done = self.exec(where, argv, check=False, timeout=timeout)
        answer: dict[str, Any] = {}
        for document in json_documents(done.stdout):
            answer |= document
        if not answer:
            said = (done.stderr + done.stdout).strip()[-3000:]
            raise LabError(f"{shlex.join(argv)} on {where} returned no JSON:\n{said}")
        if not master:
            return {self.hosts[0].id: answer["local"]}
        lost = "Minion did not return"
        return {id: one for id, one in answer.items() if not str(one).startswith(lost)}

    def apply(self, target: str = "*", *args: str) -> list[Applied]:
        """Apply the formula on the hosts of a Salt target and return what each reported."""
        path = self.state / "log/apply.log"
        with step(f"state.apply slurm_galaxy on {target}", path) as log:
            answer = self.salt(target, "state.apply", "slurm_galaxy", *args)
            json.dump(answer, log, indent=1)
        known = {host.id for host in self.hosts if host.kind == "minion"}
        silent = dict.fromkeys(id for id in known if fnmatch.fnmatchcase(id, target))
        return [Applied.read(id, data) for id, data in sorted((silent | answer).items())]

    def wait_booted(self, host: Host) -> None:
        """Wait until a host's systemd has started what it starts."""
        argv = ["docker", "exec", f"{self.name}-{host.name}", "systemctl"]

        def booted() -> bool:
            state = run([*argv, "is-system-running", "--wait"], check=False, timeout=120)
            return state.stdout.strip() in ("running", "degraded")

        wait_for(f"{host.name} has booted (see `{self.command('logs', host.name)}`)", booted, 120)

    def failed_units(self, name: str) -> list[str]:
        """Return the units of a host that failed, which systemd calls degraded."""
        argv = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]
        lines = self.exec(name, argv, check=False).stdout.splitlines()
        return [line.split()[0] for line in lines if line]

    def wait_minions(self, timeout: float = 60) -> None:
        """Wait until every running minion has connected to the master and answers it."""
        if not (master := self.master):
            return
        containers = self.containers()
        minions = {
            host.id
            for host in self.hosts
            if host.kind == "minion" and self.running(containers[host.name])
        }
        # A ping sent before they are connected is lost, and Salt waits for its whole timeout.
        connected = ["ss", "-Htn", "state", "established", "sport", "=", ":4505"]
        wait_for(
            f"{len(minions)} minions are connected to the master",
            lambda: len(self.exec(master.name, connected).stdout.splitlines()) >= len(minions),
            timeout,
        )
        silent = minions

        def all_answer() -> bool:
            nonlocal silent
            silent = minions - self.salt(sorted(minions), "test.ping").keys()
            return not silent

        try:
            wait_for("every minion answers", all_answer, timeout)
        except LabError:
            names = " and ".join(sorted(silent))
            see = self.command("logs", self.host(min(silent)).name)
            raise LabError(
                f"{names}: no answer to the master after {timeout:.0f} s; {see}"
            ) from None

    def status(self) -> list[dict[str, str]]:
        """Return one row for each host: what it is and how it is."""
        containers = self.containers()

        def row(host: Host) -> dict[str, str]:
            state = "missing"
            if host.name in containers:
                state = str(containers[host.name]["State"]["Status"])
                if state == "running":
                    argv = ["systemctl", "is-system-running"]
                    state = self.exec(host.name, argv, check=False).stdout.strip()
                if state == "degraded":
                    state += f" ({', '.join(self.failed_units(host.name))} failed)"
            what = ", ".join(host.roles) or host.kind
            return {"host": host.name, "id": host.id, "is": what, "state": state}

        return together(row, self.hosts)


# --- the command ---------------------------------------------------------------------------------

EXAMPLES = """\
examples:
  test/lab up                                   a Salt master, Galaxy, a controller and two nodes
  test/lab exec head -- srun -N2 hostname       run a program on a host
  test/lab apply 'node*' -- test=True           apply the formula again, as it is in the tree
  test/lab --name one up --topology single      a second lab beside it: one host, no master
  test/lab up --suite trixie --no-apply         hosts without anything applied
  test/lab logs head -f                         follow a host's journal
  test/lab down                                 remove all of it

Hosts are named by their short name or their minion id. The working tree is what is applied, so
an edit needs no rebuild. Logs and secrets are in /var/lib/slurm-galaxy-lab.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="test/lab",
        description="Real Slurm clusters on this machine, configured by the formula through Salt.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--name", default="lab", help="which lab (default: %(default)s)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    up = command("up", "start the hosts, or what is missing of them, and apply the formula")
    up.add_argument("--suite", choices=SUITES, help=f"Debian suite (default: {SUITE})")
    up.add_argument("--topology", help=f"folder of test/pillar (default: {TOPOLOGY})")
    up.add_argument("--salt", metavar="VERSION", help=f"Salt version (default: {SALT})")
    up.add_argument("--no-apply", action="store_true", help="stop before the formula is applied")
    down = command("down", "remove the hosts, their network and their secrets")
    down.add_argument("--images", action="store_true", help="the cached images too")
    command("status", "show each host and how it is")
    apply = command("apply", "apply the formula; what follows -- goes to state.apply")
    apply.add_argument("target", nargs="?", default="*", help="Salt target (default: all hosts)")
    execute = command("exec", "run the program that follows -- on a host (default: a shell)")
    execute.add_argument("host")
    logs = command("logs", "show a host's journal")
    logs.add_argument("host")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    return top


def report(lab: Lab, applied: list[Applied]) -> int:
    """Print what an apply did on each host; return the exit status."""
    for one in applied:
        print(one)
    if applied and all(one.ok for one in applied):
        return 0
    print(f"The whole answer: less {lab.state}/log/apply.log")
    for one in applied:
        if not one.ok:
            print(f"That host's journal: {lab.command('logs', lab.host(one.id).name)}")
    return 1


def proof(lab: Lab) -> int:
    """Show the nodes, and a first job that Galaxy sends to them; return the exit status."""
    head = next(host for host in lab.hosts if "controller" in host.roles)
    print(lab.exec(head.name, ["sinfo"]).stdout, end="")
    if not (galaxy := lab.galaxy):
        return 0
    with step("A first job, from Galaxy through Slurm", lab.state / "log/job.log") as log:
        job = lab.salt(galaxy.id, "galaxy.run_job")[galaxy.id]
        json.dump(job, log, indent=1)
    admin = yaml.safe_load((lab.state / "secrets/galaxy.sls").read_text())["slurm_galaxy"]
    password = admin["galaxy"]["admins"][ADMIN]["password"]
    print(f"Galaxy: {lab.galaxy_url}  log in as {ADMIN} with {password}")
    if not isinstance(job, dict) or not job["ok"]:
        print(f"✗ {job['problem'] if isinstance(job, dict) else job}")
        return 1
    print(
        f"Its job {job['number']} was job {job['slurm_job']} of Slurm, ran on {job['node']} and "
        f"took {job['seconds']:.0f} s"
    )
    return 0


def hints(lab: Lab) -> str:
    """Return the commands that are worth trying next."""
    hosts = lab.hosts
    head = next((host for host in hosts if "controller" in host.roles), hosts[0])
    nodes = sum("exec" in host.roles for host in hosts)
    galaxy_job = lab.command("exec", "galaxy", "--", "salt-call", "galaxy.run_job")
    lines = [
        (lab.command("exec", head.name, "--", "sinfo"), "nodes and partitions"),
        (lab.command("exec", head.name, "--", "srun", f"-N{nodes}", "hostname"), "run a job"),
        *([(galaxy_job, "another job, from Galaxy through Slurm")] if lab.galaxy else []),
        (lab.command("apply"), "apply the formula; a second time changes nothing"),
        (lab.command("status"), "hosts and how they are"),
        (lab.command("down"), "remove all of it"),
    ]
    width = max(len(command) for command, _ in lines)
    return "Try next:\n" + "\n".join(f"  {command:<{width}}  {what}" for command, what in lines)


def pass_through(lab: Lab, name: str, argv: list[str], terminal: bool = False) -> None:
    """Become a program on a host, with this process's streams and exit status."""
    container = lab.containers().get(lab.host(name).name)
    if not container or not lab.running(container):
        raise LabError(f"host {name} of lab {lab.name} does not run; run `{lab.command('up')}`")
    flags = ["-i", *(["-t"] if terminal else [])]
    if term := os.environ.get("TERM") if terminal else None:
        flags += ["-e", f"TERM={term}"]
    sys.stdout.flush()
    os.execvp("docker", ["docker", "exec", *flags, container["Id"], *argv])  # noqa: S606


def remove_images(log: IO[str]) -> None:
    """Remove the images that no lab uses."""
    for tag in docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{IMAGES}/*").split():
        run(["docker", "rmi", tag], log=log, check=False)


def obey(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    wish = {key: getattr(arguments, key, None) for key in ("topology", "suite", "salt")}
    lab = Lab(arguments.name, **wish)
    match arguments.command:
        case "up":
            applied = lab.up(apply=not arguments.no_apply)
            status = 0 if arguments.no_apply else report(lab, applied)
            if applied and not status:
                status = proof(lab)
            if not status:
                print(hints(lab))
            return status
        case "down":
            with tempfile.TemporaryDirectory() as folder:
                with step(f"Lab {lab.name} removed", Path(folder) / "down.log") as log:
                    lab.down()
                    if arguments.images and engine_answers():
                        remove_images(log)
                with locked():
                    if stop_engine():
                        print("dockerd stopped, as the lab had started it")
        case "status":
            rows = lab.status()
            print(f"lab {lab.name}: " + ", ".join(f"{k} {v}" for k, v in lab.settings.items()))
            for row in rows:
                print("  {host:<10}{id:<24}{is:<24}{state}".format(**row))
            return int(any(row["state"] != "running" for row in rows))
        case "apply":
            return report(lab, lab.apply(arguments.target, *rest))
        case "exec":
            terminal = sys.stdin.isatty() and sys.stdout.isatty()
            pass_through(lab, arguments.host, rest or ["bash", "-l"], terminal)
        case "logs":
            follow = ["--follow"] if arguments.follow else []
            pass_through(lab, arguments.host, ["journalctl", "--no-pager", *follow])
    return 0


def main(argv: list[str]) -> int:
    """Run the command; print an error as a sentence, not as a traceback."""
    cut = argv.index("--") if "--" in argv else len(argv)
    try:
        return obey(parser().parse_args(argv[:cut]), argv[cut + 1 :])
    except LabError as error:
        print(f"test/lab: {error}", file=sys.stderr)
    except BrokenPipeError:  # as in `test/lab logs head | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        print("\ntest/lab: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
