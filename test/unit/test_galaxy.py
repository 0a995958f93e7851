"""The galaxy execution module, over stand-ins: an HTTP server for Galaxy's API, functions for Slurm
and systemd. Only the look at shared directories runs for real, in sh on this machine's disk."""

import json
import pwd
import re
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

galaxy = load("_modules/galaxy.py")

KEY = "0123456789abcdef0123456789abcdef"
HANDLER = "galaxy-handler.service"
WEB = "galaxy-gunicorn.service"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(galaxy, "_POLL", 0.01)
    monkeypatch.setattr(galaxy.time, "sleep", lambda _: time.monotonic())


@pytest.fixture
def server():
    """Stand in for Galaxy: answers by (method, path), and what was asked."""
    answers: dict = {("GET", "/api/version"): {"version_major": "26.1", "version_minor": "1"}}
    asked: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            call = SimpleNamespace(
                method=self.command,
                path=url.path,
                query=urllib.parse.parse_qs(url.query),
                key=self.headers.get("x-api-key"),
                body=json.loads(self.rfile.read(length)) if length else None,
            )
            asked.append(call)
            answer = answers.get((call.method, call.path), (404, {"err_msg": "Tool not found."}))
            answer = answer(call) if callable(answer) else answer
            code, answer = answer if isinstance(answer, tuple) else (200, answer)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(code)
            if code == 302:
                self.send_header("Location", answer)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield SimpleNamespace(
        url=f"http://127.0.0.1:{http.server_port}", answers=answers, asked=asked, stop=http.shutdown
    )
    http.shutdown()
    http.server_close()


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "check_user.key"
    path.write_text(KEY + "\n")
    return str(path)


# --- version, processes, ready --------------------------------------------------------------------


