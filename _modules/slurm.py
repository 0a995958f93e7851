"""
Read and drive Slurm: structured data in place of printed tables, on Slurm 17.11 to 26.05.

The module loads on every host, for a state run may install Slurm and use it in the same run; a
function that finds no Slurm says so. It asks Slurm only for output that cannot be confused: blocks
of ``scontrol show`` for nodes and jobs, and ``sinfo`` and ``squeue`` formats whose separators are
random in every call, so that no job name can hold them. Whatever else Slurm prints (default
tables, one-line records, any ``-o`` format with its header, JSON) is read by the ``parse_…``
functions. They take text alone and run without Slurm:

.. code-block:: bash

    salt-call --local slurm.parse_squeue "$(squeue)"

Units, everywhere: memory in MiB, times in seconds (None is no limit), timestamps as Slurm prints
them (ISO, the host's own time zone).
"""

import contextlib
import difflib
import functools
import itertools
import json
import os
import pathlib
import pwd
import re
import secrets
import tempfile
import time

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict

# What an administrator exports for interactive use would change what the commands print.
_INTERACTIVE = re.compile(
    r"SACCT_|SCONTROL_|SINFO_|SQUEUE_|SLURM_(BITSTR_LEN|CLUSTERS|TIME_FORMAT)$"
)

# Job states from which a job does not come back by itself (squeue.1, JOB STATE CODES).
_TERMINAL = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL",
    "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip

_JOB_STATES = {
    "BF": "BOOT_FAIL", "CA": "CANCELLED", "CD": "COMPLETED", "CF": "CONFIGURING",
    "CG": "COMPLETING", "DL": "DEADLINE", "F": "FAILED", "NF": "NODE_FAIL",
    "OOM": "OUT_OF_MEMORY", "PD": "PENDING", "PR": "PREEMPTED", "R": "RUNNING",
    "RD": "RESV_DEL_HOLD", "RF": "REQUEUE_FED", "RH": "REQUEUE_HOLD", "RQ": "REQUEUED",
    "RS": "RESIZING", "RV": "REVOKED", "S": "SUSPENDED", "SE": "SPECIAL_EXIT", "SI": "SIGNALING",
    "SO": "STAGE_OUT", "ST": "STOPPED", "TO": "TIMEOUT",
}  # fmt: skip

# sinfo.1, NODE STATE CODES: what a suffix says, and the short forms of sinfo's compact states.
_STATE_SUFFIXES = {
    "*": "NOT_RESPONDING", "~": "POWERED_DOWN", "#": "POWERING_UP", "!": "POWER_DOWN",
    "%": "POWERING_DOWN", "$": "MAINTENANCE", "@": "REBOOT_REQUESTED", "^": "REBOOT_ISSUED",
    "-": "PLANNED",
}  # fmt: skip
_NODE_STATES = {
    "ALLOC": "ALLOCATED", "BLOCK": "BLOCKED", "BOOT": "REBOOT", "COMP": "COMPLETING",
    "DRAIN": "DRAINED", "DRNG": "DRAINING", "FAILG": "FAILING", "FUTR": "FUTURE",
    "INVAL": "INVALID", "MIX": "MIXED", "NPC": "PERFCTRS", "PLND": "PLANNED", "PLNND": "PLANNED",
    "POW_DN": "POWERING_DOWN", "POW_UP": "POWERING_UP", "RESV": "RESERVED", "UNK": "UNKNOWN",
}  # fmt: skip
_STATE_FLAGS = {
    "DRAINED": "DRAIN", "DRAINING": "DRAIN", "FAIL": "FAIL", "FAILING": "FAIL",
    "INVALID": "INVALID_REG", "MAINT": "MAINTENANCE", "PLANNED": "PLANNED", "REBOOT":
    "REBOOT_REQUESTED", "RESERVED": "RESERVED",
}  # fmt: skip

_NOTHING = {"", "(null)", "N/A", "n/a", "None", "Unknown", "NONE"}


# --- asking Slurm ---------------------------------------------------------------------------------


def _run(argv, timeout, late=None, **kwargs):
    """Run a Slurm program within a bound, and say ``late`` at it; return cmd.run_all's mapping."""
    argv = [str(part) for part in argv]
    if "runas" not in kwargs:
        kept = {name: value for name, value in os.environ.items() if not _INTERACTIVE.match(name)}
        kwargs.update(env={**kept, "LC_ALL": "C.UTF-8"}, clean_env=True)
    try:
        result = __salt__["cmd.run_all"](
            argv,
            **{"cwd": "/", **kwargs},
            python_shell=False,
            timeout=timeout,
            ignore_retcode=True,
            output_encoding="latin-1",  # any byte; UTF-8 would log an error for each that is none
            output_loglevel="quiet",
            rstrip=False,
        )
    except (CommandExecutionError, OSError) as exc:
        reason = str(exc).rpartition("reason: ")[2]
        raise CommandExecutionError(f"{argv[0]} cannot be run on this host: {reason}") from exc
    if result["retcode"] and result["stdout"].endswith(f"Timed out after {timeout} seconds"):
        question = "is slurmctld running and reachable?"
        raise CommandExecutionError(
            late or f"{argv[0]} got no answer within {timeout} s: {question}"
        )
    for stream in ("stdout", "stderr"):
        result[stream] = result[stream].encode("latin-1", "replace").decode("utf-8", "replace")
    return result


def _ask(argv, timeout, **kwargs):
    """Run a Slurm program and return its output; a failure is raised in Slurm's own words."""
    result = _run(argv, timeout, **kwargs)
    if result["retcode"]:
        raise CommandExecutionError(f"{argv[0]}: {_words(result)}")
    return result["stdout"]


def _words(result):
    """Return why a program failed: its errors, or the last line that it printed."""
    lines = (
        result["stderr"].split("\n")
        if result["stderr"].strip()
        else [line for line in result["stdout"].split("\n") if line.strip()][-1:]
    )
    words = [re.sub(r"^\w+: (?=error: |fatal: )", "", line.strip()) for line in lines]
    return " ".join(filter(None, words)) or f"exit code {result['retcode']}"


def _table(argv, codes, timeout):
    """Ask sinfo or squeue for exactly these format codes; return one list of strings a row."""
    token = secrets.token_hex(8)
    field, row = f"<{token}|", f"<{token}>"
    text = _ask([*argv, "--noheader", "--noconvert", "--format", field.join(codes) + row], timeout)
    return [part.lstrip("\n").split(field) for part in text.split(row)[:-1]]


def _account(runas, allow_root):
    """Return the user to submit as; root only when that is said in so many words."""
    if not runas and not allow_root:
        raise SaltInvocationError(
            "runas is missing: name the user whose job this is (allow_root=True runs it as root)"
        )
    runas = runas or "root"
    try:
        uid = pwd.getpwnam(runas).pw_uid
    except KeyError as exc:
        raise SaltInvocationError(f'runas: no user "{runas}" on this host') from exc
    if uid == 0 and not allow_root:
        raise SaltInvocationError(
            f'runas: "{runas}" is root; name another user, or set allow_root=True'
        )
    return runas


def _options(options):
    """Turn a mapping into command line options: ``{"ntasks": 2, "hold": True, "p": "main"}``."""
    if options is not None and not isinstance(options, dict):
        raise SaltInvocationError(f"options is a mapping of sbatch options, not {options!r}")
    argv = []
    for name, value in (options or {}).items():
        flag = f"-{name}" if len(name) == 1 else f"--{name.lstrip('-').replace('_', '-')}"
        for item in value if isinstance(value, list) else [value]:
            if item is None or item is False:
                continue
            if item is True:
                argv.append(flag)
            elif len(name) == 1:
                argv += [flag, str(item)]
            else:
                argv.append(f"{flag}={item}")
    return argv


# --- values ---------------------------------------------------------------------------------------


def _value(text):
    """Return None for Slurm's spellings of nothing, else the text."""
    return None if text is None or text.strip() in _NOTHING else text


def _int(text):
    """Return a number as printed (``64``, ``1K``, ``64+``, ``512M``), or None for none."""
    match = re.match(r"\s*(\d+(?:\.\d+)?)([KMGTP]?)", text or "")
    if not match:
        return None
    return round(float(match[1]) * 1024 ** "_KMGTP".index(match[2] or "_"))


