"""
Understand Slurm's configuration: parse, render, lint, diff, plan and check its files as data.

The functions work on a **set** of files, because slurm.conf, cgroup.conf, gres.conf and
topology.conf mean something only together. A set is the path of a configuration directory, the
path of one file (its neighbours are read with it), or a mapping of file names to texts, to what
:py:func:`render` takes, or to what :py:func:`parse` returns:

.. code-block:: bash

    salt-call --local slurm_conf.lint /etc/slurm version=22.05
    salt-call --local slurm_conf.plan /etc/slurm /root/new version=22.05

Which parameters there are, and what each takes, comes from ``slurm_parameters``. Every finding has
a code that docs/slurm-conf-codes.rst explains.
"""

import collections
import contextlib
import difflib
import functools
import os
import pathlib
import re
import shutil
import tempfile

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict
__opts__: dict

HEADER = "# Managed by Salt (slurm_galaxy): change the pillar, not this file.\n"

FILES = (
    "slurm.conf",
    "cgroup.conf",
    "gres.conf",
    "topology.conf",
    "acct_gather.conf",
    "job_container.conf",
    "slurmdbd.conf",
)

# The parameters that open a line of fields: file to opening parameter to the table of its fields.
_OPENERS = {
    "slurm.conf": {
        "nodename": "NodeName",
        "partitionname": "PartitionName",
        "nodeset": "NodeSet",
        "downnodes": "DownNodes",
        "frontendname": "FrontendName",
        "poweraction": "PowerAction",
    },
    "gres.conf": {"nodename": "gres.conf", "name": "gres.conf"},
    "topology.conf": {"switchname": "topology.conf", "blockname": "topology.conf"},
    "job_container.conf": {"nodename": "job_container.conf", "basepath": "job_container.conf"},
}

_MOST_INCLUDES = 16  # deep; Slurm itself has no bound and would read for ever


# --- parse ----------------------------------------------------------------------------------------

_BLANK = " \t\n\v\f\r"  # isspace(3) in the C locale, unlike Python's
# The same pattern as Slurm's src/common/parse_config.c: quotes count only around a whole value.
_PAIR = re.compile(
    rf"[{_BLANK}]*([A-Za-z0-9_.]+)[{_BLANK}]*[-*+/]?=[{_BLANK}]*"
    rf'(?:"([^"]*)"(?=[{_BLANK}]|$)|([^{_BLANK}]+))'
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)#.*", re.S)
_CONTINUED = re.compile(rf"(?<!\\)((?:\\\\)*)\\[{_BLANK}]*$")
_INCLUDE = re.compile(rf"include[{_BLANK}]+([^{_BLANK}]+)", re.I)


def parse(path=None, text=None, name=None, files=None):
    """
    Read one of Slurm's files into entries, each with its file and line.

    It reads what Slurm reads: continuation lines, comments, escapes, quotes, Include. No bytes
    make it fail; what Slurm would refuse is a finding.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.parse /etc/slurm/slurm.conf

    path
        The file.
    text
        The contents, instead of a path.
    name
        What the file is called in findings, and which of Slurm's files it is (default: the name of
        ``path``, or slurm.conf).
    files
        Other files' texts by name, which Include finds before it looks at the disk.

    Returns ``{"name": …, "entries": […], "findings": […]}`` in the order of lines; an entry is
    ``{"key", "value", "file", "line"}``, and a line such as NodeName has ``fields``, which map what
    follows the first value. Findings are those of :py:func:`lint` about lines (codes SC0xx).

    Raises SaltInvocationError unless exactly one of ``path`` and ``text`` is given.

    Source: slurm.conf(5), DESCRIPTION and INCLUDE; src/common/parse_config.c.
    """
    if (path is None) == (text is None):
        raise SaltInvocationError("give either the path of a file or its text")
    result: dict = {
        "name": name or (pathlib.PurePath(path).name if path else "slurm.conf"),
        "entries": [],
        "findings": [],
    }
    _Reader(result, files or {}).read(path, text, result["name"], ())
    return result


class _Reader:
    """Read a file with those that it includes."""

    def __init__(self, result, files):
        self.entries, self.findings = result["entries"], result["findings"]
        self.openers = _OPENERS.get(_kind(result["name"]), {})
        self.files = files
        self.cluster = None

    def find(self, code, level, file, line, message):
        self.findings.append(_finding(code, level, file, line, message))

    def read(self, path, text, name, within):
        """Read one file; ``within`` has the files whose Include lines have led here."""
        if text is None:
            try:
                text = _decode(pathlib.Path(path).read_bytes())
            except (OSError, ValueError) as exc:
                reason = getattr(exc, "strerror", None) or exc
                self.find("SC001", "error", name, 0, f"{path} cannot be read: {reason}")
                return
        folder = pathlib.Path(path).parent if path else None
        for number, line in _lines(text):
            include = _INCLUDE.match(line)
            if include:
                self.include(include, line, name, number, folder, (*within, path or name))
            else:
                self.pairs(line, name, number)

    def pairs(self, line, name, number):
        """Read ``Key=value Key=value …``."""
        pairs = []
        end = 0
        match = _PAIR.match(line)
        while match:
            pairs.append((match[1], match[3] if match[2] is None else match[2]))
            end = match.end()
            match = _PAIR.match(line, end)
        rest = line[end:].strip(_BLANK)
        if rest:
            self.find(
                "SC002",
                "error",
                name,
                number,
                f"{_shown(rest)} is no Key=value (a value with blanks needs double quotes, "
                "and none may stand empty)",
            )
        if not pairs:
            return
        (key, value), *others = pairs
        entry = {"key": key, "value": value, "file": name, "line": number}
        if key.lower() in self.openers:
            entry["fields"] = dict(others)
            self.repeated(others, name, number)
        elif others:
            self.find(
                "SC002",
                "error",
                name,
                number,
                f"{others[0][0]} stands on the line of {key}; Slurm reads one parameter a line",
            )
        if key.lower() == "clustername":
            self.cluster = value.lower()
        self.entries.append(entry)

    def repeated(self, fields, name, number):
        """Find fields that are given twice on a line."""
        seen: dict = {}
        for key, _ in fields:
            if key.lower() in seen:
                again = "" if seen[key.lower()] == key else f" (as {seen[key.lower()]} and {key})"
                self.find(
                    "SC106",
                    "warning",
                    name,
                    number,
                    f"{key} is given twice on this line{again}; Slurm takes the last",
                )
            seen[key.lower()] = key

    def include(self, match, line, name, number, folder, within):
        """Follow an Include line."""
        target, rest = match[1], line[match.end() :].strip(_BLANK)
        if rest:
            self.find("SC002", "error", name, number, f"{_shown(rest)} follows the file of Include")
        if "%c" in target:
            if self.cluster is None:
                why = "no ClusterName stands before it"
                self.find("SC003", "error", name, number, f"Include {target}: {why}")
                return
            target = target.replace("%c", self.cluster)
        if target in self.files:
            found: list[tuple] = [(None, _text_of(self.files[target]), target)]
        else:
            # A text without a folder has no neighbours but those that came with it.
            absolute = target.startswith("/")
            paths = _matching(pathlib.Path(folder or "/", target)) if folder or absolute else []
            found = [
                (
                    str(path),
                    None,
                    str(path if absolute else pathlib.Path(target).parent / path.name),
                )
                for path in paths
            ]
        if "*" in target:
            self.find(
                "SC004",
                "error",
                name,
                number,
                f"Include {target}: Slurm reads no globs; include each file by its name",
            )
        elif not found:
            self.find(
                "SC003",
                "error",
                name,
                number,
                f"Include {target}: there is no such file; Slurm waits a minute for it and fails",
            )
        for path, text, called in found:
            if (path or called) in within or len(within) >= _MOST_INCLUDES:
                self.find(
                    "SC005",
                    "error",
                    name,
                    number,
                    f"Include {target}: the files include each other, without end",
                )
            else:
                self.read(path, text, called, within)


def _lines(text):
    """Yield each logical line with the number of its first one, as parse_config.c reads them."""
    held, start = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("\0")[0]  # as C's functions for strings have it
        if "#" in line:
            line = _COMMENT.sub(r"\1", line)
        start = start or number
        more = "\\" in line and _CONTINUED.search(line)
        if more:
            held += line[: more.end(1)]
            continue
        if held or line.strip(_BLANK):
            yield start, _unescaped(held + line)
        held, start = "", 0
    if held:
        yield start, _unescaped(held)


