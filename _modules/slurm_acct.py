"""
Read and change Slurm's accounting entities: QOS, accounts, users and their associations.

:py:func:`read` returns what slurmdbd has as one mapping, :py:func:`plan` compares it with what is
wanted, without asking anybody, and :py:func:`apply` runs what the plan says. One form serves all
three:

.. code-block:: yaml

    qos:
      high: {Priority: 100, MaxTRESPerUser: {cpu: 4}, MaxWall: '2-0', Preempt: [normal]}
    accounts:
      physics: {Description: the physics lab, GrpTRES: {cpu: 64, mem: 512G}, QOS: [normal, high]}
      optics: {Parent: physics, Fairshare: 10}
    users:
      ada:
        DefaultAccount: optics
        accounts: {optics: {MaxJobs: 5}, 'physics:gpu': {MaxJobs: 1}}  # account[:partition]

Units, everywhere: times in seconds (MaxWall and GrpWall are whole minutes to Slurm), memory in MiB,
TRES minutes in minutes; None is no limit of its own. Limits are those that an association has
itself, not what it inherits.
"""

import difflib
import math
import os
import re

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict

# Parameter to its kind, its field in sacctmgr's format, and what it is when nobody has set it.
_LIMITS: dict[str, tuple] = {
    "GrpJobs": ("count", "GrpJobs", None),
    "GrpJobsAccrue": ("count", "GrpJobsAccrue", None),
    "GrpSubmitJobs": ("count", "GrpSubmit", None),
    "GrpTRES": ("tres", "GrpTRES", None),
    "GrpTRESMins": ("tres", "GrpTRESMins", None),
    "GrpTRESRunMins": ("tres", "GrpTRESRunMins", None),
    "GrpWall": ("wall", "GrpWall", None),
    "MaxTRESPerJob": ("tres", "MaxTRES", None),
    "MaxTRESMinsPerJob": ("tres", "MaxTRESMins", None),
    "MaxTRESPerNode": ("tres", "MaxTRESPerNode", None),
    "MaxWall": ("wall", "MaxWall", None),
}
_QOS: dict[str, tuple] = {
    "Description": ("text", None, None),
    "Priority": ("count", "Priority", 0),
    "GraceTime": ("seconds", "GraceTime", 0),
    "Preempt": ("names", "Preempt", []),
    "PreemptExemptTime": ("time", "PreemptExemptTime", None),
    "PreemptMode": ("mode", "PreemptMode", "cluster"),
    "Flags": ("flags", "Flags", []),
    "UsageFactor": ("factor", "UsageFactor", 1.0),
    "UsageThreshold": ("factor", "UsageThres", None),
    "LimitFactor": ("factor", "LimitFactor", None),
    **_LIMITS,
    "MaxJobsAccruePerAccount": ("count", "MaxJobsAccruePA", None),
    "MaxJobsAccruePerUser": ("count", "MaxJobsAccruePU", None),
    "MaxJobsPerAccount": ("count", "MaxJobsPA", None),
    "MaxJobsPerUser": ("count", "MaxJobsPU", None),
    "MaxSubmitJobsPerAccount": ("count", "MaxSubmitPA", None),
    "MaxSubmitJobsPerUser": ("count", "MaxSubmitPU", None),
    "MaxTRESPerAccount": ("tres", "MaxTRESPA", None),
    "MaxTRESPerUser": ("tres", "MaxTRESPU", None),
    "MaxTRESRunMinsPerAccount": ("tres", "MaxTRESRunMinsPA", None),
    "MaxTRESRunMinsPerUser": ("tres", "MaxTRESRunMinsPU", None),
    "MinTRESPerJob": ("tres", "MinTRES", None),
}
_ASSOCIATION: dict[str, tuple] = {
    "Fairshare": ("share", "Share", 1),
    "Priority": ("count", "Priority", None),
    **_LIMITS,
    "MaxJobs": ("count", "MaxJobs", None),
    "MaxJobsAccrue": ("count", "MaxJobsAccrue", None),
    "MaxSubmitJobs": ("count", "MaxSubmit", None),
    "DefaultQOS": ("name", "DefaultQOS", None),
    "QOS": ("names", "QOS", []),
}
_ACCOUNT: dict[str, tuple] = {
    "Description": ("text", None, None),
    "Organization": ("text", None, None),
    "Parent": ("name", None, "root"),
    **_ASSOCIATION,
}
_USER: dict[str, tuple] = {
    "DefaultAccount": ("name", None, None),
    "AdminLevel": ("level", None, "None"),
    "accounts": ("accounts", None, {}),
}
_PARAMETERS = {"qos": _QOS, "accounts": _ACCOUNT, "users": _USER}
_ABSENT = ("users", "associations", "accounts", "qos")

_ALIASES = {
    "grpsubmit": "GrpSubmitJobs", "maxsubmit": "MaxSubmitJobs", "share": "Fairshare",
    "maxtres": "MaxTRESPerJob", "maxtresmins": "MaxTRESMinsPerJob", "mintres": "MinTRESPerJob",
    "maxwalldurationperjob": "MaxWall", "qoslevel": "QOS", "usagethres": "UsageThreshold",
}  # fmt: skip
# sacctmgr of 22.05 prints these names and takes only their short forms.
_SPELT = {
    "MaxTRESRunMinsPerAccount": "MaxTRESRunMinsPA",
    "MaxTRESRunMinsPerUser": "MaxTRESRunMinsPU",
}
_SHORT = {"pa": "peraccount", "pu": "peruser", "pj": "perjob", "pn": "pernode"}
# sacctmgr.1, SPECIFICATIONS FOR QOS: Flags, of all the versions.
_FLAGS = (
    "DenyOnLimit", "EnforceUsageThreshold", "NoDecay", "NoReserve", "OverPartQOS",
    "PartitionMaxNodes", "PartitionMinNodes", "PartitionTimeLimit", "Relative",
    "RequiresReservation", "UsageFactorSafe",
)  # fmt: skip
_MODES = ("cluster", "cancel", "requeue", "suspend", "priority", "within")
_LEVELS = ("None", "Operator", "Administrator")

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.@+-]*")
_SUFFIXES = "KMGTP"
_MARIADB = ["mariadb", "--batch", "--skip-column-names"]
# MariaDB, Error Codes: access denied to the account or the database, and an unknown database.
_NO_ACCESS = re.compile(r"ERROR (1044|1045|1049|1698) ")
# No server, or no client yet (runuser(1)).
_NO_SERVER = re.compile(r"ERROR 200[23] |No such file or directory$|user \S+ does not exist")
_ROOM = 64 * 2**20  # bytes: what InnoDB's log and one more extent of its tables take
_HIGHEST = 2**32 - 3  # slurm.h: NO_VAL and INFINITE are the two numbers above
_NOTHING_TO_DO = re.compile(
    r"Nothing (new added|modified|added|deleted)|Request didn't affect anything|Already existing"
)