def _float(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _seconds(text):
    """Return ``[days-]hours:minutes:seconds`` in seconds; None for no limit and for no value."""
    match = re.fullmatch(r"\s*(?:(\d+)-)?((?:\d+:)*\d+)\s*", text or "")
    if not match:
        return None
    parts = [int(part) for part in match[2].split(":")]
    if match[1]:
        parts = [*parts, 0, 0][:3]
    elif len(parts) == 1:
        parts.append(0)
    total = 0
    for part in parts:
        total = total * 60 + part
    return total + int(match[1] or 0) * 86400


def _split(text):
    """Return a comma separated list without blanks."""
    return [part.strip() for part in (_value(text) or "").split(",") if part.strip()]


def _quadruple(text, names):
    """Return ``A/I/O/T`` counts as a mapping."""
    return dict(zip(names, (_int(part) for part in text.split("/")), strict=False))


_COUNTS = ("allocated", "idle", "other", "total")


def _job_state(text):
    """Return a job state in full: ``R`` is ``RUNNING``, ``CANCELLED by 0`` is ``CANCELLED``."""
    word = text.strip().split(" ")[0].rstrip("+").upper()
    if word in _JOB_STATES:
        return _JOB_STATES[word]
    # Tables cut states off (squeue -l prints CANCELLE); eight letters tell them apart.
    full = [state for state in _JOB_STATES.values() if len(word) > 6 and state.startswith(word)]
    return full[0] if len(full) == 1 else word


def parse_node_state(text):
    """
    Split a node state, as any Slurm command prints it, into its base and its flags.

    ``IDLE*+DRAIN``, ``MIXED+PLANNED``, ``drng@``, ``DOWN+CLOUD+POWERED_DOWN``; sinfo's own words
    for a combination (``drained``, ``drng``) stay the base, for the state beneath is not printed,
    and add the flag that they stand for.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_node_state 'DOWN*+DRAIN'

    text
        The state (string).

    Returns ``{"state": "DOWN", "flags": ["NOT_RESPONDING", "DRAIN"]}``, in capitals.

    Source: sinfo.1, NODE STATE CODES.
    """
    flags: list[str] = []
    words = []
    for part in text.strip().upper().split("+"):
        word = part.rstrip("".join(_STATE_SUFFIXES))
        flags += [_STATE_SUFFIXES[sign] for sign in part[len(word) :]]
        words.append(word)
    base, *more = words
    base = _NODE_STATES.get(base, base)
    if base in _STATE_FLAGS:
        flags.append(_STATE_FLAGS[base])
    flags += ["MAINTENANCE" if word == "MAINT" else word for word in more if word]
    return {"state": base, "flags": list(dict.fromkeys(flags))}


# --- scontrol show --------------------------------------------------------------------------------

_KEY = r"[A-Z][A-Za-z0-9_]*(?:[:/][A-Z][A-Za-z]*)*"

_PAIR = re.compile(f"({_KEY})=")
_GAP = re.compile(rf"\s+(?={_KEY}=)")

# Keys whose values anyone may choose, by kind of record. In a block such a value ends where the
# next line begins with a key; in one line, only before one of the keys that Slurm may print next
# (src/api and src/scontrol/info_*.c from 17.11 to 26.05).
_JOB_TAIL = (
    "Command", "SubmitLine", "WorkDir", "BatchScript", "AdminComment", "SystemComment", "Comment",
    "Extra", "StdErr", "StdIn", "StdOut", "SegmentSize", "Switches", "BurstBuffer",
    "BurstBufferState", "Power", "GresEnforceBind", "KillOInInvalidDependent",
    "KillOnInvalidDependent", "SpreadJob",
    "OOMKillStep", "CpusPerTres", "MemPerTres", "TresBind", "TresFreq", "TresPerJob",
    "TresPerNode", "TresPerSocket", "TresPerTask", "MailUser", "NtasksPerTRES", "ContainerType",
    "Container", "SELinuxContext", "ResvPorts", "Block_ID", "CnloadImage", "MloaderImage",
    "IoloadImage",
)  # fmt: skip
_NODE_TAIL = (
    "Reason", "Comment", "Extra", "InstanceId", "ReservationName", "TLSCertTokenSet", "Topology",
    "Parameters",
)  # fmt: skip
_FREE = {
    "JobId": dict.fromkeys(
        ("Command", "SubmitLine", "WorkDir", "BatchScript", "AdminComment", "SystemComment",
         "Comment", "Extra", "StdErr", "StdIn", "StdOut", "BurstBuffer", "BurstBufferState"),
        _JOB_TAIL,
    ) | {"CrontabSpec": ("PreemptEligibleTime", "PreemptTime", "SuspendTime")},
    "NodeName": dict.fromkeys(("Reason", "Comment", "Extra"), _NODE_TAIL)
    | {"OS": ("RealMemory",)},
    "StepId": {"Name": ("Network",)},
    "ReservationName": {"Comment": ("MaxStartDelay",)},
}  # fmt: skip

# After a job's name comes this, word for word, which no newline in a name brings about by chance.
_AFTER_JOB_NAME = re.compile(
    r"(?:\n {3}| )(?=(?:SLUID=\S+\s+)?(?:(?:Het|Pack)JobIdSet=\S+\s+)?"
    r"UserId=[^\n=]*\(\d+\) GroupId=[^\n=]*\(\d+\)(?: MCS_label=\S*)?\s+Priority=\d+ Nice=)"
)

# Detail lines that repeat within one record: the key that begins each, and where they are kept.
_DETAILS = {"JobId": ("Nodes", "Allocations"), "ReservationName": ("NodeName", "Cores")}


def parse_scontrol(text):
    """
    Read the output of ``scontrol show`` for any entity, in blocks or in one line each (``-o``).

    Job names, comments, commands and reasons may hold newlines, ``=`` and anything else; a record
    begins only where Slurm began one. JSON (``--json``) is read as well, and ``show config`` is
    one record (see :py:func:`parse_config`).

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_scontrol "$(scontrol show job)"

    text
        The output (string).

    Returns a list of mappings, one a record, with Slurm's own keys; values are strings as printed,
    ``(null)`` is None. Lines that repeat within a record are lists of mappings: ``Allocations`` of
    a job (``scontrol -d``: Nodes, CPU_IDs, Mem, GRES), ``Cores`` of a reservation.

    Source: scontrol.1, SHOW.
    """
    text = _clean(text)
    if _is_json(text):
        return _parse_json(text)
    first = re.search(rf"^[ \t]*({_KEY})=", text, re.MULTILINE)
    if first:
        return [_record(chunk, first[1]) for chunk in _chunks(text[first.start() :], first[1])]
    return [parse_config(text)] if re.search(r"^\w+ += ", text, re.MULTILINE) else []


def _chunks(text, kind):
    """Split the text of several records where Slurm began each."""
    chunks: list[str] = []
    for part in re.split(rf"^[ \t]*(?={re.escape(kind)}=)", text, flags=re.MULTILINE):
        if chunks and kind == "JobId" and _faked(part, chunks[-1]):
            chunks[-1] += part
        elif part.strip():
            chunks.append(part)
    return chunks


def _faked(part, before):
    """Tell whether a line that looks like a job's first is part of the job before: of its name, or
    of its comment, command or paths."""
    whole = _AFTER_JOB_NAME.search(part)
    in_tail = not whole and re.search(rf"[ \n](?:{'|'.join(_JOB_TAIL)})=", part)
    in_name = not _AFTER_JOB_NAME.search(before) and not re.search(r"\sUserId=", before)
    return in_name or in_tail


def _record(chunk, kind):
    """Read one record."""
    # In one-line output a job's name can hold what looks like the next line of a block.
    second = "Priority" if kind == "JobId" else _KEY
    block = re.search(rf"\n {{3,}}{second}=", chunk) is not None
    begin, where = _DETAILS.get(kind, (None, None))
    record: dict = {}
    target = record
    for key, value in _pairs(_without_messages(chunk, block), _FREE.get(kind, {}), block):
        if key == begin:
            target = {}
            record.setdefault(where, []).append(target)
        elif target is not record and key not in ("CPU_IDs", "Mem", "GRES", "GRES_IDX", "CoreIDs"):
            target = record
        target[key] = None if value == "(null)" and key != "JobName" else value
    return record


def _pairs(chunk, free, block):
    """Yield the keys and values of one record, in their order."""
    seen = set()
    place = len(chunk) - len(chunk.lstrip())
    while match := _PAIR.match(chunk, place):
        key, start = match[1], match.end()
        seen.add(key)
        if key == "JobName":
            # Where the record is cut off behind the name, its line is the name.
            after = _AFTER_JOB_NAME.search(chunk, start) or re.compile(r"\n {3}(?! )|\Z").search(
                chunk, start
            )
        elif key not in free:
            after = _GAP.search(chunk, start)
        else:
            # Slurm prints a key once: another one of the same name is text, such as the job's name
            # in SubmitLine.
            known = _KEY if block else "|".join(free[key])
            gap = r"\n {3,}" if block else " "
            ends = re.compile(f"{gap}(?=({known})=)").finditer(chunk, start)
            after = next((end for end in ends if end[1] not in seen), None)
        end, place = after.span() if after else (len(chunk), len(chunk))
        value = chunk[start:end]
        yield key, value if key == "JobName" else value.rstrip().replace("\n" + " " * 10, "\n")


def _without_messages(chunk, block):
    """Drop what stands after a record and is none of it: prompts, errors, the end of a capture."""
    if block:
        head, gap, tail = chunk.rpartition("\n\n")
        if gap and not re.search(rf"^ {{3,}}{_KEY}=", tail, re.MULTILINE) and "UserId=" not in tail:
            chunk = head
        return chunk.rstrip()
    return re.sub(r"(?:\n(?:slurm_\w+(?: error)?:|scontrol: ).*|\n\s*)+\Z", "", chunk).rstrip("\n")


def parse_nodes(text):
    """
    Read the output of ``scontrol show node`` into what an administrator asks of a node.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_nodes "$(scontrol show node)"

    text
        The output (string), in blocks or in one line each.

    Returns a list of mappings as :py:func:`nodes` describes them.
    """
    return [_node(record) for record in parse_scontrol(text) if "NodeName" in record]


def _node(record):
    get = record.get
    state = parse_node_state(get("State") or "UNKNOWN")
    reason, user, since = _reason(get("Reason"))
    total, allocated = _int(get("CPUTot")) or 0, _int(get("CPUAlloc")) or 0
    # sinfo counts the free CPUs of a drained or down node as "other" (sinfo.1, %C).
    usable = "DRAIN" not in state["flags"] and state["state"] != "DOWN"
    other = _int(get("CPUErr")) or (0 if usable else total - allocated)
    return {
        "name": record["NodeName"],
        "hostname": _value(get("NodeHostName")),
        "address": _value(get("NodeAddr")),
        **state,
        "reason": reason,
        "reason_user": user,
        "reason_time": since,
        "cpus": {
            "allocated": allocated,
            "idle": total - allocated - other,
            "other": other,
            "total": total,
        },
        "load": _float(get("CPULoad")),
        "memory": _int(get("RealMemory")),
        "memory_allocated": _int(get("AllocMem")),
        "memory_free": _int(get("FreeMem")),
        "tmp_disk": _int(get("TmpDisk")),
        "boards": _int(get("Boards")),
        "sockets": _int(get("Sockets")),
        "cores": _int(get("CoresPerSocket")),
        "threads": _int(get("ThreadsPerCore")),
        "weight": _int(get("Weight")),
        "features": _split(get("AvailableFeatures") or get("Features")),
        "features_active": _split(get("ActiveFeatures") or get("Features")),
        "gres": _value(get("Gres")),
        "partitions": _split(get("Partitions")),
        "os": _value(get("OS")),
        "version": _value(get("Version")),
        "boot_time": _value(get("BootTime")),
        "slurmd_start_time": _value(get("SlurmdStartTime")),
        "comment": _value(get("Comment")),
    }


def _reason(text):
    """Split ``bad disk [root@2026-01-31T12:00:00]`` into the text, the user and the time."""
    if _value(text) is None:
        return None, None, None
    match = re.fullmatch(
        r"(.*?) ?\[([^\[\]\n]+)@([^\[\]@\s]+)\]((?:\n| {8}).*)?\s*", text, re.DOTALL
    )
    if not match:
        return text, None, None
    # Who and when stand behind the first line of a reason that has several.
    return match[1] + (match[4] or "").replace(" " * 8, "\n"), match[2], match[3]


def parse_config(text):
    """
    Read the output of ``scontrol show config``.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_config "$(scontrol show config)"

    text
        The output (string).

    Returns a mapping of parameter to its value as printed (string; ``(null)`` and ``(none)`` are
    None). The sections after the first (``Cgroup Support Configuration`` and others) are mappings
    of their own under their titles.
    """
    result: dict = {}
    section = result
    for line in _clean(text).splitlines():
        pair = re.match(r"\s*([A-Za-z][\w.:\[\]-]*)\s*=\s?(.*)", line)
        if pair:
            value = pair[2].strip()
            section[pair[1]] = None if value in ("(null)", "(none)") else value
        elif re.fullmatch(r"[^=]+:\s*", line):
            section = result.setdefault(line.strip().rstrip(":"), {})
    return result


def parse_ping(text):
    """
    Read the output of ``scontrol ping``.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_ping 'Slurmctld(primary) at head is UP'

    text
        The output (string); the older ``Slurmctld(primary/backup) at a/b are UP/DOWN`` as well.

    Returns a list of ``{"role": "primary", "host": "head", "up": True}``; without a backup the
    older form prints ``NULL`` as its host, which is left out.
    """
    controllers = []
    for match in re.finditer(r"Slurmctld\(([^)]*)\) at (\S+) (?:is|are) (\S+)", text):
        for role, host, state in zip(*(part.split("/") for part in match.groups()), strict=False):
            if host not in ("(NULL)", "NULL", "(null)"):
                controllers.append({"role": role, "host": host, "up": state == "UP"})
    return controllers


def parse_hardware(text):
    """
    Read the output of ``slurmd -C``.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_hardware "$(slurmd -C)"

    text
        The output (string).

    Returns Slurm's own keys (NodeName, CPUs, Boards, SocketsPerBoard, CoresPerSocket,
    ThreadsPerCore, RealMemory in MiB, and Gres where detected), numbers as integers, and ``line``:
    the NodeName line ready for slurm.conf. An empty mapping when there is no such line.

    Source: slurmd.8, -C.
    """
    match = re.search(r"^NodeName=.*$", text, re.MULTILINE)
    if not match:
        return {}
    pairs = dict(part.split("=", 1) for part in match[0].split() if "=" in part)
    values = {key: int(value) if value.isdigit() else value for key, value in pairs.items()}
    return {**values, "line": match[0].strip()}


# --- tables of sinfo and squeue -------------------------------------------------------------------

_SQUEUE_HEADERS = {
    "ACCOUNT": "account", "ARRAY_JOB_ID": "array_job", "ARRAY_TASK_ID": "array_task",
    "COMMAND": "command", "COMMENT": "comment", "CPUS": "cpus", "DEPENDENCY": "dependency",
    "END_TIME": "end", "EXEC_HOST": "exec_host", "FEATURES": "features", "GROUP": "group",
    "JOBID": "id", "LICENSES": "licenses", "MIN_CPUS": "min_cpus", "MIN_MEMORY": "memory",
    "NAME": "name", "NODELIST": "nodelist", "NODELIST(REASON)": "nodelist_or_reason",
    "NODES": "nodes", "PARTITION": "partition", "PRIORITY": "priority", "QOS": "qos",
    "REASON": "reason", "RESERVATION": "reservation", "S:C:T": "sct", "SCHEDNODES": "sched_nodes",
    "ST": "state", "START_TIME": "start", "STATE": "state", "SUBMIT_TIME": "submit",
    "TASKS": "tasks", "TIME": "time", "TIME_LEFT": "time_left", "TIME_LIMIT": "time_limit",
    "TRES_PER_NODE": "tres_per_node", "UID": "uid", "USER": "user", "WCKEY": "wckey",
    "WORK_DIR": "work_dir",
}  # fmt: skip
_SINFO_HEADERS = {
    "ACTIVE_FEATURES": "features_active", "AVAIL": "avail", "AVAIL_FEATURES": "features",
    "CLUSTER": "cluster", "CORES": "cores", "CPU_LOAD": "load", "CPUS": "cpus",
    "CPUS(A/I/O/T)": "cpus_aiot", "FEATURES": "features", "FREE_MEM": "memory_free",
    "GRES": "gres", "GROUPS": "groups", "HOSTNAMES": "hostname", "JOB_SIZE": "job_size",
    "MEMORY": "memory", "NODE_ADDR": "address", "NODELIST": "nodelist", "NODES": "nodes",
    "NODES(A/I/O/T)": "nodes_aiot", "NODES(A/I)": "nodes_ai", "OVERSUBS": "oversubscribe",
    "PARTITION": "partition", "PRIO_TIER": "priority_tier", "REASON": "reason", "ROOT": "root",
    "S:C:T": "sct", "SHARE": "oversubscribe", "SOCKETS": "sockets", "STATE": "state",
    "STATECOMPLETE": "state", "THREADS": "threads", "TIMELIMIT": "time_limit",
    "TIMESTAMP": "reason_time", "TMP_DISK": "tmp_disk", "USER": "reason_user",
    "VERSION": "version", "WEIGHT": "weight",
}  # fmt: skip
_SQUEUE_DEFAULT = ("id", "partition", "name", "user", "state", "time", "nodes",
                   "nodelist_or_reason")  # fmt: skip
_SINFO_DEFAULT = ("partition", "avail", "time_limit", "nodes", "state", "nodelist")
# Columns that may hold the separator itself.
_FREE_COLUMNS = ("name", "comment", "command", "reason", "work_dir", "nodelist_or_reason",
                 "features")  # fmt: skip
_NUMBERS = ("cores", "cpus", "memory_free", "min_cpus", "nodes", "sockets", "tasks",
            "threads", "tmp_disk", "uid", "weight")  # fmt: skip
_TIMES = ("time", "time_left", "time_limit")
_COUNT = re.compile(r"\s*\d+(?:\.\d+)?[KMGTP]?\+?(?:-\d+[KMGTP]?)?\s*")
_NO_TIMES = ("infinite", "UNLIMITED", "NOT_SET", "INVALID", "Partition_Limit", "N/A", "n/a", "")


def parse_squeue(text, fields=None, separator=None):
    """
    Read the output of ``squeue``: the default table, ``-l``, any ``-o`` with its header, JSON.

    A cell that Slurm cut off stays cut off; a newline within a name is recognised by the width of
    the row, which it is part of. Ask squeue for :py:func:`squeue` when nothing may be lost.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_squeue "$(squeue -t all)"
        salt-call --local slurm.parse_squeue "$(squeue -h -o '%i|%T|%j')" \\
            fields='[id, state, name]' separator='|'

    text
        The output (string).
    fields
        Names of the columns (list) where the output has no header; default: squeue's own.
    separator
        What separates the columns (string); default: found from the header.

    Returns a list of mappings, one a row, with ``cluster`` where a ``CLUSTER:`` line named it. Job
    states are in full and in capitals; counts are integers, times seconds; the column
    NODELIST(REASON) is split into ``nodelist`` and ``reason``. A column that is not known here
    goes by its header in small letters.

    Source: squeue.1, --format.
    """
    text = _clean(text)
    if _is_json(text):
        return _parse_json(text)
    rows = _parse_table(text, _SQUEUE_HEADERS, fields or _SQUEUE_DEFAULT, separator, bool(fields))
    for row in rows:
        if "nodelist_or_reason" in row:
            cell = row.pop("nodelist_or_reason") or ""
            reason = re.fullmatch(r"\((.*?)\)?", cell, re.DOTALL)
            row["nodelist"] = "" if reason else cell
            row["reason"] = reason[1] if reason else None
        if "state" in row:
            row["state"] = _job_state(row["state"])
    return rows


def parse_sinfo(text, fields=None, separator=None):
    """
    Read the output of ``sinfo``: the default table, ``-l``, ``-N``, ``-R``, ``-s``, any ``-o``.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_sinfo "$(sinfo -N -l)"

    text
        The output (string).
    fields
        Names of the columns (list) where the output has no header; default: sinfo's own.
    separator
        What separates the columns (string); default: found from the header.

    Returns a list of mappings, one a row, with ``cluster`` where a ``CLUSTER:`` line named it.
    ``partition`` is without its ``*``, which is ``default: True``, and None for ``n/a``; ``state``
    and ``flags`` are as :py:func:`parse_node_state` gives them (state None for ``n/a``); counts
    are integers, memory is MiB, times are seconds; S:C:T is split into sockets, cores, threads,
    and A/I/O/T into a mapping.

    Source: sinfo.1, --format.
    """
    text = _clean(text)
    if _is_json(text):
        return _parse_json(text)
    rows = _parse_table(text, _SINFO_HEADERS, fields or _SINFO_DEFAULT, separator, bool(fields))
    for row in rows:
        if "partition" in row:
            name = row["partition"]
            row["partition"] = _value(name.rstrip("*"))
            row["default"] = name.endswith("*")
        if "state" in row:
            known = _value(row["state"])
            row.update(parse_node_state(known) if known else {"state": None, "flags": []})
        if "sct" in row:
            parts = (_int(part) for part in row.pop("sct").split(":"))
            row.update(zip(("sockets", "cores", "threads"), parts, strict=False))
        for name in ("cpus", "nodes"):
            if f"{name}_aiot" in row:
                row[name] = _quadruple(row.pop(f"{name}_aiot"), _COUNTS)
        if "memory" in row:
            row["memory"] = _int(row["memory"])
        if row.get("reason") == "none" or not _value(row.get("reason", "-")):
            row["reason"] = None
    return rows


def _parse_table(text, headers, fields, separator, headless):
    """Read a table of sinfo or squeue, of one cluster or of several in turn."""
    rows = []
    parts = re.split(r"^CLUSTER: *(\S+)[ \t]*\n?", text, flags=re.MULTILINE)
    for cluster, part in zip([None, *parts[1::2]], parts[::2], strict=True):
        for cells in _rows(part, headers, fields, separator, headless):
            row = {name: _cell(name, value) for name, value in cells.items()}
            rows.append({"cluster": cluster, **row} if cluster else row)
    return rows


def _cell(name, text):
    """Return a cell as a number where its column holds numbers; what was cut off stays text."""
    if name in _TIMES and (_seconds(text) is not None or text.strip() in _NO_TIMES):
        return _seconds(text)
    if name in _NUMBERS and _COUNT.fullmatch(text) and "-" not in text:
        return _int(text)
    if name in _NUMBERS or name in ("features", "features_active", "gres"):
        return _value(text)
    return text


def _plausible(cells, fields):
    """Tell whether the cells of a row can stand in these columns."""
    for name, text in zip(fields, cells, strict=False):
        if name in _NUMBERS and text and not _COUNT.fullmatch(text):
            return False
        if name in _TIMES and text not in _NO_TIMES and not re.fullmatch(r"[\d:-]+", text):
            return False
    return True


def _rows(text, headers, fields, separator, headless):
    """Yield the cells of each row of one table, by field name."""
    lines = text.split("\n")
    header = None
    if not headless:
        for index, line in enumerate(lines):
            if _is_header(line, headers):
                header, lines = line, lines[index + 1 :]
                break
    if header is not None:
        separator = separator or _separator(header, headers)
        titles = header.split(separator) if separator else header.split()
        fields = _names(titles, headers)
    lines = _without_noise(lines, header)
    if header is None and not headless and lines:
        fields, separator = _guessed(lines, fields)
    if separator:
        cells = _separated(lines, fields, separator)
    elif header is not None:
        cells = _aligned(lines, header, fields)
    else:
        cells = (line.split(None, len(fields) - 1) for line in lines if line.strip())
    for row in cells:
        yield dict(itertools.zip_longest(fields, row, fillvalue=""))


def _guessed(lines, fields):
    """Return the columns of rows without any header: the default ones if they fit, or numbers."""
    rows = [line for line in lines if line.strip()]
    if all(len(row.split()) >= len(fields) - 1 and _plausible(row.split(), fields) for row in rows):
        return fields, None
    separator = next((sign for sign in "\x1f|;\t," if all(sign in row for row in rows)), None)
    most = max(len(row.split(separator)) for row in rows)
    return [f"column_{index + 1}" for index in range(most)], separator


def _is_header(line, headers):
    """Tell a header from data: its words are titles of the format fields, cut off perhaps."""
    words = re.split(r"[\s|,;\x1f]+", line.strip().strip("|"))
    known = [word for word in words if _title(word, headers)]
    return len(known) * 2 > len(words) and known != []


def _title(word, headers):
    """Return the title that a header's word is the beginning of."""
    if word in headers:
        return word
    return next((title for title in headers if len(word) > 2 and title.startswith(word)), None)


def _names(titles, headers):
    """Return a field name for each title of a header, each once."""
    names: list[str] = []
    for title in (title.strip() for title in titles):
        name = headers.get(_title(title, headers)) or re.sub(r"\W+", "_", title.lower()).strip("_")
        names.append(f"{name}_{len(names)}" if name in names else name)
    return names


def _separator(header, headers):
    """Return what separates the titles of a header, or None where they are aligned."""
    for separator in ("\x1f", "|", ";", "\t", ","):
        parts = [part.strip() for part in header.split(separator)]
        if len(parts) > 1 and sum(bool(_title(part, headers)) for part in parts) * 2 > len(parts):
            return separator
    return None


def _without_noise(lines, header):
    """Drop empty lines at the end and what is no row: headers again, dates, messages, prompts."""
    noise = re.compile(
        r"(?:sinfo|squeue): (?:error|warning|fatal)|slurm_\w+(?: error)?: "
        r"|[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}$"
        r"|(?:\[?\S+@[^$#>%]*)?[$#>%] *(?:sinfo|squeue)\b"
    )
    kept = [line for line in lines if line != header and not noise.match(line)]
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _separated(lines, fields, separator):
    """Yield rows of separated cells; a cell that anyone may fill takes what is one too many."""
    free = next((fields.index(name) for name in _FREE_COLUMNS if name in fields), len(fields) - 1)
    pending: list[str] = []
    for line in lines:
        pending.append(line)
        cells = "\n".join(pending).split(separator)
        if len(cells) < len(fields):
            continue
        pending = []
        extra = len(cells) - len(fields)
        middle = separator.join(cells[free : free + extra + 1])
        yield [*cells[:free], middle, *cells[free + extra + 1 :]]
    if "".join(pending).strip():
        yield "\n".join(pending).split(separator)


def _aligned(lines, header, fields):
    """
    Yield rows of aligned columns.

    Slurm pads by bytes and counts a newline as one, so rows are read as bytes, and a row that ends
    before its last column begins goes on with the next line. A column ends where every row is
    blank between two titles; a cell that is longer than its column pushes the others to the right.
    Tables that lost blanks on their way are read word by word.
    """
    spans = [match.span() for match in re.finditer(rb"\S+", _bytes(header))]
    rows = _whole([_bytes(line) for line in lines], spans, len(_bytes(header)))
    ordinary = [row for row in rows if len(row.split()) == len(spans)]
    cuts = [_cut(ordinary or rows, *pair) for pair in itertools.pairwise(spans)]
    for row in rows:
        readings = [
            [cell.decode("utf-8", "replace") for cell in cells]
            for cells in (_by_place(row, cuts), row.split(None, len(spans) - 1))
        ]
        yield next((cells for cells in readings if _plausible(cells, fields)), readings[0])


def _by_place(row, cuts):
    """Cut a row where its columns end."""
    cells = []
    start = shift = 0
    for cut in cuts:
        end = max(start, cut + shift)
        while row[end : end + 1].strip(b" "):
            end += 1
        cells.append(row[start:end].strip(b" "))
        start, shift = end, end - cut
    return [*cells, row[start:].strip(b" ")]


def _whole(lines, spans, width):
    """Join the lines of rows that hold newlines; return the rows without blanks at their end."""
    # A last column that is padded has the width of its header, in all rows that are whole.
    padded = width > spans[-1][1] and sum(len(line) >= width for line in lines) * 2 > len(lines)
    rows: list[bytes] = []
    unfinished = False
    for line in lines:
        if unfinished:
            rows[-1] += b"\n" + line
        elif line.strip():
            rows.append(line)
        else:
            continue
        if padded:
            unfinished = len(rows[-1]) < width
        elif len(spans) > 1:
            # Captures lose the blanks at the end of a line: such a row has a word for each title.
            words = rows[-1].split()
            unfinished = len(rows[-1]) < spans[-2][1] and len(words) < len(spans) - 1
    return [row.rstrip() for row in rows]


def _cut(rows, left, right):
    """Return where the column of one title ends and that of the next begins."""
    gap = range(left[1], right[0])
    ends = all(row[left[1] - 1 : left[1]].strip() for row in rows)

    def blanks(position):
        return sum(row[position : position + 1] in (b" ", b"") for row in rows)

    preferred = left[1] if ends else right[0] - 1
    return max([preferred, *gap], key=blanks)


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _clean(text):
    """Return text with one kind of line end and without a terminal's colours."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n")


def _is_json(text):
    return text.lstrip().startswith("{")


def _parse_json(text):
    """Return the records of Slurm's own JSON: the one list of mappings beside meta and errors."""
    try:
        data = json.loads(text[text.index("{") :])
    except ValueError as exc:
        raise SaltInvocationError(f"this begins as JSON and is none: {exc}") from exc
    for key, value in data.items():
        if isinstance(value, list) and key not in ("errors", "warnings"):
            return value
    return []


# --- the cluster ----------------------------------------------------------------------------------


def sinfo(partition=None, timeout=30):
    """
    List the partitions with the states of their nodes.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.sinfo
        salt '*' slurm.sinfo partition=main

    partition
        Names of partitions (string, comma separated); default: all, hidden ones too.
    timeout
        Bound of the question in seconds.

    Returns a mapping of partition name to ``{"default": bool, "avail": "up", "time_limit":
    seconds or None, "nodes": {"allocated", "idle", "other", "total"}, "cpus": the same,
    "nodelist": hostlist, "states": {state as sinfo prints it: hostlist}}``.

    Raises CommandExecutionError with Slurm's words when the controller does not answer.

    Source: sinfo.1, --format.
    """
    # sinfo takes --all or --partition, and without --all it is silent about hidden partitions.
    wanted = _split(partition)
    result: dict = {}
    rows = _table(["sinfo", "--all"], ("%R", "%P", "%a", "%l", "%F", "%C", "%T", "%N"), timeout)
    for name, starred, avail, limit, node_counts, cpu_counts, state, nodelist in rows:
        if wanted and name not in wanted:
            continue
        entry = result.setdefault(
            name,
            {
                "default": starred.endswith("*"),
                "avail": avail,
                "time_limit": _seconds(limit),
                "nodes": dict.fromkeys(_COUNTS, 0),
                "cpus": dict.fromkeys(_COUNTS, 0),
                "nodelist": "",
                "states": {},
            },
        )
        for kind, text in (("nodes", node_counts), ("cpus", cpu_counts)):
            for count, value in _quadruple(text, _COUNTS).items():
                entry[kind][count] += value or 0
        if nodelist:
            entry["nodelist"] = ",".join(filter(None, (entry["nodelist"], nodelist)))
            entry["states"][state] = ",".join(filter(None, (entry["states"].get(state), nodelist)))
    for entry in result.values():
        entry["nodelist"] = hostlist_fold(hostlist_expand(entry["nodelist"]), sort=True)
    return result


def nodes(names=None, timeout=30):
    """
    List nodes with their states and resources.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.nodes
        salt '*' slurm.nodes 'node[1-4]'

    names
        Which nodes (hostlist, or list of names); default: all, those of hidden partitions too.
    timeout
        Bound of the question in seconds.

    Returns a list of mappings: name, hostname and address (they may differ), state (the base:
    ``IDLE``, ``MIXED``, ``DOWN``, …), flags (``DRAIN``, ``NOT_RESPONDING``, ``PLANNED``, …),
    reason with reason_user and reason_time, cpus ``{"allocated", "idle", "other", "total"}``,
    load, memory with memory_allocated and memory_free in MiB, tmp_disk in MiB, boards, sockets,
    cores (per socket), threads (per core), weight, features, features_active, gres, partitions,
    os, version, boot_time, slurmd_start_time, comment. What is not known is None.

    Raises CommandExecutionError with Slurm's words when the controller does not answer or knows no
    such node.

    Source: scontrol.1, SHOW NODE.
    """
    argv = ["scontrol", "--all", "show", "node"] + ([_hostlist(names)] if names else [])
    return parse_nodes(_ask(argv, timeout))


def _hostlist(names):
    return names if isinstance(names, str) else hostlist_fold(names)


def partitions(timeout=30):
    """
    List the partitions with their limits and whom they admit.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.partitions

    timeout
        Bound of the question in seconds.

    Returns a list of mappings: name, default (boolean), state (``UP``, ``DOWN``, ``DRAIN``,
    ``INACTIVE``), nodes (list of names), max_time in seconds, max_nodes, max_cpus_per_node and
    max_memory_per_node in MiB (None is no limit), allow_groups, allow_accounts and allow_qos
    (lists; None admits all), deny_accounts and deny_qos (lists).

    Raises CommandExecutionError with Slurm's words when the controller does not answer.

    Source: scontrol.1, SHOW PARTITION; slurm.conf.5, PARTITION CONFIGURATION.
    """
    records = parse_scontrol(_ask(["scontrol", "--all", "show", "partition"], timeout))
    return [_partition(record) for record in records if "PartitionName" in record]


def _partition(record):
    def words(key):
        value = record.get(key)
        return None if value in (None, "ALL") else _split(value)

    limit = record.get("MaxTime")
    memory = record.get("MaxMemPerNode")
    return {
        "name": record["PartitionName"],
        "default": record.get("Default") == "YES",
        "state": record.get("State"),
        "nodes": hostlist_expand(_value(record.get("Nodes")) or ""),
        "max_time": None if limit in _NO_TIMES or limit == "UNLIMITED" else _seconds(limit or ""),
        "max_nodes": _int(record.get("MaxNodes")),
        "max_cpus_per_node": _int(record.get("MaxCPUsPerNode")),
        "max_memory_per_node": _int(memory),
        "allow_groups": words("AllowGroups"),
        "allow_accounts": words("AllowAccounts"),
        "allow_qos": words("AllowQos"),
        "deny_accounts": words("DenyAccounts") or [],
        "deny_qos": words("DenyQos") or [],
    }


_SQUEUE_FIELDS = {
    "id": "%i", "job": "%A", "array_job": "%F", "array_task": "%K", "name": "%j", "user": "%u",
    "uid": "%U", "account": "%a", "partition": "%P", "qos": "%q", "state": "%T", "reason": "%r",
    "nodelist": "%N", "nodes": "%D", "cpus": "%C", "memory": "%m", "time": "%M",
    "time_limit": "%l", "submit": "%V", "start": "%S", "end": "%e", "priority": "%Q",
    "dependency": "%E", "features": "%f", "reservation": "%v", "comment": "%k", "command": "%o",
    "work_dir": "%Z",
}  # fmt: skip


def squeue(jobs=None, user=None, partition=None, states=None, timeout=30):
    """
    List jobs in the queue.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.squeue
        salt '*' slurm.squeue user=galaxy states=all

    jobs
        Ids (one, a list, or a comma separated string); default: all.
    user
        Names or numbers of users (string, comma separated).
    partition
        Names of partitions (string, comma separated).
    states
        Job states (string, comma separated), or ``all``; default: squeue's own, those not ended.
    timeout
        Bound of the question in seconds.

    Returns a list of mappings: id as Slurm prints it (``7``, ``7_3``, ``7_[4-9%2]``, ``7+1``), job
    (integer), array_job, array_task, name (whole, whatever it holds), user, uid, account,
    partition, qos, state (in full), reason, nodelist, nodes, cpus, memory (as asked for, with its
    unit), time and time_limit in seconds, submit, start, end, priority, dependency, features,
    reservation, comment, command, work_dir. What is not known is None.

    Raises SaltInvocationError for a user that this host does not know, CommandExecutionError with
    Slurm's words when the controller does not answer.

    Source: squeue.1, --format.
    """
    argv = ["squeue", "--all"]
    for option, value in (("jobs", jobs), ("user", user), ("partition", partition),
                          ("states", states)):  # fmt: skip
        if value:
            listed = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            argv.append(f"--{option}={_uids(listed) if option == 'user' else listed}")
    return [_job_row(row) for row in _table(argv, _SQUEUE_FIELDS.values(), timeout)]


def _uids(users):
    """Return users by their numbers: squeue succeeds without the jobs of a name that it does not
    know, and 26.05 does not know nobody."""
    try:
        return ",".join(
            name if name.isdigit() else str(pwd.getpwnam(name).pw_uid) for name in _split(users)
        )
    except KeyError as exc:
        raise SaltInvocationError(f"user: {exc.args[0]}") from exc


def _job_row(row):
    job = dict(zip(_SQUEUE_FIELDS, row, strict=True))
    for name, text in job.items():
        if name in ("job", "priority"):
            job[name] = _int(text)
        elif name in _TIMES or name in _NUMBERS:
            job[name] = _cell(name, text)
        elif name != "name":
            job[name] = _value(text)
    return job


def job(job_id, timeout=30):
    """
    Show everything that Slurm says of a job.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.job 123

    job_id
        The id: ``123``, an array's ``123`` or ``123_4``, a heterogeneous job's ``123+1``.
    timeout
        Bound of the question in seconds.

    Returns a mapping with Slurm's own keys (see :py:func:`parse_scontrol`). Where Slurm prints
    several records (array, heterogeneous job), the first, with all of them under ``Members``.

    Raises CommandExecutionError with Slurm's words when there is no such job (Slurm forgets a job
    MinJobAge seconds after its end) or when the controller does not answer.

    Source: scontrol.1, SHOW JOB.
    """
    records = parse_scontrol(_ask(["scontrol", "show", "job", job_id], timeout))
    if not records:
        raise CommandExecutionError(f"scontrol: no record of job {job_id}")
    return {**records[0], "Members": records} if len(records) > 1 else records[0]


def ping(timeout=30):
    """
    Tell which controllers answer.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.ping

    timeout
        Bound of the question in seconds.

    Returns ``{"up": True when any answers, "controllers": [{"role", "host", "up"}]}``. A
    controller that is down is an answer, not an error.

    Raises CommandExecutionError with Slurm's words when not even that is known (no slurm.conf).

    Source: scontrol.1, PING.
    """
    result = _run(["scontrol", "ping"], timeout)
    controllers = parse_ping(result["stdout"])
    if not controllers:
        raise CommandExecutionError(f"scontrol: {_words(result)}")
    return {"up": any(each["up"] for each in controllers), "controllers": controllers}


def config(timeout=30):
    """
    Show the configuration that the controller runs with.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.config

    timeout
        Bound of the question in seconds.

    Returns a mapping as :py:func:`parse_config` describes it.

    Raises CommandExecutionError with Slurm's words when the controller does not answer.

    Source: scontrol.1, SHOW CONFIG.
    """
    return parse_config(_ask(["scontrol", "show", "config"], timeout))


def version(timeout=30):
    """
    Return the version of Slurm that is installed on this host.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.version

    timeout
        Bound of the question in seconds.

    Returns the number as a string, ``22.05.8``.

    Raises CommandExecutionError when there is no Slurm here, or slurm.conf cannot be read.
    """
    return _ask(["scontrol", "--version"], timeout).split()[-1]


def hardware(timeout=30):
    """
    Show what slurmd finds in this host.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.hardware

    timeout
        Bound of the question in seconds.

    Returns a mapping as :py:func:`parse_hardware` describes it, memory in MiB.

    Raises CommandExecutionError with Slurm's words when slurmd is missing or fails.

    Source: slurmd.8, -C.
    """
    found = parse_hardware(_ask(["slurmd", "-C"], timeout))
    if not found:
        raise CommandExecutionError("slurmd -C printed no NodeName line")
    return found


def outdated(unit, files, timeout=30):
    """
    List the files that have changed since a daemon was started.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.outdated slurmctld '[/etc/slurm/slurm.conf]'

    unit
        The daemon's systemd unit, which is active.
    files
        Paths of the files that it reads when it starts.
    timeout
        Bound of the question in seconds.

    Returns the paths of those that are newer.

    Raises CommandExecutionError when the unit is not active, or a file is missing.
    """
    missing = [path for path in files if not pathlib.Path(path).exists()]
    if missing:
        raise CommandExecutionError(f"{unit} reads {', '.join(missing)}, and there is no such file")
    prop = "ExecMainStartTimestampMonotonic"
    microseconds = int(_ask(["systemctl", "show", "--value", f"-p{prop}", unit], timeout) or 0)
    if not microseconds:
        raise CommandExecutionError(f"{unit} is not active")
    age = time.clock_gettime(time.CLOCK_MONOTONIC) - microseconds / 1e6
    started = time.time() - age
    return [path for path in files if pathlib.Path(path).stat().st_mtime > started]


def drain(names, reason, timeout=30):
    """
    Take nodes out of service: running jobs end by themselves, none start.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.drain 'node[1-2]' reason='new disks'

    names
        Which nodes (hostlist, or list of names).
    reason
        Why (string); Slurm asks for it.
    timeout
        Bound of the command in seconds.

    Returns True. Raises CommandExecutionError with Slurm's words.

    Source: scontrol.1, UPDATE NODE.
    """
    if not reason:
        raise SaltInvocationError("reason is missing: Slurm drains no node without one")
    return _update_nodes(names, timeout, "State=DRAIN", f"Reason={reason}")


def resume(names, timeout=30):
    """
    Put drained or down nodes back into service.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.resume 'node[1-2]'

    names
        Which nodes (hostlist, or list of names).
    timeout
        Bound of the command in seconds.

    Returns True. Raises CommandExecutionError with Slurm's words; a node that is in service already
    is refused by Slurm ("Invalid node state specified"; "transition" in 26.05).

    Source: scontrol.1, UPDATE NODE.
    """
    return _update_nodes(names, timeout, "State=RESUME")


def _update_nodes(names, timeout, *settings):
    if not names:
        raise SaltInvocationError("names is missing: which nodes?")
    _ask(["scontrol", "update", f"NodeName={_hostlist(names)}", *settings], timeout)
    return True


# --- sbatch's options -----------------------------------------------------------------------------

_SBATCH_RELEASES = ("22.05", "23.02", "23.11", "24.05", "24.11", "25.05", "25.11", "26.05")

# Every option by the kind of its value: its name, its letter behind a slash, and a question mark
# where the value may be left out. Of two names for the same, the second stands behind "=".
_SBATCH_KINDS = {
    "flag": "consolidate-segments contiguous external help/h hold/H ignore-pbs no-requeue "
    "overcommit/O oversubscribe/s parsable quiet/Q reboot spread-job spread-segments stepmgr "
    "test-only usage use-min-nodes verbose/v version/V wait/W",
    "text": "account/A array/a autocomplete batch bb bbf chdir/D clusters/M=cluster "
    "cluster-constraint comment constraint/C container container-id container-type context "
    "cpu-freq dependency/d error/e exclude/x export export-file extra gpu-bind gpu-freq gpus/G "
    "gpus-per-node gpus-per-socket gpus-per-task input/i job-name/J licenses/L mail-user mcs-label "
    "mem-bind network nice? nodefile/F nodelist/w output/o partition/p power prefer "
    "qos/q reservation resources tres-bind tres-per-task wckey wrap",
    "count": "cores-per-socket cpus-per-gpu cpus-per-task/c mincpus ntasks/n ntasks-per-core "
    "ntasks-per-gpu ntasks-per-node=tasks-per-node ntasks-per-socket ntasks-per-tres "
    "sockets-per-node thread-spec threads-per-core",
    "number": "core-spec/S resv-ports? segment",
    "memory": "mem mem-per-cpu mem-per-gpu tmp",
    "time": "delay-boot time/t time-min",
    "moment": "begin/b deadline",
    "root": "gid uid",
    "bit": "oom-kill-step? wait-all-nodes",
    "acctg-freq": "acctg-freq",
    "distribution": "distribution/m",
    "exclusive": "exclusive?",
    "extra-node-info": "extra-node-info/B",
    "get-user-env": "get-user-env?",
    "gres": "gres",
    "gres-flags": "gres-flags",
    "hint": "hint",
    "kill-on-invalid-dep": "kill-on-invalid-dep",
    "mail-type": "mail-type",
    "mem-update": "mem-update",
    "no-kill": "no-kill/k?",
    "nodes": "nodes/N",
    "open-mode": "open-mode",
    "priority": "priority",
    "profile": "profile",
    "propagate": "propagate?",
    "requeue": "requeue?",
    "signal": "signal",
    "switches": "switches",
}

# The releases that do not know an option which others know.
_SBATCH_WITHOUT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("autocomplete", "container-id", "extra", "tres-per-task"), _SBATCH_RELEASES[:1]
    ),
    "tres-bind": _SBATCH_RELEASES[:2],
    **dict.fromkeys(("resv-ports", "segment", "stepmgr"), _SBATCH_RELEASES[:3]),
    "oom-kill-step": _SBATCH_RELEASES[:4],
    "external": _SBATCH_RELEASES[:5],
    **dict.fromkeys(("consolidate-segments", "resources", "spread-segments"), _SBATCH_RELEASES[:6]),
    **dict.fromkeys(("container-type", "mem-update"), _SBATCH_RELEASES[:7]),
    "export-file": ("23.11",),
    "power": _SBATCH_RELEASES[3:],
}

