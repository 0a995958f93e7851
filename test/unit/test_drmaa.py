"""The drmaa execution module: slurm-drmaa's grammar, and what a library says of itself.

What is accepted and refused here was asked of slurm-drmaa 1.1.6 itself, built with Slurm 22.05.
"""

import os
import pwd
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

drmaa = load("_modules/drmaa.py")

ACCEPTED = [
    ("", {}),
    ("  \t ", {}),
    ("-", {}),
    ("-p main", {"partition": "main"}),
    ("-p\tmain -n  2", {"partition": "main", "ntasks": "2"}),
    ("--partition=main", {"partition": "main"}),
    ("-A lab -C big -c 2 -d afterok:3", {
        "account": "lab", "constraint": "big", "cpus-per-task": "2", "dependency": "afterok:3",
    }),
    ("-e /srv/e -o /srv/o -J name -L matlab -M far", {
        "error": "/srv/e", "output": "/srv/o", "job-name": "name", "licenses": "matlab",
        "clusters": "far",
    }),
    ("-w node1 -x node2 -N 1-4", {"nodelist": "node1", "exclude": "node2", "nodes": "1-4"}),
    ("--nodes=2", {"nodes": "2"}),
    ("--nodes=1-", {"nodes": "1-"}),
    ("--nodes=-4", {"nodes": "-4"}),
    ("--mem=4000", {"mem": "4000"}),
    ("--mem=+3", {"mem": "+3"}),
    ("--mem-per-cpu=500 --mincpus=2", {"mem-per-cpu": "500", "mincpus": "2"}),
    ("--tmp=100 --ntasks=2 --ntasks-per-node=1", {
        "tmp": "100", "ntasks": "2", "ntasks-per-node": "1",
    }),
    ("--ntasks=2147483647", {"ntasks": "2147483647"}),
    ("-n 5\n", {"ntasks": "5\n"}),
    ("--qos=high --reservation=r --gres=gpu:1 --licenses=a:2", {
        "qos": "high", "reservation": "r", "gres": "gpu:1", "licenses": "a:2",
    }),
    ("--partition==main", {"partition": "main"}),
    ("--contiguous --exclusive --no-kill --requeue", {
        "contiguous": True, "exclusive": True, "no-kill": True, "requeue": True,
    }),
    ("--no-requeue --share", {"no-requeue": True, "share": True}),
    ("-s", {"share": True}),
    ("-s -k -p main", {"share": True, "no-kill": True, "partition": "main"}),
    ("--job_name=x --time_limit=1:00", {"job-name": "x", "time": "1:00"}),
    ("--mail-type=END", {"mail-type": "END"}),
    ("-t 24:00", {"time": "24:00"}),
    ("--time=24:00:00", {"time": "24:00:00"}),
    ("--comment=a --acctg-freq=30", {"comment": "a", "acctg-freq": "30"}),
    ("--clusters=far", {"clusters": "far"}),
]  # fmt: skip

# Accepted, and not what is written: what slurm-drmaa makes of it, and a word of the note.
NOTED = [
    ("-s --mem=5", {"share": True}, '"--mem=5"'),
    ("-s -p", {"share": True}, "passes over -p"),
    ("-k main -n 2", {"no-kill": True, "ntasks": "2"}, '"main"'),
    ("- -n 2", {"ntasks": "2"}, "stands alone"),
    ("--exclusive=user", {"exclusive": True}, '"user"'),
    ("--acctg-freq=task=30", {"acctg-freq": "task"}, '"task" alone'),
    ("--mail-type=BEGIN,END", {"mail-type": "BEGIN,END"}, "no list"),
    ("--mem=5 --mem-per-cpu=7", {"mem-per-cpu": "7"}, "larger"),
    ("--mem=7 --mem-per-cpu=5", {"mem": "7"}, "passes over --mem-per-cpu=5"),
    ("--mem=7 --mem=5", {"mem": "7"}, "passes over --mem=5"),
    ("--time=1:30:45", {"time": "1:30:45"}, "90 minutes: the seconds"),
    ("--time=1-2T3:4", {"time": "1-2T3:4"}, "184 minutes: the date"),
    ("--time=10:00-2:30", {"time": "10:00-2:30"}, "600 minutes: the time zone"),
]

