"""host.py: from the pillar and the grains to what a host becomes, problem by problem."""

import base64
import copy
from typing import Any

import host
import pytest
import yaml
from loading import TREE, load

DEFAULTS = yaml.safe_load((TREE / "slurm_galaxy/defaults.yaml").read_text())
OSMAP = yaml.safe_load((TREE / "slurm_galaxy/osmap.yaml").read_text())
KEY = "n0t-An-3xam9le/bUt-l0ng-en0ugh-for-munged"  # never leaves this file
FRESH: dict[str, dict[str, int | None]] = {
    user: {"uid": None, "gid": None} for user in ("slurm", "munge", "galaxy")
}
PILLAR: dict[str, Any] = {
    "cluster": "galaxy",
    "hosts": {
        "head.example.org": {"roles": ["controller", "submit"]},
        "node*.example.org": {"roles": ["exec"]},
    },
    "munge": {"key": KEY},
    "slurm": {
        "nodes": [{"NodeName": "node[1-3]", "CPUs": 2}],
        "partitions": [{"PartitionName": "main", "Nodes": "node[1-3]", "Default": True}],
    },
}
NOTHING = object()


def change(path, value):
    """Copy PILLAR with the value at a path of the pillar replaced, or taken out."""
    pillar = copy.deepcopy(PILLAR)
    *parents, last = path
    place = pillar
    for step in parents:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is NOTHING:
        del place[last]
    else:
        place[last] = value
    return pillar


def nobody(_kind, _number):
    """Say that an id is free on the host."""
    return None


def resolve(
    pillar, minion_id="head.example.org", accounts=FRESH, role=None, name=None, owner=nobody
):
    """Resolve a Debian 12 host."""
    grains = {
        "id": minion_id,
        "localhost": name or minion_id.partition(".")[0],
        "os_family": "Debian",
        "osfinger": "Debian-12",
    }
    return host.resolve(pillar, grains, DEFAULTS, OSMAP, accounts, owner, role)


def the_problem(pillar, *args, **kwargs):
    """Resolve, and return the one problem that there must be."""
    found = resolve(pillar, *args, **kwargs)
    assert len(found["problems"]) == 1, found["problems"]
    assert found["settings"] == {}
    return found["problems"][0]


# What a right pillar gives.


def test_roles_come_in_the_order_of_application():
    pillar = change(("hosts", "head.example.org", "roles"), ["submit", "controller"])
    assert resolve(pillar)["roles"] == ["controller", "submit"]


def test_a_glob_gives_its_roles_to_each_minion_it_matches():
    found = resolve(PILLAR, "node2.example.org")
    assert (found["name"], found["roles"], found["problems"]) == ("node2", ["exec"], [])


def test_an_exact_id_wins_alone_over_a_glob():
    pillar = change(("hosts", "node3.example.org"), {"roles": ["exec", "submit"]})
    assert resolve(pillar, "node3.example.org")["roles"] == ["exec", "submit"]


def test_slurm_conf_is_the_same_for_every_host():
    files = [
        resolve(PILLAR, f"{name}.example.org")["settings"]["slurm"]["files"]
        for name in ("head", "node1", "node3")
    ]
    assert files[0] == files[1] == files[2]


def test_the_table_gives_slurmctldhost_with_the_primary_first():
    pillar = change(("hosts", "head.example.org", "roles"), ["controller"])
    pillar["hosts"]["other.example.org"] = {
        "roles": ["controller"],
        "primary": True,
        "address": "10.0.0.2",
    }
    settings = resolve(pillar)["settings"]["slurm"]["files"]["slurm.conf"]["settings"]
    assert settings["SlurmctldHost"] == ["other(10.0.0.2)", "head"]
    assert settings["ClusterName"] == "galaxy"


def test_addresses_of_the_table_reach_the_node_line_name_by_name():
    pillar = change(("hosts", "node2.example.org"), {"roles": ["exec"], "address": "10.0.0.2"})
    lines = resolve(pillar)["settings"]["slurm"]["files"]["slurm.conf"]["nodes"]
    assert lines == [
        {"NodeName": "node[1-3]", "CPUs": 2, "NodeAddr": ["node1", "10.0.0.2", "node3"]}
    ]


def test_the_sites_spelling_of_a_parameter_replaces_the_default():
    pillar = change(("slurm", "config"), {"returntoservice": 2})
    settings = resolve(pillar)["settings"]["slurm"]["files"]["slurm.conf"]["settings"]
    assert settings["returntoservice"] == 2
    assert "ReturnToService" not in settings


def test_a_value_is_spelled_as_the_systems_slurm_knows_it():
    found = resolve(change(("slurm", "cgroup"), {"CgroupPlugin": "disabled"}))
    written = found["settings"]["slurm"]["files"]["cgroup.conf"]["settings"]
    assert written == {"CgroupPlugin": "cgroup/v1"}  # Debian 12 has Slurm 22.05


def test_spool_directory_patterns_stand_for_the_nodes_name():
    pillar = change(("slurm", "config"), {"SlurmdSpoolDir": "/var/spool/slurmd.%n"})
    assert (
        resolve(pillar, "node1.example.org")["settings"]["slurm"]["spool_dir"]
        == "/var/spool/slurmd.node1"
    )


def test_a_node_is_compared_with_its_line_over_the_defaults():
    pillar = change(("slurm", "nodes"), [{"NodeName": "node[1-3]", "CPUs": 4}])
    pillar["slurm"]["nodes"].append({"nodename": "DEFAULT", "cpus": 2, "RealMemory": 9000})
    found = resolve(pillar, "node2.example.org")["settings"]["slurm"]["node"]
    assert (found["CPUs"], found["RealMemory"]) == (4, 9000)
    assert resolve(pillar)["settings"]["slurm"]["node"] is None  # head is no node


def test_a_line_that_is_meant_to_differ_is_not_compared():
    pillar = change(("slurm", "config"), {"slurmdparameters": ["config_overrides", "x"]})
    assert resolve(pillar, "node1.example.org")["settings"]["slurm"]["node"] is None


def test_the_job_that_checks_a_node_is_opt_in():
    checked = change(("slurm", "check"), True)
    users = [
        resolve(pillar, "node1.example.org")["settings"]["slurm"]["check_user"]
        for pillar in (PILLAR, checked)
    ]
    assert users == [None, "nobody"]


def test_one_host_needs_no_munge_key():
    pillar = {
        "cluster": "one",
        "hosts": {"one.example.org": {"roles": ["controller", "exec"]}},
        "slurm": {
            "nodes": [{"NodeName": "one"}],
            "partitions": [{"PartitionName": "main", "Nodes": "ALL"}],
        },
    }
    found = resolve(pillar, "one.example.org")
    assert (found["problems"], found["settings"]["munge"]) == ([], {})


def test_an_account_that_exists_with_its_ids_is_not_new():
    accounts = {**FRESH, "slurm": {"uid": 64030, "gid": 64030}}
    users = resolve(PILLAR, accounts=accounts)["settings"]["users"]
    assert (users["slurm"]["new"], users["munge"]["new"]) == (False, True)


def test_ten_thousand_nodes_are_covered_by_one_glob():
    pillar = change(("slurm", "nodes"), [{"NodeName": "node[1-10000]"}])
    found = resolve(pillar, "node10000.example.org")
    assert (found["problems"], found["warnings"]) == ([], [])


# What is wrong, one sentence each: (path, value, the minion that asks, what the sentence says).

