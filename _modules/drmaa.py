"""
Read native specifications as slurm-drmaa reads them, and look at the installed DRMAA library.

slurm-drmaa has a grammar of its own for the ``nativeSpecification`` of a Galaxy destination; it
looks like sbatch's and is not: an option that sbatch takes may be refused here, with the job, and
the other way round. :py:func:`parse_native` and :py:func:`render_config` need neither the library
nor Slurm; :py:func:`info` loads the library, and :py:func:`session_check` runs a job through it.
"""

import contextlib
import difflib
import functools
import json
import pathlib
import pwd
import re
import signal
import sys

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict

# Options as slurmdrmaa_parse_additional_attr knows them, and the kind of each one's value. The
# first of two spellings is sbatch's.
_LONG = {
    **dict.fromkeys(
        ("account", "acctg-freq", "clusters", "comment", "constraint", "dependency", "error",
         "exclude", "gres", "licenses", "nodelist", "output", "partition", "qos", "reservation",
         "job_name"),
        "text",
    ),
    **dict.fromkeys(
        ("cpus-per-task", "mem", "mem-per-cpu", "mincpus", "ntasks", "ntasks-per-node", "tmp"),
        "number",
    ),
    **dict.fromkeys(
        ("contiguous", "exclusive", "no-kill", "no-requeue", "requeue", "share"), "flag"
    ),
    **dict.fromkeys(("time", "time_limit"), "time"),
    "nodes": "nodes",
    "mail-type": "mail",
}  # fmt: skip

_SHORT = {
    "A": "account", "C": "constraint", "J": "job_name", "L": "licenses", "M": "clusters",
    "N": "nodes", "c": "cpus-per-task", "d": "dependency", "e": "error", "k": "no-kill",
    "n": "ntasks", "o": "output", "p": "partition", "s": "share", "t": "time", "w": "nodelist",
    "x": "exclude",
}  # fmt: skip

_NAMES = {"job_name": "job-name", "time_limit": "time"}  # in place of these, sbatch's

# What came with slurm-drmaa 1.1.0 (CHANGELOG.md, and util.c of 1.0.7).
_SINCE_1_1 = {"clusters", "cpus-per-task", "dependency", "error", "output"}

# What to write for an option that slurm-drmaa lacks, where no name is near enough.
_INSTEAD = {
    **dict.fromkeys(("G", "gpus", "gpus-per-node", "gpus-per-task"), "write --gres=gpu:NUMBER"),
    **dict.fromkeys(("D", "chdir"), "Galaxy sets the directory of a job itself"),
    **dict.fromkeys(
        ("export", "export-file", "get-user-env"), "set variables in the destination's env"
    ),
    "array": "Galaxy submits single jobs",
    "gpu": "write --gres=gpu:NUMBER",
    "job-name": "it is --job_name here, and Galaxy sets it itself",
    "mem-per-gpu": "write --mem or --mem-per-cpu",
    "nice": "a QOS can have another priority",
    "oversubscribe": "write --share",
    "priority": "a QOS can have another priority",
    "q": "write --qos=NAME",
    "tasks-per-node": "write --ntasks-per-node",
}  # fmt: skip

_MAIL_TYPES = ("BEGIN", "END", "FAIL", "REQUEUE", "ALL")

_BLANKS = " \t\n\r\f\v"
_INT = re.compile(r"\s*([+-]?)\s*([0-9]+)\s*", re.ASCII)
_MOST = 2**31 - 1

# The grammar of datetime_tab.y where a time begins with hours and minutes. What comes before and
# behind them is read and thrown away.
_TIME = re.compile(
    r"(?P<date>(?:\d+(?:-\d+){0,2}|\d+/\d+(?:/\d+)?)T)?"
    r"(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+))?"
    r"(?P<zone>Z|[+-]\d+(?::\d+)?)?",
    re.ASCII,
)


