"""
Validate, render and convert Galaxy's job configuration, and hold it against the running cluster.

Galaxy stops with an unhelpful message on some mistakes in its job configuration, runs every job
locally on others, and accepts many that make jobs fail later. ``validate`` finds them before Galaxy
reads the file, as numbered findings (``docs/galaxy-jobconf-codes.rst``) with a line and a column.

.. code-block:: bash

    salt-call --local galaxy_jobconf.validate /etc/galaxy/job_conf.yml

A file is read once into items, which are plain values that know where they stand. XML is brought
into the structure that Galaxy makes of it, which is the one of YAML; so every rule is written once.
The rules know what Galaxy 22.01 to 26.1 read, and accept what any of these accepts; what one
version thinks of a file is told by its own parser, the second judge (argument ``venv``).

Sources: ``galaxy/jobs/__init__.py`` (JobConfiguration, job_config_xml_to_dict),
``galaxy/web_stack/handlers.py`` (ConfiguresHandlers), ``galaxy/util/xml_macros.py``,
``galaxy/jobs/runners/*.py`` of Galaxy 22.01 to 26.1.
"""

import ast
import codecs
import difflib
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict
__opts__: dict

CODES = {
    # The file
    "GJ001": "error",  # cannot be read
    "GJ002": "error",  # empty
    "GJ003": "error",  # not well-formed
    "GJ004": "error",  # encoding
    "GJ005": "error",  # the root is of the wrong kind
    "GJ006": "error",  # too large, too deep, or expands without bounds
    "GJ007": "warning",  # a key, an id or a section is given twice
    "GJ008": "error",  # external entity, or a YAML tag that makes objects
    "GJ009": "warning",  # the root element is not job_conf
    "GJ010": "warning",  # unknown key, element or attribute: ignored
    "GJ011": "error",  # a section is missing, null, or of the wrong kind
    "GJ012": "warning",  # a section stands where Galaxy does not look
    "GJ013": "warning",  # a string where Galaxy reads a list: one item per character
    "GJ014": "warning",  # an XML element without a required attribute: ignored
    "GJ015": "error",  # a value that is no boolean
    "GJ016": "warning",  # two ways to say one thing: one is ignored
    # Macros
    "GJ021": "error",  # an imported file cannot be read
    "GJ022": "error",  # files that import each other
    "GJ023": "error",  # unknown macro
    "GJ024": "error",  # macros that expand each other
    "GJ025": "error",  # a macro or a token is wrong
    "GJ026": "warning",  # expand without a macros section: ignored
    # Runners
    "GJ101": "error",  # a runner is null or no mapping
    "GJ102": "error",  # no load
    "GJ103": "error",  # unknown runner module or class
    "GJ104": "error",  # workers is no integer
    "GJ105": "error",  # unknown runner parameter
    "GJ106": "error",  # a runner parameter has a wrong value
    "GJ107": "warning",  # no worker at all
    "GJ108": "warning",  # unknown plugin type: ignored
    # Handlers
    "GJ201": "error",  # unknown assignment method
    "GJ202": "error",  # max_grab or ready_window_size is no integer
    "GJ203": "warning",  # unknown handler, near a known one
    "GJ204": "warning",  # a handler's plugin is no runner
    # Destinations (environments)
    "GJ301": "error",  # a destination is null or no mapping, or has no id
    "GJ302": "error",  # no destination, or several and no default
    "GJ303": "error",  # unknown default
    "GJ304": "error",  # runner is not a plugin
    "GJ305": "error",  # no runner
    "GJ306": "error",  # env of the wrong kind
    "GJ307": "warning",  # resubmit that Galaxy cannot follow
    "GJ308": "error",  # unknown metrics plugin
    "GJ309": "error",  # the command-line runner's plugins
    "GJ310": "warning",  # a parameter that the command-line runner ignores
    "GJ311": "error",  # native specification
    "GJ312": "warning",  # a parameter whose name is nearly right
    "GJ313": "warning",  # a time that YAML has turned into an integer
    "GJ314": "error",  # dynamic destination
    "GJ315": "warning",  # a tag that is a destination's id
    "GJ316": "warning",  # options that are read otherwise than they are written
    # Tools
    "GJ401": "error",  # a tool mapping is no mapping, or its id no string
    "GJ402": "error",  # neither or both of id and class, or an unknown class
    "GJ403": "error",  # unknown destination
    "GJ404": "warning",  # unknown resource group
    # Limits
    "GJ501": "error",  # a limit without type
    "GJ502": "error",  # a value that is not of the limit's kind
    "GJ503": "warning",  # unknown limit type: ignored
    "GJ504": "warning",  # a limit of an unknown destination: ignored
    "GJ505": "warning",  # deprecated limit type
    # Galaxy's own parser
    "GJ801": "error",  # Galaxy refuses the file
    "GJ802": "error",  # Galaxy cannot read the file and would run every job locally
    "GJ803": "warning",  # Galaxy's parser could not be asked
    # The running cluster
    "GJ901": "error",  # no such partition, or it is not up
    "GJ902": "error",  # the partition does not admit the user, the account or the QOS
    "GJ903": "error",  # more CPUs, memory or gres than a node has
    "GJ904": "error",  # a time above the partition's limit
    "GJ905": "error",  # Slurm refuses it
    "GJ906": "error",  # the DRMAA library
}

# galaxy/jobs/runners of 22.01 to 26.1: module -> class -> parameters of the runner (None: any).
# The kind of a parameter is what its spec's `map` and `valid` take.
_BASE = {"recheck_missing_job_retries": "count"}
_DRMAA = {
    **_BASE,
    "drmaa_library_path": "str",
    "invalidjobexception_state": ("ok", "error"),
    "invalidjobexception_retries": "count",
    "internalexception_state": ("ok", "error"),
    "internalexception_retries": "count",
}
_ID = "id"  # a number, $uid or $gid, or nothing
_KUBERNETES = {
    **_BASE,
    **dict.fromkeys(
        (
            "k8s_config_path k8s_persistent_volume_claims k8s_working_volume_claim "
            "k8s_data_volume_claim k8s_namespace k8s_pod_priority_class k8s_affinity "
            "k8s_node_selector k8s_extra_job_envs k8s_tolerations k8s_galaxy_instance_id "
            "k8s_job_api_version k8s_job_metadata k8s_pull_policy k8s_use_service_account "
            "k8s_interactivetools_use_ssl k8s_interactivetools_ingress_annotations "
            "k8s_interactivetools_ingress_class k8s_interactivetools_tls_secret "
            "k8s_ingress_api_version k8s_default_requests_cpu k8s_default_requests_memory "
            "k8s_default_limits_cpu k8s_default_limits_memory k8s_persistent_volume_claim_name "
            "k8s_persistent_volume_claim_mount_path k8s_unschedulable_walltime_limit "
            "k8s_job_ttl_secs_after_finished requests_cpu requests_memory limits_cpu limits_memory"
        ).split(),
        "str",
    ),
    "k8s_supplemental_group_id": _ID,
    "k8s_fs_group_id": _ID,
    "k8s_run_as_user_id": _ID,
    "k8s_run_as_group_id": _ID,
    "k8s_timeout_seconds_job_deletion": "int",
    "k8s_cleanup_job": ("onsuccess", "always", "never"),
    "k8s_pod_retries": "count",
    "k8s_pod_retrials": "count",
    "k8s_job_spec_back_off_limit": "count",
    "k8s_walltime_limit": "count",
}
_PULSAR = {
    **_BASE,
    **dict.fromkeys(
        (
            "amqp_url amqp_key_prefix galaxy_url secret pulsar_config pulsar_app_config manager "
            "persistence_directory amqp_connect_ssl_ca_certs amqp_connect_ssl_keyfile "
            "amqp_connect_ssl_certfile amqp_connect_ssl_cert_reqs relay_url relay_username "
            "relay_password relay_topic_prefix cache remote_container_handling amqp_acknowledge "
            "amqp_publish_retry private_token url"
        ).split(),
        "str",
    ),
    "transport": ("urllib", "curl"),
    "transport_timeout": "int or None",
    "amqp_ack_republish_time": "int or None",
    "amqp_republish_time": "int or None",
    "amqp_consumer_timeout": "float or None",
    "amqp_publish_priority": "int",
    "amqp_publish_delivery_mode": ("transient", "persistent"),
    "amqp_publish_retry_max_retries": "int",
    "amqp_publish_retry_interval_start": "int",
    "amqp_publish_retry_interval_step": "int",
    "amqp_publish_retry_interval_max": "int",
}
RUNNERS: dict = {
    "aws": {
        "AWSBatchJobRunner": {
            **_BASE,
            "aws_access_key_id": "str",
            "aws_secret_access_key": "str",
            "region": "str",
        }
    },
    "chronos": {
        "ChronosJobRunner": {
            **_BASE,
            **dict.fromkeys(("chronos", "insecure", "username", "password", "owner"), "str"),
        }
    },
    "cli": {"ShellJobRunner": {}},
    "condor": {"CondorJobRunner": _BASE},
    "drmaa": {"DRMAAJobRunner": _DRMAA},
    "gcp_batch": {"GoogleCloudBatchJobRunner": None},
    "godocker": {
        "GodockerJobRunner": {
            **_BASE,
            **dict.fromkeys(("godocker_master", "user", "key", "godocker_project"), "str"),
        }
    },
    "htcondor": {
        "HTCondorJobRunner": {
            **_BASE,
            **dict.fromkeys(("htcondor_collector", "htcondor_schedd", "htcondor_config"), "str"),
        }
    },
    "kubernetes": {"KubernetesJobRunner": _KUBERNETES},
    "local": {"LocalJobRunner": _BASE},
    "pbs": {"PBSJobRunner": {}},
    "pulsar": {
        "PulsarLegacyJobRunner": _PULSAR,
        "PulsarRESTJobRunner": _PULSAR,
        "PulsarMQJobRunner": _PULSAR,
        "PulsarEmbeddedJobRunner": _PULSAR,
        "PulsarEmbeddedMQJobRunner": _PULSAR,
        "PulsarCoexecutionJobRunner": _PULSAR,
        "PulsarKubernetesJobRunner": _PULSAR,
        "PulsarTesJobRunner": _PULSAR,
        "PulsarGcpBatchJobRunner": _PULSAR,
        "PulsarARCJobRunner": _PULSAR,
    },
    "slurm": {"SlurmJobRunner": _DRMAA},
    "state_handlers": {},
    "tasks": {"TaskedJobRunner": _BASE},
    "univa": {"UnivaJobRunner": _DRMAA},
    "tes": {"TESJobRunner": None},
}
PREFIX = "galaxy.jobs.runners."

ASSIGN = ("mem-self", "db-self", "db-preassign", "db-transaction-isolation", "db-skip-locked")
TOOL_CLASSES = ("local", "requires_galaxy", "user_defined")
METRICS = ("core", "cpuinfo", "meminfo", "uname", "env", "cgroup", "hostname", "collectl")
SHELL_PLUGINS = ("LocalShell", "RemoteShell", "SecureShell", "GlobusSecureShell", "ParamikoShell")
JOB_PLUGINS = ("Slurm", "SlurmTorque", "Torque", "OpenPBS", "LSF")
DYNAMIC_TYPES = ("python", "docker_dispatch", "choose_one", "burst", "dtd", "legacy")
SLURM_ARGUMENTS = (
    "time",
    "ncpus",
    "partition",
)  # galaxy/jobs/runners/util/cli/job/slurm.py: argmap
CONCURRENT = (
    "destination_user_concurrent_jobs",
    "destination_total_concurrent_jobs",
    "concurrent_jobs",
)
LIMITS = (
    "registered_user_concurrent_jobs",
    "anonymous_user_concurrent_jobs",
    "walltime",
    "total_walltime",
    "output_size",
    *CONCURRENT,
)
CONDITION_NAMES = frozenset(
    (
        "walltime_reached memory_limit_reached unknown_error tool_detected_failure "
        "tool_timelimit_reached any_failure any_potential_job_failure attempt seconds_running "
        "seconds_since_queued True False None"
    ).split()
)
# galaxy/jobs/runners/state_handlers/_safe_eval.py: functions that a resubmit condition may call.
CONDITION_FUNCTIONS = frozenset(
    (
        "abs all any bin chr cmp complex divmod float hex int len long max min oct ord pow range "
        "reversed round sorted str sum type unichr unicode log exp sqrt ceil floor"
    ).split()
)

TOP = ("runners", "dynamic", "handling", "execution", "tools", "resources", "limits")
HANDLING = ("assign", "max_grab", "ready_window_size", "default", "processes")
ENVIRONMENT = ("id", "tags", "runner", "shell", "env", "resubmit", "params", "metrics", "enabled")
# Keys of a destination that are parameters, for what is nearly one of them.
PARAMETERS = {
    "drmaa": ("nativeSpecification", "native_specification"),
    "cli": ("shell_plugin", "job_plugin"),
    "any": (
        "docker_enabled",
        "docker_sudo",
        "docker_volumes",
        "docker_default_container_id",
        "singularity_enabled",
        "singularity_volumes",
        "singularity_default_container_id",
        "require_container",
        "container_resolvers",
        "container_resolvers_config_file",
        "embed_metadata_in_job",
        "metadata_strategy",
        "tool_evaluation_strategy",
        "outputs_to_working_directory",
    ),
}

XML_AMPLIFICATION = 43  # expat.h, XML_ERROR_AMPLIFICATION_LIMIT_BREACH: not among pyexpat's names
MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 200
MAX_VALUES = 2_000_000
MAX_SUGGESTIONS = 100
BOOLEANS = frozenset("true yes on y t 1 false no off n f 0".split())
SIZE = re.compile(
    r"(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*"
    r"([kmgtpe](i?b)?|(kilo|mega|giga|tera|peta|exa|kibi|mebi|gibi|tebi|pebi|exbi)bytes?|b(ytes?)?)?",
    re.I,
)
TEMPLATED = re.compile(r"\{\{|\{%|\$\{|\$[A-Za-z_]|__[a-z_]+__|@[A-Z_]+@")

_COLLECTIONS = (
    None,
    "!",
    *(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "set", "omap", "pairs")),
)
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _WrongError(Exception):
    """A finding after which the file cannot be read on."""


