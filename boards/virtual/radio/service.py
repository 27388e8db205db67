# SPDX-License-Identifier: MIT
"""The radio as a whole: the air, the tags' socket, the control socket, the facade."""

import asyncio
import os
from pathlib import Path
from typing import Any

from bumble import hci

from boards.virtual.radio.air import Air, lose_link
from boards.virtual.radio.bluez import BlueZ
from boards.virtual.radio.control import serve_control
from boards.virtual.radio.controller import Pace, new_node
from boards.virtual.radio.hci_pty import HciPty
from boards.virtual.radio.tag_port import TagPort

_CLOSE_TIMEOUT_S = 1
_CENTRAL_MAC = "C0:00:00:00:00:01"


class Radio:
    """Everything on one Air. `tags` holds the tags on the air by MAC, ghosts included."""

    def __init__(self, radio_socket: str, pace: Pace, supervision_s: float) -> None:
        self.air = Air()
        self.pace = pace
        self.supervision_s = supervision_s
        self.tags: dict[str, TagPort] = {}
        self._socket = radio_socket
        self._servers: list[asyncio.Server] = []
        self._serving: set[asyncio.Task[Any]] = set()
        self._ptys: list[HciPty] = []

    async def start(self, hci_ptys: tuple[str, ...] = ()) -> None:
        """Listens for tags; owns org.bluez when DBUS_SYSTEM_BUS_ADDRESS is set."""
        self._remove_sockets()
        self._servers = [
            await asyncio.start_unix_server(self._tag, self._socket),
            await asyncio.start_unix_server(
                lambda reader, writer: serve_control(self, reader, writer), self._socket + ".ctl"
            ),
        ]
        for number, path in enumerate(hci_ptys):
            self._ptys.append(
                HciPty(self.air, path, number, self.pace, lambda: self.supervision_s)
            )
        if os.environ.get("DBUS_SYSTEM_BUS_ADDRESS"):
            # The central's own packets are not paced: a round trip costs one interval.
            device, _ = new_node("central", _CENTRAL_MAC, self.air, Pace())
            await device.power_on()
            await BlueZ(device).start()

    async def _tag(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await TagPort(self, reader, writer).run()
        except asyncio.CancelledError:
            pass  # close() ends it: the radio goes off, and a tag hears that by itself
        finally:
            self._serving.discard(task)

    def bury_old(self, mac: str) -> None:
        """A tag registers: whatever link its life before still holds ends now."""
        old = self.tags.get(mac)
        if old is not None:
            old.bury()

    def lose_links(self, mac: str = "") -> None:
        """Every link is lost, or those of the tag *mac*; tags on a terminal have no MAC here."""
        tags = [tag for key, tag in self.tags.items() if mac in ("", key)]
        for place in [*tags, *(self._ptys if not mac else [])]:
            if place.controller is not None:
                lose_link(place.controller, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def set_pace(self, pace: Pace) -> None:
        """Changes the pace of every tag, connected ones too."""
        self.pace = pace
        for tag in self.tags.values():
            if tag.controller is not None:
                tag.controller.pace = pace
        for pty in self._ptys:
            pty.set_pace(pace)

    async def close(self) -> None:
        """Lets go of every tag and removes what lies in the file system."""
        for server in self._servers:
            server.close()
        for task in self._serving:
            task.cancel()
        # wait_for() of Python 3.11 can swallow a cancel (an answer that is just there);
        # asyncio.run() then gives the second one.
        if self._serving:
            await asyncio.wait(self._serving, timeout=_CLOSE_TIMEOUT_S)
        for pty in self._ptys:
            pty.close()
        self._remove_sockets()

    def _remove_sockets(self) -> None:
        for path in (self._socket, self._socket + ".ctl"):
            Path(path).unlink(missing_ok=True)
