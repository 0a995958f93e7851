"""
Read the keys that sign package repositories, and ask apt which repositories it trusts.

A key is known by its fingerprint, which is computed here from the key itself: neither gpg nor sq is
on every host, and a key has to be judged before it is written to a place from which it is trusted.
"""

import base64
import binascii
import hashlib
import pathlib
import re
from typing import Any

from salt.exceptions import CommandExecutionError

__salt__: dict[str, Any]

LISTS = pathlib.Path("/var/lib/apt/lists")
BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S
)
# RFC 9580, section 5: packet types.
SECRET_KEY, PUBLIC_KEY = 5, 6
# What apt says of a signature, with gpgv (until Debian 12) and with sqv (from Debian 13 on).
SIGNATURE = re.compile(
    r"NO_PUBKEY|BADSIG|EXPKEYSIG|EXPSIG|REVKEYSIG|not signed|signature|Missing key|OpenPGP", re.I
)


def fingerprints(key: str) -> list[str]:
    """
    Compute the fingerprints of the public keys in a text.

    CLI Example:

    .. code-block:: bash

        salt-call --local repos.fingerprints "$(cat key.asc)"

    key
        One or more armoured blocks ("-----BEGIN PGP PUBLIC KEY BLOCK-----").

    Returns the fingerprints of the primary keys in upper case, in their order; subkeys are not
    listed, for a primary key vouches for them. Raises CommandExecutionError where the text is no
    public key. Source: RFC 9580, sections 4.2 (packets), 5.5.4 (fingerprints) and 6.2 (armour).
    """
    found = []
    for kind, body in _packets(_dearmour(key)):
        if kind == SECRET_KEY:
            raise CommandExecutionError("it is a secret key; give the public one (gpg --export)")
        if kind != PUBLIC_KEY:
            continue
        version, size = body[:1], len(body)
        if version == b"\x04":
            # SHA-1 is how version 4 defines its fingerprint: no other algorithm gives it.
            data = b"\x99" + size.to_bytes(2, "big") + body
            found.append(hashlib.sha1(data, usedforsecurity=False).hexdigest().upper())
        elif version == b"\x06":
            data = b"\x9b" + size.to_bytes(4, "big") + body
            found.append(hashlib.sha256(data).hexdigest().upper())
        else:
            raise CommandExecutionError(f"it is a key of version {version.hex()}, not 4 or 6")
    if not found:
        raise CommandExecutionError("it has no public key")
    return found


def armour(key: str) -> str:
    """
    Write all the keys of a text as one armoured block.

    CLI Example:

    .. code-block:: bash

        salt-call --local repos.armour "$(cat a.asc b.asc)"

    key
        As in :func:`fingerprints`. Of several blocks, apt would read the first only.

    Returns the text, with the checksum that older rpm asks for (RFC 4880, section 6.1). Raises
    CommandExecutionError where it is no armoured block.
    """
    data = _dearmour(key)
    lines = base64.encodebytes(data).decode().replace("\n", "")
    body = "\n".join(lines[at : at + 64] for at in range(0, len(lines), 64))
    checksum = base64.b64encode(_crc24(data).to_bytes(3, "big")).decode()
    kind = "PGP PUBLIC KEY BLOCK"
    return f"-----BEGIN {kind}-----\n\n{body}\n={checksum}\n-----END {kind}-----\n"


def read_key(source: str) -> str:
    """
    Read a key from the file server or the network, armoured.

    CLI Example:

    .. code-block:: bash

        salt-call repos.read_key salt://keys/site.asc

    source
        ``salt://`` or ``https://`` URL of an armoured or a binary key.

    Returns the armoured text. Raises CommandExecutionError where there is no such file.
    """
    cached = __salt__["cp.cache_file"](source)
    if not cached:
        raise CommandExecutionError(f"there is no {source}, or it cannot be reached")
    data = pathlib.Path(cached).read_bytes()
    if b"-----BEGIN" not in data:
        kind = "PGP PUBLIC KEY BLOCK"
        text = base64.encodebytes(data).decode()
        return f"-----BEGIN {kind}-----\n\n{text}-----END {kind}-----\n"
    return data.decode("ascii", "replace")


