# SPDX-License-Identifier: MIT
"""Commands of a shipment by radio: trip start|end, handover offer|accept. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.commands.inputs import (
    AIR_PANEL,
    SerialOption,
    TicketOption,
    WaitOption,
    run_visit,
    session_of,
    wallet_of,
)
from sealtrail.commands.output import Session
from sealtrail.errors import UsageError

if TYPE_CHECKING:
    from sealtrail.radio.visitor import DockNote, Visitor

_trip = typer.Typer(help="Start and end a shipment.", no_args_is_help=True)
_handover = typer.Typer(help="Give a shipper away, or take it.", no_args_is_help=True)
PlaceOption = Annotated[str, typer.Option(help="Where you stand, in words.")]
SealOption = Annotated[
    list[str] | None, typer.Option("--seal", help="A seal's number; repeat it for several.")
]
ConditionOption = Annotated[
    int, typer.Option(help="Your code for the box's condition; 0: nothing to remark.", min=0)
]


def add_to(app: typer.Typer) -> None:
    """Gives the main command these groups."""
    app.add_typer(_trip, name="trip", rich_help_panel=AIR_PANEL)
    app.add_typer(_handover, name="handover", rich_help_panel=AIR_PANEL)


@_trip.command("start")
def trip_start(
    context: typer.Context,
    trip: Annotated[int, typer.Option(help="Its number; higher than the tag's last.", min=1)],
    coi: Annotated[
        str, typer.Option(help="The chain-of-identity reference; -: asked for, unseen.")
    ] = "-",
    profile: Annotated[
        str, typer.Option(help="A shipped profile's name, or a .toml file.")
    ] = "ln2-dry-shipper",
    salt_out: Annotated[
        Path | None, typer.Option(help="Also write the salt for the receiver.", metavar="FILE")
    ] = None,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    wait: WaitOption = 10,
) -> None:
    """Starts a trip: from now on the profile's rules count.

    The tag gets a commitment to the chain-of-identity reference, never the reference
    itself, which is asked for (or read from standard input). The salt that opens the
    commitment is kept here; `coi check` needs it.

    \b
    Examples:
      sealtrail trip start --tag ST-0001 --trip 7
      sealtrail trip start --trip 8 --profile fridge-2-8 < reference.txt
    """
    from sealtrail import trip_profiles as profiles
    from sealtrail.keys import coi as coi_salts
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    rules = profiles.load(profile)
    entry = wallet_of(session).choose(ticket, tag)
    # The salt is durable before the tag carries the commitment: else nobody could check it.
    reference = coi_salts.asked(coi)
    commitment = coi_salts.commit(session.home, Vault(session.home), reference, salt_out)

    async def start(visitor: "Visitor") -> None:
        await visitor.trip_start(trip, commitment, rules.cbor)

    run_visit(session, entry, wait, start)
    session.say(f"{entry.serial}: trip {trip} started with profile {rules.name}")
    session.answer(
        {
            "serial": entry.serial,
            "trip": trip,
            "profile": rules.name,
            "profile_sha256": rules.sha256,
            "coi_commitment": commitment,
        }
    )


@_trip.command("end")
def trip_end(
    context: typer.Context,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    wait: WaitOption = 10,
) -> None:
    """Ends the open trip. Tickets for this trip are dead from then on.

    \b
    Example:
      sealtrail trip end --tag ST-0001
    """
    session = session_of(context)
    entry = wallet_of(session).choose(ticket, tag)

    async def end(visitor: "Visitor") -> int:
        number = visitor.ready.trip if visitor.ready else 0
        await visitor.trip_end()
        return number

    number = run_visit(session, entry, wait, end)
    session.say(f"{entry.serial}: trip {number} ended")
    session.answer({"serial": entry.serial, "trip": number})


@_handover.command("offer")
def handover_offer(
    context: typer.Context,
    place: PlaceOption,
    seal: SealOption = None,
    condition: ConditionOption = 0,
    receiver: Annotated[
        str | None, typer.Option(help="Who alone may take it: a public key, 64 hex digits.")
    ] = None,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    wait: WaitOption = 10,
) -> None:
    """Signs that you give the shipper away, and leaves that at the tag.

    \b
    Example:
      sealtrail handover offer --tag ST-0001 --place "Leiden, dock 2" --seal 0481516
    """
    session = session_of(context)
    entry = wallet_of(session).choose(ticket, tag)
    key = _receiver(receiver)
    note = _note(session, place, seal, condition)
    signed = run_visit(session, entry, wait, lambda visitor: visitor.offer(note, key))
    session.say(f"{entry.serial}: offered at {place}; it waits for whoever takes over")
    session.answer({"serial": entry.serial, "place": place, "signed": signed})


@_handover.command("accept")
def handover_accept(
    context: typer.Context,
    place: PlaceOption,
    seal: SealOption = None,
    condition: ConditionOption = 0,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    wait: WaitOption = 10,
) -> None:
    """Signs that you take the shipper over, naming the offer that waits at the tag.

    Without an offer it is recorded as taken without a giver: a box found at night must be
    takeable.

    \b
    Example:
      sealtrail handover accept --tag ST-0001 --place "Utrecht, pharmacy" --seal 0481516
    """
    session = session_of(context)
    entry = wallet_of(session).choose(ticket, tag)
    note = _note(session, place, seal, condition)
    signed = run_visit(session, entry, wait, lambda visitor: visitor.accept(note))
    session.say(f"{entry.serial}: accepted at {place}")
    session.answer({"serial": entry.serial, "place": place, "signed": signed})


def _note(session: Session, place: str, seals: list[str] | None, condition: int) -> "DockNote":
    from sealtrail.radio.visitor import DockNote

    if not place.strip() or not place.isprintable():
        raise UsageError("--place: say where you are, in one line")
    now_ms = session.clock.now_ms()
    offset = datetime.fromtimestamp(now_ms / 1000).astimezone().utcoffset()
    tz_min = int(offset.total_seconds() // 60) if offset else 0
    return DockNote(place, now_ms // 1000, tz_min, tuple(seals or ()), condition)


def _receiver(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UsageError("--receiver: a public key has 64 hex digits")
    return key
