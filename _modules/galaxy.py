"""
Ask a running Galaxy: whether it is ready, whether its jobs run through Slurm, what its nodes see.

.. code-block:: bash

    salt-call --local galaxy.ready wait=60
    salt-call --local galaxy.run_job
    salt-call --local galaxy.destination_check
    salt-call --local galaxy.shared_dirs '[/srv/galaxy/venv, /srv/galaxy/jobs]'

Nothing here changes Galaxy. The checks run as a Galaxy user of their own, who is no administrator;
its API key lies in a file for root alone, and appears in no command line, log, error or result.
What such a user may not see of a job (its runner, its id in Slurm) is found on this host: Galaxy's
number of the job is in its name in Slurm, ``g<number>_<tool>_<email>``, and in the handler's
journal. So the functions that use Slurm run on the host where Galaxy and its handlers run.

Sources: ``galaxy/webapps/galaxy/api/jobs.py``, ``galaxy/jobs/runners/__init__.py`` (JobState),
``galaxy/jobs/handler.py``, ``galaxy/security/idencoding.py`` of Galaxy 26.1.
"""

import concurrent.futures
import contextlib
import contextvars
import http.client
import json
import pathlib
import re
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape, quoteattr

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict

URL = "http://127.0.0.1:8080"
KEY_FILE = "/etc/galaxy/check_user.key"
CONFIG = "/etc/galaxy/galaxy.yml"
VENV = "/srv/galaxy/venv"
USER = "galaxy"

# galaxy/schema/schema.py, JobState: from these a job goes on by itself.
_OPEN = ("new", "resubmitted", "upload", "waiting", "queued", "running", "deleting", "stop")
_MOST_BYTES = 4 * 1024 * 1024
_CONTENT = 500  # characters of a dataset that a result holds
_JOURNAL_LINES = 15
_STARTUP = 900  # seconds: a handler that has not said in that time that it runs, never will
_POLL = 1.0

_NOT_HANDLERS = re.compile(
    r"gunicorn|unicornherder|celery|tusd|gx-it-proxy|reports|tool-?shed", re.IGNORECASE
)
_NOISE = re.compile(r"FutureWarning: |^\s*warnings\.warn\(|^uvicorn\.access ")
_AGAIN = re.compile(r"Scheduled restart job, restart counter is at \d")
_RUNNING = re.compile(r"Galaxy server instance '[^']*' is running")
_DISPATCHED = re.compile(r"\((\d+)\) Dispatching to (\S+) runner")
_QUEUED = re.compile(r"\((\d+)\) queued (?:as|with identifier:) (\d+)")


