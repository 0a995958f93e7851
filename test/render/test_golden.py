"""What each role is told on each system, as text that can be read: test/fixtures/golden.

A change that is meant is written by this, and then read in the diff::

    GOLDEN=write .venv/bin/pytest test/render/test_golden.py
"""

import json
import os

import lab
import pytest
import yaml
from loading import TREE
from rendering import OS_RELEASE, Minion, grains_of

GOLDEN = TREE / "test/fixtures/golden"
SYSTEMS = sorted(path.name for path in OS_RELEASE.iterdir())
ROLES = ("dbd", "controller", "exec", "submit", "drmaa", "galaxy")
PILLAR = {
    "slurm_galaxy": {
        "cluster": "golden",
        "hosts": {f"{role}.lab.test": {"roles": [role]} for role in ROLES},
        "munge": {"key": "c29tZSByYW5kb20gYnl0ZXMgZm9yIHRoZSByZW5kZXIgdGVzdHM"},
        "slurm": {
            "nodes": [{"NodeName": "exec", "CPUs": 2}],
            "partitions": [{"PartitionName": "main", "Nodes": "exec", "Default": True}],
        },
        "galaxy": {
            "database": {"managed": True},
            "shared": {"objects": {"device": "nas:/objects", "fstype": "nfs4"}},
        },
    }
}
SECRETS = {  # for the Galaxy host alone
    "id_secret": "3f7ab0c1d2e4958677",
    "admins": {"ada@lab.test": {"password": "correct horse", "key": "0a1b2c3d"}},
}
# What a site gives a system for slurm-drmaa, where no repository of osmap.yaml has it. Galaxy uses
# the command line there, by the system's default.
FILES = {
    "files": [{"slurm-drmaa1": "salt://packages/slurm-drmaa1.deb"}],
    "library": "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1",
}
FINGERS = {
    "debian-12": ("Debian", "Debian-12"),
    "debian-13": ("Debian", "Debian-13"),
    "debian-sid": ("Debian", None),
    "ubuntu-22.04": ("Debian", "Ubuntu-22.04"),
    "ubuntu-24.04": ("Debian", "Ubuntu-24.04"),
    "rocky-9": ("RedHat", "Rocky Linux-9"),
    "almalinux-9": ("RedHat", "AlmaLinux-9"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_salt_names_the_system_as_osmap_does(system):
    grains = grains_of(system)
    family, finger = FINGERS[system]
    assert grains["os_family"] == family
    assert grains.get("osfinger") == finger


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_each_role_on_each_system(system, role, tmp_path):
    given: dict = PILLAR["slurm_galaxy"]
    if system.startswith("debian"):
        given = given | {"drmaa": FILES}
    if role == "galaxy":
        given = given | {"galaxy": given["galaxy"] | SECRETS}
    host = lab.Host(f"{role}.lab.test", role)
    minion = Minion(tmp_path, host, {"slurm_galaxy": given}, grains_of(system))
    told = [
        {
            chunk["__id__"]: {
                f"{chunk['state']}.{chunk['fun']}": {
                    key: value
                    for key, value in sorted(chunk.items())
                    if not key.startswith("__") and key not in ("state", "fun", "order")
                }
            }
        }
        for chunk in minion.show("show_low_sls", "slurm_galaxy")
    ]
    plain = json.loads(json.dumps(told))  # without Salt's own kind of mapping
    text = yaml.safe_dump(plain, sort_keys=False, width=100, allow_unicode=True)
    file = GOLDEN / system / f"{role}.yml"
    if os.environ.get("GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


def test_every_file_is_of_a_system_and_a_role():
    files = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.yml")}
    assert files == {f"{system}/{role}.yml" for system in SYSTEMS for role in ROLES}
