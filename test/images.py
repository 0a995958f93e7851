"""Images of the lab's hosts: a Debian that boots systemd and has Salt, without MUNGE and Slurm.

Made in a container, not from a Dockerfile, so that the machine's certificates and pip settings can
be mounted with any engine; named after a hash of everything that determines them.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import os
import re
import selectors
import shutil
import subprocess
from pathlib import Path
from typing import IO

from engine import STATE, LabError, docker, run

TREE = Path(__file__).resolve().parent.parent
IMAGES = "slurm-galaxy-lab"
COMMIT = ('CMD ["/sbin/init"]', "ENV container=docker LANG=C.UTF-8")
CA = Path("/etc/ssl/certs/ca-certificates.crt")


def pip_settings() -> tuple[str, list[str]]:
    """Return the machine's pip settings as one pip.conf, and the files and folders that it names.

    Files in pip's own order, then PIP_* variables (pip: Configuration).
    """
    settings = configparser.RawConfigParser()
    home = Path.home()
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    settings.read([*files, os.environ.get("PIP_CONFIG_FILE", "")])
    if not settings.has_section("global"):
        settings.add_section("global")
    for variable, value in sorted(os.environ.items()):
        option = variable.removeprefix("PIP_").lower().replace("_", "-")
        if variable.startswith("PIP_") and option != "config-file":
            for section in settings.sections():
                settings.remove_option(section, option)
            settings.set("global", option, value)
    settings.set("global", "cert", str(CA))  # the image's own file, which knows the machine's too
    values = [value for section in settings.sections() for _, value in settings.items(section)]
    paths = {word.removeprefix("file://") for value in values for word in value.split()}
    found = {Path(path) for path in paths if path.startswith("/") and Path(path).exists()} - {CA}
    # An index's pages link to files beside its folder.
    found = {path.parent if path.name == "simple" else path for path in found}
    mounts = [str(path) for path in sorted(found) if not found.intersection(path.parents)]
    text = io.StringIO()
    settings.write(text)
    return text.getvalue(), mounts


def apt_settings(suite: str) -> tuple[str, str]:
    """Return apt.conf and sources.list for a suite, with the machine's proxy and mirrors."""
    keep = re.compile(r"Acquire::(?:Check-\S+|Retries|\S*Proxy\S*) (?!.*(?:localhost|127\.0\.0\.))")
    lines = [line for line in run(["apt-config", "dump"]).stdout.splitlines() if keep.match(line)]
    lines.append('Acquire::Languages "none";')
    if suite == "sid":
        lines += ['Acquire::Check-Valid-Until "false";', 'Acquire::Check-Date "false";']
    mirror, security = mirrors()
    sources = [f"deb {mirror} {suite} main"]
    if suite != "sid":
        sources.append(f"deb {mirror} {suite}-updates main")
        sources.append(f"deb {security} {suite}-security main")
    return "\n".join(lines) + "\n", "\n".join(sources) + "\n"


def mirrors() -> tuple[str, str]:
    """Return the machine's mirrors of Debian and of its security updates.

    Only http: a minimal image has no certificates yet.
    """
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    kept = [file for file in files if file.suffix in (".list", ".sources") and file.is_file()]
    text = "\n".join(file.read_text() for file in kept)
    found = [
        re.search(rf"^[^#\n]*?(http://\S+/{name})/?(?:\s|$)", text, re.M)
        for name in ("debian", "debian-security")
    ]
    defaults = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
    first, second = (match[1] if match else url for match, url in zip(found, defaults, strict=True))
    return first, second


def image_exists(tag: str) -> bool:
    """Tell whether the engine has an image."""
    return not run(["docker", "image", "inspect", tag], check=False).returncode


def _tag(kind: str, version: str, *parts: str) -> str:
    """Name an image after everything that determines it."""
    digest = hashlib.sha256("\0".join([kind, version, *parts]).encode()).hexdigest()[:12]
    return f"{IMAGES}/{kind}:{version}-{digest}"


def pulled(image: str, log: IO[str], patience: float = 6) -> bool:
    """Pull an image, unless the registry is silent for `patience` s; tell whether it is here."""
    if image_exists(image):
        return True
    argv = ["docker", "pull", image]
    pull = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
    assert pull.stdout
    with selectors.DefaultSelector() as selector, pull.stdout:
        selector.register(pull.stdout, selectors.EVENT_READ)
        if not selector.select(patience):
            print(f"no word from a registry after {patience:.0f} s", file=log, flush=True)
            pull.kill()
        log.writelines(pull.stdout)
    return pull.wait() == 0


