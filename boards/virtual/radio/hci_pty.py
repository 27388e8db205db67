# SPDX-License-Identifier: MIT
"""A controller behind HCI H4 on a pseudo-terminal.

For a MicroPython with a `bluetooth` of its own (unix port with NimBLE): it opens the path
as its BLE UART (MICROPYBTUART), and nothing of ours stands between aioble and the
controller. One host at a time.

    absent --host opens the terminal--> present --last descriptor closed--> absent

A host that is gone has lost its power: it is not heard any more, its links end after the
supervision time, and half a packet, in either direction, never meets the next host. Close
takes the terminal from the controller before the file descriptor goes: a number that is
used again must never get late packets.
"""

import asyncio
import errno
import os
import pty
import select
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from bumble import hci
from bumble.transport.common import PacketParser

from boards.virtual.radio.air import Air, lose_link
from boards.virtual.radio.controller import Pace, PacedController

_READ_SIZE = 4096
_LATE_SIZE_MAX = 65536  # bytes kept for a host that does not read
_ABSENT_POLL_S = 0.02


class HciPty:
    """The controllers of one terminal, one for each life of its host; `path` links to it."""

    def __init__(
        self,
        air: Air,
        path: str,
        number: int,
        pace: Pace,
        supervision_s: Callable[[], float],
    ) -> None:
        """Makes the terminal; a controller has the public address C0:FF:EE:01:00:number."""
        self._air, self._path, self._supervision_s = air, path, supervision_s
        self._name = f"hci-{number}"
        self._address = hci.Address(
            f"C0:FF:EE:01:00:{number & 0xFF:02X}", hci.Address.PUBLIC_DEVICE_ADDRESS
        )
        self.pace = pace
        self._loop = asyncio.get_running_loop()
        self._controller: PacedController | None = None
        self._parser = PacketParser()
        self._late = bytearray()
        self._is_present = False
        self._looking: asyncio.TimerHandle | None = None
        self._primary, replica = pty.openpty()
        tty.setraw(replica)
        self._terminal = os.ttyname(replica)
        os.close(replica)  # else the end of a host would not be seen
        os.set_blocking(self._primary, False)
        Path(path).unlink(missing_ok=True)
        Path(path).symlink_to(self._terminal)
        self._await_host()

    @property
    def controller(self) -> PacedController | None:
        """That of the present host, or of the last one; None before the first."""
        return self._controller

    def set_pace(self, pace: Pace) -> None:
        """Changes the pace, of a connected host too."""
        self.pace = pace
        if self._controller is not None:
            self._controller.pace = pace

    # ---- a host comes and goes

    def _await_host(self) -> None:
        """Looks for a host again and again: a terminal tells nobody that it was opened."""
        hang_up = select.poll()
        hang_up.register(self._primary, 0)
        if hang_up.poll(0):
            self._looking = self._loop.call_later(_ABSENT_POLL_S, self._await_host)
            return
        self._bury(self._controller)  # the same tag, up again: its old links are gone
        controller = PacedController(
            self._name, self._air, self.pace, public_address=self._address
        )
        controller.host = self
        self._controller = controller
        self._parser = PacketParser(controller)
        self._is_present = True
        self._loop.add_reader(self._primary, self._readable)

    def _host_gone(self) -> None:
        """The tag's power is gone: no advert from now on, its links end after the timeout."""
        self._fall_silent()
        self._flush()
        self._loop.call_later(self._supervision_s(), self._bury, self._controller)
        self._await_host()

    def _fall_silent(self) -> None:
        self._is_present = False
        self._loop.remove_reader(self._primary)
        self._loop.remove_writer(self._primary)
        self._late.clear()
        if self._controller is not None:
            self._controller.is_mute = True
            self._controller.le_legacy_advertiser.stop()

    def _flush(self) -> None:
        """Drops what waits at the host's end for the host that is gone."""
        replica = os.open(self._terminal, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(replica, termios.TCIFLUSH)
        os.close(replica)

    def _bury(self, controller: PacedController | None) -> None:
        """Ends its links at both ends and takes it off the air; idempotent."""
        if controller in self._air.controllers:
            lose_link(controller, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
            self._air.remove_controller(controller)

    # ---- packets

    def on_packet(self, packet: bytes) -> None:
        """Takes one packet from the controller for the host."""
        if not self._is_present or len(self._late) + len(packet) > _LATE_SIZE_MAX:
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
        try:
            received = os.read(self._primary, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._host_gone()
            return
        self._parser.feed_data(received)

    def close(self) -> None:
        """Ends its links, then takes controller, terminal and link away, in this order."""
        self._fall_silent()
        self._bury(self._controller)
        if self._looking is not None:
            self._looking.cancel()
        os.close(self._primary)
        Path(self._path).unlink(missing_ok=True)