# Refused: which options, and a word of the message of the first.
REFUSED = [
    ("-n2", ["-n"], 'write "-n 2"'),
    ("-p=main", ["-p"], 'write "-p main"'),
    ("-ntasks=2", ["-ntasks=2"], 'write "--ntasks=2"'),
    ("-Q2", ["-Q"], "no option -Q"),
    ("-sk", ["-s"], "blank behind -s"),
    ("--gpus=1", ["--gpus"], "--gres=gpu:NUMBER"),
    ("-G 1", ["-G"], "--gres=gpu:NUMBER"),
    ("--export=ALL", ["--export"], "env"),
    ("--job-name=x", ["--job-name"], "--job_name"),
    ("--oversubscribe", ["--oversubscribe"], "--share"),
    ("-q high", ["-q"], "--qos=NAME"),
    ("--partiton=main", ["--partiton"], "did you mean --partition?"),
    ("--part=main", ["--part"], "no option --part"),
    ("--xyzzy", ["--xyzzy"], "refuses the job"),
    ("--partition main", ["--partition", "main"], 'behind a "="'),
    ("--partition=", ["--partition"], "no value"),
    ("--mem= 5", ["--mem", "5"], "no value"),
    ("-p", ["-p"], "no value"),
    ("-n 2 -p", ["-p"], "no value"),
    ("-p -n 2", ["-p"], 'takes "-n" for it'),
    ("-n 2 -s", ["-s"], "write --share"),
    (" -s", ["-s"], "write --share"),
    ("-k", ["-k"], "write --no-kill"),
    ("-z", ["-z"], "no option -z"),
    ("-n -N 2", ["-n"], "whole number"),
    ("main", ["main"], "is no option"),
    ("--comment='a b'", ["b'"], "takes no quotes"),
    ("--", ["--"], "crashes"),
    ("--=x=", ["--x"], "no option --x"),
    ("--=", ["--="], "crashes"),
    ("--mem=4G", ["--mem"], "write 4096"),
    ("--mem=500MB", ["--mem"], "write 500"),
    ("--mem=1025k", ["--mem"], "write 2"),
    ("--mem=much", ["--mem"], "whole number of MiB"),
    ("--mem=-5", ["--mem"], "negative"),
    ("--tmp=1T", ["--tmp"], "write 1048576"),
    ("-c 1.5", ["-c"], "whole number"),
    ("-n 0x10", ["-n"], "whole number"),
    ("-n 99999999999", ["-n"], "the most"),
    ("--nodes=-", ["--nodes"], "crashes"),
    ("--nodes=1-2-3", ["--nodes"], "no number of nodes"),
    ("--nodes=1-4k", ["--nodes"], "no number of nodes"),
    ("-N 4-1", ["-N"], "backwards"),
    ("--time=60", ["--time"], "1:00 here"),
    ("--time=1-12", ["--time"], "36:00 here"),
    ("-t 1-00:00:00", ["-t"], "24:00 here"),
    ("--time=infinite", ["--time"], "hours and minutes"),
    ("--time=1:2:3:4", ["--time"], "hours and minutes"),
    ("-p main\n", ["-p"], "line break"),
    ("-n 1\n-p main", ["-n", "main"], "whole number"),
    ("--gpus=1 --export=ALL -n2", ["--gpus", "--export", "-n"], "no option --gpus"),
]


@pytest.mark.parametrize(("spec", "options"), ACCEPTED)
def test_what_slurm_drmaa_takes_is_right(spec, options):
    notes = drmaa.parse_native(spec)["notes"]
    assert drmaa.parse_native(spec) == {"options": options, "problems": [], "notes": notes}
    assert not notes or spec == "-"


@pytest.mark.parametrize(("spec", "options", "words"), NOTED)
def test_what_slurm_drmaa_takes_otherwise_is_noted(spec, options, words):
    answer = drmaa.parse_native(spec)
    assert (answer["options"], answer["problems"]) == (options, [])
    [note] = answer["notes"]
    assert words in note["message"]


@pytest.mark.parametrize(("spec", "options", "words"), REFUSED)
def test_what_slurm_drmaa_refuses_is_a_problem(spec, options, words):
    problems = drmaa.parse_native(spec)["problems"]
    assert [each["option"] for each in problems] == options
    assert words in problems[0]["message"]


def test_an_old_slurm_drmaa_knows_fewer_options():
    spec = "-c 2 -k -d 3 --output=/x --nodes=2"
    for version in ("1.1.0", "1.2.0-dev.deca826", None):
        assert not drmaa.parse_native(spec, version)["problems"]
    problems = drmaa.parse_native(spec, "1.0.7")["problems"]
    assert [each["option"] for each in problems] == ["-c", "-k", "-d", "--output"]
    assert "1.1.0" in problems[0]["message"]