def _unescaped(line):
    """Take away the backslashes, each of which saves the character after it."""
    return re.sub(r"\\(.?)", r"\1", line, flags=re.S) if "\\" in line else line


def _decode(data):
    """Decode a file: as UTF-8, else byte for byte."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _matching(path):
    """List the files that an Include means, sorted; only a * makes a pattern of it."""
    with contextlib.suppress(OSError, ValueError):
        if "*" in path.name:
            return sorted(path.parent.glob(path.name))
        return [path] if path.is_file() else []
    return []


def _kind(name):
    """Tell which of Slurm's files a file is, by its name: slurm.conf unless another's name."""
    base = pathlib.PurePath(name).name.lower()
    stems = ((file.partition(".")[0], file) for file in FILES)
    return next((file for stem, file in stems if re.match(rf"{stem}(?![a-z_])", base)), FILES[0])


def _finding(code, level, file, line, message):
    return {"code": code, "level": level, "file": file, "line": line, "message": message}


def _shown(text):
    """Show the beginning of a text, never the value of what may be a password."""
    text = _hidden(text)
    return repr(text if len(text) <= 40 else text[:40] + "…")


# --- render ---------------------------------------------------------------------------------------

# The table of a line's fields, where it has not the name of its opener.
_FIELDS_OF = {
    ("NodeName", "Name"): "gres.conf",
    ("SwitchName",): "topology.conf",
    ("BlockName",): "topology.conf",
    ("NodeName", "BasePath"): "job_container.conf",
}


def render(
    settings=None,
    nodes=None,
    partitions=None,
    nodesets=None,
    down_nodes=None,
    gres=None,
    switches=None,
    blocks=None,
    containers=None,
    file=None,
):
    """
    Render one of Slurm's files.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.render '{ClusterName: galaxy}' '[{NodeName: "n[1-2]"}]'

    settings
        Parameter to value. True and False become YES and NO where the parameter takes these, a list
        becomes its items joined by commas (or a line each, for those such as SlurmctldHost that
        may stand several times), None leaves the parameter out.
    nodes, partitions, nodesets, down_nodes
        Mappings for the lines of slurm.conf that begin with NodeName, PartitionName, NodeSet and
        DownNodes, in this order, those named DEFAULT first.
    gres
        Mappings for the lines of gres.conf, which begin with NodeName or Name.
    switches, blocks
        Mappings for the lines of topology.conf that begin with SwitchName and BlockName.
    containers
        Mappings for the lines of job_container.conf, which begin with NodeName or BasePath.
    file
        Which of Slurm's files this is; without it, a parameter of any of them is known.

    Returns the text of the file.

    Raises SaltInvocationError for a boolean where Slurm takes none, for a line without its name,
    and for text that no file of Slurm can hold.

    Source: slurm.conf(5), DESCRIPTION.
    """
    rows = _rows((_kind(file),) if file else FILES)
    lines = [HEADER]
    for key in sorted(settings or {}, key=str.lower):
        value = settings[key]
        repeated = isinstance(value, list) and (rows.get(key.lower()) or {}).get("repeat")
        lines += [
            f"{key}={_text(key, item, rows)}\n"
            for item in (value if repeated else [value])
            if item is not None
        ]
    for openers, entries in (
        (("NodeName",), nodes),
        (("NodeSet",), nodesets),
        (("PartitionName",), partitions),
        (("DownNodes",), down_nodes),
        (("NodeName", "Name"), gres),
        (("SwitchName",), switches),
        (("BlockName",), blocks),
        (("NodeName", "BasePath"), containers),
    ):
        if not entries:
            continue
        fields = _table(_FIELDS_OF.get(openers, openers[0]))
        lines += sorted(
            (_line(openers, entry, fields) for entry in entries),
            key=lambda line: line.split()[0].partition("=")[2].upper() != "DEFAULT",
        )
    return "".join(lines)


def _line(openers, entry, rows):
    """Render a mapping as one line that begins with its name."""
    names = {key.lower(): key for key in entry}
    first = next((opener for opener in openers if opener.lower() in names), None)
    if first is None:
        raise SaltInvocationError(f"{' or '.join(openers)} is missing in {entry!r:.80}")
    name = names[first.lower()]
    others = sorted((key for key in entry if key != name), key=str.lower)
    pairs = [(first, entry[name])] + [(key, entry[key]) for key in others]
    return " ".join(f"{k}={_text(k, v, rows)}" for k, v in pairs if v is not None) + "\n"


def _text(key, value, rows):
    """Render a value, quoted where it holds a blank; a # would begin a comment."""
    if isinstance(value, bool):
        row = rows.get(key.lower())
        words = [str(word).upper() for word in (row or {}).get("values") or ()]
        if row and row["kind"] != "yes_no" and not {"YES", "NO"} <= set(words):
            raise SaltInvocationError(
                f"{key}: takes no YES or NO, and YAML reads yes, no, on and off as such; "
                "quote the word that you mean, or give the number"
            )
        return "YES" if value else "NO"
    if isinstance(value, list):
        value = ",".join(
            _text(key, item, rows) if isinstance(item, bool) else str(item) for item in value
        )
    if isinstance(value, dict):
        raise SaltInvocationError(f"{key}: must be one value or a list of values, not a mapping")
    text = str(value)
    quoted = not text or re.search(f"[{_BLANK}]", text)
    if re.search(r"[\n\0]", text) or (quoted and '"' in text) or re.fullmatch('"[^"]*"', text):
        raise SaltInvocationError(
            f"{key}: no file of Slurm can hold a line break, or a double quote beside a blank"
        )
    text = text.replace("\\", "\\\\").replace("#", "\\#")
    return f'"{text}"' if quoted else text


def fold(nodes):
    """
    Fold node lines that say the same into one line each, with a hostlist.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.fold '[{NodeName: n1, CPUs: 2}, {NodeName: n2, CPUs: 2}]'

    nodes
        Mappings for lines that begin with NodeName, as :py:func:`render` takes them; their names
        may be hostlists already.

    Returns the list of mappings, one a kind, in the order of each kind's first node. A line whose
    other values are hostlists (NodeAddr, NodeHostname, Port), and DEFAULT, stay as they are, for
    their order has a meaning.

    Source: slurm.conf(5), NODE CONFIGURATION.
    """
    kinds: dict = {}
    for index, node in enumerate(nodes):
        lower = {key.lower(): value for key, value in node.items()}
        name = str(lower.pop("nodename"))
        alone = name.upper() == "DEFAULT" or lower.keys() & {"nodeaddr", "nodehostname", "port"}
        kind = (index,) if alone else tuple(sorted((k, str(v)) for k, v in lower.items()))
        kinds.setdefault(kind, (node, []))[1].append(name)
    return [_one_line(node, names) for node, names in kinds.values()]


def _one_line(node, names):
    """Return a node line for all of these names."""
    if len(names) == 1:
        return node
    key = next(key for key in node if key.lower() == "nodename")
    every = [each for name in names for each in _expand(name)]
    return {**node, key: __salt__["slurm.hostlist_fold"](every, sort=True)}


def data(parsed):
    """
    Turn what :py:func:`parse` returns into what :py:func:`render` takes.

    Rendered, it means the same to Slurm: of a parameter given several times the last counts, and
    where a DEFAULT line stands below lines that it does not hold for, each line gets its own.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.data "$(salt-call --local --out=json slurm_conf.parse …)"

    parsed
        What ``parse`` returned.

    Returns the mapping of arguments.
    """
    rows = _table(_kind(parsed["name"]))
    settings: dict = {}
    lines: dict = {}
    names: dict = {}
    for entry in parsed["entries"]:
        key = entry["key"].lower()
        if "fields" in entry:
            argument = _WHOLE.get(_kind(parsed["name"])) or _ARGUMENTS.get(key)
            if argument:
                lines.setdefault(argument, []).append(
                    {entry["key"]: entry["value"], **entry["fields"]}
                )
        elif (rows.get(key) or {}).get("repeat"):
            settings.setdefault(names.setdefault(key, entry["key"]), []).append(entry["value"])
        else:
            settings.pop(names.get(key), None)
            names[key] = entry["key"]
            settings[entry["key"]] = entry["value"]
    for key, value in settings.items():
        if isinstance(value, list) and len(value) == 1:
            settings[key] = value[0]
    for argument in ("nodes", "partitions", "down_nodes"):
        if argument in lines:
            lines[argument] = _defaults_first(lines[argument])
    return {"settings": settings, **lines, "file": _kind(parsed["name"])}