WRONG = {
    "no table": (("hosts",), {}, "head", "hosts: no host is listed"),
    "no row matches": (
        ("hosts", "node*.example.org"),
        NOTHING,
        "node1",
        "hosts: no row matches node1.example.org; listed are head.example.org",
    ),
    "two globs match": (
        ("hosts", "*1.example.org"),
        {"roles": ["submit"]},
        "node1",
        "hosts: node1.example.org matches both node*.example.org and *1.example.org",
    ),
    "unknown role": (
        ("hosts", "head.example.org", "roles"),
        ["controler", "controller"],
        "head",
        "hosts:head.example.org:roles: 'controler' is no role; did you mean controller?",
    ),
    "no roles": (
        ("hosts", "web.example.org"),
        {"roles": []},
        "head",
        "hosts:web.example.org: has no roles",
    ),
    "a row that is no mapping": (
        ("hosts", "web.example.org"),
        "exec",
        "head",
        "hosts:web.example.org: must be a mapping",
    ),
    "misspelt key of a row": (
        ("hosts", "head.example.org", "adress"),
        "10.0.0.1",
        "head",
        "hosts:head.example.org:adress: there is no such key; did you mean address?",
    ),
    "controller by glob": (
        ("hosts", "head*.example.org"),
        {"roles": ["controller"]},
        "head",
        "hosts:head*.example.org: a controller is named by its exact minion id",
    ),
    "a glob with one address": (
        ("hosts", "node*.example.org", "address"),
        "10.0.0.1",
        "head",
        "hosts:node*.example.org:address: belongs to one host",
    ),
    "no controller": (
        ("hosts", "head.example.org", "roles"),
        ["submit"],
        "head",
        "hosts: no host has the role controller",
    ),
    "several controllers and no primary": (
        ("hosts", "two.example.org"),
        {"roles": ["controller"]},
        "head",
        "hosts: head.example.org and two.example.org are controllers; say primary: true for one",
    ),
    "a primary that is no controller": (
        ("hosts", "two.example.org"),
        {"roles": ["submit"], "primary": True},
        "head",
        "hosts:two.example.org:primary: is said of a controller",
    ),
    "two hosts of one name": (
        ("hosts", "head.example.com"),
        {"roles": ["submit"]},
        "head",
        "hosts: head.example.org and head.example.com are both head to Slurm",
    ),
    "misspelt key at the top": (
        ("slrum",),
        {},
        "head",
        "slrum: there is no such key; did you mean slurm?",
    ),
    "misspelt key below": (
        ("slurm", "partitons"),
        [],
        "head",
        "slurm:partitons: there is no such key; did you mean partitions?",
    ),
    "text for a number": (
        ("slurm", "wait"),
        "soon",
        "head",
        "slurm:wait: must be a whole number, not text",
    ),
    "a boolean for a number": (
        ("slurm", "wait"),
        True,
        "head",
        "slurm:wait: must be a whole number, not true or false",
    ),
    "no time to wait": (("slurm", "wait"), 0, "head", "slurm:wait: must be at least 1 second"),
    "no cluster name": (("cluster",), NOTHING, "head", "cluster: must be a name"),
    "upper case cluster name": (("cluster",), "Galaxy", "head", "cluster: must be a name"),
    "no key for several hosts": (
        ("munge",),
        NOTHING,
        "head",
        "munge:key: hosts of one cluster share a MUNGE key, and the pillar has none",
    ),
    "example key": (
        ("munge", "key"),
        "replace-me-with-your-own-key-0123456789abcdef",
        "head",
        "munge:key: is an example",
    ),
    "monotonous key": (("munge", "key"), "a" * 64, "head", "munge:key: is an example"),
    "short key": (
        ("munge", "key"),
        "Tr0ub4dor&3-x9",
        "head",
        "munge:key: has 14 bytes, and munged takes 32 or more",
    ),
    "key that is not base64": (
        ("munge",),
        {"key_base64": "%%%"},
        "head",
        "munge:key_base64: is not base64",
    ),
    "two keys": (
        ("munge", "key_source"),
        "salt://munge.key",
        "head",
        "munge: key and key_source are both given",
    ),
    "uid out of range": (
        ("users",),
        {"slurm": {"uid": 0}},
        "head",
        "users:slurm:uid: must be from 1 to 65533, not 0",
    ),
    "one uid for two": (
        ("users",),
        {"slurm": {"uid": 903}},
        "head",
        "users: munge and slurm need uids of their own",
    ),
    "derived parameter": (
        ("slurm", "config"),
        {"ControlMachine": "head"},
        "head",
        "slurm:config:ControlMachine: comes from hosts; remove it here",
    ),
    "two spellings": (
        ("slurm", "config"),
        {"MaxJobCount": 1, "maxjobcount": 2},
        "head",
        "slurm:config:MaxJobCount: is given twice, as MaxJobCount and maxjobcount",
    ),
    "program for what is none": (
        ("slurm", "scripts"),
        {"Prologue": {"source": "salt://prolog.sh"}},
        "head",
        "slurm:scripts:Prologue: is no parameter for a program; did you mean Prolog?",
    ),
    "program from two places": (
        ("slurm", "scripts"),
        {"Prolog": {"source": "salt://prolog.sh", "contents": "#!/bin/sh"}},
        "head",
        "slurm:scripts:Prolog: must be a mapping with one of source",
    ),
    "program without an interpreter": (
        ("slurm", "scripts"),
        {"Epilog": {"contents": "rm -rf /scratch"}},
        "head",
        "slurm:scripts:Epilog:contents: must begin with #!",
    ),
    "program that is named twice": (
        ("slurm",),
        {
            **PILLAR["slurm"],
            "scripts": {"Prolog": {"source": "salt://a"}},
            "config": {"prolog": "/b"},
        },
        "head",
        "slurm:scripts:Prolog: slurm:config names a program for it already",
    ),
    "resource without a name": (
        ("slurm", "gres"),
        [{"File": "/dev/nvidia0"}],
        "head",
        "slurm:gres[0]: must be a mapping with NodeName or Name",
    ),
    "switches and blocks": (
        ("slurm", "topology"),
        [{"SwitchName": "s1", "Nodes": "node1"}, {"BlockName": "b1", "Nodes": "node2"}],
        "head",
        "slurm:topology: has switches and blocks; keep one kind",
    ),
    "relative spool directory": (
        ("slurm", "config"),
        {"SlurmdSpoolDir": "spool"},
        "head",
        "slurm:config:SlurmdSpoolDir: must be an absolute path",
    ),
    "no nodes": (("slurm", "nodes"), [], "head", "slurm:nodes: is empty"),
    "no partitions": (("slurm", "partitions"), [], "head", "slurm:partitions: is empty"),
    "node without a name": (
        ("slurm", "nodes"),
        [{"NodeName": "node[1-3]"}, {"CPUs": 2}],
        "head",
        "slurm:nodes[1]: must be a mapping with NodeName as text",
    ),
    "node with a number for a name": (
        ("slurm", "nodes"),
        [{"NodeName": "node[1-3]"}, {"NodeName": 7}],
        "head",
        "slurm:nodes[1]: must be a mapping with NodeName as text",
    ),
    "hostlist with open brackets": (
        ("slurm", "nodes", 0, "NodeName"),
        "node[1-3",
        "head",
        "slurm:nodes[0]:NodeName: the brackets of 'node[1-3' do not match",
    ),
    "hostlist that runs backwards": (
        ("slurm", "nodes", 0, "NodeName"),
        "node[3-1]",
        "head",
        "slurm:nodes[0]:NodeName: the range 3-1 runs backwards",
    ),
    "node with two lines": (
        ("slurm", "nodes"),
        [{"NodeName": "node[1-3]"}, {"NodeName": "node2"}],
        "head",
        "slurm:nodes[1]: node2 has a line already",
    ),
    "exec host without a node line": (
        ("slurm", "nodes", 0, "NodeName"),
        "node[1-3]",
        "node4",
        "slurm:nodes: no line has node4, and the host node4.example.org has the role exec",
    ),
    "listed exec host without a node line": (
        ("hosts", "gpu1.example.org"),
        {"roles": ["exec"]},
        "head",
        "slurm:nodes: no line has gpu1, and the host gpu1.example.org has the role exec",
    ),
    "partition of an unknown node": (
        ("slurm", "partitions", 0, "Nodes"),
        "node[1-5]",
        "head",
        "slurm:partitions[0]:Nodes: node4, node5 has no line in slurm:nodes",
    ),
    "dbd by a glob": (
        ("hosts", "db*.example.org"),
        {"roles": ["dbd"]},
        "head",
        "hosts:db*.example.org: a dbd is named by its exact minion id",
    ),
    "galaxy by a glob": (
        ("hosts", "galaxy*.example.org"),
        {"roles": ["galaxy"]},
        "head",
        "hosts:galaxy*.example.org: a galaxy is named by its exact minion id",
    ),
    "key of slurmdbd.conf from the table": (
        ("slurm", "dbd"),
        {"config": {"storagepass": "hunter2"}},
        "head",
        "slurm:dbd:config:storagepass: comes from slurm:dbd:database:password; remove it here",
    ),
    "key of slurmdbd.conf in two spellings": (
        ("slurm", "dbd"),
        {"config": {"DebugLevel": "debug", "Debuglevel": "info"}},
        "head",
        "slurm:dbd:config:DebugLevel: is given twice, as DebugLevel and Debuglevel",
    ),
    "remote database without a host": (
        ("slurm", "dbd"),
        {"database": {"managed": False}},
        "head",
        "slurm:dbd:database:host: is missing; give the host of the database, or say managed: true",
    ),
    "password of a database beside slurmdbd": (
        ("slurm", "dbd"),
        {"database": {"user": "acct"}},
        "head",
        "slurm:dbd:database:user: is for a database on another host; say managed: false",
    ),
    "database that is no word": (
        ("slurm", "dbd"),
        {"database": {"name": "acct`; DROP"}},
        "head",
        "slurm:dbd:database:name: must be of letters, digits and _, not 'acct`; DROP'",
    ),
    "option of the database server over two lines": (
        ("slurm", "dbd"),
        {"database": {"server": {"port": "1\nskip-grant-tables"}}},
        "head",
        "slurm:dbd:database:server:port: must be one option and its value on one line",
    ),
    "unknown key of the database": (
        ("slurm", "dbd"),
        {"database": {"pasword": "hunter2"}},
        "head",
        "slurm:dbd:database:pasword: there is no such key; did you mean password?",
    ),
}


