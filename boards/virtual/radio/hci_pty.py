# SPDX-License-Identifier: MIT
"""A controller behind HCI H4 on a pseudo-terminal.

For a MicroPython with a `bluetooth` of its own (unix port with NimBLE): it opens the path
as its BLE UART (MICROPYBTUART), and nothing of ours stands between aioble and the
controller. One host at a time; a host that starts again sends HCI Reset, which ends the
links of its former life. Close takes the terminal from the controller before the file
descriptor goes: a number that is used again must never get late packets.
"""

import asyncio
import contextlib
import os
import pty
import tty
from pathlib import Path

from bumble import hci
from bumble.transport.common import PacketParser

from boards.virtual.radio.air import Air, lose_link
from boards.virtual.radio.controller import Pace, PacedController

_READ_SIZE = 4096
_LATE_SIZE_MAX = 65536  # bytes kept for a host that does not read


class HciPty:
    """One controller and its terminal; `path` is a symbolic link to the terminal."""

    def __init__(self, controller: PacedController, primary: int, replica: int, path: str) -> None:
        self.controller = controller
        self._primary, self._replica, self._path = primary, replica, path
        self._parser = PacketParser(controller)
        self._late = bytearray()
        self._is_closed = False
        self._loop = asyncio.get_running_loop()

    @classmethod
    def open(cls, air: Air, path: str, number: int, pace: Pace) -> "HciPty":
        """Makes the terminal and a controller with the public address C0:FF:EE:01:00:number."""
        primary, replica = pty.openpty()
        tty.setraw(primary)
        tty.setraw(replica)
        os.set_blocking(primary, False)
        address = hci.Address(
            f"C0:FF:EE:01:00:{number & 0xFF:02X}", hci.Address.PUBLIC_DEVICE_ADDRESS
        )
        controller = PacedController(f"hci-{number}", air, pace, public_address=address)
        self = cls(controller, primary, replica, path)
        controller.host = self
        self._loop.add_reader(primary, self._readable)
        self._link()
        return self

    def _link(self) -> None:
        Path(self._path).unlink(missing_ok=True)
        Path(self._path).symlink_to(os.ttyname(self._replica))

    def on_packet(self, packet: bytes) -> None:
        """Takes one packet from the controller for the host."""
        if self._is_closed or len(self._late) + len(packet) > _LATE_SIZE_MAX:
            return  # nobody reads: as on a UART without flow control, it is lost
        self._late += packet
        self._writable()

    def _writable(self) -> None:
        try:
            while self._late:
                count = os.write(self._primary, self._late)
                del self._late[:count]
        except BlockingIOError:
            self._loop.add_writer(self._primary, self._writable)
            return
        self._loop.remove_writer(self._primary)

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._parser.feed_data(os.read(self._primary, _READ_SIZE))

    def close(self) -> None:
        """Ends its links, then takes controller, terminal and link away, in this order."""
        self._is_closed = True
        self.controller.host = None
        self.controller.le_legacy_advertiser.stop()
        lose_link(self.controller, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        self._loop.remove_reader(self._primary)
        self._loop.remove_writer(self._primary)
        os.close(self._primary)
        os.close(self._replica)
        Path(self._path).unlink(missing_ok=True)
