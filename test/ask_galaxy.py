"""Galaxy's own parser, asked over a pipe; oracle.py runs this with the Python of Galaxy's venv.

It says that it is ready. A line in: a JSON mapping of format (yaml or xml), text, and directory
(where imports are found).
A line out: a JSON mapping of verdict (accepted, refused, local), words, dangling (what names
something that is not there), and conf (what Galaxy has made of the file).
"""

import copy
import json
import logging
import sys
from pathlib import Path

from galaxy.config import GalaxyAppConfiguration
from galaxy.job_metrics import JobMetrics
from galaxy.jobs import JobConfiguration
from galaxy.util import string_as_bool
from galaxy.util.bunch import Bunch

logging.disable(logging.CRITICAL)


class RunsLocallyError(Exception):
    """Galaxy would have taken its default: everything on this host."""


def no_default(self):
    """Stand for the method that sets the default configuration."""
    raise RunsLocallyError


JobConfiguration._JobConfiguration__set_default_job_conf = no_default
STACK = Bunch(
    init_job_handling=lambda config: None,
    get_preferred_handler_assignment_method=lambda: "db-skip-locked",
)
CONFIG = GalaxyAppConfiguration(config_dir="/nonexistent")


def plain(value):
    """Return a value as XML would give it: all strings."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def destination(found):
    """Return what matters of a JobDestination, whichever format it came from."""
    params = {key: item for key, item in plain(found.params or {}).items() if item is not None}
    # Absent, docker_sudo is true in XML and false in YAML; it matters only for Docker.
    docker = string_as_bool(params.get("docker_enabled", "false"))
    if not docker or params.get("docker_sudo") == "false":
        params.pop("docker_sudo", None)
    env = [
        {
            **{key: item.get(key) for key in ("name", "file", "execute", "value")},
            "raw": string_as_bool(item.get("raw", False)),
        }
        for item in found.env or []
    ]
    resubmit = [
        {key: item.get(key) for key in ("condition", "environment", "handler", "delay")}
        for item in found.resubmit or []
    ]
    return plain(
        [found.id, found.runner, params, sorted(map(str, found.tags or [])), env, resubmit]
    )


def read(jobs):
    """Return what Galaxy has made of a file, to compare two of them."""
    return {
        "runners": plain(
            {
                plugin["id"]: [plugin.get("load"), plugin.get("workers", 4), plugin.get("kwds")]
                for plugin in jobs.runner_plugins
            }
        ),
        "destinations": {
            str(key): [destination(each) for each in found]
            for key, found in jobs.destinations.items()
        },
        "default": plain(jobs.default_destination_id),
        "handlers": plain(jobs.handlers),
        "handling": plain(
            [
                jobs.default_handler_id,
                jobs.handler_assignment_methods,
                jobs.handler_max_grab,
                jobs.handler_ready_window_size,
                jobs.handler_runner_plugins,
            ]
        ),
        "tools": plain(
            {
                key: [[each.destination, each.handler, each.get("resources")] for each in found]
                for key, found in {**jobs.tools, **jobs.tool_classes}.items()
            }
        ),
        "limits": plain({k: v for k, v in vars(jobs.limits).items() if v not in (None, {})}),
        "groups": plain([jobs.resource_groups, jobs.default_resource_group]),
    }


def dangling(jobs):
    """List what names a runner or a destination that is not there."""
    runners = {plugin["id"] for plugin in jobs.runner_plugins} | {"dynamic"}
    found = {
        f"runner {each.runner}"
        for group in jobs.destinations.values()
        for each in group
        if not isinstance(each.runner, str) or each.runner not in runners
    }
    for group in [*jobs.tools.values(), *jobs.tool_classes.values()]:
        found |= {
            f"destination {each.destination}"
            for each in group
            if each.destination and str(each.destination) not in jobs.destinations
        }
    return sorted(found)


def judge(question):
    """Return Galaxy's verdict on one text."""
    path = Path(question["directory"], f"asked.{'xml' if question['format'] == 'xml' else 'yml'}")
    path.write_bytes(question["text"].encode("utf-8", "surrogateescape"))
    config = copy.copy(CONFIG)
    config.job_config_file = str(path)
    app = Bunch(config=config, application_stack=STACK, job_metrics=JobMetrics())
    try:
        jobs = JobConfiguration(app)
    except RunsLocallyError:
        return {"verdict": "local", "words": "", "dangling": [], "conf": None}
    except Exception as error:
        return {"verdict": "refused", "words": str(error)[-300:], "dangling": [], "conf": None}
    try:
        conf = read(jobs)
    except (AttributeError, TypeError, ValueError):
        conf = None  # jobs would fail on it
    return {"verdict": "accepted", "words": "", "dangling": dangling(jobs), "conf": conf}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(judge(json.loads(line))), flush=True)