def parse_native(spec, version=None):
    """
    Read a native specification exactly as slurm-drmaa reads it.

    Words are split at blanks and tabs alone; there are no quotes. A short option stands alone and
    its value is the next word (``-n 2``), a long one has its value behind ``=``, and none may be
    abbreviated. ``--mem`` and ``--tmp`` are plain numbers of MiB, a time is hours and minutes.

    CLI Example:

    .. code-block:: bash

        salt-call --local drmaa.parse_native '-p main -n 2 --mem=4000 --time=24:00'

    spec
        The specification (string).
    version
        slurm-drmaa's version (string, ``1.1.4``), where an old one is in use: 1.0.7 knows fewer
        options than 1.1.0 and later, which know the same. Default: 1.1.0 or later.

    Returns ``{"options": {name: value}, "problems": [{"option", "message"}], "notes": [...]}``.
    Options have sbatch's long names (``share`` apart, which is slurm-drmaa's own), values are
    strings as written, True for an option without one. Problems are what makes slurm-drmaa refuse
    the job; notes, of the same form, what it takes for something else than is written. The option
    of a problem is as written, or the word itself where it is none.

    Raises SaltInvocationError when the specification is no string.

    Source: slurm_drmaa/util.c of slurm-drmaa 1.1.6, slurmdrmaa_parse_native; drmaa_utils/fsd_util.c
    and datetime_tab.y of drmaa-utils.
    """
    if not isinstance(spec, str):
        raise SaltInvocationError(f"a native specification is text, not {spec!r}")
    options, problems, notes = _parsed(spec, version is not None and _is_old(version))
    return {
        "options": dict(options),
        "problems": [dict(each) for each in problems],
        "notes": [dict(each) for each in notes],
    }


def _is_old(version):
    numbers = [int(part) for part in re.findall(r"\d+", str(version))[:2]]
    return numbers < [1, 1]


@functools.lru_cache(maxsize=4096)
def _parsed(spec, old):
    reader = _Reader(old)
    pending = None
    for word in re.findall(r"[^ \t]+", spec):
        if pending:
            reader.short(pending, word)
            # A word such as -p is both: the value of what stood before it, and an option.
            pending = word[1] if len(word) == 2 and word[0] == "-" else None
        elif word.startswith("--"):
            reader.long(word)
        elif word[0] != "-" or len(word) > 2:
            reader.misplaced(word)
        elif word == "-":
            reader.note(word, 'slurm-drmaa passes over a "-" that stands alone')
        else:
            pending = word[1]
    if pending:
        reader.dangling(pending, re.match(r"-s(?:[ \t]|$)", spec))
    return reader.options, reader.problems, reader.notes