_WHOLE = {"gres.conf": "gres", "job_container.conf": "containers"}
_ARGUMENTS = {
    "nodename": "nodes",
    "partitionname": "partitions",
    "nodeset": "nodesets",
    "downnodes": "down_nodes",
    "switchname": "switches",
    "blockname": "blocks",
}


def _defaults_first(lines):
    """Return lines that mean the same with their DEFAULT lines at the top, or with none."""
    is_default = [next(iter(line.values())).upper() == "DEFAULT" for line in lines]
    if is_default == sorted(is_default, reverse=True):
        return lines
    result = []
    default: dict = {}
    for line, sets in zip(lines, is_default, strict=True):
        if sets:
            _merge(default, dict(list(line.items())[1:]))
        else:
            first, *others = line.items()
            result.append(dict([first, *_merge(dict(default), dict(others)).items()]))
    return result


def _merge(base, top):
    """Put the fields of ``top`` over ``base`` whatever their case, and return it."""
    spelling = {key.lower(): key for key in base}
    for key, value in top.items():
        base.pop(spelling.get(key.lower(), key), None)
        base[key] = value
    return base


# --- sets of files --------------------------------------------------------------------------------


def _table(section, version=None):
    return __salt__["slurm_parameters.table"](section, version)


def _rows(files):
    """Join the tables of several files; the first that has a parameter counts."""
    rows = {}
    for file in reversed(files):
        rows.update(_table(file))
    return rows


def _text_of(source):
    """Return the text of a member of a set."""
    if isinstance(source, str):
        return source
    if "entries" in source:
        return render(**data(source))
    return render(**source)


def _parsed(files):
    """Parse a set; return file name to what ``parse`` returns, and the directory it came from."""
    if isinstance(files, dict):
        texts = {name: _text_of(src) for name, src in files.items() if "entries" not in src}
        return {
            name: source if "entries" in source else parse(text=texts[name], name=name, files=texts)
            for name, source in files.items()
            if "entries" in source or pathlib.PurePath(name).name in FILES or len(files) == 1
        }
    path = pathlib.Path(files).absolute()
    folder = path if path.is_dir() else path.parent
    names = set() if path.is_dir() else {path.name}
    if not names or _kind(path.name) == FILES[0]:
        taken = {_kind(name) for name in names}
        names |= {name for name in FILES if name not in taken and (folder / name).is_file()}
    return {name: parse(str(folder / name)) for name in sorted(names)}


# --- lint -----------------------------------------------------------------------------------------

_YES_NO = {
    **dict.fromkeys(("yes", "up", "true", "1"), True),
    **dict.fromkeys(("no", "down", "false", "0"), False),
}
_BOUNDS = {"uint16": 0xFFFF, "uint32": 0xFFFFFFFF, "uint64": 0xFFFFFFFFFFFFFFFF}
# As strtoul(3) with base 0 reads them; nothing at all is 0.
_NUMBER = re.compile(r"\s*[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)|")
_TIME = re.compile(
    r"(\d+-)?\d+(:\d+){0,2}|infinite|unlimited|-1", re.I
)  # time_str2mins() of src/common/parse_time.c

# Times that Slurm refuses to start with when they are none (src/common/read_config.c).
_TIMES = frozenset(
    """
    maxtime defaulttime prioritydecayhalflife prioritymaxage preemptexempttime prioritycalcperiod
    """.split()
)

# The beginning of options in acct_gather.conf, and the plugin that alone knows them.
_OPTIONS_OF = (
    ("energyipmi", "AcctGatherEnergyType", "acct_gather_energy/ipmi"),
    ("energyxcc", "AcctGatherEnergyType", "acct_gather_energy/xcc"),
    ("infinibandofed", "AcctGatherInterconnectType", "acct_gather_interconnect/ofed"),
    ("interconnectofed", "AcctGatherInterconnectType", "acct_gather_interconnect/ofed"),
    ("sysfs", "AcctGatherInterconnectType", "acct_gather_interconnect/sysfs"),
    ("profilehdf5", "AcctGatherProfileType", "acct_gather_profile/hdf5"),
    ("profileinfluxdb", "AcctGatherProfileType", "acct_gather_profile/influxdb"),
)

_PASSWORDS = frozenset("accountingstoragepass jobcomppass storagepass slurmdbdpass".split())


def lint(files, version=None, hosts=None, plugin_dir=None, training=False, galaxy=True):
    """
    Look for everything in a set of files that Slurm would refuse, ignore or regret.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.lint /etc/slurm version=22.05

    files
        The set (see the top of this module).
    version
        The Slurm that is to read it, such as 22.05 or 24.11.5; None takes what any version takes.
    hosts
        Names of the cluster's hosts; each controller must be one of them (None: not checked).
    plugin_dir
        Where Slurm's plugins are (default: PluginDir of slurm.conf, or where this host's packages
        have put them; where there is none, no plugin is looked for).
    training
        Whether config_overrides is meant, as on a training cluster on small hosts.
    galaxy
        Whether Galaxy sends jobs here, and asks for their states later.

    Returns a list of ``{"code", "level", "file", "line", "message"}``, in the order of files and
    lines; ``level`` is ``error`` or ``warning``. docs/slurm-conf-codes.rst explains each code.

    Raises SaltInvocationError for a version that the tables do not know.
    """
    parsed = _parsed(files)
    linter = _Linter(parsed, version)
    for name, one in parsed.items():
        linter.findings += one["findings"]
        linter.names_and_values(name, one["entries"])
    if isinstance(files, dict):
        for name, source in files.items():
            linter.counted_times(name, source)
    if "slurm.conf" in linter.sections:
        linter.nodes_and_partitions()
        linter.together()
        linter.plugins(plugin_dir)
        linter.cluster(hosts, training, galaxy)
    order = {name: index for index, name in enumerate(parsed)}
    return sorted(
        linter.findings,
        key=lambda f: (order.get(f["file"], len(order)), f["file"], f["line"], f["code"]),
    )