def apt_index(sources: str) -> list[str]:
    """
    List the files of apt's that hold the verified index of a source.

    CLI Example:

    .. code-block:: bash

        salt-call --local repos.apt_index /etc/apt/sources.list.d/site.sources

    sources
        Path of the source's own file below /etc/apt/sources.list.d.

    Returns paths below /var/lib/apt/lists; none where apt has not fetched the source, or has not
    believed its signature, for it moves no other index there (apt-secure(8)). Raises
    CommandExecutionError where apt cannot read the file.
    """
    done = _apt_get(sources, "--print-uris")
    if done["retcode"]:
        raise CommandExecutionError(f"apt cannot read {sources}: {_words(done)}")
    names = re.findall(r"^'[^']*' (\S+?)(?:InRelease|Release) ", done["stdout"], re.M)
    return sorted(
        str(path)
        for path in (LISTS.iterdir() if LISTS.is_dir() else ())
        if path.is_file() and any(path.name.startswith(name) for name in names)
    )


def apt_fetch(sources: str) -> list[str]:
    """
    Fetch the index of one source anew, after what apt has of it is thrown away.

    CLI Example:

    .. code-block:: bash

        salt-call repos.apt_fetch /etc/apt/sources.list.d/site.sources

    sources
        As in :func:`apt_index`.

    apt would keep an older index whose successor has a wrong signature, and exit 0. Returns what
    :func:`apt_index` does. Raises CommandExecutionError with apt's own words where the signature is
    not one of the source's key, or the source cannot be fetched.
    """
    for path in apt_index(sources):
        pathlib.Path(path).unlink()
    done = _apt_get(sources)
    index = apt_index(sources)
    if index and done["retcode"] == 0:
        return index
    for path in index:
        pathlib.Path(path).unlink()
    words = _words(done)
    reason = (
        "its signature is none of the key that is pinned for it"
        if SIGNATURE.search(words)
        else "it cannot be fetched"
    )
    raise CommandExecutionError(f"{reason}. apt says: {words}")


def _apt_get(sources, *options):
    """Run apt-get update for one file of sources alone, leaving the indexes of the others."""
    return __salt__["cmd.run_all"](
        [
            *("apt-get", "update", *options),
            *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"),
            *("-o", "APT::Get::List-Cleanup=0"),
        ],
        env={"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        python_shell=False,
        ignore_retcode=True,
        timeout=300,
    )


def _words(done):
    """Cut apt's output down to its errors and warnings."""
    text = f"{done['stdout']}\n{done['stderr']}"
    lines = re.findall(r"^\s*(?:[EW]: |Err:)(.*)$", text, re.M)
    return "; ".join(dict.fromkeys(line.strip() for line in lines)) or text.strip() or "nothing"


def _dearmour(text):
    """Decode the armoured blocks of a text into one sequence of packets."""
    data = b""
    blocks = BLOCK.findall(text)
    if not blocks:
        raise CommandExecutionError(
            "it has no block that begins with -----BEGIN PGP PUBLIC KEY BLOCK-----"
        )
    for block in blocks:
        lines = [line.strip() for line in block.splitlines()]
        # Headers such as "Comment: …" come before the base64, the checksum "=xxxx" after it.
        body = [line for line in lines if ": " not in line and not re.fullmatch("=.{4}", line)]
        try:
            data += base64.b64decode("".join(body), validate=True)
        except binascii.Error as err:
            raise CommandExecutionError("its armour is damaged") from err
    return data


def _packets(data):
    """Yield type and body of each packet: RFC 9580, section 4.2."""
    at = 0
    try:
        while at < len(data):
            header, at = data[at], at + 1
            if not header & 0x80:
                raise CommandExecutionError("it is no sequence of OpenPGP packets")
            if header & 0x40:
                kind, first = header & 0x3F, data[at]
                if first < 192:
                    size, at = first, at + 1
                elif first < 224:
                    size, at = ((first - 192) << 8) + data[at + 1] + 192, at + 2
                elif first == 255:
                    size, at = int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
                else:
                    raise CommandExecutionError("it has a packet in parts, as no key has")
            else:
                kind, width = (header >> 2) & 0x0F, 1 << (header & 3)
                if width == 8:
                    raise CommandExecutionError("it has a packet without a length")
                size, at = int.from_bytes(data[at : at + width], "big"), at + width
            if at + size > len(data):
                raise CommandExecutionError("it is cut short")
            yield kind, data[at : at + size]
            at += size
    except IndexError:
        raise CommandExecutionError("it is cut short") from None


def _crc24(data):
    """Compute the checksum of an armoured block: RFC 4880, section 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc
