# SPDX-License-Identifier: MIT
"""Who held the box: handovers judged one by one from the chain (section 10, H4).

A signer is named by the statement 25 about his key that covers the time he claims; where
one is there and does not count, the step says why.

A handover that does not hold is named and shown, never hidden, and never a reason to
refuse the temperatures: a box found at 2 a.m. must be takeable.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import ACCEPT, OFFER, PERSON, RawStatement, read_statement
from sealtrail.model import CustodyStep, Event

OFFER_EVENT, ACCEPT_EVENT = 41, 42
# Roles as tickets have them (docs/access-protocol.md 3.1).
_ROLES = {1: "viewer", 2: "courier", 3: "site", 4: "qa", 5: "service"}
_FAR_S = 253_402_300_799  # the end of the year 9999, where calendars end


@dataclass(frozen=True, slots=True)
class _Seen:
    """A custody statement and the event that carries it; None: it does not hold at all."""

    statement: RawStatement
    event: Event


@dataclass(frozen=True, slots=True)
class _Signer:
    """Who signed: a registered *name* and *role*, or the key's fingerprint and *note*, why."""

    name: str
    role: str = ""
    is_known: bool = False
    note: str = ""


class CustodyJudge:
    """Reads OFFER and ACCEPT events in order. *hashes*: SHA-256 of each record, by seq.

    *persons*: statements 25 whose signatures hold; those by a kid of *withdrawn* count not.
    """

    def __init__(
        self,
        tid: bytes,
        hashes: Sequence[bytes],
        persons: Sequence[RawStatement],
        withdrawn: frozenset[bytes] = frozenset(),
    ) -> None:
        self._tid = tid
        self._hashes = hashes
        # The newest statement about a key comes first.
        self._persons = sorted(persons, key=lambda one: -one.number(6))
        self._withdrawn = withdrawn
        self._holder: bytes | None = None
        self._offer: _Seen | None = None
        self._steps: list[CustodyStep] = []

    def judge(self, events: Sequence[Event]) -> tuple[CustodyStep, ...]:
        """The custody chain; each step with its verdict."""
        for event in events:
            if event.code in (OFFER_EVENT, ACCEPT_EVENT):
                self._take(event)
        self._close_offer()
        return tuple(self._steps)

    def _take(self, event: Event) -> None:
        assert isinstance(event.content, list)
        kind = OFFER if event.code == OFFER_EVENT else ACCEPT
        try:
            statement = read_statement(event.content[2])
        except Refusal as refusal:
            self._steps.append(_unreadable(event, refusal))
            return
        seen = _Seen(statement, event)
        if not self._holds(seen, kind):
            self._add("bad signature", seen, None if kind == OFFER else seen)
        elif kind == OFFER:
            self._take_offer(seen)
        else:
            self._take_accept(seen)

    def _holds(self, seen: _Seen, kind: int) -> bool:
        """Signature, tag, and a head that really came before."""
        statement = seen.statement
        if statement.type != kind or statement.octets(1) != self._tid:
            return False
        seq = statement.number(2)
        if seq >= seen.event.seq or self._hashes[seq] != statement.octets(3):
            return False
        return VerifyingKey(statement.octets(10)).holds(statement.envelope)

    def _take_offer(self, seen: _Seen) -> None:
        self._close_offer()
        giver = seen.statement.octets(10)
        if self._holder is not None and giver != self._holder:
            self._add("offered by another than the holder", seen, None)
            return
        self._holder = giver
        self._offer = seen

    def _take_accept(self, seen: _Seen) -> None:
        offer, self._offer = self._offer, None
        named = seen.statement.fields.get(13)
        if offer is None or named != hashlib.sha256(offer.statement.raw).digest():
            self._offer = offer
            self._close_offer()
            self._add("taken without giver", None, seen)
        else:
            self._add(_pair_verdict(offer.statement, seen.statement), offer, seen)
        self._holder = seen.statement.octets(10)

    def _close_offer(self) -> None:
        offer, self._offer = self._offer, None
        if offer is not None:
            self._add("offer not accepted", offer, None)

    def _add(self, verdict: str, offer: _Seen | None, accept: _Seen | None) -> None:
        last = accept or offer
        assert last is not None
        fields = last.statement.fields
        seals = fields.get(9)
        giver = None if offer is None else self._signer(offer.statement)
        receiver = None if accept is None else self._signer(accept.statement)
        signers = [one for one in (giver, receiver) if one is not None]
        self._steps.append(
            CustodyStep(
                verdict=verdict,
                giver=giver.name if giver else None,
                receiver=receiver.name if receiver else None,
                place=str(fields.get(7, "")),
                seals=tuple(map(str, seals)) if isinstance(seals, list) else (),
                condition=_number(fields.get(12)),
                claimed_utc_s=_number(fields.get(5)),
                tz_min=_number(fields.get(6)),
                utc=last.event.utc,
                seq=last.event.seq,
                key_known=all(one.is_known for one in signers),
                giver_role=giver.role if giver else "",
                receiver_role=receiver.role if receiver else "",
                key_note="; ".join(one.note for one in signers if one.note),
            )
        )

    def _signer(self, statement: RawStatement) -> _Signer:
        key, at_s = statement.octets(10), _number(statement.fields.get(5))
        unknown = "key " + hashlib.sha256(key).hexdigest()[:16]
        reasons = []
        for person in (one for one in self._persons if one.octets(1) == key):
            name, reason = str(person.fields[3]), self._why_not(person, at_s)
            if not reason:
                role = _ROLES.get(person.number(2), f"role {person.number(2)}")
                return _Signer(name, role, is_known=True)
            reasons.append(f"the key of '{name}' {reason}")
        return _Signer(unknown, note=reasons[0] if reasons else "")

    def _why_not(self, person: RawStatement, at_s: int) -> str:
        """Why a registration does not count for *at_s*; "" if it does."""
        if person.kid in self._withdrawn:
            return "was registered by a service key that was withdrawn"
        if at_s < person.number(4):
            return f"was not valid before {_day(person.number(4))}"
        if at_s > person.number(5):
            return f"had expired on {_day(person.number(5))}"
        return ""


def persons_of(statements: Sequence[RawStatement]) -> list[RawStatement]:
    """The statements 25 among *statements*."""
    return [one for one in statements if one.type == PERSON]


def _pair_verdict(offer: RawStatement, accept: RawStatement) -> str:
    receiver = offer.fields.get(11)
    if receiver is not None and receiver != accept.fields[10]:
        return "accepted by another than named"
    return "handed over" if offer.fields[9] == accept.fields[9] else "seals differ"


def _day(utc_s: int) -> str:
    return datetime.fromtimestamp(min(utc_s, _FAR_S), UTC).date().isoformat()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _unreadable(event: Event, refusal: Refusal) -> CustodyStep:
    return CustodyStep(
        verdict="bad signature",
        giver=None,
        receiver=None,
        place=f"statement unreadable: {refusal.reason}",
        seals=(),
        condition=0,
        claimed_utc_s=0,
        tz_min=0,
        utc=event.utc,
        seq=event.seq,
        key_known=False,
    )