def test_the_version_that_answers_and_the_one_that_is_installed(server, tmp_path):
    site = tmp_path / "lib/python3.11/site-packages"
    for name in ("galaxy_app-26.1.0", "galaxy-26.1.1", "galaxy_util-9"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    assert galaxy.version(server.url, tmp_path) == {"web": "26.1.1", "installed": "26.1.1"}
    assert server.asked[0].key is None


def test_without_galaxy_both_versions_are_none(tmp_path):
    found = galaxy.version("http://127.0.0.1:9", tmp_path)
    assert found == {"web": None, "installed": None}


@pytest.fixture
def system(monkeypatch):
    """Stand in for systemd and its journal."""
    units: dict = {}
    journals: dict = {}
    calls: list = []

    def unit(name, lines=(), **facts):
        units[name] = {
            "LoadState": "loaded", "ActiveState": "active", "MainPID": "42",
            "ActiveEnterTimestamp": time.strftime("%a %Y-%m-%d %H:%M:%S %Z"), "NRestarts": "0",
            "MemoryCurrent": str(512 * 2**20), "InvocationID": f"id-{name}", **facts,
        }  # fmt: skip
        journals[name] = list(lines)

    def run_all(argv, **_):
        calls.append(argv)
        out = ""
        if argv[:2] == ["systemctl", "list-units"]:
            out = "".join(f"{name} loaded active running Galaxy\n" for name in units)
        elif argv[0] == "systemctl":
            facts = units[argv[-1]]
            out = "".join(
                f"{key}={value() if callable(value) else value}\n" for key, value in facts.items()
            )
        elif argv[0] == "journalctl":
            named = next(each for each in argv if each.startswith(("--unit=", "_SYSTEMD")))
            name = named.partition("=")[2].removeprefix("id-")
            out = "".join(f"{line}\n" for line in journals.get(name, []))
        return {"retcode": 0, "stdout": out, "stderr": ""}

    monkeypatch.setattr(galaxy, "__salt__", {"cmd.run_all": run_all})
    unit(WEB, ["Application startup complete."])
    unit(HANDLER, ["starting", "Galaxy server instance 'handler_0' is running"])
    return SimpleNamespace(unit=unit, calls=calls, units=units, journals=journals)


def test_a_process_is_shown_with_its_kind(system):
    system.unit("galaxy-celery.service", MemoryCurrent="[not set]", MainPID="0")
    found = galaxy.processes()
    assert found[HANDLER] == {
        "active": "active", "kind": "handler", "pid": 42, "restarts": 0, "memory": 512,
        "since": system.units[HANDLER]["ActiveEnterTimestamp"], "invocation": f"id-{HANDLER}",
    }  # fmt: skip
    assert found[WEB]["kind"] == "web"
    other = found["galaxy-celery.service"]
    assert (other["kind"], other["pid"], other["memory"]) == ("other", None, None)


def test_ready_when_the_web_answers_and_the_handler_has_said_so(system, server):
    assert galaxy.ready(server.url) == {
        "ready": True, "web": "26.1.1", "handlers": {HANDLER: "running"}, "problem": None,
    }  # fmt: skip


def test_a_handler_that_is_active_but_silent_is_not_ready(system, server):
    system.unit(HANDLER, ["Traceback", "ConfigurationError: no plugin"])
    found = galaxy.ready(server.url)
    assert not found["ready"]
    assert found["problem"] == (
        f"handler {HANDLER}: it has not said yet that it is running; the end of the journal of "
        f"{HANDLER}:\nTraceback\nConfigurationError: no plugin"
    )


def test_a_handler_is_waited_for(system, server):
    lines = system.journals[HANDLER]
    del lines[1:]
    calls = iter(range(3))

    def active():
        if next(calls, None) is None and len(lines) < 2:
            lines.append("Galaxy server instance 'handler_0' is running")
        return "active"

    system.units[HANDLER]["ActiveState"] = active
    assert galaxy.ready(server.url, wait=20)["ready"]


def test_a_crash_loop_is_not_ready_whatever_it_says(system, server):
    counts = iter(range(100))
    lines = ["Galaxy server instance 'handler_0' is running"]
    system.unit(HANDLER, lines, NRestarts=lambda: next(counts))
    before: dict = {}
    server.answers["GET", "/api/version"] = (500, {})
    found, failing = galaxy._look(server.url, None, "galaxy*", 5, before)
    assert not found["ready"] and failing == WEB
    server.answers["GET", "/api/version"] = {"version_major": "26.1"}
    found, failing = galaxy._look(server.url, None, "galaxy*", 5, before)
    assert not found["ready"] and failing == HANDLER
    assert found["problem"] == (
        f"{HANDLER} has just come to an end; systemd has started {HANDLER} again while this looked"
    )
    assert galaxy._look(server.url, None, "galaxy*", 5, {})[0]["ready"]


def test_the_last_words_of_a_crash_loop_are_of_the_attempt_that_failed(system, server):
    again = "galaxy-handler.service: Scheduled restart job, restart counter is at 2."
    system.unit(HANDLER, ["ConfigurationError: no plugin", again, "Started"], NRestarts="2")
    assert galaxy.ready(server.url)["problem"].endswith(":\nConfigurationError: no plugin")
    system.units[HANDLER]["NRestarts"] = "0"
    assert galaxy.ready(server.url)["problem"].endswith(f"{again}\nStarted")


def test_a_web_server_that_is_down_is_shown_with_its_journal(system):
    found = galaxy.ready("http://127.0.0.1:9")
    assert found["web"] is None and not found["ready"]
    assert "Galaxy does not answer at http://127.0.0.1:9 (" in found["problem"]
    assert found["problem"].endswith("Application startup complete.")


def test_a_handler_that_is_not_there_is_named(system, server):
    found = galaxy.ready(server.url, handlers=["galaxy-handler", "galaxy-other"])
    assert found["handlers"]["galaxy-other.service"] == "there is no such unit"
    assert found["problem"] == "handler galaxy-other.service: there is no such unit"
    del system.units[HANDLER]
    assert "no unit of a job handler" in galaxy.ready(server.url)["problem"]
    assert galaxy.ready(server.url, handlers=[])["ready"]


def test_a_handler_older_than_the_journal_is_taken_to_run(system, server):
    system.unit(HANDLER, [], ActiveEnterTimestamp="Tue 2025-01-07 10:20:30 UTC")
    assert galaxy.ready(server.url)["ready"]
    asked = [argv for argv in system.calls if f"_SYSTEMD_INVOCATION_ID=id-{HANDLER}" in argv]
    assert any(each.startswith("--until=@") for each in asked[-1])


# --- the API --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, {"err_msg": "Provided API key is not valid."}), "does not take the key in .*key"),
        ((400, {"err_msg": f"bad {KEY}"}), "refuses GET /api/jobs .400.: bad …"),
        ((500, "<html>"), "failed at GET /api/jobs .500"),
        ((302, "https://elsewhere/"), "sends on to https://elsewhere/"),
        ((200, "<html>"), "is not Galaxy"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_key(server, key_file, answer, words):
    server.answers["GET", "/api/jobs"] = answer
    with pytest.raises(CommandExecutionError, match=words) as caught:
        galaxy._Galaxy(server.url, key_file).ask("/api/jobs")
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_key_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(CommandExecutionError, match=r"No such file.*apply the role galaxy"):
        galaxy.run_job(key_file=str(tmp_path / "none"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(CommandExecutionError, match="holds no API key"):
        galaxy.run_job(key_file=str(tmp_path / "empty"))
    with pytest.raises(SaltInvocationError, match="no address"):
        galaxy.run_job(url="localhost:8080")


# --- jobs -----------------------------------------------------------------------------------------


def slurm_row(job=7, name="g12___DATA_FETCH___me", **more):
    return {
        "id": str(job), "job": job, "name": name, "user": "galaxy", "state": "COMPLETED",
        "reason": None, "nodelist": "node1", "partition": "main", "cpus": 2, "time_limit": 600,
        **more,
    }  # fmt: skip


@pytest.fixture
def site(monkeypatch, server, key_file, tmp_path):
    """Stand in for a whole site: Galaxy that runs one job, Slurm, the journal, Galaxy's Python."""
    site = SimpleNamespace(
        states=["new", "queued", "running", "ok"], rows=[slurm_row()], content=None,
        end={"state": "COMPLETED", "exit_code": 0, "signal": 0, "nodes": "node1", "seconds": 3,
             "source": "scontrol"},
        journal=["(12) Dispatching to slurm runner", "(12) queued as 7"], numbers={"f2db": 12},
        history=[], details={}, server=server, key=key_file, runs=[], requests=[],
    )  # fmt: skip
    pasted: list = []

    def state(_):
        now = site.states.pop(0) if len(site.states) > 1 else site.states[0]
        return {"id": "f2db", "state": now, **site.details}

    def fetch(call):
        pasted.append(call.body["targets"][0]["elements"][0]["paste_content"])
        return {"jobs": [{"id": "f2db"}], "outputs": [{"id": "da7a"}]}

    routes: dict = {
        ("POST", "/api/histories"): {"id": "beef"},
        ("DELETE", "/api/histories/beef"): lambda _: site.history.append("purged") or {},
        ("POST", "/api/tools/fetch"): fetch,
        ("GET", "/api/jobs/f2db"): state,
        ("GET", "/api/datasets/da7a/display"): lambda _: (
            pasted[0] if site.content is None else site.content
        ),
    }
    server.answers.update(routes)

    def run_all(argv, **kwargs):
        site.runs.append((argv, kwargs))
        if argv[0] == "journalctl":
            return {"retcode": 0, "stdout": "\n".join(site.journal), "stderr": ""}
        found = {each: site.numbers.get(each) for each in argv[3:]}
        return {"retcode": 0, "stdout": json.dumps(found), "stderr": ""}

    def squeue(user, states=None):
        if isinstance(site.rows, Exception):
            raise site.rows
        return site.rows

    def wait_job(*_, **__):
        if isinstance(site.end, Exception):
            raise site.end
        return site.end

    salt: dict = {
        "cmd.run_all": run_all,
        "slurm.squeue": squeue,
        "slurm.wait_job": wait_job,
        "slurm.job": lambda _: {"TRES": "cpu=2,mem=1.50G,node=1"},
        "galaxy_jobconf.requests": lambda _: site.requests,
    }
    monkeypatch.setattr(galaxy, "__salt__", salt)
    site.run = lambda **kwargs: galaxy.run_job(
        **{"url": server.url, "key_file": key_file, "wait": 5, **kwargs}
    )
    return site


def test_a_job_is_shown_from_both_sides(site):
    found = site.run()
    seconds = found.pop("seconds")
    content = found.pop("content")
    assert seconds is not None and re.fullmatch("slurm_galaxy [0-9a-f]{16}\n", content)
    assert found == {
        "ok": True, "state": "ok", "job": "f2db", "number": 12, "runner": "slurm", "slurm_job": 7,
        "node": "node1", "problem": None,
        "slurm": {
            "job": 7, "name": "g12___DATA_FETCH___me", "user": "galaxy", "state": "COMPLETED",
            "reason": None, "nodelist": "node1", "partition": "main", "cpus": 2, "memory": 1536,
            "time_limit": 600, "exit_code": 0, "signal": 0, "source": "scontrol",
        },
    }  # fmt: skip
    purge = site.server.asked[-1]
    assert (purge.method, purge.query) == ("DELETE", {"purge": ["true"]})
    assert {call.key for call in site.server.asked} == {KEY}
    assert KEY not in repr(site.runs)
    decoded = next(kwargs for argv, kwargs in site.runs if argv[0].endswith("bin/python"))
    assert decoded["runas"] == "galaxy"


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "FAILED", "NODE_FAIL"])
def test_what_slurm_killed_is_not_ok_though_galaxy_says_so(site, state):
    site.end["state"], site.content = state, ""
    found = site.run()
    assert found["ok"] is False and found["slurm"]["state"] == state
    assert (
        f'Galaxy says "ok" of job f2db (number 12), Slurm says {state} of its job 7 on node1'
        in (found["problem"])
    )
    assert "command-line runner" in found["problem"]


def test_a_job_that_did_not_go_through_slurm_is_not_ok(site):
    site.rows = [slurm_row(8, "g13_other"), slurm_row(9, "g120_other"), slurm_row(10, "mine")]
    site.journal = ["(12) Dispatching to local runner"]
    found = site.run()
    assert (found["ok"], found["runner"], found["slurm"]) == (False, "local", None)
    assert 'did not go through Slurm: Galaxy says "ok"' in found["problem"]
    assert 'the runner "local" took it' in found["problem"]


def test_a_job_that_slurm_has_forgotten_is_found_by_the_journal(site):
    site.rows = []
    found = site.run()
    assert (found["ok"], found["slurm_job"], found["slurm"]["job"]) == (True, 7, 7)
    site.end = {"state": "UNKNOWN", "nodes": None, "comment": "Slurm has forgotten job 7"}
    found = site.run()
    assert found["ok"] is False and "Slurm has forgotten job 7" in found["problem"]


def test_a_job_submitted_twice_is_the_later_one(site):
    site.rows = [slurm_row(9), slurm_row(7), slurm_row(8)]
    assert site.run()["slurm_job"] == 9


def test_a_failed_job_has_its_last_words(site):
    site.states = ["error"]
    site.details = {"job_messages": [{"desc": "Fatal error: Exit code 127"}], "stderr": "no"}
    found = site.run()
    assert found["ok"] is False and found["content"] is None
    assert found["problem"].endswith("its last words: Fatal error: Exit code 127")


def test_a_dataset_that_holds_something_else_is_not_ok(site):
    site.content = ""
    assert "does not hold the line" in site.run()["problem"]


def test_a_job_that_does_not_end_is_bounded_and_purged(site):
    site.states = ["queued"]
    site.rows = [slurm_row(state="PENDING", nodelist=None, reason="Resources")]
    found = site.run(wait=0.05)
    assert found["problem"] == (
        'the job has not ended in 0.05 s: Galaxy says "queued" of job f2db (number 12), Slurm says '
        "PENDING of its job 7 (Resources)"
    )
    assert site.history == ["purged"]


def test_a_galaxy_and_a_slurm_that_are_away_for_a_while_are_waited_for(site):
    rows, answers = site.rows, site.server.answers
    good = answers["GET", "/api/jobs/f2db"]
    calls = iter(range(4))

    def sometimes(call):
        site.rows = rows if next(calls, None) is None else CommandExecutionError("no contact")
        return good(call) if site.rows is rows else (502, "gone")

    answers["GET", "/api/jobs/f2db"] = sometimes
    assert site.run()["ok"]


def test_the_history_is_purged_when_no_job_can_be_made(site):
    with pytest.raises(
        CommandExecutionError, match=r"refuses POST /api/tools .404.: Tool not found"
    ):
        site.run(tool="none")
    assert site.history == ["purged"]


def test_a_history_that_stays_is_said(site):
    site.server.answers["DELETE", "/api/histories/beef"] = (403, {"err_msg": "not allowed"})
    found = site.run()
    assert found["ok"] is False
    assert "history beef of the check could not be purged: Galaxy refuses" in found["problem"]


def test_an_id_that_is_not_of_this_configuration_is_an_error(site):
    site.numbers = {}
    with pytest.raises(CommandExecutionError, match="the id_secret that Galaxy runs with"):
        site.run()
    assert site.history == ["purged"]


@pytest.mark.parametrize("admin", [True, False])
def test_jobs_stand_beside_slurms_view(site, admin):
    row = {"id": "f2db", "state": "running", "tool_id": "cat", "create_time": "2026-01-01"}

    def listed(call):
        if "view" in call.query and not admin:
            return (403, {"err_msg": "Only admins can use the admin_job_list view"})
        return [{**row, "decoded_job_id": 12, "user_email": "a@b"} if admin else row]

    site.server.answers["GET", "/api/jobs"] = listed
    site.rows = [slurm_row(state="RUNNING")]
    found = galaxy.jobs(state="running, queued", url=site.server.url, key_file=site.key)
    assert site.server.asked[-1].query["state"] == ["running", "queued"]
    assert len(found) == 1 and found[0]["slurm"]["state"] == "RUNNING"
    assert {key: found[0][key] for key in found[0] if key != "slurm"} == {
        "job": "f2db", "number": 12, "state": "running", "tool": "cat", "created": "2026-01-01",
        "user": "a@b" if admin else None, "slurm_job": 7,
    }  # fmt: skip
    assert bool(site.runs) is not admin


# --- destinations ---------------------------------------------------------------------------------


def test_the_check_tool_is_a_hidden_tool_of_one_dataset():
    text = galaxy.check_tool('big-"mem" <1> & more')
    root = ElementTree.fromstring(text)  # noqa: S314
    assert root.attrib == {
        "id": "slurm_galaxy_check_big__mem___1____more", "name": 'Check big-"mem" <1> & more',
        "version": "1.0", "profile": "24.0", "hidden": "true",
    }  # fmt: skip
    assert [each.get("name") for each in root.findall("outputs/data")] == ["seen"]
    # As Galaxy's templates leave it, in one line.
    command = root.findtext("command", "").replace("\\$", "$").replace("'$seen'", "/dev/stdout")
    out = subprocess.run(
        ["bash", "-euc", command.replace("\n", " ")], check=True, text=True, capture_output=True,
        env={"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "5", "GALAXY_SLOTS": "2"},
    ).stdout  # fmt: skip
    seen = galaxy._printed(out)
    assert (seen["SLURM_JOB_ID"], seen["GALAXY_SLOTS"], seen["SLURM_MEM_PER_CPU"]) == ("5", "2", "")
    assert seen["NPROC"].isdigit() and seen["UID"].isdigit() and seen["HOST"]


def request(name, why=None, **asked):
    empty = dict.fromkeys(("cpus", "memory", "partition", "time"))
    return {"id": name, "why": why, "problems": [], **empty, **asked}


@pytest.fixture
def check(site):
    """Return destination_check of one environment, and what its job is granted and sees."""
    site.numbers = {"f2db": 12}
    site.seen = {"HOST": "node1", "SLURM_JOB_ID": "7", "GALAXY_SLOTS": "2"}
    site.server.answers["POST", "/api/tools"] = lambda call: {
        "jobs": [{"id": "f2db"}], "outputs": [{"id": "da7a"}]
    }  # fmt: skip
    site.rows = [slurm_row(name="g12_slurm_galaxy_check_small_me")]

    def run(**kwargs):
        site.content = "".join(f"{key}={value}\n" for key, value in site.seen.items())
        return galaxy.destination_check(
            **{"url": site.server.url, "key_file": site.key, "wait": 5, **kwargs}
        )

    site.check = run
    return site


def test_a_destination_shows_what_was_asked_granted_and_seen(check):
    check.requests = [request("small", cpus=2, memory=1500, partition="main", time=600)]
    found = check.check()["small"]
    assert found["ok"] is True and found["problem"] is None
    assert found["asked"] == {"cpus": 2, "memory": 1500, "partition": "main", "time": 600}
    assert found["granted"]["memory"] == 1536 and found["granted"]["cpus"] == 2
    assert found["seen"] == check.seen
    posted = next(call for call in check.server.asked if call.path == "/api/tools")
    assert posted.body["tool_id"] == "slurm_galaxy_check_small"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"cpus": 4}, "asked for 4 CPUs, got 2"),
        ({"memory": 4000}, "asked for 4000 MiB of memory, got 1536"),
        ({"partition": "big"}, "asked for partition big, got main"),
        ({"time": 7200}, "asked for 7200 s, got 600 s"),
        ({}, "got 1536 MiB of memory, and the tool reads GALAXY_MEMORY_MB=512"),
    ],
)
def test_a_destination_that_is_granted_something_else_is_not_ok(check, asked, words):
    check.requests = [request("small", **asked)]
    check.seen["GALAXY_MEMORY_MB"] = "1536" if asked else "512"
    found = check.check()["small"]
    assert found["ok"] is False and words in found["problem"]