class _Linter:
    """What lint knows of a set while it goes through it."""

    def __init__(self, parsed, version):
        self.parsed, self.version = parsed, version
        self.findings = []
        self.sections: dict = {}
        for name, one in parsed.items():
            self.sections.setdefault(_kind(name), []).extend(one["entries"])
        self.slurm = self.sections.get("slurm.conf", [])
        self.settings = {e["key"].lower(): e for e in self.slurm if "fields" not in e}
        # What cannot be seen may have what seems to be missing.
        self.whole = not any(
            f["code"] in ("SC001", "SC003") for one in parsed.values() for f in one["findings"]
        )
        self.tables = {}
        self.seen = {}
        self.nodes = {}

    def find(self, code, level, entry, message):
        self.findings.append(_finding(code, level, entry["file"], entry["line"], message))

    def value(self, key, default=""):
        """Return the value of a parameter of slurm.conf, or its default."""
        entry = self.settings.get(key)
        return entry["value"] if entry else default

    def words(self, key, default=""):
        return {word.strip().lower() for word in self.value(key, default).split(",")}

    def table(self, section):
        """Return the rows that this version takes, and all that are known."""
        if section not in self.tables:
            every = _table(section)
            self.tables[section] = (_table(section, self.version) if self.version else every), every
        return self.tables[section]

    def default_select(self):
        """Name the SelectType that counts where none is given."""
        old = self.version and _release(self.version) < (23, 2)
        return "select/linear" if old else "select/cons_tres"

    # Names and values, line by line

    def names_and_values(self, name, entries):
        kind = _kind(name)
        openers = _OPENERS.get(kind, {})
        last: dict = {}
        for entry in entries:
            key = entry["key"].lower()
            if "fields" not in entry:
                if key in last and not (self.table(kind)[0].get(key) or {}).get("repeat"):
                    spelt = last[key]["key"]
                    again = "" if spelt == entry["key"] else f" (as {spelt} and {entry['key']})"
                    self.find(
                        "SC106",
                        "warning",
                        entry,
                        f"{entry['key']} is given twice{again}, first on line "
                        f"{last[key]['line']}; Slurm takes the last",
                    )
                last[key] = entry
                self.pair(kind, entry, entry["key"], entry["value"])
                continue
            section = openers[key]
            self.pair(kind, entry, entry["key"], None)
            for field, value in entry["fields"].items():
                self.pair(section, entry, field, value)

    def pair(self, section, entry, key, value):
        """Check one name and its value; what was said of such a pair before is said again."""
        known = (section, key, value)
        if known not in self.seen:
            self.seen[known] = self.of_pair(section, key, value)
        for code, level, message in self.seen[known]:
            self.find(code, level, entry, message)

    def of_pair(self, section, key, value):
        rows, every = self.table(section)
        row = rows.get(key.lower())
        if not row:
            return [self.of_unknown(section, key, rows, every.get(key.lower()))]
        said = []
        if row["kind"] == "ignored":
            said.append(("SC105", "warning", f"{row['name']} means nothing any more; remove it"))
        elif row.get("renamed") and row["renamed"].partition("=")[0].lower() in rows:
            said.append(("SC103", "warning", f"{row['name']} is now called {row['renamed']}"))
        if value is not None and not (section == "DownNodes" and key.lower() == "downnodes"):
            said += _wrong_value(section, row, value)
            said += self.gone_plugins(row, value)
        return said

    def gone_plugins(self, row, value):
        """Find plugins that this version no longer has."""
        said = []
        for word in value.split(",") if self.version and row.get("removed_values") else ():
            name = word.strip()
            gone = row["removed_values"].get(name.lower())
            if gone and _release(self.version) >= _release(gone["removed"]):
                instead = f"; use {gone['renamed']}" if gone["renamed"] else ""
                said.append(
                    (
                        "SC107",
                        "error",
                        f"{row['name']}: {name} was removed in Slurm {gone['removed']}{instead}",
                    )
                )
        return said

    def of_unknown(self, section, key, rows, row):
        if row and row.get("removed") and _release(self.version) >= _release(row["removed"]):
            instead = f"; use {row['renamed']}" if row.get("renamed") else "; remove it"
            return (
                "SC102",
                "error",
                f"{row['name']} was removed in Slurm {row['removed']}{instead}",
            )
        if row and row.get("since"):
            return (
                "SC104",
                "error",
                f"{row['name']} came with Slurm {row['since']}, and this is {self.version}",
            )
        near = difflib.get_close_matches(key.lower(), rows, 1)
        where = "" if section in FILES else f" of {section}"
        hint = f"; did you mean {rows[near[0]]['name']}?" if near else ""
        return "SC101", "error", f"{key} is no parameter{where} that Slurm knows{hint}"

    def counted_times(self, name, source):
        """Find times that YAML has read as integers, where the set was given as data."""
        if isinstance(source, str) or "entries" in source:
            return
        for argument, section in (
            ("settings", _kind(name)),
            ("nodes", "NodeName"),
            ("partitions", "PartitionName"),
        ):
            lines = source.get(argument) or []
            for line in [lines] if isinstance(lines, dict) else lines:
                for key, value in line.items():
                    row = self.table(section)[1].get(key.lower())
                    timed = row and (row["kind"] == "time" or key.lower() in _TIMES)
                    if timed and isinstance(value, int) and not isinstance(value, bool):
                        self.findings.append(
                            _finding(
                                "SC206",
                                "error",
                                name,
                                0,
                                f"{key} is the whole number {value}, perhaps because YAML counted "
                                "an unquoted time in base 60; quote it, as in '6:30:00' or '60'",
                            )
                        )

    # Nodes, and what names them

    def hosts(self, entry, text, what):
        """Expand a hostlist; one that cannot be read is a finding, and has no hosts."""
        try:
            return _expand(text)
        except SaltInvocationError as exc:
            self.find("SC209", "error", entry, f"{what}: {exc}")
            return []

    def nodes_and_partitions(self):
        """Check names against the nodes, and that none is given twice."""
        sets: dict = {}
        partitions: dict = {}
        for entry in self.slurm:
            key, value = entry["key"].lower(), entry["value"]
            if "fields" not in entry or value.upper() == "DEFAULT":
                continue
            if key == "nodename":
                self.node_line(entry)
            elif key == "nodeset":
                sets[value] = entry
            elif key == "partitionname":
                for name in value.split(","):
                    if name in partitions:
                        self.find(
                            "SC306",
                            "warning",
                            entry,
                            f"partition {name} is defined on line {partitions[name]['line']} "
                            "already; Slurm ignores one of the two",
                        )
                    partitions[name] = entry
        self.named(sets, "NodeSet", "nodes", {"all"})
        self.named(partitions, "partition", "nodes", {"all", *(name.lower() for name in sets)})
        for entry in self.slurm:
            if entry["key"].lower() == "downnodes" and entry["value"].upper() not in (
                "ALL",
                "DEFAULT",
            ):
                self.unknown(entry, entry["value"], "DownNodes", set())
        for kind in ("topology.conf", "gres.conf"):
            for entry in self.sections.get(kind, []):
                fields = {key.lower(): value for key, value in entry.get("fields", {}).items()}
                text = fields.get("nodes", "")
                if entry["key"].lower() == "nodename":
                    text = entry["value"]
                if kind == "topology.conf":
                    self.unknown(entry, text, f"{entry['key']} {entry['value']}", {"all"})
                elif self.nodes:
                    self.unknown(entry, text, kind, {"all", "default"}, "warning")
        self.defaults(partitions)

    def node_line(self, entry):
        names = self.hosts(entry, entry["value"], "NodeName")
        twice, again = [], []
        for name in names:
            other = self.nodes.setdefault(name, entry)
            if other is not entry:
                again.append(name)
                first = other
        if len(set(names)) < len(names):
            counts = collections.Counter(names)
            twice = [name for name, count in counts.items() if count > 1]
        if twice:
            self.find(
                "SC302", "error", entry, f"{_some(twice)} stands twice in {entry['value']!r:.60}"
            )
        if again:
            where = first["line"] if first["file"] == entry["file"] else first["file"]
            self.find(
                "SC301",
                "error",
                entry,
                f"{_some(again)} of {entry['value']!r:.60} has a line already ({where})",
            )

    def named(self, entries, what, field, words):
        for name, entry in entries.items():
            for key, value in entry["fields"].items():
                if key.lower() == field:
                    self.unknown(entry, value, f"{what} {name}", words)

    def unknown(self, entry, text, what, words, level="error"):
        """Find names that are neither nodes nor words with a meaning of their own."""
        if not text or text.lower() in words or not self.whole:
            return
        lost = [
            name
            for name in self.hosts(entry, text, what)
            if name not in self.nodes and name.lower() not in words
        ]
        if lost:
            self.find("SC303", level, entry, f"{what}: no NodeName line has {_some(lost)}")

    def defaults(self, partitions):
        default = _inherited(self.slurm, "partitionname")
        chosen = [
            (name, entry)
            for name, entry in partitions.items()
            if _YES_NO.get(default(entry).get("default", "").lower())
        ]
        for name, entry in chosen[1:]:
            self.find(
                "SC307",
                "warning",
                entry,
                f"partition {name} is a default partition, and so is {chosen[0][0]}; "
                "Slurm takes one of them",
            )

    # Parameters that belong together

    def together(self):
        """Check the combinations that read_config.c refuses, and those that it resolves itself."""
        for keys, level, wrong, message in _TOGETHER:
            if wrong(self):
                entry = next((self.settings[key] for key in keys if key in self.settings), None)
                self.find("SC406", level, entry or self.first(), message)
        both = (
            ("allowaccounts", "denyaccounts"),
            ("allowqos", "denyqos"),
            ("defmempernode", "defmempercpu"),
            ("maxmempernode", "maxmempercpu"),
        )
        default = _inherited(self.slurm, "partitionname")
        for entry in self.slurm:
            if entry["key"].lower() == "partitionname" and entry["value"].upper() != "DEFAULT":
                fields = default(entry)
                for one, other in both:
                    if one in fields and other in fields and fields[one].upper() != "ALL":
                        names = [
                            self.table("PartitionName")[1][key]["name"] for key in (one, other)
                        ]
                        self.find(
                            "SC406",
                            "warning",
                            entry,
                            f"partition {entry['value']} has {names[0]} and {names[1]}; "
                            "Slurm ignores the second",
                        )

    def first(self):
        return self.slurm[0] if self.slurm else {"file": "slurm.conf", "line": 0}

    # Plugins

    def plugins(self, plugin_dir):
        """Look for the file of every plugin that is named."""
        given = self.settings.get("plugindir")
        folders = [plugin_dir] if plugin_dir else _plugin_dirs()
        if not folders:
            return  # this host has no Slurm, and its directories say nothing
        if given and not plugin_dir:
            folders = given["value"].split(":")
            for folder in folders:
                if not pathlib.Path(folder).is_dir():
                    self.find("SC405", "error", given, f"PluginDir: there is no directory {folder}")
        for key, entry in self.settings.items():
            row = self.table("slurm.conf")[1].get(key)
            if not row or not row.get("plugin"):
                continue
            for word in entry["value"].split(","):
                plugin = _plugin_file(row["plugin"], word.strip())
                if plugin and not any(pathlib.Path(f, plugin).is_file() for f in folders):
                    self.find(
                        "SC404",
                        "error",
                        entry,
                        f"{row['name']}: {word.strip()} is not installed: "
                        f"there is no {plugin} in {':'.join(folders)}",
                    )

    # The cluster as a whole

    def cluster(self, hosts, training, galaxy):
        controllers = [
            e
            for e in self.slurm
            if e["key"].lower() in ("slurmctldhost", "controlmachine", "backupcontroller")
        ]
        if self.whole and not self.value("clustername"):
            self.find("SC410", "error", self.first(), "ClusterName is missing")
        if self.whole and not controllers:
            self.find("SC411", "error", self.first(), "no SlurmctldHost says where slurmctld runs")
        names = set()
        for entry in controllers:
            name = entry["value"].partition("(")[0]
            if entry["key"].lower() == "slurmctldhost" and name in names:
                self.find("SC412", "error", entry, f"the controller {name} is named twice")
            names.add(name)
        for entry in controllers if hosts is not None else ():
            name = entry["value"].partition("(")[0]
            if name not in hosts:
                self.find(
                    "SC402",
                    "error",
                    entry,
                    f"{entry['key']}: {name} is no host of the cluster; those are {_some(hosts)}",
                )
        self.directories()
        self.gres()
        self.acct_gather()
        for name, entries in self.sections.items():
            if name != "slurmdbd.conf":
                self.passwords(entries)
        overrides = self.settings.get("slurmdparameters")
        if overrides and not training and "config_overrides" in overrides["value"].lower():
            self.find(
                "SC408",
                "warning",
                overrides,
                "config_overrides makes Slurm believe a node's line against its hardware; "
                "it is for training clusters",
            )
        stored = self.value("accountingstoragetype", "accounting_storage/none")
        age = self.settings.get("minjobage")
        if galaxy and age and stored.endswith("none") and _int(age["value"], 300) in range(1, 60):
            self.find(
                "SC409",
                "warning",
                age,
                f"slurmctld forgets a job {age['value']} s after its end and no accounting keeps "
                "it, so Galaxy may miss how it ended; leave the default of 300 s",
            )

    def directories(self):
        spool, state = self.settings.get("slurmdspooldir"), self.settings.get("statesavelocation")
        if spool and state:
            paths = [os.path.normpath(entry["value"]) for entry in (spool, state)]
            if paths[0] == paths[1]:
                self.find(
                    "SC401",
                    "error",
                    spool,
                    f"SlurmdSpoolDir and StateSaveLocation are both {paths[0]}; slurmd and "
                    "slurmctld each need a directory of their own",
                )

    def gres(self):
        """Find generic resources of nodes whose type GresTypes does not name."""
        if not self.whole:
            return
        declared = self.words("grestypes")
        said = set()
        default = _inherited(self.slurm, "nodename")
        uses = [
            (entry, default(entry).get("gres", ""))
            for entry in self.slurm
            if entry["key"].lower() == "nodename" and entry["value"].upper() != "DEFAULT"
        ]
        uses += [
            (
                entry,
                entry["value"]
                if entry["key"].lower() == "name"
                else next((v for k, v in entry["fields"].items() if k.lower() == "name"), ""),
            )
            for entry in self.sections.get("gres.conf", [])
            if "fields" in entry
        ]
        for entry, text in uses:
            for word in re.sub(r"\([^)]*\)", "", text).split(","):
                name = word.partition(":")[0].strip().lower()
                if name and name not in declared and (name, entry["file"]) not in said:
                    said.add((name, entry["file"]))
                    self.find(
                        "SC403",
                        "error",
                        entry,
                        f"GresTypes does not name the resource {name}; no job can ask for it",
                    )

    def acct_gather(self):
        """Find options of acct_gather.conf whose plugin is not loaded, so that nothing knows them.

        Source: each plugin's acct_gather_*_p_conf_options() in src/plugins.
        """
        for entry in self.sections.get("acct_gather.conf", []) if self.whole else ():
            known = (row for row in _OPTIONS_OF if entry["key"].lower().startswith(row[0]))
            for _, parameter, plugin in known:
                if plugin not in self.words(parameter.lower()):
                    self.find(
                        "SC413",
                        "error",
                        entry,
                        f"{entry['key']} is an option of {plugin}, and {parameter} does not name "
                        "it; no daemon would start",
                    )

    def passwords(self, entries):
        for entry in entries:
            # AccountingStoragePass may also be the path of a MUNGE socket.
            if entry["key"].lower() in _PASSWORDS and not entry["value"].startswith("/"):
                self.find(
                    "SC407",
                    "warning",
                    entry,
                    f"{entry['key']} is a password in a file that every user can read",
                )