# --- the database on this host --------------------------------------------------------------------


def database(name="slurm_acct_db", user="slurm", timeout=30):
    """
    Tell whether an account reaches its database on this host, and whether that has room.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_acct.database

    name
        The database.
    user
        The account of this host, which logs in by MariaDB's socket under its own name.
    timeout
        Seconds to wait at most for MariaDB's answer.

    Returns ``{"answers": …, "present": …, "said": …, "free": …}``: whether MariaDB answers, whether
    the account reaches its database, what MariaDB said if it does not, and the bytes that are free
    on its disk, None where the database is not present.

    Raises CommandExecutionError when MariaDB has too little room to go on, or fails otherwise;
    SaltInvocationError for a name that is none.
    """
    _check_identifiers(name, user)
    argv = ["runuser", "-u", user, "--", *_MARIADB, "--execute=SELECT @@datadir", name]
    code, said = _mariadb(argv, timeout)
    found = {"answers": True, "present": False, "said": said, "free": None}
    if code and _NO_SERVER.search(said):
        return {**found, "answers": False}
    if code and not _NO_ACCESS.search(said):
        raise CommandExecutionError(f"MariaDB: {said}; see: journalctl -u mariadb")
    if code:
        return found
    disk = os.statvfs(said)
    free = disk.f_bavail * disk.f_frsize
    if free < _ROOM:
        raise CommandExecutionError(
            f"there is no room in {said} for MariaDB to keep records: {free // 2**20} MiB are "
            f"free; free {_ROOM // 2**20} MiB or more there"
        )
    return {"answers": True, "present": True, "said": "", "free": free}


def create_database(name="slurm_acct_db", user="slurm", timeout=30):
    """
    Make a database on this host for an account that logs in by MariaDB's socket; keep what exists.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm_acct.create_database

    name, user, timeout
        As for :py:func:`database`.

    Returns True.

    Raises as :py:func:`database`.

    Source: accounting.html, MySQL configuration.
    """
    _check_identifiers(name, user)
    account = f"`{user}`@localhost"
    orders = (
        f"CREATE DATABASE IF NOT EXISTS `{name}`",
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED VIA unix_socket",
        f"ALTER USER {account} IDENTIFIED VIA unix_socket",
        f"GRANT ALL ON `{name}`.* TO {account}",
    )
    code, said = _mariadb([*_MARIADB, f"--execute={'; '.join(orders)}"], timeout)
    if code:
        raise CommandExecutionError(f"MariaDB: {said}; see: journalctl -u mariadb")
    return True


def _check_identifiers(*names):
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise SaltInvocationError(f"{name!r} must be of letters, digits, _ and -")


def _mariadb(argv, timeout):
    """Run MariaDB's client within a bound; return its exit code and what it said."""
    result = __salt__["cmd.run_all"](
        argv,
        python_shell=False,
        ignore_retcode=True,
        output_loglevel="quiet",
        timeout=timeout,
        env={"LC_ALL": "C.UTF-8"},
    )
    return result["retcode"], " ".join((result["stderr"] or result["stdout"]).split())


# --- asking sacctmgr ------------------------------------------------------------------------------


def _sacctmgr(argv, timeout):
    """Run sacctmgr within a bound; return cmd.run_all's mapping."""
    argv = ["sacctmgr", *argv]
    # What an administrator exports for interactive use would change what is asked and printed.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    if "SLURM_CONF" in os.environ:
        kept["SLURM_CONF"] = os.environ["SLURM_CONF"]
    try:
        result = __salt__["cmd.run_all"](
            argv,
            python_shell=False,
            cwd="/",
            env={**kept, "LC_ALL": "C.UTF-8"},
            clean_env=True,
            timeout=timeout,
            ignore_retcode=True,
            output_encoding="utf-8",
            output_loglevel="quiet",
            rstrip=False,
        )
    except (CommandExecutionError, OSError) as exc:
        reason = str(exc).rpartition("reason: ")[2]
        raise CommandExecutionError(f"sacctmgr cannot be run on this host: {reason}") from exc
    if result["retcode"] and result["stdout"].endswith(f"Timed out after {timeout} seconds"):
        raise CommandExecutionError(
            f"sacctmgr got no answer within {timeout} s: is slurmdbd running and reachable?"
        )
    return result


def _words(result):
    """Return all that sacctmgr said, in one line."""
    said = " ".join(f"{result['stderr']}\n{result['stdout']}".split())
    said = re.sub(r"sacctmgr: (?=error: )", "", said).replace(" Changes Discarded", "")
    return said or f"exit code {result['retcode']}"


def _ask(words, timeout):
    """Return what sacctmgr prints; a failure is raised in Slurm's own words."""
    result = _sacctmgr(["--parsable2", "--noheader", *words], timeout)
    if result["retcode"]:
        raise CommandExecutionError(f"sacctmgr: {_words(result)}")
    return result["stdout"]