# The releases in which an option takes no value, where others may give it one.
_SBATCH_VALUELESS = {"get-user-env": _SBATCH_RELEASES[5:], "requeue": _SBATCH_RELEASES[:6]}

_SIZE = r"\s*\+?\d+(?:[kmgt]b?)?"
_NODES = r"\s*\+?\d+k?m?\s*"
_RANGE = r"(?:\*[^:]*|\s*\+?\d+[km]?(?:-\d+[km]?)?)?"
_SIGNALS = "HUP|INT|QUIT|ABRT|KILL|ALRM|TERM|USR1|USR2|URG|CONT|STOP|TSTP|TTIN|TTOU|XCPU"
_LIMITS = "(?:RLIMIT_)?(?:CPU|FSIZE|DATA|STACK|CORE|RSS|NPROC|NOFILE|MEMLOCK|AS)"
_LAYOUT = r"(?:block|cyclic|\*)(?::(?:block|cyclic|fcyclic|\*)){0,2}"
_MAIL = (
    "NONE|ARRAY_TASKS|BEGIN|END|FAIL|INVALID_DEPEND|REQUEUE|ALL|STAGE_OUT|"
    "TIME_LIMIT(?:_90|_80|_50)?"
)

# What sbatch takes as a value of each kind, and how to say so (set_func of each option, with
# src/common/proc_args.c and parse_time.c). Of what is not here it takes any text.
_SBATCH_VALUES = {
    kind: (re.compile(pattern, re.ASCII | re.IGNORECASE | re.DOTALL), words)
    for kind, pattern, words in (
        ("count", r"\s*\+?0*[1-9]\d{0,9}", "a whole number from 1 on"),
        ("number", r"(?:\s*[+-]?0*\d{1,10})?", "a whole number"),
        ("bit", r"(?:\s*\+?0*[01])?", "0 or 1"),
        ("memory", _SIZE, "a size in MiB, or one with K, M, G or T behind it, such as 4G"),
        (
            "time",
            r"(?:\d+-)?\d+:\d+:\d+|(?:\d+-)?\d+:\d+|\d+(?:-\d*)?|-1|INFINITE|UNLIMITED",
            "a time: minutes, minutes:seconds, hours:minutes:seconds, days-hours, "
            "days-hours:minutes or days-hours:minutes:seconds",
        ),
        (
            "moment",
            r"\s*(?:now|today|tomorrow|midnight|noon|fika|teatime|uts|\d\d?:\d|\d+[-/.]\d|\d{4}).*",
            "a time of day, a date, or now+COUNT and a unit",
        ),
        ("acctg-freq", r"(?:(?:(?:energy|task|filesystem|network)=)?\d+,?)*", "such as task=30"),
        (
            "distribution",
            rf"plane[^=]*=\s*\+?\d+|(?:{_LAYOUT}|arbitrary|hostfile)(?:,(?:no)?pack)?|(?:no)?pack",
            "a distribution such as block:cyclic or plane=2",
        ),
        (
            "exclusive",
            "|exclusive|oversubscribe|user|mcs|topo|allocation",
            "one of exclusive, user, mcs, topo",
        ),
        (
            "extra-node-info",
            rf"{_RANGE}(?::{_RANGE}){{0,1}}(?::{_RANGE}(?::.*)?)?",
            "sockets[:cores[:threads]]",
        ),
        ("get-user-env", r"\s*[+-]?\d*(?:[sl].*)?", "a number of seconds, with S or L behind it"),
        ("gres", r"(?!(?:help|list)$).*", "a list such as gpu:1 (help and list submit no job)"),
        (
            "gres-flags",
            r"(?:(?:disable-binding|enforce-binding|multiple-tasks-per-sharing|"
            r"one-task-per-sharing),?)*",
            "one of disable-binding, enforce-binding, multiple-tasks-per-sharing, "
            "one-task-per-sharing",
        ),
        (
            "hint",
            r"(?:(?:compute_bound|memory_bound|(?:no)?multithread)(?:,(?!$)|$))+",
            "one of compute_bound, memory_bound, multithread, nomultithread",
        ),
        ("kill-on-invalid-dep", "yes|no", "yes or no"),
        (
            "mail-type",
            rf"(?:[^,]*,)*(?:{_MAIL})(?:,.*)?",
            "one or more of NONE, BEGIN, END, FAIL, REQUEUE, ALL, INVALID_DEPEND, STAGE_OUT, "
            "TIME_LIMIT, TIME_LIMIT_90, TIME_LIMIT_80, TIME_LIMIT_50, ARRAY_TASKS",
        ),
        ("mem-update", r"\s*\+?0*[1-9]\d{0,4}@[\d:-]+", "MARGIN@DELAY"),
        ("no-kill", "|set|off|no", "off or no, or nothing"),
        (
            "nodes",
            rf"{_NODES}|(?:{_NODES})?-{_NODES}|\d+(?:-\d+(?::\d+)?)?(?:,\d+(?:-\d+(?::\d+)?)?)*",
            "a number of nodes or a range such as 1-4",
        ),
        ("open-mode", "[at].*", "append or truncate"),
        ("priority", r"(?!\s*-\s*0*[1-9]).*", "TOP or a number from 0 on"),
        ("profile", ".*(?:none|all|energy|task|lustre|network).*", "one of none, all, energy, "
         "task, lustre, network"),
        (
            "propagate",
            rf"(?:ALL|NONE|(?:{_LIMITS}),?)*",
            "ALL, NONE, or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, MEMLOCK, AS",
        ),
        ("requeue", "|expedite", "expedite, or nothing"),
        (
            "signal",
            rf"[RB]{{0,2}}:?\s*(?:\+?0*[1-9]\d*|(?:SIG)?(?:{_SIGNALS}))\s*(?:@\s*\+?\d{{0,5}})?",
            "[R|B:]SIGNAL[@SECONDS], with 65535 seconds at most",
        ),
        ("switches", r"\s*\+?0*[1-9]\d{0,9}(?:@.*)?", "a number of switches, COUNT[@TIME]"),
    )
}  # fmt: skip