def _preempts(lint):
    """Tell whether PreemptMode does anything to a job; GANG and WITHIN alone do not."""
    return bool(lint.words("preemptmode") & {"suspend", "requeue", "cancel", "priority"})


# The parameters to point at, the level, what is wrong, and the sentence.
_TOGETHER = (
    (
        ("preemptmode", "preempttype"),
        "error",
        lambda s: s.value("preempttype", "preempt/none") == "preempt/none" and _preempts(s),
        "PreemptMode does nothing without a PreemptType such as preempt/partition_prio; Slurm "
        "refuses it",
    ),
    (
        ("preempttype",),
        "error",
        lambda s: (
            s.value("preempttype") in ("preempt/qos", "preempt/partition_prio") and not _preempts(s)
        ),
        "PreemptType needs a PreemptMode other than OFF",
    ),
    (
        ("preemptmode",),
        "error",
        lambda s: s.words("preemptmode") - {""} == {"suspend"},
        "PreemptMode=SUSPEND needs GANG beside it",
    ),
    (
        ("jobacctgatherparams",),
        "error",
        lambda s: {"usepss", "noshared"} <= s.words("jobacctgatherparams"),
        "JobAcctGatherParams: UsePss and NoShared exclude each other",
    ),
    (
        ("launchparameters",),
        "error",
        lambda s: {"enable_nss_slurm", "disable_send_gids"} <= s.words("launchparameters"),
        "LaunchParameters: enable_nss_slurm and disable_send_gids exclude each other",
    ),
    (
        ("prologflags",),
        "error",
        lambda s: (
            "nohold" in s.words("prologflags") and s.words("prologflags") & {"contain", "x11"}
        ),
        "PrologFlags: NoHold excludes Contain and X11",
    ),
    (
        ("prologflags",),
        "error",
        lambda s: (
            "x11" in s.words("prologflags") and s.value("proctracktype") == "proctrack/linuxproc"
        ),
        "PrologFlags=X11 excludes ProctrackType=proctrack/linuxproc",
    ),
    (
        ("jobcontainertype",),
        "error",
        lambda s: (
            "tmpfs" in s.value("jobcontainertype")
            and not s.words("prologflags") & {"contain", "x11"}
        ),
        "JobContainerType=job_container/tmpfs needs PrologFlags=Contain",
    ),
    (
        ("slurmschedloglevel",),
        "error",
        lambda s: _int(s.value("slurmschedloglevel"), 0) and not s.value("slurmschedlogfile"),
        "SlurmSchedLogLevel needs SlurmSchedLogFile",
    ),
    (
        ("mcsparameters",),
        "error",
        lambda s: s.value("mcsparameters") and not s.value("mcsplugin"),
        "MCSParameters needs MCSPlugin",
    ),
    (
        ("mcsplugin",),
        "error",
        lambda s: s.value("mcsplugin") == "mcs/group" and not s.value("mcsparameters"),
        "MCSPlugin=mcs/group needs MCSParameters",
    ),
    (
        ("prioritydecayhalflife",),
        "error",
        lambda s: (
            re.fullmatch(r"[0:-]+", s.value("prioritydecayhalflife"))
            and not s.value("priorityusageresetperiod")
        ),
        "PriorityDecayHalfLife=0 needs a PriorityUsageResetPeriod, or usage only ever grows",
    ),
    (
        ("selecttypeparameters",),
        "error",
        lambda s: (
            s.value("selecttype", s.default_select()) == "select/linear"
            and s.words("selecttypeparameters")
            & {f"cr_{unit}{more}" for unit in ("cpu", "core", "socket") for more in ("", "_memory")}
        ),
        "SelectTypeParameters: select/linear gives out whole nodes, and takes CR_Memory alone",
    ),
    (
        ("firstjobid", "maxjobid"),
        "error",
        lambda s: _int(s.value("firstjobid"), 1) > _int(s.value("maxjobid"), 0x03FFFFFF),
        "FirstJobId is larger than MaxJobId",
    ),
    (
        ("accountingstoragetype",),
        "error",
        lambda s: "mysql" in s.value("accountingstoragetype"),
        "AccountingStorageType=accounting_storage/mysql is for slurmdbd.conf alone; "
        "use accounting_storage/slurmdbd",
    ),
    (
        ("maxnodecount",),
        "error",
        lambda s: (
            _int(s.value("maxnodecount"), 0)
            and "cons_tres" not in s.value("selecttype", s.default_select())
        ),
        "MaxNodeCount needs SelectType=select/cons_tres",
    ),
)


