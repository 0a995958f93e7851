"""
Tell what this host is to become: its roles, its settings, and what is wrong with the pillar.

Salt's ``py`` renderer calls :func:`run` for every SLS of the formula; the rest is plain Python.
Nothing is raised for a wrong pillar: each problem is one sentence that begins with its pillar
path, because a raise in a renderer would show a traceback in its place.
"""

import base64
import binascii
import difflib
import fnmatch
import re
from collections.abc import Callable
from itertools import product
from typing import Any

__salt__: dict[str, Any]
__pillar__: dict[str, Any]
__grains__: dict[str, Any]

# In the order in which they are applied.
ROLES = ("dbd", "controller", "exec", "submit", "drmaa", "galaxy")

# What may stand in the pillar below slurm_galaxy, and of which kind it is. ``None``: a mapping
# with names of the site's or of Slurm's own.
SCHEMA: dict[str, Any] = {
    "cluster": str,
    "hosts": None,
    "munge": {"key": str, "key_base64": str, "key_source": str},
    "users": {user: {"uid": int, "gid": int} for user in ("slurm", "munge", "galaxy")},
    "os": None,
    "repos": None,
    "slurm": {
        "config": None,
        "nodes": list,
        "partitions": list,
        "cgroup": None,
        "acct_gather": None,
        "gres": list,
        "topology": list,
        "job_container": list,
        "scripts": None,
        "training": bool,
        "allow_disruption": list,
        "wait": int,
        "check": bool,
        "check_user": str,
        # What they hold is checked by slurm_acct.managed, which knows what slurmdbd has.
        "accounting": {"qos": None, "accounts": None, "users": None, "absent": None},
        "dbd": {
            "config": None,
            "database": {
                "managed": bool,
                "host": str,
                "port": int,
                "name": str,
                "user": str,
                "password": str,
                "server": None,
            },
        },
    },
    "drmaa": {"package": str, "files": list, "library": str, "config": None},
    "galaxy": {
        "version": str,
        "root": str,
        "venv": str,
        "server": str,
        "url": str,
        "pip": {
            "packages": list,
            "constraint": str,
            "index_url": str,
            "extra_index_url": str,
            "find_links": str,
            "no_index": bool,
            "cert": str,
        },
        "config": {"gravity": None, "galaxy": None},
        "database": {"managed": bool, "url": str},
        "id_secret": str,
        "admins": None,
        "runner": str,
        "job_conf": None,
        "job_conf_format": str,
        "shared": None,  # see check_shared()
        "containers": bool,
        "wait": int,
        "check": bool,
    },
}
# An entry of osmap.yaml, or of the site's own below slurm_galaxy:os, and which of it must be there.
SYSTEM_KEYS: dict[str, Any] = {
    "packager": str,
    "has_slurm": bool,
    "conf_dir": str,
    "database_options": str,
    "nologin": str,
    "packages": None,
    "services": None,
    "logrotate": None,
    "values": None,
    "drmaa": None,
    "galaxy": None,
    "repos": None,
}
SYSTEM_NEEDS = ("packager", "conf_dir", "nologin", "packages", "services")
REPO_KEYS: dict[str, Any] = {
    "enabled": bool,
    "signed": bool,
    "key": str,
    "key_source": str,
    "key_path": str,
    "fingerprint": str,
    "systems": list,
    "uri": str,
    "suite": str,
    "components": list,
    "baseurl": str,
    "metalink": str,
    "exclude": str,
    "description": str,
    "in_place": bool,
}
HOST_KEYS: dict[str, Any] = {"roles": list, "primary": bool, "name": str, "address": str}
KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}

# slurm.conf(5): the parameters that name a program of the site's, which slurm:scripts may bring.
SCRIPTS = (
    "Prolog", "Epilog", "PrologSlurmctld", "EpilogSlurmctld", "TaskProlog", "TaskEpilog",
    "SrunProlog", "SrunEpilog", "HealthCheckProgram", "RebootProgram", "ResumeProgram",
    "SuspendProgram", "ResumeFailProgram", "ResvProlog", "ResvEpilog",
)  # fmt: skip
# The files beside slurm.conf: pillar key to file and to what slurm_conf.render calls its content.
BESIDE = {
    "cgroup": ("cgroup.conf", "settings"),
    "acct_gather": ("acct_gather.conf", "settings"),
    "gres": ("gres.conf", "gres"),
    "topology": ("topology.conf", None),  # see opener()
    "job_container": ("job_container.conf", "containers"),
}
# slurm.conf lines that come from the table of hosts and from the lists of nodes and partitions.
DERIVED = {
    "clustername": "cluster",
    "slurmctldhost": "hosts",
    "controlmachine": "hosts",
    "backupcontroller": "hosts",
    "nodename": "slurm:nodes",
    "partitionname": "slurm:partitions",
    "slurmuser": "users:slurm",
}
DERIVED_DBD = {
    "dbdhost": "hosts",
    "dbdaddr": "hosts",
    "slurmuser": "users:slurm",
    "storagehost": "slurm:dbd:database:host",
    "storageport": "slurm:dbd:database:port",
    "storageloc": "slurm:dbd:database:name",
    "storageuser": "slurm:dbd:database:user",
    "storagepass": "slurm:dbd:database:password",
}
DBD_PORT = 6819  # slurmdbd.conf(5), DbdPort
# What README, pillar.example and people who are in a hurry write where a secret belongs.
EXAMPLE_SECRET = re.compile(r"change.?me|example|replace|paste|secret|your.?key|\.\.\.|<.*>", re.I)
MIN_KEY_BYTES = 32  # mungekey(8): the smallest key that munged takes
HIGHEST_ID = 65533  # 65534 is nobody, 65535 is (uid_t) -1 in 16 bits


def run() -> dict[str, Any]:
    """Resolve the minion that is being rendered; ``role`` is the one that a role's SLS asks for."""

    def read(name: str) -> Any:
        url = f"salt://slurm_galaxy/{name}"
        return __salt__["slsutil.renderer"](url, default_renderer="yaml")

    return resolve(
        pillar=__pillar__.get("slurm_galaxy"),
        grains=__grains__,
        defaults=read("defaults.yaml"),
        osmap=read("osmap.yaml"),
        accounts={
            user: {
                "uid": __salt__["user.info"](user).get("uid"),
                "gid": __salt__["group.info"](user).get("gid"),
            }
            for user in SCHEMA["users"]
        },
        owner=owner,
        role=globals().get("role"),
    )


def owner(kind: str, number: int) -> str | None:
    """Name the account or group of this host that has a ``uid`` or ``gid``."""
    look_up = {"uid": "file.uid_to_user", "gid": "file.gid_to_group"}[kind]
    name = __salt__[look_up](number)
    return None if str(name) == str(number) else name