# Options that submit no job, or another than was meant.
_SBATCH_UNFIT = {
    "autocomplete": "prints words for a shell and submits no job",
    "help": "prints help and submits no job",
    "test-only": "submits no job",
    "usage": "prints help and submits no job",
    "version": "prints the version and submits no job",
    "wrap": "replaces the script of the job",
}

_SBATCH_INSTEAD = {"share": "oversubscribe", "workdir": "chdir", "cpus": "cpus-per-task"}

# validate_options_salloc_sbatch_srun, and _opt_verify of src/sbatch/opt.c.
_SBATCH_CONFLICTS = (
    ("mem", "mem-per-cpu"), ("mem", "mem-per-gpu"), ("mem-per-cpu", "mem-per-gpu"),
    ("gpus-per-task", "ntasks-per-gpu"), ("gpus-per-socket", "ntasks-per-gpu"),
    ("ntasks-per-node", "ntasks-per-gpu"), ("core-spec", "thread-spec"), ("bb", "bbf"),
    ("quiet", "verbose"),
)  # fmt: skip


def _sbatch_table():
    """Return ``{name: (main name, kind, value may be left out)}`` and the letters' names."""
    table, letters = {}, {}
    for kind, words in _SBATCH_KINDS.items():
        for name, letter, optional, alias in re.findall(
            r"([\w-]+)(?:/(\w))?(\??)(?:=([\w-]+))?(?:\s|$)", words
        ):
            for each in filter(None, (name, alias)):
                table[each] = (name, kind, bool(optional))
            if letter:
                letters[letter] = name
    return table, letters


