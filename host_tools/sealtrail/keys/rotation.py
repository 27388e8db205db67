# SPDX-License-Identifier: MIT
"""Fleet rotation: the successor becomes the fleet key (docs/access-protocol.md, K6).

Tags hold the hash of the successor's key and take it on a statement (type 21) that it
signed itself; whoever steals the fleet key in use cannot make one. The statement names
the hash of the key after that, which is made here. In fleet.pub the old key keeps its
line and gets an end: certificates it issued before stay good for verifiers.

All files change as one step (redo.py): killed at any moment, the home holds the old fleet
or the new one, and the next command that opens the fleet completes what was decided.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.evidence.cose import VerifyingKey, open_envelope
from sealtrail.evidence.statements import FLEET, SERVICE, RawStatement, read_statement
from sealtrail.home import Home
from sealtrail.keys import fleet, redo, service
from sealtrail.keys.redo import Write
from sealtrail.keys.secrets import Vault
from sealtrail.keys.shelf import Shelf
from sealtrail.keys.statements import signed


@dataclass(frozen=True, slots=True)
class Rotated:
    """The fleet after a rotation. *is_resumed*: an interrupted one was completed."""

    line: fleet.FleetLine
    statement: RawStatement
    service_number: int | None  # of the service certificate under the new key
    is_resumed: bool


def rotate(
    home: Home, vault: Vault, clock: Clock, years: int, successor: Path | None = None
) -> Rotated:
    """Makes the successor the fleet key; durable on return.

    *successor*: its sealed file, when it is kept elsewhere. Where an earlier rotation was
    interrupted, completes that one and makes no other. Raises AccessRefused when the
    successor is not here, or is not the one that tags were told.
    """
    years = fleet.checked_years(years)
    fleet.require(home)
    with home.lock("fleet"):
        is_resumed = redo.finish(home, vault)
        if not is_resumed:
            redo.commit(home, vault, _plan(home, vault, clock, years, successor))
            redo.finish(home, vault)
        opened = fleet.opened_line(home, vault)
        certificate = service.newest(home)
    return Rotated(
        line=opened.line,
        statement=Shelf(home).all(FLEET)[-1],
        service_number=certificate.number(5) if certificate else None,
        is_resumed=is_resumed,
    )


def outstanding(home: Home, certificate: bytes) -> list[RawStatement]:
    """The rotations since the fleet key that signed a tag's certificate, oldest first."""
    found = Shelf(home).all(FLEET)
    if not found:
        return []
    envelope = open_envelope(certificate)
    for place, one in enumerate(found):
        if VerifyingKey(one.octets(1)).holds(envelope):
            return found[place + 1 :]
    return found


def _plan(
    home: Home, vault: Vault, clock: Clock, years: int, successor: Path | None
) -> list[Write]:
    current = fleet.opened_line(home, vault)
    key = _successor(home, vault, current, successor)
    public = key.public_key().public_bytes_raw()
    following = Ed25519PrivateKey.generate()
    following_hash = hashlib.sha256(following.public_key().public_bytes_raw()).digest()
    today = fleet.today(clock)
    if today < current.line.not_before:
        raise UsageError(
            f"this computer's date, {today}, is before the fleet key's first day",
            "Set the clock; then repeat.",
        )
    line = fleet.FleetLine(public, today, fleet.years_later(today, years), current.line.name)
    statement = signed(key, FLEET, {1: public, 2: following_hash})
    midnight = datetime.combine(today, datetime.min.time(), UTC)
    recertified = service.recertified(home, key, midnight, clock.now_ms() // 1000)
    shelf = Shelf(home)
    place = shelf.next_number(FLEET)
    # Readers without a passphrase see fleet.pub first: they know the key before it signs.
    writes = [
        Write(home.fleet_pub, _fleet_pub(home.fleet_pub, current.line, today, line)),
        Write(shelf.path_of(read_statement(statement), place), statement),
        Write(home.next_fleet_key, following.private_bytes_raw(), fleet.NEXT_LABEL),
        Write(home.next_fleet_hash, following_hash, fleet.NEXT_HASH_LABEL),
        Write(home.fleet_key, key.private_bytes_raw(), fleet.KEY_LABEL),
    ]
    if recertified is not None:
        where = shelf.path_of(read_statement(recertified), shelf.next_number(SERVICE))
        writes.insert(2, Write(where, recertified))
    return writes


def _successor(
    home: Home, vault: Vault, current: fleet.Fleet, successor: Path | None
) -> Ed25519PrivateKey:
    path = successor or home.next_fleet_key
    if not path.exists():
        raise AccessRefused(
            f"{path}: the fleet's successor key is not here",
            "Fetch it from its safe and name it with --successor.",
        )
    key = fleet.opened_key(vault, path, fleet.NEXT_LABEL)
    digest = hashlib.sha256(key.public_key().public_bytes_raw()).digest()
    if digest != current.next_key_hash:
        raise AccessRefused(
            f"{path}: is not the successor that this fleet's tags were told",
            "A tag takes no other. Look for the one that was made with the fleet key.",
        )
    return key


def _fleet_pub(path: Path, old: fleet.FleetLine, today: date, new: fleet.FleetLine) -> bytes:
    """fleet.pub with the old key's end and the new key's line; everything else stays."""
    ended = replace(old, not_after=min(today, old.not_after))
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [
        ended.text() if text.split()[1:2] == old.text().split()[1:2] else text for text in lines
    ]
    return ("\n".join([*kept, new.text()]) + "\n").encode()