class _Reader:
    """What has been read of one specification."""

    def __init__(self, old):
        self.old = old
        self.options: dict = {}
        self.problems: list[dict] = []
        self.notes: list[dict] = []

    def problem(self, option, message):
        self.problems.append({"option": option, "message": message})

    def note(self, option, message):
        self.notes.append({"option": option, "message": message})

    def misplaced(self, word):
        """Refuse a word that is no option where one is due."""
        name = _SHORT.get(word[1:2])
        if word[0] == "-" and word[1:].partition("=")[0] in _LONG:
            self.problem(word, f'"{word}" has one dash too few; write "-{word}"')
        elif word[0] == "-" and name:
            right = f"-{word[1]} {word[2:].lstrip('=')}"
            self.problem(
                word[:2], f'"{word}": slurm-drmaa wants a blank behind -{word[1]}; write "{right}"'
            )
        elif word[0] == "-":
            self.problem(word[:2], f'"{word}": slurm-drmaa knows no option -{word[1]}')
        else:
            self.problem(
                word,
                f'"{word}" is no option: slurm-drmaa takes no quotes, no commands, and the value '
                'of a long option only behind its "="',
            )

    def long(self, word):
        """Read one long option."""
        name, *values = [part for part in word[2:].split("=") if part] or [None]
        option = f"--{name or ''}"
        if name is None:
            self.problem(word, f'"{word}" names no option, and slurm-drmaa crashes on it')
        elif name not in _LONG:
            self.problem(option, f"slurm-drmaa knows no option {option}{_hint(name)}")
        elif self.old and name in _SINCE_1_1:
            self.problem(option, f"{option} is known from slurm-drmaa 1.1.0 on")
        elif _LONG[name] == "flag":
            if values:
                self.note(option, f'{option} takes no value: slurm-drmaa passes over "{values[0]}"')
            self.options[_NAMES.get(name, name)] = True
        elif not values:
            self.problem(
                option, f'{option} has no value; slurm-drmaa wants it behind a "=", with no blank'
            )
        else:
            if len(values) > 1:
                self.note(
                    option,
                    f'{option}: slurm-drmaa reads up to the second "=", so the value is '
                    f'"{values[0]}" alone',
                )
            self.value(option, name, values[0])

    def short(self, letter, word):
        """Read one short option with the word behind it."""
        option = f"-{letter}"
        name = _SHORT.get(letter)
        if not name:
            self.problem(option, f"slurm-drmaa knows no option {option}{_hint(letter)}")
        elif self.old and (name in _SINCE_1_1 or letter == "k"):
            self.problem(option, f"{option} is known from slurm-drmaa 1.1.0 on")
        elif _LONG[name] == "flag":
            if not (len(word) == 2 and word[0] == "-"):
                self.note(
                    option,
                    f'slurm-drmaa swallows "{word}" as the value of {option}, which has none; '
                    f"write --{name}",
                )
            self.options[name] = True
        elif word[0] == "-" and _LONG[name] in ("text", "mail"):
            self.problem(option, f'{option} has no value: slurm-drmaa takes "{word}" for it')
        else:
            self.value(option, name, word)

    def dangling(self, letter, shares):
        """Judge a short option with nothing behind it; a leading -s has it passed over."""
        option, name = f"-{letter}", _SHORT.get(letter)
        if shares:
            self.options["share"] = True
            if letter != "s":
                self.note(option, f"slurm-drmaa passes over {option}, the last word")
        elif name and _LONG[name] == "flag":
            self.problem(
                option,
                f"slurm-drmaa reads {option} only with another word behind it; write --{name}",
            )
        elif name:
            self.problem(option, f"{option} has no value")
        else:
            self.problem(option, f"slurm-drmaa knows no option {option}{_hint(letter)}")

    def value(self, option, name, text):
        """Check a value by its kind, and keep it."""
        kind = _LONG[name]
        wrong = None
        if kind == "number":
            wrong = _wrong_number(text)
            if name in ("mem", "mem-per-cpu", "tmp") and not _INT.fullmatch(text):
                wrong = "is not a whole number of MiB" + _in_mebibytes(text)
        elif kind == "nodes":
            wrong = _wrong_nodes(text)
        elif kind == "time":
            wrong = self.time(option, text)
        elif kind == "mail" and text.upper() not in _MAIL_TYPES:
            known = ", ".join(_MAIL_TYPES)
            self.note(
                option,
                f'{option}: slurm-drmaa knows no mail type "{text}" and sends none; it knows one '
                f"of {known}, and no list",
            )
        elif name not in ("comment", "job_name") and re.search("[\n\r]", text):
            wrong = "holds a line break, which slurm-drmaa takes for a part of it"
        if wrong:
            self.problem(option, f'{option}: "{text}" {wrong}')
        elif name in ("mem", "mem-per-cpu"):
            self.memory(option, name, text)
        else:
            self.options[_NAMES.get(name, name)] = text

    def memory(self, option, name, text):
        """Keep the larger of --mem and --mem-per-cpu, for slurm-drmaa has one place for both."""
        before = next((each for each in ("mem", "mem-per-cpu") if each in self.options), None)
        if before is None or _number(text) > _number(self.options[before]):
            if before:
                self.note(option, f"slurm-drmaa keeps the larger one, {option}={text}")
                del self.options[before]
            self.options[name] = text
        else:
            larger = f"--{before}={self.options[before]}"
            self.note(option, f"slurm-drmaa passes over {option}={text}, for {larger} is not less")

    def time(self, option, text):
        """Return what is wrong with a time, and note what slurm-drmaa does not read of it."""
        match = _TIME.fullmatch(text.strip(_BLANKS))
        if not match:
            return "is no time for slurm-drmaa: write hours and minutes, such as 24:00" + (
                _in_hours(text)
            )
        minutes = 60 * int(match["hours"]) + int(match["minutes"])
        dropped = {
            "the seconds": match["seconds"] and int(match["seconds"]),
            "the date": match["date"],
            "the time zone": match["zone"],
        }
        lost = " and ".join(part for part, given in dropped.items() if given)
        if lost:
            self.note(option, f'{option}: slurm-drmaa reads "{text}" as {minutes} minutes: {lost} '
                      "do not count")  # fmt: skip
        return None


def _number(text):
    """Return the number that fsd_atoi reads in a text that holds one."""
    return int("".join(text.split()))


def _wrong_number(text):
    """Say what is wrong with a number, None if nothing is."""
    match = _INT.fullmatch(text)
    if not match:
        return "is not a whole number"
    if match[1] == "-" and int(match[2]):
        return "is negative"
    return None if int(match[2]) <= _MOST else f"is more than {_MOST}, the most that it can be"