def resolve(
    pillar: Any,
    grains: dict[str, Any],
    defaults: dict[str, Any],
    osmap: dict[str, Any],
    accounts: dict[str, dict[str, int | None]],
    owner: Callable[[str, int], str | None],
    role: str | None = None,
) -> dict[str, Any]:
    """
    Resolve one host.

    pillar
        The mapping below ``slurm_galaxy``.

    grains
        Salt's core grains: ``id``, ``localhost``, ``os_family``, ``osfinger`` and
        ``osmajorrelease`` are used.

    defaults, osmap
        The contents of ``defaults.yaml`` and ``osmap.yaml``.

    accounts
        What the host has: user name to ``uid`` and ``gid``, each None where it does not exist.

    owner
        Whose a ``uid`` or ``gid`` is on the host: a function as :func:`owner`.

    role
        The role that is asked for when its SLS is applied alone.

    Returns ``{id, name, roles, settings, problems, warnings}``. With problems, ``settings`` is
    empty and nothing may be applied.
    """
    # Salt has no osfinger for a system whose os-release has no version: sid, by way of lsb_release.
    grains = {"osfinger": grains["os_family"], **grains}
    problems: list[str] = []
    warnings: list[str] = []
    host: dict[str, Any] = {
        "id": grains["id"],
        "name": "",
        "roles": [],
        "settings": {},
        "problems": problems,
        "warnings": warnings,
    }
    if not isinstance(pillar, dict) or not pillar:
        problems.append(
            f"slurm_galaxy: the pillar of {grains['id']} has no such mapping; "
            "give it one in the pillar's top file (README, Pillar)"
        )
        return host
    problems += check_shape(pillar, SCHEMA, "")
    if problems:  # what follows relies on the shape
        return host

    settings = merge(defaults, pillar)
    table = {str(target): row for target, row in settings.get("hosts", {}).items()}
    problems += check_table(table)
    if problems:
        return host
    if not has_role(table, "galaxy"):
        settings["users"] = {u: ids for u, ids in settings["users"].items() if u != "galaxy"}
    wrong_systems = check_systems(settings.get("os", {}), osmap)
    merged = {} if wrong_systems else merge(osmap, settings.get("os", {}))
    system = find_system(merged, grains)

    row = match(grains["id"], table, problems)
    slurm = settings["slurm"]
    if row:
        host["name"] = row.get("name", short(grains["id"]))
        host["roles"] = all_roles(row["roles"], runner(settings["galaxy"], system))
        problems += check_host(host, grains, role)
        problems += check_password(host, slurm["dbd"]["database"], warnings)
        problems += check_galaxy(host, settings, table, system, warnings)
    problems += check_settings(settings, table)
    problems += check_accounts(settings["users"], accounts, owner)
    nodes, found = node_names(slurm.get("nodes", []))
    problems += found
    if nodes and not found:
        problems += check_nodes(nodes, table, slurm, host)
        warnings += uncovered(nodes, table)
    problems += wrong_systems
    lacking = [key for key in SYSTEM_NEEDS if key not in system]
    if lacking and not wrong_systems:
        what = " and no ".join(lacking) if system else "entry"
        problems.append(
            f"{grains['id']} runs {grains['osfinger']}, for which osmap.yaml has no {what}; it "
            f"knows {', '.join(sorted(osmap))}; give it one in os (README, Other systems)"
        )
    if not lacking and not wrong_systems:
        problems += check_packages(host, system, slurm["dbd"]["database"]["managed"], grains)
    repos = named_repos(system.get("repos", {}), settings.get("repos", {}))
    problems += (found := check_repos(settings.get("repos", {}), repos))
    if not lacking and not wrong_systems and not found:
        repos = {name: r for name, r in repos.items() if applies(r, system, grains)}
        warnings += doubts(repos, system, settings.get("repos", {}))
    if not problems:
        host["settings"] = {
            "os": system,
            "repos": [compose_repo(name, repo, system) for name, repo in repos.items()],
            "logrotate": rotations(host, system, slurm),
            "munge": settings.get("munge", {}),
            "users": {
                user: {**ids, "new": accounts[user]["uid"] is None}
                for user, ids in settings["users"].items()
            },
            "slurm": {
                "wait": slurm["wait"],
                "state_dir": parameter(slurm["config"], "StateSaveLocation"),
                "spool_dir": re.sub(
                    "%[nh]", host["name"], parameter(slurm["config"], "SlurmdSpoolDir")
                ),
                "log_dirs": log_dirs(host, slurm),
                "check_user": slurm["check_user"] if slurm.get("check") else None,
                "node": own_line(host["name"], slurm, nodes),
                "primary": controllers(table)[0],
                "hosts": sorted(cluster_hosts(table, nodes)),
                "training": slurm.get("training", False),
                "allow_disruption": slurm.get("allow_disruption", []),
                "scripts": scripts(slurm, system["conf_dir"]),
                "files": {
                    **files(settings, table, system),
                    **(dbd_file(slurm, table) if "dbd" in host["roles"] else {}),
                },
                "dbd": dbd(slurm, table),
                "accounting": accounting(settings, host["name"], controllers(table)[0]),
            },
            "drmaa": drmaa(settings["drmaa"], system),
            "galaxy": galaxy(host, settings, table, system),
        }
    return host


# Pure helpers, from the general to the particular.


def has_role(table: dict[str, Any], role: str) -> bool:
    """Tell whether a host of the table has a role."""
    return any(role in row["roles"] for row in table.values())


def all_roles(roles: list[str], runner: str) -> list[str]:
    """Add the roles that others imply, and put all in the order in which they are applied."""
    found = {*roles}
    if "galaxy" in found and runner == "drmaa":
        found.add("drmaa")
    if found & {"galaxy", "drmaa"}:
        found.add("submit")
    return [role for role in ROLES if role in found]


def merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Merge ``top`` over ``base``: mappings key by key whatever their case, all else replaced."""
    merged = dict(base)
    spelling = {str(key).lower(): key for key in base}
    for key, value in top.items():
        old = merged.pop(spelling.get(str(key).lower(), key), None)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value
    return merged


def parameter(config: dict[str, Any], name: str) -> Any:
    """Look a parameter up whatever its case, as Slurm does."""
    return next((value for key, value in config.items() if key.lower() == name.lower()), None)


def short(minion_id: str) -> str:
    """Cut a minion id to its first label."""
    return minion_id.partition(".")[0]


def is_glob(target: str) -> bool:
    """Tell a glob from an exact minion id."""
    return any(char in target for char in "*?[")


def suggest(word: str, known: Any) -> str:
    """Offer the nearest known word, or all of them."""
    near = difflib.get_close_matches(str(word), known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def some(names: Any, limit: int = 3) -> str:
    """List the first few names and count the others."""
    names = list(names)
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def expand_hostlist(text: str) -> list[str]:
    """
    Expand a Slurm hostlist such as ``node[1-3,07],gpu1`` into its names, in order.

    Raises ValueError with the reason when it has no such meaning. Source: scontrol(1),
    ``show hostnames``.
    """
    if text.count("[") != text.count("]") or re.search(r"\[[^]]*\[|\][^,[]*\]", text):
        raise ValueError(f"the brackets of {text!r} do not match")
    names: list[str] = []
    for item in re.findall(r"(?:[^,\[]|\[[^]]*\])+", text):
        parts = [
            expand_ranges(part[1:-1]) if part.startswith("[") else [part]
            for part in re.findall(r"\[[^]]*\]|[^\[]+", item.strip())
        ]
        names += map("".join, product(*parts))
    return names


def expand_ranges(text: str) -> list[str]:
    """Expand what stands between brackets: ``1-3,07`` into 1, 2, 3, 07."""
    values: list[str] = []
    for item in text.split(","):
        bounds = re.fullmatch(r"(\d+)(?:-(\d+))?", item.strip())
        if not bounds:
            raise ValueError(f"[{text}] is not a list of numbers and ranges")
        first, last = bounds[1], bounds[2] or bounds[1]
        if int(last) < int(first):
            raise ValueError(f"the range {item} runs backwards")
        values += [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
    return values


# Checks: each returns its problems as sentences.


def check_shape(data: dict[Any, Any], schema: dict[str, Any], path: str) -> list[str]:
    """Hold a mapping against a schema: unknown keys and values of the wrong kind."""
    problems = []
    for key, value in data.items():
        where = f"{path}{key}"
        kind = schema.get(key, ...)
        if kind is ...:
            problems.append(f"{where}: there is no such key; {suggest(key, schema)}")
            continue
        expected: Any = kind if isinstance(kind, type) else dict
        # bool is an int to Python, never to the reader of a pillar. The value may be a secret.
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            given = KINDS.get(type(value), type(value).__name__)
            problems.append(f"{where}: must be {KINDS[expected]}, not {given}")
        elif isinstance(kind, dict):
            problems += check_shape(value, kind, f"{where}:")
    return problems


def check_table(table: dict[str, Any]) -> list[str]:
    """Check the rows of ``hosts``: keys, roles, names, and exactly one primary controller."""
    if not table:
        return ["hosts: no host is listed; give each minion id or glob its roles"]
    problems = []
    for target, row in table.items():
        where = f"hosts:{target}"
        if not isinstance(row, dict):
            problems.append(f"{where}: must be a mapping such as {{roles: [exec]}}, not {row!r}")
            continue
        problems += check_shape(row, HOST_KEYS, f"{where}:")
        roles = row.get("roles") or []
        if not roles:
            problems.append(f"{where}: has no roles; known are {', '.join(ROLES)}")
        elif isinstance(roles, list):
            problems += [
                f"{where}:roles: {role!r} is no role; {suggest(role, ROLES)}"
                for role in roles
                if role not in ROLES
            ]
            problems += [
                f"{where}: a {role} is named by its exact minion id"
                for role in ("controller", "dbd", "galaxy")
                if is_glob(target) and role in roles
            ]
        problems += [
            f"{where}:{key}: belongs to one host, and a glob stands for many"
            for key in ("name", "address", "primary")
            if is_glob(target) and key in row
        ]
    return problems or check_names(table) + check_controllers(table) + check_dbd_hosts(table)


def check_names(table: dict[str, Any]) -> list[str]:
    """Check that no two hosts go by one name in Slurm."""
    names: dict[str, list[str]] = {}
    for target, row in table.items():
        if not is_glob(target):
            names.setdefault(row.get("name", short(target)), []).append(target)
    return [
        f"hosts: {' and '.join(targets)} are both {name} to Slurm; give one another name:"
        for name, targets in names.items()
        if len(targets) > 1
    ]


def check_controllers(table: dict[str, Any]) -> list[str]:
    """Check that there is a controller, and one primary among several."""
    controllers = [target for target, row in table.items() if "controller" in row["roles"]]
    primaries = [target for target, row in table.items() if row.get("primary")]
    if not controllers:
        return ["hosts: no host has the role controller, and a cluster needs one"]
    problems = [
        f"hosts:{target}:primary: is said of a controller, and this host is none"
        for target in primaries
        if target not in controllers
    ]
    if len(primaries) > 1:
        problems.append(f"hosts: {' and '.join(primaries)} are both primary; keep one")
    elif len(controllers) > 1 and not primaries:
        problems.append(
            f"hosts: {' and '.join(controllers)} are controllers; say primary: true for one"
        )
    return problems


def check_dbd_hosts(table: dict[str, Any]) -> list[str]:
    """Check that one host at most runs slurmdbd."""
    found = [target for target, row in table.items() if "dbd" in row["roles"]]
    if len(found) > 1:
        return [f"hosts: {' and '.join(found)} have the role dbd; one slurmdbd serves a cluster"]
    return []


def match(minion_id: str, table: dict[str, Any], problems: list[str]) -> dict[str, Any] | None:
    """Find this minion's row: an exact id wins alone, two globs are a problem."""
    if minion_id in table:
        return table[minion_id]
    globs = [t for t in table if is_glob(t) and fnmatch.fnmatchcase(minion_id, t)]
    if len(globs) == 1:
        return table[globs[0]]
    if globs:
        problems.append(
            f"hosts: {minion_id} matches both {' and '.join(globs)}; "
            "list it by its exact id, or narrow one of them"
        )
    else:
        problems.append(f"hosts: no row matches {minion_id}; listed are {some(table)}")
    return None