def _rows(what, fields, timeout, options=(), ids=None):
    """
    Ask for fields of one kind of entity; return one list of texts a row.

    The first field is a number, and only the last may hold anything: sacctmgr escapes neither the
    separator nor a line's end, so a line that begins no row belongs to the row above it.
    """
    text = _ask(["show", what, *options, f"format={','.join(fields)}"], timeout)
    return parse_rows(text, len(fields), ids)


def parse_rows(text, columns, ids=None):
    """
    Split what ``sacctmgr --parsable2 --noheader`` prints into rows.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_acct.parse_rows "$(sacctmgr -nP show qos format=id,name)" 2

    text
        The output (string), of a format whose first field is a number.
    columns
        How many fields it has (integer); the last one keeps every ``|`` and every new line.
    ids
        The numbers that a row may begin with (list of strings), each once; default: any. With them
        no text can pass for a row.

    Returns a list of lists of texts.

    Source: sacctmgr.1, OPTIONS, ``--parsable2``.
    """
    separators = columns - 1
    begins = re.compile(rf"[0-9]+(?:\|[^|]*){{{separators - 1}}}\|")
    rows: list[list[str]] = []
    left = None if ids is None else set(ids)
    for line in text.removesuffix("\n").split("\n"):
        number = line.partition("|")[0]
        if begins.match(line) and (left is None or number in left):
            if left is not None:
                left.discard(number)
            rows.append(line.split("|", separators))
        elif rows:
            rows[-1][-1] += f"\n{line}"
    return [row for row in rows if len(row) == columns]


def clusters(timeout=30):
    """
    List the clusters that slurmdbd has.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.clusters

    timeout
        Bound of the question in seconds.

    Returns a list of names. A cluster is registered by its slurmctld when that reaches slurmdbd.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW CLUSTER FORMAT OPTIONS.
    """
    return _ask(["show", "cluster", "format=Cluster"], timeout).split()


def tres(timeout=30):
    """
    List the trackable resources that a limit can be set on.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.tres

    timeout
        Bound of the question in seconds.

    Returns a list of names such as ``cpu`` and ``gres/gpu``.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW TRES; slurm.conf.5, AccountingStorageTRES.
    """
    return [
        "/".join(filter(None, row[1:])) for row in _rows("tres", ["ID", "Type", "Name"], timeout)
    ]


def qos(timeout=30):
    """
    Return every QOS with its settings and limits.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.qos

    timeout
        Bound of each question in seconds.

    Returns a mapping of name to Slurm's parameters (``Priority``, ``MaxTRESPerUser``, …) in the
    units of this module.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW QOS FORMAT OPTIONS.
    """
    listed = {name: row for name, row in _QOS.items() if row[1]}
    fields = ["ID", *(field for _, field, _ in listed.values()), "Name"]
    rows = _rows("qos", fields, timeout)
    texts = dict(_rows("qos", ["ID", "Description"], timeout, ids=[row[0] for row in rows]))
    return {
        row[-1]: {"Description": texts.get(row[0], ""), **_settings(listed, row[1:-1])}
        for row in rows
    }


def associations(cluster, timeout=30):
    """
    Return the associations of a cluster: who may run jobs in which account, and with what limits.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.associations galaxy

    cluster
        Name of the cluster (string).
    timeout
        Bound of the question in seconds.

    Returns a list of mappings: ``account``, ``user`` and ``partition`` (None where the association
    is the account's own, or for every partition), ``parent`` (an account's) and ``limits``, those
    that are set here and not inherited.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW ASSOCIATION FORMAT OPTIONS.
    """
    fields = ["ID", "ParentID", "User", "Partition"]
    fields += [*(field for _, field, _ in _ASSOCIATION.values()), "Account"]
    rows = _rows("assoc", fields, timeout, ["WOPLimits", f"cluster={cluster}"])
    names = {row[0]: row[-1] for row in rows}
    return [
        {
            "account": row[-1],
            "user": row[2] or None,
            "partition": row[3] or None,
            "parent": None if row[2] else names.get(row[1]),
            "limits": _settings(_ASSOCIATION, row[4:-1]),
        }
        for row in rows
    ]


def accounts(cluster, timeout=30):
    """
    Return the accounts of a cluster.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.accounts galaxy

    cluster
        Name of the cluster (string).
    timeout
        Bound of each question in seconds.

    Returns a mapping of name to ``Description``, ``Organization``, ``Parent`` and the limits of the
    account's own association.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW ACCOUNT FORMAT OPTIONS.
    """
    return _accounts(associations(cluster, timeout), timeout)


def _accounts(found, timeout):
    own = {each["account"]: each for each in found if not each["user"]}
    # Of every cluster, for the rows of all of them are among those with texts.
    names = _ask(["show", "account", "format=Account"], timeout).splitlines()
    texts = {field: _texts(names, field, timeout) for field in ("Description", "Organization")}
    return {
        name: {
            **{field: texts[field].get(name, "") for field in texts},
            "Parent": each["parent"],
            **each["limits"],
        }
        for name, each in own.items()
    }


def _texts(names, field, timeout):
    """Return a free text of each account; accounts have no number for a row to begin with."""
    left = set(names)
    texts: dict[str, str] = {}
    last = None
    printed = _ask(["show", "account", f"format=Account,{field}"], timeout)
    for line in printed.removesuffix("\n").split("\n"):
        name = max((n for n in left if line.startswith(f"{n}|")), key=len, default=None)
        if name:
            left.discard(name)
            texts[name] = line[len(name) + 1 :]
            last = name
        elif last:
            texts[last] += f"\n{line}"
    return texts


