"""The galaxy state module: what it makes of the execution module's answers."""

import re

import pytest
from loading import load
from salt.exceptions import CommandExecutionError

state = load("_states/galaxy.py")


@pytest.fixture
def answers(monkeypatch):
    """Give answers to the execution module's functions, and keep what they were called with."""
    calls: list = []

    def set_up(function, answer, test=False):
        def called(*args, **kwargs):
            calls.append((args, kwargs))
            if isinstance(answer, Exception):
                raise answer
            return answer

        functions = {function: called, "slurm.hostlist_fold": lambda names, sort: ",".join(names)}
        monkeypatch.setattr(state, "__salt__", functions)
        monkeypatch.setattr(state, "__opts__", {"test": test})
        return calls

    return set_up


READY = {"ready": True, "web": "26.1.1", "handlers": {"galaxy-handler.service": "running"},
         "problem": None}  # fmt: skip


@pytest.mark.parametrize("test", [True, False])
def test_a_galaxy_that_is_ready_needs_nothing(answers, test):
    calls = answers("galaxy.ready", READY, test)
    ret = state.ready("Galaxy takes jobs", wait=60)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "26.1.1" in ret["comment"] and "galaxy-handler.service" in ret["comment"]
    assert calls[0][1]["wait"] == (0 if test else 60)


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    "answer",
    [{**READY, "ready": False, "problem": "it is down"}, CommandExecutionError("it is down")],
)
def test_a_galaxy_that_is_not_ready_fails_but_in_a_test_run(answers, test, answer):
    answers("galaxy.ready", answer, test)
    ret = state.ready("Galaxy takes jobs")
    assert ret == {
        "name": "Galaxy takes jobs", "changes": {}, "result": None if test else False,
        "comment": "Galaxy is not ready: it is down",
    }  # fmt: skip


def test_no_proof_is_run_in_a_test_run(answers):
    calls = answers("galaxy.run_job", CommandExecutionError("run"), test=True)
    for ret in (state.job_runs("proof"), state.shared_dirs_visible("proof", ["/a"])):
        assert ret == {
            "name": "proof", "changes": {}, "result": True,
            "comment": "No job was run: this is a test run",
        }  # fmt: skip
    assert calls == []


def test_a_job_that_ran_is_told_with_both_ids(answers):
    job = {"ok": True, "job": "f2db", "slurm_job": 7, "node": "node1", "seconds": 8.1}
    answers("galaxy.run_job", job)
    ret = state.job_runs("proof")
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "Galaxy's job f2db ran as Slurm's job 7 on node1 in 8.1 s"


@pytest.mark.parametrize(
    "answer", [{"ok": False, "problem": "lost"}, CommandExecutionError("lost")]
)
def test_a_job_that_was_lost_fails(answers, answer):
    answers("galaxy.run_job", answer)
    ret = state.job_runs("proof")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"] == "No job runs through Galaxy and Slurm: lost"


def test_directories_that_all_nodes_see_are_told(answers):
    calls = answers("galaxy.shared_dirs", {"ok": True, "nodes": {"n1": {}, "n2": {}}})
    ret = state.shared_dirs_visible("proof", ["/a", "/b"], wait=5)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "n1,n2 see /a, /b as this host does"
    assert calls[0] == (
        (["/a", "/b"],),
        {"nodes": None, "user": "galaxy", "wait": 5, "partition": None},
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"ok": False, "problems": ["n1: /a is not shared", "n2: down"]}, "n1: /a .*\nn2: down"),
        ({"ok": False, "problems": []}, "Slurm has no node"),
        (CommandExecutionError("no controller"), "no controller"),
    ],
)
def test_directories_that_a_node_does_not_see_fail(answers, answer, words):
    answers("galaxy.shared_dirs", answer)
    ret = state.shared_dirs_visible("proof", ["/a"])
    assert (ret["result"], ret["changes"]) == (False, {})
    assert re.search(words, ret["comment"])
