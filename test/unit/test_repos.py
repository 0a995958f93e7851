"""Keys of repositories: fingerprints by the book, and what is no public key."""

import base64
import subprocess

import pytest
from loading import load
from salt.exceptions import CommandExecutionError

repos = load("_modules/repos.py")
# RFC 9580, appendix A.3: the primary key's packet of the sample certificate of version 6.
VERSION_6 = "xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laM="
VERSION_6_IS = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"


def block(data, kind="PUBLIC"):
    """Armour some packets."""
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP {kind} KEY BLOCK-----\n\n{text}-----END PGP {kind} KEY BLOCK-----\n"


@pytest.fixture(scope="module")
def gpg(tmp_path_factory):
    """Return a function that runs gpg in a home with the keys of two people, each with a subkey."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)

    def gpg(*argv):
        command = ["gpg", "--batch", "--quiet", "--homedir", str(home), *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    for name in ("one", "two"):
        gpg("--passphrase", "", "--quick-generate-key", f"{name}@lab.test", "ed25519", "default")
    yield gpg
    gpgconf = ["gpgconf", "--homedir", str(home), "--kill", "all"]
    subprocess.run(gpgconf, check=True, capture_output=True)


def listed(gpg, name):
    """Ask gpg for the fingerprint of a primary key."""
    lines = gpg("--with-colons", "--fingerprint", name).splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def test_the_fingerprint_is_the_one_that_gpg_prints(gpg):
    assert repos.fingerprints(gpg("--armor", "--export", "one")) == [listed(gpg, "one")]


def test_every_primary_key_counts_in_one_block_or_in_several(gpg):
    both = [listed(gpg, "one"), listed(gpg, "two")]
    assert repos.fingerprints(gpg("--armor", "--export", "one", "two")) == both
    two_blocks = gpg("--armor", "--export", "one") + gpg("--armor", "--export", "two")
    assert repos.fingerprints(two_blocks) == both
    assert repos.fingerprints(repos.armour(two_blocks)) == both


def test_the_armour_is_what_gpg_writes(gpg):
    key = gpg("--armor", "--export", "one")
    assert repos.armour(key) == key


def test_a_key_of_version_6():
    assert repos.fingerprints(block(base64.b64decode(VERSION_6))) == [VERSION_6_IS]


def test_a_secret_key_is_told_from_a_public_one(gpg):
    secret = gpg("--pinentry-mode", "loopback", "--armor", "--export-secret-keys", "one")
    with pytest.raises(CommandExecutionError, match="has no block that begins with"):
        repos.fingerprints(secret)
    with pytest.raises(CommandExecutionError, match="it is a secret key"):
        repos.fingerprints(secret.replace("PRIVATE", "PUBLIC"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "has no public key"),
        (b"\xc6\x2a\x06", "cut short"),
        (b"\xc6", "cut short"),
        (b"\xc6\x01\x03", "of version 03"),
        (b"hello", "no sequence of OpenPGP packets"),
        (b"\xc6\xe1", "a packet in parts"),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(data, reason):
    with pytest.raises(CommandExecutionError, match=reason):
        repos.fingerprints(block(data))


def test_a_binary_key_of_the_file_server_is_armoured(gpg, tmp_path):
    key = gpg("--armor", "--export", "one")
    file = tmp_path / "one.gpg"
    file.write_bytes(repos._dearmour(key))
    module = load("_modules/repos.py", __salt__={"cp.cache_file": lambda url: str(file)})
    assert module.armour(module.read_key("salt://one.gpg")) == key


def test_a_file_that_is_not_there_is_named():
    module = load("_modules/repos.py", __salt__={"cp.cache_file": lambda url: ""})
    with pytest.raises(CommandExecutionError, match=r"there is no salt://one\.asc"):
        module.read_key("salt://one.asc")