def users(cluster, timeout=30):
    """
    Return the users of a cluster with their associations.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.users galaxy

    cluster
        Name of the cluster (string).
    timeout
        Bound of each question in seconds.

    Returns a mapping of name to ``DefaultAccount``, ``AdminLevel`` and ``accounts``, which maps
    ``account`` or ``account:partition`` to the limits of that association.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer.

    Source: sacctmgr.1, LIST/SHOW USER FORMAT OPTIONS.
    """
    return _users(associations(cluster, timeout), cluster, timeout)


def _users(found, cluster, timeout):
    listed: dict[str, dict] = {}
    for each in found:
        if each["user"]:
            user = listed.setdefault(each["user"], {**_defaults(_USER), "accounts": {}})
            user["accounts"][_key(each["account"], each["partition"])] = each["limits"]
    words = ["show", "user", "WithAssoc", f"cluster={cluster}"]
    for line in _ask([*words, "format=User,AdminLevel,DefaultAccount"], timeout).splitlines():
        name, _, rest = line.partition("|")
        level, _, account = rest.partition("|")
        if name in listed:
            listed[name].update(DefaultAccount=account or None, AdminLevel=level)
    return listed


def read(cluster, timeout=30):
    """
    Return all that :py:func:`plan` compares with.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.read galaxy

    cluster
        Name of the cluster (string).
    timeout
        Bound of each question in seconds; there are nine.

    Returns ``{"cluster", "clusters", "tres", "qos", "accounts", "users"}``.

    Raises CommandExecutionError with Slurm's words when slurmdbd does not answer, or has no such
    cluster yet.
    """
    known = clusters(timeout)
    if cluster not in known:
        listed = ", ".join(known) or "none"
        raise CommandExecutionError(
            f"slurmdbd has no cluster {cluster} (it has: {listed}); slurmctld registers it when it "
            "runs with AccountingStorageType=accounting_storage/slurmdbd"
        )
    found = associations(cluster, timeout)
    return {
        "cluster": cluster,
        "clusters": known,
        "tres": tres(timeout),
        "qos": qos(timeout),
        "accounts": _accounts(found, timeout),
        "users": _users(found, cluster, timeout),
    }


# --- values ---------------------------------------------------------------------------------------


def _key(account, partition):
    return f"{account}:{partition}" if partition else account


def _defaults(parameters):
    return {name: default for name, (_, _, default) in parameters.items()}


def _settings(parameters, texts):
    """Turn a row's texts into values."""
    return {
        name: _parsed(kind, text, default)
        for (name, (kind, _, default)), text in zip(parameters.items(), texts, strict=True)
    }


def _parsed(kind, text, default):
    """Read a value as sacctmgr prints it."""
    if text == "":
        return default
    if kind == "count":
        return int(text)
    if kind == "factor":
        return float(text)
    if kind in ("wall", "seconds", "time"):
        return _seconds(text)
    if kind in ("names", "flags"):
        return sorted(text.split(","))
    if kind == "mode":
        return text.lower()
    if kind == "share":
        return text if text == "parent" else int(text)
    if kind == "tres":
        pairs = (pair.partition("=") for pair in text.split(","))
        return {name: _count(name, value) for name, _, value in pairs}
    return text


