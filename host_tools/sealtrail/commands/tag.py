# SPDX-License-Identifier: MIT
"""Commands over a tag's serial line: provision, clock, dump; `flash` is in flash.py."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.flash import flash
from sealtrail.commands.inputs import PortOption, session_of
from sealtrail.home import checked_serial


class WhenFull(Enum):
    """What a tag's log does once nothing in it may be overwritten."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
    for command in (flash, provision, clock, dump):
        app.command(rich_help_panel="A tag on a cable")(command)


def provision(
    context: typer.Context,
    port: PortOption,
    serial: Annotated[str, typer.Option(help="The tag's serial, such as ST-0001.")],
    profile: Annotated[
        str, typer.Option(help="What it does before its first trip.")
    ] = "ln2-dry-shipper",
    erase: Annotated[
        bool, typer.Option("--erase", help="Start a used tag afresh; its records are read first.")
    ] = False,
    when_full: Annotated[
        WhenFull,
        typer.Option(
            help="What its log does when it is full: refuse new readings, or overwrite the"
            " oldest records, also those that no archive has."
        ),
    ] = WhenFull.REFUSE,
) -> None:
    """Gives a tag its identity: its own key, the fleet's certificate, clock, first ticket.

    The tag makes its key and proves that it has it; the key never leaves it. Its access
    key is kept sealed in this home. Interrupted, run it again.

    \b
    Examples:
      sealtrail provision --port /dev/ttyUSB0 --serial ST-0001
      sealtrail provision --port /dev/ttyUSB0 --serial ST-0001 --erase
    """
    from sealtrail import trip_profiles as profiles
    from sealtrail.device import flash_map
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.provision import Provisioner
    from sealtrail.device.raw_repl import RawRepl
    from sealtrail.keys import fleet
    from sealtrail.keys.secrets import Vault

    session = session_of(context)
    checked_serial(serial)
    chosen = profiles.load(profile)
    vault = Vault(session.home)
    opened = fleet.load(session.home, vault)  # asks for the passphrase before the tag is touched
    with RawRepl(port) as repl:
        flash_map.check_any(repl)
        steps = Provisioner(Dock(repl), session.home, vault, opened, session.clock)
        made = steps.run(
            serial,
            chosen,
            is_erasing=erase,
            is_overwriting=when_full is WhenFull.OVERWRITE,
            note=session.detail,
        )
    rows = [(check.name, "ok", check.detail) for check in made.checks]
    session.table("self-test", ("part", "", "measured"), rows)
    if made.dump:
        session.say(f"the tag's former records are in {made.dump}")
    session.say(f"{serial} provisioned: tag id {made.tid.hex()}, profile {chosen.name}")
    session.say(f"certificate {len(made.certificate)} B by fleet '{opened.line.name}'")
    if when_full is WhenFull.OVERWRITE:
        session.warn(f"{serial}: when its log is full, records that nobody has yet will be lost")
    session.say(f"first ticket: {made.ticket.name}")
    session.answer(
        {
            "serial": serial,
            "tid": made.tid,
            "board": made.identity.board,
            "firmware": made.identity.firmware,
            "certificate": made.certificate,
            "ticket": made.ticket.name,
            "profile": chosen.name,
            "when_full": when_full.value,
            "dump": made.dump,
            "self_test": [[c.name, c.is_passed, c.detail] for c in made.checks],
        }
    )


def clock(context: typer.Context, port: PortOption) -> None:
    """Sets the tag's clock from this computer's. Works without network and fleet key.

    \b
    Example:
      sealtrail clock --port /dev/ttyUSB0
    """
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.provision import set_clock
    from sealtrail.device.raw_repl import RawRepl

    session = session_of(context)
    with RawRepl(port) as repl:
        lo_ms, hi_ms = set_clock(Dock(repl), session.clock)
    session.say(f"the tag's clock is set: {iso(lo_ms)} to {iso(hi_ms)}")
    session.answer({"lo_ms": lo_ms, "hi_ms": hi_ms})


def dump(
    context: typer.Context,
    port: PortOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="The evidence file to write.")] = Path(
        "dump.seal"
    ),
) -> None:
    """Reads all records over the serial line, for a tag whose radio is dead.

    The tag first makes records of what it has not sealed yet. The file verifies like any
    evidence, but nothing proves that it is all there is: only a sync by radio carries that
    proof. A copy stays in this home: with it `flash` may let the tag forget what is in it.

    \b
    Example:
      sealtrail dump --port /dev/ttyUSB0 -o st-0001.seal
    """
    from sealtrail import atomic
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.dumping import dump_to_home
    from sealtrail.device.raw_repl import RawRepl

    session = session_of(context)
    atomic.check_target(out)
    with RawRepl(port) as repl, session.progress("reading") as progress:
        read = dump_to_home(Dock(repl), session.home, progress)
    atomic.write_bytes(out, read.certificate + b"".join(read.records))
    session.say(f"{out}: {len(read.records)} records; not proved complete")
    session.detail(f"kept in {read.path}")
    if read.unsealed_count:
        session.warn(f"{read.unsealed_count} readings and events stay on the tag, in no record")
    session.answer({"file": out, "records": len(read.records), "kept": read.path})