def test_a_job_that_sees_something_else_is_not_ok(check):
    check.requests = [request("small", cpus=2)]
    check.seen.update(GALAXY_SLOTS="1", SLURM_JOB_ID="99")
    problem = check.check()["small"]["problem"]
    assert "SLURM_JOB_ID=99, and Slurm knows it as 7" in problem
    assert "the tool may use GALAXY_SLOTS=1" in problem


def test_a_killed_job_of_a_destination_is_not_ok(check):
    check.requests = [request("small")]
    check.end["state"] = "TIMEOUT"
    assert "Slurm says TIMEOUT" in check.check()["small"]["problem"]


def test_what_cannot_be_checked_is_listed_with_the_reason(check):
    check.requests = [request("dyn", "dynamic: it depends"), request("small"), request("a-b"),
                      request("a_b")]  # fmt: skip
    found = check.check(environments=["dyn", "a_b"])
    assert found["dyn"]["ok"] is None and found["dyn"]["problem"] == (
        "not checked: dynamic: it depends"
    )
    assert found["a_b"]["problem"] == (
        'not checked: its check tool slurm_galaxy_check_a_b is that of "a-b"'
    )
    assert list(found) == ["dyn", "a_b"] and check.history == ["purged"]
    with pytest.raises(SaltInvocationError, match='no destination "big"; there are dyn'):
        check.check(environments=["big"])