def _count(name, text):
    """Read a TRES count: memory in MiB, of everything else the plain number."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMGTP]?)B?", text.strip(), re.I)
    if not match:
        raise ValueError(f"{text!r} is no count")
    unit = "_" + _SUFFIXES
    power = unit.index(match[2].upper() or "_")
    if name == "mem" and match[2]:
        power -= unit.index("M")
    return math.ceil(float(match[1]) * 1024**power) if match[2] else int(float(match[1]))


def _seconds(text):
    """Read min, min:sec, h:min:sec, days-h, days-h:min or days-h:min:sec as seconds."""
    match = re.fullmatch(r"(?:([0-9]+)-)?([0-9]+)(?::([0-9]+))?(?::([0-9]+))?", str(text).strip())
    if not match:
        raise ValueError(f"{text!r} is no time such as '1-12:00:00' or '90' (minutes)")
    parts = [int(part) for part in match.groups()[1:] if part is not None]
    if match[1]:
        hours, minutes, seconds = [*parts, 0, 0][:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, [*parts, 0][:2]
    return int(match[1] or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def _clock(seconds):
    """Write seconds as Slurm takes them."""
    minutes, seconds = divmod(seconds, 60)
    days, minutes = divmod(minutes, 1440)
    return f"{days}-{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _near(word, known):
    """Offer the nearest known word, or all of them."""
    by_case = {str(each).lower(): each for each in known}
    near = difflib.get_close_matches(str(word).lower(), by_case, 1)
    if near:
        return f"did you mean {by_case[near[0]]}?"
    return f"known are {', '.join(map(str, known)) or 'none'}"


def _slurms(text):
    """Return a text as Slurm keeps it: ASCII letters in lower case, quotes as backticks."""
    return re.sub("[A-Z]", lambda letter: letter[0].lower(), re.sub("[\"']", "`", text))


def _value(kind, value, known_tres=None):
    """Read a wanted value; raise ValueError with what is wrong with it."""
    if isinstance(value, bool):
        raise ValueError(f"takes no {value}; quote the word that you mean")
    if kind in ("names", "flags"):
        return _list(kind, value)
    if value is None or (value == -1 and kind != "text"):
        return None
    if kind == "tres":
        return _tres(value, known_tres)
    if kind in ("count", "share"):
        if kind == "share" and value == "parent":
            return value
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if not isinstance(number, int) or not 0 <= number <= _HIGHEST:
            word = " or parent" if kind == "share" else ""
            raise ValueError(f"must be a whole number from 0{word}, not {value!r}")
        return number
    if kind == "factor":
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < math.inf:
            raise ValueError(f"must be a number from 0, not {value!r}")
        return number
    if kind == "seconds" and isinstance(value, int) and value >= 0:
        return value
    if kind in ("wall", "time", "seconds"):
        return _time(kind, value)
    return _word(kind, value)


def _list(kind, value):
    listed = value.split(",") if isinstance(value, str) else value or []
    if listed in (["-1"], -1):
        listed = []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise ValueError(f"must be a list of names, not {value!r}")
    listed = sorted({each.strip() for each in listed} - {""})
    if kind == "flags":
        by_case = {flag.lower(): flag for flag in _FLAGS}
        unknown = [each for each in listed if each.lower() not in by_case]
        if unknown:
            raise ValueError(f"there is no flag {unknown[0]}; {_near(unknown[0], _FLAGS)}")
        return sorted({by_case[each.lower()] for each in listed})
    return listed


def _tres(value, known):
    if isinstance(value, str):
        value = dict(pair.strip().partition("=")[::2] for pair in value.split(","))
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping such as {{cpu: 4, mem: 100G}}, not {value!r}")
    counts = {}
    for name, count in value.items():
        if known is not None and name not in known:
            raise ValueError(
                f"there is no TRES {name}; {_near(name, known)} (AccountingStorageTRES in "
                "slurm.conf adds gres and license TRES)"
            )
        if count is None or count == -1:
            continue
        if isinstance(count, bool) or not isinstance(count, (int, str)):
            raise ValueError(f"{name} must be a whole number, not {count!r}")
        try:
            counts[str(name)] = _count(str(name), str(count))
        except ValueError as exc:
            raise ValueError(f"{name}: {exc}") from exc
    return counts or None


def _time(kind, value):
    if not isinstance(value, str):
        raise ValueError(
            f"is {value!r}, perhaps because YAML counted an unquoted time in base 60; quote it, as "
            "in '6:30:00' or '60' (minutes)"
        )
    seconds = _seconds(value)
    return -(-seconds // 60) * 60 if kind == "wall" else seconds  # Slurm rounds up to minutes


def _word(kind, value):
    if not isinstance(value, str) or not value.strip() or re.search(r"[\r\n\0]", value):
        raise ValueError(f"must be one line of text, not {value!r}")
    if kind == "mode":
        words = [word.strip() for word in value.lower().split(",")]
        unknown = [word for word in words if word not in _MODES]
        if unknown:
            raise ValueError(f"there is no mode {unknown[0]}; {_near(unknown[0], _MODES)}")
        return ",".join(words)
    if kind == "level":
        by_case = {"admin": "Administrator", **{level.lower(): level for level in _LEVELS}}
        if value.lower() not in by_case:
            raise ValueError(f"there is no level {value}; {_near(value, _LEVELS)}")
        return by_case[value.lower()]
    return _slurms(value) if kind == "text" else value


def _written(kind, name, new, old):
    """Write a value as sacctmgr takes it; what is cleared is -1, in a TRES limit one by one."""
    name = _SPELT.get(name, name)
    if kind == "tres":
        gone = {tres: -1 for tres in old or {} if tres not in (new or {})}
        return f"{name}=" + ",".join(f"{k}={v}" for k, v in {**(new or {}), **gone}.items())
    if kind == "names":
        return f"{name}={','.join(new)}"
    if kind == "flags":
        return f"{name}={','.join(new) or -1}"
    if new is None:
        return f"{name}=-1"
    if kind == "wall":
        return f"{name}={new // 60}"
    if kind == "time":
        return f"{name}={_clock(new)}"
    return f"{name}={new}"


# --- what is wanted -------------------------------------------------------------------------------


def check(wanted, absent=None, tres=None):
    """
    Hold what is wanted against what Slurm takes, and bring it into one form.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_acct.check '{qos: {high: {MaxWal: "2-0"}}}'

    wanted
        ``{"qos", "accounts", "users"}`` as at the head of this module (mapping).
    absent
        ``{"users": [names], "associations": {user: [account or account:partition]}, "accounts":
        [names], "qos": [names]}`` (mapping).
    tres
        The TRES that there are (list); default: names of TRES are not checked.

    Returns ``{"problems": [sentences], "wanted": mapping, "absent": mapping}``: parameters under
    Slurm's own names, values in the units of this module.

    Source: sacctmgr.1, SPECIFICATIONS FOR QOS, ACCOUNTS and USERS.
    """
    problems: list[str] = []
    clean: dict[str, dict] = {}
    for kind, listed in (wanted or {}).items():
        if kind not in _PARAMETERS:
            problems.append(f"{kind}: there is no such key; {_near(kind, _PARAMETERS)}")
        elif listed is not None and not isinstance(listed, dict):
            problems.append(f"{kind}: must be a mapping of names, not {listed!r:.60}")
    for kind, parameters in _PARAMETERS.items():
        listed = (wanted or {}).get(kind)
        listed = listed if isinstance(listed, dict) else {}
        clean[kind] = {}
        for name, settings in listed.items():
            problems += _bad_name(kind, name)
            clean[kind][str(name)] = _checked(
                f"{kind}:{name}", settings, parameters, tres, problems
            )
    for name, user in clean["users"].items():
        if not user.get("accounts"):
            problems.append(f"users:{name}:accounts: a user is in one account at least; name it")
    gone = _checked_absent(absent or {}, problems)
    for kind in _PARAMETERS:
        problems += [
            f"absent:{kind}: {name} is in {kind} as well; keep one"
            for name in gone[kind]
            if name in clean[kind]
        ]
    for user, keys in gone["associations"].items():
        has = clean["users"].get(user, {}).get("accounts", {})
        problems += [
            f"absent:associations:{user}: {key} is in users:{user}:accounts as well; keep one"
            for key in keys
            if key in has
        ]
    return {"problems": problems, "wanted": clean, "absent": gone}


def _bad_name(where, name):
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        low = str(name).lower()
        hint = f"write {low}" if _NAME.fullmatch(low) else "letters, digits and _.@+- will do"
        return [f"{where}:{name}: Slurm keeps names in lower case and in simple letters; {hint}"]
    if name == "root" and where.rpartition(":")[2] in ("accounts", "users"):
        return [f"{where}:root: is Slurm's own, and is left alone"]
    return []


def _checked(where, settings, parameters, tres, problems):
    """Return settings in one form; what is wrong is added to the problems."""
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        problems.append(f"{where}: must be a mapping of parameters, not {settings!r:.60}")
        return {}
    by_case = {name.lower(): name for name in parameters}
    clean: dict[str, object] = {}
    for key, value in settings.items():
        low = str(key).lower()
        long = re.sub("(pa|pu|pj|pn)$", lambda end: _SHORT[end[0]], low)
        aliases = [_ALIASES.get(low, "").lower(), low, long, _ALIASES.get(long, "").lower()]
        name = next((by_case[each] for each in aliases if each in by_case), None)
        if name is None:
            problems.append(f"{where}:{key}: there is no such parameter; {_near(key, parameters)}")
            continue
        if name in clean:
            problems.append(f"{where}:{key}: is given twice")
        kind = parameters[name][0]
        if kind == "accounts":
            clean[name] = _checked_accounts(f"{where}:{key}", value, tres, problems)
            continue
        try:
            read_value = _value(kind, value, tres)
        except ValueError as exc:
            problems.append(f"{where}:{key}: {exc}")
            continue
        if read_value is None:
            if name in ("DefaultAccount", "Description", "Organization"):
                continue  # there is no way to have none
            read_value = parameters[name][2]
        clean[name] = read_value
    return clean


def _checked_accounts(where, value, tres, problems):
    if isinstance(value, list):
        value = dict.fromkeys(map(str, value))
    if not isinstance(value, dict):
        problems.append(f"{where}: must be a mapping or a list of accounts, not {value!r:.60}")
        return {}
    for key in value:
        account, colon, partition = str(key).partition(":")
        if not _NAME.fullmatch(account) or (colon and not re.fullmatch(r"[\w.+-]+", partition)):
            problems.append(f"{where}:{key}: is neither an account nor account:partition")
        elif account == "root":
            problems.append(f"{where}:root: is Slurm's own, and is left alone")
    return {
        str(key): _checked(f"{where}:{key}", limits, _ASSOCIATION, tres, problems)
        for key, limits in value.items()
    }


def _checked_absent(absent, problems):
    gone: dict = {kind: {} if kind == "associations" else [] for kind in _ABSENT}
    for kind, listed in absent.items():
        if kind not in _ABSENT:
            problems.append(f"absent:{kind}: there is no such key; {_near(kind, _ABSENT)}")
        elif kind == "associations":
            if not isinstance(listed, dict) or not all(
                isinstance(k, list) for k in listed.values()
            ):
                problems.append(f"absent:{kind}: must map users to lists of accounts")
                continue
            gone[kind] = {str(user): list(map(str, keys)) for user, keys in listed.items()}
            problems += [p for user in listed for p in _bad_name("absent:users", user)]
        elif not isinstance(listed, list):
            problems.append(f"absent:{kind}: must be a list of names, not {listed!r:.60}")
        else:
            gone[kind] = list(dict.fromkeys(map(str, listed)))
            problems += [p for name in listed for p in _bad_name(f"absent:{kind}", name)]
    return gone


# --- what differs ---------------------------------------------------------------------------------


def plan(wanted, current, absent=None):
    """
    Tell what differs, and how to bring it about; nobody is asked and nothing is changed.

    What exists and is not mentioned is left alone, and so is a parameter that is not mentioned. A
    parameter that is None is cleared. A TRES limit is one value: what it does not name is cleared.

    CLI Example:

    .. code-block:: bash

        salt-call slurm_acct.plan '{qos: {high: {Priority: 5}}}' "$(salt-call … slurm_acct.read)"

    wanted, absent
        As in :py:func:`check` (mappings).
    current
        As :py:func:`read` returns it (mapping).

    Returns ``{"problems", "changes", "steps", "removals"}``. ``problems`` are sentences; with any,
    the rest is empty. ``changes`` maps ``qos high``, ``account physics``, ``user ada`` or ``user
    ada in physics:gpu`` to each parameter's ``{"old", "new"}``, or to one such pair for the whole
    where it is added (``old`` is None) or removed. ``steps`` are command lines for
    :py:func:`apply`, in an order that Slurm takes. ``removals`` are for :py:func:`jobs_of`.
    """
    checked = check(wanted, absent, current["tres"])
    want, gone = checked["wanted"], checked["absent"]
    problems = checked["problems"] or _dangling(want, gone, current)
    if problems:
        return {"problems": problems, "changes": {}, "steps": [], "removals": []}
    # Where slurmdbd serves one cluster, an entity goes whole; else its part of this cluster goes.
    cluster = [f"cluster={current['cluster']}"]
    where = cluster if len(current["clusters"]) > 1 else []
    changes: dict[str, dict] = {}
    steps: list[list[str]] = []
    _plan_qos(want["qos"], current["qos"], changes, steps)
    _plan_accounts(want["accounts"], current["accounts"], cluster, changes, steps)
    _plan_users(want["users"], current["users"], cluster, changes, steps)
    removals = _plan_absent(gone, current, cluster, where, changes, steps)
    return {"problems": [], "changes": changes, "steps": steps, "removals": removals}


def _difference(settings, has):
    return {
        name: {"old": has.get(name), "new": value}
        for name, value in settings.items()
        if _same_form(has.get(name)) != _same_form(value)
    }


def _same_form(value):
    return sorted(value) if isinstance(value, list) else value


def _options(parameters, differing):
    return [
        _written(parameters[name][0], name, pair["new"], pair["old"])
        for name, pair in differing.items()
    ]


def _plan_qos(want, has, changes, steps):
    later = []
    for name, settings in want.items():
        if name in has:
            differing = _difference(settings, has[name])
            if differing:
                changes[f"qos {name}"] = differing
                later.append([name, _options(_QOS, differing)])
            continue
        changes[f"qos {name}"] = {"old": None, "new": settings}
        fresh = _difference(settings, _defaults(_QOS))
        # Another QOS that it preempts may be new as well, and is added by then.
        preempts = {key: fresh.pop(key) for key in ("Preempt",) if key in fresh}
        steps.append(["add", "qos", name, *_options(_QOS, fresh)])
        if preempts:
            later.append([name, _options(_QOS, preempts)])
    steps += [
        ["modify", "qos", "where", f"name={name}", "set", *options] for name, options in later
    ]


def _plan_accounts(want, has, cluster, changes, steps):
    later = []
    for name in _parents_first(want):
        settings = want[name]
        if name not in has:
            changes[f"account {name}"] = {"old": None, "new": settings}
            fresh = _difference(settings, _defaults(_ACCOUNT))
            steps.append(["add", "account", name, *cluster, *_options(_ACCOUNT, fresh)])
            continue
        differing = _difference(settings, has[name])
        if not differing:
            continue
        changes[f"account {name}"] = differing
        modify = ["modify", "account", "where", f"name={name}"]
        # Texts are the account's on every cluster; a move is an order of its own to sacctmgr.
        texts = {"Description", "Organization"} & differing.keys()
        for part, target in (
            (texts, []),
            ({"Parent"} & differing.keys(), cluster),
            (differing.keys() - texts - {"Parent"}, cluster),
        ):
            if part:
                chosen = {key: pair for key, pair in differing.items() if key in part}
                later.append([*modify, *target, "set", *_options(_ACCOUNT, chosen)])
    steps += later


def _parents_first(want):
    """Order accounts so that each comes after its parent; a loop was refused before."""
    ordered: dict[str, None] = {}

    def place(name, seen=()):
        if name in want and name not in ordered and name not in seen:
            place(want[name].get("Parent"), (*seen, name))
            ordered[name] = None

    for name in want:
        place(name)
    return list(ordered)


def _plan_users(want, has, cluster, changes, steps):
    for name, settings in want.items():
        old = has.get(name)
        listed = settings.get("accounts", {})
        own = {key: value for key, value in settings.items() if key != "accounts"}
        default = own.get("DefaultAccount")
        if old is None:
            changes[f"user {name}"] = {"old": None, "new": own}
            # Slurm makes the first account of a user the default one.
            listed = dict(sorted(listed.items(), key=lambda pair: pair[0].split(":")[0] != default))
        before = len(steps)
        modified = []
        for key, limits in listed.items():
            account, _, partition = key.partition(":")
            entity = f"user {name} in {key}"
            place = [*cluster, f"account={account}"]
            if old is None or key not in old["accounts"]:
                changes[entity] = {"old": None, "new": limits}
                fresh = _difference(limits, _defaults(_ASSOCIATION))
                place += [f"partition={partition}"] if partition else []
                steps.append(["add", "user", name, *place, *_options(_ASSOCIATION, fresh)])
                continue
            differing = _difference(limits, old["accounts"][key])
            if differing:
                changes[entity] = differing
                # An empty partition is the association that has none; without it, all are meant.
                place += [f"partition={partition}", "set"]
                options = _options(_ASSOCIATION, differing)
                modified.append(["modify", "user", "where", f"name={name}", *place, *options])
        steps += modified
        modify = ["modify", "user", "where", f"name={name}"]
        level = own.get("AdminLevel", "None")
        if old is None:
            if level != "None":
                steps[before].append(f"AdminLevel={level}")
            continue
        differing = _difference(own, old)
        if differing:
            changes[f"user {name}"] = differing
        if "AdminLevel" in differing:
            steps.append([*modify, "set", f"AdminLevel={level}"])
        if "DefaultAccount" in differing:
            steps.append([*modify, *cluster, "set", f"DefaultAccount={default}"])


def _plan_absent(gone, current, cluster, where, changes, steps):
    """Remove users, then associations, then accounts, children first, then QOS."""
    removals: list[dict] = []

    def remove(kind, name, what, place, old, **match):
        changes[what] = {"old": old, "new": None}
        steps.append(["delete", kind, "where", f"name={name}", *place])
        removals.append({"what": what, **match})

    for name in gone["users"]:
        if name in current["users"]:
            old = {k: v for k, v in current["users"][name].items() if v}
            remove("user", name, f"user {name}", where, old, user=name)
    for name, keys in gone["associations"].items():
        has = {} if name in gone["users"] else current["users"].get(name, {}).get("accounts", {})
        for key in keys:
            if key in has:
                account, _, partition = key.partition(":")
                place = [*cluster, f"account={account}", f"partition={partition}"]
                match = {"partition": partition} if partition else {}
                what = f"user {name} in {key}"
                remove(
                    "user", name, what, place, _own(has[key]), user=name, account=account, **match
                )
    for name in reversed(_parents_first(current["accounts"])):
        if name not in gone["accounts"]:
            continue
        for user, each in current["users"].items():
            for key, limits in each["accounts"].items():
                if key.partition(":")[0] == name and user not in gone["users"]:
                    changes[f"user {user} in {key}"] = {"old": _own(limits), "new": None}
        own = {k: v for k, v in current["accounts"][name].items() if v not in (None, [], "")}
        remove("account", name, f"account {name}", where, own, account=name)
    for name in gone["qos"]:
        if name in current["qos"]:
            own = _own(current["qos"][name], _QOS)
            remove("qos", name, f"qos {name}", [], own, qos=name)
    return removals


def _own(settings, parameters=_ASSOCIATION):
    return {key: pair["old"] for key, pair in _difference(_defaults(parameters), settings).items()}


def _dangling(want, gone, current):
    """Name what would point at nothing afterwards, where the wanted or the absent has a part."""
    problems = []
    known = {
        kind: [name for name in {**current[kind], **want[kind]} if name not in gone[kind]]
        for kind in ("qos", "accounts")
    }

    def reference(where, kind, names):
        for name in names:
            if name and name not in known[kind]:
                word = "is to be absent" if name in gone[kind] else "does not exist"
                one = {"qos": "QOS", "accounts": "account"}[kind]
                problems.append(f"{where}: the {one} {name} {word}; {_near(name, known[kind])}")

    def limits(where, settings):
        reference(f"{where}:QOS", "qos", settings.get("QOS", []))
        reference(f"{where}:DefaultQOS", "qos", [settings.get("DefaultQOS")])

    for name, settings in want["qos"].items():
        reference(f"qos:{name}:Preempt", "qos", settings.get("Preempt", []))
    for name, settings in want["accounts"].items():
        reference(f"accounts:{name}:Parent", "accounts", [settings.get("Parent")])
        limits(f"accounts:{name}", settings)
    for name, settings in want["users"].items():
        old = current["users"].get(name, {})
        has = {**old.get("accounts", {}), **settings.get("accounts", {})}
        kept = [k.partition(":")[0] for k in has if k not in gone["associations"].get(name, [])]
        default = settings.get("DefaultAccount")
        if default and default not in kept:
            problems.append(
                f"users:{name}:DefaultAccount: {name} is not in the account {default}; "
                f"{_near(default, kept)}"
            )
        for key, each in settings.get("accounts", {}).items():
            account = key.partition(":")[0]
            reference(f"users:{name}:accounts:{key}", "accounts", [account])
            limits(f"users:{name}:accounts:{key}", each)
    return problems + _loops(want, current) + _orphans(want, gone, current)


def _loops(want, current):
    parents = {
        name: want["accounts"].get(name, {}).get("Parent")
        or current["accounts"].get(name, {}).get("Parent")
        for name in {**current["accounts"], **want["accounts"]}
    }
    problems = []
    for name in want["accounts"]:
        above, seen = parents.get(name), [name]
        while above and above not in seen:
            seen.append(above)
            above = parents.get(above)
        if above == name:
            problems.append(f"accounts:{name}:Parent: {' is below '.join([*seen, name])}")
    return problems


def _orphans(want, gone, current):
    """Name what is left behind and needs something that is to be absent."""
    problems = []
    for name, old in current["accounts"].items():
        parent = want["accounts"].get(name, {}).get("Parent", old["Parent"])
        if parent in gone["accounts"] and name not in gone["accounts"] + list(want["accounts"]):
            problems.append(
                f"absent:accounts: {parent} is the parent of {name}; name that as well, or give it "
                "another parent"
            )
        default = want["accounts"].get(name, {}).get("DefaultQOS", old["DefaultQOS"])
        if default in gone["qos"] and name not in gone["accounts"]:
            problems.append(f"absent:qos: {default} is the default QOS of the account {name}")
    for name, old in current["users"].items():
        if name in gone["users"]:
            continue
        wanted = want["users"].get(name, {})
        default = wanted.get("DefaultAccount", old["DefaultAccount"])
        has = {**old["accounts"], **wanted.get("accounts", {})}
        lost = [
            key
            for key in has
            if key in gone["associations"].get(name, [])
            or key.partition(":")[0] in gone["accounts"]
        ]
        kept = {key.partition(":")[0] for key in has if key not in lost}
        if lost and not kept:
            problems.append(
                f"absent: {name} would be left in no account (now {', '.join(has)}); name the user "
                "in absent:users as well, or give another account"
            )
        elif lost and default not in kept:
            problems.append(
                f"absent: {default} is the default account of {name}; give "
                f"users:{name}:DefaultAccount another one"
            )
        for key, limits in has.items():
            after = {**old["accounts"].get(key, {}), **limits}
            if key not in lost and after.get("DefaultQOS") in gone["qos"]:
                problems.append(
                    f"absent:qos: {after['DefaultQOS']} is the default QOS of {name} in {key}"
                )
    return problems


def jobs_of(removals, jobs):
    """
    Tell which jobs keep something from being removed.

    CLI Example:

    .. code-block:: bash

        salt-call slurm_acct.jobs_of '[{what: user ada, user: ada}]' '[{id: "7", user: ada}]'

    removals
        As :py:func:`plan` returns them (list of mappings).
    jobs
        As ``slurm.squeue`` returns them: those that are pending or running (list of mappings).

    Returns a list of sentences with the ids of the jobs; an empty one when nothing is in the way.
    """
    sentences = []
    for removal in removals:
        match = {key: value for key, value in removal.items() if key != "what"}
        ids = [job["id"] for job in jobs if all(job.get(k) == v for k, v in match.items())]
        if ids:
            more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
            sentences.append(
                f"{removal['what']} cannot be removed while jobs are there: "
                f"{', '.join(map(str, ids[:10]))}{more}; wait for their end, or cancel them"
            )
    return sentences


def apply(steps, timeout=60):
    """
    Run the steps of a plan, one after another; the first that fails ends it.

    CLI Example:

    .. code-block:: bash

        salt 'head' slurm_acct.apply '[[add, qos, high, Priority=5]]'

    steps
        Arguments of sacctmgr (list of lists of strings).
    timeout
        Bound of each step in seconds.

    Returns the number of steps that changed something; one that finds its work done already is
    none of them.

    Raises SaltInvocationError for what is no order of sacctmgr, CommandExecutionError with Slurm's
    words and the step that failed.

    Source: sacctmgr.1, OPTIONS, ``--immediate``.
    """
    done = 0
    for step in steps:
        if not step or step[0] not in ("add", "modify", "delete"):
            raise SaltInvocationError(f"{step!r} is no step of a plan: add, modify or delete")
        result = _sacctmgr(["--immediate", *map(str, step)], timeout)
        if not result["retcode"]:
            done += 1
        elif not _NOTHING_TO_DO.search(result["stdout"] + result["stderr"]):
            raise CommandExecutionError(f"sacctmgr {' '.join(step)}: {_words(result)}")
    return done
