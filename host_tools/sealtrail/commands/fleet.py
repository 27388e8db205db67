# SPDX-License-Identifier: MIT
"""Commands on the fleet key: fleet init, show, rotate, backup, restore. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from pathlib import Path
from typing import Annotated, Any

import typer

from sealtrail.clock import iso
from sealtrail.commands.inputs import session_of

OWNER_PANEL = "The fleet's owner"
_fleet = typer.Typer(
    help="The fleet key, which signs every tag's certificate.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Gives the main command this group."""
    app.add_typer(_fleet, name="fleet", rich_help_panel=OWNER_PANEL)


@_fleet.command("init")
def fleet_init(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The fleet's name, as verifiers will read it.")],
    years: Annotated[int, typer.Option(help="How long the key may sign.")] = 10,
) -> None:
    """Makes the fleet key, its successor, and fleet.pub.

    Both keys are sealed with a passphrase (asked for, or the first line of the file named
    by SEALTRAIL_PASSPHRASE_FILE). Give fleet.pub to everybody who has to verify.

    \b
    Examples:
      sealtrail fleet init "Example Cell Therapy"
      sealtrail --home /media/safe fleet init "Example" --years 5
    """
    from sealtrail.keys import fleet
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    home = session.home
    line = fleet.init(home, Vault(home), session.clock, name, years)
    session.say(f"fleet '{line.name}' made: key {line.fingerprint}, until {line.not_after}")
    session.say(f"public: {home.fleet_pub}  (give it to everybody who verifies)")
    session.say(f"now: `sealtrail fleet backup`; and move {home.next_fleet_key} to its own safe")
    session.answer({"fleet_pub": home.fleet_pub, **_line_json(line)})


@_fleet.command("show")
def fleet_show(context: typer.Context) -> None:
    """Shows the fleet's public keys. Needs no passphrase.

    \b
    Examples:
      sealtrail fleet show
      sealtrail fleet show --json
    """
    from sealtrail.keys import fleet

    session = session_of(context)
    lines = fleet.read_lines(session.home.fleet_pub)
    rows = [(x.name, x.fingerprint, str(x.not_before), str(x.not_after)) for x in lines]
    session.table(str(session.home.fleet_pub), ("fleet", "key", "from", "until"), rows)
    session.answer({"keys": [_line_json(line) for line in lines]})


@_fleet.command("rotate")
def fleet_rotate(
    context: typer.Context,
    years: Annotated[int, typer.Option(help="How long the new key may sign.")] = 10,
    successor: Annotated[
        Path | None,
        typer.Option(help="The successor's sealed file, from its safe.", metavar="FILE"),
    ] = None,
) -> None:
    """Puts the successor in force: it becomes the fleet key; another successor is made.

    For when the fleet key was lost, may be known to others, or its days end. Verifiers
    need the new fleet.pub; it keeps the old key with its end, so old evidence stays good.
    Tags are told at their next sync; new tags get the new key at once. Interrupted, run it
    again: it completes that rotation and makes no other.

    \b
    Exit: 5 the successor is not here, or is not the one that tags were told.

    \b
    Examples:
      sealtrail fleet rotate
      sealtrail fleet rotate --successor /media/safe2/next.key
    """
    from sealtrail.keys import rotation
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    home = session.home
    done = rotation.rotate(home, Vault(home), session.clock, years, successor)
    if done.is_resumed:
        session.warn("an interrupted rotation was completed; no other was made")
    session.say(f"fleet '{done.line.name}': key {done.line.fingerprint} from now on")
    session.say(f"give the new {home.fleet_pub} to everybody who verifies")
    if done.service_number is not None:
        session.say(f"service certificate {done.service_number} is by the new key")
    session.say(f"now: `sealtrail fleet backup`; and move {home.next_fleet_key} to its own safe")
    session.answer(
        {
            "fleet_pub": home.fleet_pub,
            **_line_json(done.line),
            "resumed": done.is_resumed,
            "statement": done.statement.raw,
            "service_certificate": done.service_number,
        }
    )