class _Item:
    """
    A value of the configuration, and where it stands.

    value is None, a bool, a number, a string, a list of items, or a dict of key to item. at and
    key_at are (file, line, column) of the value and of its key. raw is the text of a YAML scalar.
    open is True for what is known only when Galaxy runs (from_environ, from_config).
    """

    __slots__ = ("at", "key_at", "open", "raw", "size", "value")

    def __init__(self, value, at, raw=None, size=1):
        self.value = value
        self.at = self.key_at = at
        self.raw = raw
        self.open = False
        self.size = size

    def get(self, key):
        """Return the item of a key, or None where there is none or it is null."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return None if found is None or found.value is None else found

    def text(self, key):
        """Return the string of a key, or None."""
        found = self.get(key)
        return found.value if found is not None and isinstance(found.value, str) else None


class _Report:
    """Collect findings; suggest names that are nearly right, a bounded number of times."""

    def __init__(self, ignore=()):
        self.findings = []
        self.ignore = frozenset(ignore)
        self.suggestions = 0

    def __call__(self, code, at, where, message):
        if code not in self.ignore:
            file, line, column = at
            self.findings.append(
                {
                    "code": code,
                    "level": CODES[code],
                    "file": file,
                    "line": line,
                    "column": column,
                    "where": where,
                    "message": message,
                    "judge": "rules",
                }
            )

    def stop(self, code, at, where, message):
        self(code, at, where, message)
        raise _WrongError

    def near(self, name, known):
        """Return the known name that this one nearly is, or None."""
        if self.suggestions >= MAX_SUGGESTIONS or not isinstance(name, str):
            return None
        self.suggestions += 1
        lower = {str(item).lower(): str(item) for item in known}
        match = difflib.get_close_matches(name.lower(), lower, 1, 0.75)
        return lower[match[0]] if match else None

    def mean(self, name, known, otherwise=""):
        """Return a hint: the known name that is near; or all, after ``otherwise``; or nothing."""
        near = self.near(name, known)
        if near:
            return f'; did you mean "{near}"?'
        return otherwise + ", ".join(known) if otherwise else ""

    def misspelt(self, names, known):
        """Return a hint where one of the names is nearly the one that is needed, else nothing."""
        near = next((name for name in names if self.near(name, (known,))), None)
        return f' ("{near}" is nearly {known})' if near else ""


# --- reading YAML ---------------------------------------------------------------------------------


def _read_yaml(text, file, report):
    """
    Read YAML into items, as PyYAML's safe_load would, with every position.

    It walks over events with a stack of its own: no depth, alias or tag can hang it or reach an
    object.
    """
    try:
        return _compose(yaml.parse(text, Loader=_YAML), file, report)
    except yaml.YAMLError as refused:
        # libyaml refuses a little that Galaxy's pure Python parser reads.
        try:
            return _compose(yaml.parse(text, Loader=yaml.SafeLoader), file, report)
        except yaml.YAMLError as error:
            at, words = _yaml_error(
                text, file, error if getattr(error, "problem", None) else refused
            )
            return report.stop("GJ003", at, "file", f"not valid YAML: {words}; {_YAML_HINT}")


def _yaml_error(text, file, error):
    """Return where a YAML error most likely was made, and what it is."""
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if context and "quoted scalar" in str(error.context):
        return (file, context.line + 1, context.column + 1), f"the quote that begins here: {words}"
    last = None
    try:
        for event in yaml.parse(text, Loader=_YAML):
            last = event
    except yaml.YAMLError:
        pass
    # A quote that is not closed runs to the next one, and what follows that is the error.
    if (
        mark
        and isinstance(last, yaml.ScalarEvent)
        and last.start_mark
        and last.end_mark
        and last.style in ("'", '"')
        and last.start_mark.line < last.end_mark.line == mark.line
    ):
        start = last.start_mark
        words = f"the quote that begins here is closed only in line {mark.line + 1}"
        return (file, start.line + 1, start.column + 1), words
    return (file, mark.line + 1, mark.column + 1) if mark else (file, 1, 1), words


_YAML_HINT = "check the indentation and the quotes around this line; Galaxy would not start"


def _compose(events, file, report):
    resolver, constructor = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()
    anchors: dict = {}
    stack: list = []  # [item, pending key (mapping only), anchor, merged mappings]
    root, documents = None, 0

    def put(item, anchor, is_scalar=True):
        nonlocal root
        if anchor and is_scalar:
            anchors[anchor] = item
        if not stack:
            root = item
            return
        parent = stack[-1]
        if isinstance(parent[0].value, list):
            parent[0].value.append(item)
        elif parent[1] is None:
            parent[1] = item
            return
        else:
            _add(parent, item, report)
            parent[1] = None
        parent[0].size += item.size
        if parent[0].size > MAX_VALUES:
            report.stop(
                "GJ006", item.at, "file", f"its aliases expand to over {MAX_VALUES:,} values"
            )

    for event in events:
        mark = event.start_mark
        at = (file, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag
            if tag is None or tag == "!":
                tag = resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
            if tag == "tag:yaml.org,2002:str":
                value = event.value
            elif tag == "tag:yaml.org,2002:merge":
                value = _MERGE
            else:
                value = _scalar(constructor, tag, event, at, report)
            put(_Item(value, at, event.value if not event.style else None), event.anchor)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            mapping = isinstance(event, yaml.MappingStartEvent)
            if event.tag not in _COLLECTIONS:
                _tag(event.tag, at, report)
            if len(stack) >= MAX_DEPTH:
                report.stop("GJ006", at, "file", f"nested more than {MAX_DEPTH} levels deep")
            stack.append([_Item({} if mapping else [], at), None, event.anchor, []])
            if event.anchor:
                anchors[event.anchor] = None
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            item, _, anchor, merged = stack.pop()
            for other in merged:
                for key, value in other.value.items():
                    item.value.setdefault(key, value)
            if anchor:
                anchors[anchor] = item
            put(item, None, False)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise yaml.composer.ComposerError(
                    None, None, f"found undefined alias {event.anchor!r}", mark
                )
            if anchors[event.anchor] is None:
                report.stop("GJ006", at, "file", f"alias *{event.anchor} contains itself")
            put(anchors[event.anchor], None)
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                report.stop(
                    "GJ003",
                    at,
                    "file",
                    "a second YAML document begins here, and Galaxy reads one: remove the ---",
                )
    return root


_MERGE: Any = object()


def _add(parent, item, report):
    """Put a value below its key; a key given before is replaced, as PyYAML does."""
    mapping, key = parent[0], parent[1]
    name = key.value
    if name is _MERGE:
        sources = item.value if isinstance(item.value, list) else [item]
        if all(isinstance(source.value, dict) for source in sources):
            parent[3].extend(sources)
            return
        report.stop("GJ003", item.at, "file", "<< merges mappings; this is none")
    if isinstance(name, (dict, list)):
        report.stop("GJ003", key.at, "file", "a key must be a single value, this is a collection")
    before = mapping.value.get(name)
    if before is not None:
        report(
            "GJ007",
            key.at,
            f"key {name!r}",
            f'"{name}" is given twice: the one of line {before.key_at[1]} is lost; keep one',
        )
    if item.key_at is item.at:
        item.key_at = key.at
    mapping.value[name] = item


def _scalar(constructor, tag, event, at, report):
    """Return the Python value of a YAML scalar that is no string."""
    if not tag.startswith("tag:yaml.org,2002:"):
        _tag(tag, at, report)
    try:
        return constructor.construct_object(yaml.ScalarNode(tag, event.value))
    except yaml.constructor.ConstructorError:
        return _tag(tag, at, report)
    except (ValueError, OverflowError, KeyError, IndexError, AttributeError):
        kind = tag.rpartition(":")[2]
        return report.stop("GJ003", at, "file", f'"{event.value}" is no valid {kind}: quote it')


def _tag(tag, at, report):
    return report.stop(
        "GJ008",
        at,
        "file",
        f"the tag {tag} is not plain YAML; Galaxy loads the file safely and refuses it: remove it",
    )


# --- reading XML ----------------------------------------------------------------------------------


class _Element:
    """An XML element: like ElementTree's, and it knows where it and each attribute stand."""

    __slots__ = ("at", "attrib", "children", "marks", "source", "tag", "text")

    def __init__(self, tag, attrib, at, source):
        self.tag = tag
        self.attrib = attrib
        self.children = []
        self.text = None
        self.at = at
        self.source = source  # (bytes of the file, offset), to find an attribute's own line
        self.marks = {}  # attribute, or "" for the text, to where a macro's token was given

    def findall(self, tag):
        return [child for child in self.children if child.tag == tag]

    def find(self, tag):
        return next((child for child in self.children if child.tag == tag), None)

    def mark(self, name):
        """Return where an attribute stands; for no attribute, where the element does."""
        if name in self.marks:
            return self.marks[name]
        data, offset = self.source
        file, line, column = self.at
        for match in _ATTRIBUTE.finditer(data, offset, offset + 4096):
            if match["end"]:
                break
            if match["name"] == name.encode():
                before = data[offset : match.start("name")]
                if b"\n" in before:
                    return (
                        file,
                        line + before.count(b"\n"),
                        len(before) - before.rindex(b"\n"),
                    )
                return (file, line, column + len(before))
        return self.at

    def copy(self):
        """Return a deep copy, made without recursion on the text of the file."""
        new = _Element(self.tag, dict(self.attrib), self.at, self.source)
        new.text = self.text
        new.marks = dict(self.marks)
        new.children = [child.copy() for child in self.children]
        return new

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


_ATTRIBUTE = re.compile(
    rb"""\s(?P<name>[^\s=<>"'/]+)\s*=\s*(?:"[^"]*"|'[^']*')|(?P<end>>)""",
)


