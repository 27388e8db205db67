# SPDX-License-Identifier: MIT
"""Commands by radio: scan, status, sync. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sealtrail.commands.archive_sync import ArchiveOption, ArchivePart, TokenOption
from sealtrail.commands.inputs import (
    AIR_PANEL,
    SerialOption,
    TicketOption,
    WaitOption,
    radio_named,
    run_visit,
    session_of,
    wallet_of,
)
from sealtrail.commands.tag_condition import condition_fields, warning_of
from sealtrail.errors import Incomplete

if TYPE_CHECKING:
    from sealtrail.commands.output import Session
    from sealtrail.radio.sync import SyncOutcome
    from sealtrail.radio.visitor import Visitor
    from sealwire.access import Ready


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
    for command in (scan, status, sync):
        app.command(rich_help_panel=AIR_PANEL)(command)


def scan(
    context: typer.Context,
    wait: Annotated[float, typer.Option(help="How many seconds to listen.", min=1, max=600)] = 5,
) -> None:
    """Lists the tags on the air, and names those that a ticket here opens.

    A tag on a trip shows a changing name and no values: only its ticket holders know it.

    \b
    Example:
      sealtrail scan --wait 10
    """
    from sealtrail.radio import visit

    session = session_of(context)
    wallet = wallet_of(session)
    entries = [wallet.get(name) for name in wallet.names()]
    with radio_named():
        seen = asyncio.run(visit.scan(entries, wait))
    rows = [
        (
            tag.serial or "not ours",
            tag.name,
            f"{tag.rssi_dbm} dBm",
            "trip" if tag.is_private else "depot",
            "problem" if tag.has_problem else "",
        )
        for tag in seen
    ]
    session.table("tags on the air", ("tag", "name", "signal", "mode", ""), rows)
    session.answer(
        {
            "tags": [
                {
                    "serial": t.serial or None,
                    "name": t.name,
                    "rssi_dbm": t.rssi_dbm,
                    "has_problem": t.has_problem,
                }
                for t in seen
            ]
        }
    )


def status(
    context: typer.Context,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    wait: WaitOption = 10,
) -> None:
    """Asks a tag how it is: open trip, last record, whether it knows the time.

    \b
    Example:
      sealtrail status --tag ST-0001
    """
    session = session_of(context)
    entry = wallet_of(session).choose(ticket, tag)

    async def ask(visitor: "Visitor") -> Any:
        return visitor.ready

    ready = run_visit(session, entry, wait, ask)
    session.say(f"{entry.serial}: {f'trip {ready.trip} is open' if ready.trip else 'no trip'}")
    session.say(f"  last record   {ready.head_seq if ready.head_seq >= 0 else 'none yet'}")
    session.say(f"  clock         {'well known' if ready.is_sure else 'not sure'}")
    session.say(f"  alarm         {'yes' if ready.is_alarm else 'no'}")
    session.say(f"  log           {_log_text(ready.is_filling, ready.is_refusing)}")
    session.say(
        f"  key           {'LOST, records prove nothing' if ready.is_key_lost else 'sound'}"
    )
    session.say(f"  your ticket   {entry.name} ({entry.role})")
    condition = _told(session, entry.serial, ready)
    session.answer(
        {
            "serial": entry.serial,
            "trip": ready.trip or None,
            "head_seq": ready.head_seq,
            "head_hash": bytes(ready.head_hash),
            "is_clock_sure": ready.is_sure,
            **condition,
            "scope": ready.scope,
            "ticket": entry.name,
        }
    )


def _told(session: "Session", serial: str, ready: "Ready | None") -> dict[str, object]:
    """Warns of what a person should act on; returns the fields for programs."""
    if ready is None:
        return {}
    warning = warning_of(serial, ready)
    if warning:
        session.warn(warning)
    return condition_fields(ready)


def _log_text(is_filling: bool, is_refusing: bool) -> str:
    if is_refusing:
        return "full, readings are refused"
    return "more than 80 % full" if is_filling else "has room"


def sync(
    context: typer.Context,
    tag: SerialOption = None,
    ticket: TicketOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The evidence file to write.  [SERIAL.seal]"),
    ] = None,
    wait: WaitOption = 10,
    archive: ArchiveOption = None,
    archive_token: TokenOption = None,
) -> None:
    """Brings a tag's evidence here, and has the tag attest that this is all of it.

    Records are safe on this computer before the tag hears so. A lost link is taken up
    again where it broke; so is a sync that was interrupted. A tag that is not heard within
    --wait seconds ends it; one that sends nothing for 10 s is connected to anew.

    The attestation answers a number that this computer chose now: that is what lets
    `verify` here say "proved".
    What this home knows goes into the file: who signed the handovers (`person add`), and
    the tag's revocation. A tag that has missed a `fleet rotate` is told of it.

    With an archive (`archive use`, --archive) the evidence goes on to it, now or when there
    is network, and the tag gets what the archive has for it: receipts, certificates, the time.

    \b
    Exit: 0 all of it, attested; 3 the tag went on recording, sync again, or has overwritten some;
    4 the link failed, repeat: what came is kept; 5 the ticket was refused.

    \b
    Examples:
      sealtrail sync --tag ST-0001
      sealtrail sync --ticket ST-0001-qa-3 -o evidence.seal
      sealtrail sync --tag ST-0001 --archive https://archive.example --archive-token a.token
    """
    from sealtrail.commands.collect import collect
    from sealtrail.radio.visit import visitor_for

    session = session_of(context)
    entry = wallet_of(session).choose(ticket, tag)
    target = out or Path(f"{entry.serial}.seal")
    visitor = visitor_for(entry, wait)
    part = ArchivePart(session, entry, archive, archive_token)
    with radio_named(), session.progress(f"syncing {entry.serial}") as bar:
        done = asyncio.run(collect(session, entry, visitor, part, target, bar))
    outcome, revoked = done.outcome, done.revoked
    size, gap_seq, is_whole = done.size, done.gap_seq, done.is_whole
    session.say(
        f"{entry.serial}: {outcome.record_count} new records ({outcome.size:,} B),"
        f" last is {outcome.head_seq}"
    )
    session.say(f"{target} written, {size:,} B")
    condition = _told(session, entry.serial, visitor.ready)
    if done.rotations_told:
        session.say(f"{entry.serial} knows the fleet's new key")
    if revoked is not None:
        session.warn(
            f"{entry.serial} is revoked: `verify` refuses every record after {revoked.number(2)}"
        )
    if outcome.gone_count:
        session.warn(
            f"{target}: lacks {outcome.gone_count} records from {gap_seq} on: the tag has"
            " overwritten them, and they are not here. An archive has what it receipted."
        )
    elif not is_whole:
        session.warn(
            f"{target}: lacks record {gap_seq}: this ticket reads its trip only;"
            " what verifies from the tag's first record on comes with a QA or service ticket."
        )
    delivered = part.finish()
    session.answer(
        {
            "serial": entry.serial,
            "file": target,
            "size": size,
            "new_records": outcome.record_count,
            "new_bytes": outcome.size,
            "head_seq": outcome.head_seq,
            "connections": outcome.connection_count,
            "unsealed_entries": outcome.attestation.unsealed_count,
            "is_complete": outcome.is_complete,
            "first_gap_seq": None if is_whole else gap_seq,
            "overwritten_records": outcome.gone_count,
            **condition,
            **delivered,
            "rotations_told": done.rotations_told,
            "revoked_after": revoked.number(2) if revoked is not None else None,
        }
    )
    _refuse_partial(entry.serial, outcome)


def _refuse_partial(serial: str, outcome: "SyncOutcome") -> None:
    """Raises Incomplete where this is not all of the tag's evidence."""
    if outcome.gone_count:
        raise Incomplete(
            f"{serial}: {outcome.gone_count} records are gone from the tag and not here",
            "What came is kept. Look for the rest where this tag was synced before.",
        )
    if not outcome.is_complete:
        raise Incomplete(
            f"{serial}: the attested record {outcome.head_seq} is not the last one here",
            "Sync again.",
        )
