"""_modules/munge.py on the hosts of a cluster."""

import pytest

HOSTS = ("head", "node1", "node2")
NEW = "/root/new.key"


@pytest.fixture
def new_path(cluster):
    cluster.exec("head", ["rm", "-f", NEW])
    yield NEW
    cluster.exec("head", ["rm", "-f", NEW])


def test_every_host_has_the_same_key(cluster):
    fingerprints = cluster.salt("*", "munge.fingerprint")
    assert set(fingerprints) == {f"{host}.lab.test" for host in HOSTS}
    (common,) = set(fingerprints.values())
    assert len(bytes.fromhex(common)) == 8


def test_munged_works_on_every_host(cluster):
    for host, decoded in cluster.salt("*", "munge.check").items():
        assert (decoded["ok"], decoded["user"]) == (True, "root"), host


@pytest.mark.parametrize(("sender", "receiver"), [("head", "node1"), ("node1", "head")])
def test_what_one_host_encodes_another_decodes_once(call, sender, receiver):
    credential = call("munge.encode", "a word\nof ü", host=sender, ttl=60)
    decoded = call("munge.decode", credential, host=receiver)
    assert (decoded["ok"], decoded["payload"]) == (True, "a word\nof ü")
    assert (decoded["uid"], decoded["ttl"]) == (0, 60)
    again = call("munge.decode", credential, host=receiver)
    assert (again["ok"], again["status"]) == (False, "Replayed credential")


def test_a_damaged_credential_is_an_answer(call):
    credential = call("munge.encode")
    other = "B" if credential[-30] == "A" else "A"
    damaged = f"{credential[:-30]}{other}{credential[-29:]}"
    decoded = call("munge.decode", damaged, host="node1")
    assert decoded["ok"] is False
    assert "Invalid credential" in decoded["status"]


def test_new_key_writes_another_key_that_its_owner_alone_reads(cluster, call, new_path):
    made = call("munge.new_key", new_path, size=64, user="root", group="root")
    assert (made["path"], made["size"]) == (new_path, 64)
    status = cluster.exec("head", ["stat", "-c", "%U %G %a %s", new_path]).stdout
    assert status == "root root 400 64\n"
    assert made["fingerprint"] == call("munge.fingerprint", new_path)
    assert made["fingerprint"] != call("munge.fingerprint")

    refused = call("munge.new_key", new_path, user="root", group="root")
    assert refused == f"ERROR: {new_path} is there already; replace=True writes a new key"
    replaced = call("munge.new_key", new_path, user="root", group="root", replace=True)
    assert replaced["fingerprint"] != made["fingerprint"]


def test_a_stopped_munged_is_named_in_munges_words(cluster, call):
    cluster.exec("node1", ["systemctl", "stop", "munge"])
    try:
        answers = [call(f"munge.{name}", host="node1") for name in ("check", "encode")]
        answers.append(call("munge.decode", "MUNGE:nonsense:", host="node1"))
    finally:
        cluster.exec("node1", ["systemctl", "start", "munge"])
    for answer in answers:
        assert answer.startswith("ERROR: ")
        assert "munge.socket.2" in answer
    assert call("munge.check", host="node1")["ok"]