@pytest.mark.parametrize(("path", "value", "name", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_pillar_is_one_sentence_with_its_path(path, value, name, says):
    assert the_problem(change(path, value), f"{name}.example.org").startswith(says)


def test_two_primaries_are_both_named():
    pillar = change(("hosts", "head.example.org", "primary"), True)
    pillar["hosts"]["two.example.org"] = {"roles": ["controller"], "primary": True}
    assert the_problem(pillar).startswith(
        "hosts: head.example.org and two.example.org are both primary"
    )


def test_an_address_in_two_places_is_a_problem():
    pillar = change(("hosts", "node2.example.org"), {"roles": ["exec"], "address": "10.0.0.2"})
    pillar["slurm"]["nodes"][0]["nodeaddr"] = "10.0.0.[1-3]"
    assert "node2 has an address in hosts already" in the_problem(pillar)


@pytest.mark.parametrize("pillar", [None, {}, [], "galaxy"])
def test_a_minion_without_the_pillar_is_told_so(pillar):
    assert the_problem(pillar).startswith("slurm_galaxy: the pillar of head.example.org has no")


def test_every_problem_is_named_at_once():
    pillar = change(("slurm", "config"), {"ControlMachine": "head", "ClusterName": "x"})
    pillar["munge"]["key"] = "short"
    pillar["slurm"]["nodes"][0]["NodeName"] = "node["
    assert len(resolve(pillar)["problems"]) == 4


def test_a_role_that_is_not_this_hosts_is_refused():
    problem = the_problem(PILLAR, role="exec")
    assert problem.startswith("slurm_galaxy.exec was applied to head.example.org")


def test_a_host_that_calls_itself_otherwise_is_told_the_remedy():
    assert "set name: frontend" in the_problem(PILLAR, name="frontend")


def test_a_host_with_a_name_of_its_own_is_known_by_it():
    pillar = change(("hosts", "head.example.org", "name"), "frontend")
    found = resolve(pillar, name="frontend")
    settings = found["settings"]["slurm"]["files"]["slurm.conf"]["settings"]
    assert settings["SlurmctldHost"] == ["frontend"]


@pytest.mark.parametrize(("kind", "command"), [("uid", "usermod -u"), ("gid", "groupmod -g")])
def test_an_account_with_another_id_is_not_renumbered(kind, command):
    accounts = {**FRESH, "slurm": {"uid": 64030, "gid": 64030, kind: 117}}
    problem = the_problem(PILLAR, accounts=accounts)
    assert problem.startswith(f"users:slurm:{kind}: is 64030, but slurm has {kind} 117")
    assert f"{command} 64030 slurm" in problem


def test_an_id_that_another_account_has_is_refused():
    def owner(kind, number):
        return "tomcat" if (kind, number) == ("uid", 903) else None

    assert the_problem(PILLAR, owner=owner).startswith("users:munge:uid: 903 belongs to tomcat")
    has_it = {**FRESH, "munge": {"uid": 903, "gid": 903}}
    assert resolve(PILLAR, accounts=has_it, owner=owner)["problems"] == []


def test_a_system_that_the_map_does_not_know_is_named():
    grains = {
        "id": "head.example.org",
        "localhost": "head",
        "os_family": "Suse",
        "osfinger": "Leap-15",
    }
    found = host.resolve(PILLAR, grains, DEFAULTS, OSMAP, FRESH, nobody)
    (problem,) = found["problems"]
    assert problem.startswith("head.example.org runs Leap-15, for which osmap.yaml has no entry")


def test_a_node_that_no_host_covers_is_a_warning():
    pillar = change(("slurm", "nodes"), [{"NodeName": "node[1-3],gpu[1-9]"}])
    found = resolve(pillar)
    assert found["problems"] == []
    assert found["warnings"] == [
        "slurm:nodes: gpu1, gpu2, gpu3 and 6 more is a node of Slurm, but no exec host of the table"
    ]


def test_a_binary_key_is_taken_as_base64():
    key = base64.b64encode(bytes(range(64))).decode()
    found = resolve(change(("munge",), {"key_base64": key}))
    assert (found["problems"], found["settings"]["munge"]) == ([], {"key_base64": key})


@pytest.mark.parametrize("key", ["hunter2", "aaaa" * 20, 7_777_777, ["hunter2"]])
def test_no_problem_repeats_a_secret(key):
    problem = the_problem(change(("munge", "key"), key))
    assert not any(secret in problem for secret in ("hunter2", "aaaa", "7777777"))


# Accounting.


def with_dbd(database=None, **config):
    """Give PILLAR a dbd host of its own."""
    pillar = change(("hosts", "db.example.org"), {"roles": ["dbd"], "address": "10.0.0.9"})
    pillar["slurm"]["dbd"] = {"config": config, "database": database or {}}
    return pillar


REMOTE = {"managed": False, "host": "sql", "port": 3307, "user": "acct", "password": "hunter2"}


def test_every_host_is_told_where_slurmdbd_is_and_its_own_host_alone_gets_its_file():
    pillar = with_dbd(dbdport=7000)
    told = {
        name: resolve(pillar, f"{name}.example.org")["settings"]["slurm"]
        for name in ("db", "head", "node1")
    }
    for slurm in told.values():
        settings = slurm["files"]["slurm.conf"]["settings"]
        assert {k: v for k, v in settings.items() if k.startswith("Accounting")} == {
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "10.0.0.9",
            "AccountingStoragePort": 7000,
        }
        assert (slurm["dbd"]["address"], slurm["dbd"]["port"]) == ("10.0.0.9", 7000)
    assert [name for name, slurm in told.items() if "slurmdbd.conf" in slurm["files"]] == ["db"]
    assert told["db"]["files"]["slurmdbd.conf"]["settings"] == {
        "StorageType": "accounting_storage/mysql",
        "LogFile": "/var/log/slurm/slurmdbd.log",
        "dbdport": 7000,
        "DbdHost": "db",
        "DbdAddr": "10.0.0.9",
        "SlurmUser": "slurm",
        "StorageHost": "localhost",
        "StorageLoc": "slurm_acct_db",
        "StorageUser": "slurm",
    }


def test_without_a_dbd_host_nothing_is_said_of_accounting():
    slurm = resolve(PILLAR)["settings"]["slurm"]
    assert slurm["dbd"] is None
    assert not [k for k in slurm["files"]["slurm.conf"]["settings"] if k.startswith("Accounting")]


def test_the_sites_accounting_storage_wins_over_the_tables():
    pillar = with_dbd()
    pillar["slurm"]["config"] = {"accountingstoragetype": "accounting_storage/none"}
    settings = resolve(pillar)["settings"]["slurm"]["files"]["slurm.conf"]["settings"]
    assert settings["accountingstoragetype"] == "accounting_storage/none"
    assert "AccountingStorageType" not in settings


def test_a_remote_database_is_reached_with_its_password():
    pillar = with_dbd(REMOTE)
    slurm = resolve(pillar, "db.example.org")["settings"]["slurm"]
    settings = slurm["files"]["slurmdbd.conf"]["settings"]
    storage = {key: value for key, value in settings.items() if key.startswith("Storage")}
    assert storage == {
        "StorageType": "accounting_storage/mysql",
        "StorageHost": "sql",
        "StoragePort": 3307,
        "StorageLoc": "slurm_acct_db",
        "StorageUser": "acct",
        "StoragePass": "hunter2",
    }
    assert slurm["dbd"]["database"]["managed"] is False


@pytest.mark.parametrize(
    ("password", "says"), [("", "is missing; give the one of acct"), ("change-me", "is an example")]
)
def test_the_password_of_a_remote_database_is_demanded_where_it_is_used(password, says):
    pillar = with_dbd({**REMOTE, "password": password})
    problem = the_problem(pillar, "db.example.org")
    assert problem.startswith(f"slurm:dbd:database:password: {says}")
    assert resolve(pillar, "node1.example.org")["problems"] == []


def test_a_host_that_has_the_password_in_vain_is_warned_about():
    (warning,) = resolve(with_dbd(REMOTE), "node1.example.org")["warnings"]
    assert warning.startswith("slurm:dbd:database:password: is in the pillar of node1.example.org")
    assert "hunter2" not in warning


def test_two_dbd_hosts_are_both_named():
    pillar = change(("hosts", "head.example.org", "roles"), ["controller", "dbd"])
    pillar["hosts"]["db.example.org"] = {"roles": ["dbd"]}
    assert the_problem(pillar).startswith(
        "hosts: head.example.org and db.example.org have the role dbd"
    )


def test_a_second_word_on_where_slurmdbd_is_is_a_problem():
    pillar = with_dbd()
    pillar["slurm"]["config"] = {"AccountingStorageHost": "db2"}
    assert the_problem(pillar).startswith("slurm:config:AccountingStorageHost: comes from hosts")


# Galaxy.

EL_9 = {
    "id": "head.example.org",
    "localhost": "head",
    "os_family": "RedHat",
    "osfinger": "Rocky Linux-9",
    "osmajorrelease": 9,
}
COOKIES = "3f7ab0c1d2e4958677"
UBUNTU = {"os_family": "Debian", "osfinger": "Ubuntu-24.04", "osmajorrelease": 24}
DEBIAN = {"os_family": "Debian", "osfinger": "Debian-12", "osmajorrelease": 12}
DEB = {"files": [{"slurm-drmaa1": "salt://x.deb"}], "library": "/usr/lib/libdrmaa.so.1"}


def with_galaxy(galaxy=None, drmaa=None, **rest):
    """Give PILLAR a host with Galaxy, and these settings over the key of its cookies."""
    pillar = change(("hosts", "galaxy.example.org"), {"roles": ["galaxy"]})
    pillar["galaxy"] = {"id_secret": COOKIES, **(galaxy or {})}
    return pillar | ({"drmaa": drmaa} if drmaa else {}) | rest


def galaxy_host(pillar, name="galaxy", grains=DEBIAN):
    """Resolve Galaxy's host, or another of its cluster, on a system."""
    grains = {"id": f"{name}.example.org", "localhost": name, **grains}
    return host.resolve(pillar, grains, DEFAULTS, OSMAP, FRESH, nobody)


def galaxy_settings(galaxy=None, drmaa=None, name="galaxy", grains=DEBIAN):
    """Return what a host of a cluster with Galaxy is told of it; there is no problem."""
    found = galaxy_host(with_galaxy(galaxy, drmaa), name, grains)
    assert found["problems"] == []
    return found["settings"]["galaxy"]


@pytest.mark.parametrize(
    ("roles", "runner", "all_of_them"),
    [
        (["galaxy"], "cli", ["submit", "galaxy"]),
        (["galaxy"], "drmaa", ["submit", "drmaa", "galaxy"]),
        (["drmaa"], "cli", ["submit", "drmaa"]),
        (["galaxy", "exec"], "cli", ["exec", "submit", "galaxy"]),
        (["exec"], "drmaa", ["exec"]),
    ],
)
def test_galaxy_implies_submit_and_drmaa_where_it_is_the_runner(roles, runner, all_of_them):
    assert host.all_roles(roles, runner) == all_of_them


@pytest.mark.parametrize(
    ("given", "grains", "runner"),
    [
        ({}, DEBIAN, "cli"),
        ({}, UBUNTU, "drmaa"),
        ({}, EL_9, "drmaa"),
        ({"runner": "cli"}, UBUNTU, "cli"),
        ({"runner": "drmaa"}, DEBIAN, "drmaa"),
    ],
)
def test_the_runner_is_the_pillars_else_the_systems(given, grains, runner):
    grains = {key: value for key, value in grains.items() if key.startswith("os")}
    found = galaxy_host(with_galaxy(given, DEB), grains=grains)
    assert found["problems"] == []
    assert found["settings"]["galaxy"]["runner"] == runner
    assert ("drmaa" in found["roles"]) == (runner == "drmaa")


def test_a_cluster_without_galaxy_gets_nothing_of_it():
    for name in ("head", "node1"):
        settings = resolve(PILLAR, f"{name}.example.org")["settings"]
        assert settings["galaxy"] is None
        assert "galaxy" not in settings["users"]
    taken = {"galaxy": {"uid": 1000, "gid": 1000}}
    assert resolve(PILLAR, accounts=FRESH | taken)["problems"] == []


def test_every_host_of_a_cluster_with_galaxy_has_its_account():
    for name in ("head", "node1", "galaxy"):
        settings = galaxy_host(with_galaxy(), name)["settings"]
        assert settings["users"]["galaxy"] == {"uid": 904, "gid": 904, "new": True}
    taken = {"galaxy": {"uid": 1000, "gid": 904}}
    problem = the_problem(with_galaxy(), accounts=FRESH | taken)
    assert problem.startswith("users:galaxy:uid: is 904, but galaxy has uid 1000 on this host")


def test_only_hosts_that_run_jobs_or_galaxy_have_its_directories():
    assert galaxy_settings(name="head") == {
        "root": "/srv/galaxy", "shared": [], "node_packages": [], "wait": 300,
    }  # fmt: skip
    node, server = galaxy_settings(name="node1"), galaxy_settings()
    assert node["shared"] == server["shared"]
    assert node["node_packages"] == server["node_packages"] == ["python3"]
    assert {*node} == {"root", "shared", "node_packages", "wait"}  # and no secret


def test_no_other_host_is_told_a_secret_of_galaxys():
    given = {"admins": {"a@x.org": {"password": "hunter2-hunter2", "key": "0a" * 16}}}
    for name, holds in (("galaxy", True), ("head", False), ("node1", False)):
        told = str(galaxy_host(with_galaxy(given), name)["settings"])
        assert all((secret in told) is holds for secret in (COOKIES, "hunter2", "0a" * 16))


def test_shared_directories_are_below_the_root():
    assert galaxy_settings({"root": "/data/gx"})["shared"] == [
        {"name": "venv", "path": "/data/gx/venv", "owner": "root", "mount": None},
        {"name": "jobs", "path": "/data/gx/jobs", "owner": "galaxy", "mount": None},
        {"name": "objects", "path": "/data/gx/objects", "owner": "galaxy", "mount": None},
        {"name": "new_files", "path": "/data/gx/tmp", "owner": "galaxy", "mount": None},
        {"name": "tools", "path": "/data/gx/tools", "owner": "root", "mount": None},
        {"name": "shed_tools", "path": "/data/gx/shed_tools", "owner": "galaxy", "mount": None},
    ]


def test_a_shared_directory_may_lie_elsewhere_be_mounted_or_be_the_sites_own():
    mount = {"device": "nas:/jobs", "fstype": "nfs4", "opts": ["rw", "hard"]}
    given = {
        "jobs": mount,
        "objects": "/big/objects",
        "tools": {"path": "/opt/tools", "device": "nas:/tools", "fstype": "nfs4"},
        "reference": "/data/reference",
    }
    settings = galaxy_settings({"shared": given})
    found = {one.pop("name"): one for one in settings["shared"]}
    assert found["jobs"] == {"path": "/srv/galaxy/jobs", "owner": "galaxy", "mount": mount}
    assert found["objects"] == {"path": "/big/objects", "owner": "galaxy", "mount": None}
    assert found["tools"]["path"] == "/opt/tools"
    assert found["tools"]["mount"] == {"device": "nas:/tools", "fstype": "nfs4"}
    assert found["reference"] == {"path": "/data/reference", "owner": None, "mount": None}
    galaxy = settings["config"]["galaxy"]
    assert galaxy["file_path"] == "/big/objects"
    assert galaxy["job_working_directory"] == "/srv/galaxy/jobs"


def test_a_new_galaxy_is_installed_into_the_shared_environment():
    settings = galaxy_settings({"version": "26.1.2", "pip": {"no_index": True}})
    assert (settings["install"], settings["venv"]) == (True, "/srv/galaxy/venv")
    assert (settings["version"], settings["pip"]) == ("26.1.2", {"no_index": True})
    assert settings["config"]["gravity"]["galaxy_root"] == "/srv/galaxy/var"
    settings = galaxy_settings({"shared": {"venv": "/fast/venv"}})
    assert (settings["install"], settings["venv"]) == (True, "/fast/venv")
    assert settings["config"]["gravity"]["virtualenv"] == "/fast/venv"


def test_an_environment_that_is_there_is_used_as_it_is():
    settings = galaxy_settings({"venv": "/opt/galaxy/venv"})
    assert (settings["install"], settings["venv"]) == (False, "/opt/galaxy/venv")
    venv = {"name": "venv", "path": "/opt/galaxy/venv", "owner": None, "mount": None}
    assert settings["shared"][0] == venv
    assert settings["config"]["gravity"]["virtualenv"] == "/opt/galaxy/venv"
    mount = {"device": "nas:/venv", "fstype": "nfs4"}
    settings = galaxy_settings({"venv": "/opt/galaxy/venv", "shared": {"venv": mount}})
    assert settings["shared"][0] == venv | {"mount": mount}


def test_a_checkout_that_is_there_is_galaxys_root():
    settings = galaxy_settings({"venv": "/opt/galaxy/.venv", "server": "/opt/galaxy"})
    assert settings["install"] is False
    assert settings["config"]["gravity"]["galaxy_root"] == "/opt/galaxy"


def test_galaxy_yml_names_what_is_easy_to_miss():
    settings = galaxy_settings({"admins": {"a@x.org": {}, "b@x.org": {"key": "0a" * 16}}})
    assert settings["config"] == {
        "gravity": {
            "process_manager": "systemd",
            "virtualenv": "/srv/galaxy/venv",
            "galaxy_root": "/srv/galaxy/var",
            "galaxy_user": "galaxy",
            "galaxy_group": "galaxy",
            "gunicorn": {"bind": "127.0.0.1:8080"},
            "celery": {"enable": False, "enable_beat": False},
            "handlers": {
                "handler": {"processes": 1, "pools": ["job-handlers", "workflow-schedulers"]}
            },
        },
        "galaxy": {
            "data_dir": "/srv/galaxy/var",
            "managed_config_dir": "/srv/galaxy/var/config",
            "file_path": "/srv/galaxy/objects",
            "job_working_directory": "/srv/galaxy/jobs",
            "new_file_path": "/srv/galaxy/tmp",
            "job_config_file": "/etc/galaxy/job_conf.yml",
            "involucro_auto_init": False,
            "id_secret": COOKIES,
            "admin_users": "a@x.org,b@x.org",
        },
    }
    assert settings["read"] == ["/etc/galaxy/job_conf.yml", "/etc/galaxy/tool_conf.xml"]


def test_the_sites_settings_win_in_galaxy_yml():
    config = {
        "gravity": {"celery": {"enable": True}, "handlers": {"handler": {"processes": 2}}},
        "galaxy": {"brand": "Lab", "involucro_auto_init": True},
    }
    found = galaxy_settings({"config": config})["config"]
    assert found["gravity"]["celery"] == {"enable": True, "enable_beat": False}
    handler = found["gravity"]["handlers"]["handler"]
    assert handler == {"processes": 2, "pools": ["job-handlers", "workflow-schedulers"]}
    assert found["galaxy"]["brand"] == "Lab"
    assert found["galaxy"]["involucro_auto_init"] is True


@pytest.mark.parametrize(
    ("database", "connection", "kind"),
    [
        ({}, None, None),
        ({"managed": False}, None, None),
        ({"managed": True}, "postgresql:///galaxy?host=/var/run/postgresql", "postgresql"),
        ({"url": "postgresql://gx:pw@sql/gx"}, "postgresql://gx:pw@sql/gx", None),
    ],
)
def test_the_database_is_sqlite_a_managed_one_or_a_remote_one(database, connection, kind):
    settings = galaxy_settings({"database": database})
    assert settings["config"]["galaxy"].get("database_connection") == connection
    assert settings["database"] == kind


def test_postgresql_is_installed_as_the_system_has_it():
    assert galaxy_settings()["database_packages"] == ["postgresql"]
    assert galaxy_settings()["database_setup"] is None
    grains = {key: value for key, value in EL_9.items() if key.startswith("os")}
    settings = galaxy_settings(grains=grains)
    assert settings["database_packages"] == ["postgresql-server"]
    assert settings["database_setup"]["creates"] == "/var/lib/pgsql/data/PG_VERSION"


def test_the_drmaa_library_reaches_the_handler_the_runner_and_the_restart():
    settings = galaxy_settings(grains=UBUNTU)
    library = "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1"
    assert settings["job_conf"]["runners"]["slurm"]["drmaa_library_path"] == library
    handler = settings["config"]["gravity"]["handlers"]["handler"]
    assert handler["environment"] == {"DRMAA_LIBRARY_PATH": library}
    assert settings["read"][2:] == [library, "/etc/slurm_drmaa.conf"]
    settings = galaxy_settings({"runner": "cli"}, grains=UBUNTU)
    assert library not in str(settings)


@pytest.mark.parametrize(
    ("given", "grains", "told"),
    [
        ({}, UBUNTU, (["slurm-drmaa1"], [], "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1")),
        ({"package": "drmaa"}, UBUNTU,
         (["drmaa"], [], "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1")),
        (DEB, DEBIAN, ([], DEB["files"], DEB["library"])),
        (DEB, UBUNTU, ([], DEB["files"], DEB["library"])),
    ],
)  # fmt: skip
def test_slurm_drmaa_is_of_a_repository_or_of_files(given, grains, told):
    found = galaxy_host(with_galaxy({"runner": "drmaa"}, given), grains=grains)
    drmaa = found["settings"]["drmaa"]
    assert (drmaa["packages"], drmaa["files"], drmaa["library"]) == told


def test_apptainer_is_for_the_hosts_that_run_jobs_where_it_is_packaged():
    grains = {key: value for key, value in EL_9.items() if key.startswith("os")}
    node = galaxy_settings({"containers": True}, name="node1", grains=grains)
    assert node["node_packages"] == ["python3.11", "apptainer"]
    assert galaxy_settings(name="node1", grains=grains)["node_packages"] == ["python3.11"]


# Galaxy's job configuration.

drmaa_module = load("_modules/drmaa.py")
slurm_module = load("_modules/slurm.py")
jobconf = load(
    "_modules/galaxy_jobconf.py",
    __salt__={
        "drmaa.parse_native": drmaa_module.parse_native,
        "slurm.parse_options": slurm_module.parse_options,
    },
)
galaxy_module = load("_modules/galaxy.py")
UPLOADS = [{"id": tool, "environment": "slurm"} for tool in ("upload1", "__DATA_FETCH__")]
CHECK = {"id": "slurm_galaxy_check_slurm", "environment": "slurm"}
TUTORIAL = {
    "execution": {
        "environments": {
            "slurm": {
                "singularity_enabled": True,
                "env": [
                    {"name": "LC_ALL", "value": "C"},
                    {"name": "SINGULARITY_CACHEDIR", "value": "/srv/singularity"},
                    {"name": "SINGULARITY_TMPDIR", "value": "/scratch"},
                ],
            },
        }
    }
}


@pytest.mark.parametrize("runner", ["cli", "drmaa"])
@pytest.mark.parametrize("format", ["yaml", "xml"])
@pytest.mark.parametrize("site", [{}, TUTORIAL], ids=["default", "tutorial"])
def test_the_composed_job_configuration_has_nothing_wrong(runner, format, site):
    given = {"runner": runner, "job_conf_format": format, "job_conf": site}
    settings = galaxy_settings(given, DEB)
    path = settings["job_conf_path"]
    assert path == f"/etc/galaxy/job_conf.{'xml' if format == 'xml' else 'yml'}"
    assert settings["config"]["galaxy"]["job_config_file"] == path
    text = jobconf.render(settings["job_conf"], format)
    assert jobconf.validate(path, text=text, format=format) == []


def test_by_default_everything_goes_to_slurm_by_the_command_line():
    settings = galaxy_settings()
    assert settings["job_conf"] == {
        "runners": {
            "local": {"load": "galaxy.jobs.runners.local:LocalJobRunner", "workers": 2},
            "slurm": {"load": "galaxy.jobs.runners.cli:ShellJobRunner"},
        },
        "handling": {"assign": ["db-skip-locked"]},
        "execution": {
            "default": "slurm",
            "environments": {
                "slurm": {
                    "runner": "slurm", "shell_plugin": "LocalShell", "job_plugin": "Slurm",
                },
                "local": {"runner": "local"},
            },
        },
        "tools": [{"class": "local", "environment": "local"}, *UPLOADS, CHECK],
    }  # fmt: skip
    assert settings["check_tools"] == {"slurm_galaxy_check_slurm": "slurm"}


def test_by_drmaa_a_job_that_was_lost_sight_of_is_an_error():
    conf = galaxy_settings({"runner": "drmaa"}, DEB)["job_conf"]
    assert conf["runners"]["slurm"] == {
        "load": "galaxy.jobs.runners.slurm:SlurmJobRunner",
        "drmaa_library_path": DEB["library"],
        "invalidjobexception_state": "error",
        "internalexception_state": "error",
    }
    assert conf["execution"]["environments"]["slurm"] == {"runner": "slurm"}


SITE = {
    "runners": {"slurm": {"workers": 4}, "pbs": {"load": "galaxy.jobs.runners.pbs:PBSJobRunner"}},
    "execution": {
        "default": "small",
        "environments": {
            "small": {"runner": "slurm", "job_ncpus": "1"},
            "slurm-large": {"runner": "slurm", "job_ncpus": "8"},
            "old": {"runner": "pbs"},
        },
    },
    "limits": [{"type": "registered_user_concurrent_jobs", "value": 4}],
}


def test_the_sites_job_configuration_is_merged_over_the_default():
    settings = galaxy_settings({"job_conf": SITE})
    conf = settings["job_conf"]
    assert conf["runners"]["slurm"] == {
        "load": "galaxy.jobs.runners.cli:ShellJobRunner", "workers": 4,
    }  # fmt: skip
    assert [*conf["execution"]["environments"]] == ["slurm", "local", "small", "slurm-large", "old"]
    assert conf["limits"] == SITE["limits"]
    assert conf["handling"] == {"assign": ["db-skip-locked"]}
    tools = {tool.get("id"): tool["environment"] for tool in conf["tools"]}
    assert tools == {
        None: "local", "upload1": "small", "__DATA_FETCH__": "small",
        "slurm_galaxy_check_slurm": "slurm", "slurm_galaxy_check_small": "small",
        "slurm_galaxy_check_slurm_large": "slurm-large",
    }  # fmt: skip
    assert settings["check_tools"] == {
        "slurm_galaxy_check_slurm": "slurm",
        "slurm_galaxy_check_small": "small",
        "slurm_galaxy_check_slurm_large": "slurm-large",
    }


def test_the_sites_tools_replace_ours_but_for_the_checks():
    tools = [{"id": "bwa", "environment": "slurm"}]
    conf = galaxy_settings({"job_conf": {"tools": tools}})["job_conf"]
    assert conf["tools"] == [*tools, CHECK]


def test_environments_may_be_a_list():
    environments = [{"id": "small", "runner": "slurm"}, {"id": "here", "runner": "local"}]
    site = {"execution": {"default": "small", "environments": environments}}
    settings = galaxy_settings({"job_conf": site})
    assert settings["check_tools"] == {"slurm_galaxy_check_small": "small"}
    assert settings["job_conf"]["execution"]["environments"] == environments


def test_the_check_of_an_environment_bears_the_name_that_galaxy_destination_check_knows():
    for name in ("slurm", "slurm-large", "a b.c", "größe"):
        assert host.check_tool(name) == galaxy_module.check_tool_id(name)


@pytest.mark.parametrize(
    "site",
    [
        {"runners": None},
        {"runners": []},
        {"runners": {"slurm": []}},
        {"execution": None},
        {"execution": []},
        {"execution": {"environments": None}},
        {"execution": {"environments": {"slurm": None}}},
        {"execution": {"environments": {"slurm": {"runner": ["slurm"]}}}},
        {"execution": {"environments": {7: {"runner": "slurm"}}}},
        {"execution": {"environments": [None, {"runner": "slurm"}, "x"]}},
        {"tools": None},
        {"tools": {}},
        {"tools": {"bwa": "slurm"}},
        {"tools": "bwa"},
    ],
)
def test_a_job_configuration_that_is_none_is_left_for_its_own_check_to_name(site):
    settings = galaxy_settings({"job_conf": site})
    for part, value in site.items():
        if not isinstance(value, dict) and value:
            assert settings["job_conf"][part] == value


# What is wrong with Galaxy: settings of it, settings of drmaa, the sentence.

WRONG_GALAXY = {
    "misspelt key": (
        {"shard": {}}, {}, "galaxy:shard: there is no such key; did you mean shared?"
    ),
    "a version that is a number": (
        {"version": 26.1}, {}, "galaxy:version: must be text, not a number"
    ),
    "misspelt option of pip": (
        {"pip": {"indexurl": "x"}}, {}, "galaxy:pip:indexurl: there is no such key; did you mean"
    ),
    "unknown runner": (
        {"runner": "slurm"}, {}, "galaxy:runner: 'slurm' is unknown; known are drmaa, cli"
    ),
    "unknown format": (
        {"job_conf_format": "yml"}, {},
        "galaxy:job_conf_format: 'yml' is unknown; did you mean yaml?",
    ),
    "relative root": (
        {"root": "srv"}, {}, "galaxy:root: must be an absolute path, not 'srv'"
    ),
    "relative venv": (
        {"venv": "venv"}, {}, "galaxy:venv: must be an absolute path, not 'venv'"
    ),
    "relative server": (
        {"server": "~/galaxy", "venv": "/v"}, {},
        "galaxy:server: must be an absolute path, not '~/galaxy'",
    ),
    "no time to wait": ({"wait": 0}, {}, "galaxy:wait: must be at least 1 second, not 0"),
    "a checkout without its environment": (
        {"server": "/opt/galaxy"}, {},
        "galaxy:venv: is missing; name the virtual environment of galaxy:server",
    ),
    "an environment in two places": (
        {"venv": "/a", "shared": {"venv": "/b"}}, {},
        "galaxy:shared:venv:path: is not that of galaxy:venv; keep one of both",
    ),
    "another process manager": (
        {"config": {"gravity": {"process_manager": "supervisor"}}}, {},
        "galaxy:config:gravity:process_manager: comes from the role, which runs Galaxy by systemd",
    ),
    "a database in galaxy.yml": (
        {"config": {"galaxy": {"database_connection": "x"}}}, {},
        "galaxy:config:galaxy:database_connection: comes from galaxy:database; remove it here",
    ),
    "a job configuration in galaxy.yml": (
        {"config": {"galaxy": {"job_config": {}}}}, {},
        "galaxy:config:galaxy:job_config: comes from galaxy:job_conf; remove it here",
    ),
    "two databases": (
        {"database": {"managed": True, "url": "postgresql://sql/gx"}}, {},
        "galaxy:database: url is for one that another runs; keep it, or managed",
    ),
    "a list of shared directories": (
        {"shared": ["/srv"]}, {}, "galaxy:shared: must be a mapping, not a list"
    ),
    "a shared directory that is nothing": (
        {"shared": {"jobs": None}}, {}, "galaxy:shared:jobs: must be a path, or a mapping with"
    ),
    "misspelt key of a mount": (
        {"shared": {"jobs": {"fs_type": "nfs"}}}, {},
        "galaxy:shared:jobs:fs_type: there is no such key; did you mean fstype?",
    ),
    "options of a mount as text": (
        {"shared": {"jobs": {"device": "x", "fstype": "nfs", "opts": "rw"}}}, {},
        "galaxy:shared:jobs:opts: must be a list, not text",
    ),
    "relative shared directory": (
        {"shared": {"jobs": "jobs"}}, {}, "galaxy:shared:jobs:path: must be an absolute path"
    ),
    "a directory of the site's without a path": (
        {"shared": {"data": {"device": "x", "fstype": "nfs"}}}, {},
        "galaxy:shared:data:path: must be an absolute path",
    ),
    "half a mount": (
        {"shared": {"jobs": {"device": "nas:/jobs"}}}, {},
        "galaxy:shared:jobs: a mount needs device and fstype, as a line of fstab(5)",
    ),
    "options of no mount": (
        {"shared": {"jobs": {"opts": ["rw"]}}}, {},
        "galaxy:shared:jobs: a mount needs device and fstype, as a line of fstab(5)",
    ),
    "no id_secret": (
        {"id_secret": ""}, {}, "galaxy:id_secret: is missing; make one with: openssl rand -hex 24"
    ),
    "example id_secret": (
        {"id_secret": "change-me-now"}, {}, "galaxy:id_secret: is an example, and anybody could"
    ),
    "short id_secret": (
        {"id_secret": "abcd"}, {}, "galaxy:id_secret: must have 5 to 56 bytes"
    ),
    "long id_secret": (
        {"id_secret": "ü" * 29}, {}, "galaxy:id_secret: must have 5 to 56 bytes"
    ),
    "an administrator without an address": (
        {"admins": {"root": {}}}, {}, "galaxy:admins:root: is no address of mail"
    ),
    "two addresses in one": (
        {"admins": {"a@x.org,b@x.org": {}}}, {}, "galaxy:admins:a@x.org,b@x.org: is no address"
    ),
    "an administrator who is a key": (
        {"admins": {"a@x.org": "hunter2"}}, {},
        "galaxy:admins:a@x.org: must be a mapping with password, key or both",
    ),
    "misspelt key of an administrator": (
        {"admins": {"a@x.org": {"pasword": "hunter2"}}}, {},
        "galaxy:admins:a@x.org:pasword: there is no such key; did you mean password?",
    ),
    "an administrator's key that is a number": (
        {"admins": {"a@x.org": {"key": 7_777_777}}}, {},
        "galaxy:admins:a@x.org:key: must be text, not a whole number",
    ),
    "example password": (
        {"admins": {"a@x.org": {"password": "change-me"}}}, {},
        "galaxy:admins:a@x.org:password: is an example, and anybody could know it",
    ),
    "short password": (
        {"admins": {"a@x.org": {"password": "hunte"}}}, {},
        "galaxy:admins:a@x.org:password: has fewer than the 6 characters that Galaxy takes",
    ),
    "long key": (
        {"admins": {"a@x.org": {"key": "hunter2" * 5}}}, {},
        "galaxy:admins:a@x.org:key: must have 1 to 32 characters, none of them blank",
    ),
    "no slurm-drmaa on this system": (
        {"runner": "drmaa"}, {}, "drmaa:files: no repository of this system has slurm-drmaa"
    ),
    "files without the path of the library": (
        {"runner": "drmaa"}, {"files": DEB["files"]},
        "drmaa:library: must be the absolute path of the library that the packages bring, not "
        "nothing",
    ),
    "relative library": (
        {"runner": "drmaa"}, DEB | {"library": "libdrmaa.so.1"},
        "drmaa:library: must be the absolute path of the library that the packages bring, not lib",
    ),
    "a file without its package's name": (
        {"runner": "drmaa"}, DEB | {"files": ["salt://x.deb"]},
        "drmaa:files[0]: must be a mapping of one package's name to its file, such as",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("galaxy", "drmaa", "says"), WRONG_GALAXY.values(), ids=WRONG_GALAXY.keys()
)
def test_what_is_wrong_with_galaxy_is_one_sentence_with_its_path(galaxy, drmaa, says):
    found = galaxy_host(with_galaxy(galaxy, drmaa))
    (problem,) = found["problems"]
    assert problem.startswith(says)
    assert not any(secret in problem for secret in ("hunte", "7777777", "abcd", "change-me"))


def test_two_galaxies_are_both_named():
    pillar = with_galaxy()
    pillar["hosts"]["two.example.org"] = {"roles": ["galaxy"]}
    assert the_problem(pillar) == (
        "hosts: galaxy.example.org and two.example.org have the role galaxy; one Galaxy is what "
        "this runs"
    )


def test_containers_need_a_package_on_the_hosts_that_run_jobs():
    pillar = with_galaxy({"containers": True})
    (problem,) = galaxy_host(pillar, "node1")["problems"]
    assert problem.startswith(
        "galaxy:containers: the system of node1.example.org packages no Apptainer"
    )
    assert galaxy_host(pillar, "galaxy")["problems"] == []
    pillar["os"] = {"Debian-12": {"galaxy": {"apptainer": "singularity"}}}
    node = galaxy_host(pillar, "node1")["settings"]["galaxy"]
    assert node["node_packages"] == ["python3", "singularity"]


def test_a_system_without_galaxys_packages_is_named():
    osmap = copy.deepcopy(OSMAP)
    del osmap["Debian"]["galaxy"]
    for name, count in (("galaxy", 1), ("head", 0), ("node1", 0)):
        grains = {"id": f"{name}.example.org", "localhost": name, **DEBIAN}
        found = host.resolve(with_galaxy(), grains, DEFAULTS, osmap, FRESH, nobody)
        assert len(found["problems"]) == count
    grains["id"] = "galaxy.example.org"
    (problem,) = host.resolve(
        with_galaxy(), {**grains, "localhost": "galaxy"}, DEFAULTS, osmap, FRESH, nobody
    )["problems"]
    assert problem.startswith(
        "os: the system of galaxy.example.org has no galaxy:python and galaxy:packages, which the "
        "role galaxy needs"
    )


def test_drmaa_without_galaxy_needs_its_library_as_well():
    pillar = change(("hosts", "head.example.org", "roles"), ["controller", "drmaa"])
    assert the_problem(pillar).startswith("drmaa:files: no repository of this system has")
    pillar["drmaa"] = DEB
    found = resolve(pillar)
    assert found["roles"] == ["controller", "submit", "drmaa"]
    assert found["settings"]["drmaa"] == {"packages": [], "config": {}, **DEB}
    assert found["settings"]["galaxy"] is None


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"admins": {"a@x.org": {"key": "hunter2"}}}, "admins"),
        ({"database": {"url": "postgresql://gx:hunter2@sql/gx"}}, "database:url"),
    ],
)
def test_a_host_that_has_galaxys_secrets_in_vain_is_warned_about(given, key):
    found = galaxy_host(with_galaxy(given), "node1")
    assert found["problems"] == []
    assert found["warnings"] == [
        f"galaxy:{name}: is in the pillar of node1.example.org, which has no use for it; give it "
        "to the Galaxy host alone (README, Secrets)"
        for name in ("id_secret", key)
    ]
    assert galaxy_host(with_galaxy(given))["warnings"] == []


