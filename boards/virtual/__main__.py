# SPDX-License-Identifier: MIT
"""python -m boards.virtual: runs one virtual board until it is told to quit."""

import argparse
import asyncio
import re
import signal
import sys
from pathlib import Path

from boards.virtual import BoardError
from boards.virtual.supervisor import VIRTUAL_BOARD, Settings, Supervisor
from boards.virtual.supervisor_chip import end_with_parent


def _mac(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{12}", text):
        raise argparse.ArgumentTypeError("12 lower-case hex digits")
    return text


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m boards.virtual",
        description="Runs a virtual tag: RUN/tty is its serial port, RUN/ctl takes orders.",
    )
    add = parser.add_argument
    add("--run", type=Path, required=True, metavar="DIR", help="run directory; keeps the flash")
    add("--board", type=Path, default=VIRTUAL_BOARD, metavar="FILE", help="board.json")
    add("--scenario", type=Path, metavar="FILE", help="CSV of what happens around the tag")
    add("--radio", type=Path, metavar="SOCKET", help="unix socket of the virtual radio")
    add("--hci", type=Path, metavar="TTY",
        help="HCI terminal of the radio, for an interpreter with its own bluetooth")  # fmt: skip
    add("--mac", type=_mac, default="c0ffee000002", metavar="HEX12", help="radio address")
    add("--aioble", type=Path, metavar="DIR", help="folder that holds the package aioble")
    add("--modules", type=Path, action="append", default=[], metavar="DIR",
        help="folder of modules that replace the board's own; may be repeated")  # fmt: skip
    add("--micropython", metavar="FILE", help="interpreter; default: $MICROPYTHON, else PyPI's")
    add("--heap", default="16M", metavar="SIZE", help="MicroPython's heap (default %(default)s)")
    add("--log", type=Path, metavar="FILE", help="append all serial output to it")
    add("--end-with-parent", action="store_true", help="end when the starting process ends")
    return parser.parse_args(argv)


def _settings(args: argparse.Namespace) -> Settings:
    for path in (args.board, args.scenario, args.aioble, *args.modules):
        if path is not None and not path.exists():
            raise BoardError(f"there is no {path}")
    return Settings(
        run_dir=args.run,
        board=args.board,
        scenario=args.scenario,
        radio=args.radio,
        hci=args.hci,
        mac=args.mac,
        aioble=args.aioble,
        modules=tuple(args.modules),
        micropython=args.micropython,
        heap=args.heap,
        uart_log=args.log,
    )


async def _run(settings: Settings) -> None:
    async with Supervisor(settings) as board:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, board.quit)
        print(f"virtual board ready: {board.run.tty}", flush=True)
        await board.wait()


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        if args.end_with_parent:
            end_with_parent()
        asyncio.run(_run(_settings(args)))
    except BoardError as e:
        print(f"virtual board: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
