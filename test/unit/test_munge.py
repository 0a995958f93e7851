"""The munge execution module: keys in files, credentials over a stand-in for munged."""

import os
import pwd
from types import SimpleNamespace

import pytest
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

munge = load("_modules/munge.py")

GOOD = """\
STATUS:           Success (0)
ENCODE_HOST:      head (192.0.2.1)
ENCODE_TIME:      2026-01-02 03:04:05 +0000 (1767323045)
DECODE_TIME:      2026-01-02 03:04:06 +0000 (1767323046)
TTL:              300
CIPHER:           aes128 (4)
MAC:              sha256 (5)
ZIP:              none (0)
UID:              galaxy (2001)
GID:              galaxy (2002)
LENGTH:           4

a

b"""
REPLAYED = (
    "STATUS:           Replayed credential (17)\nTTL:              300\nLENGTH:           0\n\n"
)
DOWN = 'munge: Error: Failed to access "/run/munge/munge.socket.2": No such file or directory\n'


@pytest.fixture
def munged(monkeypatch):
    """Put a stand-in under cmd.run_all: one answer a program, and what was asked."""
    calls: list = []
    answers: dict = {}

    def run_all(argv, **kwargs):
        calls.append(SimpleNamespace(argv=argv, **kwargs))
        code, out, err = answers[argv[0]]
        return {"retcode": code, "stdout": out, "stderr": err}

    monkeypatch.setattr(munge, "__salt__", {"cmd.run_all": run_all}, raising=False)
    return SimpleNamespace(calls=calls, answers=answers)


@pytest.fixture
def owner():
    user = pwd.getpwuid(os.getuid()).pw_name
    return {"user": user, "group": munge.grp.getgrgid(os.getgid()).gr_name}


def test_a_new_key_is_random_and_for_its_owner_alone(tmp_path, owner):
    path = tmp_path / "munge.key"
    made = munge.new_key(str(path), **owner)
    assert made == {"path": str(path), "size": 128, "fingerprint": munge.fingerprint(path)}
    assert path.stat().st_mode & 0o777 == 0o400 and path.stat().st_size == 128
    assert made["fingerprint"] != munge.new_key(str(path), replace=True, **owner)["fingerprint"]
    assert [each.name for each in tmp_path.iterdir()] == ["munge.key"]


def test_a_key_is_not_replaced_unless_it_is_said(tmp_path, owner):
    path = tmp_path / "munge.key"
    path.write_bytes(b"x" * 32)
    with pytest.raises(CommandExecutionError, match="replace=True"):
        munge.new_key(str(path), **owner)
    assert path.read_bytes() == b"x" * 32


@pytest.mark.parametrize("size", [0, 31, 1025, "128", None])
def test_a_size_that_munged_does_not_take_is_refused(tmp_path, owner, size):
    with pytest.raises(SaltInvocationError, match="32 to 1024"):
        munge.new_key(str(tmp_path / "k"), size=size, **owner)


def test_an_owner_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SaltInvocationError, match="nobody-here"):
        munge.new_key(str(tmp_path / "k"), user="nobody-here")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_said(tmp_path, owner):
    with pytest.raises(CommandExecutionError, match="cannot be written"):
        munge.new_key(str(tmp_path / "no" / "k"), **owner)


def test_the_fingerprint_is_of_the_file(tmp_path):
    path = tmp_path / "k"
    path.write_bytes(b"abc")
    assert munge.fingerprint(str(path)) == "ba7816bf8f01cfea"
    with pytest.raises(CommandExecutionError, match="cannot be read"):
        munge.fingerprint(str(tmp_path / "none"))


def test_encode_gives_the_payload_on_stdin(munged):
    munged.answers["munge"] = (0, "MUNGE:AwQ:\n", "")
    assert munge.encode("hello", ttl=60) == "MUNGE:AwQ:"
    assert munged.calls[0].argv == ["munge", "--ttl", "60"]
    assert munged.calls[0].stdin == "hello" and munged.calls[0].timeout == 10


def test_decode_reads_every_field(munged):
    munged.answers["unmunge"] = (0, GOOD, "")
    assert munge.decode("MUNGE:AwQ:") == {
        "ok": True, "status": "Success", "code": 0, "encode_host": "head (192.0.2.1)",
        "encode_time": "2026-01-02 03:04:05 +0000 (1767323045)",
        "decode_time": "2026-01-02 03:04:06 +0000 (1767323046)", "ttl": 300,
        "cipher": "aes128 (4)", "mac": "sha256 (5)", "zip": "none (0)", "user": "galaxy",
        "uid": 2001, "group": "galaxy", "gid": 2002, "length": 4, "payload": "a\n\nb",
    }  # fmt: skip
    assert munged.calls[0].argv == ["unmunge"] and munged.calls[0].stdin == "MUNGE:AwQ:"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ((17, REPLAYED, ""), "Replayed credential", 17),
        ((8, "", "unmunge: Error: Invalid credential\n"), "unmunge: Error: Invalid credential", 8),
    ],
)
def test_a_credential_that_is_not_accepted_is_an_answer(munged, answer, status, code):
    munged.answers["unmunge"] = answer
    found = munge.decode("MUNGE:AwQ:")
    assert (found["ok"], found["status"], found["code"]) == (False, status, code)


def test_check_is_a_round_trip(munged):
    munged.answers.update(munge=(0, "MUNGE:AwQ:\n", ""), unmunge=(0, GOOD, ""))
    assert munge.check()["ok"] is True
    assert munged.calls[1].stdin == "MUNGE:AwQ:"


@pytest.mark.parametrize("function", [munge.check, munge.encode])
def test_a_munged_that_is_down_is_an_error_in_its_words(munged, function):
    munged.answers["munge"] = (6, "", DOWN)
    with pytest.raises(CommandExecutionError, match="Failed to access"):
        function()


def test_a_munged_that_hangs_is_bounded(munged):
    munged.answers["munge"] = (1, "['munge'] : Timed out after 2 seconds", "")
    with pytest.raises(CommandExecutionError, match="within 2 s"):
        munge.encode(timeout=2)


@pytest.mark.parametrize("text", ["", "x", "STATUS: \n", "STATUS:  Success\n\n"])
def test_what_is_no_output_of_unmunge_is_empty(text):
    assert munge.parse_unmunge(text) == {}