def _parse_xml(data, file, report):
    """Parse XML into elements: no external entity, no expansion without bounds."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    stack: list = []
    roots: list = []
    texts = 0

    def here():
        return (file, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1)

    def start(tag, attributes):
        at = here()
        element = _Element(tag, attributes, at, (data, parser.CurrentByteIndex))
        if len(stack) >= MAX_DEPTH:
            report.stop("GJ006", at, "file", f"nested more than {MAX_DEPTH} levels deep")
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)

    def end(_tag):
        stack.pop()

    def text(words):
        nonlocal texts
        texts += len(words)
        if texts > MAX_BYTES:
            report.stop("GJ006", here(), "file", "its entities expand without bounds; write it out")
        if stack and not stack[-1].children:
            stack[-1].text = (stack[-1].text or "") + words

    def entity(name, parameter, value, _base, system, _public, _notation):
        if parameter or system is not None or value is None:
            report.stop(
                "GJ008", here(), f"entity {name}", f'entity "{name}" is external; write it out here'
            )
        if "&" in value or len(value) > 65536:
            report.stop(
                "GJ006", here(), f"entity {name}", f'entity "{name}" expands others; write it out'
            )

    def external(_context, _base, system, _public):
        report.stop("GJ008", here(), "file", f"refers to the external entity {system}; remove it")

    def declaration(version, _encoding, _standalone):
        if not re.fullmatch(r"1\.[0-9]+", version or "1.0"):
            report.stop("GJ003", here(), "file", f'there is no XML version "{version}"; write 1.0')

    parser.XmlDeclHandler = declaration
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = entity
    parser.ExternalEntityRefHandler = external
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        at = (file, error.lineno, error.offset + 1)
        if error.code == XML_AMPLIFICATION:
            report.stop("GJ006", at, "file", "its entities expand without bounds; write it out")
        at, words = _xml_error(error, data, stack, at, parser)
        report.stop(
            "GJ003", at, "file", f"not well-formed XML: {words}; mend it; Galaxy would not start"
        )
    except (LookupError, ValueError) as error:
        report.stop("GJ004", (file, 1, 1), "file", f"its XML encoding cannot be read: {error}")
    return roots[0]


def _xml_error(error, data, stack, at, parser):
    """Return where an XML error most likely was made, and what it is."""
    words = expat.errors.messages.get(error.code, str(error))
    if not stack:
        return at, words
    closing = re.match(rb"</\s*([^\s>]+)", data[parser.ErrorByteIndex - 2 :])
    name = closing[1].decode(errors="replace") if closing else None
    opened = f"<{stack[-1].tag}> of line {stack[-1].at[1]}"
    if name is None:
        ended = error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
        return (stack[-1].at, f"{opened} is not closed") if ended else (at, words)
    if any(element.tag == name for element in stack) or stack[-1].tag not in _SHAPE:
        return stack[-1].at, f"{opened} is not closed before </{name}> of line {at[1]}"
    return at, f"</{name}> closes nothing; {opened} is open"


class _Macros:
    """Expand the macros of a job_conf.xml as galaxy/util/xml_macros.py does."""

    def __init__(self, root, file, directory, report, read):
        self.report = report
        self.read = read
        self.directory = directory
        self.macros: dict = {}
        self.tokens: dict = {}
        self.values = 0
        self.files: list = []
        section = root.find("macros")
        if section is None:
            for element in root.walk():
                if element.tag == "expand":
                    report(
                        "GJ026",
                        element.at,
                        "expand",
                        "there is no <macros> section, so Galaxy ignores this <expand>",
                    )
            return
        self.load(section, [file])
        section.children = []
        self.nest_tokens()
        self.expand(root, ())
        self.replace(root, self.tokens)

    def load(self, section, chain):
        """Collect the macros of a section, those of imported files first."""
        for element in section.findall("import"):
            self.load(self.imported(element, chain), [*chain, (element.text or "").strip()])
        for element in section.children:
            kind = element.attrib.get("type", "xml") if element.tag == "macro" else element.tag
            if kind not in ("xml", "token"):
                continue
            name = element.attrib.get("name")
            if not name:
                self.report.stop(
                    "GJ025", element.at, f"<{element.tag}>", f"<{element.tag}> has no name"
                )
            if kind == "token":
                self.tokens[name] = (element.text or "", element.at)
            else:
                self.macros[name] = element

    def imported(self, element, chain):
        name = element.text or ""
        where = f'import "{name.strip()}"'
        if not name:
            self.report.stop("GJ025", element.at, where, "<import> names no file")
        path = str(Path(self.directory, name))
        if name.strip() in chain or os.path.realpath(path) in map(os.path.realpath, chain):
            self.report.stop(
                "GJ022", element.at, where, f"{' imports '.join([*chain, name.strip()])}: a cycle"
            )
        try:
            data = self.read(path)
        except (OSError, ValueError) as error:
            self.report.stop(
                "GJ021",
                element.at,
                where,
                f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): "
                "Galaxy would silently run every job locally",
            )
        self.files.append(path)
        return _parse_xml(data, path, self.report)

    def nest_tokens(self):
        """Put the values of tokens into one another, in the order that Galaxy takes."""
        for name in self.tokens:
            for other, (value, at) in self.tokens.items():
                if name and name in value:
                    if name == other:
                        self.report.stop(
                            "GJ025", at, f'token "{name}"', f'token "{name}" contains itself'
                        )
                    new = value.replace(name, self.tokens[name][0])
                    if len(new) > 1_000_000:
                        self.report.stop("GJ006", at, f'token "{name}"', "expands without bounds")
                    self.tokens[other] = (new, at)

    def expand(self, element, visited):
        """Replace the <expand> elements below an element, depth first."""
        index = 0
        while index < len(element.children):
            child = element.children[index]
            if child.tag == "expand":
                element.children[index : index + 1] = self.expanded(child, visited)
            else:
                self.expand(child, visited)
                index += 1

    def expanded(self, call, visited):
        name = call.attrib.get("macro")
        where = f'expand "{name}"' if name else "expand"
        if name is None:
            self.report.stop("GJ025", call.at, where, "<expand> has no macro attribute")
        if name in visited:
            chain = " expands ".join([*visited, name])
            self.report.stop("GJ024", call.at, where, f"{chain}: a cycle")
        if name not in self.macros:
            self.report.stop(
                "GJ023",
                call.mark("macro"),
                where,
                f'there is no macro "{name}"{self.report.mean(name, self.macros)}',
            )
        body = self.macros[name].copy()
        self.values += sum(1 for _ in body.walk())
        if self.values > MAX_VALUES or len(visited) > MAX_DEPTH:
            self.report.stop("GJ006", call.at, where, "its macros expand without bounds")
        self.fill_yields(body, call, where)
        tokens = {}
        definition = body.attrib
        quote = definition.get("token_quote", "@")
        for key, value in definition.items():
            if key == "tokens":
                for token in value.split(","):
                    if token not in call.attrib:
                        self.report.stop(
                            "GJ025", call.at, where, f'macro "{name}" needs the attribute "{token}"'
                        )
                    tokens[f"{quote}{token.upper()}{quote}"] = (
                        call.attrib[token],
                        call.mark(token),
                    )
            elif key.startswith("token_") and key != "token_quote":
                token = key[len("token_") :]
                given = token in call.attrib
                tokens[f"{quote}{token.upper()}{quote}"] = (
                    call.attrib[token] if given else value,
                    call.mark(token) if given else body.mark(key),
                )
        for child in body.children:
            self.replace(child, tokens)
        self.expand(body, (*visited, name))
        return body.children

    def fill_yields(self, body, call, where):
        """Replace <yield> by the content of the <expand>, and named ones by its <token>s."""
        named = {}
        for token in call.findall("token"):
            name = token.attrib.get("name")
            if name is None:
                self.report.stop("GJ025", token.at, where, "<token> in <expand> has no name")
            named[name] = token.children
            if not any(e.tag == "yield" and e.attrib.get("name") == name for e in body.walk()):
                self.report.stop(
                    "GJ025", token.at, where, f'the macro has no <yield name="{name}">'
                )
        rest = [child for child in call.children if child.tag != "token"]

        def fill(element):
            new = []
            for child in element.children:
                if child.tag != "yield":
                    fill(child)
                    new.append(child)
                else:
                    content = named.get(child.attrib.get("name"), rest)
                    new += [item.copy() for item in content]
            element.children = new

        fill(body)

    def replace(self, root, tokens):
        """Replace tokens in the attributes and the texts of an element and all below it."""
        if not tokens:
            return
        for element in root.walk():
            for name, value in [("", element.text), *element.attrib.items()]:
                if not value:
                    continue
                new = value
                for token, (text, at) in tokens.items():
                    if token in new:
                        new = new.replace(token, text)
                        element.marks[name] = at
                if new is not value:
                    if len(new) > MAX_BYTES:
                        self.report.stop(
                            "GJ006", element.at, element.tag, "its tokens expand without bounds"
                        )
                    if name:
                        element.attrib[name] = new
                    else:
                        element.text = new


# The elements of job_conf.xml, with their children and attributes; None: anything.
_DEFAULT = ("default", "default_from_environ", "default_from_config")
_SHAPE: dict = {
    "job_conf": (
        ("plugins", "handlers", "destinations", "resources", "tools", "limits", "macros"),
        (),
    ),
    "plugins": (("plugin",), ("workers",)),
    "plugin": (("param",), ("id", "type", "load", "workers")),
    "handlers": (
        ("handler",),
        (*_DEFAULT, "assign_with", "max_grab", "ready_window_size"),
    ),
    "handler": (("plugin",), ("id", "tags")),
    "destinations": (("destination",), (*_DEFAULT, "metrics")),
    "destination": (
        ("param", "env", "resubmit", "job_metrics"),
        ("id", "runner", "tags", "metrics"),
    ),
    "param": (("container",), ("id", "from_environ", "from_config")),
    "env": ((), ("id", "file", "exec", "raw")),
    "resubmit": ((), ("condition", "destination", "handler", "delay")),
    "resources": (("group",), ("default",)),
    "group": ((), ("id", "fields")),
    "tools": (("tool",), ()),
    "tool": (("param",), ("id", "class", "handler", "destination", "resources")),
    "limits": (("limit",), ()),
    "limit": ((), ("type", "id", "tag", "window")),
}


def _read_xml(data, file, directory, report, read):
    """
    Read XML into the items of Galaxy's own structure (job_config_xml_to_dict), and what it imports.
    """
    root = _parse_xml(data, file, report)
    if root.tag != "job_conf":
        report(
            "GJ009",
            root.at,
            f"<{root.tag}>",
            f"the root element is <{root.tag}>, not <job_conf>; Galaxy does not look at its name",
        )
    macros = _Macros(root, file, directory, report, read)
    return _XmlToItems(root, report).conf, macros.files


class _XmlToItems:
    """Bring the elements of a job_conf.xml into the structure of the YAML format."""

    def __init__(self, root, report):
        self.report = report
        self.sections: dict = {}
        for child in root.children:
            if child.tag in self.sections and child.tag in _SHAPE["job_conf"][0]:
                report(
                    "GJ007",
                    child.at,
                    f"<{child.tag}>",
                    f"a second <{child.tag}>: Galaxy reads only the one of line "
                    f"{self.sections[child.tag].at[1]}; join them",
                )
            self.sections.setdefault(child.tag, child)
        self.shape(root, "job_conf")
        self.conf = _Item({}, root.at)
        for key, make in (
            ("plugins", self.plugins),
            ("handlers", self.handlers),
            ("destinations", self.destinations),
            ("resources", self.resources),
            ("tools", self.tools),
            ("limits", self.limits),
        ):
            make(self.sections.get(key))

    def shape(self, element, kind):
        """Report the children and attributes that Galaxy does not read."""
        children, attributes = _SHAPE[kind]
        for child in element.children:
            if child.tag in children:
                if child.tag == "plugin" and kind == "handler":
                    continue
                if child.tag in ("job_metrics", "container", "macros"):
                    continue
                self.shape(child, child.tag)
            elif child.tag in _SHAPE["job_conf"][0] and kind != "job_conf":
                self.report(
                    "GJ012",
                    child.at,
                    f"<{child.tag}>",
                    f"<{child.tag}> stands inside <{element.tag}>, where Galaxy does not look; "
                    "move it directly below <job_conf>",
                )
            elif child.tag != "expand":
                self.report(
                    "GJ010",
                    child.at,
                    f"<{child.tag}>",
                    f"Galaxy ignores <{child.tag}> inside <{element.tag}>"
                    f"{self.report.mean(child.tag, children)}",
                )
        for name in element.attrib:
            if name not in attributes and kind != "job_conf":
                if kind == "param" and name == "name" and "id" not in element.attrib:
                    message = 'a <param> is named by "id", not by "name"; Galaxy loses this one'
                else:
                    message = (
                        f'Galaxy ignores the attribute "{name}" of <{element.tag}>'
                        f"{self.report.mean(name, attributes)}"
                    )
                self.report("GJ010", element.mark(name), f"<{element.tag}>", message)

    def attribute(self, element, name):
        item = _Item(element.attrib[name], element.mark(name))
        item.key_at = item.at
        return item

    def attributes(self, element, names):
        """Return a mapping of the attributes that are there; names maps ours to XML's."""
        return {
            key: self.attribute(element, name)
            for key, name in names.items()
            if element.attrib.get(name)
        }

    def required(self, parent, tag, names):
        """Return the children that have these attributes; Galaxy skips the others."""
        found = []
        for child in parent.findall(tag):
            missing = [name for name in names if name not in child.attrib]
            if missing:
                name = child.attrib.get("id") or child.attrib.get("type") or ""
                self.report(
                    "GJ014",
                    child.at,
                    f'<{tag} "{name}">' if name else f"<{tag}>",
                    f"<{tag}> without {' and '.join(missing)}: Galaxy ignores all of it",
                )
            else:
                found.append(child)
        return found

    def params(self, parent):
        """Return the <param>s of an element as a mapping."""
        params = _Item({}, parent.at)
        for param in parent.findall("param"):
            name = param.attrib.get("id")
            at = param.marks.get("", param.at)
            value = _Item(param.text, at)
            if name in ("container", "container_override"):
                value.value = [
                    _Item(
                        {
                            **{k: _Item(v, c.mark(k)) for k, v in c.attrib.items()},
                            "identifier": _Item((c.text or "").strip(), c.at),
                        },
                        c.at,
                    )
                    for c in param.findall("container")
                ]
            value.open = "from_environ" in param.attrib or "from_config" in param.attrib
            value.key_at = param.mark("id")
            self.add(params, name, value, "param")
        return params

    def add(self, mapping, name, item, kind):
        """Put an item below its id; one given before is replaced."""
        before = mapping.value.get(name)
        if before is not None:
            self.report(
                "GJ007",
                item.key_at,
                f'{kind} "{name}"',
                f'{kind} "{name}" is given twice: the one of line {before.key_at[1]} is lost',
            )
        mapping.value[name] = item

    def plugins(self, section):
        runners = self.conf.value["runners"] = _Item(
            {}, self.conf.at if section is None else section.at
        )
        if section is None:
            return
        for plugin in section.findall("plugin"):
            if plugin.attrib.get("id") == "dynamic" and plugin.attrib.get("type") == "runner":
                self.conf.value["dynamic"] = self.params(plugin)
                plugin.attrib.setdefault("load", "")
        for plugin in self.required(section, "plugin", ("id", "type", "load")):
            name = plugin.attrib["id"]
            if plugin.attrib["type"] != "runner":
                self.report(
                    "GJ108",
                    plugin.mark("type"),
                    f'plugin "{name}"',
                    f'plugin "{name}": type "{plugin.attrib["type"]}" is unknown, so Galaxy '
                    'ignores the plugin; write type="runner"',
                )
                continue
            if name == "dynamic" and not plugin.attrib["load"]:
                continue
            runner = _Item({"load": self.attribute(plugin, "load")}, plugin.at)
            runner.key_at = plugin.mark("id")
            for owner in (plugin, section):
                if "workers" in owner.attrib:
                    runner.value["workers"] = self.attribute(owner, "workers")
                    break
            runner.value["kwds"] = self.params(plugin)
            self.add(runners, name, runner, "plugin")

    def default(self, section, mapping):
        """Read the default of a section; an environment variable may replace it."""
        if section.attrib.get("default"):
            mapping["default"] = self.attribute(section, "default")
        if "default_from_environ" in section.attrib or "default_from_config" in section.attrib:
            default = mapping.setdefault("default", _Item(None, section.at))
            default.open = True

    def handlers(self, section):
        handling = self.conf.value["handling"] = _Item(
            {}, self.conf.at if section is None else section.at
        )
        if section is None:
            return
        self.default(section, handling.value)
        processes = handling.value["processes"] = _Item({}, section.at)
        for handler in self.required(section, "handler", ("id",)):
            process = _Item({}, handler.at)
            process.key_at = handler.mark("id")
            if "tags" in handler.attrib:
                process.value["tags"] = self.split(handler, "tags")
            plugins = self.required(handler, "plugin", ("id",))
            if plugins:
                process.value["plugins"] = _Item(
                    [self.attribute(plugin, "id") for plugin in plugins], handler.at
                )
            self.add(processes, handler.attrib["id"], process, "handler")
        if section.attrib.get("assign_with"):
            handling.value["assign"] = self.split(section, "assign_with")
        for name in ("max_grab", "ready_window_size"):
            if section.attrib.get(name):
                handling.value[name] = self.attribute(section, name)

    def split(self, element, name):
        at = element.mark(name)
        return _Item([_Item(word.strip(), at) for word in element.attrib[name].split(",")], at)

    def destinations(self, section):
        if section is None:
            at = self.conf.at
            self.report(
                "GJ011", at, "<job_conf>", "there is no <destinations>; Galaxy does not start"
            )
            self.conf.value["execution"] = _Item({"environments": _Item(None, at)}, at)
            return
        environments = _Item([], section.at)
        execution = self.conf.value["execution"] = _Item({"environments": environments}, section.at)
        self.default(section, execution.value)
        for element in self.required(section, "destination", ("id", "runner")):
            values = {"id": self.attribute(element, "id")}
            if element.attrib.get("runner"):
                values["runner"] = self.attribute(element, "runner")
            if "tags" in element.attrib:
                values["tags"] = self.split(element, "tags")
            values["params"] = self.params(element)
            values["env"] = _Item([self.env(env) for env in element.findall("env")], element.at)
            resubmits = [
                _Item(
                    self.attributes(
                        child,
                        {
                            "condition": "condition",
                            "environment": "destination",
                            "handler": "handler",
                            "delay": "delay",
                        },
                    ),
                    child.at,
                )
                for child in element.findall("resubmit")
            ]
            if resubmits:
                values["resubmit"] = _Item(resubmits, element.at)
            metrics = self.metrics(element)
            if metrics is not None:
                values["metrics"] = metrics
            item = _Item(values, element.at)
            item.key_at = element.mark("id")
            environments.value.append(item)

    def metrics(self, element):
        """Return what a destination says of its metrics, in YAML's structure."""
        if element.attrib.get("metrics"):
            given = self.attribute(element, "metrics")
            if given.value.strip().lower() in BOOLEANS:
                source = "default" if _truth(given.value) else "disabled"
                return _Item({"src": _Item(source, given.at)}, given.at)
            return _Item({"src": _Item("path", given.at), "path": given}, given.at)
        section = element.find("job_metrics")
        if section is None:
            return None
        return _Item(
            [
                _Item(
                    {
                        "type": _Item(child.tag, child.at),
                        **{k: _Item(v, child.mark(k)) for k, v in child.attrib.items()},
                    },
                    child.at,
                )
                for child in section.children
            ],
            section.at,
        )

    def env(self, element):
        values = self.attributes(
            element, {"name": "id", "file": "file", "execute": "exec", "raw": "raw"}
        )
        if element.text is not None:
            values["value"] = _Item(element.text, element.marks.get("", element.at))
        return _Item(values, element.at)

    def resources(self, section):
        groups = _Item({}, self.conf.at if section is None else section.at)
        resources = self.conf.value["resources"] = _Item({"groups": groups}, groups.at)
        if section is None:
            return
        if section.attrib.get("default"):
            resources.value["default"] = self.attribute(section, "default")
        for group in self.required(section, "group", ("id",)):
            fields = (group.attrib.get("fields") or group.text or "").split(",")
            item = _Item([_Item(field, group.at) for field in fields if field], group.at)
            item.key_at = group.mark("id")
            self.add(groups, group.attrib["id"], item, "group")

    def tools(self, section):
        tools = self.conf.value["tools"] = _Item(
            [], self.conf.at if section is None else section.at
        )
        for element in section.findall("tool") if section is not None else []:
            values = self.attributes(
                element,
                {
                    "id": "id",
                    "class": "class",
                    "handler": "handler",
                    "environment": "destination",
                    "resources": "resources",
                },
            )
            values["params"] = self.params(element)
            tools.value.append(_Item(values, element.at))

    def limits(self, section):
        limits = self.conf.value["limits"] = _Item(
            [], self.conf.at if section is None else section.at
        )
        for element in self.required(section, "limit", ("type",)) if section is not None else []:
            values = self.attributes(
                element, {"type": "type", "id": "id", "tag": "tag", "window": "window"}
            )
            values["value"] = _Item(element.text, element.marks.get("", element.at))
            limits.value.append(_Item(values, element.at))


