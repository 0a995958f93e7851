"""The drmaa state module over stand-ins for the execution module and file.managed."""

import pytest
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

drmaa = load("_states/drmaa.py", __states__={})

FITS = {"library": "/d.so", "version": "1.1.6", "needs": "libslurm.so.38", "problem": None}


@pytest.fixture(params=[False, True], ids=["real", "test"])
def test_mode(request, monkeypatch):
    monkeypatch.setattr(drmaa, "__opts__", {"test": request.param})
    return request.param


def asked(monkeypatch, answer):
    """Put an answer, or an error, in place of drmaa.info; return what it was asked."""
    calls = []

    def info(library, user=None):
        calls.append((library, user))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(drmaa, "__salt__", {"drmaa.info": info})
    return calls


def test_a_library_that_fits_is_fine_in_both_modes(monkeypatch, test_mode):
    calls = asked(monkeypatch, FITS)
    ret = drmaa.works("it fits", "/d.so", "galaxy")
    assert (ret["name"], ret["result"], ret["changes"]) == ("it fits", True, {})
    assert ret["comment"] == "/d.so is slurm-drmaa 1.1.6, and fits this host's libslurm.so.38"
    assert calls == [("/d.so", "galaxy")]


def test_a_problem_of_the_library_fails_in_both_modes(monkeypatch, test_mode):
    asked(monkeypatch, {**FITS, "problem": "/d.so is linked with another libslurm: install it"})
    ret = drmaa.works("it fits")
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"] == "/d.so is linked with another libslurm: install it"


def test_a_library_that_cannot_be_asked_fails_in_a_sentence(monkeypatch, test_mode):
    asked(monkeypatch, CommandExecutionError("no cmd"))
    ret = drmaa.works("it fits")
    assert (ret["result"], ret["comment"]) == (False, "the DRMAA library was not looked at: no cmd")


def test_a_watched_change_is_answered_by_looking_again_or_by_not_knowing(monkeypatch, test_mode):
    calls = asked(monkeypatch, FITS)
    ret = drmaa.mod_watch("it fits", sfun="works", library="/d.so", __reqs__={})
    assert ret["changes"] == {}
    if test_mode:
        assert ret["result"] is None and not calls
    else:
        assert ret["result"] is True and calls == [("/d.so", None)]


def test_the_configuration_is_written_by_file_managed(monkeypatch, test_mode):
    calls = []
    written = {"name": "x", "changes": {"diff": "New file"}, "result": None, "comment": "new"}

    def managed(name, **kwargs):
        calls.append((name, kwargs))
        return written

    monkeypatch.setattr(drmaa, "__states__", {"file.managed": managed})
    monkeypatch.setattr(drmaa, "__salt__", {"drmaa.render_config": lambda config: "a: 1,\n"})
    ret = drmaa.config_managed("/etc/slurm_drmaa.conf", {"a": 1})
    assert ret == {**written, "name": "/etc/slurm_drmaa.conf"}
    [(name, options)] = calls
    assert name == "/etc/slurm_drmaa.conf"
    assert options["contents"].startswith("# Managed by Salt (slurm_galaxy)")
    assert options["contents"].endswith("\na: 1,\n")
    assert (options["user"], options["group"], options["mode"]) == ("root", "root", "0644")


def test_a_configuration_that_slurm_drmaa_does_not_take_is_not_written(monkeypatch, test_mode):
    def refuse(config):
        raise SaltInvocationError("pool_delay: 0 is no whole number")

    monkeypatch.setattr(drmaa, "__salt__", {"drmaa.render_config": refuse})
    ret = drmaa.config_managed("/etc/slurm_drmaa.conf", {"pool_delay": 0})
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "was not written: pool_delay: 0 is no whole number" in ret["comment"]