# --- Galaxy's API ---------------------------------------------------------------------------------


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: it would carry the key to wherever it points."""

    def redirect_request(self, *_):
        return None


# Galaxy is on this host: a proxy that an administrator exported has no part in it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHost)


class _Galaxy:
    """Galaxy's API, as one user or as nobody."""

    def __init__(self, url, key_file=None, timeout=30):
        self.url = str(url).rstrip("/")
        if not re.match(r"https?://[^/]", self.url):
            raise SaltInvocationError(f"url: {url!r} is no address such as {URL}")
        self.key_file = key_file
        self.key = _key(key_file) if key_file else None
        self.timeout = timeout

    def ask(self, path, method="GET", body=None, plain=False, **query):
        """Send one request; return what the JSON holds, or the text if it is plain."""
        query = {name: value for name, value in query.items() if value is not None}
        address = f"{self.url}{path}"
        if query:
            address += "?" + urllib.parse.urlencode(query, doseq=True)
        headers = {"Accept": "*/*" if plain else "application/json"}
        if self.key:
            headers["x-api-key"] = self.key
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 - the address is http or https, see above
            address, json.dumps(body).encode() if body is not None else None, headers, method=method
        )
        try:
            with _OPENER.open(request, timeout=self.timeout) as answer:
                data = answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            raise CommandExecutionError(self.refusal(method, path, error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CommandExecutionError(
                f"Galaxy does not answer at {self.url} ({self.clean(reason)}): is it running "
                "there? See galaxy.processes"
            ) from None
        text = data.decode("utf-8", "replace")
        if plain:
            return text
        try:
            return json.loads(text)
        except ValueError:
            raise CommandExecutionError(
                f"what answers at {self.url}{path} is not Galaxy: it sent no JSON; set url"
            ) from None

    def refusal(self, method, path, error):
        """Say why Galaxy refused a request."""
        if error.code in (301, 302, 303, 307, 308):
            place = self.clean(error.headers.get("Location"))
            return f"{self.url}{path} sends on to {place}: set url to the address of Galaxy itself"
        try:
            data = error.read(_MOST_BYTES)
            said = json.loads(data)["err_msg"]
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            said = error.reason
        said = self.clean(" ".join(str(said).split()))[:300]
        if error.code == 401 or (error.code == 403 and "key" in said.lower()):
            return (
                f"Galaxy does not take the key in {self.key_file} ({error.code}, {said}): "
                "apply the role galaxy again, which renews it"
            )
        if error.code >= 500:
            return f"Galaxy failed at {method} {path} ({error.code}, {said}): see its journal"
        return f"Galaxy refuses {method} {path} ({error.code}): {said}"

    def clean(self, text):
        """Return a text without the key, should anybody have repeated it."""
        return str(text).replace(self.key, "…") if self.key else str(text)


def _key(path):
    """Read the API key, which never leaves this module."""
    try:
        key = pathlib.Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise CommandExecutionError(
            f"the key of the check user cannot be read from {path} ({reason}): apply the role "
            "galaxy, which makes it, or name another key_file"
        ) from None
    if not re.fullmatch(r"[!-~]+", key):
        raise CommandExecutionError(f"{path} holds no API key: it wants one line with the key")
    return key


def version(url=URL, venv=VENV, timeout=10):
    """
    Tell which Galaxy answers, and which one is installed.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy.version

    url
        Address of Galaxy's web server (string).

    venv
        Directory of its virtual environment (string).

    timeout
        Bound of the question in seconds.

    Returns ``{"web": what /api/version says, "installed": version of the distribution in venv}``;
    each None where there is none. They differ after an update until Galaxy is restarted. Neither
    raises.
    """
    try:
        said = _Galaxy(url, timeout=timeout).ask("/api/version")
        web = said.get("version_major") and (
            ".".join(filter(None, (said["version_major"], said.get("version_minor"))))
        )
    except (CommandExecutionError, AttributeError):
        web = None
    return {"web": web, "installed": _installed(venv)}


def _installed(venv):
    """Read a version from the name of its dist-info directory; Python is not run."""
    for name in ("galaxy", "galaxy_app"):
        for found in sorted(
            pathlib.Path(venv).glob(f"lib*/python*/site-packages/{name}-*.dist-info")
        ):
            return found.name[len(name) + 1 : -len(".dist-info")]
    return None


# --- its processes --------------------------------------------------------------------------------


def _output(argv, timeout=30, **kwargs):
    """Run a program of the system within a bound; return cmd.run_all's mapping."""
    try:
        result = __salt__["cmd.run_all"](
            argv,
            **{"cwd": "/", **kwargs},
            python_shell=False,
            timeout=timeout,
            ignore_retcode=True,
            output_loglevel="quiet",
            rstrip=False,
        )
    except (CommandExecutionError, OSError) as error:
        raise CommandExecutionError(f"{argv[0]} cannot be run on this host: {error}") from None
    if result["retcode"] and f"Timed out after {timeout} seconds" in result["stdout"]:
        raise CommandExecutionError(f"{argv[0]} had not ended after {timeout} s")
    return result


def processes(units="galaxy*", timeout=30):
    """
    Show the systemd units that run Galaxy.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy.processes

    units
        Pattern of their names (string).

    timeout
        Bound of each question in seconds.

    Returns a mapping of unit name to ``{"active": systemd's word (``active``, ``failed``, …),
    "kind": ``web``, ``handler`` or ``other``, "pid": main process or None, "since": when it became
    active, "restarts": how often systemd restarted it by itself (NRestarts; more after each look is
    a crash loop, which is ``active`` all the time), "memory": MiB or None, "invocation"}``.

    Raises CommandExecutionError when systemd does not answer.

    Source: systemctl(1), show; org.freedesktop.systemd1(5).
    """
    listed = _output(
        ["systemctl", "list-units", "--all", "--type=service", "--plain", "--no-legend", units],
        timeout,
    )
    if listed["retcode"]:
        words = " ".join(listed["stderr"].split())
        raise CommandExecutionError(f"systemctl list-units: {words or listed['retcode']}")
    names = [line.split()[0] for line in listed["stdout"].splitlines() if line.strip()]
    return {name: unit for name in names if (unit := _unit(name, timeout))}


def _unit(name, timeout):
    """Return the facts of one unit, None if systemd knows its name alone."""
    wanted = (
        "LoadState,ActiveState,MainPID,ActiveEnterTimestamp,NRestarts,MemoryCurrent,InvocationID"
    )
    shown = _output(["systemctl", "show", f"--property={wanted}", "--", name], timeout)["stdout"]
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if facts.get("LoadState") == "not-found":
        return None

    def number(key):
        text = facts.get(key, "")
        return int(text) if text.isdigit() and int(text) < 2**63 else None

    memory = number("MemoryCurrent")
    if re.search("gunicorn|unicornherder", name):
        kind = "web"
    else:
        kind = "other" if _NOT_HANDLERS.search(name) else "handler"
    return {
        "active": facts.get("ActiveState"),
        "kind": kind,
        "pid": number("MainPID") or None,
        "since": facts.get("ActiveEnterTimestamp") or None,
        "restarts": number("NRestarts") or 0,
        "memory": None if memory is None else round(memory / 2**20),
        "invocation": facts.get("InvocationID") or None,
    }


def _journal(*selection, timeout=30):
    """Return lines of the journal, without their prefixes."""
    found = _output(["journalctl", "--no-pager", "--quiet", "--output=cat", *selection], timeout)
    return found["stdout"].splitlines()


def ready(url=URL, wait=0, handlers=None, units="galaxy*", timeout=10):
    """
    Tell whether Galaxy takes jobs: its web server answers and every handler says that it runs.

    A unit that is active proves nothing, for it is that in a crash loop as well. A handler is taken
    at its word, "Galaxy server instance '…' is running", in the journal of its present invocation,
    and no unit may have been restarted while this looks.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy.ready
        salt '*' galaxy.ready wait=300

    url
        Address of Galaxy's web server (string).

    wait
        Seconds to wait at most until it is ready; 0 looks once.

    handlers
        Names of the handlers' units (list). Default: every unit of Galaxy that is none of the web
        server, Celery and their like; there must be one.

    units
        Pattern of the units' names (string).

    timeout
        Bound of each question in seconds.

    Returns ``{"ready": boolean, "web": version or None, "handlers": {unit: "running", or what is
    missing}, "problem": None, or one sentence and then the end of the failing unit's journal}``.

    Raises CommandExecutionError when systemd does not answer.

    Source: ``galaxy/main.py`` and ``galaxy/webapps/galaxy/buildapp.py`` write that line.
    """
    end = time.monotonic() + wait
    before: dict = {}
    while True:
        found, failing = _look(url, handlers, units, timeout, before)
        if found["ready"] or time.monotonic() + _POLL > end:
            break
        time.sleep(_POLL)
    if failing:
        lines = _journal(f"--unit={failing}", "--lines=200", timeout=timeout)
        lines = _last_words(lines, before["last"][failing] > 0)
        found["problem"] += f"; the end of the journal of {failing}:\n" + "\n".join(lines)
    return found


def _last_words(lines, restarted):
    """Return the end of a journal; in a crash loop, of the last attempt that came to its end."""
    lines = [line for line in lines if not _NOISE.search(line)]
    again = [number for number, line in enumerate(lines) if restarted and _AGAIN.search(line)]
    started = again[-1] if again else None
    return (lines if started is None else lines[:started])[-_JOURNAL_LINES:]


def _look(url, handlers, units, timeout, before):
    """Look once; return what ``ready`` returns, and the unit whose journal explains it."""
    galaxy = _Galaxy(url, timeout=timeout)
    problem = failing = web = None
    try:
        web = version(url, "/nonexistent", timeout)["web"]
        if web is None:
            galaxy.ask("/api/version")  # its sentence
            problem = f"what answers at {galaxy.url} is not Galaxy: it tells no version; set url"
    except CommandExecutionError as error:
        problem = str(error)
    known = processes(units, timeout)
    names = [name if "." in name else f"{name}.service" for name in handlers or ()]
    if handlers is None:
        names = [name for name, unit in known.items() if unit["kind"] == "handler"]
        if not names:
            problem = problem or (
                f"no unit of a job handler ({units}): without one nothing runs Galaxy's jobs; "
                "apply the role galaxy"
            )
    states = {name: _handler(known.get(name), timeout) for name in names}
    late = next((name for name, state in states.items() if not state.startswith("running")), None)
    web_unit = next((name for name, unit in known.items() if unit["kind"] == "web"), None)
    if problem and web is None:
        failing = web_unit
    elif late:
        problem, failing = problem or f"handler {late}: {states[late]}", late
    counts = {name: unit["restarts"] for name, unit in known.items()}
    first, last = before.setdefault("first", counts), before.get("last", counts)
    before["last"] = counts
    again = {name: count - first.get(name, count) for name, count in counts.items()}
    looping = [name for name, count in counts.items() if count > last.get(name, count)]
    if looping or (failing and again.get(failing)):
        failing = failing if again.get(failing) else looping[0]
        problem = problem or f"{failing} has just come to an end"
        problem += f"; systemd has started {failing} again while this looked"
    good = problem is None
    return {"ready": good, "web": web, "handlers": states, "problem": problem}, (
        failing if failing in known else None
    )


def _handler(unit, timeout):
    """Say what a handler does, beginning with "running" if it takes jobs."""
    if unit is None:
        return "there is no such unit"
    if unit["active"] != "active" or not unit["invocation"]:
        return f"its unit is {unit['active']}"
    selection = [f"_SYSTEMD_INVOCATION_ID={unit['invocation']}"]
    # A handler that has run for months has a long journal: only its beginning matters.
    began = _epoch(unit["since"])
    if began:
        selection += [f"--since=@{began - 5}", f"--until=@{began + _STARTUP}"]
    lines = _journal(*selection, timeout=timeout)
    if any(_RUNNING.search(line) for line in lines):
        return "running"
    if not lines and began and time.time() > began + _STARTUP:
        return "running since before the journal begins"
    return "it has not said yet that it is running"


def _epoch(text):
    """Return the seconds of one of systemd's timestamps (``Tue 2026-01-06 10:20:30 CET``)."""
    match = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text or "")
    if not match:
        return None
    moment = time.strptime(match[0], "%Y-%m-%d %H:%M:%S")
    return int(time.mktime(moment))


# --- jobs -----------------------------------------------------------------------------------------

# Runs with Galaxy's own Python as Galaxy's user, who may read the secret of the ids.
_DECODE = r"""
import json, sys
import yaml
from galaxy.security.idencoding import IdEncodingHelper
with open(sys.argv[1], encoding="utf-8") as file:
    settings = (yaml.safe_load(file) or {}).get("galaxy") or {}
secret = str(settings.get("id_secret") or "USING THE DEFAULT IS NOT SECURE!")
helper = IdEncodingHelper(id_secret=secret)
found = {}
for each in sys.argv[2:]:
    try:
        found[each] = helper.decode_id(each)
    except Exception:
        found[each] = None
print(json.dumps(found))
"""


def _numbers(ids, config, venv, user):
    """Return Galaxy's own numbers of jobs, which their names in Slurm and its journal have."""
    ids = list(ids)
    if not ids:
        return {}
    python = str(pathlib.Path(venv, "bin", "python"))
    result = _output([python, "-", config, *ids], 60, stdin=_DECODE, runas=user)
    try:
        found = json.loads(result["stdout"].strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (result["stderr"].strip().splitlines() or ["it said nothing"])[-1]
        raise CommandExecutionError(
            f"the number of a Galaxy job cannot be read from its id with {python} and the "
            f"id_secret in {config}: {last}"
        ) from None
    if None in found.values():
        raise CommandExecutionError(
            f"the number of a Galaxy job cannot be read from its id: the id_secret that Galaxy "
            f"runs with is not the one in {config}; restart Galaxy, or keep it in that file alone"
        )
    return found


class _Job:
    """One job of Galaxy, and what Slurm knows of it."""

    def __init__(self, job_id, dataset=None, number=None):
        self.id = job_id
        self.dataset = dataset
        self.number = number
        self.state = "new"
        self.began = time.monotonic()
        self.seconds: float | None = None
        self.details: dict = {}
        self.runner = None
        self.slurm_id: int | None = None
        self.row: dict = {}
        self.content: str | None = None

    @property
    def open(self):
        return self.state in _OPEN


def _row(job):
    """Return what matters of a row of slurm.squeue."""
    kept = ("name", "user", "state", "reason", "nodelist", "partition", "cpus", "time_limit")
    return {"job": job["job"], **{key: job[key] for key in kept}, "memory": None}


def _match(jobs, user):
    """Find jobs in Slurm's queue by their names; a job that was submitted twice is the later."""
    wanted = {job.number: job for job in jobs if job.number is not None}
    if not wanted:
        return
    for row in __salt__["slurm.squeue"](user=user, states="all"):
        named = re.match(r"g(\d+)(?:_|$)", row["name"])
        job = wanted.get(int(named[1])) if named else None
        if job and row["job"] >= (job.slurm_id or 0):
            job.slurm_id, job.row = row["job"], _row(row)


def _said(jobs, since, units="galaxy*"):
    """Read from the journal which runner took each job, and the id that it got there."""
    by_number = {str(job.number): job for job in jobs}
    with contextlib.suppress(CommandExecutionError):
        for line in _journal(f"--unit={units}", f"--since=@{since}"):
            taken, queued = _DISPATCHED.search(line), _QUEUED.search(line)
            if taken and taken[1] in by_number:
                by_number[taken[1]].runner = taken[2]
            elif queued and queued[1] in by_number and by_number[queued[1]].slurm_id is None:
                by_number[queued[1]].slurm_id = int(queued[2])


def _follow(galaxy, jobs, wait, user):
    """Follow jobs to their ends in Galaxy; return what could not be asked at last, or None.

    A Galaxy or a Slurm that does not answer for a while is waited for as well.
    """
    end = time.monotonic() + wait
    while True:
        trouble = None
        try:
            for job in jobs:
                if job.open:
                    job.details = galaxy.ask(f"/api/jobs/{job.id}", full="true")
                    job.state = job.details.get("state", "unknown")
                    if not job.open:
                        job.seconds = round(time.monotonic() - job.began, 1)
        except CommandExecutionError as error:
            trouble = str(error)
        unknown = [job for job in jobs if job.slurm_id is None]
        if unknown:
            try:
                _match(unknown, user)
            except CommandExecutionError as error:
                trouble = trouble or str(error)
        if not any(job.open for job in jobs) or time.monotonic() + _POLL > end:
            return trouble
        time.sleep(_POLL)


def _ends(jobs, user, wait=30):
    """Complete what Slurm says of jobs once Galaxy has done with them."""
    with contextlib.suppress(CommandExecutionError):
        _match(jobs, user)
    for job in jobs:
        if job.slurm_id is None:
            continue
        if not job.open:
            try:
                ended = __salt__["slurm.wait_job"](job.slurm_id, timeout=wait, interval=1)
            except CommandExecutionError as error:
                job.row["comment"] = str(error)
            else:
                job.row.setdefault("job", job.slurm_id)
                job.row["state"] = ended["state"]
                job.row["nodelist"] = ended["nodes"] or job.row.get("nodelist")
                job.row.update({key: ended.get(key) for key in ("exit_code", "signal", "source")})
                if ended.get("comment"):
                    job.row["comment"] = ended["comment"]
        with contextlib.suppress(CommandExecutionError):
            record = __salt__["slurm.job"](job.slurm_id)
            job.row["memory"] = _memory(record.get("AllocTRES") or record.get("TRES"))


def _memory(tres):
    """Return the MiB of ``cpu=1,mem=500M,node=1``, None where it names none."""
    match = re.search(r"(?:^|,)mem=(\d+(?:\.\d+)?)([KMGT]?)", tres or "")
    if not match:
        return None
    factor = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}[match[2]]
    return round(float(match[1]) * factor)


def _verdict(job, trouble=None, wait=None):
    """Hold the two sides of a job against each other; return one sentence, None if all is well."""
    both = _sides(job)
    if job.open:
        return f"the job has not ended in {wait} s: {both}" + (f"; {trouble}" if trouble else "")
    if job.state != "ok":
        return f"the job failed: {both}" + _words(job)
    if job.slurm_id is None:
        through = f'the runner "{job.runner}"' if job.runner else "another runner"
        return (
            f"the job did not go through Slurm: {both}; {through} took it: see the destinations "
            "in Galaxy's job configuration (galaxy_jobconf.validate)"
        )
    state = job.row.get("state")
    if state == "COMPLETED":
        return None
    if state in (None, "UNKNOWN") or job.row.get("comment"):
        return f"{both}, so it cannot be told how it ended: {job.row.get('comment')}"
    return (
        f"{both}: Galaxy shows as good what was lost, for its command-line runner takes each job "
        "that has left the queue for a good one; the DRMAA runner does not"
    )


def _sides(job):
    """Say what Galaxy and what Slurm say of a job."""
    galaxy = f'Galaxy says "{job.state}" of job {job.id}'
    if job.number is not None:
        galaxy += f" (number {job.number})"
    if job.slurm_id is None:
        return f"{galaxy}, and Slurm knows no job of it"
    text = f"{galaxy}, Slurm says {job.row.get('state') or 'nothing'} of its job {job.slurm_id}"
    if job.row.get("nodelist"):
        return f"{text} on {job.row['nodelist']}"
    return text + (f" ({job.row['reason']})" if job.row.get("reason") else "")


def _words(job):
    """Return the last words of a failed job, as Galaxy keeps them."""
    said = [
        (each.get("desc") or each.get("message") or "") if isinstance(each, dict) else str(each)
        for each in job.details.get("job_messages") or []
    ]
    said += [job.details.get("stderr") or "", job.details.get("stdout") or ""]
    text = " ".join(next((each for each in said if each.strip()), "").split())
    return f"; its last words: {text[-300:]}" if text else ""


@contextlib.contextmanager
def _history(galaxy, notes):
    """Give a history of its own, and purge it whatever happens, with the jobs that still run."""
    made = galaxy.ask("/api/histories", "POST", {"name": "slurm_galaxy check"})["id"]
    try:
        yield made
    finally:
        for attempt in range(3):
            try:
                galaxy.ask(f"/api/histories/{made}", "DELETE", purge="true")
                break
            except CommandExecutionError as error:
                if attempt == 2:
                    notes.append(f"the history {made} of the check could not be purged: {error}")
                else:
                    time.sleep(2)


def _submit(galaxy, history, tool, inputs=None):
    """Run a tool; return its job."""
    body = {"tool_id": tool, "history_id": history, "inputs": inputs or {}}
    return _made(galaxy.ask("/api/tools", "POST", body), tool)


def _upload(galaxy, history, line):
    """Upload a line of text; return its job."""
    element = {"src": "pasted", "paste_content": f"{line}\n", "name": "check", "ext": "txt"}
    target = {"destination": {"type": "hdas"}, "elements": [element]}
    body = {"history_id": history, "targets": [target]}
    return _made(galaxy.ask("/api/tools/fetch", "POST", body), "__DATA_FETCH__")


def _made(answer, tool):
    try:
        outputs = answer.get("outputs") or []
        return _Job(answer["jobs"][0]["id"], outputs[0]["id"] if outputs else None)
    except (AttributeError, KeyError, IndexError, TypeError):
        raise CommandExecutionError(f"Galaxy made no job of the tool {tool}") from None


def _content(galaxy, job):
    """Keep the text of a job's first dataset."""
    if job.dataset and job.state == "ok":
        with contextlib.suppress(CommandExecutionError):
            path = f"/api/datasets/{job.dataset}/display"
            job.content = galaxy.ask(path, plain=True, raw="true")


def _carried_out(galaxy, jobs, wait, config, venv, user, since):
    """Follow submitted jobs to their ends on both sides; return what could not be asked at last."""
    numbers = _numbers([job.id for job in jobs], config, venv, user)
    for job in jobs:
        job.number = numbers[job.id]
    trouble = _follow(galaxy, jobs, wait, user)
    _said(jobs, since)
    _ends(jobs, user)
    for job in jobs:
        _content(galaxy, job)
    return trouble


def run_job(
    tool=None,
    inputs=None,
    wait=300,
    url=URL,
    key_file=KEY_FILE,
    config=CONFIG,
    venv=VENV,
    user=USER,
    timeout=30,
):
    """
    Run a job through Galaxy, and tell from both sides how it went.

    CLI Example:

    .. code-block:: bash

        salt galaxy galaxy.run_job
        salt galaxy galaxy.run_job tool=Cut1 inputs='{…}' wait=600

    tool
        Id of the tool (string). Default: a line of text is uploaded, as by hand.

    inputs
        Its inputs as Galaxy's API takes them (mapping).

    wait
        Seconds to wait at most for its end; a job that still runs then is cancelled.

    url
        Address of Galaxy's web server (string).

    key_file
        File that holds the API key of the user whose job it is.

    config, venv, user
        Galaxy's configuration, virtual environment and system user: they tell the number of the
        job, by which Slurm knows it.

    timeout
        Bound of each question to Galaxy in seconds.

    Returns ``{"ok", "state": Galaxy's, "job": Galaxy's id, "number": its number, "runner": Galaxy's
    name of it, "slurm_job": Slurm's id, "node", "seconds": from submission to end, "content": the
    first 500 characters of the dataset, "slurm": Slurm's record (job, name, user, state, reason,
    nodelist, partition, cpus, memory in MiB, time_limit in seconds, exit_code, signal, source),
    "problem": one sentence or None}``. ``ok`` means that Galaxy says ok, Slurm says COMPLETED of
    the same job, and the dataset holds what was uploaded. The history of the job is purged always.

    Raises CommandExecutionError when no job could be submitted, or its number cannot be read.
    """
    galaxy = _Galaxy(url, key_file, timeout)
    notes: list[str] = []
    line = f"slurm_galaxy {secrets.token_hex(8)}"
    since = int(time.time()) - 1
    with _history(galaxy, notes) as history:
        job = _submit(galaxy, history, tool, inputs) if tool else _upload(galaxy, history, line)
        trouble = _carried_out(galaxy, [job], wait, config, venv, user, since)
    problem = _verdict(job, trouble, wait)
    if not problem and not tool and (job.content or "").strip() != line:
        problem = f"{_sides(job)}, but the dataset does not hold the line that was uploaded"
    problem = "; ".join(filter(None, [problem, *notes])) or None
    return {
        "ok": problem is None,
        "state": job.state,
        "job": job.id,
        "number": job.number,
        "runner": job.runner,
        "slurm_job": job.slurm_id,
        "node": job.row.get("nodelist") or None,
        "seconds": job.seconds,
        "content": None if job.content is None else job.content[:_CONTENT],
        "slurm": job.row or None,
        "problem": problem,
    }


def jobs(
    state=None,
    url=URL,
    key_file=KEY_FILE,
    config=CONFIG,
    venv=VENV,
    user=USER,
    timeout=30,
):
    """
    List Galaxy's jobs that have not ended, with what Slurm says of each.

    CLI Example:

    .. code-block:: bash

        salt galaxy galaxy.jobs
        salt galaxy galaxy.jobs state=running key_file=/root/galaxy-admin.key

    state
        Galaxy's states (string, comma separated, or list). Default: all that are not final.

    url, config, venv, user
        As for :py:func:`run_job`.

    key_file
        File that holds an API key: an administrator's shows all jobs, another user's its own.

    timeout
        Bound of each question in seconds.

    Returns a list of mappings, the newest first: job (Galaxy's id), number, state, tool, created,
    user (for an administrator, else None), slurm_job and slurm (as in :py:func:`run_job`; None for
    a job that has not reached Slurm, or runs elsewhere).

    Raises CommandExecutionError when Galaxy or Slurm does not answer.
    """
    galaxy = _Galaxy(url, key_file, timeout)
    states = state.split(",") if isinstance(state, str) else state or list(_OPEN)
    query = {"state": [each.strip() for each in states]}
    try:
        rows = galaxy.ask("/api/jobs", view="admin_job_list", limit=500, **query)
    except CommandExecutionError as error:
        if "(403)" not in str(error):
            raise
        rows = galaxy.ask("/api/jobs", limit=500, **query)
    unnumbered = [row["id"] for row in rows if "decoded_job_id" not in row]
    numbers = _numbers(unnumbered, config, venv, user)
    found = {
        row["id"]: _Job(row["id"], number=row.get("decoded_job_id", numbers.get(row["id"])))
        for row in rows
    }
    _match(found.values(), user)
    return [
        {
            "job": row["id"],
            "number": found[row["id"]].number,
            "state": row.get("state"),
            "tool": row.get("tool_id"),
            "created": row.get("create_time"),
            "user": row.get("user_email"),
            "slurm_job": found[row["id"]].slurm_id,
            "slurm": found[row["id"]].row or None,
        }
        for row in rows
    ]


# --- destinations ---------------------------------------------------------------------------------

_PRINTED = (
    "SLURM_JOB_ID", "SLURM_JOB_PARTITION", "SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE",
    "SLURM_MEM_PER_CPU", "GALAXY_SLOTS", "GALAXY_MEMORY_MB",
)  # fmt: skip


def check_tool_id(environment):
    """
    Return the id of the tool that checks an environment of the job configuration.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy.check_tool_id slurm-large

    environment
        Id of the environment (string).

    Returns ``slurm_galaxy_check_slurm_large``.
    """
    return "slurm_galaxy_check_" + re.sub(r"[^A-Za-z0-9_]", "_", str(environment))


def check_tool(environment):
    """
    Return the tool that checks an environment: it prints what its job sees.

    CLI Example:

    .. code-block:: bash

        salt-call --local galaxy.check_tool slurm-large

    environment
        Id of the environment (string), to which the job configuration maps the tool.

    Returns the XML of the tool (string). It is hidden in Galaxy's panel, has no inputs, and one
    dataset of ``KEY=VALUE`` lines.
    """
    # Galaxy's templates give a dollar sign a meaning of their own.
    values = ["HOST=\\$(uname -n)", *(f"{name}=\\${{{name}:-}}" for name in _PRINTED)]
    values += ["NPROC=\\$(nproc)", "UID=\\$(id -u)", "GID=\\$(id -g)"]
    commands = "\n".join(f'  echo "{value}";' for value in values)
    name = escape(str(environment))
    return f"""\
<tool id={quoteattr(check_tool_id(environment))} name={quoteattr(f"Check {environment}")} \
version="1.0" profile="24.0" hidden="true">
  <description>prints what a job in the environment {name} sees</description>
  <command><![CDATA[
{{
{commands}
}} > '$seen'
  ]]></command>
  <inputs/>
  <outputs>
    <data name="seen" format="txt"/>
  </outputs>
</tool>
"""


def destination_check(
    environments=None,
    wait=300,
    url=URL,
    key_file=KEY_FILE,
    config=CONFIG,
    venv=VENV,
    user=USER,
    timeout=30,
):
    """
    Run a job through each static destination: what was asked for, granted, and seen in the job.

    CLI Example:

    .. code-block:: bash

        salt galaxy galaxy.destination_check
        salt galaxy galaxy.destination_check environments='[small]'

    environments
        Ids of destinations (list). Default: all of the job configuration.

    wait
        Seconds to wait at most for all jobs, which are submitted at once.

    url, key_file, venv, user, timeout
        As for :py:func:`run_job`.

    config
        Galaxy's configuration, which names the job configuration.

    Returns a mapping of destination to ``{"ok", "asked": {"cpus", "memory", "partition", "time"},
    "granted": Slurm's record, "seen": what the job printed, "problem": one sentence or None}``.
    Memory is in MiB, time in seconds; what a destination leaves to Slurm is None, and so is the
    granted memory where Slurm hands out none (SelectTypeParameters). A destination
    that cannot be checked has ``ok`` None and the reason as its problem: it is dynamic, templated,
    or not Slurm's.

    Raises CommandExecutionError when Galaxy does not answer or the job configuration cannot be
    read, SaltInvocationError for a destination that it does not have.
    """
    galaxy = _Galaxy(url, key_file, timeout)
    wanted = {row["id"]: row for row in __salt__["galaxy_jobconf.requests"](config)}
    strange = [name for name in environments or () if name not in wanted]
    if strange:
        raise SaltInvocationError(
            f'environments: no destination "{strange[0]}"; there are {", ".join(wanted)}'
        )
    found: dict = {}
    sent: dict = {}
    tools: dict = {}
    notes: list[str] = []
    trouble = None
    since = int(time.time()) - 1
    with _history(galaxy, notes) as history:
        for name, row in wanted.items():
            tool = check_tool_id(name)
            first = tools.setdefault(tool, name)
            if environments is not None and name not in environments:
                continue
            asked = {key: row[key] for key in ("cpus", "memory", "partition", "time")}
            found[name] = {"ok": None, "asked": asked, "granted": None, "seen": None}
            if row["why"]:
                found[name]["problem"] = f"not checked: {row['why']}"
            elif first != name:
                found[name]["problem"] = f'not checked: its check tool {tool} is that of "{first}"'
            else:
                try:
                    sent[name] = _submit(galaxy, history, tool)
                except CommandExecutionError as error:
                    hint = "; apply the role galaxy, which adds the tool of each destination"
                    missing = "404" in str(error) or "not found" in str(error)
                    found[name].update(ok=False, problem=str(error) + (hint if missing else ""))
        if sent:
            trouble = _carried_out(galaxy, [*sent.values()], wait, config, venv, user, since)
    for name, job in sent.items():
        row = found[name]
        row["granted"] = job.row or None
        row["seen"] = _printed(job.content)
        wrong = [_verdict(job, trouble, wait)]
        if not wrong[0]:
            wrong = [*wanted[name]["problems"], *_differences(row)]
        row["problem"] = "; ".join(filter(None, [*wrong, *notes])) or None
        row["ok"] = row["problem"] is None
    return found


def _printed(text):
    """Read the lines of a check tool."""
    if text is None:
        return None
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z_]+=", line))