def test_a_host_without_galaxys_secrets_needs_none():
    found = galaxy_host(with_galaxy({"id_secret": ""}), "node1")
    assert (found["problems"], found["warnings"]) == ([], [])


# Hostlists.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("n[1-3]", ["n1", "n2", "n3"]),
        ("n[08-10]", ["n08", "n09", "n10"]),
        ("n[1,3-4]-ib,m", ["n1-ib", "n3-ib", "n4-ib", "m"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
    ],
)
def test_a_hostlist_expands_in_order(text, names):
    assert host.expand_hostlist(text) == names


@pytest.mark.parametrize("text", ["n[1-2", "n1]", "n[1-[2]]", "n[a-b]", "n[]", "n[3-1]", "n[1-2]]"])
def test_a_broken_hostlist_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        host.expand_hostlist(text)


# Repositories, and systems of the site's own.

REPO = {
    "uri": "https://repo.example.org/debian",
    "suite": "bookworm",
    "components": ["main"],
    "key_source": "salt://keys/site.asc",
    "fingerprint": "8DE6 8488 997C 5C6B A190  2113 6F2C C564 1278 8738",
}


def on(grains, repos=None, systems=None):
    """Resolve the head with repositories and systems of the pillar's."""
    pillar = PILLAR | {"repos": repos or {}, "os": systems or {}}
    return host.resolve(pillar, grains, DEFAULTS, OSMAP, FRESH, nobody)


