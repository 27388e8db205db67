# SPDX-License-Identifier: MIT
"""Revocation of a tag: the fleet's word on the last record to be believed (type 24).

It names a record by number and hash, never by time: a thief sets the clock back. Records
beyond it are refused whatever they claim (R20). It cannot be taken back; a second one may
only name an earlier record.
"""

from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError, one_line
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import REVOCATION, RawStatement, judge_fleet, read_statement
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.secrets import Vault
from sealtrail.keys.shelf import Shelf
from sealtrail.keys.statements import signed

_REASON_SIZE_MAX = 96


def revoke(
    home: Home,
    vault: Vault,
    clock: Clock,
    *,
    tid: bytes,
    last_seq: int,
    record_hash: bytes,
    reason: str,
) -> RawStatement:
    """Revokes the enrolment *tid* after record *last_seq*; durable on return."""
    check_reason(reason)
    opened = fleet.load_in_force(home, vault, clock)
    with home.lock("fleet"):
        earlier = find(home, tid)
        if earlier is not None and earlier.number(2) <= last_seq:
            raise UsageError(
                f"this tag is revoked after record {earlier.number(2)} already",
                "A revocation is never taken back; another one may name an earlier record.",
            )
        shelf = Shelf(home)
        fields: dict[int, object] = {1: tid, 2: last_seq, 3: record_hash}
        fields |= {4: clock.now_ms(), 5: reason, 6: shelf.next_number(REVOCATION)}
        made = signed(opened.key, REVOCATION, fields)
        shelf.put(made)
    return read_statement(made)


def take(home: Home, raw: bytes, keys: list[FleetKey], where: str) -> RawStatement:
    """Keeps a revocation that the fleet's owner handed out. Raises UsageError, AccessRefused."""
    try:
        statement = read_statement(raw)
    except Refusal as refusal:
        raise UsageError(f"{where}: is no revocation ({refusal.reason})") from None
    if statement.type != REVOCATION:
        raise UsageError(f"{where}: is no revocation, but statement {statement.type}")
    try:
        judge_fleet(statement, keys)
    except Refusal as refusal:
        raise AccessRefused(
            f"{where}: {refusal.reason}: {refusal.detail}",
            "Get the newest fleet.pub from the fleet's owner.",
        ) from None
    with home.lock("fleet"):
        Shelf(home).put(raw)
    return statement


def find(home: Home, tid: bytes) -> RawStatement | None:
    """The revocation of *tid* that leaves the least, None where there is none."""
    found = [one for one in Shelf(home).all(REVOCATION) if one.octets(1) == tid]
    return min(found, key=lambda one: one.number(2), default=None)


def refuse_if_revoked(home: Home, serial: str, tid: bytes) -> None:
    """Raises AccessRefused for a tag that is not to be trusted any more."""
    found = find(home, tid)
    if found is not None:
        raise AccessRefused(
            f"tag {serial} is revoked after record {found.number(2)}: {found.fields[5]}",
            "Provision it again (another key, another certificate) before it is used.",
        )


def check_reason(reason: str) -> None:
    """Raises UsageError for what cannot stand in a revocation."""
    if not reason or one_line(reason) != reason or len(reason.encode()) > _REASON_SIZE_MAX:
        raise UsageError(f"--reason: one line of 1 to {_REASON_SIZE_MAX} bytes")
