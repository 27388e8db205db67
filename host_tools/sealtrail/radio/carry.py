# SPDX-License-Identifier: MIT
"""What a visitor brings a tag beside his own business (CARRY): rotations of the fleet key,
service certificates, receipts, time tokens. docs/archive.md 1.2 says where they come from.

A tag knows the hash of the next fleet key only, so rotations come in their order. What a
tag has already it answers STALE; older rotations NOT_OURS. Both are passed over, as is
whatever a tag cannot do now (BAD_STATE, RATE, FULL): the next visit tries again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealtrail.errors import LinkError
from sealtrail.radio.refusals import code_name
from sealtrail.radio.visitor import Visitor
from sealwire import protocol

_TAKEN = (protocol.OK, protocol.STALE)  # this one is in force on the tag
# The type of statement that each command brings, in the order of delivery.
STATEMENT_OF = {
    protocol.FLEET_NEXT: 21,
    protocol.SERVICE_CERT: 19,
    protocol.RECEIPT: 17,
    protocol.TIME_TOKEN: 16,
}
# What the tag's answer to a receipt proves: somebody has to look (R2).
_ALARMING = (protocol.AHEAD, protocol.FORK)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One statement and the command that brings it."""

    op: int
    statement: bytes


@dataclass(frozen=True, slots=True)
class CarryOutcome:
    """*taken*: those the tag has now. *refused*: (parcel, code) of the others it answered."""

    taken: tuple[Parcel, ...]
    refused: tuple[tuple[Parcel, int], ...]
    problem: str = ""  # why the rest was not brought: the link

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of answers that prove a fault of the tag: AHEAD, FORK."""
        return tuple(code_name(code) for _, code in self.refused if code in _ALARMING)


async def deliver(visitor: Visitor, parcels: Sequence[Parcel]) -> CarryOutcome:
    """Brings *parcels* in the order of delivery. Raises nothing for what the tag refuses,
    nor for a link that breaks; what the visit was for is done."""
    order = list(STATEMENT_OF)
    taken: list[Parcel] = []
    refused: list[tuple[Parcel, int]] = []
    due = [one for one in parcels if one.op in STATEMENT_OF]
    for one in sorted(due, key=lambda parcel: order.index(parcel.op)):
        try:
            code, _ = await visitor.ask(one.op, one.statement)
        except LinkError as problem:
            return CarryOutcome(tuple(taken), tuple(refused), problem.message)
        if code in _TAKEN:
            taken.append(one)
        else:
            refused.append((one, code))
    return CarryOutcome(tuple(taken), tuple(refused))


async def tell_rotations(
    visitor: Visitor, rotations: Sequence[bytes], taken: Callable[[int], None]
) -> str:
    """Gives the tag statements 21, oldest first; `taken(n)` once the n-th is in force there.

    Returns "" or why the newest was not taken: the next visit tries again. Raises nothing
    for a tag that refuses or a link that breaks; what the visit was for is done.
    """
    why = ""
    for place, one in enumerate(rotations, 1):
        try:
            code, _ = await visitor.ask(protocol.FLEET_NEXT, one)
        except LinkError as problem:
            return problem.message
        if code in _TAKEN:
            why = ""
            taken(place)
            continue
        why = f"the tag answers {code_name(code)}"
        if code != protocol.NOT_OURS:
            break
    return why