# --- the rules ------------------------------------------------------------------------------------


def _truth(value):
    """Return what Galaxy's asbool makes of a value."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "on", "y", "t", "1")
    return bool(value)


def _integer(item):
    """Return the integer that Python's int() makes of an item's value, or None."""
    try:
        return int(item.value)
    except (TypeError, ValueError, OverflowError):
        return None


def _kind(value):
    """Name the kind of a value the way a person reads YAML."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    return f"the string {value!r}" if isinstance(value, str) else f"the number {value}"


class _Rules:
    """Hold a configuration against what Galaxy does with it, section by section."""

    def __init__(self, conf, report, is_xml):
        self.conf = conf
        self.report = report
        self.xml = is_xml
        # XML and YAML have different words for the same things.
        self.environment, self.runner = (
            ("destination", "plugin") if is_xml else ("environment", "runner")
        )
        self.one = "a destination" if is_xml else "an environment"
        self.runners: dict = {}
        self.handlers: set = set()
        self.groups: set = set()
        self.names: set = set()  # ids and tags of the destinations that are enabled
        self.environments: list = []
        self.has_dynamic = False

    def check(self):
        """Check all sections; stop where Galaxy would have stopped reading."""
        if not self.xml:
            self.top()
        self.check_runners()
        self.check_handling()
        self.check_environments()
        self.check_resources()
        self.check_tools()
        self.check_limits()

    def section(self, parent, key, kind, where, required=False):
        """Return a section of the right kind, or None; report one of the wrong kind."""
        item = parent.value.get(key) if parent is not None else None
        words = "a mapping" if kind is dict else "a list"
        if item is None:
            if required:
                self.report(
                    "GJ011", parent.at, where, f'there is no "{key}"; Galaxy does not start'
                )
            return None
        if kind is list and item.value in ({}, ""):
            return None  # Galaxy walks over nothing
        if not isinstance(item.value, kind):
            self.report(
                "GJ011",
                item.key_at,
                where,
                f'"{key}" is {_kind(item.value)}, not {words}; Galaxy does not start'
                + ("; remove the key or give it content" if item.value is None else ""),
            )
            return None
        return item

    def unknown(self, item, known, where, words="Galaxy ignores it"):
        """Report the keys of a mapping that are not known."""
        for key, value in item.value.items():
            if key not in known:
                self.report(
                    "GJ010",
                    value.key_at,
                    where,
                    f'unknown key "{key}": {words}{self.report.mean(key, known)}',
                )

    def strings(self, item, where, what):
        """Return the strings of a list; a string there is read by Galaxy character by character."""
        if item is None:
            return []
        if isinstance(item.value, str):
            self.report(
                "GJ013",
                item.at,
                where,
                f'{what} is the string "{item.value}", which Galaxy reads character by character; '
                f"write [{', '.join(word.strip() for word in item.value.split(','))}]",
            )
            return []
        if not isinstance(item.value, list):
            self.report("GJ011", item.at, where, f"{what} is {_kind(item.value)}, not a list")
            return []
        return item.value

    def boolean(self, item, where, what):
        """Report a value that Galaxy's asbool refuses; return its truth."""
        if item is None or item.open:
            return True
        if isinstance(item.value, str) and item.value.strip().lower() not in BOOLEANS:
            self.report("GJ015", item.at, where, f'{what} is "{item.value}": write true or false')
        return _truth(item.value)

    # Sections

    def top(self):
        for key, item in self.conf.value.items():
            if key in TOP:
                continue
            near = self.report.mean(key, TOP)
            if key == "environments":
                self.report(
                    "GJ012",
                    item.key_at,
                    "file",
                    '"environments" belongs below "execution"; Galaxy does not see it here',
                )
            elif key in HANDLING and key != "default":
                self.report(
                    "GJ012", item.key_at, "file", f'"{key}" belongs below "handling"; ignored here'
                )
            else:
                self.report(
                    "GJ010", item.key_at, "file", f'unknown key "{key}": Galaxy ignores it{near}'
                )

    def check_runners(self):
        runners = self.section(self.conf, "runners", dict, "file", required=True)
        for name, item in runners.value.items() if runners else ():
            where = f'{self.runner} "{name}"'
            if not isinstance(item.value, dict):
                self.report(
                    "GJ101",
                    item.key_at,
                    where,
                    f"{where} is {_kind(item.value)}, not a mapping; Galaxy does not start",
                )
                self.runners[name] = None
                continue
            params = item.value.get("kwds")
            if params is None:
                params = _Item(
                    {k: v for k, v in item.value.items() if k not in ("id", "load", "workers")},
                    item.at,
                )
            elif not isinstance(params.value, dict):
                self.report("GJ101", params.at, where, f'{where}: "kwds" is no mapping')
                params = _Item({}, item.at)
            if not self.boolean(params.value.get("enabled"), where, f"{where}: enabled"):
                continue
            if name == "dynamic":
                continue
            self.runners[name] = item
            self.check_load(name, item, params, where)
            self.check_workers(item, where)

    def check_load(self, name, item, params, where):
        load = item.value.get("load")
        if load is None or load.value is None:
            near = next((k for k in item.value if self.report.near(k, ("load",))), None)
            self.report(
                "GJ102",
                (load or item.value.get(near) or item).key_at,
                where,
                f'{where} has no "load"{self.report.mean(near, ("load",))}; the job handler does '
                f"not start. Write for example load: {PREFIX}slurm:SlurmJobRunner",
            )
            return
        if not isinstance(load.value, str):
            self.report("GJ102", load.at, where, f"{where}: load is {_kind(load.value)}")
            return
        module, _, name = load.value.rpartition(":") if ":" in load.value else (load.value, "", "")
        if "." not in module:
            short = module
            if ":" in load.value:
                return  # a module of the site's own
        elif module.startswith(PREFIX):
            short = module[len(PREFIX) :]
        else:
            if not name and not module.startswith("galaxy."):
                return
            near = self.report.near(module, [PREFIX + known for known in RUNNERS])
            if near:
                self.report(
                    "GJ103",
                    load.at,
                    where,
                    f'{where}: there is no module "{module}"; did you mean "{near}"?',
                )
            return
        if short not in RUNNERS:
            if module.startswith(PREFIX) or self.report.near(short, RUNNERS):
                self.report(
                    "GJ103",
                    load.at,
                    where,
                    f'{where}: Galaxy has no runner module "{short}"'
                    f"{self.report.mean(short, RUNNERS)}; the job handler does not start",
                )
            return
        classes = RUNNERS[short]
        if name and name not in classes:
            self.report(
                "GJ103",
                load.at,
                where,
                f'{where}: {PREFIX}{short} has no class "{name}"'
                f"{self.report.mean(name, classes, '; it has ')}",
            )
            return
        known = classes[name] if name else next(iter(classes.values()), None)
        if known is not None:
            self.check_runner_params(params, known, where)

    def check_runner_params(self, params, known, where):
        for key, item in params.value.items():
            if key == "enabled":
                continue
            if key not in known:
                self.report(
                    "GJ105",
                    item.key_at,
                    where,
                    f'{where}: unknown parameter "{key}"{self.report.mean(key, known)}; the job '
                    "handler does not start (parameters of jobs belong to the "
                    f"{self.environment})",
                )
                continue
            kind, value = known[key], item.value
            if item.open or kind == "str" or isinstance(value, (dict, list)):
                continue
            words = None
            if isinstance(kind, tuple):
                if value not in kind:
                    words = f"one of {', '.join(kind)}"
            elif kind == _ID:
                text = "" if value is None else str(value)
                if text not in ("", "$uid", "$gid") and not text.isdigit():
                    words = "a number, $uid or $gid"
            elif kind == "float or None":
                try:
                    value = None if value == "None" else float(value)
                except (TypeError, ValueError):
                    words = "a number"
            elif not (kind == "int or None" and value == "None"):
                number = _integer(item)
                if number is None:
                    words = "an integer"
                elif kind == "count" and number < 0:
                    words = "an integer of at least 0"
            if words:
                self.report(
                    "GJ106",
                    item.at,
                    where,
                    f'{where}: "{key}" is {_kind(item.value)}, not {words}; the job handler does '
                    "not start",
                )

    def check_workers(self, item, where):
        workers = item.value.get("workers")
        if workers is None:
            return
        number = _integer(workers)
        if number is None or (not self.xml and not isinstance(workers.value, int)):
            what = "Galaxy" if self.xml else "the job handler"
            self.report(
                "GJ104",
                workers.at,
                where,
                f"{where}: workers is {_kind(workers.value)}, not an integer"
                f"{' (remove the quotes)' if number is not None else ''}; {what} does not start",
            )
        elif number < 1:
            self.report(
                "GJ107", workers.at, where, f"{where}: with workers {number} no job ever starts"
            )

    def check_handling(self):
        if self.conf.value.get("handling") is None:
            return
        handling = self.section(self.conf, "handling", dict, "file")
        if handling is None:
            return
        self.unknown(handling, HANDLING, "handling")
        assign = handling.value.get("assign")
        if assign is not None:
            if not isinstance(assign.value, list):
                self.report(
                    "GJ201",
                    assign.at,
                    "handling",
                    f"assign is {_kind(assign.value)}, not a list; Galaxy does not start: write "
                    "assign: [db-skip-locked]",
                )
            else:
                for method in assign.value:
                    if not isinstance(method.value, str) or method.value.lower() not in ASSIGN:
                        self.report(
                            "GJ201",
                            method.at,
                            "handling",
                            f'assignment method "{method.value}" is unknown; Galaxy does not '
                            f"start{self.report.mean(method.value, ASSIGN, '; it knows ')}",
                        )
        for key in ("max_grab", "ready_window_size"):
            item = handling.value.get(key)
            if (
                item is not None
                and _integer(item) is None
                and (item.value is not None or key != "max_grab")
            ):
                self.report(
                    "GJ202",
                    item.at,
                    "handling",
                    f"{key} is {_kind(item.value)}, not an integer; Galaxy does not start",
                )
        processes = self.section(handling, "processes", dict, "handling")
        for name, process in processes.value.items() if processes else ():
            self.check_process(name, process)
        default = handling.get("default")
        if default is not None and not default.open:
            self.handler(default, "handling")

    def check_process(self, name, process):
        where = f'handler "{name}"'
        self.handlers.add(name)
        if not process.value:
            return
        if not isinstance(process.value, dict):
            self.report(
                "GJ011", process.at, where, f"{where} is {_kind(process.value)}, not a mapping"
            )
            return
        self.unknown(process, ("tags", "plugins", "environment", "environ", "id"), where)
        for tag in self.strings(process.get("tags"), where, "tags"):
            self.handlers.add(tag.value)
        for plugin in self.strings(process.get("plugins"), where, "plugins"):
            if plugin.value not in self.runners:
                self.report(
                    "GJ204",
                    plugin.at,
                    where,
                    f'{where}: plugin "{plugin.value}" is not a {self.runner}'
                    f"{self.report.mean(plugin.value, self.runners)}; the handler does not load it",
                )

    def handler(self, item, where):
        """Report a handler's name that is nearly, but not, one of this file's."""
        if item is None or not isinstance(item.value, str) or item.value in self.handlers:
            return
        # Handlers may be defined elsewhere (gravity, a web stack's pools): only a near miss counts.
        near = self.report.near(item.value, self.handlers) if self.handlers else None
        if near and re.sub(r"\d+$", "", near) != re.sub(r"\d+$", "", item.value):
            self.report(
                "GJ203",
                item.at,
                where,
                f'handler "{item.value}" is unknown; did you mean "{near}"?',
            )

    def check_environments(self):
        execution = self.section(self.conf, "execution", dict, "file")
        if execution is None:
            if "execution" not in self.conf.value:
                self.report(
                    "GJ302",
                    self.conf.at,
                    "file",
                    f'there is no "execution" with {self.environment}s; Galaxy does not start',
                )
            return
        if not self.xml:
            self.unknown(execution, ("default", "environments"), "execution")
        environments = execution.value.get("environments")
        if environments is None or (environments.value is None and not self.xml):
            self.report(
                "GJ302",
                (environments or execution).key_at,
                "execution",
                f"there are no {self.environment}s; Galaxy does not start",
            )
            return
        if environments.value is None:
            return  # the missing <destinations> has been reported
        if not isinstance(environments.value, (dict, list)):
            self.section(execution, "environments", dict, "execution")
            return
        ids = self.listed(environments)
        for name, item in ids:
            self.check_environment(name, item)
        self.check_tags({name for name, _ in ids})
        self.check_resubmits()
        self.check_default(execution, environments)

    def listed(self, environments):
        """Return [(id, item)] of the destinations, which may be a map or a list."""
        if isinstance(environments.value, dict):
            return list(environments.value.items())
        seen: dict = {}
        for item in environments.value:
            name = item.value.get("id") if isinstance(item.value, dict) else None
            if name is None:
                self.report(
                    "GJ301",
                    item.at,
                    "execution",
                    f"{self.one} of the list has no id; Galaxy does not start",
                )
                continue
            if name.value in seen:
                self.report(
                    "GJ007",
                    name.at,
                    f'{self.environment} "{name.value}"',
                    f'{self.environment} "{name.value}" is given twice: the one of line '
                    f"{seen[name.value].at[1]} is lost",
                )
            seen[name.value] = item
        return list(seen.items())

    def check_environment(self, name, item):
        where = f'{self.environment} "{name}"'
        if not isinstance(item.value, dict):
            self.report(
                "GJ301",
                item.key_at,
                where,
                f"{where} is {_kind(item.value)}, not a mapping; Galaxy does not start",
            )
            self.names.add(name)
            return
        params = item.get("params")
        if params is not None and not isinstance(params.value, dict):
            self.report("GJ301", params.at, where, f"{where}: params is {_kind(params.value)}")
            params = None
        values = self.parameters(item, params, where)
        enabled = values.get("enabled")
        if enabled is not None and not self.boolean(enabled, where, f"{where}: enabled"):
            return
        self.names.add(name)
        runner = item.value.get("runner")
        family = self.check_runner(name, runner, item, values, where)
        self.environments.append((name, item, values, family))
        tags = item.get("tags")
        if tags is not None and isinstance(tags.value, str):
            self.names.update(tags.value)  # the characters, as Galaxy takes them
        for tag in self.strings(tags, where, "tags"):
            if isinstance(tag.value, (dict, list)):
                self.report("GJ011", tag.at, where, f"{where}: a tag is {_kind(tag.value)}")
            else:
                self.names.add(tag.value)
        self.check_env(item.get("env"), where)
        self.check_metrics(item.get("metrics"), where)
        for key in ("docker_enabled", "singularity_enabled", "require_container"):
            if key in values:
                self.boolean(values[key], where, f"{where}: {key}")
        self.check_parameters(values, family, where)

    def parameters(self, item, params, where):
        """Return the parameters of a destination: its params, or else its other keys."""
        if params is None:
            taken = ("id", "tags", "runner", "shell", "env", "resubmit", "metrics", "params")
            return {k: v for k, v in item.value.items() if k not in taken}
        for key, value in item.value.items():
            if key not in ENVIRONMENT or key == "enabled":
                self.report(
                    "GJ016",
                    value.key_at,
                    where,
                    f'{where} has "params", so Galaxy ignores "{key}" beside it; move it there',
                )
        return params.value

    def check_runner(self, name, runner, item, values, where):
        """Check that a destination's runner is a plugin; return what family it is of."""
        if runner is None or runner.value is None:
            self.report(
                "GJ305",
                (runner or item).key_at,
                where,
                f"{where} has no runner; its jobs fail{self.report.misspelt(values, 'runner')}",
            )
            return "other"
        if runner.value in ("dynamic", "dynamic_tpv"):
            self.has_dynamic = True
            self.check_dynamic(runner, item, values, where)
            return "dynamic"
        if not isinstance(runner.value, str) or runner.value not in self.runners:
            known = [*self.runners, "dynamic", "dynamic_tpv"]
            self.report(
                "GJ304",
                runner.at,
                where,
                f'{where}: runner "{runner.value}" is not a {self.runner}'
                f"{self.report.mean(runner.value, known)}; its jobs fail",
            )
            return "other"
        return _family(self.runners[runner.value])

    def check_dynamic(self, runner, item, values, where):
        if runner.value == "dynamic_tpv":
            if "tpv_config_files" not in values:
                self.report(
                    "GJ314",
                    item.key_at,
                    where,
                    f"{where}: dynamic_tpv needs tpv_config_files, a list of files"
                    f"{self.report.misspelt(values, 'tpv_config_files')}",
                )
            if item.get("params") is not None:
                self.report(
                    "GJ314",
                    runner.at,
                    where,
                    f"{where}: dynamic_tpv works only where the parameters stand beside the "
                    "runner, not in params or in XML; write runner dynamic with type python, "
                    "function map_tool_to_destination and rules_module tpv.rules",
                )
            return
        kind = values.get("type")
        if kind is None or kind.open or kind.value is None:
            return
        if not isinstance(kind.value, str) or kind.value not in DYNAMIC_TYPES:
            self.report(
                "GJ314",
                kind.at,
                where,
                f'{where}: type "{kind.value}" is unknown'
                f"{self.report.mean(kind.value, DYNAMIC_TYPES)}; its jobs fail",
            )

    def check_env(self, env, where):
        if env is None:
            return
        if not isinstance(env.value, list):
            hint = (
                "; write it as a list of - name: and value:" if isinstance(env.value, dict) else ""
            )
            self.report(
                "GJ306",
                env.key_at,
                where,
                f"{where}: env is {_kind(env.value)}, not a list{hint}; its jobs fail",
            )
            return
        for item in env.value:
            self.check_env_item(item, where)

    def check_env_item(self, item, where):
        known = ("name", "value", "raw", "file", "execute")
        if not isinstance(item.value, dict):
            self.report(
                "GJ306", item.at, where, f"{where}: an env is {_kind(item.value)}; its jobs fail"
            )
            return
        if not self.xml:
            self.unknown(item, (*known, "id", "exec"), where)
        used = [key for key in ("file", "execute", "name") if item.get(key) is not None]
        if not used:
            self.report(
                "GJ306",
                item.at,
                where,
                f"{where}: an env has none of {'id' if self.xml else 'name'}, file and "
                f"{'exec' if self.xml else 'execute'}; its jobs fail",
            )
            return
        for key in ("file", "execute", "name", "value"):
            value = item.value.get(key)
            if value is not None and value.value is not None and not isinstance(value.value, str):
                self.report(
                    "GJ306",
                    value.at,
                    where,
                    f"{where}: env {key} is {_kind(value.value)}, not a string; its jobs fail: "
                    "quote it",
                )
        if used == ["name"] and item.get("value") is None:
            self.report(
                "GJ306",
                item.at,
                where,
                f'{where}: env "{item.text("name")}" has no value; its jobs fail'
                + ('; for an empty one, write value: ""' if not self.xml else ""),
            )
        self.boolean(item.get("raw"), where, f"{where}: raw of an env")

    def check_metrics(self, metrics, where):
        if metrics is None:
            return
        if isinstance(metrics.value, dict):
            self.unknown(metrics, ("src", "path", "xml_element"), where)
            return
        if not isinstance(metrics.value, list):
            self.report("GJ308", metrics.at, where, f"{where}: metrics is {_kind(metrics.value)}")
            return
        for plugin in metrics.value:
            kind = plugin.text("type") if isinstance(plugin.value, dict) else None
            if kind not in METRICS:
                self.report(
                    "GJ308",
                    plugin.at,
                    where,
                    f'{where}: job metrics plugin "{kind}" is unknown'
                    f"{self.report.mean(kind, METRICS)}; Galaxy does not start",
                )

    def check_parameters(self, values, family, where):
        """Check the parameters of one destination, by its runner's family."""
        for key, item in values.items():
            if item.raw and ":" in item.raw and isinstance(item.value, int):
                self.report(
                    "GJ313",
                    item.at,
                    where,
                    f"{where}: YAML reads {key}: {item.raw} as the number {item.value}; quote it",
                )
        known = (*PARAMETERS["any"], *PARAMETERS.get(family.removeprefix("slurm-"), ()))
        for key, item in values.items():
            if isinstance(key, str) and key not in known and not key.startswith(("job_", "shell_")):
                near = difflib.get_close_matches(key, known, 1, 0.9) if len(key) > 8 else ()
                if (
                    near
                    and self.report.suggestions < MAX_SUGGESTIONS
                    and not _relative(key, near[0])
                ):
                    self.report.suggestions += 1
                    self.report(
                        "GJ312",
                        item.key_at,
                        where,
                        f'{where}: parameter "{key}" is unknown; did you mean "{near[0]}"?',
                    )
        if family == "cli":
            self.check_cli(values, where)
        elif family in ("drmaa", "slurm-drmaa"):
            self.check_native(values, family, where)

    def check_native(self, values, family, where):
        specs = [
            values[k] for k in PARAMETERS["drmaa"] if k in values and values[k].value is not None
        ]
        if len(specs) > 1:
            self.report(
                "GJ016",
                specs[1].at,
                where,
                f"{where}: nativeSpecification is used and native_specification ignored; keep one",
            )
        spec = specs[0] if specs else None
        if spec is None or spec.open:
            return
        if not isinstance(spec.value, str):
            self.report(
                "GJ311",
                spec.at,
                where,
                f"{where}: the native specification is {_kind(spec.value)}, not a string",
            )
        elif family == "slurm-drmaa" and not TEMPLATED.search(spec.value):
            read = __salt__["drmaa.parse_native"](spec.value)
            for code, found in (("GJ311", read["problems"]), ("GJ316", read["notes"])):
                for each in found:
                    self.report(code, spec.at, where, f"{where}: {each['message']}")

    def check_cli(self, values, where):
        for key, known in (("shell_plugin", SHELL_PLUGINS), ("job_plugin", JOB_PLUGINS)):
            item = values.get(key)
            if item is None or item.value is None:
                if key == "job_plugin" and not (item is not None and item.open):
                    self.report(
                        "GJ309",
                        next(iter(values.values())).key_at
                        if values
                        else self.environments_at(where),
                        where,
                        f"{where} has no job_plugin; its jobs fail: write job_plugin Slurm",
                    )
            elif not item.open and item.value not in known:
                self.report(
                    "GJ309",
                    item.at,
                    where,
                    f'{where}: {key} "{item.value}" is unknown'
                    f"{self.report.mean(item.value, known, '; there are ')}"
                    "; its jobs fail",
                )
        plugin = values.get("job_plugin")
        if plugin is None or plugin.value != "Slurm":
            return
        arguments, marks = _sbatch(values)
        for key in marks["ignored"]:
            argument = key[len("job_") :]
            self.report(
                "GJ310",
                values[key].key_at,
                where,
                f"{where}: the command-line runner ignores {key}"
                f"{self.report.mean(argument, SLURM_ARGUMENTS) or f'; write job_--{argument}'}",
            )
        if arguments and not any(TEMPLATED.search(argument) for argument in arguments):
            places = {option: values[key] for key, option in marks["options"].items()}
            read = __salt__["slurm.parse_options"](arguments)
            for code, found in (("GJ311", read["problems"]), ("GJ316", read["notes"])):
                for each in found:
                    at = places.get(each["option"], plugin).at
                    self.report(code, at, where, f"{where}: {each['message']}")

    def environments_at(self, where):
        return next(
            (item.at for name, item, _, _ in self.environments if name in where), self.conf.at
        )

    def check_tags(self, ids):
        for name, item, _, _ in self.environments:
            tags = item.get("tags")
            for tag in tags.value if tags is not None and isinstance(tags.value, list) else ():
                if isinstance(tag.value, str) and tag.value != name and tag.value in ids:
                    where = f'{self.environment} "{name}"'
                    self.report(
                        "GJ315",
                        tag.at,
                        where,
                        f'{where}: its tag "{tag.value}" is also an id; by the order of the file, '
                        "jobs for that id run here too or the tag is lost: rename it",
                    )

    def check_resubmits(self):
        for name, item, _, _ in self.environments:
            where = f'{self.environment} "{name}"'
            resubmit = item.get("resubmit")
            if resubmit is None:
                continue
            if not isinstance(resubmit.value, list):
                self.report(
                    "GJ307",
                    resubmit.at,
                    where,
                    f"{where}: resubmit is {_kind(resubmit.value)}, not a list",
                )
                continue
            for entry in resubmit.value:
                if not isinstance(entry.value, dict):
                    self.report("GJ307", entry.at, where, f"{where}: a resubmit is no mapping")
                    continue
                self.unknown(
                    entry, ("condition", "environment", "destination", "handler", "delay"), where
                )
                target = entry.get("environment")
                if target is not None and target.value not in self.names:
                    self.report(
                        "GJ307",
                        target.at,
                        where,
                        f'{where}: resubmit to "{target.value}", which is no {self.environment}'
                        f"{self.report.mean(target.value, self.names)}; the job fails instead",
                    )
                for key in ("condition", "delay"):
                    words = _condition(entry.get(key))
                    if words:
                        self.report(
                            "GJ307", entry.get(key).at, where, f"{where}: resubmit {key} {words}"
                        )
                self.handler(entry.get("handler"), where)

    def check_default(self, execution, environments):
        default = execution.value.get("default")
        if default is None or (default.value is None and not default.open):
            if len(self.names) != 1:
                self.report(
                    "GJ302",
                    (default or (execution if self.xml else environments)).key_at,
                    "execution",
                    f"there are {len(self.names)} ids and tags of {self.environment}s and no "
                    f"default; Galaxy does not start: add default: with one of them",
                )
        elif default.value not in self.names and default.value is not None:
            self.report(
                "GJ303",
                default.at,
                "execution",
                f'default "{default.value}" is no id or tag of {self.one} that is '
                f"enabled{self.report.mean(default.value, self.names)}; Galaxy does not start",
            )

    def check_resources(self):
        if self.conf.value.get("resources") is None:
            return
        resources = self.section(self.conf, "resources", dict, "file")
        if resources is None:
            return
        self.unknown(resources, ("default", "groups"), "resources")
        groups = self.section(resources, "groups", dict, "resources")
        for name, item in groups.value.items() if groups else ():
            self.strings(item, f'resource group "{name}"', "its fields")
        self.groups = set(groups.value) if groups else set()
        self.group(resources.get("default"), "resources")

    def group(self, item, where):
        if item is not None and isinstance(item.value, str) and item.value not in self.groups:
            self.report(
                "GJ404",
                item.at,
                where,
                f'resource group "{item.value}" is unknown'
                f"{self.report.mean(item.value, self.groups)}; Galaxy ignores it",
            )

    def check_tools(self):
        tools = self.section(self.conf, "tools", list, "file")
        seen: dict = {}
        for item in tools.value if tools else ():
            self.check_tool(item, seen)

    def check_tool(self, item, seen):
        if not isinstance(item.value, dict):
            self.report(
                "GJ401", item.at, "tools", f"a tool mapping is {_kind(item.value)}, not a mapping"
            )
            return
        tool, group = item.get("id"), item.get("class")
        name = tool.value if tool is not None else group.value if group is not None else "?"
        where = f'tool "{name}"'
        if tool is not None and not isinstance(tool.value, str):
            self.report("GJ401", tool.at, where, f"{where}: id is {_kind(tool.value)}: quote it")
        if tool is None and group is None:
            near = next((k for k in item.value if self.report.near(k, ("id", "class"))), None)
            self.report(
                "GJ402",
                item.at,
                "tools",
                "a tool mapping has neither id nor class; Galaxy does not start"
                + (f' ("{near}" is neither)' if near else ""),
            )
        elif tool is not None and group is not None:
            self.report(
                "GJ402",
                group.key_at,
                where,
                f"{where} has both id and class; Galaxy does not start: make two entries",
            )
        elif group is not None and group.value not in TOOL_CLASSES:
            self.report(
                "GJ402",
                group.at,
                where,
                f'tool class "{group.value}" is unknown; Galaxy does not start'
                f"{self.report.mean(group.value, TOOL_CLASSES, '; it knows ')}",
            )
        destination = item.value.get("environment") or item.value.get("destination")
        if destination is not None and destination.value is not None:
            there = isinstance(destination.value, str) and destination.value in self.names
            if not there:
                self.report(
                    "GJ403",
                    destination.at,
                    where,
                    f'{where} goes to "{destination.value}", which is no id or tag of '
                    f"{self.one} that is enabled"
                    f"{self.report.mean(destination.value, self.names)}; its jobs fail",
                )
        self.handler(item.get("handler"), where)
        self.group(item.get("resources"), where)
        params = item.get("params")
        known = ("id", "class", "environment", "destination", "handler", "resources", "params")
        if not self.xml:
            for key, value in item.value.items():
                near = None if key in known else self.report.near(key, known)
                if near:
                    self.report(
                        "GJ010",
                        value.key_at,
                        where,
                        f'{where}: unknown key "{key}"; did you mean "{near}"?',
                    )
        bare = not (params.value if params is not None else set(item.value) - set(known))
        if isinstance(name, str) and bare and tool is not None:
            key = name.lower().rstrip("/")
            if key in seen:
                self.report(
                    "GJ007",
                    item.at,
                    where,
                    f"{where} is mapped twice (line {seen[key].at[1]}), without params; keep one",
                )
            seen[key] = item

    def check_limits(self):
        limits = self.section(self.conf, "limits", list, "file")
        for item in limits.value if limits else ():
            if not isinstance(item.value, dict):
                self.report(
                    "GJ501", item.at, "limits", f"a limit is {_kind(item.value)}, not a mapping"
                )
                continue
            kind = item.get("type")
            if kind is None or not isinstance(kind.value, str):
                self.report(
                    "GJ501",
                    (kind or item).at,
                    "limits",
                    "a limit has no type; Galaxy does not start",
                )
                continue
            self.check_limit(item, kind)

    def check_limit(self, item, kind):
        where = f'limit "{kind.value}"'
        name = re.sub("^environment_", "destination_", kind.value)
        known = [re.sub("^destination_", "environment_", k) if not self.xml else k for k in LIMITS]
        value = item.value.get("value") or _Item(None, item.at)
        if not self.xml:
            self.unknown(item, ("type", "value", "id", "tag", "window"), where)
        if name not in LIMITS:
            self.report(
                "GJ503",
                kind.at,
                where,
                f"{where} is unknown; Galaxy ignores it{self.report.mean(kind.value, known)}",
            )
            return
        if name == "concurrent_jobs":
            new = f"{self.environment}_user_concurrent_jobs"
            self.report("GJ505", kind.at, where, f"{where} is deprecated; write {new}")
        words = None
        if name in CONCURRENT:
            if _integer(value) is None:
                words = "an integer"
            target = item.get("tag") or item.get("id")
            if target is None or (not self.has_dynamic and target.value not in self.names):
                what = (
                    f'"{target.value}" is no {self.environment}'
                    if target
                    else "it names no id or tag"
                )
                near = self.report.mean(target.value, self.names) if target else ""
                self.report(
                    "GJ504", (target or item).at, where, f"{where}: {what}{near}; Galaxy ignores it"
                )
        elif name in ("walltime", "total_walltime"):
            if (
                name == "total_walltime"
                and _integer(item.value.get("window") or _Item(None, item.at)) is None
            ):
                self.report(
                    "GJ502",
                    (item.get("window") or item).at,
                    where,
                    f"{where} needs window, an integer (days); Galaxy does not start",
                )
            if (value.value or name == "total_walltime") and not re.fullmatch(
                r"\s*[+-]?\d+\s*:\s*[+-]?\d+\s*:\s*[+-]?\d+\s*", str(value.value)
            ):
                words = "a time H:M:S"
                if value.raw and ":" in value.raw:
                    words += f" (YAML reads {value.raw} so: quote it)"
        elif value.value and name == "output_size":
            if not isinstance(value.value, str) or not SIZE.fullmatch(value.value.strip()):
                words = "a string such as '10GB'"
        elif value.value and _integer(value) is None:
            words = "an integer"
        if words:
            self.report(
                "GJ502",
                value.at,
                where,
                f"{where}: the value is {_kind(value.value)}, not {words}; Galaxy does not start",
            )