def _differences(row):
    """Say where a job was granted or saw something else than its destination asks for."""
    asked, granted, seen = row["asked"], row["granted"], row["seen"] or {}
    if not seen:
        return ["the job ended well, but its dataset is empty"]
    wrong = []
    if asked["partition"] and granted.get("partition") not in asked["partition"].split(","):
        wrong.append(f"asked for partition {asked['partition']}, got {granted.get('partition')}")
    for key, unit in (("cpus", "CPUs"), ("memory", "MiB of memory")):
        # Slurm rounds up, to whole cores for one.
        if asked[key] and granted.get(key) is not None and granted[key] < asked[key]:
            wrong.append(f"asked for {asked[key]} {unit}, got {granted[key]}")
    if asked["time"] and granted.get("time_limit") not in (None, _minutes(asked["time"])):
        wrong.append(f"asked for {asked['time']} s, got {granted['time_limit']} s")
    if seen.get("SLURM_JOB_ID") != str(granted["job"]):
        wrong.append(
            f"the job saw SLURM_JOB_ID={seen.get('SLURM_JOB_ID')}, and Slurm knows it as "
            f"{granted['job']}"
        )
    told, memory = seen.get("GALAXY_MEMORY_MB") or "", granted.get("memory")
    if told.isdigit() and memory is not None and int(told) != memory:
        wrong.append(f"got {memory} MiB of memory, and the tool reads GALAXY_MEMORY_MB={told}")
    slots = seen.get("GALAXY_SLOTS") or "nothing"
    if asked["cpus"] and not (slots.isdigit() and int(slots) >= asked["cpus"]):
        wrong.append(f"asked for {asked['cpus']} CPUs, and the tool may use GALAXY_SLOTS={slots}")
    return wrong


