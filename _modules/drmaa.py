"""Read what slurm-drmaa reads: native specifications, and the library itself."""

import difflib
import functools
import json
import pathlib
import re
import sys

from salt.exceptions import CommandExecutionError

__salt__: dict

# slurm_drmaa/util.c, slurmdrmaa_parse_additional_attr: option -> kind of its value, None for none.
LONG = {
    "account": "text",
    "acctg-freq": "text",
    "comment": "text",
    "constraint": "text",
    "contiguous": None,
    "cpus-per-task": "number",
    "error": "text",
    "exclusive": None,
    "mem": "number",
    "mem-per-cpu": "number",
    "mincpus": "number",
    "nodelist": "text",
    "nodes": "nodes",
    "ntasks-per-node": "number",
    "output": "text",
    "partition": "text",
    "qos": "text",
    "requeue": None,
    "reservation": "text",
    "share": None,
    "job_name": "text",
    "time_limit": "time",
    "time": "time",
    "ntasks": "number",
    "gres": "text",
    "clusters": "text",
    "no-kill": None,
    "licenses": "text",
    "mail-type": "text",
    "no-requeue": None,
    "exclude": "text",
    "tmp": "number",
    "dependency": "text",
}
# slurmdrmaa_parse_native. All of these take the next word, even -k and -s, which do not use it.
SHORT = {
    "A": "account",
    "C": "constraint",
    "c": "cpus-per-task",
    "d": "dependency",
    "e": "error",
    "k": "no-kill",
    "N": "nodes",
    "o": "output",
    "p": "partition",
    "s": "share",
    "w": "nodelist",
    "J": "job_name",
    "t": "time",
    "n": "ntasks",
    "x": "exclude",
    "L": "licenses",
    "M": "clusters",
}
# drmaa_utils: fsd_atoi takes no suffix; datetime_tab.y needs hours and minutes and knows no days
# before hours.
NUMBER = re.compile(r"[+-]?\d+")
NODES = re.compile(r"\d+(-\d+)?")
TIME = re.compile(r"(\d+([-/]\d+){0,2}T)?\d+:\d+(:\d+)?(Z|[+-]?\d+(:\d+)?)?")

LIBRARIES = (
    "/usr/lib/slurm-drmaa/lib/libdrmaa.so.1",
    "/usr/lib/*/libdrmaa.so.1",
    "/usr/lib/libdrmaa.so.1",
    "/usr/lib64/libdrmaa.so.1",
    "/opt/slurm-drmaa/lib/libdrmaa.so.1",
)


@functools.lru_cache(maxsize=4096)
def _parse(spec):
    """Parse a native specification; return its options and its problems as tuples."""
    options, problems, pending = [], [], None

    def put(option, value):
        kind = LONG[option]
        words = None
        if kind == "number" and not NUMBER.fullmatch(value):
            words = "a whole number" + (" of megabytes, without a unit" if "mem" in option else "")
        elif kind == "nodes" and not NODES.fullmatch(value):
            words = "a number or MIN-MAX"
        elif kind == "time" and not TIME.fullmatch(value):
            words = "H:M or H:M:S (no days, no plain minutes)"
        if words:
            problems.append(
                (f"--{option}", f"slurm-drmaa refuses {value!r} of --{option}: it takes {words}")
            )
        options.append((option, True if kind is None else value))

    for word in re.split(r"[ \t]+", spec.strip(" \t")) if spec.strip(" \t") else ():
        if pending:
            if pending in SHORT:
                put(SHORT[pending], word)
            else:
                problems.append((f"-{pending}", f"slurm-drmaa has no option -{pending}"))
            pending = word[1] if len(word) == 2 and word[0] == "-" else None
        elif word.startswith("--"):
            name, _, value = word[2:].partition("=")
            value = value.lstrip("=").partition("=")[0]
            if name not in LONG:
                near = difflib.get_close_matches(name, LONG, 1, 0.7)
                hint = (
                    f"; did you mean --{near[0]}?"
                    if near
                    else "; sbatch's options are not all known to it"
                )
                problems.append((f"--{name}", f"slurm-drmaa has no option --{name}{hint}"))
            elif LONG[name] and not value:
                problems.append((f"--{name}", f"slurm-drmaa needs --{name}=VALUE, with the ="))
            else:
                put(name, value)
        elif not word.startswith("-") or word == "-":
            problems.append((word, f"slurm-drmaa does not expect {word!r} here"))
            break
        elif len(word) > 2:
            problems.append(
                (word, f"slurm-drmaa refuses {word!r}: put a space after -{word[1]}, or write --")
            )
            break
        else:
            pending = word[1]
    if pending and spec != "-s":
        problems.append((f"-{pending}", f"slurm-drmaa expects a word after -{pending}"))
    return tuple(options), tuple(problems)