def _wrong_value(section, row, value):
    """Return what is wrong with a value of a parameter of this kind: code, level, sentence."""
    kind, name, key, word = row["kind"], row["name"], row["name"].lower(), value.lower()
    if kind in _BOUNDS or kind == "int":
        return _wrong_number(row, value)
    if kind == "float" and value:
        try:
            float(value)
        except ValueError:
            if word not in ("unlimited", "infinite"):
                return [("SC201", "error", f"{name} takes a number, not {value!r:.60}")]
    if kind == "yes_no" and word not in _YES_NO:
        return [("SC204", "error", f"{name} takes YES or NO, not {value!r:.60}")]
    # Of all times, this one alone must come to an end.
    endless = key == "prioritycalcperiod" and re.fullmatch(r"[a-z]+|-1|[0:-]+", word)
    if (kind == "time" or key in _TIMES) and (endless or not _TIME.fullmatch(value)):
        level = "error" if key in _TIMES else "warning"
        return [
            (
                "SC205",
                level,
                f"{name} takes a time such as 90, 12:00:00 or 2-12:00:00, not {value!r:.60}",
            )
        ]
    if kind == "ports" and not re.fullmatch(r"\d+(-\d+)?", value):
        level = "error" if key == "slurmctldport" else "warning"
        return [("SC201", level, f"{name} takes a port or a range of them, not {value!r:.60}")]
    if row.get("values"):
        return _wrong_words(section, row, value)
    return []


def _wrong_number(row, value):
    name, word = row["name"], value.lower()
    low, high = row.get("range") or (0, _BOUNDS.get(row["kind"], 0))
    if word in ("unlimited", "infinite"):
        if row["kind"] == "int" or high == _BOUNDS[row["kind"]]:
            return []
        return [("SC202", "error", f"{name} takes {low} to {high}, not {value}")]
    digits = value[:-1] if row["kind"] in ("uint32", "uint64") and word[-1:] == "k" else value
    match = _NUMBER.fullmatch(digits)
    if not match:
        if word in _YES_NO:
            return [("SC203", "error", f"{name} takes a number, and no YES or NO: {value!r}")]
        return [("SC201", "error", f"{name} takes a whole number, not {value!r:.60}")]
    if row["kind"] == "int":
        return []
    number = _int(digits, 0) * (1024 if digits != value else 1)
    bound = _BOUNDS[row["kind"]]
    if digits.startswith("-") or number > bound:
        return [("SC202", "error", f"{name} takes 0 to {bound}, not {value}")]
    if not low <= number <= high:
        return [("SC202", "error", f"{name} takes {low} to {high}, not {value}")]
    return []


# Lists that may be empty; of the other closed ones Slurm wants a word.
_MAY_BE_EMPTY = frozenset(
    """
    AccountingStorageEnforce DebugFlags PrologFlags PropagateResourceLimits
    PropagateResourceLimitsExcept SelectTypeParameters
    """.split()
)
# Of a partition's State, Slurm compares the beginning alone; a level of logging may be any number.
_BEGINNINGS = {"State": ("up", "down", "drain", "inactive")} | dict.fromkeys(
    ("SlurmctldDebug", "SlurmctldSyslogDebug", "SlurmdDebug", "SlurmdSyslogDebug"),
    tuple("0123456789"),
)