def check_host(host: dict[str, Any], grains: dict[str, Any], role: str | None) -> list[str]:
    """Check what is asked of this one host."""
    problems = []
    if role and role not in host["roles"]:
        problems.append(
            f"slurm_galaxy.{role} was applied to {grains['id']}, "
            f"whose roles are {', '.join(host['roles'])}; add the role in hosts, or apply another"
        )
    # slurmctld(8) and slurmd(8) look their own short host name up in slurm.conf.
    own_name = short(grains["localhost"])
    if {"dbd", "controller", "exec"} & set(host["roles"]) and own_name != host["name"]:
        problems.append(
            f"hosts:{grains['id']}: Slurm would know this host as {host['name']}, but it calls "
            f"itself {own_name}; set name: {own_name}, or rename the host"
        )
    return problems


def check_password(
    host: dict[str, Any], database: dict[str, Any], warnings: list[str]
) -> list[str]:
    """Check that the password of a remote database is where it belongs, and nowhere else."""
    where = "slurm:dbd:database:password"
    password = database.get("password")
    if "dbd" not in host["roles"]:
        if password:
            warnings.append(
                f"{where}: is in the pillar of {host['id']}, which has no use for it; give it to "
                "the dbd host alone (README, Secrets)"
            )
    elif not database["managed"] and not password:
        return [f"{where}: is missing; give the one of {database.get('user', 'slurm')}"]
    elif password and EXAMPLE_SECRET.search(password):
        return [f"{where}: is an example, and anybody could know it; give the real one"]
    return []


def check_dbd(slurm: dict[str, Any], table: dict[str, Any]) -> list[str]:
    """Check what slurmdbd and its database are told."""
    given, database = slurm["dbd"], slurm["dbd"]["database"]
    problems = check_spelling(given["config"], "slurm:dbd:config:")
    problems += [
        f"slurm:dbd:config:{key}: comes from {DERIVED_DBD[key.lower()]}; remove it here"
        for key in given["config"]
        if str(key).lower() in DERIVED_DBD
    ]
    if database["managed"]:
        problems += [
            f"slurm:dbd:database:{key}: is for a database on another host; say managed: false, or "
            "remove it"
            for key in ("host", "port", "user", "password")
            if key in database
        ]
    elif not database.get("host"):
        problems.append(
            "slurm:dbd:database:host: is missing; give the host of the database, or say "
            "managed: true for one on the dbd host"
        )
    # They become words of SQL, and of an option file.
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", database["name"]):
        problems.append(
            f"slurm:dbd:database:name: must be of letters, digits and _, not {database['name']!r}"
        )
    problems += [
        f"slurm:dbd:database:server:{key}: must be one option and its value on one line"
        for key, value in database["server"].items()
        if not re.fullmatch(r"[\w-]+", str(key)) or not re.fullmatch(r"[^\r\n]+", str(value))
    ]
    host = parameter(slurm["config"], "AccountingStorageHost")
    if host is not None and any("dbd" in row["roles"] for row in table.values()):
        problems.append(
            "slurm:config:AccountingStorageHost: comes from hosts, where one has the role dbd; "
            "remove it here, or the role there"
        )
    return problems


def check_settings(settings: dict[str, Any], table: dict[str, Any]) -> list[str]:
    """Check the cluster's name, the MUNGE key, the ids and Slurm's parameters."""
    problems = []
    cluster, slurm = settings.get("cluster", ""), settings["slurm"]
    if not re.fullmatch(r"[a-z0-9_-]{1,40}", cluster):
        problems.append(
            f"cluster: must be a name in lower case letters, digits, _ and -, not {cluster!r}"
        )
    problems += check_key(settings.get("munge", {}), table)
    for user, ids in settings["users"].items():
        problems += [
            f"users:{user}:{kind}: must be from 1 to {HIGHEST_ID}, not {value}"
            for kind, value in ids.items()
            if not 0 < value <= HIGHEST_ID
        ]
    uids = [ids["uid"] for ids in settings["users"].values()]
    if len(set(uids)) < len(uids):
        problems.append(f"users: {' and '.join(sorted(settings['users']))} need uids of their own")
    if slurm["wait"] < 1:
        problems.append(f"slurm:wait: must be at least 1 second, not {slurm['wait']}")
    for key in slurm["config"]:
        if str(key).lower() in DERIVED:
            source = DERIVED[key.lower()]
            problems.append(f"slurm:config:{key}: comes from {source}; remove it here")
    problems += check_spelling(slurm["config"], "slurm:config:")
    problems += check_scripts(slurm) + check_beside(slurm) + check_dbd(slurm, table)
    for name in ("StateSaveLocation", "SlurmdSpoolDir"):
        path = parameter(slurm["config"], name)
        if not isinstance(path, str) or not path.startswith("/"):
            problems.append(f"slurm:config:{name}: must be an absolute path, not {path!r}")
    return (
        problems
        + check_lines(slurm, "nodes", "NodeName")
        + check_lines(slurm, "partitions", "PartitionName")
    )


