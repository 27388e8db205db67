# SPDX-License-Identifier: MIT
"""The command that withdraws trust in a tag: revoke. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.fleet import OWNER_PANEL
from sealtrail.commands.inputs import read_input, session_of
from sealtrail.commands.output import Session
from sealtrail.errors import UsageError, one_line

if TYPE_CHECKING:
    from sealtrail.evidence.statements import RawStatement

_STATEMENT_SIZE_MAX = 480


def add_to(app: typer.Typer) -> None:
    """Gives the main command this command."""
    app.command(rich_help_panel=OWNER_PANEL)(revoke)


def revoke(
    context: typer.Context,
    tag: Annotated[
        str | None, typer.Argument(help="The tag's serial.", metavar="[SERIAL]")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the revocation.")] = "",
    last_seq: Annotated[
        int | None,
        typer.Option(help="The last record to be believed.  [the last one here]", min=0),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="Evidence to take that record from.  [this home's]", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to hand out.  [SERIAL.revocation]"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the serial again.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Show the revocations here.")] = False,
    take: Annotated[
        Path | None, typer.Option(help="Take in a revocation that was handed out.", metavar="FILE")
    ] = None,
) -> None:
    """Revokes a tag: records after the last trusted one are refused, whatever they claim.

    For a tag that was stolen or opened. The last trusted record is named by number and
    hash, never by time: who holds the tag can set its clock back. This computer's
    `verify`, `sync` and `ticket issue` honour it at once; hand the file out to others, who
    take it in with --take. It is never taken back. The tag itself need not be there.

    \b
    Exit: 1 the evidence of the tag is refused; 2 nothing says which record was the last;
    5 no fleet key here.

    \b
    Examples:
      sealtrail revoke ST-0001 --reason "stolen at the depot"
      sealtrail revoke ST-0001 --last-seq 4711 --reason "opened" --evidence evidence.seal
      sealtrail revoke --take ST-0001.revocation
      sealtrail revoke --show
    """
    session = session_of(context)
    chosen = [show, take is not None, tag is not None].count(True)
    if chosen != 1:
        raise UsageError("revoke what?", "Give one of SERIAL, --take FILE and --show.")
    if show:
        _show(session)
    elif take is not None:
        _take(session, take)
    elif tag is not None:
        _revoke(session, tag, reason, last_seq, evidence, out, yes)


def _revoke(
    session: Session,
    serial: str,
    reason: str,
    last_seq: int | None,
    evidence: Path | None,
    out: Path | None,
    yes: bool,
) -> None:
    from sealtrail import atomic
    from sealtrail.commands.trusted_records import trusted_record
    from sealtrail.home import checked_serial
    from sealtrail.keys import revocation
    from sealtrail.keys.secrets import Vault

    checked_serial(serial)
    revocation.check_reason(reason)
    target = out or Path(f"{serial}.revocation")
    atomic.check_target(target)
    last = trusted_record(session, serial, last_seq, evidence)
    made = revocation.find(session.home, last.tid)
    if made is None or last_seq not in {None, made.number(2)}:
        what = f"revoke {serial} ({last.tid.hex()}) after record {last.seq}, of {last.source}"
        confirm(serial, what, yes)
        made = revocation.revoke(
            session.home,
            Vault(session.home),
            session.clock,
            tid=last.tid,
            last_seq=last.seq,
            record_hash=last.sha256,
            reason=reason,
        )
    else:
        session.warn(f"{serial} was revoked before, in number {made.number(6)}")
    # A cut here: it is in force on this computer; the same command writes the file again.
    atomic.write_bytes(target, made.raw)
    session.say(f"{serial} is revoked after record {made.number(2)}")
    session.say(f"{target} written: hand it to everybody who verifies")
    session.answer({"file": target, "serial": serial, **_json(made)})


def _take(session: Session, path: Path) -> None:
    from sealtrail.evidence.trust import TrustStore
    from sealtrail.keys import revocation

    raw = read_input(path, _STATEMENT_SIZE_MAX)
    keys = TrustStore(session.home).fleet_keys()
    taken = revocation.take(session.home, raw, keys, str(path))
    session.say(
        f"tag {taken.octets(1).hex()} is revoked after record {taken.number(2)}:"
        f" {one_line(str(taken.fields[5]))}"
    )
    session.answer({"file": path, **_json(taken)})


def _show(session: Session) -> None:
    from sealtrail.evidence.statements import REVOCATION
    from sealtrail.keys.shelf import Shelf

    found = [_json(one) for one in Shelf(session.home).all(REVOCATION)]
    keys = ("number", "tid", "last_seq", "at", "reason")
    rows = [[one_line(str(row[key])) for key in keys] for row in found]
    session.table("revocations", ("number", "tag id", "last record", "made", "reason"), rows)
    session.answer({"revocations": found})


def confirm(serial: str, what: str, yes: bool) -> None:
    """Has the user type the serial before what cannot be undone. Raises UsageError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this cannot be undone: {what}", "Add --yes when nobody is to be asked.")
    print(f"This cannot be undone: {what}.", file=sys.stderr)
    print(f"Type {serial} to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != serial:
        raise UsageError("the serial was not typed", "Nothing was changed.")


def _json(statement: "RawStatement") -> dict[str, object]:
    return {
        "number": statement.number(6),
        "tid": statement.octets(1).hex(),
        "last_seq": statement.number(2),
        "record_hash": statement.octets(3),
        "at": iso(statement.number(4)),
        "reason": str(statement.fields[5]),
        "statement": statement.raw,
    }