def test_a_destination_without_its_tool_says_how_to_get_it(check):
    check.requests = [request("small")]
    del check.server.answers["POST", "/api/tools"]
    found = check.check()["small"]
    assert found["ok"] is False and "adds the tool of each destination" in found["problem"]


# --- shared directories ---------------------------------------------------------------------------


def _forms(path):
    return (path, f"+{path}", f"-{path}")


@pytest.fixture
def nodes(monkeypatch, tmp_path):
    """Stand in for Slurm: a job runs in sh here, with a path of its own in place of a shared one.

    ``places`` maps (node, path) to another directory, for what that node does not share.
    """
    # Nobody has to wait for what a stand-in shares or not.
    monkeypatch.setattr(galaxy, "_LOOK", galaxy._LOOK.replace("patience=4", "patience=0"))
    user = pwd.getpwuid(galaxy.pathlib.Path("/").stat().st_uid).pw_name
    record = {"state": "IDLE", "flags": [], "reason": None, "partitions": ["main"]}
    world = SimpleNamespace(
        records={name: {"name": name, **record} for name in ("node1", "node2")},
        places={}, edits={}, options=[], cancelled=[], refuse={}, user=user, tmp=tmp_path,
    )  # fmt: skip
    for name in ("jobs", "venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").write_text("version = 3.11.2\n")
    world.jobs, world.venv = str(tmp_path / "jobs"), str(tmp_path / "venv")

    def run_all(argv, **kwargs):
        done = subprocess.run(argv, text=True, capture_output=True, check=False)
        out = world.edits.get("host", lambda text: text)(done.stdout)
        return {"retcode": done.returncode, "stdout": out, "stderr": done.stderr}

    def srun(argv, options, runas, timeout):
        node = options["nodelist"]
        world.options.append((runas, timeout, options))
        if node in world.refuse:
            if isinstance(world.refuse[node], Exception):
                raise world.refuse[node]
            return {"stdout": "prolog says hello\n", "stderr": world.refuse[node], "retcode": 1}
        there = {path: str(place) for (name, path), place in world.places.items() if name == node}
        argv = [
            next(
                (part[: -len(old)] + new for old, new in there.items() if part in _forms(old)), part
            )
            for part in argv
        ]
        done = subprocess.run(argv, text=True, capture_output=True, check=False)
        out = done.stdout
        for old, new in there.items():
            out = out.replace(f"|path|{new}\n", f"|path|{old}\n")
        out = world.edits.get(node, lambda text: text)(out)
        return {"stdout": "prolog says hello\n" + out, "stderr": "", "retcode": 0}

    monkeypatch.setattr(
        galaxy,
        "__salt__",
        {
            "cmd.run_all": run_all,
            "slurm.srun": srun,
            "slurm.nodes": lambda names: list(world.records.values()),
            "slurm.partitions": lambda: [{"name": "main", "default": True}],
            "slurm.squeue": lambda user: [
                {"name": world.options[0][2]["job-name"], "id": "77"}, {"name": "x", "id": "78"}
            ],
            "slurm.cancel": world.cancelled.append,
            "slurm.hostlist_fold": lambda names, sort: ",".join(names),
        },
    )  # fmt: skip
    world.look = lambda *paths, **kwargs: galaxy.shared_dirs(
        list(paths) or [world.jobs], user=user, **kwargs
    )
    return world


