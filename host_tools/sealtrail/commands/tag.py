# SPDX-License-Identifier: MIT
"""Commands over a tag's serial line: flash, provision, clock, dump. Parse, call, print."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealtrail.clock import iso
from sealtrail.commands.inputs import PortOption, session_of
from sealtrail.commands.output import Session
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.home import checked_serial

if TYPE_CHECKING:
    from sealtrail.device.firmware_build import Image
    from sealtrail.device.raw_repl import Repl


def add_to(app: typer.Typer) -> None:
    """Gives the main command these commands."""
    for command in (flash, provision, clock, dump):
        app.command(rich_help_panel="A tag on a cable")(command)


def flash(
    context: typer.Context,
    board: Annotated[str, typer.Option(help="The board, a folder of boards/.", metavar="NAME")],
    port: PortOption,
    image: Annotated[
        Path | None, typer.Option(help="A MicroPython image to write first.", metavar="FILE")
    ] = None,
    read_first: Annotated[
        bool, typer.Option("--dump", help="First read records that no archive has.")
    ] = False,
) -> None:
    """Puts the firmware on a tag: only what changed, each file checked by its hash.

    Interrupt it at any time: run it again and it goes on. The log is never touched.

    \b
    Examples:
      sealtrail flash --board esp32_devkitc --port /dev/ttyUSB0
      sealtrail flash --board virtual --port build/run/tty
    """
    from sealtrail.device.firmware_build import build, checkout

    session = session_of(context)
    if image is not None:
        _refuse_image(image)
    with session.progress("compiling") as progress:
        made = build(checkout(), board, progress)
    _flash(session, made, port, read_first)


def _flash(session: Session, image: "Image", port: str, read_first: bool) -> None:
    from sealtrail.device import flasher
    from sealtrail.device.raw_repl import RawRepl

    with RawRepl(port) as repl:
        flasher.check_architecture(repl, image.mpy_arch)
        _spare_records(session, repl, read_first)
        with session.progress("writing") as progress:
            result = flasher.flash(repl, image, progress)
        library = os.environ.get(flasher.MICROPYTHON_LIB_VARIABLE, "").strip()
        aioble = result.aioble
        if not aioble and library:
            aioble = flasher.copy_aioble(repl, library, image.mpy_arch)
        repl.keeps_stopped = not aioble
    if not aioble:
        flasher.fetch_aioble(port)
        with RawRepl(port):
            pass  # its end starts the tag
    session.say(
        f"{image.board['name']}: {result.written_count} files written"
        f" ({result.written_size} B), {result.kept_count} already there,"
        f" {result.removed_count} removed; aioble: {aioble or 'mip'}"
    )
    session.answer(
        {
            "board": image.board["name"],
            "written": result.written_count,
            "written_bytes": result.written_size,
            "kept": result.kept_count,
            "removed": result.removed_count,
            "aioble": aioble or "mip",
        }
    )


def _spare_records(session: Session, repl: "Repl", read_first: bool) -> None:
    """Refuses, or reads, records that no archive has: new firmware could lose them."""
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.provision import dump_to_home
    from sealtrail.errors import DeviceError

    dock = Dock(repl)
    try:
        identity = dock.identify()
    except DeviceError as problem:
        # No firmware yet, or a broken one: flashing is the cure, and files hold no records.
        session.detail(f"before flashing: {problem.message}")
        return
    if not identity.unreceipted_count:
        return
    if not read_first:
        raise AccessRefused(
            f"this tag holds {identity.unreceipted_count} records that no archive has",
            "Add --dump to read them into this home first.",
        )
    session.say(f"records kept in {dump_to_home(dock, session.home)}")


def _refuse_image(image: Path) -> None:
    if not image.is_file():
        raise UsageError(f"{image}: there is no such file")
    raise UsageError(
        "--image: this version cannot write the partition table that the log needs",
        "Write the image and the table of board.json with esptool, then flash without --image.",
    )


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
        steps = Provisioner(Dock(repl), session.home, vault, opened, session.clock)
        made = steps.run(serial, chosen, is_erasing=erase, note=session.detail)
    rows = [(check.name, "ok", check.detail) for check in made.checks]
    session.table("self-test", ("part", "", "measured"), rows)
    if made.dump:
        session.say(f"the tag's former records are in {made.dump}")
    session.say(f"{serial} provisioned: tag id {made.tid.hex()}, profile {chosen.name}")
    session.say(f"certificate {len(made.certificate)} B by fleet '{opened.line.name}'")
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

    The file verifies like any evidence, but nothing proves that it is all there is: only
    a sync by radio carries that proof.

    \b
    Example:
      sealtrail dump --port /dev/ttyUSB0 -o st-0001.seal
    """
    from sealtrail import atomic
    from sealtrail.device.dock_link import Dock
    from sealtrail.device.raw_repl import RawRepl

    session = session_of(context)
    with RawRepl(port) as repl, session.progress("reading") as progress:
        certificate, records = Dock(repl).read_all(progress)
    atomic.write_bytes(out, certificate + b"".join(records))
    session.say(f"{out}: {len(records)} records; not proved complete")
    session.answer({"file": out, "records": len(records)})