_SBATCH, _SBATCH_LETTERS = _sbatch_table()


def parse_options(arguments, version=None):
    """
    Read options as sbatch reads them on an ``#SBATCH`` line, or on its command line.

    Long options may be abbreviated as long as no other begins alike, values stand behind ``=`` or
    in the next word, letters may stand together (``-Hn2``), and the first word that is no option
    ends them: sbatch takes it for the script.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.parse_options '-p main --ntasks 2 --mem=4G -t 1-12'
        salt-call --local slurm.parse_options '[-p, main, --mem=4G]' version=22.05.8

    arguments
        What stands behind ``#SBATCH`` (string; with quotes, backslashes and comments as they are
        there; a line each), or a list of words.
    version
        Slurm's version (string). Default: any from 22.05 to 26.05; an option that only some of them
        know is a note then.

    Returns ``{"options": {name: value}, "problems": [{"option", "message"}], "notes": [...]}``.
    Options have their long names, values are strings as written, True for an option without one; of
    repeated ones the last counts. Problems are what makes sbatch submit no job; notes, of the same
    form, what it takes otherwise than it seems. Values are checked as sbatch does before it asks
    the controller; dates (``begin``, ``deadline``), and what only a plugin can judge (``gpu-bind``,
    ``mem-bind``, ``cpu-freq``), are left to it.

    Raises SaltInvocationError when the arguments are neither text nor a list.

    Source: src/common/slurm_opt.c and src/sbatch/opt.c of each release; getopt_long(3).
    """
    if not isinstance(arguments, (str, list, tuple)):
        raise SaltInvocationError(f"options are text or a list of words, not {arguments!r}")
    given = arguments if isinstance(arguments, str) else tuple(map(str, arguments))
    options, problems, notes = _parsed_options(given, _sbatch_release(version))
    return {
        "options": dict(options),
        "problems": [dict(each) for each in problems],
        "notes": [dict(each) for each in notes],
    }