def left(world):
    return list(world.tmp.rglob(".slurm_galaxy*"))


def test_directories_that_every_node_shares_are_ok(nodes):
    found = nodes.look(nodes.jobs + "/", nodes.venv)
    assert found["nodes"] == {
        name: {nodes.jobs: "ok", nodes.venv: "ok"} for name in ("node1", "node2")
    }
    assert found["ok"] is True and found["problems"] == [] and found["free"][nodes.jobs] > 0
    runas, timeout, options = nodes.options[0]
    assert (runas, timeout) == (nodes.user, 90)
    assert (options["partition"], options["immediate"], options["time"]) == ("main", 60, 2)
    assert left(nodes) == []


def test_a_directory_of_the_nodes_own_is_not_shared_and_stays_clean(nodes):
    own = nodes.tmp / "own"
    own.mkdir()
    nodes.places["node2", nodes.jobs] = own
    found = nodes.look()
    assert found["nodes"]["node1"] == {nodes.jobs: "ok"}
    assert "what the Galaxy host writes is not seen there" in found["nodes"]["node2"][nodes.jobs]
    assert found["ok"] is False and found["problems"][0].startswith(f"node2: {nodes.jobs} is not")
    assert left(nodes) == []


def test_a_directory_that_is_missing_is_named_with_all_its_nodes(nodes):
    for node in ("node1", "node2"):
        nodes.places[node, nodes.jobs] = nodes.tmp / "none"
    assert nodes.look()["problems"] == [f"node1,node2: {nodes.jobs} does not exist there"]