def test_an_answer_may_be_changed_by_who_asked():
    drmaa.parse_native("-p main")["options"].clear()
    assert drmaa.parse_native("-p main")["options"] == {"partition": "main"}


@pytest.mark.parametrize("spec", [None, 5, ["-p", "main"]])
def test_a_specification_is_text(spec):
    with pytest.raises(SaltInvocationError, match="is text"):
        drmaa.parse_native(spec)


@given(st.text(st.sampled_from("-=sknNptm \t\n15:+gema"), max_size=30))
def test_any_text_is_answered(spec):
    answer = drmaa.parse_native(spec)
    assert all(each["message"] for each in answer["problems"] + answer["notes"])


# --- the library ----------------------------------------------------------------------------------


def run_all(argv, timeout, env=None, **kwargs):
    """Stand for cmd.run_all."""
    result = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=env and {**os.environ, **env},
    )
    return {"retcode": result.returncode, "stdout": result.stdout, "stderr": result.stderr}


@pytest.fixture
def info(monkeypatch, tmp_path):
    """Return drmaa.info on a host with libslurm of 22.05, and a way to make libraries for it."""
    (tmp_path / "libslurm.so.38.0.0").touch()
    monkeypatch.setattr(drmaa, "_SLURM_LIBRARIES", (f"{tmp_path}/libslurm.so.*",))
    monkeypatch.setattr(drmaa, "_LIBRARIES", (f"{tmp_path}/nothing/*.so",))
    monkeypatch.setattr(drmaa, "__salt__", {"cmd.run_all": run_all})

    def compiled(text="", slurm="libslurm.so.38"):
        source, library, libslurm = (tmp_path / name for name in ("d.c", "d.so", slurm))
        source.write_text(text or SOURCE)
        compiler = ["cc", "-shared", "-fPIC", "-o"]
        empty = [*compiler, libslurm, "-x", "c", "/dev/null", f"-Wl,-soname,{slurm}"]
        linked = ["-Wl,--no-as-needed", libslurm, f"-Wl,-rpath,{tmp_path}"]
        try:
            subprocess.run(empty, check=True)
            subprocess.run([*compiler, library, source, *linked], check=True)
        except FileNotFoundError:
            pytest.skip("no C compiler on this machine")
        if slurm != "libslurm.so.38":
            libslurm.unlink()
        return str(library)

    return SimpleNamespace(ask=drmaa.info, compile=compiled)


SOURCE = """
#include <string.h>
int drmaa_get_DRMAA_implementation(char *to, size_t size, char *error, size_t room)
{ strncpy(to, "PSNC DRMAA for SLURM 1.1.4", size); return 0; }
int drmaa_get_DRM_system(char *to, size_t size, char *error, size_t room)
{ strncpy(to, "SLURM 22.05.8", size); return 0; }
"""


def test_a_library_that_fits_says_what_it_is(info):
    library = info.compile()
    assert info.ask(library) == {
        "library": library,
        "loads": True,
        "version": "1.1.4",
        "system": "SLURM 22.05.8",
        "needs": "libslurm.so.38",
        "installed": ["libslurm.so.38"],
        "matches": True,
        "problem": None,
    }


def test_a_library_of_another_slurm_is_named_with_both_releases(info):
    answer = info.ask(info.compile(slurm="libslurm.so.42"))
    assert (answer["loads"], answer["matches"]) == (False, False)
    assert "libslurm.so.42 (Slurm 24.11)" in answer["problem"]
    assert "has libslurm.so.38 (Slurm 22.05)" in answer["problem"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("void f(void) __attribute__((constructor)); void f(void) { *(int *)8 = 1; }", "ended"),
        ("void f(void) __attribute__((constructor)); void f(void) { _exit(3); }", "ended with 3"),
        ("int nothing;", "drmaa_get_DRMAA_implementation"),
    ],
)
def test_a_library_that_breaks_takes_nothing_down(info, text, words):
    answer = info.ask(info.compile("#include <unistd.h>\n" + text))
    assert not answer["loads"]
    assert answer["needs"] == "libslurm.so.38"
    assert words in answer["problem"]


def test_a_library_that_does_not_load_in_time_still_says_what_it_needs(info):
    hangs = "void f(void) __attribute__((constructor)); void f(void) { pause(); }"
    answer = info.ask(info.compile("#include <unistd.h>\n" + hangs), timeout=0.5)
    assert (answer["loads"], answer["needs"]) == (False, "libslurm.so.38")
    assert "after 0.5 s; libslurm waits where slurm.conf is missing" in answer["problem"]


