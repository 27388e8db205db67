# SPDX-License-Identifier: MIT
"""Which tickets of a tag were issued, and which are dead: rev, floor, list (T4).

    tags/ST-0001/TID/issued/0000000007.cbor    {ticket, person}: no secret, never changed
    tags/ST-0001/TID/revoked.cbor              {rev, floor, revoked, floors}: replaced whole

The state travels in every ticket issued from then on; the next visitor who was online
brings it to the tag. It only rises. A ticket's key follows from its bytes and the tag's
access key, so whoever holds that key can give a ticket out again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from sealtrail import atomic
from sealtrail.errors import StorageError, UsageError
from sealtrail.keys.tag_folder import TagFolder
from sealwire import access

REVOKED_MAX = 8  # fit a ticket (docs/access-protocol.md, 3.1)
_FLOORS_MAX = 4  # floors that a tag may not have heard of yet
_REV_MAX = 0xFFFF


@dataclass(frozen=True, slots=True)
class RevocationState:
    """*rev* numbers the state; tickets below *floor* and those in *revoked* are dead.

    *floors*: earlier floors, newest first; a tag that has not heard of the newest has one.
    """

    rev: int = 0
    floor: int = 0
    revoked: tuple[int, ...] = ()
    floors: tuple[int, ...] = ()

    def is_dead(self, tno: int) -> bool:
        """Whether ticket *tno* opens nothing any more."""
        return tno < self.floor or tno in self.revoked

    def doors(self, confirmed_floor: int = 0) -> tuple[int, ...]:
        """The floors whose visit keys a visitor may need, newest first, at most 4.

        *confirmed_floor*: the one that the tag's chain shows; older ones are of no use.
        """
        older = [one for one in self.floors if one >= confirmed_floor]
        return (self.floor, *older)[:_FLOORS_MAX]


@dataclass(frozen=True, slots=True)
class Issued:
    """One ticket that was given out."""

    terms: access.Ticket
    packed: bytes
    person: str


class TicketLedger:
    """The ledger of one enrolment. Writers hold the tag's lock (`home.lock(serial)`)."""

    def __init__(self, folder: TagFolder) -> None:
        self._folder = folder
        self._issued = folder.path / "issued"
        self._state = folder.path / "revoked.cbor"

    def note(self, packed: bytes, person: str) -> None:
        """Keeps that a ticket was issued, durable before it leaves this computer."""
        tno = access.parse_ticket(packed).tno
        self._issued.mkdir(mode=0o700, exist_ok=True)
        content = cbor2.dumps({"ticket": packed, "person": person}, canonical=True)
        atomic.write_bytes(self._issued / f"{tno:010}.cbor", content, mode=0o600)

    def issued(self) -> list[Issued]:
        """All tickets issued, by number. Those of an older version of sealtrail lack."""
        return [_read_issued(path) for path in sorted(self._issued.glob("*.cbor"))]

    @property
    def state(self) -> RevocationState:
        """The revocation state in force."""
        try:
            content: Any = cbor2.loads(self._state.read_bytes())
            return RevocationState(
                int(content["rev"]),
                int(content["floor"]),
                tuple(map(int, content["revoked"])),
                tuple(map(int, content["floors"])),
            )
        except FileNotFoundError:
            return RevocationState()
        except OSError as problem:
            raise StorageError(f"{self._state}: cannot read: {problem.strerror}") from problem
        except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError):
            raise StorageError(
                f"{self._state}: is damaged", "Restore it from a back-up; never go back."
            ) from None

    def revoke(self, tno: int, now_s: int) -> RevocationState:
        """Puts a ticket on the list, with all others that its holder has; durable on return.

        What was lost is a phone, not a number: the holder's renewed tickets lie on it too.
        Expired ones (*now_s*) need no place. The same again changes nothing.
        """
        state, issued = self.state, self.issued()
        named = next((one for one in issued if one.terms.tno == tno), None)
        if named is None:
            raise UsageError(
                f"no ticket {tno} of tag {self._folder.serial} was issued here",
                "`sealtrail ticket show` lists them.",
            )
        of_holder = [one.terms for one in issued if one.terms.holder == named.terms.holder]
        due = [x.tno for x in of_holder if x.exp >= now_s and not state.is_dead(x.tno)]
        if not due:
            return state
        if len(state.revoked) + len(due) > REVOKED_MAX:
            raise UsageError(
                f"the list of tag {self._folder.serial} holds {len(state.revoked)} of"
                f" {REVOKED_MAX} tickets, and {len(due)} more do not fit",
                "Revoke all its tickets (--all) and issue new ones.",
            )
        revoked = (*state.revoked, *due)
        return self._put(RevocationState(state.rev + 1, state.floor, revoked, state.floors))

    def revoke_all(self) -> RevocationState:
        """Raises the floor to a number nobody has: every ticket issued so far is dead."""
        state = self.state
        floor = self._folder.take_ticket_number()
        floors = (state.floor, *state.floors)[: _FLOORS_MAX - 1]
        return self._put(RevocationState(state.rev + 1, floor, (), floors))

    def _put(self, state: RevocationState) -> RevocationState:
        if state.rev > _REV_MAX:
            raise UsageError("this enrolment's revocations are used up", "Provision it again.")
        content = {
            "rev": state.rev,
            "floor": state.floor,
            "revoked": list(state.revoked),
            "floors": list(state.floors),
        }
        # A cut before: nothing is revoked, and nobody was told so.
        atomic.write_bytes(self._state, cbor2.dumps(content, canonical=True), mode=0o600)
        return state


def moved_state(content: bytes, count: int) -> bytes:
    """A stored state under a number higher by *count*, for a home out of a back-up."""
    try:
        state: Any = cbor2.loads(content)
        state["rev"] = min(_REV_MAX, int(state["rev"]) + count)
    except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError):
        return content  # damaged before: reading it says so
    return cbor2.dumps(state, canonical=True)


def _read_issued(path: Path) -> Issued:
    try:
        content: Any = cbor2.loads(path.read_bytes())
        packed, person = bytes(content["ticket"]), str(content["person"])
        return Issued(access.parse_ticket(packed), packed, person)
    except OSError as problem:
        raise StorageError(f"{path}: cannot read: {problem.strerror}") from problem
    except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError, access.FormError):
        raise StorageError(f"{path}: is damaged", "Restore it from a back-up.") from None