def _sbatch_release(version):
    """Return the known release whose options a version has, None for None."""
    if version is None:
        return None
    older = [each for each in _SBATCH_RELEASES if each <= str(version)]
    return older[-1] if older else _SBATCH_RELEASES[0]


@functools.lru_cache(maxsize=4096)
def _parsed_options(arguments, release):
    reader = _OptionReader(release)
    if isinstance(arguments, str):
        words, wrong = _directive(arguments, release)
        reader.read(words)
        if wrong:
            reader.problem(arguments, wrong)
    else:
        reader.read(arguments)
    reader.compare()
    return reader.options, reader.problems, reader.notes


# Pieces of a word; a backslash keeps a blank within it from Slurm 24.05 on.
_PIECE, _PIECE_BEFORE_24_05 = (
    re.compile(
        rf"""\\(?P<escaped>{blank}\S?)|"(?P<double>(?:\\.|[^"\\])*)"|"""
        r"""'(?P<single>(?:\\.|[^'\\])*)'|(?P<plain>[^\s\\"'#]+)""",
        re.ASCII | re.DOTALL,
    )
    for blank in ("[ ]|", "")
)


def _directive(text, release):
    """Split text into words as get_argument of src/sbatch/opt.c does; return what stops it, too."""
    if not re.search(r"[\\\"'#]", text) and ":" not in (text[:1], text.lstrip()[:1]):
        return re.findall(r"[^\s]+", text, re.ASCII), None
    words: list[str] = []
    pieces = _PIECE if release is None or release >= "24.05" else _PIECE_BEFORE_24_05
    for line in text.split("\n"):
        rest = line.lstrip()
        while rest and rest[0] != "#":
            if rest[0] == ":":
                return words, 'sbatch takes a ":" here for the next part of a heterogeneous job'
            word = ""
            while rest and not rest[0].isspace() and rest[0] != "#":
                piece = pieces.match(rest)
                if not piece:
                    return words, f"sbatch misses the closing {rest[0]} in: {line.strip()}"
                inner = piece["double"] or piece["single"] or ""
                word += (piece["escaped"] or "") + (piece["plain"] or "")
                word += re.sub(r"\\(.)", r"\1", inner)
                rest = rest[piece.end() :]
            if not word:
                break  # for sbatch, empty quotes are the end of the line
            words.append(word)
            rest = rest.lstrip()
    return words, None


class _OptionReader:
    """What has been read of sbatch's options."""

    def __init__(self, release):
        self.release = release
        self.options: dict = {}
        self.problems: list[dict] = []
        self.notes: list[dict] = []

    def problem(self, option, message):
        self.problems.append({"option": option, "message": message})

    def read(self, words):
        """Read words as getopt_long does."""
        rest = list(reversed(words))
        unknown = False
        while rest:
            word = rest.pop()
            if word.startswith("--") and word != "--":
                unknown = not self.long(word, rest)
            elif word[:1] == "-" and word not in ("-", "--"):
                unknown = not self.letters(word[1:], rest)
            elif word == "--" and not rest:
                break
            elif not unknown:  # else it may be the value of an option that sbatch does not know
                script = rest[-1] if word == "--" else word
                self.problem(
                    script, f'"{script}" is no option: sbatch reads none behind it, and takes it '
                    "for the script"
                )  # fmt: skip
                break
            else:
                unknown = False

    def long(self, word, rest):
        """Read a long option; tell whether sbatch knows it."""
        name, equals, value = word[2:].partition("=")
        known = self.resolve(name)
        if not known:
            return False
        main, kind, optional = _SBATCH[known]
        option = f"--{known}"
        bare = kind == "flag" or self.release in _SBATCH_VALUELESS.get(main, ())
        if equals and bare:
            self.problem(option, f'{option} takes no value, and has "{value}"')
        elif bare or (optional and not equals):
            self.options[main] = True
        elif equals or rest:
            self.value(option, main, kind, value if equals else rest.pop())
        else:
            self.problem(option, f"{option} has no value")
        self.judge(option, main)
        return True

    def letters(self, letters, rest):
        """Read short options; tell whether sbatch knows them all."""
        while letters:
            letter, letters = letters[0], letters[1:]
            option = f"-{letter}"
            main = _SBATCH_LETTERS.get(letter)
            if not main:
                self.problem(option, f"sbatch knows no option {option}")
                return False
            _, kind, optional = _SBATCH[main]
            if kind == "flag" or (optional and not letters):
                self.options[main] = True
            elif letters or rest:
                self.value(option, main, kind, letters or rest.pop())
                letters = ""
            else:
                self.problem(option, f"{option} has no value")
            self.judge(option, main)
        return True

    def resolve(self, name):
        """Return the option that a name or its beginning stands for; None if there is no such."""
        if name in _SBATCH and (self.release is None or self.knows(name, self.release)):
            return name
        releases = [self.release] if self.release else _SBATCH_RELEASES
        near = {
            release: [each for each in _begins(name) if self.knows(each, release)]
            for release in releases
        }
        found = next((each[0] for each in reversed(near.values()) if len(each) == 1), None)
        if found:
            odd = [release for release, each in near.items() if each != [found]]
            if odd:
                self.note(name, f"--{name} is no abbreviation of --{found} in Slurm "
                          f"{', '.join(odd)}; write it in full")  # fmt: skip
            return found
        several = max(near.values(), key=len)
        if several:
            listed = ", ".join(f"--{each}" for each in several[:6])
            self.problem(f"--{name}", f"--{name} is ambiguous for sbatch: {listed}")
        elif name in _SBATCH:
            self.problem(f"--{name}", f"--{name} is not known to Slurm {self.release}")
        else:
            self.problem(f"--{name}", _unknown(name))
        return None

    @staticmethod
    def knows(name, release):
        return release not in _SBATCH_WITHOUT.get(name, ())

    def note(self, name, message):
        self.notes.append({"option": f"--{name}", "message": message})

    def value(self, option, main, kind, text):
        """Check a value by its kind, and keep it."""
        pattern, wanted = _SBATCH_VALUES.get(kind, (None, None))
        if kind == "root":
            self.problem(option, f"{option} is for root alone")
        elif (pattern and not pattern.fullmatch(text)) or _beyond(kind, text):
            self.problem(option, f'{option}: "{text}" is not {wanted}')
        elif kind == "nodes" and re.search("[,:]", text) and self.release == "22.05":
            self.problem(option, f'{option}: "{text}" is a list, which Slurm reads from 23.02 on')
        else:
            self.options[main] = text
            if kind == "mail-type":
                odd = [each for each in text.split(",") if not re.fullmatch(_MAIL, each, re.I)]
                if odd:
                    self.note(main, f"{option}: sbatch passes over {', '.join(odd)}, "
                              "for it is no mail type")  # fmt: skip

    def judge(self, option, main):
        """Tell of an option that submits no job, or that only some releases know."""
        if main in _SBATCH_UNFIT:
            self.problem(option, f"{option} {_SBATCH_UNFIT[main]}")
            self.options.pop(main, None)
        missing = _SBATCH_WITHOUT.get(main)
        if missing and self.release is None:
            self.note(main, f"{option} is not known to Slurm {', '.join(missing)}")

    def compare(self):
        """Find options that sbatch does not take together."""
        for one, other in _SBATCH_CONFLICTS:
            if one in self.options and other in self.options:
                self.problem(f"--{other}", f"sbatch takes only one of --{one} and --{other}")
        if {"exclusive", "oversubscribe"} <= self.options.keys():
            words = "Slurm from 23.02 on takes only one of --exclusive and --oversubscribe"
            if self.release is None:
                self.note("exclusive", words)
            elif self.release > "22.05":
                self.problem("--exclusive", words)