def test_a_repository_is_written_with_its_key():
    (repo,) = resolve(change(("repos", "site"), REPO))["settings"]["repos"]
    assert repo["key"] == {
        "path": "/etc/apt/keyrings/slurm-galaxy-site.asc",
        "fingerprint": "8DE68488997C5C6BA19021136F2CC56412788738",
        "source": "salt://keys/site.asc",
    }
    assert "Signed-By: /etc/apt/keyrings/slurm-galaxy-site.asc\n" in repo["contents"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fingerprint": "1278 8738"}, "fingerprint: must be the key's whole fingerprint of 40"),
        ({"fingerprint": NOTHING}, "not nothing"),
        ({"key_source": NOTHING}, "if its owner publishes no key, and packages that nobody has"),
        ({"key": "text"}, "needs one of key (its text) and key_source, and has key and key_source"),
        ({"key_source": "http://x/key"}, "must be a salt:// or https:// URL"),
        ({"signed": False}, "says signed: false, and has a key_source; keep one"),
        ({"uri": NOTHING}, "needs one of uri (apt), baseurl and metalink (dnf), and has none"),
        ({"suite": NOTHING}, "for a flat repository it is ./"),
        ({"components": NOTHING}, "components: are given with a suite such as bookworm"),
        ({"suite": "./"}, "and not with a directory such as ./"),
        ({"uri": "https://x\nTrusted: yes"}, "uri: runs over more than one line"),
        ({"keys": "x"}, "keys: there is no such key; did you mean key?"),
    ],
)
def test_what_is_wrong_with_a_repository(changes, sentence):
    repo = {key: value for key, value in (REPO | changes).items() if value is not NOTHING}
    problem = the_problem(change(("repos", "site"), repo))
    assert problem.startswith("repos:site")
    assert sentence in problem