def check_lines(slurm: dict[str, Any], kind: str, name: str) -> list[str]:
    """Check that ``slurm:nodes`` or ``slurm:partitions`` is a list of named lines."""
    if not slurm.get(kind):
        return [f"slurm:{kind}: is empty; give at least one {{{name}: …}}"]
    problems = []
    for number, line in enumerate(slurm[kind]):
        where = f"slurm:{kind}[{number}]"
        if not (isinstance(line, dict) and isinstance(parameter(line, name), str)):
            problems.append(f"{where}: must be a mapping with {name} as text, not {line!r:.60}")
    return problems


def check_spelling(config: dict[str, Any], path: str) -> list[str]:
    """Find parameters that are given twice, in different case."""
    spellings: dict[str, list[str]] = {}
    for key in config:
        spellings.setdefault(str(key).lower(), []).append(str(key))
    return [
        f"{path}{names[0]}: is given twice, as {' and '.join(names)}"
        for names in spellings.values()
        if len(names) > 1
    ]


def check_beside(slurm: dict[str, Any]) -> list[str]:
    """Check the lists of lines of the files beside slurm.conf."""
    openers = {
        "gres": ("NodeName", "Name"),
        "topology": ("SwitchName", "BlockName"),
        "job_container": ("NodeName", "BasePath"),
    }
    problems = [
        f"slurm:{kind}[{number}]: must be a mapping with {' or '.join(names)}, not {line!r:.60}"
        for kind, names in openers.items()
        for number, line in enumerate(slurm.get(kind, []))
        if not isinstance(line, dict) or not any(parameter(line, name) for name in names)
    ]
    kinds = {opener(line) for line in slurm.get("topology", []) if isinstance(line, dict)}
    if len(kinds) > 1:
        problems.append("slurm:topology: has switches and blocks; keep one kind")
    return problems


def opener(line: dict[str, Any]) -> str:
    """Tell whether a line of topology.conf is of a switch or of a block."""
    return "blocks" if parameter(line, "BlockName") else "switches"


def check_scripts(slurm: dict[str, Any]) -> list[str]:
    """Check the site's own programs: one text or file each, for a parameter that names one."""
    problems = []
    for name, script in slurm.get("scripts", {}).items():
        where = f"slurm:scripts:{name}"
        if name not in SCRIPTS:
            problems.append(f"{where}: is no parameter for a program; {suggest(name, SCRIPTS)}")
        elif not isinstance(script, dict) or {*script} not in ({"source"}, {"contents"}):
            problems.append(f"{where}: must be a mapping with one of source (salt://…), contents")
        elif not str(script.get("contents", "#!")).startswith("#!"):
            problems.append(f"{where}:contents: must begin with #! and the path of an interpreter")
        if parameter(slurm["config"], name) is not None:
            problems.append(f"{where}: slurm:config names a program for it already; keep one")
    return problems


def check_key(munge: dict[str, Any], table: dict[str, Any]) -> list[str]:
    """Check the MUNGE key without ever repeating it."""
    if len(munge) > 1:
        return [f"munge: {' and '.join(munge)} are both given; keep one"]
    if "key_source" in munge:
        return []  # munge.key_managed reads it on the host, and checks it there
    if not munge:
        if len(table) == 1 and not any(map(is_glob, table)):
            return []
        return [
            "munge:key: hosts of one cluster share a MUNGE key, and the pillar has none; "
            "make one with: openssl rand -base64 96"
        ]
    ((name, value),) = munge.items()
    try:
        key = base64.b64decode(value, validate=True) if name == "key_base64" else value.encode()
    except (binascii.Error, ValueError):
        return ["munge:key_base64: is not base64"]
    if EXAMPLE_SECRET.search(value) or len(set(key)) < MIN_KEY_BYTES // 4:
        return [
            f"munge:{name}: is an example, and anybody could know it; "
            "make one with: openssl rand -base64 96"
        ]
    if len(key) < MIN_KEY_BYTES:
        return [f"munge:{name}: has {len(key)} bytes, and munged takes {MIN_KEY_BYTES} or more"]
    return []


def check_accounts(
    users: dict[str, dict[str, int]],
    accounts: dict[str, dict[str, int | None]],
    owner: Callable[[str, int], str | None],
) -> list[str]:
    """Refuse to renumber an account that the host has already, and to share an id with another."""
    problems = []
    for user, ids in users.items():
        for kind, wanted in ids.items():
            has = accounts[user][kind]
            if has is None and (other := owner(kind, wanted)):
                problems.append(
                    f"users:{user}:{kind}: {wanted} belongs to {other} on this host; "
                    "choose one that is free on every host"
                )
            elif has not in (None, wanted):
                command, change = {
                    "uid": ("usermod -u", "chown"),
                    "gid": ("groupmod -g", "chgrp"),
                }[kind]
                problems.append(
                    f"users:{user}:{kind}: is {wanted}, but {user} has {kind} {has} on this host; "
                    f"set {has} in the pillar if every host has that, or, with its daemons "
                    f"stopped: {command} {wanted} {user}, then give its files to the new id: "
                    f"find / -xdev -{kind} {has} -exec {change} -h {user} {{}} +"
                )
    return problems


def node_names(lines: list[Any]) -> tuple[dict[str, int], list[str]]:
    """Expand the node lines: each node's name to the number of its line, and the problems."""
    nodes: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines):
        hostlist = parameter(line, "NodeName") if isinstance(line, dict) else None
        if not isinstance(hostlist, str) or hostlist.upper() == "DEFAULT":
            continue
        try:
            names = expand_hostlist(hostlist)
        except ValueError as err:
            problems.append(f"slurm:nodes[{number}]:NodeName: {err}")
            continue
        twice = [n for n in names if n in nodes]
        if twice:
            problems.append(f"slurm:nodes[{number}]: {some(twice)} has a line already")
        nodes.update(dict.fromkeys(names, number))
    return nodes, problems


def check_nodes(
    nodes: dict[str, int], table: dict[str, Any], slurm: dict[str, Any], host: dict[str, Any]
) -> list[str]:
    """Check that every exec host has a node line, and every partition's node as well."""
    problems = []
    names = {
        row.get("name", short(target)): target
        for target, row in table.items()
        if "exec" in row["roles"] and not is_glob(target)
    }
    if "exec" in host["roles"]:
        names.setdefault(host["name"], host["id"])
    problems += [
        f"slurm:nodes: no line has {name}, and the host {target} has the role exec"
        for name, target in names.items()
        if name not in nodes
    ]
    for number, line in enumerate(slurm.get("partitions", [])):
        listed = parameter(line, "Nodes") if isinstance(line, dict) else None
        listed = ",".join(listed) if isinstance(listed, list) else listed
        where = f"slurm:partitions[{number}]:Nodes"
        try:
            wanted = expand_hostlist(listed or "")
        except (ValueError, AttributeError, TypeError) as err:
            problems.append(f"{where}: {err}")
            continue
        unknown = [n for n in wanted if n not in nodes and n.upper() != "ALL"]
        if unknown:
            problems.append(f"{where}: {some(unknown)} has no line in slurm:nodes")
    addressed = [r.get("name", short(t)) for t, r in table.items() if r.get("address")]
    problems += [
        f"slurm:nodes[{nodes[name]}]:NodeAddr: {name} has an address in hosts already; keep one"
        for name in addressed
        if name in nodes and parameter(slurm["nodes"][nodes[name]], "NodeAddr") is not None
    ]
    return problems


def uncovered(nodes: dict[str, int], table: dict[str, Any]) -> list[str]:
    """Warn of nodes for which no row of ``hosts`` has the role exec."""
    execs = {t: row for t, row in table.items() if "exec" in row["roles"]}
    exact = {row.get("name", short(t)) for t, row in execs.items() if not is_glob(t)}
    globs = re.compile("|".join(fnmatch.translate(short(t)) for t in execs if is_glob(t)) or "$^")
    lost = [name for name in nodes if name not in exact and not globs.match(name)]
    if not lost:
        return []
    return [f"slurm:nodes: {some(lost)} is a node of Slurm, but no exec host of the table"]