def _wrong_nodes(text):
    """Judge ``MIN`` or ``MIN-MAX`` as strtok_r splits it."""
    least, _, most = text.lstrip("-").partition("-")
    if not least:
        return "names no number of nodes, and slurm-drmaa crashes on it"
    wrong = _wrong_number(least) or (most and _wrong_number(most))
    if wrong:
        return "is no number of nodes; write 2, or 1-4"
    if most and _number(most) < _number(least):
        return "is a range that runs backwards"
    return None


def _in_mebibytes(text):
    """Suggest the plain number that a size with a unit stands for."""
    match = re.fullmatch(r"([0-9]+)([KMGT])[bB]?", text, re.IGNORECASE)
    if not match:
        return ""
    factor = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}[match[2].lower()]
    return f", for slurm-drmaa reads no units; write {-int(-int(match[1]) * factor // 1)}"


def _in_hours(text):
    """Suggest hours and minutes for one of Slurm's other forms of a time."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not match:
        return ""
    if match[1]:
        minutes = 60 * (24 * int(match[1]) + int(match[2])) + int(match[3] or 0)
    else:
        minutes = int(match[2])
    return f'; "{text}" of sbatch is {minutes // 60}:{minutes % 60:02d} here'


@functools.lru_cache(maxsize=1024)
def _hint(name):
    """Say what an option that slurm-drmaa does not know leads to, and what to write instead."""
    if name in _INSTEAD:
        return f" and refuses the job: {_INSTEAD[name]}"
    near = difflib.get_close_matches(name, _LONG, 1, 0.7) if len(name) > 1 else []
    return " and refuses the job" + (f"; did you mean --{near[0]}?" if near else "")


# --- the library ----------------------------------------------------------------------------------

_LIBRARIES = (
    "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1",
    "/usr/lib/*/libdrmaa.so.1",
    "/usr/lib64/libdrmaa.so.1",
    "/usr/local/lib/libdrmaa.so.1",
    "/usr/local/lib/*/libdrmaa.so.1",
    "/opt/*/lib/libdrmaa.so.1",
)

_SLURM_LIBRARIES = (
    "/usr/lib/*/libslurm.so.*",
    "/usr/lib64/libslurm.so.*",
    "/usr/lib/libslurm.so.*",
    "/usr/local/lib/libslurm.so.*",
    "/opt/slurm/lib/libslurm.so.*",
    "/usr/local/slurm/lib/libslurm.so.*",
)

# What the sonames of libslurm stand for (META, API_CURRENT, of each release).
_RELEASES = {
    36: "20.11", 37: "21.08", 38: "22.05", 39: "23.02", 40: "23.11", 41: "24.05", 42: "24.11",
    43: "25.05", 44: "25.11", 45: "26.05",
}  # fmt: skip

# Runs in a process of its own: a library may crash, exit or hang as soon as it is loaded. An alarm
# ends it in C code too and leaves what it has said, which a kill by Salt's own timeout does not.
_PROBE = r"""
import ctypes, json, signal, struct, sys