@pytest.mark.parametrize("content", [None, b"", b"text", b"\x7fELF\2\1", b"\x7fELF" + b"\0" * 99])
def test_a_file_that_is_no_library_is_an_answer(info, tmp_path, content):
    file = tmp_path / "libdrmaa.so.1"
    if content is not None:
        file.write_bytes(content)
    answer = info.ask(str(file))
    assert not answer["loads"]
    assert answer["problem"].startswith(f"{file} cannot be loaded: ")


def test_no_library_at_all_is_an_answer(info):
    assert "no DRMAA library is installed" in info.ask()["problem"]


def test_a_library_that_hangs_or_cannot_be_asked_is_an_answer(info, monkeypatch):
    def hang(*_, **__):
        return {"retcode": 1, "stdout": '{"needed": []}\nTimed out after 1 seconds', "stderr": ""}

    def missing(*_, **__):
        raise CommandExecutionError("no user galaxy")

    for reply, words in ((hang, "after 1 s"), (missing, "no user galaxy")):
        monkeypatch.setattr(drmaa, "__salt__", {"cmd.run_all": reply})
        assert words in info.ask("/x.so", user="galaxy", timeout=1)["problem"]


def test_the_library_of_another_system_is_told_apart(info, monkeypatch):
    said = '{"needed": ["libc.so.6"]}\nnoise\n[]\n{"loads": true}\n{"implementation": "SGE 1.0"}'
    reply = {"retcode": 0, "stdout": said, "stderr": ""}
    monkeypatch.setattr(drmaa, "__salt__", {"cmd.run_all": lambda *_, **__: reply})
    answer = info.ask("/x.so")
    assert (answer["loads"], answer["matches"]) == (True, None)
    assert "another system" in answer["problem"]


def test_the_probe_runs_on_its_own():
    argv = [sys.executable, "-c", drmaa._PROBE, "/nowhere.so", "30"]
    assert "no such file" in run_all(argv, 30)["stdout"]


# --- a session and a job --------------------------------------------------------------------------

# Stands for the drmaa package of a virtual environment: what each call does is a statement.
PACKAGE = """
import os, sys, time
class JobState: DONE, FAILED = "done", "failed"
class JobControlAction: TERMINATE = "terminate"
class errors:
    class DrmaaException(Exception): pass
class InvalidAttributeValueException(errors.DrmaaException): pass
class DeniedByDrmException(errors.DrmaaException): pass
class InternalException(errors.DrmaaException): pass
class JobInfo: exitStatus, hasExited = 0, True
class Template: pass
class Session:
    TIMEOUT_NO_WAIT = 0
    def __enter__(self):
        {open}
        return self
    def __exit__(self, *_):
        {close}
    def createJobTemplate(self):
        return Template()
    def runJob(self, job):
        assert (job.remoteCommand, job.workingDirectory) == ("/bin/true", "/")
        assert (job.outputPath, job.joinFiles) == (":/dev/null", True)
        {submit}
        return "7"
    def jobStatus(self, job):
        {state}
        return "done"
    def wait(self, job, timeout):
        {wait}
        return JobInfo
    def control(self, job, action):
        {cancel}
"""

GOOD = dict.fromkeys(("open", "close", "submit", "state", "wait", "cancel"), "pass")


@pytest.fixture
def check(monkeypatch, tmp_path):
    """Return drmaa.session_check over a virtual environment whose drmaa package does as told."""
    (tmp_path / "bin").mkdir()
    calls = []
    fate: dict = {}

    def answered(argv, **kwargs):
        calls.append((argv, kwargs))
        if argv[0] == "scancel":
            return {"retcode": fate["scancel"], "stdout": "", "stderr": ""}
        return run_all(argv, **kwargs)

    def ask(native=None, timeout=5, grace=0, scancel=0, **statements):
        fate["scancel"] = scancel
        monkeypatch.setattr(drmaa, "_GRACE", grace)
        python = tmp_path / "bin/python"
        if statements.get("package", "") is not None:
            (tmp_path / "drmaa.py").write_text(
                statements.get("package") or PACKAGE.format(**{**GOOD, **statements})
            )
        python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return drmaa.session_check(str(tmp_path), user=NOBODY, native=native, timeout=timeout)

    fits = {"library": "/d.so", "problem": None}
    monkeypatch.setattr(drmaa, "info", lambda library, user: fits)
    monkeypatch.setattr(drmaa, "__salt__", {"cmd.run_all": answered})
    return SimpleNamespace(ask=ask, calls=calls, fits=fits, venv=tmp_path)