@_fleet.command("backup")
def fleet_backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The back-up to write.", metavar="FILE")],
    own_passphrase: Annotated[
        bool, typer.Option("--own-passphrase", help="Seal it with a passphrase of its own.")
    ] = False,
    without_successor: Annotated[
        bool, typer.Option("--without-successor", help="Leave out the key for the other safe.")
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also the records as received.")
    ] = False,
) -> None:
    """Writes all that this home must not lose into one sealed file.

    Fleet key and successor, service key, access keys of tags, tickets with their holders'
    keys, salts, profiles, certificates, statements, and the trust store. Sealed with the
    home's passphrase, or one of its own: asked for, or the first line of the file named by
    SEALTRAIL_BACKUP_PASSPHRASE_FILE. Make a new one after every `provision`, `fleet rotate`
    and `service rotate`. What still has to be uploaded is not in it.

    \b
    Examples:
      sealtrail fleet backup /media/safe/fleet.backup
      sealtrail fleet backup fleet.backup --own-passphrase --without-successor
    """
    from sealtrail.keys import backup
    from sealtrail.keys.secrets import BACKUP_PASSPHRASE_VARIABLE, Vault, is_named, obtain, prompt

    session = session_of(context)
    home, vault = session.home, Vault(session.home)
    vault.unlock()  # asked for first: then the order of the questions is plain
    passphrase = None
    if own_passphrase or is_named(BACKUP_PASSPHRASE_VARIABLE):
        passphrase = obtain(
            BACKUP_PASSPHRASE_VARIABLE, "passphrase of the back-up", prompt, is_new=True
        )
    made = backup.backup(
        home,
        vault,
        session.clock,
        file,
        passphrase=passphrase,
        with_successor=not without_successor,
        with_evidence=evidence,
    )
    session.say(f"{file}: {made.file_count} files, {made.secret_count} of them secret")
    session.say("the successor key is in it" if made.has_successor else "without the successor")
    session.answer(
        {
            "file": file,
            "files": made.file_count,
            "secrets": made.secret_count,
            "bytes": made.size,
            "successor": made.has_successor,
        }
    )


@_fleet.command("restore")
def fleet_restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The back-up.", metavar="FILE")],
) -> None:
    """Rebuilds a home from a back-up: whole, or not at all.

    Only into an empty home. A back-up with a passphrase of its own (asked for, or by
    SEALTRAIL_BACKUP_PASSPHRASE_FILE) gets a new passphrase for the home; another goes on
    with the one it has. Ticket numbers jump ahead by 1,000: numbers given since the
    back-up are never given again.

    \b
    Exit: 2 the home is not empty, or the file is damaged or no back-up; 5 wrong passphrase.

    \b
    Examples:
      sealtrail fleet restore /media/safe/fleet.backup
      sealtrail --home /srv/new-home fleet restore fleet.backup
    """
    from sealtrail.keys import backup
    from sealtrail.keys.secrets import (
        BACKUP_PASSPHRASE_VARIABLE,
        PASSPHRASE_VARIABLE,
        is_named,
        obtain,
        prompt,
    )

    session = session_of(context)
    is_own = is_named(BACKUP_PASSPHRASE_VARIABLE)
    variable = BACKUP_PASSPHRASE_VARIABLE if is_own else PASSPHRASE_VARIABLE
    back = backup.restore(
        session.home,
        file,
        lambda: obtain(variable, "passphrase of the back-up", prompt, is_new=False),
    )
    made_at = iso(back.made_at_ms)
    session.say(f"{session.home.root}: {back.file_count} files of {made_at} restored")
    if not back.has_successor:
        session.warn("the successor key is not in it: `fleet rotate` will ask for its file")
    session.answer(
        {
            "home": session.home.root,
            "files": back.file_count,
            "secrets": back.secret_count,
            "made_at": made_at,
            "successor": back.has_successor,
        }
    )


def _line_json(line: Any) -> dict[str, object]:
    return {
        "name": line.name,
        "key": line.key,
        "fingerprint": line.fingerprint,
        "not_before": str(line.not_before),
        "not_after": str(line.not_after),
    }