def _relative(one, other):
    """Tell whether two names differ only by what makes families of parameters."""
    return one.replace("singularity", "docker") == other.replace("singularity", "docker")


def _family(runner):
    """Return drmaa, slurm-drmaa, cli, local or other for a runner's item."""
    load = runner.text("load") if runner is not None else None
    module, _, name = (load or "").rpartition(":")
    short = (module or name).rpartition(".")[2]
    if short == "slurm":
        return "slurm-drmaa"
    return short if short in ("drmaa", "cli", "local") else "other"


def _sbatch(values):
    """
    Return sbatch's arguments for a destination of the command-line runner, and where each is from.

    Source: galaxy/jobs/runners/util/cli/job/slurm.py, Slurm.job_script_kwargs.
    """
    short = {"time": "-t", "ncpus": "-c", "partition": "-p"}
    long = {"-t": "--time", "-c": "--cpus-per-task", "-p": "--partition"}
    arguments: list = []
    marks: dict = {"ignored": [], "options": {}}
    for key, item in values.items():
        if not isinstance(key, str) or not key.startswith("job_") or key == "job_plugin":
            continue
        option = key[len("job_") :]
        if not option.startswith("-"):
            if option not in short:
                marks["ignored"].append(key)
                continue
            option = short[option]
        marks["options"][key] = long.get(option, option)
        if item.open:
            continue
        value = "" if item.value is None else str(item.value)
        # The script holds "#SBATCH <option> <value>", which sbatch splits at spaces.
        arguments += [option, *value.split()]
    return arguments, marks