def test_an_unsigned_repository_is_a_warning():
    repo = {"uri": "https://x/", "suite": "./", "signed": False}
    found = resolve(change(("repos", "site"), repo))
    assert found["warnings"][0].startswith("repos:site: says signed: false")
    assert "Trusted: yes\n" in found["settings"]["repos"][0]["contents"]


def test_a_repository_of_another_packager_or_system_is_not_for_this_host():
    dnf = {"baseurl": "https://x/", "signed": False}
    elsewhere = REPO | {"systems": ["Ubuntu-24.04"]}
    found = resolve(change(("repos",), {"dnf": dnf, "elsewhere": elsewhere}))
    assert found["settings"]["repos"] == found["warnings"] == []


def test_epel_comes_without_its_slurm_and_gpel_only_when_unsigned_is_asked_for():
    found = on(EL_9)
    (epel,) = found["settings"]["repos"]
    assert epel["sections"]["epel"]["exclude"] == "slurm*"
    assert epel["sections"]["epel"]["gpgcheck"] == 1
    assert found["warnings"][0].startswith("repos: this system's own repositories have no Slurm")
    (problem,) = on(EL_9, {"gpel": {"enabled": True}})["problems"]
    assert problem.startswith("repos:gpel: needs one of key")
    asked = on(EL_9, {"gpel": {"enabled": True, "signed": False}})
    assert [repo["name"] for repo in asked["settings"]["repos"]] == ["epel", "gpel"]
    assert len(asked["warnings"]) == 1
    assert on(EL_9, {"gpel": {"enabled": False}})["warnings"] == []
    assert on(EL_9, {"epel": {"exclude": ""}})["warnings"] == []