# What the checks have let through, as the files of Slurm.


def controllers(table: dict[str, Any]) -> list[str]:
    """List the controllers by their names in Slurm, the primary first."""
    found = sorted(
        (target for target, row in table.items() if "controller" in row["roles"]),
        key=lambda target: not table[target].get("primary"),
    )
    return [table[target].get("name", short(target)) for target in found]


def cluster_hosts(table: dict[str, Any], nodes: dict[str, int]) -> set[str]:
    """List the names of the hosts of the table, and of the nodes for which its globs stand."""
    return {*nodes} | {r.get("name", short(t)) for t, r in table.items() if not is_glob(t)}


def scripts(slurm: dict[str, Any], folder: str) -> dict[str, dict[str, str]]:
    """Give each of the site's programs its path below Slurm's directory."""
    return {
        name: {"path": f"{folder}/scripts/{name.lower()}", **script}
        for name, script in slurm.get("scripts", {}).items()
    }


def files(
    settings: dict[str, Any], table: dict[str, Any], system: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """
    Compose Slurm's files as data, the same on every host of the cluster.

    system
        From osmap.yaml: ``conf_dir``, and ``values``: parameter to value to how this system's Slurm
        spells that value.
    """
    slurm = settings["slurm"]
    addresses = {r.get("name", short(t)): r["address"] for t, r in table.items() if "address" in r}
    config = {
        **merge(accounting_storage(slurm, table), slurm["config"]),
        **{name: one["path"] for name, one in scripts(slurm, system["conf_dir"]).items()},
        "SlurmUser": "slurm",  # Slurm's own default is root
        "ClusterName": settings["cluster"],
        "SlurmctldHost": [
            name + (f"({addresses[name]})" if name in addresses else "")
            for name in controllers(table)
        ],
    }
    values = system.get("values", {})
    composed: dict[str, dict[str, Any]] = {
        "slurm.conf": {
            "settings": config,
            "nodes": [with_addresses(line, addresses) for line in slurm["nodes"]],
            "partitions": slurm["partitions"],
        },
        "cgroup.conf": {"settings": {}},  # slurmd wants the file, be it empty
    }
    for key, (file, argument) in BESIDE.items():
        content = slurm.get(key)
        if isinstance(content, dict):
            content = {name: values.get(name, {}).get(str(v), v) for name, v in content.items()}
        if content:
            composed[file] = {argument or opener(content[0]): content}
    return composed


def dbd(slurm: dict[str, Any], table: dict[str, Any]) -> dict[str, Any] | None:
    """Tell where the cluster's slurmdbd is, and of which kind its database; None without one."""
    for target, row in table.items():
        if "dbd" in row["roles"]:
            name = row.get("name", short(target))
            port = parameter(slurm["dbd"]["config"], "DbdPort") or DBD_PORT
            return {
                "name": name,
                "address": row.get("address", name),
                "port": port,
                "database": {
                    key: slurm["dbd"]["database"][key] for key in ("managed", "name", "server")
                },
            }
    return None


def accounting_storage(slurm: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """Compose the lines of slurm.conf that name the cluster's slurmdbd."""
    there = dbd(slurm, table)
    if not there:
        return {}
    lines = {
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": there["address"],
    }
    if there["port"] != DBD_PORT:
        lines["AccountingStoragePort"] = there["port"]
    return lines


def dbd_file(slurm: dict[str, Any], table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Compose slurmdbd.conf, which the dbd host alone has; a local database needs no password."""
    database = slurm["dbd"]["database"]
    there = dbd(slurm, table) or {}
    config = {
        "StorageType": "accounting_storage/mysql",
        **slurm["dbd"]["config"],
        "DbdHost": there["name"],
        "SlurmUser": "slurm",
        "StorageHost": database.get("host", "localhost"),
        "StorageLoc": database["name"],
        "StorageUser": database.get("user", "slurm"),
    }
    optional = {
        "DbdAddr": there["address"] if there["address"] != there["name"] else None,
        "StoragePort": database.get("port"),
        "StoragePass": database.get("password"),
    }
    config |= {name: value for name, value in optional.items() if value is not None}
    return {"slurmdbd.conf": {"settings": config}}


def accounting(settings: dict[str, Any], name: str, primary: str) -> dict[str, Any] | None:
    """Compose the arguments of slurm_acct.managed; None on a host that leaves it to another."""
    wanted = settings["slurm"].get("accounting")
    if not wanted or name != primary:
        return None
    return {"name": settings["cluster"], "wait": settings["slurm"]["wait"], **wanted}


def with_addresses(line: dict[str, Any], addresses: dict[str, str]) -> dict[str, Any]:
    """Add the table's addresses to a node line; slurm.conf(5) wants one for each of its names."""
    names = expand_hostlist(parameter(line, "NodeName"))
    if not any(name in addresses for name in names):
        return line
    return {**line, "NodeAddr": [addresses.get(name, name) for name in names]}


def own_line(name: str, slurm: dict[str, Any], nodes: dict[str, int]) -> dict[str, Any] | None:
    """
    Compose the line of one node, for comparison with its hardware.

    None where there is none, and under config_overrides (slurm.conf(5), SlurmdParameters), whose
    meaning is that the line and the hardware differ.
    """
    if name not in nodes or "config_overrides" in str(
        parameter(slurm["config"], "SlurmdParameters")
    ):
        return None
    line: dict[str, Any] = {}
    for entry in slurm["nodes"]:
        if parameter(entry, "NodeName").upper() == "DEFAULT":
            line = merge(line, entry)
    return merge(line, slurm["nodes"][nodes[name]])


def logs(host: dict[str, Any], slurm: dict[str, Any]) -> dict[str, str]:
    """List the logs of the daemons: role to path, slurmdbd's on its own host alone."""
    paths = {
        "dbd": parameter(slurm["dbd"]["config"], "LogFile") if "dbd" in host["roles"] else None,
        "controller": parameter(slurm["config"], "SlurmctldLogFile"),
        "exec": parameter(slurm["config"], "SlurmdLogFile"),
    }
    return {role: path for role, path in paths.items() if path}


def log_dirs(host: dict[str, Any], slurm: dict[str, Any]) -> list[str]:
    """List the directories that must exist before the daemons open their logs there."""
    return sorted({path.rpartition("/")[0] for path in logs(host, slurm).values()})


# The system, and the repositories that packages come from.


def find_system(osmap: dict[str, Any], grains: dict[str, Any]) -> dict[str, Any]:
    """Merge the entries of a system, from the general to the particular."""
    family = grains["os_family"]
    system: dict[str, Any] = {}
    # Every rebuild of Enterprise Linux has an osfinger of its own, and the same packages.
    for name in (family, f"{family}-{grains.get('osmajorrelease')}", grains["osfinger"]):
        system = merge(system, osmap.get(name, {}))
    return system


def check_systems(systems: dict[Any, Any], osmap: dict[str, Any]) -> list[str]:
    """Check the site's own entries for systems."""
    problems = []
    for name, entry in systems.items():
        where = f"os:{name}"
        if name in SYSTEM_KEYS:
            problems.append(
                f"{where}: stands below the system that it is for, which is the grain osfinger "
                f"or os_family: os: {{Ubuntu-20.04: {{{name}: …}}}}"
            )
        elif not isinstance(entry, dict):
            problems.append(f"{where}: must be a mapping, not {entry!r:.60}")
        else:
            problems += check_shape(entry, SYSTEM_KEYS, f"{where}:")
            if entry.get("packager", "apt") not in ("apt", "dnf"):
                problems.append(f"{where}:packager: must be apt or dnf, not {entry['packager']}")
    return problems


def check_packages(
    host: dict[str, Any], system: dict[str, Any], database: bool, grains: dict[str, Any]
) -> list[str]:
    """Check that a system's entry says what the roles of this host install."""
    roles = {*host["roles"]}
    roles -= {"drmaa", "galaxy"}  # which have entries of their own
    needed = {"munge", *roles} | ({"database_plugin"} if "dbd" in roles else set())
    services = needed - {"submit", "database_plugin"}
    if "dbd" in roles and database:
        needed.add("database")
        services.add("database")
    lacking = [f"packages:{name}" for name in sorted(needed - {*system["packages"]})]
    lacking += [f"services:{name}" for name in sorted(services - {*system["services"]})]
    if "database" in needed and "database_options" not in system:
        lacking.append("database_options")
    if not lacking:
        return []
    return [
        f"os: {grains['osfinger']} has no {' and no '.join(lacking)}, which the roles of "
        f"{grains['id']} need (README, Other systems)"
    ]


def named_repos(known: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Merge the pillar's repositories over the system's; a key of the pillar's replaces theirs."""
    repos = dict(known)
    for name, repo in named.items():
        if isinstance(repo, dict):
            base = dict(known.get(name, {}))
            if {"key", "key_source"} & {*repo}:
                base = {k: v for k, v in base.items() if k not in ("key", "key_source")}
            repos[name] = merge(base, repo)
    return repos


def check_repos(named: dict[Any, Any], repos: dict[str, Any]) -> list[str]:
    """Check the pillar's repositories, each as it is when merged over what the system knows."""
    problems = []
    for name, given in named.items():
        where = f"repos:{name}"
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", str(name)):
            problems.append(f"{where}: must be a name in lower case letters, digits, ., _ and -")
        elif not isinstance(given, dict):
            problems.append(f"{where}: must be a mapping, not {given!r:.60}")
        elif shape := check_shape(given, REPO_KEYS, f"{where}:"):
            problems += shape
        elif {*given} != {"enabled"} or given["enabled"]:
            problems += check_repo(repos[name], where)
    return problems


def check_repo(repo: dict[str, Any], where: str) -> list[str]:
    """Check where one repository is, and by what it is trusted."""
    problems = [
        f"{where}:{key}: runs over more than one line"
        for key, value in repo.items()
        if key != "key" and re.search(r"[\r\n]", str(value))
    ]
    places = [key for key in ("uri", "baseurl", "metalink") if key in repo]
    if len(places) != 1:
        problems.append(
            f"{where}: needs one of uri (apt), baseurl and metalink (dnf), and has "
            f"{' and '.join(places) or 'none'}"
        )
    elif places == ["uri"] and not repo.get("suite"):
        problems.append(f"{where}:suite: is missing; for a flat repository it is ./")
    elif places == ["uri"] and bool(repo.get("components")) == repo["suite"].endswith("/"):
        problems.append(
            f"{where}:components: are given with a suite such as bookworm, and not with a "
            "directory such as ./ (sources.list(5))"
        )
    keys = [key for key in ("key", "key_source") if key in repo]
    if repo.get("signed") is False:
        if keys:
            problems.append(f"{where}: says signed: false, and has a {keys[0]}; keep one")
        return problems
    if len(keys) != 1:
        problems.append(
            f"{where}: needs one of key (its text) and key_source, and has "
            f"{' and '.join(keys) or 'none'}; if its owner publishes no key, and packages that "
            "nobody has signed are wanted all the same, say signed: false"
        )
    elif not re.match(r"(salt|https)://\S+$", repo.get("key_source", "salt://key")):
        problems.append(f"{where}:key_source: must be a salt:// or https:// URL")
    fingerprint = "".join(repo.get("fingerprint", "").split())
    if keys and not re.fullmatch(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", fingerprint):
        problems.append(
            f"{where}:fingerprint: must be the key's whole fingerprint of 40 hexadecimal digits "
            f"(64 for version 6), as gpg --show-keys prints it, not {fingerprint or 'nothing'}"
        )
    return problems


def applies(repo: dict[str, Any], system: dict[str, Any], grains: dict[str, Any]) -> bool:
    """Tell whether a repository is one for this host."""
    packager = "apt" if "uri" in repo else "dnf"
    systems = repo.get("systems", [grains["osfinger"]])
    return (
        repo.get("enabled", True)
        and packager == system["packager"]
        and bool({grains["osfinger"], grains["os_family"]} & {*systems})
    )


def doubts(repos: dict[str, Any], system: dict[str, Any], named: dict[str, Any]) -> list[str]:
    """Warn of repositories without signatures, and of a system that gets no Slurm from any."""
    found = [
        f"repos:{name}: says signed: false, so whoever has its server, or the way to it, installs "
        "what they like as root"
        for name, repo in repos.items()
        if repo.get("signed") is False
    ]
    others = [r for r in repos.values() if "slurm" not in r.get("exclude", "")]
    if not system.get("has_slurm", True) and not others and "gpel" not in named:
        found.append(
            "repos: this system's own repositories have no Slurm, and EPEL's is excluded; name a "
            "repository that has it, or say gpel: {enabled: true, signed: false} for GPEL, which "
            "publishes no key, or gpel: {enabled: false} where Slurm comes another way"
        )
    return found


def compose_repo(name: str, repo: dict[str, Any], system: dict[str, Any]) -> dict[str, Any]:
    """Compose what is written for one repository: its key, and its source as a file of its own."""
    apt = system["packager"] == "apt"
    file = f"slurm-galaxy-{name}"
    key = None
    if repo.get("signed") is not False:
        path = f"/etc/apt/keyrings/{file}.asc" if apt else f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{file}"
        key = {
            "path": repo.get("key_path", path),
            "fingerprint": "".join(repo["fingerprint"].split()).upper(),
            **({"text": repo["key"]} if "key" in repo else {"source": repo["key_source"]}),
        }
    options: dict[str, Any]
    if apt:
        options = {
            "Types": "deb",
            "URIs": repo["uri"],
            "Suites": repo["suite"],
            "Components": " ".join(repo.get("components", [])),
            **({"Signed-By": key["path"]} if key else {"Trusted": "yes"}),
        }
        path, head, join = f"/etc/apt/sources.list.d/{file}.sources", "", ": "
    else:
        place = "baseurl" if "baseurl" in repo else "metalink"
        options = {
            "name": repo.get("description", name),
            place: repo[place],
            "enabled": 1,
            "gpgcheck": 1 if key else 0,
            "gpgkey": f"file://{key['path']}" if key else "",
            "exclude": repo.get("exclude", ""),
        }
        path, head, join = f"/etc/yum.repos.d/{file}.repo", f"[{name}]\n", "="
    options = {option: value for option, value in options.items() if value != ""}
    if repo.get("in_place"):
        path = f"/etc/yum.repos.d/{name}.repo"
        return {
            "name": name,
            "key": key,
            "writer": "ini",
            "path": path,
            "sections": {name: options},
        }
    lines = "".join(f"{option}{join}{value}\n" for option, value in options.items())
    contents = f"# Managed by Salt (slurm_galaxy).\n{head}{lines}"
    return {"name": name, "key": key, "writer": "file", "path": path, "contents": contents}


def rotations(
    host: dict[str, Any], system: dict[str, Any], slurm: dict[str, Any]
) -> dict[str, dict[str, str]]:
    """Tell which rotation files this host gets: path to unit to the log that it writes."""
    files: dict[str, dict[str, str]] = {}
    for role, log in logs(host, slurm).items():
        path = system.get("logrotate", {}).get(role)
        if role in host["roles"] and path:
            unit = system["services"][role]
            files.setdefault(path, {})[unit] = re.sub("%[nh]", host["name"], log)
    return files


# Galaxy, and how it reaches Slurm.

CONF = "/etc/galaxy"
RUNNERS = ("drmaa", "cli")
# galaxy:shared: what jobs read or write, by the name of its directory below galaxy:root, and whose.
SHARED = {
    "venv": ("venv", "root"),
    "jobs": ("jobs", "galaxy"),
    "objects": ("objects", "galaxy"),
    "new_files": ("tmp", "galaxy"),
    "tools": ("tools", "root"),
    "shed_tools": ("shed_tools", "galaxy"),
}
MOUNT_KEYS = {"path": str, "device": str, "fstype": str, "opts": list}
SECRETS = ("id_secret", "admins")  # of the pillar, for the Galaxy host alone
ADMIN_KEYS = {"password": str, "key": str}
MIN_PASSWORD = 6  # galaxy/security/validate_user_input.py, validate_password_str
# Settings of galaxy.yml that come from elsewhere in the pillar.
DERIVED_GALAXY = {
    "gravity": {
        "process_manager": "the role, which runs Galaxy by systemd",
        "virtualenv": "galaxy:venv",
        "galaxy_root": "galaxy:server",
        "galaxy_user": "users:galaxy",
        "galaxy_group": "users:galaxy",
    },
    "galaxy": {
        "job_config_file": "galaxy:job_conf",
        "job_config": "galaxy:job_conf",
        "database_connection": "galaxy:database",
        "id_secret": "galaxy:id_secret",
        "admin_users": "galaxy:admins",
        "file_path": "galaxy:shared:objects",
        "job_working_directory": "galaxy:shared:jobs",
        "new_file_path": "galaxy:shared:new_files",
    },
}


def runner(given: dict[str, Any], system: dict[str, Any]) -> str:
    """Tell how Galaxy speaks to Slurm: as the pillar says, else as the system has it."""
    return given.get("runner") or system.get("galaxy", {}).get("runner", "cli")


def check_galaxy(
    host: dict[str, Any],
    settings: dict[str, Any],
    table: dict[str, Any],
    system: dict[str, Any],
    warnings: list[str],
) -> list[str]:
    """Check what is said of Galaxy and of DRMAA, and where its secrets are."""
    given = settings["galaxy"]
    servers = [target for target, row in table.items() if "galaxy" in row["roles"]]
    problems = []
    if len(servers) > 1:
        names = " and ".join(servers)
        problems.append(f"hosts: {names} have the role galaxy; one Galaxy is what this runs")
    if "drmaa" in host["roles"]:
        problems += check_drmaa(settings["drmaa"], system)
    if not servers:
        return problems
    problems += check_one_of("galaxy:runner", given.get("runner", "cli"), RUNNERS)
    problems += check_one_of("galaxy:job_conf_format", given["job_conf_format"], ("yaml", "xml"))
    problems += [
        f"galaxy:{key}: must be an absolute path, not {given[key]!r}"
        for key in ("root", "venv", "server")
        if not given.get(key, "/").startswith("/")
    ]
    if given["wait"] < 1:
        problems.append(f"galaxy:wait: must be at least 1 second, not {given['wait']}")
    if "server" in given and "venv" not in given:
        problems.append("galaxy:venv: is missing; name the virtual environment of galaxy:server")
    for part, derived in DERIVED_GALAXY.items():
        problems += [
            f"galaxy:config:{part}:{key}: comes from {derived[key]}; remove it here"
            for key in given["config"].get(part, {})
            if key in derived
        ]
    database = given["database"]
    if database.get("managed") and "url" in database:
        problems.append("galaxy:database: url is for one that another runs; keep it, or managed")
    problems += (found := check_shared(given["shared"]))
    paths = {one["path"] for one in shared(given) if one["name"] == "venv"} if not found else set()
    if "venv" in given and paths - {given["venv"]}:
        problems.append("galaxy:shared:venv:path: is not that of galaxy:venv; keep one of both")
    if given["containers"] and "exec" in host["roles"]:
        problems += check_containers(system, host)
    if "galaxy" in host["roles"]:
        problems += check_secrets(given)
        if "python" not in system.get("galaxy", {}):
            problems.append(
                f"os: the system of {host['id']} has no galaxy:python and galaxy:packages, which "
                "the role galaxy needs (README, Other systems)"
            )
    else:
        held = [key for key in SECRETS if given.get(key)]
        warnings += [
            f"galaxy:{key}: is in the pillar of {host['id']}, which has no use for it; give it to "
            "the Galaxy host alone (README, Secrets)"
            for key in held + ["database:url"] * ("url" in database)
        ]
    return problems


def check_drmaa(given: dict[str, Any], system: dict[str, Any]) -> list[str]:
    """Check that there is a slurm-drmaa to install, and that its library's path is known."""
    found = drmaa(given, system)
    problems = [
        f"drmaa:files[{number}]: must be a mapping of one package's name to its file, such as "
        f"{{slurm-drmaa1: 'salt://…deb'}}, not {entry!r:.60}"
        for number, entry in enumerate(found["files"])
        if not (
            isinstance(entry, dict)
            and len(entry) == 1
            and all(isinstance(file, str) for file in entry.values())
        )
    ]
    if not (found["packages"] or found["files"]):
        problems.append(
            "drmaa:files: no repository of this system has slurm-drmaa; give package files, "
            "such as [{slurm-drmaa1: 'salt://…deb'}], and library, or say galaxy:runner: cli"
        )
    elif not str(found["library"] or "").startswith("/"):
        problems.append(
            "drmaa:library: must be the absolute path of the library that the packages bring, not "
            f"{found['library'] or 'nothing'}"
        )
    return problems


def check_one_of(where: str, value: str, known: tuple[str, ...]) -> list[str]:
    """Check a word against those that are known."""
    return [] if value in known else [f"{where}: {value!r} is unknown; {suggest(value, known)}"]


def check_shared(shared: dict[Any, Any]) -> list[str]:
    """Check the directories that nodes share with Galaxy, each a path or a mount."""
    problems = []
    for name, entry in shared.items():
        where = f"galaxy:shared:{name}"
        one = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(one, dict):
            problems.append(f"{where}: must be a path, or a mapping with path, device and fstype")
            continue
        if shape := check_shape(one, MOUNT_KEYS, f"{where}:"):
            problems += shape
            continue
        if not one.get("path", "" if name not in SHARED else "/").startswith("/"):
            problems.append(f"{where}:path: must be an absolute path")
        if len({"device", "fstype"} & {*one}) != (
            2 if {"device", "fstype", "opts"} & {*one} else 0
        ):
            problems.append(f"{where}: a mount needs device and fstype, as a line of fstab(5)")
    return problems


def check_containers(system: dict[str, Any], host: dict[str, Any]) -> list[str]:
    """Check that there is a package of Apptainer for a host that is to run containers."""
    if system.get("galaxy", {}).get("apptainer"):
        return []
    return [
        f"galaxy:containers: the system of {host['id']} packages no Apptainer; name one in "
        "os:<system>:galaxy:apptainer, or say containers: false and install it another way"
    ]


def check_secrets(given: dict[str, Any]) -> list[str]:
    """Check Galaxy's secrets without ever repeating one."""
    problems = []
    secret = given.get("id_secret", "")
    if not secret:
        problems.append("galaxy:id_secret: is missing; make one with: openssl rand -hex 24")
    elif EXAMPLE_SECRET.search(secret):
        problems.append("galaxy:id_secret: is an example, and anybody could know it")
    elif not 5 <= len(secret.encode()) <= 56:
        problems.append("galaxy:id_secret: must have 5 to 56 bytes (config_schema.yml, id_secret)")
    for email, admin in given.get("admins", {}).items():
        where = f"galaxy:admins:{email}"
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", str(email)):
            problems.append(f"{where}: is no address of mail")
        if not isinstance(admin, dict):
            problems.append(f"{where}: must be a mapping with password, key or both")
        else:
            shape = check_shape(admin, ADMIN_KEYS, f"{where}:")
            problems += shape or check_admin(admin, where)
    return problems


def check_admin(admin: dict[str, str], where: str) -> list[str]:
    """Check an administrator's secrets. Source: galaxy/model/__init__.py, APIKeys and User."""
    problems = [
        f"{where}:{key}: is an example, and anybody could know it; give the real one"
        for key, value in admin.items()
        if EXAMPLE_SECRET.search(value)
    ]
    if not problems and len(admin.get("password", "long enough")) < MIN_PASSWORD:
        problems.append(
            f"{where}:password: has fewer than the {MIN_PASSWORD} characters that Galaxy takes"
        )
    if not problems and not re.fullmatch(r"\S{1,32}", admin.get("key", "0")):
        problems.append(
            f"{where}:key: must have 1 to 32 characters, none of them blank; make one with: "
            "openssl rand -hex 16"
        )
    return problems


def drmaa(given: dict[str, Any], system: dict[str, Any]) -> dict[str, Any]:
    """Tell what slurm-drmaa is installed from, and where its library is."""
    known = system.get("drmaa", {})
    files = given.get("files", [])
    packages = [given["package"]] if "package" in given else known.get("packages", [])
    return {
        "packages": [] if files else packages,
        "files": files,
        "library": given.get("library", known.get("library")),
        "config": given.get("config", {}),
    }


def shared(given: dict[str, Any]) -> list[dict[str, Any]]:
    """List the directories that nodes share with Galaxy: name, path, owner and mount."""
    entries = {**dict.fromkeys(SHARED), **given["shared"]}
    found = []
    for name, entry in entries.items():
        below, owner = SHARED.get(name, (None, None))
        one = {"path": entry} if isinstance(entry, str) else dict(entry or {})
        if name == "venv" and "venv" in given:
            one.setdefault("path", given["venv"])
            owner = None
        path = one.pop("path", f"{given['root']}/{below}")
        found.append({"name": name, "path": path, "owner": owner, "mount": one or None})
    return found


def job_conf(given: dict[str, Any], runner: str, library: str | None) -> dict[str, Any]:
    """
    Compose Galaxy's job configuration: everything to Slurm, and the site's over that.

    Source: galaxy/config/sample/job_conf.sample.yml.
    """
    local = {"load": "galaxy.jobs.runners.local:LocalJobRunner", "workers": 2}
    if runner == "drmaa":
        slurm = {
            "load": "galaxy.jobs.runners.slurm:SlurmJobRunner",
            "drmaa_library_path": library,
            # A job that slurm-drmaa has lost sight of did not succeed.
            "invalidjobexception_state": "error",
            "internalexception_state": "error",
        }
        environment = {"runner": "slurm"}
    else:
        slurm = {"load": "galaxy.jobs.runners.cli:ShellJobRunner"}
        environment = {"runner": "slurm", "shell_plugin": "LocalShell", "job_plugin": "Slurm"}
    base = {
        "runners": {"local": local, "slurm": slurm},
        "handling": {"assign": ["db-skip-locked"]},
        "execution": {
            "default": "slurm",
            "environments": {"slurm": environment, "local": {"runner": "local"}},
        },
        # Expressions, which take no time, and what works on Galaxy's database.
        "tools": [{"class": "local", "environment": "local"}],
    }
    conf = merge(base, given.get("job_conf", {}))
    # What is no list, or no mapping, is left for galaxy_jobconf.managed to name.
    tools = conf.get("tools") or []
    if not isinstance(tools, list):
        return conf
    default = mapping(conf.get("execution")).get("default")
    added = []
    if default and "tools" not in given.get("job_conf", {}):
        # To Galaxy the uploads are of the class local as well (galaxy/tools/__init__.py, Tool).
        added += [{"id": tool, "environment": default} for tool in ("upload1", "__DATA_FETCH__")]
    added += [{"id": check_tool(name), "environment": name} for name in checked(conf)]
    return {**conf, "tools": [*tools, *added]}


def mapping(value: Any) -> dict[Any, Any]:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def checked(conf: dict[str, Any]) -> list[str]:
    """List the environments of a job configuration through which galaxy.destination_check goes."""
    runners = mapping(conf.get("runners"))
    found = mapping(conf.get("execution")).get("environments")
    if isinstance(found, list):  # which Galaxy takes as well
        found = {one["id"]: one for one in map(mapping, found) if "id" in one}
    return [
        name
        for name, one in mapping(found).items()
        if isinstance(name, str)
        and re.search(
            r"runners\.(slurm|drmaa|cli):",
            str(mapping(runners.get(str(mapping(one).get("runner")))).get("load")),
        )
    ]


def check_tool(environment: str) -> str:
    """Name the tool that galaxy.destination_check runs in an environment."""
    return "slurm_galaxy_check_" + re.sub(r"[^A-Za-z0-9_]", "_", environment)


def galaxy_yml(
    given: dict[str, Any], places: dict[str, str], library: str | None, job_conf_path: str
) -> dict[str, Any]:
    """Compose galaxy.yml: gravity's part and Galaxy's own, the site's settings over ours."""
    root = given["root"]
    handlers = {"processes": 1, "pools": ["job-handlers", "workflow-schedulers"]}
    if library:
        handlers["environment"] = {"DRMAA_LIBRARY_PATH": library}
    gravity = {
        "process_manager": "systemd",
        "virtualenv": places["venv"],
        "galaxy_root": given.get("server", f"{root}/var"),
        "galaxy_user": "galaxy",
        "galaxy_group": "galaxy",
        "gunicorn": {"bind": "127.0.0.1:8080"},
        "celery": {"enable": False, "enable_beat": False},
        "handlers": {"handler": handlers},
    }
    settings = {
        "data_dir": f"{root}/var",
        "managed_config_dir": f"{root}/var/config",
        "file_path": places["objects"],
        "job_working_directory": places["jobs"],
        "new_file_path": places["new_files"],
        "job_config_file": job_conf_path,
        "involucro_auto_init": False,  # it would be downloaded at the first start
    }
    database = given["database"]
    url = database.get("url")
    if database.get("managed"):
        url = "postgresql:///galaxy?host=/var/run/postgresql"
    optional = {
        "database_connection": url,
        "id_secret": given.get("id_secret"),
        "admin_users": ",".join(given.get("admins", {})) or None,
    }
    settings |= {key: value for key, value in optional.items() if value is not None}
    config = given["config"]
    return {
        "gravity": merge(gravity, config.get("gravity", {})),
        "galaxy": merge(settings, config.get("galaxy", {})),
    }


def galaxy(
    host: dict[str, Any], settings: dict[str, Any], table: dict[str, Any], system: dict[str, Any]
) -> dict[str, Any] | None:
    """Compose what a host of a cluster with Galaxy needs for it; None in a cluster without one."""
    if not has_role(table, "galaxy"):
        return None
    given, known = settings["galaxy"], system.get("galaxy", {})
    uses = {"galaxy", "exec"} & {*host["roles"]}
    common = {
        "root": given["root"],
        "shared": shared(given) if uses else [],
        "node_packages": [
            *known.get("node_packages", []),
            *([known["apptainer"]] if given["containers"] and "apptainer" in known else []),
        ]
        if uses
        else [],
        "wait": given["wait"],
    }
    if "galaxy" not in host["roles"]:
        return common
    places = {one["name"]: one["path"] for one in common["shared"]}
    by = runner(given, system)
    library = drmaa(settings["drmaa"], system)["library"] if by == "drmaa" else None
    path = f"{CONF}/job_conf.{'xml' if given['job_conf_format'] == 'xml' else 'yml'}"
    conf = job_conf(given, by, library)
    return {
        **common,
        "conf_dir": CONF,
        "venv": places["venv"],
        "python": known["python"],
        "packages": known.get("packages", []),
        "install": "venv" not in given,
        "version": given["version"],
        "pip": given["pip"],
        "runner": by,
        "database": "postgresql" if given["database"].get("managed") else None,
        "database_packages": known.get("database_packages", []),
        "database_setup": known.get("database_setup"),
        "config": galaxy_yml(given, places, library, path),
        "job_conf": conf,
        "job_conf_path": path,
        # What a process reads when it starts, beside galaxy.yml.
        "read": [path, f"{CONF}/tool_conf.xml"]
        + ([library, "/etc/slurm_drmaa.conf"] if library else []),
        "check_tools": {check_tool(name): name for name in checked(conf)},
        "admins": given.get("admins", {}),
        "url": given["url"],
        "check": given["check"],
    }
