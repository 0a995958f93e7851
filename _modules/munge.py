"""
Read and check MUNGE, the authentication of a Slurm cluster.

No function takes the key as an argument, puts it on a command line or returns it: what leaves the
host is a fingerprint, or a credential of MUNGE's own.
"""

import grp
import hashlib
import os
import pwd
import re
import secrets
from pathlib import Path

from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict

KEY = "/etc/munge/munge.key"

# munge_defs.h: the sizes of key that munged takes, in bytes.
_SMALLEST, _LARGEST = 32, 1024

# munge.h, munge_err_t: from this code on it is the credential that is wrong, below it is munged.
_BAD_CREDENTIAL = 8


def _run(argv, stdin, timeout):
    """Run a MUNGE program within a bound; return cmd.run_all's mapping."""
    try:
        result = __salt__["cmd.run_all"](
            argv,
            python_shell=False,
            stdin=stdin,
            cwd="/",
            env={"LC_ALL": "C.UTF-8"},
            timeout=timeout,
            ignore_retcode=True,
            output_encoding="utf-8",
            output_loglevel="quiet",
            rstrip=False,
        )
    except (CommandExecutionError, OSError) as exc:
        reason = str(exc).rpartition("reason: ")[2]
        raise CommandExecutionError(f"{argv[0]} cannot be run on this host: {reason}") from exc
    if result["retcode"] and result["stdout"].endswith(f"Timed out after {timeout} seconds"):
        raise CommandExecutionError(f"{argv[0]} got no answer from munged within {timeout} s")
    return result


def new_key(path=KEY, size=128, user="munge", group="munge", replace=False):
    """
    Write a new random key to a file that its owner alone can read.

    A running munged keeps the old key until it is restarted.

    CLI Example:

    .. code-block:: bash

        salt 'head' munge.new_key
        salt-call --local munge.new_key /root/new.key user=root group=root

    path
        The file (string); its directory exists.
    size
        Size of the key in bytes, 32 to 1024; MUNGE's own default is 128.
    user, group
        Owner of the file (strings).
    replace
        Replace a file that is there already; without it, that is an error.

    Returns ``{"path", "size": bytes, "fingerprint"}``; never the key.

    Raises SaltInvocationError for a size or owner that cannot be, CommandExecutionError when the
    file is there already or cannot be written.

    Source: mungekey.8; munged.8, KEY FILE.
    """
    if not isinstance(size, int) or not _SMALLEST <= size <= _LARGEST:
        raise SaltInvocationError(f"size: {size!r} is no number of bytes from 32 to 1024")
    try:
        uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as exc:
        raise SaltInvocationError(f"new_key: {exc.args[0]}") from exc
    target = Path(path)
    if target.exists() and not replace:
        raise CommandExecutionError(f"{path} is there already; replace=True writes a new key")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(secrets.token_bytes(size))
                os.fchown(stream.fileno(), uid, gid)
                os.fsync(stream.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be written: {exc.strerror}") from exc
    return {"path": str(path), "size": size, "fingerprint": fingerprint(path)}


def fingerprint(path=KEY):
    """
    Return a short hash of a key, to compare hosts by.

    CLI Example:

    .. code-block:: bash

        salt '*' munge.fingerprint

    path
        The key file (string).

    Returns the first 16 hexadecimal digits of the file's SHA-256 (string).

    Raises CommandExecutionError when the file cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be read: {exc.strerror}") from exc


def encode(payload="", ttl=None, timeout=10):
    """
    Make a credential with this host's key.

    CLI Example:

    .. code-block:: bash

        salt 'head' munge.encode

    payload
        What it carries (string); nothing secret is needed to prove a key.
    ttl
        Seconds that it is valid for; default: munged's own (300).
    timeout
        Bound of the command in seconds.

    Returns the credential (string, one line).

    Raises CommandExecutionError with MUNGE's words when munged does not answer.

    Source: munge.1.
    """
    argv = ["munge"] + (["--ttl", str(ttl)] if ttl else [])
    result = _run(argv, payload, timeout)
    if result["retcode"]:
        raise CommandExecutionError(_words(result))
    return result["stdout"].strip()


def decode(credential, timeout=10):
    """
    Read a credential with this host's key.

    CLI Example:

    .. code-block:: bash

        salt 'node1' munge.decode 'MUNGE:AwQDAAD…:'

    credential
        What :py:func:`encode` returned, here or on another host (string).
    timeout
        Bound of the command in seconds.

    Returns a mapping as :py:func:`parse_unmunge` describes it. A credential that this host's key
    does not open, that has expired or was read before is an answer, ``ok: False``, not an error.

    Raises CommandExecutionError with MUNGE's words when munged does not answer.

    Source: unmunge.1.
    """
    result = _run(["unmunge"], credential, timeout)
    decoded = parse_unmunge(result["stdout"])
    if not decoded and result["retcode"] < _BAD_CREDENTIAL:
        raise CommandExecutionError(_words(result))
    return decoded or {"ok": False, "status": _words(result), "code": result["retcode"]}


def parse_unmunge(text):
    """
    Read the output of ``unmunge``.

    CLI Example:

    .. code-block:: bash

        salt-call --local munge.parse_unmunge "$(munge -n | unmunge)"

    text
        The output (string).

    Returns ``{"ok", "status", "code", "encode_host", "encode_time", "decode_time", "ttl": seconds,
    "cipher", "mac", "zip", "user", "uid", "group", "gid", "length": bytes, "payload"}``; of a
    credential that could not be opened, those that MUNGE prints. An empty mapping when this is no
    output of unmunge.
    """
    head, _, payload = text.replace("\r\n", "\n").partition("\n\n")
    lines = dict(re.findall(r"^([A-Z_]+): +(.*?) *$", head, re.MULTILINE))
    status = re.fullmatch(r"(.*) \((\d+)\)", lines.get("STATUS", ""))
    if not status:
        return {}
    decoded = {"ok": status[2] == "0", "status": status[1], "code": int(status[2])}
    for key in ("ENCODE_HOST", "ENCODE_TIME", "DECODE_TIME", "CIPHER", "MAC", "ZIP"):
        if key in lines:
            decoded[key.lower()] = lines[key]
    for key in ("TTL", "LENGTH"):
        if key in lines:
            decoded[key.lower()] = int(lines[key])
    for key, name in (("UID", "user"), ("GID", "group")):
        owner = re.fullmatch(r"(.*) \((\d+)\)", lines.get(key, ""))
        if owner:
            decoded.update({name: owner[1], key.lower(): int(owner[2])})
    if "length" in decoded:
        decoded["payload"] = payload
    return decoded


def check(timeout=10):
    """
    Prove that munged works on this host: make a credential and read it.

    Whether two hosts have the same key is told by :py:func:`encode` on one and :py:func:`decode` on
    the other, both ways.

    CLI Example:

    .. code-block:: bash

        salt '*' munge.check

    timeout
        Bound of each command in seconds.

    Returns a mapping as :py:func:`parse_unmunge` describes it.

    Raises CommandExecutionError with MUNGE's words when munged does not answer.
    """
    return decode(encode(timeout=timeout), timeout=timeout)


def _words(result):
    return " ".join((result["stderr"] or result["stdout"]).split()) or (
        f"MUNGE failed with exit code {result['retcode']} and no word"
    )