NOBODY = next(each.pw_name for each in pwd.getpwall() if each.pw_uid)


def test_a_job_that_ends_well_is_all_that_is_wanted(check):
    answer = check.ask(submit="assert os.environ['DRMAA_LIBRARY_PATH'] == '/d.so'")
    assert answer.pop("seconds") < 5
    assert answer == {
        "job": "7", "exit_status": 0, "state": "done", "library": "/d.so", "problem": None,
    }  # fmt: skip
    [(argv, options)] = check.calls
    assert argv[0] == f"{check.venv}/bin/python"
    assert (options["runas"], options["cwd"], options["python_shell"]) == (NOBODY, "/", False)


def test_a_native_specification_is_the_jobs(check):
    assert not check.ask("-p main", submit="assert job.nativeSpecification == '-p main'")["problem"]
    assert not check.ask(submit="assert not hasattr(job, 'nativeSpecification')")["problem"]


REFUSED_JOB = "raise {}('code 14: slurm_submit_batch_job error{}: it says  no')"


@pytest.mark.parametrize(
    ("native", "statements", "words"),
    [
        (None, {"package": "raise OSError('no d.so')"}, "cannot load /d.so: no d.so"),
        (None, {"package": "import nothing.at.all"}, "has no Python package drmaa: install it"),
        (None, {"package": "import os; os.abort()"}, "the process ended with -6"),
        (None, {"open": "raise InternalException('bad conf')"}, "opens no session: bad conf; see"),
        (None, {"open": "os.abort()"}, "opens no session: the process ended with -6"),
        (None, {"submit": REFUSED_JOB.format("InternalException", " (1800)")},
         "no job could be submitted: it says no"),
        (None, {"submit": "time.sleep(60)"}, "no job could be submitted: no answer within 1 s"),
        (None, {"submit": REFUSED_JOB.format("InvalidAttributeValueException", "")},
         "slurm-drmaa refuses the job: it says no; see job_categories"),
        ("-p x", {"submit": REFUSED_JOB.format("InvalidAttributeValueException", "")},
         'slurm-drmaa refuses the job: it says no (native specification "-p x")'),
        ("-p x", {"submit": REFUSED_JOB.format("DeniedByDrmException", "")},
         'Slurm refuses the job: it says no (native specification "-p x")'),
        ("--gpus=1", {"submit": REFUSED_JOB.format("InvalidAttributeValueException", "")},
         'refuses the native specification "--gpus=1": slurm-drmaa knows no option --gpus'),
        ("--nodes=-", {"submit": "os.abort()"}, "slurm-drmaa crashes on it"),
    ],
)  # fmt: skip
def test_what_keeps_a_job_from_being_submitted_is_one_sentence(check, native, statements, words):
    answer = check.ask(native, timeout=1, **statements)
    assert words in answer["problem"]
    assert "\n" not in answer["problem"] and "Traceback" not in answer["problem"]
    assert (answer["job"], answer["exit_status"], answer["state"]) == (None, None, None)


def test_a_job_that_fails_is_told_with_its_exit_status(check):
    answer = check.ask(state="return 'failed'", wait="JobInfo.exitStatus = 3")
    assert (answer["job"], answer["state"], answer["exit_status"]) == ("7", "failed", 3)
    assert "job 7 ended as failed with exit status 3" in answer["problem"]


def test_a_session_that_does_not_close_is_told_beside_its_job(check):
    answer = check.ask(close="raise InternalException('code 12: stuck')")
    assert (answer["state"], answer["exit_status"]) == ("done", 0)
    assert answer["problem"] == "job 7 is done, and the session went wrong then: stuck"


def test_a_job_that_does_not_end_is_cancelled_through_the_session(check):
    answer = check.ask(timeout=1, grace=9, state="return 'queued_active'")
    assert answer["state"] == "queued_active" and answer["seconds"] >= 1
    assert "had not ended after 1 s: its state was queued_active" in answer["problem"]
    assert answer["problem"].endswith("it was cancelled")
    assert len(check.calls) == 1


def test_a_state_that_cannot_be_had_for_a_moment_is_waited_for(check):
    once = "self.asked = getattr(self, 'asked', 0) + 1"
    lost = "raise errors.DrmaaException('code 2: slurm_load_jobs error: timed out,job_id: 7')"
    statement = f"{once}\n        if self.asked < 3: {lost}"
    assert check.ask(state=statement)["problem"] is None