def needed(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"\x7fELF":
        raise ValueError("it is no ELF file")
    wide, order = data[4] == 2, "<>"[data[5] == 2]
    offset = struct.unpack_from(order + ("Q" if wide else "L"), data, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    loads, dynamic = [], None
    for start in range(offset, offset + size * count, size):
        if wide:
            kind, _, place, address, _, length = struct.unpack_from(order + "LLQQQQ", data, start)
        else:
            kind, place, address, _, length = struct.unpack_from(order + "LLLLL", data, start)
        if kind == 1:
            loads.append((address, place, length))
        elif kind == 2:
            dynamic = place, length
    step, form = (16, "QQ") if wide else (8, "LL")
    entries = [
        struct.unpack_from(order + form, data, at)
        for at in range(dynamic[0], dynamic[0] + dynamic[1], step)
    ]
    table = dict(entries)[5]
    strings = next(table - a + p for a, p, n in loads if a <= table < a + n)
    names = [data[strings + value:data.index(b"\0", strings + value)]
             for tag, value in entries if tag == 1]
    return [name.decode("utf-8", "replace") for name in names]

def text(function, library):
    buffer, words = ctypes.create_string_buffer(1024), ctypes.create_string_buffer(1024)
    code = getattr(library, function)(buffer, ctypes.c_size_t(1023), words, ctypes.c_size_t(1023))
    return buffer.value.decode("utf-8", "replace") if code == 0 else None

def say(**facts):
    print(json.dumps(facts), flush=True)

path = sys.argv[1]
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
try:
    say(needed=needed(path))
except FileNotFoundError:
    say(error="there is no such file; install slurm-drmaa, or name the file that it brought")
    sys.exit()
except Exception as exc:
    say(error=str(exc))
    sys.exit()
try:
    # As drmaa-python does it: Slurm's plugins look for their symbols in the whole process.
    library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
except OSError as exc:
    say(error=str(exc))
    sys.exit()
say(loads=True)
try:
    say(implementation=text("drmaa_get_DRMAA_implementation", library))
    maps = open("/proc/self/maps", encoding="utf-8", errors="replace").read().split()
    say(libslurm=next((word for word in maps if "/libslurm" in word), None))
    say(system=text("drmaa_get_DRM_system", library))
except AttributeError as exc:
    say(error=str(exc), loads=False)
"""


def info(library=None, user=None, timeout=30):
    """
    Look at the DRMAA library of this host: whether it loads, and fits the Slurm that is installed.

    CLI Example:

    .. code-block:: bash

        salt '*' drmaa.info
        salt '*' drmaa.info /usr/lib/slurm-drmaa/lib/libdrmaa.so.1 user=galaxy

    library
        Path of the library (string), as DRMAA_LIBRARY_PATH or Galaxy's ``drmaa_library_path`` has
        it. Default: the first that is found where packages put it.
    user
        Who loads it (string). Default: the user that Salt runs as.
    timeout
        Bound in seconds of loading it, in a process of its own.

    Returns ``{"library": path or None, "loads": boolean, "version": slurm-drmaa's, "system": name
    and version of Slurm as the library sees it, "needs": the soname of libslurm that it is linked
    with, "installed": [the sonames that are installed], "matches": boolean or None, "problem"}``.
    What cannot be known is None. The problem is one sentence: what is wrong and how to mend it;
    None where nothing is. ``version`` needs the library to load, and ``system`` has no version
    where the controller does not answer.

    A library that is missing, broken or of another Slurm is an answer, not an error.

    Source: slurm_drmaa/drmaa.c; META of Slurm (API_CURRENT); elf.5.
    """
    found = library or next(_existing(_LIBRARIES), None)
    names = (pathlib.Path(path).name for path in _existing(_SLURM_LIBRARIES))
    installed = sorted({".".join(name.split(".")[:3]) for name in names})
    facts: dict = _probe(found, user, timeout) if found else {}
    needs = next((name for name in facts.get("needed", []) if name.startswith("libslurm")), None)
    version = re.search(r"\d[\w.-]*", facts.get("implementation") or "")
    result = {
        "library": found,
        "loads": facts.get("loads", False),
        "version": version[0].rstrip(".") if version else None,
        "system": facts.get("system"),
        "needs": needs,
        "installed": installed,
        "matches": needs in installed if needs else None,
    }
    return {**result, "problem": _judgement(result, facts.get("error"))}


def _existing(patterns):
    """Return the files that are there, as paths."""
    return (
        str(path)
        for pattern in patterns
        for path in sorted(pathlib.Path("/").glob(pattern.lstrip("/")))
    )


def _probe(path, user, timeout):
    """Read and load a library in a child; return what the child could say before it ended."""
    facts = _child([sys.executable, "-c", _PROBE, path, str(timeout)], user, timeout + 5)
    ended = facts.pop("ended")
    if ended == _TOO_LONG:
        words = f"it had not loaded after {timeout} s; libslurm waits where slurm.conf is missing"
        facts.update(loads=False, error=words)
    elif ended and "error" not in facts:
        facts.update(loads=False, error=f"the process that loaded it {ended}")
    return facts


_TOO_LONG = "did not end"


def _child(argv, user, timeout, env=None):
    """
    Run a program that prints facts as JSON, one object a line; return them all as one.

    ``ended`` is how it went wrong, None where it ended with 0.
    """
    facts: dict = {"ended": None}
    try:
        result = __salt__["cmd.run_all"](
            argv,
            cwd="/",
            python_shell=False,
            timeout=timeout,
            ignore_retcode=True,
            output_loglevel="quiet",
            **({"runas": user} if user else {}),
            **({"env": env} if env else {}),
        )
    except (CommandExecutionError, OSError) as exc:
        return {**facts, "ended": "could not be started", "error": str(exc)}
    for line in result["stdout"].splitlines():
        # The library may print as well.
        with contextlib.suppress(ValueError):
            facts.update(said if isinstance(said := json.loads(line), dict) else {})
    if "Timed out after" in result["stdout"] or result["retcode"] == -signal.SIGALRM:
        facts["ended"] = _TOO_LONG
    elif result["retcode"]:
        last = (result["stderr"].strip().splitlines() or [""])[-1]
        facts["ended"] = f"ended with {result['retcode']} {last}".rstrip()
    return facts


def _judgement(found, error):
    """Say in one sentence what is wrong with a library; None if nothing is."""
    path, needs = found["library"], found["needs"]
    have = ", ".join(map(_release, found["installed"]))
    if path is None:
        return (
            "no DRMAA library is installed; install slurm-drmaa, or name its file "
            "(DRMAA_LIBRARY_PATH, or drmaa_library_path of the runner)"
        )
    if needs and not have:
        return f"{path} is linked with {_release(needs)}, and this host has no libslurm: install it"
    if needs and not found["matches"]:
        return (
            f"{path} is linked with {_release(needs)}, and this host has {have}: install the "
            "slurm-drmaa that was built for this Slurm"
        )
    if not found["loads"]:
        return f"{path} cannot be loaded: {error}"
    if not needs:
        return f"{path} is not linked with libslurm: it is the DRMAA library of another system"
    return None


def _release(soname):
    """Return a soname with the release of Slurm that it belongs to."""
    number = soname.rpartition(".")[2]
    release = _RELEASES.get(int(number)) if number.isdigit() else None
    return f"{soname} (Slurm {release})" if release else soname


# --- a session and a job --------------------------------------------------------------------------

_ENDS = ("done", "failed")

_GRACE = 20  # seconds to cancel a job and to close the session, on top of a caller's bound

# Runs with the Python of a virtual environment, and is ended by an alarm as well.
_SESSION = r"""
import contextlib, json, signal, subprocess, sys, time

native, bound, grace = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
signal.alarm(bound + grace)
begun = time.monotonic()

def say(**facts):
    print(json.dumps(facts), flush=True)

def slurm_says(job):
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = ["squeue", "--noheader", "--states=all", "--jobs=" + job, "--format=%T (%r)"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5).stdout.strip()

def submit(session, drmaa):
    say(stage="submit")
    template = session.createJobTemplate()
    template.jobName = "drmaa-session-check"
    template.remoteCommand = "/bin/true"
    template.workingDirectory = "/"
    template.outputPath = ":/dev/null"
    template.joinFiles = True
    if native:
        template.nativeSpecification = native
    job = session.runJob(template)
    say(job=job, stage="wait")
    return job

def state_of(job, session, drmaa):
    try:
        state = session.jobStatus(job)
    except drmaa.errors.DrmaaException as exc:
        say(unknown=str(exc))
    else:
        say(state=state)
        return state

def follow(job, session, drmaa):
    submitted = time.monotonic()
    # session.wait() alone would look every pool_delay seconds, which are ten.
    while state_of(job, session, drmaa) not in (drmaa.JobState.DONE, drmaa.JobState.FAILED):
        if time.monotonic() > begun + bound:
            say(slurm=slurm_says(job), seconds=round(time.monotonic() - submitted, 1))
            session.control(job, drmaa.JobControlAction.TERMINATE)
            say(cancelled=True)
            return
        time.sleep(0.3)
    say(slurm=slurm_says(job), seconds=round(time.monotonic() - submitted, 1))
    end = session.wait(job, session.TIMEOUT_NO_WAIT)
    say(exit_status=end.exitStatus if end.hasExited else None)

try:
    say(stage="package")
    import drmaa
    say(stage="session")
    with drmaa.Session() as session:
        follow(submit(session, drmaa), session, drmaa)
        say(stage="end")
    say(stage="done")
except Exception as exc:
    say(error=str(exc), kind=type(exc).__name__)
"""


def session_check(venv, user="galaxy", library=None, native=None, timeout=60):
    """
    Run a job through the DRMAA library as Galaxy's runner does, and follow it to its end.

    The job is ``/bin/true`` in ``/``, with its output thrown away. One that has not ended in time
    is cancelled.

    CLI Example:

    .. code-block:: bash

        salt 'galaxy*' drmaa.session_check /srv/galaxy/venv
        salt 'galaxy*' drmaa.session_check /srv/galaxy/venv native='--partition=main --mem=100'

    venv
        Path of the virtual environment (string) whose ``drmaa`` package is used: Galaxy's own.
    user
        Whose session and job it is (string): the user that Galaxy runs as. Never root.
    library
        Path of the DRMAA library (string), set as DRMAA_LIBRARY_PATH. Default: as for ``info``.
    native
        A native specification (string), as a destination has it. Default: none.
    timeout
        Bound in seconds (integer) of the submission and of the wait for the job's end together.
        Cancelling the job and closing the session may take 20 s more.

    Returns ``{"job": Slurm's job id as a string, "exit_status": integer, "state": the last state in
    DRMAA's words (done, failed, queued_active, running …), "seconds": from the submission to the
    end or to the bound, "library": path, "problem"}``. What is not known is None. The problem is
    one sentence, None where the job ran and ended with 0.

    Raises SaltInvocationError when the user is root or the timeout no positive whole number. What
    does not work is an answer, not an error.

    Source: GFD.133 (DRMAA 1.0), drmaa_run_job and drmaa_job_ps; slurm_drmaa/job.c and session.c of
    slurm-drmaa 1.1.6; drmaa-python 0.7.9, session.py.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1:
        raise SaltInvocationError(f"timeout: {timeout!r} is no number of seconds, such as 60")
    result = dict.fromkeys(("job", "exit_status", "state", "seconds", "library", "problem"))
    try:
        if pwd.getpwnam(user).pw_uid == 0:
            raise SaltInvocationError(f'user: "{user}" is root; name the user that Galaxy runs as')
    except KeyError:
        return {**result, "library": library, "problem": f'there is no user "{user}" on this host'}
    loaded = info(library, user)
    result.update(library=loaded["library"], problem=loaded["problem"])
    python = pathlib.Path(venv, "bin/python")
    if not result["problem"] and not python.exists():
        result["problem"] = f"{venv} has no bin/python: it is no virtual environment"
    if result["problem"]:
        return result
    facts = _child(
        [str(python), "-c", _SESSION, native or "", str(timeout), str(_GRACE)],
        user,
        timeout + _GRACE + 10,
        {"DRMAA_LIBRARY_PATH": result["library"]},
    )
    result.update({key: facts[key] for key in result if key in facts})
    if result["job"] and not facts.get("cancelled") and result["state"] not in _ENDS:
        # The child ended before the job did, and nobody else will look after it.
        cancelled = _child(["scancel", result["job"]], user, _GRACE)
        facts["cancelled"] = not cancelled["ended"]
    result["problem"] = _session_problem(result, facts, venv, user, native, timeout)
    return result


def _session_problem(result, facts, venv, user, native, timeout):
    """Say in one sentence why a session or its job did not work; None if both did."""
    stage, job, words = facts.get("stage"), result["job"], _words(facts, timeout)
    if stage == "done" and result["state"] == "done" and result["exit_status"] == 0:
        return None
    if stage is None:
        return f"{venv}/bin/python does not run as {user}: {words}"
    if stage == "package":
        if facts.get("kind") == "ModuleNotFoundError":
            return f"{venv} has no Python package drmaa: install it there (pip install drmaa)"
        return f"the Python package drmaa of {venv} cannot load {result['library']}: {words}"
    if stage == "session":
        return f"{result['library']} opens no session: {words}; see /etc/slurm_drmaa.conf"
    if stage == "submit":
        return _refusal(facts, words, native)
    said = f", Slurm says {facts['slurm']}" if facts.get("slurm") else ""
    if result["state"] in _ENDS:
        if stage != "done":
            return f"job {job} is {result['state']}, and the session went wrong then: {words}"
        status = f" with exit status {result['exit_status']}" if result["exit_status"] else ""
        return (
            f"job {job} ended as {result['state']}{status}{said}: see scontrol show job {job}, and "
            "slurmd's log on its node"
        )
    fate = "was cancelled"
    if not facts.get("cancelled"):
        fate = f"could not be cancelled ({words}): run scancel {job} when the controller answers"
    state = result["state"] or "unknown"
    return f"job {job} had not ended after {timeout} s: its state was {state}{said}; it {fate}"


def _refusal(facts, words, native):
    """Say why no job could be submitted."""
    kind = facts.get("kind", "")
    spec = f' (native specification "{native}")' if native else ""
    found = parse_native(native)["problems"] if native else []
    # Without a word of its own it has crashed on it.
    if found and (kind.startswith("Invalid") or not kind):
        told = "; ".join(each["message"] for each in found)
        return f'slurm-drmaa refuses the native specification "{native}": {told}'
    if kind == "DeniedByDrmException":
        return f"Slurm refuses the job: {words}{spec}"
    if kind.startswith("Invalid"):
        where = spec or "; see job_categories in /etc/slurm_drmaa.conf"
        return f"slurm-drmaa refuses the job: {words}{where}"
    return f"no job could be submitted: {words}{spec}"


def _words(facts, timeout):
    """Return what the library said, without the numbers and names of its functions."""
    error = facts.get("error") or facts.get("unknown")
    if error is None:
        if facts["ended"] == _TOO_LONG:
            return f"no answer within {timeout} s"
        return f"the process {facts['ended']}" if facts["ended"] else "it says nothing more"
    error = re.sub(r"^code \d+: ", "", error)
    error = re.sub(r"^slurm_\w+ error(?: \(\d+\))?: |,job_id: \d+$", "", error)
    return " ".join(error.split()).rstrip(".") or facts.get("kind", "it says nothing more")


# --- slurm_drmaa.conf -----------------------------------------------------------------------------

# What drmaa-utils takes, as its kind; a name that it does not know it passes over in silence.
_CONFIG = {
    "cache_job_state": "seconds",
    "job_categories": "categories",
    "pool_delay": "positive",
    "wait_thread": "switch",
}


def render_config(config):
    """
    Write slurm_drmaa.conf from data, in slurm-drmaa's own form of a dictionary.

    CLI Example:

    .. code-block:: bash

        salt-call --local drmaa.render_config '{cache_job_state: 5}'

    config
        The file's content (mapping): ``cache_job_state`` and ``pool_delay`` in seconds (integers),
        ``wait_thread`` (boolean), ``job_categories`` (mapping of a category's name to its native
        specification; ``default`` is that of every job which names no category). A value of None
        is left out.

    Returns the text (string), sorted, without a header.

    Raises SaltInvocationError with a sentence for each mistake: a name that slurm-drmaa would pass
    over, a value of another kind, with which every session fails, and a native specification that
    it refuses, with which every job does.

    Source: drmaa_utils/conf.c, conf_tab.y and fsd_session.c
    (fsd_drmaa_session_apply_configuration) of drmaa-utils; README.md of slurm-drmaa, Configuration.
    """
    if not isinstance(config, dict):
        raise SaltInvocationError(f"slurm_drmaa.conf is made from a mapping, not from {config!r}")
    problems: list[str] = []
    lines = []
    for name, value in sorted(config.items(), key=lambda item: str(item[0])):
        if value is None:
            continue
        text, wrong = _configured(name, value)
        problems += [f"slurm_drmaa.conf, {name}: {each}" for each in wrong]
        lines.append(f"{name}: {text},")
    if problems:
        raise SaltInvocationError("\n".join(problems))
    return "".join(f"{line}\n" for line in lines)


def _configured(name, value):
    """Return a value as the file has it, and what is wrong with it."""
    kind = _CONFIG.get(name) if isinstance(name, str) else None
    number = isinstance(value, int) and not isinstance(value, bool)
    if kind == "categories":
        return _categories(value)
    if kind == "switch":
        fits = isinstance(value, bool) or (number and value in (0, 1))
        return str(int(value)) if fits else "", [] if fits else [f"{value!r} is not true or false"]
    if kind:
        least = int(kind == "positive")
        fits = number and least <= value <= _MOST
        return str(value), [] if fits else [f"{value!r} is no whole number of seconds from {least}"]
    if name == "missing_jobs":
        return "", ["slurm-drmaa opens no session with any value of it; leave it out"]
    near = difflib.get_close_matches(str(name), _CONFIG, 1)
    meant = f"; did you mean {near[0]}?" if near else f"; it knows {', '.join(_CONFIG)}"
    return "", [f"slurm-drmaa knows no such name{meant}"]


def _categories(value):
    """Return job categories as the file has them, and what is wrong with them."""
    if not isinstance(value, dict):
        return "", [f"{value!r} is no mapping of names to native specifications"]
    lines, problems = [], []
    for name, spec in sorted(value.items(), key=lambda item: str(item[0])):
        if spec is None:
            continue
        if not isinstance(name, str) or not isinstance(spec, str):
            problems.append(f"{name!r}: {spec!r} is not a name and a text; put both in quotes")
            continue
        if any(all(quote in text for quote in "\"'") for text in (name, spec)):
            problems.append(f"{name}: a text with both kinds of quotes cannot be written there")
            continue
        problems += [f"{name}: {each['message']}" for each in parse_native(spec)["problems"]]
        lines.append(f"  {_quoted(name)}: {_quoted(spec)},")
    return "\n".join(["{", *lines, "}"]), problems


def _quoted(text):
    """Put a text in quotes, which know no escapes."""
    return f"'{text}'" if '"' in text else f'"{text}"'