def base_image(suite: str, log: IO[str]) -> str:
    """Return a minimal Debian, from a registry where one answers, else from debootstrap."""
    mirror = mirrors()[0]
    tag = _tag("base", suite, mirror)
    if image_exists(tag):
        return tag
    public = f"debian:{suite}"
    had = image_exists(public)
    if pulled(public, log):
        docker("tag", public, tag)
        if not had:
            docker("rmi", public)
        return tag
    root = STATE / "debootstrap"
    shutil.rmtree(root, ignore_errors=True)
    try:
        # In a mount namespace of its own, so that nothing is left mounted when it is interrupted.
        argv = ["unshare", "--mount", "debootstrap", "--variant=minbase", suite, str(root), mirror]
        run(argv, log=log)
        shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(["docker", "import", "-", tag], stdin=tar.stdout, stdout=log, check=True)
        if tar.returncode:
            docker("rmi", tag)
            raise LabError(f"tar could not read {root}")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return tag


def salt_image_tag(suite: str, salt: str) -> tuple[str, dict[str, str], list[str]]:
    """Return the name of an image with Salt, the files that it is made with, and what to mount.

    The files are those of test/image and the machine's settings.
    """
    context = {file.name: file.read_text() for file in sorted((TREE / "test/image").iterdir())}
    context["pip.conf"], mounts = pip_settings()
    context["apt.conf"], context["sources.list"] = apt_settings(suite)
    context["ca.crt"] = CA.read_text() if CA.exists() else ""
    parts = [*COMMIT, *(text for item in sorted(context.items()) for text in item)]
    return _tag("salt", f"{suite}-{salt}", *parts), context, mounts


def salt_image(suite: str, salt: str, network: str, log: IO[str]) -> str:
    """Return an image that boots systemd and has Salt, building it when there is none."""
    tag, context, mounts = salt_image_tag(suite, salt)
    if image_exists(tag):
        return tag
    base = base_image(suite, log)
    builder = tag.replace("/", "-").replace(":", "-")
    lab = STATE / "image"
    shutil.rmtree(lab, ignore_errors=True)
    lab.mkdir(mode=0o700)
    for name, text in context.items():
        (lab / name).write_text(text)
    proxies = [v for v in os.environ if v.lower() in ("http_proxy", "https_proxy", "no_proxy")]
    argv = ["run", "--name", builder, "--network", network, *bind(lab, "/lab")]
    argv += [word for path in mounts for word in bind(path, path)]
    argv += [word for variable in proxies for word in ("-e", variable)]
    docker("rm", "-f", builder, check=False)  # of an interrupted run
    try:
        run(["docker", *argv, base, "sh", "/lab/provision.sh", salt], log=log)
        flags = [word for change in COMMIT for word in ("--change", change)]
        run(["docker", "commit", *flags, builder, tag], log=log)
    finally:
        docker("rm", "-f", builder, check=False)
        shutil.rmtree(lab, ignore_errors=True)
    return tag


def wheel_folder(suite: str, version: str) -> Path:
    """Return where the wheels of a Galaxy are kept for hosts of a suite."""
    return STATE / "wheels" / f"{suite}-{version}"


def galaxy_wheels(suite: str, version: str, image: str, network: str, log: IO[str]) -> None:
    """Download Galaxy and all that it needs as wheels, once for each version and suite."""
    folder = wheel_folder(suite, version)
    if folder.exists():
        return
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    # Then what a configuration for PostgreSQL or DRMAA needs, in the version that Galaxy names.
    script = """
        apt-get update
        apt-get install -y --no-install-recommends python3-venv unzip
        python3 -m venv /tmp/venv
        /tmp/venv/bin/pip install wheel setuptools
        /tmp/venv/bin/pip wheel --wheel-dir /wheels "galaxy==$1"
        unzip -p /wheels/galaxy_app-*.whl galaxy/dependencies/conditional-requirements.txt |
            grep -E '^(psycopg2-binary|drmaa)' >/tmp/conditional
        /tmp/venv/bin/pip wheel --wheel-dir /wheels --find-links /wheels -r /tmp/conditional
    """
    argv = ["run", "--rm", "--network", network, "--volume", f"{new}:/wheels"]
    argv += [word for path in pip_settings()[1] for word in bind(path, path)]
    run(["docker", *argv, image, "sh", "-euc", script, "sh", version], log=log)
    new.rename(folder)


def bind(source: str | Path, target: str) -> list[str]:
    """Return the flags of a read-only mount; unlike -v it never makes the source."""
    return ["--mount", f"type=bind,source={source},target={target},readonly"]


def cgroup_mount(suite: str) -> list[str]:
    """Return the flags that give a host its cgroup tree.

    From Debian 13 on systemd wants cgroup v2, which a hybrid tree has in a folder of its own.
    """
    unified = Path("/sys/fs/cgroup/unified")
    source = unified if unified.is_dir() and suite != "bookworm" else "/sys/fs/cgroup"
    return ["--mount", f"type=bind,source={source},target=/sys/fs/cgroup"]
