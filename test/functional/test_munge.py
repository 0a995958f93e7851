"""_states/munge.py and _modules/munge.py on a real host."""

import base64
import json

import pytest

KEY = "4 key 0f the functional tests, with § and ü"
BINARY = bytes(range(256))
PATH = "/root/munge.key"


@pytest.fixture(autouse=True)
def no_key(minion):
    minion.run("rm", "-f", PATH)


def read(minion):
    """Read the key file, and its owner and mode."""
    encoded, status = minion.sh(f"base64 -w0 {PATH}; echo; stat -c '%U %G %a' {PATH}").splitlines()
    return base64.b64decode(encoded), status


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"key": KEY}, KEY.encode()),
        ({"key_base64": base64.b64encode(BINARY).decode()}, BINARY),
        ({"key_source": "salt://slurm_galaxy/osmap.yaml"}, None),
    ],
    ids=["text", "base64", "source"],
)
def test_key_managed_writes_the_key_once(minion, given, content):
    planned = minion.state("munge.key_managed", PATH, test=True, **given)
    assert planned["result"] is None
    assert planned["changes"]
    assert minion.run("test", "-e", PATH, check=False).returncode == 1

    written = minion.state("munge.key_managed", PATH, **given)
    assert written["result"] is True
    found, status = read(minion)
    assert status == "munge munge 400"
    if content is not None:
        assert found == content
        assert KEY not in json.dumps(written)

    for test in (True, False):
        again = minion.state("munge.key_managed", PATH, test=test, **given)
        assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"key": "short"}, "it has 5 bytes, and munged takes 32 or more"),
        ({"key_base64": "%"}, "it is not base64"),
        ({"key_source": "salt://no/such.key"}, "the master has no file salt://no/such.key"),
        ({}, "none is given"),
    ],
)
def test_key_managed_refuses_a_bad_key_and_writes_nothing(minion, given, says, test):
    refused = minion.state("munge.key_managed", PATH, test=test, **given)
    assert (refused["result"], refused["changes"]) == (False, {})
    assert refused["comment"] == f"The MUNGE key was not written: {says}"
    assert minion.run("test", "-e", PATH, check=False).returncode == 1


def test_works_says_what_unmunge_says(minion):
    assert minion.call("munge.check")["status"] == "Success"
    report = minion.state("munge.works", "MUNGE works")
    assert (report["result"], report["changes"]) == (True, {})


def test_works_fails_with_munges_own_words_when_munged_is_down(minion):
    minion.run("systemctl", "stop", "munge")
    try:
        real = minion.state("munge.works", "MUNGE works")
        planned = minion.state("munge.works", "MUNGE works", test=True)
    finally:
        minion.run("systemctl", "start", "munge")
    assert (real["result"], planned["result"]) == (False, None)
    assert "munged" in real["comment"]


def test_daemon_current_restarts_a_munged_that_is_older_than_its_key(minion):
    def pid():
        return minion.run("systemctl", "show", "--value", "-pMainPID", "munge").stdout

    minion.state("munge.daemon_current", "munge")
    before = pid()
    for test in (True, False):
        current = minion.state("munge.daemon_current", "munge", test=test)
        assert (current["result"], current["changes"]) == (True, {})
    minion.run("touch", "/etc/munge/munge.key")
    planned = minion.state("munge.daemon_current", "munge", test=True)
    assert (planned["result"], pid()) == (None, before)
    done = minion.state("munge.daemon_current", "munge")
    assert (done["result"], done["changes"]) == (True, planned["changes"])
    assert pid() != before
    missing = minion.state("munge.daemon_current", "munge", key="/etc/munge/none")
    assert missing["result"] is False
    assert "munge reads /etc/munge/none, and there is no such file" in missing["comment"]