def _beyond(kind, text):
    """Tell whether a number is out of bounds, or a range of nodes runs backwards."""
    if kind in ("count", "number"):
        return not 0 <= int(text or 0) < 2**31 - 1
    if kind == "signal":
        return int(text.partition("@")[2] or 0) >= 2**16
    if kind == "nodes" and "-" in text and not re.search("[,:]", text):
        least, most = (_int(part.replace("+", "").upper()) for part in text.split("-"))
        return 0 < most < (1 if least is None else least)
    return False


@functools.lru_cache(maxsize=1024)
def _begins(name):
    """Return the options that begin with a text."""
    return [each for each in _SBATCH if each.startswith(name)]


@functools.lru_cache(maxsize=1024)
def _unknown(name):
    """Say that there is no such option, and which is meant."""
    near = difflib.get_close_matches(name, _SBATCH, 1, 0.7)
    meant = _SBATCH_INSTEAD.get(name) or (near[0] if near else None)
    hint = f"did you mean --{meant}?" if meant else "unless a SPANK plugin of this site adds it"
    return f"sbatch knows no option --{name}{';' if meant else ','} {hint}"


def test_only(options, user=None, timeout=60):
    """
    Ask the controller whether it would take a job, without submitting one.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.test_only '{partition: main, ntasks: 2, mem: 4G}' user=galaxy

    options
        sbatch's options without their dashes (mapping), as in :py:func:`sbatch`.
    user
        Whose job it would be (string), never root. Default: the user that Salt runs as.
    timeout
        Bound of the question in seconds.

    Returns ``{"ok": boolean, "message": Slurm's words}``: when and where the job would start, or
    why it would be refused. A job that must wait would be taken.

    Raises SaltInvocationError for a user that there is not, CommandExecutionError when the
    controller does not answer, or there is no sbatch.

    Source: sbatch.1, --test-only.
    """
    as_user = {"runas": _account(user, False)} if user else {}
    argv = ["sbatch", *_options(options), "--test-only"]
    result = _run(argv, timeout, stdin="#!/bin/sh\n", **as_user)
    message = _words(result)
    if result["retcode"] and re.search(r"contact slurm controller|Socket timed out", message):
        raise CommandExecutionError(f"sbatch: {message}")
    return {"ok": result["retcode"] == 0, "message": message.removeprefix("sbatch: ")}


# --- jobs -----------------------------------------------------------------------------------------


def sbatch(script, args=None, options=None, runas=None, allow_root=False, cwd=None, timeout=60):
    """
    Submit a batch job.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.sbatch /srv/jobs/count.sh runas=galaxy options='{partition: main, ntasks: 2}'

    script
        The absolute path of a script, or its text (it begins with ``#!``).
    args
        Arguments of the script (list).
    options
        sbatch's options without their dashes (mapping): True is an option without value, False and
        None leave it out, a list repeats it. Quote times, for YAML reads ``1:00:00`` as a number.
    runas
        Whose job it is (string). Required; root only with ``allow_root``.
    allow_root
        Submit as root.
    cwd
        Directory of the job (string); default: ``/``, so give ``output`` among the options.
    timeout
        Bound of the command in seconds.

    Returns the job id (integer).

    Raises SaltInvocationError for arguments that cannot be meant, CommandExecutionError with
    Slurm's words when the job is refused or the controller does not answer.

    Source: sbatch.1.
    """
    user = _account(runas, allow_root)
    argv = ["sbatch", "--parsable", *_options(options)]
    late = (
        f"sbatch got no answer within {timeout} s: is slurmctld running and reachable? "
        "It may have the job all the same; see squeue before you submit it again"
    )
    given = {"late": late, "runas": user, "cwd": cwd or "/"}
    if script.startswith("/") and "\n" not in script:
        text = _ask([*argv, script, *(args or [])], timeout, **given)
    elif not script.lstrip().startswith("#!"):
        raise SaltInvocationError(
            "script is neither an absolute path nor a text that begins with #! and a program"
        )
    elif args:
        with _script(script.lstrip(), user) as path:
            text = _ask([*argv, path, *args], timeout, **given)
    else:
        text = _ask(argv, timeout, stdin=script.lstrip(), **given)
    match = re.search(r"^(\d+)(?:;\S+)?\s*$", text, re.MULTILINE)
    if not match:
        raise CommandExecutionError(f"sbatch printed no job id: {text.strip()}")
    return int(match[1])


@contextlib.contextmanager
def _script(text, user):
    """Keep a text in a file of a user's; sbatch takes arguments of no other script.

    The user may not open root's pipe by a name such as /dev/stdin.
    """
    uid = pwd.getpwnam(user).pw_uid
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        path = pathlib.Path(folder, "sbatch")  # so is a job called that came by standard input
        path.write_text(text, encoding="utf-8")
        for each in (path, path.parent):
            os.chown(each, uid, -1)
        yield str(path)


def srun(command, options=None, runas=None, allow_root=False, cwd=None, timeout=300):
    """
    Run a command on the cluster and wait for its end.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.srun '[hostname]' options='{nodes: 2}' runas=galaxy

    command
        The program and its arguments (list).
    options
        srun's options without their dashes (mapping), as in :py:func:`sbatch`.
    runas
        Whose job it is (string). Required; root only with ``allow_root``.
    allow_root
        Run as root.
    cwd
        Directory of the command (string); default: ``/``.
    timeout
        Bound in seconds, of the wait for resources and of the run.

    Returns ``{"stdout", "stderr", "retcode"}``; a command that fails is no error of this function.

    Raises CommandExecutionError when the bound is reached (srun is stopped then, and its job with
    it).

    Source: srun.1.
    """
    if not isinstance(command, list) or not command:
        raise SaltInvocationError(f"command is a list of a program and its arguments: {command!r}")
    user = _account(runas, allow_root)
    argv = ["srun", *_options(options), "--", *command]
    late = f"srun: {command[0]} had not ended after {timeout} s, and was stopped with its job"
    result = _run(argv, timeout, late, runas=user, cwd=cwd or "/")
    return {key: result[key] for key in ("stdout", "stderr", "retcode")}


def cancel(job_id, timeout=30):
    """
    Cancel a job.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.cancel 123

    job_id
        The id: a job's, an array's or one of its tasks' (``123_4``).
    timeout
        Bound of the command in seconds.

    Returns True; a job that has ended already stays as it is.

    Raises CommandExecutionError with Slurm's words when there is no such job or the controller does
    not answer.

    Source: scancel.1.
    """
    if not re.fullmatch(r"\d+(?:_(?:\d+|\[[\d,-]+\])|\+\d+)?", str(job_id)):
        raise SaltInvocationError(f"job_id: {job_id!r} is no job id")
    # Only when it is verbose does scancel say that there is no such job; it succeeds all the same.
    result = _run(["scancel", "--verbose", job_id], timeout)
    if result["retcode"] or "Invalid job id" in result["stderr"]:
        result["stderr"] = re.sub(r"(?m)^scancel: (?!error: ).*\n", "", result["stderr"])
        raise CommandExecutionError(f"scancel: {_words(result)}")
    return True


def wait_job(job_id, timeout=300, interval=2):
    """
    Wait until a job has ended.

    A controller that does not answer for a while is waited for as well.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.wait_job 123 timeout=600

    job_id
        The id; of an array or a heterogeneous job, all parts are waited for.
    timeout
        Bound of the wait in seconds.
    interval
        Seconds between two questions.

    Returns ``{"state", "exit_code", "signal", "nodes": hostlist, "seconds": run time, "source"}``.
    Of several parts, the first that did not complete is reported. ``source`` is ``scontrol``, or
    ``sacct`` where Slurm had forgotten the job already (MinJobAge). Where accounting does not know
    it either, state is ``UNKNOWN``, the rest None, and ``comment`` says why.

    Raises CommandExecutionError when the bound is reached first, with the job's state and reason or
    with Slurm's words.

    Source: scontrol.1, SHOW JOB; sacct.1; slurm.conf.5, MinJobAge.
    """
    end = time.monotonic() + timeout
    while True:
        left = max(1, min(30, end - time.monotonic()))
        try:
            found = job(job_id, timeout=left)
        except CommandExecutionError as exc:
            if "Invalid job id" in str(exc):
                return _accounted(job_id)
            status = str(exc)
        else:
            parts = found.get("Members", [found])
            open_parts = [part for part in parts if part["JobState"] not in _TERMINAL]
            if not open_parts:
                failed = [part for part in parts if part["JobState"] != "COMPLETED"]
                return _ended(min(failed or parts, key=_number))
            status = f"{open_parts[0]['JobState']} ({open_parts[0].get('Reason')})"
        if time.monotonic() + interval > end:
            raise CommandExecutionError(f"job {job_id} has not ended in {timeout} s: {status}")
        time.sleep(interval)


def _number(part):
    """Return which part of a job a record is; scontrol begins with an array's last task."""
    return _int(part.get("ArrayTaskId") or part.get("HetJobOffset")) or 0


def _ended(record):
    code, signal = (int(part) for part in record.get("ExitCode", "0:0").split(":"))
    return {
        "state": record["JobState"],
        "exit_code": code,
        "signal": signal,
        "nodes": record.get("NodeList") or "",
        "seconds": _seconds(record.get("RunTime")),
        "source": "scontrol",
    }