def test_a_node_that_writes_elsewhere_is_found_and_cleaned(nodes):
    # Sees the host's file, but what it writes goes to a layer of its own.
    own = nodes.tmp / "own"
    own.mkdir()
    (own / "x").touch()
    nodes.places["node1", nodes.jobs] = own

    def relay(text):
        for mark in galaxy.pathlib.Path(nodes.jobs).glob(".slurm_galaxy-*@galaxy"):
            (own / mark.name).write_text(mark.read_text())
        return text

    nodes.edits["host"] = relay
    found = nodes.look()
    assert (
        "what is written there is not seen on the Galaxy host"
        in (found["nodes"]["node1"][nodes.jobs])
    )
    assert [path for path in left(nodes) if "@galaxy" not in path.name] == []


def test_another_user_owner_and_free_space_are_said(nodes):
    def other(text):
        text = re.sub(r"\|ids\|.*", "|ids|7:8", text)
        text = re.sub(r"\|owner\|.*", "|owner|65534:65534", text)
        return re.sub(r"\|free\|.*", "|free|1", text)

    nodes.edits["node1"] = other
    cell = nodes.look()["nodes"]["node1"][nodes.jobs]
    assert "Galaxy's user is 7:8 (uid:gid) there" in cell
    assert "belongs to 65534:65534 (uid:gid) there" in cell
    assert "has 0 MiB free there" in cell


