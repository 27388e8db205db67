# SPDX-License-Identifier: MIT
"""`sealtrail flash`: MicroPython and its partition table, then the firmware's files."""

# ruff: noqa: PLC0415 -- each command loads what it needs: --help stays fast

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sealtrail.commands.inputs import PortOption, session_of
from sealtrail.commands.output import Session
from sealtrail.errors import LinkError, UsageError

if TYPE_CHECKING:
    from sealtrail.device.chip_image import ChipImage
    from sealtrail.device.chip_writer import Chip
    from sealtrail.device.firmware_build import Image
    from sealtrail.device.flash_map import FlashMap
    from sealtrail.device.image_flash import Vetted
    from sealtrail.device.raw_repl import RawRepl, Repl

_START_ATTEMPTS = 5  # a chip that starts for the first time makes its file system
_START_PAUSE_S = 1.0


def flash(
    context: typer.Context,
    board: Annotated[str, typer.Option(help="The board, a folder of boards/.", metavar="NAME")],
    port: PortOption,
    image: Annotated[
        Path | None,
        typer.Option(
            help="First write this MicroPython image, with the board's partition table.",
            metavar="FILE",
        ),
    ] = None,
    read_first: Annotated[
        bool, typer.Option("--dump", help="First read records that no archive has.")
    ] = False,
    erase_log: Annotated[
        bool,
        typer.Option(
            "--erase-log",
            help="With --image: begin with an empty log and no key, whatever is there.",
        ),
    ] = False,
) -> None:
    """Puts the firmware on a tag: only what changed, each file checked by its hash.

    A new tag takes --image once: the .bin of micropython.org for its chip. Keys and log of a
    tag whose flash map stays are never touched. Interrupt it at any time: run the same
    command again and it goes on.

    \b
    Exit: 5 the tag holds records that no archive has; 2 wrong image, board or flash map;
    4 the line or the chip failed, repeat.

    \b
    Examples:
      sealtrail flash --board esp32_devkitc --port /dev/ttyUSB0 --image ESP32_GENERIC.bin
      sealtrail flash --board esp32_devkitc --port /dev/ttyUSB0
      sealtrail flash --board virtual --port build/run/tty
    """
    from sealtrail.device import chip_image, flash_map
    from sealtrail.device.chip_writer import Chip
    from sealtrail.device.firmware_build import build, checkout

    session = session_of(context)
    if erase_log and image is None:
        raise UsageError("--erase-log goes with --image")
    with session.progress("compiling") as progress:
        made = build(checkout(), board, progress)
    wanted = flash_map.of_board(made.board)
    answer: dict[str, Any] = {"board": board}
    is_vetted = False
    if image is not None:
        checked = chip_image.read(image, wanted)
        vetted = _vet(session, wanted, port, read_first, erase_log)
        answer |= _write_image(session, Chip(wanted, port), checked, vetted, erase_log)
        is_vetted = not vetted.silence
    attempts = 1 if image is None else _START_ATTEMPTS
    answer |= _write_files(session, wanted, made, port, read_first, is_vetted, attempts)
    session.answer(answer)


def _write_image(
    session: Session, chip: "Chip", image: "ChipImage", vetted: "Vetted", erase_log: bool
) -> dict[str, Any]:
    from sealtrail.device import image_flash

    try:
        with session.progress("writing MicroPython") as progress:
            plan = image_flash.write(
                chip, image, vetted, is_log_erased=erase_log, progress=progress
            )
    except KeyboardInterrupt:
        session.warn("the chip may be half written: run the same command again")
        raise
    except LinkError:
        if not vetted.silence:
            _let_run(chip.port)
        raise
    erased = list(dict.fromkeys(part.label for part in plan.erases))
    session.say(
        f"{image.name} written" + (f"; erased: {', '.join(erased)}" if erased else "; log kept")
    )
    return {"image": image.name, "erased": erased, "dump": vetted.dump}


def _let_run(port: str) -> None:
    """Starts a tag that still waits at its prompt: it must go on recording."""
    from sealtrail.device.raw_repl import RawRepl

    with contextlib.suppress(LinkError), RawRepl(port):
        pass


def _vet(
    session: Session, flash_map: "FlashMap", port: str, read_first: bool, erase_log: bool
) -> "Vetted":
    from sealtrail.device import image_flash
    from sealtrail.device.raw_repl import NotMicroPython, RawRepl

    try:
        with RawRepl(port) as repl:
            vetted = image_flash.vet(
                repl,
                flash_map,
                session.home,
                is_reading=read_first,
                is_log_erased=erase_log,
            )
            # It must record nothing that the chip's eraser would meet unread.
            repl.keeps_stopped = True
    except NotMicroPython as problem:
        vetted = image_flash.Vetted(False, silence=problem.message)
    if vetted.silence:
        session.detail(f"before flashing: {vetted.silence}")
    if vetted.dump:
        session.say(f"records kept in {vetted.dump}")
    return vetted


def _write_files(
    session: Session,
    flash_map: "FlashMap",
    image: "Image",
    port: str,
    read_first: bool,
    is_vetted: bool,
    attempts: int,
) -> dict[str, Any]:
    from sealtrail.device import flash_map as maps
    from sealtrail.device import flasher
    from sealtrail.device.raw_repl import RawRepl

    with _started(port, attempts) as repl:
        flasher.check_architecture(repl, image.mpy_arch)
        maps.check(flash_map, repl)
        dump = None if is_vetted else _spare_records(session, repl, read_first)
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
    answer = {
        "written": result.written_count,
        "written_bytes": result.written_size,
        "kept": result.kept_count,
        "removed": result.removed_count,
        "aioble": aioble or "mip",
    }
    return answer | ({"dump": dump} if dump else {})


def _started(port: str, attempts: int) -> "RawRepl":
    """The tag's prompt; a chip that was just written gets some time to start."""
    from sealtrail.device.raw_repl import NotMicroPython, RawRepl

    for _ in range(attempts):
        try:
            return RawRepl(port)
        except NotMicroPython as problem:
            last = problem
            time.sleep(_START_PAUSE_S)
    raise LinkError(
        last.message,
        "Check port and cable; press reset and repeat. A new chip needs --image FILE first."
        if attempts == 1
        else "The image is written: press reset and run the same command without --image.",
    )


def _spare_records(session: Session, repl: "Repl", read_first: bool) -> Path | None:
    """Refuses, or reads, records that no archive has: new firmware could lose them."""
    from sealtrail.device.dock_link import Dock, FlashUnusable
    from sealtrail.device.dumping import spare_records
    from sealtrail.errors import DeviceError

    dock = Dock(repl)
    try:
        identity = dock.identify()
    except FlashUnusable as problem:
        session.warn(f"{problem.message}. {problem.hint}")
        return None
    except DeviceError as problem:
        # No firmware yet, or a broken one: flashing is the cure, and files hold no records.
        session.detail(f"before flashing: {problem.message}")
        return None
    with session.progress("reading records") as progress:
        kept = spare_records(
            dock,
            session.home,
            identity,
            is_reading=read_first,
            is_forgetting=False,
            progress=progress,
        )
    if kept:
        session.say(f"records kept in {kept}")
    return kept