def _wrong_words(section, row, value):
    """Check the words of a parameter whose list is closed."""
    name, known = row["name"], [str(word).lower() for word in row["values"]]
    if not value:
        if section == "slurm.conf" and name in _MAY_BE_EMPTY:
            return []
        return [("SC207", "error", f"{name} takes one of {', '.join(known)}, not nothing")]
    said = []
    for word in value.lower().split(","):
        bare = word.strip().partition(":")[0]  # FORCE:4
        if not bare or bare in known or bare.startswith(_BEGINNINGS.get(name, "\n")):
            continue
        if bare in _YES_NO:
            said.append(("SC203", "error", f"{name} takes no YES or NO: {value!r:.60}"))
            continue
        near = difflib.get_close_matches(bare, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        said.append(("SC207", "error", f"{name}: {word!r:.60} is unknown{hint}"))
    return said


def _int(text, default):
    """Read a number as Slurm does, with strtoul(3) and base 0, or return the default."""
    if text.lower() in ("infinite", "unlimited"):
        return _BOUNDS["uint32"]
    try:
        negative = text.startswith("-")
        digits = text.lstrip("+-")
        number = int(digits, 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" else 10)
    except (ValueError, IndexError):
        return default
    return -number if negative else number


def _release(version):
    """Return a version's major release as numbers: (22, 5)."""
    return tuple(int(part) for part in re.findall(r"\d+", str(version))[:2])


def _expand(text):
    """Expand a hostlist; most texts are one plain name, and go the short way."""
    if re.fullmatch(r"[A-Za-z0-9._-]+", text):
        return [text]
    return __salt__["slurm.hostlist_expand"](text)


def _some(names, limit=3):
    names = list(names)
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _inherited(entries, opener):
    """Return a function from a line to its fields with those of the DEFAULT lines above it."""
    fields: dict = {}
    default: dict = {}
    for entry in entries:
        if entry["key"].lower() != opener or "fields" not in entry:
            continue
        own = {key.lower(): value for key, value in entry["fields"].items()}
        if entry["value"].upper() == "DEFAULT":
            default = {**default, **own}
        fields[id(entry)] = {**default, **own}
    return lambda entry: fields[id(entry)]


def _plugin_dirs():
    """Find where this host's packages have put Slurm's plugins."""
    return [
        str(path)
        for pattern in ("lib/*/slurm-wlm", "lib64/slurm", "lib/slurm")
        for path in sorted(pathlib.Path("/usr").glob(pattern))
    ]


def _plugin_file(kind, word):
    """Name the file of a plugin: ``select/cons_tres`` is select_cons_tres.so."""
    # Slurm takes the word none also where there is no such file any more.
    if not re.fullmatch(r"[\w/-]+", word) or re.fullmatch("(.*/)?none", word.lower()):
        return None
    whole = word if "/" in word else f"{kind}/{word}"
    return whole.replace("/", "_") + ".so"


# --- diff and plan --------------------------------------------------------------------------------

# Fields of a NodeName line that may give each node a value of its own (slurm.conf(5)).
_PER_NODE = frozenset({"nodeaddr", "nodehostname", "bcastaddr", "port"})
_HOSTLISTS = frozenset({"nodes", "switches"})


def diff(old, new):
    """
    Compare two sets of files by what they mean.

    Order, case, quotes, spelling of numbers, DEFAULT lines and how nodes are spread over lines and
    hostlists make no difference.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.diff /etc/slurm /root/new

    old, new
        The sets (see the top of this module).

    Returns a list of ``{"file", "section", "name", "parameter", "old", "new"}``. ``section`` and
    ``name`` are those of a line, such as NodeName and a hostlist of nodes with the same change, or
    None for a parameter of the file. ``old`` or ``new`` is None where there is no value; for a line
    that is new or gone, ``parameter`` is its section.
    """
    before, after = _meaning(old), _meaning(new)
    changes = []
    table = functools.cache(_table)
    for group in sorted({*before, *after}, key=lambda group: (FILES.index(group[0]), group[1])):
        file, section = group
        was, becomes = before.get(group, {}), after.get(group, {})
        section_rows = table(section if section in _SECTIONS else file)
        found: dict = {}
        for name in [*was, *(name for name in becomes if name not in was)]:
            one, other = was.get(name), becomes.get(name)
            if one is None:
                found.setdefault((section, None, name), []).append(name)
            elif other is None:
                found.setdefault((section, name, None), []).append(name)
            elif one is not other:
                one, other = _aligned(one, other, section_rows)
                for key in [*one, *(key for key in other if key not in one)]:
                    values = one.get(key), other.get(key)
                    if not _same(key, *values):
                        found.setdefault((key, *values), []).append(name)
        changes += _grouped(file, section, found)
    return changes


def _grouped(file, section, found):
    """Turn what differs into rows; nodes that differ in the same way share one."""
    changes = []
    lines: dict = {}
    for (parameter, old, new), names in found.items():
        if section == "NodeName" and parameter == section:
            lines.setdefault(old is None, []).extend(names)
            continue
        called = _folded(names) if section in ("NodeName", "DownNodes") else names[0]
        changes.append((called or None, parameter, old, new))
    for added, names in lines.items():
        called = _folded(names)
        changes.append((called, section, None if added else called, called if added else None))
    keys = ("name", "parameter", "old", "new")
    return [
        {"file": file, "section": section or None, **dict(zip(keys, change, strict=True))}
        for change in sorted(changes, key=lambda change: [str(part) for part in change])
    ]


def _aligned(one, other, rows):
    """Give a parameter that was renamed the same name on both sides."""
    names = {
        key: row["renamed"]
        for key in {*one} ^ {*other}
        if (row := rows.get(key.lower())) and row.get("renamed")
    }
    for old, new in names.items():
        if old in one and new in other and new not in one:
            one = {new if key == old else key: value for key, value in one.items()}
        elif old in other and new in one and new not in other:
            other = {new if key == old else key: value for key, value in other.items()}
    return one, other


def _same(key, one, other):
    """Tell whether two values mean the same; lists of hosts do in any order."""
    if one == other or one is None or other is None or key.lower() not in _HOSTLISTS:
        return one == other
    return {*_expand_text(one)} == {*_expand_text(other)}


def _folded(names):
    if len(names) == 1:
        return names[0]
    try:
        return __salt__["slurm.hostlist_fold"](names, sort=True)
    except SaltInvocationError:
        return ",".join(names)


def _meaning(files):
    """Return (file, section) to name to parameter to value, in one spelling."""
    meaning: dict = {}
    table = functools.cache(_table)
    for name, one in _parsed(files).items():
        kind = _kind(name)
        rows = table(kind)
        settings = meaning.setdefault((kind, ""), {}).setdefault("", {})
        inherited = {
            opener: _inherited(one["entries"], opener) for opener in ("nodename", "partitionname")
        }
        for entry in one["entries"]:
            key, value = entry["key"].lower(), entry["value"]
            if "fields" not in entry:
                row = rows.get(key) or {"name": key, "kind": "string"}
                called = row["name"]
                value = _normal(row, value)
                if row.get("repeat") and called in settings:
                    value = f"{settings[called]},{value}"
                settings[called] = value
                continue
            if value.upper() == "DEFAULT" and kind == "slurm.conf":
                continue
            section = _OPENERS[kind][key] or entry["key"]
            fields = {field.lower(): text for field, text in entry["fields"].items()}
            if kind == "slurm.conf" and key in inherited:
                fields = inherited[key](entry)
            section_rows = table(section) if section in (*FILES, *_SECTIONS) else {}
            _mean_line(meaning, kind, section, section_rows, key, value, fields)
    return meaning


def _mean_line(meaning, kind, section, rows, key, value, fields):
    """Add what one line means."""
    opener = {"switchname": "SwitchName", "blockname": "BlockName"}.get(key, section)
    own = {}
    for field, text in fields.items():
        row = rows.get(field) or {"name": field, "kind": "string"}
        if field in _HOSTLISTS:
            own[row["name"]] = text.upper() if text.upper() == "ALL" else text
        elif field not in _PER_NODE or section != "NodeName":
            own[row["name"]] = _normal(row, text)
    lines = meaning.setdefault((kind, opener), {})
    if kind == "gres.conf":
        # Several lines of one node and name add up; what they say together is their meaning.
        names = _expand_text(value) if key == "nodename" else [""]
        resource = value if key == "name" else fields.get("name", "")
        text = " ".join(f"{k}={v}" for k, v in sorted(own.items()) if k != "Name")
        for name in names:
            told = lines.setdefault(f"{resource} {name}".strip(), {})
            told["Name"] = "; ".join(sorted(filter(None, [told.get("Name"), text or resource])))
        return
    names = _expand_text(value) if section in ("NodeName", "DownNodes") else value.split(",")
    each = {
        field: _expand_text(fields[field])
        for field in (_PER_NODE if section == "NodeName" else ())
        if field in fields
    }
    for index, name in enumerate(names):
        addresses = {
            (rows.get(field) or {"name": field})["name"]: values[index]
            if len(values) == len(names)
            else ",".join(values)
            for field, values in each.items()
        }
        if addresses.get("NodeAddr") == addresses.get("NodeHostname", name):
            addresses.pop("NodeAddr", None)
        if addresses.get("NodeHostname") == name:
            del addresses["NodeHostname"]
        lines[name] = {**own, **addresses} if addresses else own


_SECTIONS = tuple(_OPENERS["slurm.conf"].values())


def _expand_text(text):
    """Expand a hostlist, or leave a text that is none as it is."""
    try:
        return _expand(text)
    except SaltInvocationError:
        return [text]


def _normal(row, value):
    """Write a value in the one way that stands for all that mean the same."""
    kind, word = row["kind"], value.lower()
    if kind == "yes_no" and word in _YES_NO:
        return "YES" if _YES_NO[word] else "NO"
    if kind in _BOUNDS:
        if word in ("unlimited", "infinite"):
            return "INFINITE"
        thousand = word.endswith("k") and kind != "uint16"
        number = _int(value[:-1] if thousand else value, None)
        return value if number is None else str(number * (1024 if thousand else 1))
    if kind == "time" and word in ("unlimited", "infinite", "-1"):
        return "INFINITE"
    return value


# From the least to the most disruptive.
_ACTIONS = (
    "nothing",
    "reconfigure",
    "restart slurmd",
    "restart slurmctld",
    "restart all",
    "refuse while jobs run",
)


def plan(old, new, version):
    """
    Tell what must happen so that a changed set of files takes effect, and no more than that.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.plan /etc/slurm /root/new version=22.05

    old, new
        The sets (see the top of this module).
    version
        The Slurm that runs, such as 22.05.

    Returns ``{"action": …, "slurmdbd": bool, "changes": […]}``. Each change is one of
    :py:func:`diff` with ``action`` (nothing, reconfigure, restart slurmd, restart slurmctld,
    restart all, restart slurmdbd, refuse while jobs run) and ``source``, the manual page that says
    so. The whole's ``action`` is what covers them all but slurmdbd, which restarts if ``slurmdbd``.

    Raises SaltInvocationError for a version that the tables do not know.

    Source: slurm.conf(5) and scontrol(1), reconfigure, of the version.
    """
    changes = []
    table = functools.cache(_table)
    for change in diff(old, new):
        action, source = _needed(change, version, table)
        changes.append({**change, "action": action, "source": source})
    actions = {change["action"] for change in changes}
    if {"restart slurmd", "restart slurmctld"} <= actions:
        actions.add("restart all")
    return {
        "action": max(actions & {*_ACTIONS}, key=_ACTIONS.index, default="nothing"),
        "slurmdbd": "restart slurmdbd" in actions,
        "changes": changes,
    }


def _needed(change, version, rows_of):
    """Return what one change needs, and the manual page that says so."""
    file, section, key = change["file"], change["section"], change["parameter"].lower()
    page = f"{file}(5)" if file in FILES else "slurm.conf(5)"
    era = "23.11" if _release(version) >= (23, 11) else "23.02"
    if section == "NodeName" and key == "nodename":
        if era == "23.02":
            return "restart all", "slurm.conf(5), end of PARAMETERS: nodes added or removed"
        return "reconfigure", "scontrol(1), reconfigure: nodes added or removed"
    table = section if section in _SECTIONS else file
    row = rows_of(table, version).get(key)
    if row:
        needs, words = row["needs"], row.get("needs_words") or {}
        differing = _split(change["old"]) ^ _split(change["new"])
        needs = next((words[word] for word in differing if word in words), needs)
    else:
        row = rows_of(table).get(key)
        needs = row["needs"][era] if row else "reconfigure"
    if needs == "never while jobs run":
        needs = "refuse while jobs run"
    return needs, f"{page}, {change['parameter']}"


def _split(text):
    """Return the words of a value, without what follows their equals sign."""
    return {word.partition("=")[0].strip() for word in (text or "").lower().split(",")}


# --- check ----------------------------------------------------------------------------------------


def check(files, version=None, hosts=None, training=False, galaxy=True, timeout=20):
    """
    Ask every judge that this host has what it thinks of a set of files.

    The judges are our lint, ``scontrol show hostnames`` and ``slurmd -G``. The programs read a copy
    of the set in a directory that only this user can read, and that is removed. slurmctld has no
    way to test a configuration, and a second one would disturb the first, so it is not asked.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.check /root/new

    files
        The set (see the top of this module).
    version
        The Slurm that is to read it (default: this host's, if it has any).
    hosts, training, galaxy
        As for :py:func:`lint`.
    timeout
        Bound of each program in seconds.

    Returns ``{"result": bool, "judges": […], "absent": {judge: reason}, "findings": […]}``;
    ``result`` is whether there is no error, each finding has its ``judge``.
    """
    if version is None:
        with contextlib.suppress(CommandExecutionError, SaltInvocationError):
            version = __salt__["slurm.version"]()
    found = lint(files, version, hosts=hosts, training=training, galaxy=galaxy)
    findings = [{**finding, "judge": "lint"} for finding in found]
    judges, absent = ["lint"], {}
    unreadable = any(f["code"] in ("SC001", "SC003", "SC004", "SC005") for f in found)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm_conf."))
    try:
        node = _stage(files, folder)
        conf = str(folder / "slurm.conf")
        for judge, code, argv in (
            ("scontrol show hostnames", "SC901", ["scontrol", "show", "hostnames", "n1"]),
            ("slurmd -G", "SC902", ["slurmd", "-f", conf, *(["-N", node] if node else []), "-G"]),
        ):
            program = shutil.which(argv[0], path="/usr/bin:/usr/sbin:/usr/local/bin:/bin:/sbin")
            if not program:
                absent[judge] = f"{argv[0]} is not installed"
            elif not (folder / "slurm.conf").exists():
                absent[judge] = "the set has no slurm.conf"
            elif unreadable:
                absent[judge] = "a file of the set is missing, and Slurm would wait a minute for it"
            else:
                said = _judge(judge, code, [program, *argv[1:]], folder, timeout)
                if any(re.search(_NO_MUNGE, finding["message"]) for finding in said):
                    absent[judge] = "it needs a MUNGE daemon or a key that is not there yet"
                else:
                    judges.append(judge)
                    findings += said
    finally:
        shutil.rmtree(folder)
    return {
        "result": all(finding["level"] != "error" for finding in findings),
        "judges": judges,
        "absent": absent,
        "findings": findings,
    }


def stage(folder, files):
    """
    Write what a directory of Slurm's would become, beside the minion's cache.

    CLI Example:

    .. code-block:: bash

        salt-call slurm_conf.stage /etc/slurm '{cgroup.conf: "ConstrainCores=YES"}'

    folder
        Slurm's configuration directory, which is left as it is.
    files
        File name to its new text, or to None for one that goes. The other ``*.conf`` files of the
        directory stay, so that what they include is there; slurmdbd.conf only if it is named.

    Returns the path of the stage, readable by root alone; the next call replaces it.

    Raises CommandExecutionError when it cannot be written.
    """
    stage = pathlib.Path(__opts__["cachedir"], "slurm_conf", str(folder).strip("/"))
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700, parents=True)
        for path in pathlib.Path(folder).rglob("*.conf"):
            name = str(path.relative_to(folder))
            if name not in files and name != "slurmdbd.conf" and path.is_file():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, stage / name)
        for name, text in files.items():
            if text is not None:
                (stage / name).touch(mode=0o600)
                (stage / name).write_text(text)
    except OSError as exc:
        raise CommandExecutionError(f"{stage} cannot be written: {exc.strerror}") from exc
    return str(stage)