def test_a_repository_of_the_system_can_be_left_out_or_take_a_key_of_the_sites():
    assert on(EL_9, {"epel": {"enabled": False}})["settings"]["repos"] == []
    (epel,) = on(EL_9, {"epel": {"key": "text"}})["settings"]["repos"]
    assert epel["key"]["text"] == "text"
    assert "source" not in epel["key"]


def test_an_older_ubuntu_by_an_entry_of_the_sites_own():
    focal = {
        "conf_dir": "/etc/slurm-llnl",
        "logrotate": {"controller": "/etc/logrotate.d/slurmctld"},
    }
    grains = EL_9 | {"os_family": "Debian", "osfinger": "Ubuntu-20.04", "osmajorrelease": 20}
    settings = on(grains, systems={"Ubuntu-20.04": focal})["settings"]
    assert settings["os"]["conf_dir"] == "/etc/slurm-llnl"
    assert settings["os"]["packages"]["munge"] == ["munge"]
    log = {"slurmctld": "/var/log/slurm/slurmctld.log"}
    assert settings["logrotate"] == {"/etc/logrotate.d/slurmctld": log}


@pytest.mark.parametrize(
    ("systems", "sentence"),
    [
        ({"conf_dir": "/x"}, "os:conf_dir: stands below the system that it is for"),
        ({"Leap-15": {"confdir": "/x"}}, "os:Leap-15:confdir: there is no such key"),
        ({"Leap-15": {"packager": "zypper"}}, "os:Leap-15:packager: must be apt or dnf"),
        ({"Leap-15": None}, "os:Leap-15: must be a mapping"),
        ({"Suse": {"packager": "dnf"}}, "osmap.yaml has no conf_dir and no nologin"),
    ],
)
def test_what_is_wrong_with_a_system(systems, sentence):
    grains = EL_9 | {"os_family": "Suse", "osfinger": "Leap-15", "osmajorrelease": 15}
    (problem,) = on(grains, systems=systems)["problems"]
    assert sentence in problem


