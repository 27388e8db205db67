# SPDX-License-Identifier: MIT
"""Chain-of-identity references: the salt of each trip's commitment, and the check.

A trip record holds HMAC(salt, reference), docs/access-protocol.md 3.6: it binds the trip
to one patient's material without naming it. The salt is kept sealed here under the
commitment's own name, and written to a file for whoever receives the box.
"""

import getpass
import hmac
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from sealtrail import atomic
from sealtrail.errors import EvidenceRefused, UsageError
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault
from sealtrail.model import Trip
from sealwire import access

_COI_SIZE_MAX = 200


def asked(coi: str) -> str:
    """*coi*, or for "-" what is typed (unseen) at the prompt, or stands on standard input.

    A reference leads to a patient: as an argument it would stand in the shell's history
    and be visible to everybody on this computer while the command runs.
    """
    if coi != "-":
        return coi
    if sys.stdin.isatty():
        return getpass.getpass("Chain-of-identity reference: ")
    return sys.stdin.readline().rstrip("\r\n")


def commit(home: Home, vault: Vault, coi: str, salt_out: Path | None) -> bytes:
    """A new commitment to *coi*, 32 bytes; its salt is durable here on return."""
    salt = secrets.token_bytes(32)
    commitment = bytes(access.coi_commitment(salt, _checked(coi)))
    vault.write(_path(home, commitment), salt, "coi salt")
    if salt_out is not None:
        atomic.write_text(salt_out, salt.hex() + "\n", mode=0o600)
    return commitment


def check(
    home: Home,
    vault: Vault,
    trips: Iterable[Trip],
    coi: str,
    *,
    number: int | None,
    salt_file: Path | None,
) -> int:
    """The number of the trip that was started for *coi*.

    Looks at trip *number*, else at all. Raises EvidenceRefused when none was, UsageError
    when there is nothing to compare.
    """
    chosen = [trip for trip in trips if number in {None, trip.number}]
    if not chosen:
        raise UsageError("the evidence holds no such trip")
    compared = 0
    for trip in chosen:
        salt = _salt(home, vault, trip.coi_commitment, salt_file)
        if salt is None:
            continue
        compared += 1
        expected = bytes(access.coi_commitment(salt, _checked(coi)))
        if hmac.compare_digest(expected, trip.coi_commitment):
            return trip.number
    if not compared:
        raise UsageError("this home has no salt for these trips", "Name the file with --salt.")
    raise EvidenceRefused(
        "no trip in this evidence was started for this reference",
        "Compare the reference letter by letter. Do not use the material until it agrees.",
    )


def _salt(home: Home, vault: Vault, commitment: bytes, salt_file: Path | None) -> bytes | None:
    if salt_file is None:
        path = _path(home, commitment)
        return vault.read(path, "coi salt") if path.exists() else None
    try:
        salt = bytes.fromhex(salt_file.read_text(encoding="ascii").strip())
    except OSError as problem:
        raise UsageError(f"{salt_file}: cannot read: {problem.strerror}") from problem
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise UsageError(f"{salt_file}: is no salt file (64 hex digits)")
    return salt


def _path(home: Home, commitment: bytes) -> Path:
    return home.root / "coi" / f"{commitment.hex()}.salt"


def _checked(coi: str) -> bytes:
    raw = coi.encode()
    if not 0 < len(raw) <= _COI_SIZE_MAX or not coi.isprintable():
        raise UsageError(f"--coi: 1 to {_COI_SIZE_MAX} bytes of printable text")
    return raw