# slurmd -G makes a credential from 24.11 on.
_NO_MUNGE = r"Munge encode failed|auth/slurm: cannot stat"


def _stage(files, folder):
    """Copy the set into a directory; return the name of a node in it, this host's if it is one."""
    if isinstance(files, dict):
        texts = {name: _text_of(source) for name, source in files.items()}
    else:
        path = pathlib.Path(files)
        texts = {}
        for name, one in _parsed(files).items():
            base = path if path.is_dir() else path.parent
            for member in {name, *(entry["file"] for entry in one["entries"])}:
                if not member.startswith("/"):
                    with contextlib.suppress(OSError):
                        texts[member] = _decode((base / member).read_bytes())
            if not path.is_dir() and name == path.name and _kind(name) == "slurm.conf":
                texts["slurm.conf"] = texts.pop(name)
    for name, text in texts.items():
        target = folder / name
        if name.startswith("/") or ".." in target.parts:
            raise SaltInvocationError(f"{name} is no name of a file in Slurm's directory")
        if _kind(name) == "slurmdbd.conf":
            continue  # no judge reads it, and it may hold a password
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text)
    nodes = [
        name
        for entry in parse(text=texts.get("slurm.conf", ""), files=texts)["entries"]
        if entry["key"].lower() == "nodename" and entry["value"].upper() != "DEFAULT"
        for name in _expand_text(entry["value"])
    ]
    own = os.uname().nodename.partition(".")[0]
    return own if own in nodes else next(iter(nodes), None)


def _judge(judge, code, argv, folder, timeout):
    """Ask one program, and return its complaints as findings."""
    result = __salt__["cmd.run_all"](
        argv,
        env={"SLURM_CONF": str(folder / "slurm.conf"), "LC_ALL": "C.UTF-8"},
        python_shell=False,
        timeout=timeout,
        ignore_retcode=True,
        output_loglevel="quiet",
    )
    bad = result["retcode"] != 0
    said = [
        line
        for line in result["stderr"].splitlines()
        if re.match(r"[\w.-]+: (error|fatal): ", line)
    ]
    if bad and not said:
        last = (result["stderr"] or result["stdout"]).strip().splitlines()[-1:]
        said = last or [f"exit code {result['retcode']}"]
    findings = []
    for line in said:
        text = _hidden(re.sub(r"^[\w.-]+: (error|fatal): ", "", line).replace(f"{folder}/", ""))
        where = re.search(r"in file (\S+) line (\d+)", text)
        file, number = (where[1], int(where[2])) if where else ("slurm.conf", 0)
        found = _finding(code, "error" if bad else "warning", file, number, text)
        findings.append({**found, "judge": judge})
    return findings


def _hidden(text):
    """Take out of a text what follows a word for a password."""
    return re.sub(r"(?i)(pass\w*\s*=\s*)\S+", r"\1…", text)