def _accounted(job_id):
    """Return the end of a job that the controller has forgotten, as accounting knows it."""
    fields = "State,ExitCode,NodeList,ElapsedRaw"
    result = _run(
        ["sacct", "-X", "-n", "-P", "--delimiter=|", "-j", job_id, f"--format={fields}"], 30
    )
    rows = [line.split("|") for line in result["stdout"].splitlines() if line.count("|") == 3]
    if result["retcode"] or not rows:
        words = "" if not result["retcode"] else f" ({_words(result)})"
        return {
            **dict.fromkeys(("exit_code", "signal", "nodes", "seconds", "source")),
            "state": "UNKNOWN",
            "comment": f"Slurm has forgotten job {job_id} (MinJobAge) and accounting does not "
            f"know it{words}: how it ended cannot be told",
        }
    row = next((row for row in rows if _job_state(row[0]) != "COMPLETED"), rows[0])
    code, signal = (int(part) for part in row[1].split(":"))
    return {
        "state": _job_state(row[0]),
        "exit_code": code,
        "signal": signal,
        "nodes": row[2] if row[2] != "None assigned" else "",
        "seconds": _int(row[3]),
        "source": "sacct",
    }


def test_job(
    node=None,
    partition=None,
    command="true",
    options=None,
    runas=None,
    allow_root=False,
    timeout=120,
):
    """
    Prove that a node or a partition runs jobs: submit one, wait for it, judge it by its exit code.

    The command runs on the node, and so does the judgement: its output is not kept.

    CLI Example:

    .. code-block:: bash

        salt '*' slurm.test_job node=node1 runas=galaxy
        salt '*' slurm.test_job partition=main command='test -w /srv/galaxy/jobs' runas=galaxy

    node
        Name of the node.
    partition
        Name of the partition; default: the default one.
    command
        Shell command whose exit code is the result.
    options
        Further options of sbatch (mapping).
    runas
        Whose job it is (string). Required; root only with ``allow_root``.
    allow_root
        Run as root.
    timeout
        Bound in seconds; a job that has not ended by then is cancelled.

    Returns what :py:func:`wait_job` returns, with ``job_id``, ``ok`` (it ran and exited with 0) and
    ``comment``, one sentence. A job that does not start or end within the bound is ``ok: False``
    with Slurm's reason.

    Raises CommandExecutionError with Slurm's words when the job is refused, as for an unknown node.
    """
    wanted = {
        "job-name": "slurm_galaxy-test",
        "output": "/dev/null",
        "time": max(1, -(-timeout // 60)),
        "nodelist": node,
        "partition": partition,
        **(options or {}),
    }
    where = f"node {node}" if node else f"partition {partition}" if partition else "the cluster"
    job_id = sbatch(f"#!/bin/sh\n{command}\n", options=wanted, runas=runas, allow_root=allow_root)
    result = dict.fromkeys(("state", "exit_code", "signal", "nodes", "seconds", "source"))
    try:
        result.update(wait_job(job_id, timeout=timeout, interval=1))
        comment = f"job {job_id} on {where}: {result.get('comment') or _verdict(result)}"
    except CommandExecutionError as exc:
        comment = f"{where}: {exc}"
    finally:
        if result["state"] not in _TERMINAL:
            _run(["scancel", job_id], 30)
    passed = result["state"] == "COMPLETED" and result["exit_code"] == 0
    return {**result, "job_id": job_id, "ok": passed, "comment": comment}


def _verdict(result):
    return (
        f"{result['state']}, exit code {result['exit_code']}, signal {result['signal']}, "
        f"on {result['nodes'] or 'no node'} after {result['seconds']} s"
    )


# --- hostlists ------------------------------------------------------------------------------------

_MOST_HOSTS = 1_000_000
_DIGITS = 18  # what surely fits into the 64 bits that Slurm counts with
_LONGEST_RANGE = 65_536  # MAX_RANGE of Slurm's src/common/hostlist.c: a longer one is an error


def hostlist_expand(hostlist):
    """
    Expand a hostlist expression into names, as ``scontrol show hostnames`` reads it.

    Brackets may stand several times and anywhere in a name (text after the last one is read by
    Slurm from 23.11 on), numbers keep their leading zeros, names keep their order and repeat when
    they are repeated. With three and more brackets Slurm's order is not the natural one: the last
    bracket turns fastest, then the first, then the second.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.hostlist_expand 'rack[1-2]n[01-16,20],login'

    hostlist
        The expression (string); a list of them is read as one.

    Returns a list of names.

    Raises SaltInvocationError for what Slurm refuses, and for what it reads as nonsense (an open
    bracket, blanks within brackets, numbers beyond 64 bits). One exception: Slurm refuses a range
    of more than 65,536 hosts, this function an expression of more than 1,000,000.

    Source: scontrol.1, SHOW HOSTNAMES; src/common/hostlist.c.
    """
    if isinstance(hostlist, (list, tuple)):
        hostlist = ",".join(hostlist)
    names: list[str] = []
    for token in re.findall(r"(?:[^\s,\[\]]|\[[^\]]*\]?|\])+", hostlist or ""):
        names += _expand(token, _MOST_HOSTS - len(names))
    return names


def _expand(token, room):
    """Expand one name with its brackets."""
    parts = re.split(r"\[([^\[\]]*)\]", token)
    texts, lists = parts[::2], parts[1::2]
    strange = re.search(r"[\[\]{}]", "".join(texts))
    if strange:
        raise SaltInvocationError(
            f'hostlist "{token}": a "{strange[0]}" that belongs to no list of numbers'
        )
    number = re.search(r"[0-9]+$", token)
    if number and len(number[0]) > _DIGITS:
        raise SaltInvocationError(f'hostlist "{token}": {number[0]} is too large a number')
    if not lists:
        return [token]
    numbers = [[_range(token, part) for part in listed.split(",")] for listed in lists]
    count = 1
    for ranges in numbers:
        count *= sum(high - low + 1 for low, high, _ in ranges)
        if count > room:
            raise SaltInvocationError(f'hostlist "{token}": more than {_MOST_HOSTS} names')
    columns = [
        [f"{number:0{width}d}" for low, high, width in ranges for number in range(low, high + 1)]
        for ranges in numbers
    ]
    if len(columns) == 1:
        return [f"{texts[0]}{number}{texts[1]}" for number in columns[0]]
    order = _slowest_first(len(columns))
    template = "".join(
        text.replace("%", "%%") + ("%s" if index < len(columns) else "")
        for index, text in enumerate(texts)
    )
    back = [order.index(index) for index in range(len(columns))]
    return [
        template % tuple(row[index] for index in back)
        for row in itertools.product(*(columns[index] for index in order))
    ]


def _slowest_first(count):
    """Return the brackets of a name in the order of Slurm's loops, the outermost first."""
    return [*range(count - 2, -1, -1), count - 1]


def _range(token, text):
    """Return first, last and width of ``3``, ``1-10`` or ``001-100``."""
    match = re.fullmatch(r"([0-9]+)(?:-([0-9]*))?", text)
    if not match:
        raise SaltInvocationError(
            f'hostlist "{token}": "{text}" is neither a number nor a range such as 1-8'
        )
    low, high = int(match[1]), int(match[2] or match[1])
    if low > high:
        raise SaltInvocationError(f'hostlist "{token}": the range {text} runs backwards')
    if high >= 10**_DIGITS:
        raise SaltInvocationError(f'hostlist "{token}": {high} is too large a number')
    return low, high, len(match[1])


def hostlist_fold(names, sort=False):
    """
    Fold names into the shortest hostlist expression that Slurm reads back into the same names.

    All numbers of a name fold, not the last alone as ``scontrol show hostlist`` has it: the four
    names of ``rack[1-2]n[1-2]`` are one term. Names that do not end in a number stay whole, for
    Slurm before 23.11 reads no text after a bracket.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm.hostlist_fold '[node1, node2, node3]'

    names
        The names (list, or hostlist).
    sort
        Sort first, by text and number, each name once. Otherwise order and repeats are kept.

    Returns the expression (string); no range is longer than the 65,536 hosts that Slurm reads.

    Raises SaltInvocationError for a name that a hostlist cannot hold (empty, or with a comma, a
    blank or a bracket).

    Source: scontrol.1, SHOW HOSTLIST.
    """
    names = hostlist_expand(names) if isinstance(names, str) else list(names)
    unfit = re.compile(rf"[\s,\[\]{{}}]|[0-9]{{{_DIGITS + 1}}}")
    for name in names:
        if not isinstance(name, str) or not name or unfit.search(name):
            raise SaltInvocationError(f"no hostlist can hold the name {name!r}")
    ends = [(text := name.rstrip("0123456789"), name[len(text) :]) for name in names]
    if sort:
        order = {text: _natural(text) for text, _ in set(ends)}
        ends = sorted(set(ends), key=lambda end: (order[end[0]], int(end[1] or 0), len(end[1])))
    items: list[tuple] = []
    for (text, numbered), group in itertools.groupby(ends, lambda end: (end[0], end[1] != "")):
        numbers = [number for _, number in group]
        if not numbered:
            items += [(text,)] * len(numbers)
            continue
        inner = [(part,) if index % 2 else part for index, part in enumerate(_parts(text))]
        items += [(*inner, tuple(batch), "") for batch in _batches(numbers)]
    for turn in range(1, max((len(item) // 2 for item in items), default=0)):
        items = _merged(items, turn)
    return ",".join(map(_bracketed, items))


def _parts(text):
    """Split text into words and numbers: every other part is a number."""
    return re.split(r"([0-9]+)", text)


def _natural(text):
    """Order by text, then by number, then by width."""
    return [
        (int(part), len(part)) if index % 2 else part for index, part in enumerate(_parts(text))
    ]


def _merged(items, turn):
    """Join neighbours that differ in one number only: the one that turns next in Slurm's order."""

    def place(item):
        count = len(item) // 2
        return 2 * _slowest_first(count)[count - 1 - turn] + 1 if turn < count else len(item)

    def rest(item):
        return len(item), item[: place(item)], item[place(item) + 1 :]

    merged: list[tuple] = []
    for _, group in itertools.groupby(items, key=rest):
        alike = list(group)
        at = place(alike[0])
        if at == len(alike[0]):
            merged += alike
            continue
        numbers = [number for item in alike for number in item[at]]
        merged += [
            (*alike[0][:at], tuple(batch), *alike[0][at + 1 :]) for batch in _batches(numbers)
        ]
    return merged


def _batches(numbers):
    """Split a list of numbers where Slurm takes no more of them in one bracket."""
    return (numbers[i : i + _LONGEST_RANGE] for i in range(0, len(numbers), _LONGEST_RANGE))


def _bracketed(item):
    """Write one term; its last number has a bracket where an earlier one has (Slurm < 23.11)."""
    words = [_ranges(part) if index % 2 else part for index, part in enumerate(item)]
    if "[" in "".join(words) and "[" not in words[-2]:
        words[-2] = f"[{words[-2]}]"
    return "".join(words)


def _ranges(numbers):
    """Write numbers as they stand in a hostlist: ``7``, or ``[01-16,20]``."""
    if len(numbers) == 1:
        return numbers[0]
    runs: list[list[str]] = []
    follower = None
    for number in numbers:
        if number == follower:
            runs[-1][1] = number
        else:
            runs.append([number, number])
        follower = f"{int(number) + 1:0{len(runs[-1][0])}d}"
    return "[" + ",".join(low if low == high else f"{low}-{high}" for low, high in runs) + "]"