@pytest.mark.parametrize(
    ("scancel", "grace", "statements", "words"),
    [
        (1, 0, {"state": "time.sleep(60)"},
         "could not be cancelled (no answer within 1 s): run scancel 7"),
        (1, 9, {"state": "return 'running'", "cancel": "raise InternalException('code 1: no')"},
         "its state was running; it could not be cancelled (no): run scancel 7"),
        (0, 9, {"state": "os.abort()"}, "its state was unknown; it was cancelled"),
    ],
)  # fmt: skip
def test_a_job_that_the_session_lost_is_cancelled_all_the_same(
    check, scancel, grace, statements, words
):
    answer = check.ask(timeout=1, grace=grace, scancel=scancel, **statements)
    assert words in answer["problem"]
    argv, options = check.calls[-1]
    assert (argv, options["runas"]) == (["scancel", "7"], NOBODY)


def test_a_library_with_a_problem_opens_no_session(check):
    check.fits["problem"] = "it is of another Slurm"
    assert check.ask()["problem"] == "it is of another Slurm"
    assert not check.calls


def test_a_venv_or_a_user_that_is_not_there_is_an_answer(check):
    assert "no virtual environment" in drmaa.session_check("/nowhere", user=NOBODY)["problem"]
    assert 'no user "nobody-here"' in drmaa.session_check("/", user="nobody-here")["problem"]
    (check.venv / "bin/python").mkdir()
    assert "does not run as" in drmaa.session_check(str(check.venv), user=NOBODY)["problem"]


@pytest.mark.parametrize("given", [{"user": "root"}, {"timeout": 0}, {"timeout": "9"}])
def test_a_session_of_root_or_without_a_bound_is_refused(check, given):
    with pytest.raises(SaltInvocationError, match=r"user: |timeout: "):
        drmaa.session_check("/", **{"user": NOBODY, **given})
    assert not check.calls


# --- slurm_drmaa.conf -----------------------------------------------------------------------------


def test_slurm_drmaa_conf_is_a_dictionary_of_slurm_drmaas_own():
    config = {
        "wait_thread": True,
        "pool_delay": None,
        "cache_job_state": 5,
        "job_categories": {"it's": "-n 1", "default": "-p main", 'a "b"': "", "left out": None},
    }
    assert drmaa.render_config(config) == (
        "cache_job_state: 5,\n"
        "job_categories: {\n"
        '  \'a "b"\': "",\n'
        '  "default": "-p main",\n'
        '  "it\'s": "-n 1",\n'
        "},\n"
        "wait_thread: 1,\n"
    )
    assert drmaa.render_config({}) == ""
    assert drmaa.render_config({"job_categories": {}}) == "job_categories: {\n},\n"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cache_job_states": 5}, "did you mean cache_job_state?"),
        ({"xyzzy": 5}, "it knows cache_job_state, job_categories, pool_delay, wait_thread"),
        ({3: 5}, "knows no such name"),
        ({"missing_jobs": "ignore"}, "no session with any value of it"),
        ({"cache_job_state": "5"}, "'5' is no whole number of seconds from 0"),
        ({"cache_job_state": True}, "True is no whole number"),
        ({"cache_job_state": -1}, "-1 is no whole number"),
        ({"cache_job_state": 2**31}, "is no whole number"),
        ({"pool_delay": 0}, "0 is no whole number of seconds from 1"),
        ({"wait_thread": 2}, "2 is not true or false"),
        ({"job_categories": ["-p main"]}, "no mapping"),
        ({"job_categories": {"default": 5}}, "put both in quotes"),
        ({"job_categories": {5: "-p main"}}, "put both in quotes"),
        ({"job_categories": {"default": "--mem=4G"}}, "default: --mem: "),
        ({"job_categories": {"default": "--comment=\"'"}}, "both kinds of quotes"),
        (["cache_job_state"], "from a mapping"),
    ],
)
def test_what_slurm_drmaa_does_not_take_is_refused(config, words):
    with pytest.raises(SaltInvocationError, match=re.escape(words)):
        drmaa.render_config(config)


def test_every_mistake_of_slurm_drmaa_conf_has_its_line():
    with pytest.raises(SaltInvocationError) as error:
        drmaa.render_config({"pool_delay": 0, "wait_thread": "x", "cache_job_state": 1})
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "slurm_drmaa.conf, pool_delay", "slurm_drmaa.conf, wait_thread",
    ]  # fmt: skip