def _condition(item):
    """Return what is wrong with a resubmit condition or delay, or None."""
    if item is None or isinstance(item.value, (int, float)):
        return None
    if not isinstance(item.value, str):
        return f"is {_kind(item.value)}"
    if len(item.value) > 2000:
        return "is too long"
    try:
        tree = ast.parse(item.value.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"is no expression: {item.value!r}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in CONDITION_NAMES | CONDITION_FUNCTIONS:
            near = difflib.get_close_matches(node.id, CONDITION_NAMES, 1)
            return f'uses the unknown name "{node.id}"' + (
                f'; did you mean "{near[0]}"?' if near else ""
            )
    return None


# --- files ----------------------------------------------------------------------------------------


def _read_file(path):
    """Return the bytes of a regular file of bounded size; raise OSError or ValueError."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    return data


def _format(path, given):
    """Return xml or yaml: Galaxy reads a file as XML when its path contains .xml."""
    if given not in (None, "xml", "yaml"):
        raise SaltInvocationError(f'format "{given}" is unknown; it is xml or yaml')
    return given or ("xml" if ".xml" in (path or "") else "yaml")


def _decode(data, file, report):
    """Return the text of a YAML file, which Galaxy opens as UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        words = "it is UTF-16" if data.startswith(marks) else error.reason
        return report.stop(
            "GJ004", (file, line, column), "file", f"not UTF-8 ({words}); save it as UTF-8"
        )


def _load(path, text, format, report):
    """
    Read a configuration; return (item or None, format, files that it imports).

    A galaxy.yml is followed to what it holds or names.
    """
    if path is None and text is None:
        raise SaltInvocationError("galaxy_jobconf needs a path or a text")
    if not isinstance(text, (str, bytes, type(None))):
        raise SaltInvocationError(
            f"text is {_kind(text)}, not a string: Salt reads an argument beginning with {{ as YAML"
        )
    file = str(path) if path else "text"
    at = (file, 1, 1)
    format = _format(path, format)
    imports: list = []
    try:
        if text is not None:
            data = text.encode() if isinstance(text, str) else text
            if len(data) > MAX_BYTES:
                report.stop("GJ006", at, "file", f"larger than {MAX_BYTES // 1024 // 1024} MiB")
        else:
            try:
                data = _read_file(path)
            except OSError as error:
                report.stop(
                    "GJ001",
                    at,
                    "file",
                    f"{path} cannot be read ({error.strerror}): Galaxy would silently run every "
                    "job locally",
                )
            except ValueError as error:
                report.stop("GJ006", at, "file", f"{path} is {error}")
        if not data.strip(codecs.BOM_UTF8 + b" \t\r\n"):
            report.stop("GJ002", at, "file", "the file is empty; Galaxy does not start")
        if format == "xml":
            directory = str(Path(path).parent) if path else "."
            conf, imports = _read_xml(data, file, directory, report, _read_file)
        else:
            conf = _read_yaml(_decode(data, file, report), file, report)
            if conf is None or conf.value is None:
                report.stop("GJ002", at, "file", "the file holds nothing; Galaxy does not start")
            if not isinstance(conf.value, dict):
                hint = (
                    " (this is XML: its name must contain .xml)"
                    if data.lstrip()[:1] == b"<"
                    else ""
                )
                report.stop(
                    "GJ005",
                    conf.at,
                    "file",
                    f"the file is {_kind(conf.value)[:60]}, not a mapping{hint}",
                )
            conf, inline = _inline(conf, path, report)
            if not inline and conf is not None and path:
                return _load(conf, None, None, report)
        return conf, format, imports
    except _WrongError:
        return None, format, imports


def _inline(conf, path, report):
    """Return the job_config of a galaxy.yml, or the file that it names; any other as it is."""
    galaxy = conf.get("galaxy")
    if galaxy is None or not isinstance(galaxy.value, dict) or "runners" in conf.value:
        return conf, True
    inline = galaxy.value.get("job_config")
    if inline is not None:
        if galaxy.get("job_config_file") is not None:
            report(
                "GJ016",
                galaxy.get("job_config_file").key_at,
                "galaxy",
                "job_config stands in this file, so Galaxy ignores job_config_file; keep one",
            )
        if not isinstance(inline.value, dict):
            report.stop(
                "GJ005", inline.key_at, "job_config", f"job_config is {_kind(inline.value)}"
            )
        return inline, True
    config_dir = Path(path or ".").parent / (galaxy.text("config_dir") or "")
    named = galaxy.text("job_config_file")
    if named:
        return str(config_dir / named), False
    for name in ("job_conf.yml", "job_conf.xml"):
        if (config_dir / name).exists():
            return str(config_dir / name), False
    return report.stop(
        "GJ001",
        conf.at,
        "galaxy",
        f"no job_config and no job_config_file here, and no job_conf.yml or job_conf.xml in "
        f"{config_dir}: Galaxy would run every job locally",
    )


def _plain(item):
    """Return the plain value of an item."""
    if isinstance(item.value, dict):
        return {key: _plain(value) for key, value in item.value.items()}
    if isinstance(item.value, list):
        return [_plain(value) for value in item.value]
    return item.value


# --- what the minion offers -----------------------------------------------------------------------


def validate(
    path=None,
    text=None,
    format=None,
    ignore=(),
    venv=None,
    user="galaxy",
    config=None,
):
    """
    Validate a job configuration: the mistakes that Galaxy reports badly, late, or never.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy_jobconf.validate /etc/galaxy/job_conf.yml
        salt-call --local galaxy_jobconf.validate /etc/galaxy/job_conf.xml venv=/srv/galaxy/venv

    path
        A job_conf.yml or job_conf.xml; or a galaxy.yml, of which the inline ``job_config`` is
        read, or else the file that it names. With ``text``, where that text will stand: macros are
        imported from beside it.

    text
        The configuration itself.

    format
        ``yaml`` or ``xml``; by default what Galaxy takes: XML when the path contains ``.xml``.

    ignore
        Codes to leave out.

    venv
        Galaxy's virtual environment: its own parser is asked as well, as ``user``, so that a file
        that this user cannot read is found. The answer is kept until the files or the installed
        Galaxy change.

    user
        The user that Galaxy runs as.

    config
        Path of galaxy.yml, for the options that change how Galaxy reads the file.

    Returns a list of findings, sorted by place: code (documented in
    ``docs/galaxy-jobconf-codes.rst``), level (``error``: Galaxy does not start, runs all jobs
    locally, or jobs fail; ``warning``: Galaxy ignores it, or it is deprecated), file, line and
    column (from 1), where, message, and judge (``rules``, or ``galaxy`` and its version).

    Raises SaltInvocationError when there is neither path nor text, or the format is unknown.

    Source: galaxy/jobs/__init__.py, JobConfiguration; galaxy/config/sample/job_conf.sample.yml.
    """
    report = _Report(ignore)
    conf, format, imports = _load(path, text, format, report)
    if conf is not None:
        _Rules(conf, report, format == "xml").check()
    if venv:
        _ask_galaxy(report, path, text, format, imports, venv, user, config)
    return _sorted(report.findings)


def _sorted(findings):
    return sorted(findings, key=lambda f: (f["file"], f["line"], f["column"], f["code"]))


def destinations(path=None, text=None, format=None):
    """
    List the destinations of a job configuration, with their runners and parameters.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy_jobconf.destinations /etc/galaxy/job_conf.yml

    path, text, format
        As for ``validate``.

    Returns a list of mappings: id, runner (the plugin's id), load, family (``slurm-drmaa``,
    ``drmaa``, ``cli``, ``local``, ``dynamic`` or ``other``), params and runner_params (name to
    value, None for a value that is known only when Galaxy runs), tags, dynamic (True where it
    cannot be known what jobs will ask for), file and line. Those that are not enabled are left out.

    Raises CommandExecutionError when the file cannot be read as a job configuration.
    """
    report = _Report()
    conf, format, _ = _load(path, text, format, report)
    if conf is None:
        raise CommandExecutionError(_sentence(report.findings[-1]))
    rules = _Rules(conf, report, format == "xml")
    rules.check()
    found = []
    for name, item, values, family in rules.environments:
        runner = rules.runners.get(item.text("runner"))
        kwds = runner.get("kwds") if runner is not None else None
        runner_params = (kwds or runner).value if runner is not None else {}
        tags = item.get("tags")
        found.append(
            {
                "id": name,
                "runner": item.text("runner"),
                "load": runner.text("load") if runner is not None else None,
                "family": family,
                "params": {key: _plain(value) for key, value in values.items()},
                "runner_params": {
                    key: _plain(value)
                    for key, value in runner_params.items()
                    if key not in ("id", "load", "workers")
                },
                "tags": _plain(tags) if tags is not None and isinstance(tags.value, list) else [],
                "dynamic": family == "dynamic"
                or any(
                    value.open or (isinstance(value.value, str) and TEMPLATED.search(value.value))
                    for value in values.values()
                ),
                "file": item.at[0],
                "line": item.key_at[1],
            }
        )
    return found


def _sentence(finding):
    return f"{finding['file']}, line {finding['line']}: {finding['code']} {finding['message']}"


# --- writing --------------------------------------------------------------------------------------


def render(conf, format="yaml"):
    """
    Render a job configuration from Galaxy's YAML structure, as YAML or as XML.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy_jobconf.render '{runners: {…}, execution: {…}}' xml

    conf
        What a job_conf.yml holds.

    format
        ``yaml`` or ``xml``.

    Returns the text; Galaxy reads the same from both.

    Raises CommandExecutionError when XML cannot say what conf does, SaltInvocationError when conf
    is no mapping or the format is unknown.

    Source: galaxy/jobs/__init__.py, job_config_xml_to_dict.
    """
    if not isinstance(conf, dict):
        raise SaltInvocationError(f"a job configuration is a mapping, not {_kind(conf)}")
    if _format(None, format) == "xml":
        root = _ToXml(conf).root
        ElementTree.indent(root)
        return '<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
    try:
        return yaml.safe_dump(
            json.loads(json.dumps(conf)), sort_keys=False, allow_unicode=True, width=1000
        )
    except (TypeError, ValueError) as error:
        raise CommandExecutionError(f"this cannot be written as YAML: {error}") from error


def convert(path=None, to="yaml", text=None, format=None):
    """
    Convert a job configuration between XML and YAML; macros are written out.

    CLI Example:

    .. code-block:: bash

        salt-call --local --out=newline_values_only galaxy_jobconf.convert /etc/galaxy/job_conf.xml

    path, text, format
        As for ``validate``.

    to
        ``yaml`` or ``xml``.

    Returns the text. Comments are lost.

    Raises CommandExecutionError when the file has errors of form, or the other format cannot say
    what it does.
    """
    report = _Report()
    conf, format, _ = _load(path, text, format, report)
    if conf is None:
        raise CommandExecutionError(_sentence(report.findings[-1]))
    return render(_from_xml(conf) if format == "xml" else _plain(conf), to)


def _from_xml(conf):
    """Return the plain YAML structure of what has been read from XML."""
    for name, item in _open_items(conf):
        raise CommandExecutionError(
            f'line {item.at[1]}: "{name}" takes its value from the environment or galaxy.yml, '
            "which YAML cannot say; write the value"
        )
    plain = _plain(conf)
    for runner in plain["runners"].values():
        runner.update(runner.pop("kwds", {}))
        if "workers" in runner:
            try:
                runner["workers"] = int(runner["workers"])
            except ValueError as error:
                raise CommandExecutionError(f"workers: {error}") from error
    if not plain.get("dynamic"):
        plain.pop("dynamic", None)
    environments = {}
    for environment in plain["execution"]["environments"] or []:
        params = environment.get("params", {})
        if _truth(params.get("docker_enabled", "")) and "docker_sudo" not in params:
            params["docker_sudo"] = "true"  # the default of XML, not of YAML
        for env in environment.get("env", []):
            if "raw" in env:
                env["raw"] = _truth(env["raw"])
        name = environment.pop("id")
        flat = environment.pop("params", {})
        if set(flat) & {"id", "tags", "runner", "shell", "env", "resubmit", "params", "metrics"}:
            environment["params"] = flat
        else:
            environment.update(flat)
        environments[name] = {
            k: v for k, v in environment.items() if v or k == "params" or k in flat
        }
    plain["execution"]["environments"] = environments
    for tool in plain["tools"]:
        if not tool["params"]:
            del tool["params"]
    for limit in plain["limits"]:
        limit["type"] = re.sub("^destination_", "environment_", limit["type"])
    handling = plain["handling"]
    if not handling.get("processes"):
        handling.pop("processes", None)
    if not plain["resources"].get("groups") and "default" not in plain["resources"]:
        del plain["resources"]
    return {key: value for key, value in plain.items() if value or key in ("runners", "execution")}


def _open_items(item, name="file"):
    if item.open:
        yield name, item
    if isinstance(item.value, dict):
        for key, child in item.value.items():
            yield from _open_items(child, key)
    elif isinstance(item.value, list):
        for child in item.value:
            yield from _open_items(child, name)


class _ToXml:
    """Write Galaxy's YAML structure as the elements of a job_conf.xml."""

    def __init__(self, conf):
        self.root = ElementTree.Element("job_conf")
        for key in conf:
            if key not in TOP:
                raise CommandExecutionError(f'"{key}" cannot be written as XML')
        self.plugins(conf.get("runners") or {}, conf.get("dynamic"))
        self.handlers(conf.get("handling") or {})
        self.destinations(conf.get("execution") or {})
        self.resources(conf.get("resources") or {})
        self.tools(conf.get("tools") or [])
        self.limits(conf.get("limits") or [])

    def text(self, value, where):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (dict, list)) or value is None:
            raise CommandExecutionError(
                f"{where} is {_kind(value)}, which XML cannot say; use the format yaml"
            )
        return str(value)

    def attributes(self, element, values, names, where):
        for name, key in names.items():
            if values.get(key) is not None:
                element.set(name, self.text(values[key], f"{where}: {key}"))

    def params(self, parent, values, where):
        for key, value in values.items():
            param = ElementTree.SubElement(parent, "param", id=str(key))
            if key in ("container", "container_override") and isinstance(value, list):
                for container in value:
                    child = ElementTree.SubElement(param, "container")
                    child.text = str(container.get("identifier", ""))
                    for name, content in container.items():
                        if name != "identifier":
                            child.set(name, self.text(content, f"{where}: {key}"))
            elif key == "tpv_config_files" and isinstance(value, list):
                param.text = ",".join(value)
            elif value is not None:
                param.text = self.text(value, f"{where}: {key}")

    def words(self, value, where):
        if not isinstance(value, list):
            raise CommandExecutionError(f"{where} is {_kind(value)}, not a list")
        words = [self.text(word, where) for word in value]
        if any("," in word for word in words):
            raise CommandExecutionError(f"{where}: XML cannot hold a comma in a word")
        return ",".join(words)

    def plugins(self, runners, dynamic):
        section = ElementTree.SubElement(self.root, "plugins")
        for name, runner in {**({"dynamic": dynamic} if dynamic else {}), **runners}.items():
            where = f'runner "{name}"'
            if not isinstance(runner, dict):
                raise CommandExecutionError(f"{where} is {_kind(runner)}, not a mapping")
            plugin = ElementTree.SubElement(section, "plugin", id=str(name), type="runner")
            self.attributes(plugin, runner, {"load": "load", "workers": "workers"}, where)
            flat = {k: v for k, v in runner.items() if k not in ("id", "load", "workers")}
            self.params(plugin, runner.get("kwds", flat), where)

    def handlers(self, handling):
        if not handling:
            return
        section = ElementTree.SubElement(self.root, "handlers")
        names = {name: name for name in ("default", "max_grab", "ready_window_size")}
        self.attributes(section, handling, names, "handling")
        if handling.get("assign"):
            section.set("assign_with", self.words(handling["assign"], "handling: assign"))
        for name, process in (handling.get("processes") or {}).items():
            handler = ElementTree.SubElement(section, "handler", id=str(name))
            for key, value in (process or {}).items():
                where = f'handler "{name}": {key}'
                if key == "tags":
                    handler.set("tags", self.words(value, where))
                elif key == "plugins":
                    for plugin in value:
                        ElementTree.SubElement(handler, "plugin", id=str(plugin))
                else:
                    raise CommandExecutionError(f"{where} cannot be written as XML")

    def destinations(self, execution):
        section = ElementTree.SubElement(self.root, "destinations")
        self.attributes(section, execution, {"default": "default"}, "execution")
        environments = execution.get("environments") or {}
        if isinstance(environments, list):
            environments = {environment["id"]: environment for environment in environments}
        for name, environment in environments.items():
            self.destination(section, name, environment)

    def destination(self, section, name, environment):
        where = f'environment "{name}"'
        if not isinstance(environment, dict) or not environment.get("runner"):
            raise CommandExecutionError(f"{where} has no runner, which XML must have")
        if environment.get("shell"):
            raise CommandExecutionError(f"{where}: shell cannot be written as XML; use yaml")
        own = ("id", "tags", "runner", "shell", "env", "resubmit", "metrics", "params")
        params = environment.get("params")
        if params is None:
            params = {k: v for k, v in environment.items() if k not in own}
        runner = environment["runner"]
        if runner == "dynamic_tpv":
            runner = "dynamic"
            params = {
                **params,
                "type": "python",
                "function": "map_tool_to_destination",
                "rules_module": "tpv.rules",
            }
        if _truth(params.get("docker_enabled", False)):
            params = {"docker_sudo": False, **params}  # absent means true in XML, false in YAML
        element = ElementTree.SubElement(section, "destination", id=str(name), runner=str(runner))
        if environment.get("tags"):
            element.set("tags", self.words(environment["tags"], f"{where}: tags"))
        self.params(element, params, where)
        for env in environment.get("env") or []:
            child = ElementTree.SubElement(element, "env")
            names = {"id": "name", "file": "file", "exec": "execute", "raw": "raw"}
            self.attributes(child, env, names, f"{where}: env")
            if env.get("value") is not None:
                child.text = self.text(env["value"], f"{where}: env")
        for resubmit in environment.get("resubmit") or []:
            child = ElementTree.SubElement(element, "resubmit")
            names = {
                "condition": "condition",
                "destination": "environment",
                "handler": "handler",
                "delay": "delay",
            }
            self.attributes(child, resubmit, names, f"{where}: resubmit")
        self.metrics(element, environment.get("metrics"), where)

    def metrics(self, element, metrics, where):
        if isinstance(metrics, list):
            section = ElementTree.SubElement(element, "job_metrics")
            for plugin in metrics:
                child = ElementTree.SubElement(section, plugin["type"])
                for key, value in plugin.items():
                    if key != "type":
                        child.set(key, self.text(value, f"{where}: metrics"))
        elif isinstance(metrics, dict) and metrics.get("src") == "disabled":
            element.set("metrics", "false")
        elif isinstance(metrics, dict) and metrics.get("src") == "path":
            element.set("metrics", self.text(metrics.get("path"), f"{where}: metrics"))

    def resources(self, resources):
        if not resources:
            return
        section = ElementTree.SubElement(self.root, "resources")
        self.attributes(section, resources, {"default": "default"}, "resources")
        for name, fields in (resources.get("groups") or {}).items():
            group = ElementTree.SubElement(section, "group", id=str(name))
            group.text = self.words(fields, f'resource group "{name}"')

    def tools(self, tools):
        if not tools:
            return
        section = ElementTree.SubElement(self.root, "tools")
        for tool in tools:
            where = f'tool "{tool.get("id") or tool.get("class")}"'
            element = ElementTree.SubElement(section, "tool")
            values = {**tool, "environment": tool.get("environment", tool.get("destination"))}
            names = {
                "id": "id",
                "class": "class",
                "handler": "handler",
                "destination": "environment",
                "resources": "resources",
            }
            self.attributes(element, values, names, where)
            own = (*names.values(), "destination", "params")
            flat = {k: v for k, v in tool.items() if k not in own}
            self.params(element, flat if tool.get("params") is None else tool["params"], where)

    def limits(self, limits):
        if not limits:
            return
        section = ElementTree.SubElement(self.root, "limits")
        for limit in limits:
            element = ElementTree.SubElement(section, "limit")
            kind = re.sub("^environment_", "destination_", str(limit.get("type")))
            element.set("type", kind)
            names = {"id": "id", "tag": "tag", "window": "window"}
            self.attributes(element, limit, names, f'limit "{kind}"')
            if limit.get("value") is not None:
                element.text = self.text(limit["value"], f'limit "{kind}"')