def test_a_venv_that_differs_or_does_not_run_is_said(nodes):
    own = nodes.tmp / "own"
    (own / "bin").mkdir(parents=True)
    (own / "bin/python").symlink_to("/nonexistent/python3")
    python = nodes.tmp / "venv/bin/python"
    python.write_text("#!/bin/sh\necho 3.11.2\n")
    python.chmod(0o755)
    nodes.places["node1", nodes.venv] = own

    def read_only(text):
        for mark in left(nodes):
            mark.unlink()
        return re.sub(r".*\|wrote\|.*\n", "", text)

    nodes.edits["host"] = read_only
    found = nodes.look(nodes.venv)
    assert "does not hold there what it holds" in found["nodes"]["node1"][nodes.venv]
    assert (
        "its bin/python is 3.11.2 on the Galaxy host and says there: "
        in (found["nodes"]["node1"][nodes.venv])
    )
    assert found["nodes"]["node2"][nodes.venv] == "ok"
    (own / "bin/python").unlink()
    (own / "pyvenv.cfg").write_text("version = 3.11.2\n")
    assert nodes.look(nodes.venv)["nodes"]["node1"][nodes.venv] == "has no bin/python there"
    (own / "bin/python").symlink_to(python)
    (own / "lib/python3.11/site-packages/galaxy-26.1.2.dist-info").mkdir(parents=True)
    assert "does not hold there" in nodes.look(nodes.venv)["nodes"]["node1"][nodes.venv]


