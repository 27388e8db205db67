# SPDX-License-Identifier: MIT
"""`python -m boards.virtual.radio --sock PATH`: runs the radio until SIGTERM or SIGINT.

Prints `radio up ADDRESS` when tags and clients may come: one line, with the address of the
bus. With --bus-dir it starts a private dbus-daemon of its own, else it uses
DBUS_SYSTEM_BUS_ADDRESS; without that there is no org.bluez and the address is `-`.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys

from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import BusUnavailable, PrivateBus
from boards.virtual.radio.service import Radio
from boards.virtual.supervisor_chip import end_with_parent


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m boards.virtual.radio", description=__doc__)
    parser.add_argument("--sock", required=True, help="unix socket for tags; PATH.ctl for orders")
    parser.add_argument(
        "--interval",
        type=float,
        default=0,
        metavar="MS",
        help="connection interval; 0 (default): unpaced",
    )
    parser.add_argument(
        "--per-event",
        type=int,
        default=6,
        metavar="N",
        help="packets a connection event carries (default 6)",
    )
    parser.add_argument(
        "--supervision",
        type=float,
        default=0.3,
        metavar="S",
        help="how long the link of a dead tag lives on (default 0.3)",
    )
    parser.add_argument(
        "--hci-pty",
        action="append",
        default=[],
        metavar="PATH",
        help="offer a controller by HCI H4 on a pty linked at PATH; repeatable",
    )
    parser.add_argument("--bus-dir", metavar="DIR", help="start a private D-Bus in DIR")
    parser.add_argument(
        "--end-with-parent", action="store_true", help="end when the starting process ends"
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args(arguments)


async def _serve(options: argparse.Namespace) -> None:
    radio = Radio(options.sock, Pace(options.interval, options.per_event), options.supervision)
    asked_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
    await radio.start(tuple(options.hci_pty))
    print("radio up", os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "-", flush=True)
    await asked_to_end.wait()
    await radio.close()


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 4 when there is no bus."""
    options = _parse(arguments)
    if options.end_with_parent:
        end_with_parent()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR)
    # It logs a traceback for every write without response that a dying tag did not take.
    logging.getLogger("bumble.gatt_server").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if options.bus_dir:
            try:
                bus = stack.enter_context(PrivateBus(options.bus_dir))
            except BusUnavailable as reason:
                print(f"radio: {reason}", file=sys.stderr)
                return 4
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
        asyncio.run(_serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