# --- Galaxy's own parser --------------------------------------------------------------------------

# Runs in Galaxy's venv as Galaxy's user. It builds what JobConfiguration needs of an application.
_ASK = r"""
import json, logging, os, sys
logging.disable(logging.CRITICAL)
candidate, galaxy_yml = sys.argv[1:3]
import yaml
from galaxy.config import GalaxyAppConfiguration
from galaxy.job_metrics import JobMetrics
from galaxy.jobs import JobConfiguration
from galaxy.util.bunch import Bunch
properties = {}
if galaxy_yml:
    with open(galaxy_yml) as file:
        properties = (yaml.safe_load(file) or {}).get("galaxy") or {}
    properties["config_dir"] = properties.get("config_dir") or os.path.dirname(galaxy_yml)
if candidate:
    properties.pop("job_config", None)
    properties["job_config_file"] = candidate
config = GalaxyAppConfiguration(**properties)
stack = Bunch(
    init_job_handling=lambda config: None,
    get_preferred_handler_assignment_method=lambda: "db-skip-locked",
)
app = Bunch(config=config, application_stack=stack, job_metrics=JobMetrics())
try:
    if "job_config" not in config.config_dict:
        with open(config.job_config_file, "rb"):
            pass
    JobConfiguration._JobConfiguration__set_default_job_conf = lambda self: (_ for _ in ()).throw(
        FileNotFoundError("a file that it needs cannot be read"))
    JobConfiguration(app)
    answer = {"verdict": "accepted"}
except OSError as error:
    answer = {"verdict": "local", "words": str(error)}
except Exception as error:
    answer = {"verdict": "refused", "words": str(error)}
print(json.dumps(answer))
"""


def _galaxy_version(venv):
    """Return the version of the galaxy-app that a venv holds, or None."""
    for pattern in ("lib*/python*/site-packages/galaxy_app-*.dist-info",):
        for found in Path(venv).glob(pattern):
            return found.name[len("galaxy_app-") : -len(".dist-info")]
    return None


def _ask_galaxy(report, path, text, format, imports, venv, user, config):
    """Ask Galaxy's own parser, unless it has judged the same files before; add what it says."""
    at = (str(path) if path else "text", 1, 1)
    version = _galaxy_version(venv)
    python = Path(venv, "bin", "python")
    if version is None or not python.exists():
        report("GJ803", at, "galaxy", f"there is no Galaxy in {venv}: its own parser was not asked")
        return
    digest = hashlib.sha256(repr((version, venv, user, format, str(path), text is None)).encode())
    digest.update(_ASK.encode())
    for file in [config, path if text is None else None, *imports]:
        try:
            state = Path(file).stat() if file else None
            digest.update(
                repr((file, state and (state.st_mode, state.st_uid, state.st_gid))).encode()
            )
            digest.update(_read_file(file) if file else b"")
        except (OSError, ValueError) as error:
            digest.update(repr((file, str(error))).encode())
    digest.update((text or "").encode())
    cache = Path(__opts__["cachedir"]) / "galaxy_jobconf" / digest.hexdigest()
    try:
        answer = json.loads(cache.read_text())
    except (OSError, ValueError):
        answer = _run_galaxy(path, text, format, imports, python, user, config)
        if answer.get("verdict") != "unasked":
            cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in sorted(cache.parent.iterdir(), key=os.path.getmtime)[:-20]:
                old.unlink(missing_ok=True)
            cache.write_text(json.dumps(answer))
    codes = {"refused": "GJ801", "local": "GJ802", "unasked": "GJ803"}
    words = {
        "refused": "Galaxy refuses it and does not start: ",
        "local": f"Galaxy as {user} would silently run every job locally: ",
        "unasked": "Galaxy's own parser could not be asked: ",
    }
    if answer["verdict"] in codes:
        before = len(report.findings)
        report(codes[answer["verdict"]], at, "galaxy", words[answer["verdict"]] + answer["words"])
        for finding in report.findings[before:]:
            finding["judge"] = f"galaxy {version}"


def _run_galaxy(path, text, format, imports, python, user, config):
    """Run Galaxy's parser as its user on the file, or on a staged copy of the candidate."""
    stage = None
    try:
        candidate = Path(path) if path else None
        if text is not None:
            stage = Path(tempfile.mkdtemp(prefix="galaxy_jobconf-"))
            candidate = stage / ("job_conf.xml" if format == "xml" else "job_conf.yml")
            candidate.write_text(text, encoding="utf-8")
            home = Path(path).parent if path else Path()
            for file in imports:
                copy = Path(os.path.normpath(stage / os.path.relpath(file, home)))
                if stage not in copy.parents:
                    words = f"it imports {file}, which is outside its directory"
                    return {"verdict": "unasked", "words": words}
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            account = __salt__["user.info"](user)
            for each in (stage, *stage.rglob("*")):
                os.chown(each, account["uid"], account["gid"])
        result = __salt__["cmd.run_all"](
            [str(python), "-", str(candidate or ""), config or ""],
            stdin=_ASK,
            runas=user,
            cwd="/",
            python_shell=False,
            timeout=120,
            ignore_retcode=True,
            output_loglevel="quiet",
        )
        if result["retcode"] != 0:
            words = (result["stderr"] or result["stdout"]).strip().splitlines()
            return {"verdict": "unasked", "words": words[-1] if words else "it ended without words"}
        return json.loads(result["stdout"].splitlines()[-1])
    except (CommandExecutionError, OSError, KeyError, IndexError, ValueError) as error:
        return {"verdict": "unasked", "words": str(error) or type(error).__name__}
    finally:
        if stage:
            shutil.rmtree(stage, ignore_errors=True)