def test_a_directory_that_cannot_be_written_there_is_said(nodes):
    def refused(text):
        return text.replace("|wrote|yes", "|refused|Read-only file system")

    nodes.edits["node1"] = refused
    cell = nodes.look()["nodes"]["node1"][nodes.jobs]
    assert cell == "cannot be written there: Read-only file system"
    nodes.edits = {"host": refused}
    cell = nodes.look()["nodes"]["node1"][nodes.jobs]
    assert cell == "cannot be written on the Galaxy host: Read-only file system"
    assert nodes.look(str(nodes.tmp / "no"))["nodes"]["node1"] == {
        str(nodes.tmp / "no"): "does not exist on the Galaxy host"
    }


def test_a_node_that_is_down_or_late_is_named(nodes):
    nodes.records["node3"] = {**nodes.records["node1"], "name": "node3", "state": "DOWN",
                              "flags": ["NOT_RESPONDING"], "reason": "Not responding"}  # fmt: skip
    nodes.refuse = {
        "node1": "srun: error: Unable to allocate resources",
        "node2": CommandExecutionError("srun: sh had not ended after 35 s"),
    }
    found = nodes.look(nodes.jobs, nodes.venv, wait=5)
    assert sorted(found["problems"]) == [
        "node1: the node did not run its job within 5 s: srun: error: Unable to allocate resources",
        "node2: the node's job did not end in 35 s or could not be run: srun: sh had not ended "
        "after 35 s",
        "node3: the node is DOWN+NOT_RESPONDING: Not responding",
    ]
    assert nodes.cancelled == ["77"]
    assert len(nodes.options) == 2 and left(nodes) == []


@pytest.mark.parametrize("paths", ["jobs", ["/a", "b"], [], [None]])
def test_paths_that_cannot_be_meant_are_refused(nodes, paths):
    with pytest.raises(SaltInvocationError, match=r"^paths: "):
        galaxy.shared_dirs(paths)