def parse_native(spec):
    """
    Parse a native specification the way that slurm-drmaa does, which is not the way of sbatch.

    CLI Example:

    .. code-block:: bash

        salt-call --local drmaa.parse_native '-p main --mem=4000 --time=2:00:00'

    spec
        What Galaxy's ``nativeSpecification`` says (string).

    Returns a mapping: options (long name to its value, True where it takes none), and problems, a
    list of mappings of option and message, one for each thing that slurm-drmaa refuses. It refuses
    the whole specification then.

    Source: slurm_drmaa/util.c of slurm-drmaa 1.1.6 (slurmdrmaa_parse_native), drmaa_utils/util.c
    (fsd_atoi) and datetime_tab.y. Releases before 1.1.0 know fewer: no --clusters, --dependency,
    --cpus-per-task, --output, --error.
    """
    options, problems = _parse(str(spec))
    return {
        "options": dict(options),
        "problems": [{"option": option, "message": message} for option, message in problems],
    }


# Runs in a child process: a library that crashes takes only that with it.
_LOOK = r"""
import ctypes, json, os, re, sys
library = ctypes.CDLL(sys.argv[1])
def ask(name):
    text, error = ctypes.create_string_buffer(1024), ctypes.create_string_buffer(1024)
    code = getattr(library, name)(text, ctypes.c_size_t(1024), error, ctypes.c_size_t(1024))
    return text.value.decode(errors="replace") if code == 0 else None
maps = open("/proc/self/maps").read()
linked = sorted(set(re.findall(r"/\S*libslurm[\w.-]*\.so[\w.]*", maps)))
major, minor, error = ctypes.c_uint(), ctypes.c_uint(), ctypes.create_string_buffer(1024)
library.drmaa_version(ctypes.byref(major), ctypes.byref(minor), error, ctypes.c_size_t(1024))
print(json.dumps({
    "version": "%d.%d" % (major.value, minor.value),
    "implementation": ask("drmaa_get_DRMAA_implementation"),
    "drm_system": ask("drmaa_get_DRM_system"),
    "libslurm": linked,
}))
"""


def info(library=None):
    """
    Tell which DRMAA library there is, what it is linked with, and whether that is installed.

    CLI Example:

    .. code-block:: bash

        salt-call --local drmaa.info
        salt-call --local drmaa.info /usr/lib/slurm-drmaa/lib/libdrmaa.so.1

    library
        Path of the library (string); default: the first of the places where packages put it.

    Returns a mapping: library (its path, None where there is none), loads (bool), problem (one
    sentence, None where all is well), and where it loads version (of the DRMAA interface),
    implementation, drm_system and libslurm (paths of the libslurm that it uses). The library is
    loaded in a child process of its own, for at most 30 seconds. It opens no session.
    """
    found = library or next(
        (
            path
            for pattern in LIBRARIES
            for path in sorted(map(str, pathlib.Path("/").glob(pattern[1:])))
        ),
        None,
    )
    answer = {"library": found, "loads": False, "problem": None}
    if found is None:
        answer["problem"] = "there is no libdrmaa.so.1 in " + ", ".join(LIBRARIES)
        return answer
    if not __salt__["file.file_exists"](found):
        return {**answer, "problem": f"{found} does not exist"}
    try:
        result = __salt__["cmd.run_all"](
            [sys.executable, "-c", _LOOK, found],
            python_shell=False,
            timeout=30,
            ignore_retcode=True,
            output_loglevel="quiet",
        )
        if result["retcode"] == 0:
            answer.update(json.loads(result["stdout"]), loads=True)
            return answer
    except (CommandExecutionError, ValueError) as error:
        return {**answer, "problem": f"{found} cannot be loaded: {error}"}
    words = (result["stderr"].strip().splitlines() or ["it crashed"])[-1]
    missing = re.search(r"libslurm\.so\.\d+", words)
    if missing:
        words = (
            f"it needs {missing[0]}, which is not installed; install the slurm-drmaa that was "
            "built for this host's Slurm"
        )
    return {**answer, "problem": f"{found} cannot be loaded: {words}"}