# --- the running cluster --------------------------------------------------------------------------


def check_cluster(path=None, user="galaxy", text=None, format=None, timeout=60):
    """
    Hold each static destination of a job configuration against the running Slurm.

    CLI Example:

    .. code-block:: bash

        salt-call galaxy_jobconf.check_cluster /etc/galaxy/job_conf.yml user=galaxy

    path, text, format
        As for ``validate``.

    user
        The user that Galaxy runs as (string); Slurm is asked as this user.

    timeout
        Bound of each question in seconds.

    Returns a mapping: ``checked`` (list of destination ids), ``not_checked`` (list of
    ``{"id", "why"}``: dynamic and templated destinations, what is not Slurm's or another
    cluster's, an account or QOS that this Slurm takes whatever it is, and what ``sbatch`` would
    say of a partition of which no node is in service) and ``findings``, as
    ``validate`` returns them, judge ``slurm``. A destination is held against its partition (exists,
    is up, admits the user's groups, its account and QOS), the partition's limits, and its nodes:
    one must have the CPUs, the memory and the gres; then ``sbatch --test-only`` is asked, which
    also knows QOS, accounts, associations and reservations. For a DRMAA runner, the library must
    load as that user, and be linked with the libslurm that is installed.

    Raises CommandExecutionError when the file cannot be read as a job configuration, there is no
    such user, or the controller does not answer.

    Source: sbatch(1); scontrol(1); galaxy/jobs/runners/drmaa.py and util/cli/job/slurm.py.
    """
    report = _Report()
    listed = destinations(path, text, format)
    checked, skipped = [], []
    cluster = None
    for destination in listed:
        why = _not_static(destination)
        if why:
            skipped.append({"id": destination["id"], "why": why})
            continue
        cluster = cluster or _Cluster(user, timeout)
        options, wrong = cluster.options(destination)
        unknown = cluster.unknown(options) or cluster.asleep(options)
        if unknown:
            skipped.append({"id": destination["id"], "why": unknown})
        if "clusters" in options:
            continue
        checked.append(destination["id"])
        at = (destination["file"], destination["line"], 1)
        where = f'destination "{destination["id"]}"'
        for code, message in wrong + cluster.library(destination) + cluster.verdict(options):
            report(code, at, where, f"{where}: {message}")
    for finding in report.findings:
        finding["judge"] = "slurm"
    return {"checked": checked, "not_checked": skipped, "findings": _sorted(report.findings)}


def _not_static(destination):
    """Return why a destination cannot be held against the cluster, or None."""
    family, params = destination["family"], destination["params"]
    if family == "dynamic":
        return "dynamic: what its jobs ask for is decided when they run"
    if family == "cli" and params.get("job_plugin") != "Slurm":
        return f"its job plugin is {params.get('job_plugin')}, not Slurm"
    if family not in ("cli", "slurm-drmaa"):
        return f"its runner ({destination['load'] or destination['runner']}) is not Slurm's"
    if destination["dynamic"]:
        return "templated: its values are known only when Galaxy runs"
    shell = params.get("shell_plugin") or "LocalShell"
    return None if shell == "LocalShell" else f"{shell}: its jobs are submitted on another host"


def _options(destination, version):
    """Return a destination's options in sbatch's words, and what cannot be read of them."""
    params = destination["params"]
    if destination["family"] == "cli":
        items = {key: _Item(value, ("", 1, 1)) for key, value in params.items()}
        read = __salt__["slurm.parse_options"](_sbatch(items)[0], version=version)
    else:
        names = PARAMETERS["drmaa"]
        spec = next((params[name] for name in names if params.get(name) is not None), "")
        read = __salt__["drmaa.parse_native"](spec)
    options = dict(read["options"])
    if destination["family"] != "cli":
        options = {
            name: value.strip() if isinstance(value, str) else value
            for name, value in options.items()
        }
        if "share" in options:
            options["oversubscribe"] = options.pop("share")
        if "nodes" in options:
            options["nodes"] = options["nodes"].strip("-")
        if "time" in options:
            # slurm-drmaa reads hours and minutes alone, with a date before or a zone behind.
            hours, minutes = re.findall(r"\d+", options["time"].rpartition("T")[2])[:2]
            options["time"] = f"{hours}:{minutes}:00"
    return options, [("GJ311", problem["message"]) for problem in read["problems"]]


def requests(path=None, text=None, format=None, version=None):
    """
    List what each destination of a job configuration asks of Slurm, as its runner reads it.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy_jobconf.requests /etc/galaxy/galaxy.yml

    path, text, format
        As for ``validate``.

    version
        Slurm's version (string), for the options of the command-line runner. Default: any.

    Returns a list of mappings: id, why (what makes that unknown: dynamic, templated, not Slurm's;
    else None), cpus (of the whole job), memory (MiB on a node), partition, time (seconds), each
    None where the destination leaves it to Slurm, and problems (list of sentences).

    Raises CommandExecutionError when the file cannot be read as a job configuration.

    Source: sbatch(1); galaxy/jobs/runners/drmaa.py and util/cli/job/slurm.py.
    """
    found = []
    for destination in destinations(path, text, format):
        row = {
            "id": destination["id"],
            "why": _not_static(destination),
            **dict.fromkeys(("cpus", "memory", "partition", "time")),
            "problems": [],
        }
        if not row["why"]:
            options, wrong = _options(destination, version)
            cpus = _cpus(options)
            per_cpu = _mebibytes(options.get("mem-per-cpu"))
            row.update(
                cpus=cpus,
                memory=_mebibytes(options.get("mem")) or (per_cpu and per_cpu * (cpus or 1)),
                partition=options.get("partition"),
                time=_slurm_seconds(options.get("time")),
                problems=[message for _, message in wrong],
            )
        found.append(row)
    return found


def _cpus(options):
    """Return the CPUs that a job's options ask for, None where they say nothing of it."""

    def number(name):
        text = str(options.get(name) or "").partition("-")[0]
        return int(text) if text.isdigit() else 0

    given = [
        number("mincpus"),
        number("ntasks") * (number("cpus-per-task") or 1),
        number("cpus-per-task"),
        number("ntasks-per-node") * (number("nodes") or 1) * (number("cpus-per-task") or 1),
    ]
    return max(given) or None


class _Cluster:
    """What the running Slurm says, asked once for all destinations."""

    def __init__(self, user, timeout):
        self.user = user
        self.timeout = timeout
        self.partitions = {part["name"]: part for part in __salt__["slurm.partitions"](timeout)}
        self.nodes = {node["name"]: node for node in __salt__["slurm.nodes"](timeout=timeout)}
        if not __salt__["user.info"](user):
            raise CommandExecutionError(f'user: this host has no user "{user}" to ask Slurm as')
        self.groups = set(__salt__["user.list_groups"](user))
        self.config = __salt__["slurm.config"](timeout)
        self.libraries: dict = {}
        self.verdicts: dict = {}

    def library(self, destination):
        """Return what is wrong with the DRMAA library of a destination, as (code, sentence)."""
        if destination["family"] != "slurm-drmaa":
            return []
        path = destination["runner_params"].get("drmaa_library_path")
        if path not in self.libraries:
            found = __salt__["drmaa.info"](path, user=self.user, timeout=self.timeout)
            self.libraries[path] = found["problem"]
        return [("GJ906", self.libraries[path])] if self.libraries[path] else []

    def unknown(self, options):
        """Return what this Slurm cannot say of a destination's options, or None."""
        if "clusters" in options:
            return f"its jobs go to another cluster, {options['clusters']}"
        enforced = str(self.config.get("AccountingStorageEnforce") or "none").lower()
        if any(word in enforced for word in ("associations", "limits", "qos", "safe")):
            return None
        parts = [self.partitions.get(name, {}) for name in self.named(options)]
        given = [
            f'{word} "{options[name]}"'
            for name, word, allowed in (
                ("account", "account", "allow_accounts"),
                ("qos", "QOS", "allow_qos"),
            )
            if name in options and any(part.get(allowed) is None for part in parts)
        ]
        words = f": this Slurm takes any (AccountingStorageEnforce={enforced})"
        return " and ".join(given) + words if given else None

    def asleep(self, options):
        """Return why Slurm cannot be asked now: it refuses any job while no node is in service."""
        names = [name for name in self.named(options) if name in self.partitions]
        nodes = [self.nodes.get(node) for name in names for node in self.partitions[name]["nodes"]]
        if not nodes or any(node and _in_service(node) for node in nodes):
            return None
        return f"no node of {', '.join(names)} is in service now, and Slurm refuses any job there"

    def named(self, options):
        """Return the partitions that options name, or the default one."""
        if options.get("partition"):
            return options["partition"].split(",")
        return [name for name, part in self.partitions.items() if part["default"]]

    def options(self, destination):
        """Return a destination's options in sbatch's words, and what cannot be read of them."""
        return _options(destination, self.config.get("SLURM_VERSION"))

    def verdict(self, options):
        """Judge a set of options, once for all destinations that share it."""
        key = json.dumps(options, sort_keys=True)
        if key not in self.verdicts:
            self.verdicts[key] = self.limits(options) or (
                [] if self.asleep(options) else self.ask(options)
            )
        return self.verdicts[key]

    def limits(self, options):
        """Hold options against the partitions that they name; one that fits is enough."""
        names = self.named(options)
        if not names:
            return [("GJ901", "it names no partition, and the cluster has no default one")]
        found = []
        for name in names:
            if name not in self.partitions:
                near = difflib.get_close_matches(name, self.partitions, 1)
                hint = (
                    f'did you mean "{near[0]}"?'
                    if near
                    else f"there are {', '.join(self.partitions)}"
                )
                return [("GJ901", f'there is no partition "{name}"; {hint}')]
            wrong = self.partition(self.partitions[name], options)
            if not wrong:
                return []
            found += wrong
        return found

    def partition(self, part, options):
        """Hold options against one partition and its nodes."""
        name = f'partition "{part["name"]}"'
        if part["state"] != "UP":
            return [("GJ901", f"{name} is {part['state']}: its jobs wait or are refused")]
        wrong = []
        groups, account, qos = part["allow_groups"], options.get("account"), options.get("qos")
        if groups is not None and not self.groups & set(groups):
            words = f"{name} admits the groups {', '.join(groups)}, and {self.user} is in none"
            wrong.append(("GJ902", words))
        for word, value, allowed, denied in (
            ("account", account, part["allow_accounts"], part["deny_accounts"]),
            ("QOS", qos, part["allow_qos"], part["deny_qos"]),
        ):
            if value and (value in denied or (allowed is not None and value not in allowed)):
                some = f"; it admits {', '.join(allowed)}" if allowed else ""
                wrong.append(("GJ902", f'{name} does not admit the {word} "{value}"{some}'))
        seconds = _slurm_seconds(options.get("time"))
        if part["max_time"] is not None and seconds is not None and seconds > part["max_time"]:
            limit = _slurm_time(part["max_time"])
            wrong.append(
                ("GJ904", f"the time {options['time']} is above the limit of {name}, {limit}")
            )
        nodes = [self.nodes[node] for node in part["nodes"] if node in self.nodes]
        for word, wanted, most in self.wants(options, nodes, part):
            if wanted > most:
                wrong.append(
                    (
                        "GJ903",
                        f"it wants {wanted} {word}, and {name} gives at most {most} on a node",
                    )
                )
        return wrong + self.gres(options, nodes, name)

    def wants(self, options, nodes, part):
        """Yield (what, how much is asked of a node, the most that a node gives)."""

        def largest(values, limit):
            most = max(values, default=0)
            return most if limit is None else min(most, limit)

        def number(option):
            return int(options.get(option) or 0) if str(options.get(option) or 0).isdigit() else 0

        per_task = number("cpus-per-task") or 1
        cpus = max(number("mincpus"), per_task * max(1, number("ntasks-per-node")))
        if options.get("nodes") == "1":
            cpus = max(cpus, per_task * max(1, number("ntasks")))
        yield (
            "CPUs",
            cpus,
            largest((node["cpus"]["total"] for node in nodes), part["max_cpus_per_node"]),
        )
        memory = _mebibytes(options.get("mem"))
        per_cpu = _mebibytes(options.get("mem-per-cpu"))
        wanted = max(memory or 0, (per_cpu or 0) * per_task)
        yield (
            "MiB of memory",
            wanted,
            largest((node["memory"] or 0 for node in nodes), part["max_memory_per_node"]),
        )

    def gres(self, options, nodes, name):
        """Hold the gres of a job against what one node of a partition has."""
        wrong = []
        for word in str(options.get("gres") or "").split(","):
            kind, _, rest = word.removeprefix("gres/").partition(":")
            count = rest.rpartition(":")[2]
            most = 0
            for node in nodes:
                has = re.findall(
                    rf"(?:^|,){re.escape(kind)}(?::[^:,(]+)*?:(\d+)", node["gres"] or ""
                )
                most = max(most, sum(map(int, has)))
            wanted = int(count) if count.isdigit() else 1
            if kind and kind != "none" and wanted > most:
                wrong.append(("GJ903", f"it wants gres {word}, and a node of {name} has {most}"))
        return wrong

    def ask(self, options):
        """Ask Slurm itself whether it would take such a job."""
        given = {
            name: value
            for name, value in options.items()
            if name not in ("job-name", "output", "error", "mail-type", "test-only", "wait")
        }
        answer = __salt__["slurm.test_only"](given, self.user, self.timeout)
        return [] if answer["ok"] else [("GJ905", f"Slurm refuses it: {answer['message']}")]


def _in_service(node):
    """Tell whether a node may be given jobs, now or when its present ones have ended."""
    out = {"DRAIN", "NOT_RESPONDING", "INVALID_REG", "FAIL"} & {*node["flags"]}
    return node["state"] not in ("DOWN", "UNKNOWN", "ERROR", "FUTURE") and not out


def _mebibytes(text):
    """Return the MiB of sbatch's memory sizes, or None."""
    match = re.fullmatch(r"(\d+)([KMGTP]?)B?", str(text or ""), re.I)
    if not match:
        return None
    return int(
        int(match[1])
        * {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}[match[2].upper()]
    )


def _slurm_seconds(text):
    """Return the seconds of one of sbatch's times, or None (sbatch.1, --time)."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", str(text or ""))
    if not match:
        return None
    days, first, second, third = (int(part or 0) for part in match.groups())
    if match[1]:
        return ((days * 24 + first) * 60 + second) * 60 + third
    if match[4]:
        return (first * 60 + second) * 60 + third
    return first * 60 + second


def _slurm_time(seconds):
    """Return seconds as D-HH:MM:SS."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hours:02}:{minutes:02}:{seconds:02}"