def _minutes(seconds):
    """Round up to Slurm's unit of a time limit."""
    return -(-seconds // 60) * 60


# --- shared directories ---------------------------------------------------------------------------

_HOST = "@galaxy"  # no node can be called so
_MARK = ".slurm_galaxy-"
_BATCH = 500  # node names in one argument
_STRAY = 1024**2  # KiB by which the free space of one file system may differ between two looks

# One text looks at the directories here and there. Arguments: what to do, a token, who looks (or
# whose files), and paths, with a + before those that are to be written. Every line that it prints
# begins with the token, for a site's prolog may print as well. No file is found by listing its
# directory, for NFS may know the list of half a minute ago.
_LOOK = r"""
LC_ALL=C; export LC_ALL
task=$1 token=$2 who=$3; shift 3
say() { printf '%s|%s|%s\n' "$token" "$1" "$2"; }
mark=.slurm_galaxy-$token
patience=4
[ "$task" = look ] && say ids "$(id -u):$(id -g)"
for path; do
  dir=${path#[+-]}
  say path "$dir"
  if [ "$task" = remove ]; then
    for one in $who; do rm -f -- "$dir/$mark-$one"; done
    continue
  fi
  if [ "$task" = read ]; then
    for one in $who; do
      line=; { read -r line < "$dir/$mark-$one"; } 2>/dev/null
      [ "$line" = "$token-$one" ] && say found "$one"
    done
    continue
  fi
  [ -e "$dir" ] || { say missing yes; continue; }
  [ -d "$dir" ] && [ -r "$dir" ] && [ -x "$dir" ] || { say closed yes; continue; }
  say owner "$(stat -L -c %u:%g -- "$dir" 2>&1)"
  say free "$(df -Pk -- "$dir" 2>/dev/null | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })"
  say print "$(cd -- "$dir" && {
    ls -A; cat pyvenv.cfg; ls -d lib/python*/site-packages/*.dist-info; } 2>/dev/null | sha256sum)"
  if [ -e "$dir/bin/python" ] || [ -L "$dir/bin/python" ]; then
    ask='import sys; print(sys.version.split()[0])'
    say python "$("$dir/bin/python" -c "$ask" 2>&1 | tail -n 1)"
  fi
  [ "$path" = "+$dir" ] || continue
  if [ "$who" != @galaxy ]; then
    while [ ! -e "$dir/$mark-@galaxy" ] && [ $patience -gt 0 ]; do
      sleep 1
      patience=$((patience - 1))
    done
    line=; { read -r line < "$dir/$mark-@galaxy"; } 2>/dev/null
    # A directory that is the node's own is not written to: nobody would remove the file.
    [ "$line" = "$token-@galaxy" ] || continue
    say seen yes
  fi
  [ -w "$dir" ] || { say refused "no permission"; continue; }
  if words=$({ echo "$token-$who" > "$dir/$mark-$who"; } 2>&1); then
    say wrote yes
  else
    say refused "${words##*: }"
  fi
done
say done yes
"""


def shared_dirs(paths, nodes=None, user=USER, wait=60, partition=None):
    """
    Look from every exec node, as Galaxy's user, at the directories that must be shared.

    One small Slurm job a node, all at once. Where the user may write, a file of the Galaxy host
    must be seen on the node, and one of the node on the Galaxy host; elsewhere (the virtual
    environment) the directory must hold the same. The jobs report through ``srun``, which needs
    nothing shared, and the files are removed whatever happens.

    CLI Example:

    .. code-block:: bash

        salt galaxy galaxy.shared_dirs '[/srv/galaxy/venv, /srv/galaxy/jobs]'
        salt galaxy galaxy.shared_dirs /srv/galaxy/jobs nodes='node[1-4]'

    paths
        The directories (list, or string, comma separated), absolute.

    nodes
        Which nodes (hostlist, or list of names). Default: all that Slurm knows.

    user
        Galaxy's system user (string), on every host.

    wait
        Seconds for which a node's job may wait for its start, and 30 more for its end.

    partition
        Partition of the jobs (string). Default: the default one where it has the node, else the
        node's first.

    Returns ``{"ok": boolean, "problems": [sentences], "nodes": {node: {path: "ok", or what is wrong
    there in words}}, "free": {path: MiB that are free, seen from here}}``. A node that is down, or
    does not run its job, is named so at each path. What is compared: the files, the uid and gid of
    the user, the owner of the directory, the free space, and, where the directory is a virtual
    environment, the version of its Python and of what is installed.

    Raises SaltInvocationError for paths that are not absolute, CommandExecutionError when Slurm
    does not answer or knows no such node.
    """
    paths = [each.strip() for each in paths.split(",")] if isinstance(paths, str) else list(paths)
    wrong = [path for path in paths if not re.fullmatch(r"/[^\n|]*", str(path))]
    if wrong or not paths:
        raise SaltInvocationError(
            f"paths: {wrong[0]!r} is no absolute path" if wrong else "paths: name at least one"
        )
    paths = list(dict.fromkeys(path.rstrip("/") or "/" for path in paths))
    records = {node["name"]: node for node in __salt__["slurm.nodes"](nodes)}
    usual = next((p["name"] for p in __salt__["slurm.partitions"]() if p["default"]), None)
    token = secrets.token_hex(8)
    seen_by: dict = {path: set() for path in paths}
    reports: dict = {}
    here: dict = {}
    try:
        here = _looked(_on_host("look", token, _HOST, [f"+{path}" for path in paths], user), token)
        if not here["done"]:
            raise CommandExecutionError(f"the user {user} cannot look at {', '.join(paths)} here")
        given = [("+" if "wrote" in here["paths"].get(path, {}) else "-") + path for path in paths]
        reports = _on_nodes(records, given, token, user, wait, partition, usual)
        written = [node for node, report in reports.items() if isinstance(report, dict)]
        for patience in (2, 0):
            for batch in _batches(written):
                found = _looked(_on_host("read", token, batch, paths, user), token)
                for path, facts in found["paths"].items():
                    seen_by[path].update(facts.get("found", []))
            if not _unread(reports, seen_by):
                break
            time.sleep(patience)
    finally:
        _remove(token, list(records), paths, user, wait, reports, seen_by)
    table = {
        node: {path: _cell(path, here, reports[node], path in seen_by and node in seen_by[path])
               for path in paths}
        for node in reports
    }  # fmt: skip
    return {
        "ok": bool(table) and all(cell == "ok" for row in table.values() for cell in row.values()),
        "problems": _problems(table),
        "nodes": table,
        "free": {
            path: int(facts["free"]) // 1024
            for path, facts in here["paths"].items()
            if str(facts.get("free", "")).isdigit()
        },
    }


def _on_host(task, token, who, paths, user):
    argv = ["sh", "-c", _LOOK, "sh", task, token, who, *paths]
    return _output(argv, 60, runas=user)["stdout"]


def _batches(names):
    return (" ".join(names[i : i + _BATCH]) for i in range(0, len(names), _BATCH))


def _looked(text, token):
    """Read a report: ``{"ids", "done": boolean, "paths": {path: {fact: value}}}``."""
    report: dict = {"ids": None, "done": False, "paths": {}}
    facts: dict = {}
    for line in text.splitlines():
        mark, _, rest = line.partition("|")
        key, _, value = rest.partition("|")
        if mark != token:
            continue
        if key == "path":
            facts = report["paths"].setdefault(value, {})
        elif key == "found":
            facts.setdefault(key, []).append(value)
        elif key == "ids":
            report["ids"] = value
        elif key == "done":
            report["done"] = True
        else:
            facts[key] = value
    return report


def _on_nodes(records, given, token, user, wait, partition, usual):
    """Return of each node its report, or why there is none."""
    name = f"slurm_galaxy-{token}"

    def look(node):
        of = records[node]["partitions"] or []
        where = partition or (usual if usual in of or not of else of[0])
        argv = ["sh", "-c", _LOOK, "sh", "look", token, node, *given]
        try:
            result = _srun(argv, node, where, name, user, wait)
        except (CommandExecutionError, SaltInvocationError) as error:
            return f"the node's job did not end in {wait + 30} s or could not be run: {error}"
        report = _looked(result["stdout"], token)
        words = " ".join(result["stderr"].split())[-300:] or f"exit code {result['retcode']}"
        return (
            report if report["done"] else f"the node did not run its job within {wait} s: {words}"
        )

    reports = {node: _out_of_service(record) for node, record in records.items()}
    fit = [node for node, why in reports.items() if why is None]
    if fit:
        with concurrent.futures.ThreadPoolExecutor(min(32, len(fit))) as pool:
            # What Salt puts into a module is bound to the context of its thread.
            running = {
                node: pool.submit(contextvars.copy_context().run, look, node) for node in fit
            }
            reports.update({node: each.result() for node, each in running.items()})
    if any(isinstance(reports[node], str) for node in fit):
        with contextlib.suppress(CommandExecutionError, SaltInvocationError):
            for row in __salt__["slurm.squeue"](user=user):
                if row["name"] == name:
                    __salt__["slurm.cancel"](row["id"])
    return reports


def _srun(argv, node, partition, name, user, wait):
    """Run a command on one node, or give up when the node has not taken it in time."""
    options = {
        "nodelist": node, "nodes": 1, "ntasks": 1, "mem": 64, "partition": partition,
        "job-name": name, "time": -(-(wait + 30) // 60), "immediate": max(2, wait),
        "input": "none", "quiet": False,
    }  # fmt: skip
    return __salt__["slurm.srun"](argv, options=options, runas=user, timeout=wait + 30)


def _out_of_service(node):
    """Say why a node cannot be asked; None if it can."""
    state = "+".join([node["state"], *node["flags"]])
    out = {"DRAIN", "NOT_RESPONDING", "INVALID_REG", "FAIL"} & {*node["flags"]}
    if not out and node["state"] not in ("DOWN", "UNKNOWN", "ERROR", "FUTURE"):
        return None
    reason = f": {node['reason']}" if node.get("reason") else ""
    return f"the node is {state}{reason}"


def _unread(reports, seen_by):
    """Return what nodes have written and the Galaxy host has not seen, as (node, path)."""
    return [
        (node, path)
        for node, report in reports.items()
        if isinstance(report, dict)
        for path, facts in report["paths"].items()
        if "wrote" in facts and path in seen_by and node not in seen_by[path]
    ]


def _remove(token, nodes, paths, user, wait, reports, seen_by):
    """Remove every file: here, and on the nodes that keep what they write to themselves."""
    with contextlib.suppress(CommandExecutionError):
        for batch in _batches([_HOST, *nodes]):
            _on_host("remove", token, batch, paths, user)
    alone = dict.fromkeys(node for node, _ in _unread(reports, seen_by))
    for node in alone:
        argv = ["sh", "-c", _LOOK, "sh", "remove", token, node, *paths]
        with contextlib.suppress(CommandExecutionError, SaltInvocationError):
            _srun(argv, node, None, f"slurm_galaxy-{token}", user, wait)


def _cell(path, here, report, read_back):
    """Say what is wrong with a directory on a node; "ok" if nothing is."""
    mine = here["paths"].get(path, {})
    if "missing" in mine or "closed" in mine:
        return "does not exist on the Galaxy host" if "missing" in mine else (
            "may not be read by Galaxy's user on the Galaxy host"
        )  # fmt: skip
    if mine.get("refused", "no permission") != "no permission":
        return f"cannot be written on the Galaxy host: {mine['refused']}"
    if isinstance(report, str):
        return f"not checked: {report}"
    facts = report["paths"].get(path, {})
    wrong = []
    if report["ids"] != here["ids"]:
        wrong.append(
            f"Galaxy's user is {report['ids']} (uid:gid) there and {here['ids']} on the Galaxy host"
        )
    if "missing" in facts:
        return "; ".join(["does not exist there", *wrong])
    if "closed" in facts:
        return "; ".join(["may not be read by Galaxy's user there", *wrong])
    if "wrote" in mine:
        if "seen" not in facts:
            wrong.append("is not shared: what the Galaxy host writes is not seen there")
        elif "refused" in facts:
            wrong.append(f"cannot be written there: {facts['refused']}")
        elif not read_back:
            wrong.append("is not shared: what is written there is not seen on the Galaxy host")
        if "seen" in facts and not _alike(mine.get("free"), facts.get("free")):
            free = [int(each["free"]) // 1024 for each in (facts, mine)]
            wrong.append(f"has {free[0]} MiB free there and {free[1]} MiB on the Galaxy host")
    elif facts.get("print") != mine.get("print"):
        wrong.append("does not hold there what it holds on the Galaxy host")
    if facts.get("owner") != mine.get("owner"):
        wrong.append(
            f"belongs to {facts.get('owner')} (uid:gid) there and to {mine.get('owner')} on the "
            "Galaxy host"
        )
    if "python" in mine and "python" not in facts:
        wrong.append("has no bin/python there")
    elif "python" in mine and facts["python"] != mine["python"]:
        wrong.append(
            f"its bin/python is {mine['python']} on the Galaxy host and says there: "
            f"{facts['python'] or 'nothing'}"
        )
    return "; ".join(wrong) or "ok"


def _alike(one, other):
    """Tell whether two looks at one file system, in KiB, could have seen this much free space."""
    numbers = [int(each) for each in (one, other) if str(each).isdigit()]
    return len(numbers) < 2 or abs(numbers[0] - numbers[1]) <= max(_STRAY, max(numbers) // 10)


def _problems(table):
    """Write one sentence for each thing that is wrong, with all the nodes where it is."""
    grouped: dict = {}
    for node, row in table.items():
        cells = set(row.values())
        if len(cells) == 1 and next(iter(cells)).startswith("not checked: "):
            words = next(iter(cells)).removeprefix("not checked: ")
            grouped.setdefault(("", words), []).append(node)
            continue
        for path, cell in row.items():
            if cell != "ok":
                grouped.setdefault((path, cell), []).append(node)
    sentences = []
    for (path, words), nodes in grouped.items():
        names = __salt__["slurm.hostlist_fold"](nodes, sort=True)
        sentences.append(f"{names}: {path} {words}" if path else f"{names}: {words}")
    return sentences
