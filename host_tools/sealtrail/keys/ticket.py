# SPDX-License-Identifier: MIT
"""Issues tickets: who may do what with one tag, until when (docs/access-protocol.md, 3.1).

The ticket's key is derived from the tag's access key and the ticket's own bytes, so the
tag needs no list of valid tickets. Numbers count up per tag and are never reused. A
courier's ticket names a trip and dies with it; a service ticket has no expiry.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError, one_line
from sealtrail.home import Home, checked_serial
from sealtrail.keys import revocation
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.ticket_ledger import Issued, RevocationState, TicketLedger
from sealtrail.keys.wallet import ROLES, Wallet, WalletEntry
from sealwire import access, protocol

DAYS_DEFAULT = 7
_DAYS_MAX = 366
_DAY_S = 86_400
_NOT_BEFORE_MARGIN_S = 300  # phones' clocks differ (3.1)
_TRIP_MAX = 0xFFFF_FFFF
_PERSON_SIZE_MAX = 48


def issue(
    home: Home,
    vault: Vault,
    clock: Clock,
    serial: str,
    *,
    role: str,
    person: str,
    trip: int = 0,
    days: int = DAYS_DEFAULT,
    name: str | None = None,
    holder: bytes | None = None,
) -> WalletEntry:
    """Makes a ticket for tag *serial* and puts it into this home's wallet.

    *holder*: public key, 32 B, of a person who has the key already; None makes one.
    Raises UsageError for a role, trip or time that cannot be, AccessRefused when this home
    did not provision the tag or the tag is revoked.
    """
    checked_serial(serial)
    _check(role, person, trip, days)
    with home.lock(serial):
        folder = TagFolder.current(home, serial)
        revocation.refuse_if_revoked(home, serial, folder.tid)
        if folder.has_ended:
            raise AccessRefused(
                f"tag {serial} was decommissioned", "Provision it again before it is used."
            )
        entry = make(
            folder,
            vault,
            clock,
            role=role,
            person=person,
            trip=trip,
            days=days,
            name=name,
            holder=holder,
        )
        Wallet(home, vault).put(entry)
    return entry


def make(
    folder: TagFolder,
    vault: Vault,
    clock: Clock,
    *,
    role: str,
    person: str,
    trip: int,
    days: int,
    name: str | None = None,
    holder: bytes | None = None,
) -> WalletEntry:
    """A new ticket under the next number of *folder*; stored by the caller.

    It carries the tag's newest revocation state (T4) and stands in the ledger.
    """
    access_key = folder.access_key(vault)
    ledger = TicketLedger(folder)
    dead = ledger.state
    tno = folder.take_ticket_number()
    made = Ed25519PrivateKey.generate() if holder is None else None
    public = made.public_key().public_bytes_raw() if made else holder
    assert public is not None
    holder_id = hashlib.sha256(public).digest()[:16]
    now_s = clock.now_ms() // 1000
    number = ROLES[role]
    terms = access.Ticket(
        role=number,
        scope=protocol.ROLE_SCOPE[number],
        tno=tno,
        holder=holder_id,
        nbf=now_s - _NOT_BEFORE_MARGIN_S,
        exp=protocol.NO_EXPIRY if role == "service" else now_s + days * _DAY_S,
        trip=trip,
        rev=dead.rev,
        floor=dead.floor,
        revoked=dead.revoked,
    )
    packed = access.pack_ticket(terms)
    ledger.note(packed, person)
    return WalletEntry(
        name=name or f"{folder.serial}-{role}-{tno}",
        serial=folder.serial,
        person=person,
        tid=folder.tid,
        certificate=folder.certificate,
        ticket=packed,
        ticket_key=access.ticket_key(access_key, packed),
        visit_key=access.visit_key(access_key, dead.floor),
        holder_seed=made.private_bytes_raw() if made else b"",
    )


def renewed(folder: TagFolder, issued: Issued, state: RevocationState) -> Issued:
    """*issued* again under the next number, with *state*; the caller holds the tag's lock."""
    number = folder.take_ticket_number()
    terms = issued.terms._replace(
        tno=number, rev=state.rev, floor=state.floor, revoked=state.revoked
    )
    packed = access.pack_ticket(terms)
    TicketLedger(folder).note(packed, issued.person)
    return Issued(terms, packed, issued.person)


def revoke(home: Home, clock: Clock, serial: str, tno: int | None) -> RevocationState:
    """Revokes the tickets of whoever holds ticket *tno* of tag *serial*; with None, all so far.

    Durable on return. The tag learns it from the next visitor whose ticket is newer.
    Raises UsageError, AccessRefused where the tag was not provisioned here.
    """
    checked_serial(serial)
    with home.lock(serial):
        ledger = TicketLedger(TagFolder.current(home, serial))
        now_s = clock.now_ms() // 1000
        return ledger.revoke_all() if tno is None else ledger.revoke(tno, now_s)


def _check(role: str, person: str, trip: int, days: int) -> None:
    if role not in ROLES:
        raise UsageError(f"no role '{role[:40]}'", f"Roles: {', '.join(ROLES)}.")
    if role == "courier" and trip == 0:
        raise UsageError("a courier's ticket names its trip", "Add --trip N.")
    if not 0 <= trip <= _TRIP_MAX:
        raise UsageError(f"--trip {trip}: a trip number lies in 1 to {_TRIP_MAX}")
    if not 1 <= days <= _DAYS_MAX:
        raise UsageError(f"--days {days}: a ticket lives 1 to {_DAYS_MAX} days")
    if one_line(person) != person or len(person.encode()) > _PERSON_SIZE_MAX:
        raise UsageError(f"--name: one line of at most {_PERSON_SIZE_MAX} bytes")