def test_a_system_without_the_packages_of_a_role_is_named():
    suse = EL_9 | {"os_family": "Suse", "osfinger": "Leap-15", "osmajorrelease": 15}
    entry = copy.deepcopy(OSMAP["RedHat"])
    del entry["packages"]["database"], entry["services"]["dbd"], entry["database_options"]
    pillar = with_dbd() | {"os": {"Leap-15": entry}}
    found = host.resolve(pillar, suse | {"id": "db.example.org"}, DEFAULTS, OSMAP, FRESH, nobody)
    (problem,) = [one for one in found["problems"] if one.startswith("os:")]
    assert problem.startswith(
        "os: Leap-15 has no packages:database and no services:dbd and no database_options, which"
    )
    pillar["slurm"]["dbd"]["database"] = REMOTE
    found = host.resolve(pillar, suse | {"id": "db.example.org"}, DEFAULTS, OSMAP, FRESH, nobody)
    (problem,) = [one for one in found["problems"] if one.startswith("os:")]
    assert problem.startswith("os: Leap-15 has no services:dbd, which")
    assert host.resolve(pillar, suse, DEFAULTS, OSMAP, FRESH, nobody)["problems"] == []


def test_rotation_is_for_the_roles_of_this_host_and_one_file_may_hold_both():
    settings = resolve(PILLAR)["settings"]
    assert [*settings["logrotate"]] == ["/etc/logrotate.d/slurmctld"]
    pillar = change(("hosts", "head.example.org", "roles"), ["controller", "exec"])
    pillar["slurm"]["nodes"].append({"NodeName": "head"})
    found = host.resolve(pillar, EL_9, DEFAULTS, OSMAP, FRESH, nobody)
    assert found["settings"]["logrotate"] == {
        "/etc/logrotate.d/slurm": {
            "slurmctld": "/var/log/slurm/slurmctld.log",
            "slurmd": "/var/log/slurm/slurmd.log",
        }
    }
