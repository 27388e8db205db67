# SPDX-License-Identifier: MIT
"""One tag on its unix socket: a bumble peripheral driven by the tag's `bluetooth` module.

    socket open -> REGISTER -> on the air -> socket closed -> silent -> buried
                                                  (supervision timeout, or at once when
                                                   the same MAC registers again)

A tag that lost power sends nothing more: adverts stop at once, its links die when the
central's supervision timeout has passed. Advertising, values and queues stay on the tag.
"""

import asyncio
import collections
import contextlib
import json
import logging
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bumble import att, core, hci
from bumble.device import AdvertisingType, Connection, Device

from boards.virtual.radio import frames
from boards.virtual.radio.air import lose_link
from boards.virtual.radio.controller import PacedController, new_node
from boards.virtual.radio.gatt_table import register_services

if TYPE_CHECKING:
    from boards.virtual.radio.service import Radio

_log = logging.getLogger("radio.tag")
_ATT_TIMEOUT_S = 30  # Core 5.4 Vol 3 Part F 3.3.3
_ADVERT_INTERVAL_MIN_MS = 20
_INDICATION_TIMED_OUT = 13
_INDICATION_LOST = 7


class TagPort:
    """Serves one tag until its socket closes. `mac` is "" before it registered."""

    def __init__(
        self, radio: "Radio", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.mac = ""
        self.counts: collections.Counter[str] = collections.Counter()
        self.connections: dict[int, Connection] = {}
        self._radio, self._reader, self._writer = radio, reader, writer
        self._device: Device
        self._controller: PacedController | None = None
        self._characteristics: dict[int, Any] = {}
        self._asked: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._request = 0
        # One row a connection: for each push on its way, whether the tag gave a credit.
        self._pushes: dict[int, collections.deque[bool]] = {}
        self._sent: collections.Counter[int] = collections.Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_dead = False
        self._frames: dict[int, Callable[[bytes], Awaitable[None]]] = {
            frames.REGISTER: self._register,
            frames.MTU_WANTED: self._want_mtu,
            frames.SERVICES: self._services,
            frames.ADVERTISE: self._advertise,
            frames.NOTIFY: self._notify,
            frames.INDICATE: self._indicate,
            frames.UPDATE: self._update,
            frames.DISCONNECT: self._disconnect,
            frames.WRITE_ANSWER: self._answer,
            frames.READ_ANSWER: self._answer,
        }

    async def run(self) -> None:
        """Serves frames until the tag is gone; a frame that is not understood ends it too."""
        try:
            while True:
                kind, payload = await frames.read_frame(self._reader)
                await self._frames[kind](payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the tag lost power, or switched its radio off
        except (KeyError, ValueError, struct.error, core.BaseBumbleError):
            _log.exception("tag %s sent a frame that cannot be served", self.mac or "?")
        finally:
            self._fall_silent()

    @property
    def controller(self) -> PacedController | None:
        """Its controller, None before it registered."""
        return self._controller

    # Life of the controller.

    async def _register(self, payload: bytes) -> None:
        asked = json.loads(payload)
        digits = asked["mac"].upper()
        self.mac = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
        self._radio.bury_old(self.mac)
        self._radio.tags[self.mac] = self
        self._device, controller = new_node(
            "tag-" + self.mac, self.mac, self._radio.air, self._radio.pace
        )
        self._controller = controller
        controller.on_push_sent = self._push_sent
        self._device.gatt_server.max_mtu = asked["mtu"]
        self._device.on("connection", self._connected)
        await self._device.power_on()

    def _fall_silent(self) -> None:
        """The tag is gone: no advert from now on, its links end after the timeout."""
        self._is_dead = True
        self._writer.close()
        for future in self._asked.values():
            if not future.done():
                future.set_result((att.ATT_UNLIKELY_ERROR_ERROR, b""))
        if self._controller is None:
            return
        self._controller.is_mute = True
        self._controller.le_legacy_advertiser.stop()
        delay_s = self._radio.supervision_s if self.connections else 0
        asyncio.get_running_loop().call_later(delay_s, self.bury)

    def bury(self) -> None:
        """Ends the links of this tag at both ends and takes it off the air; idempotent."""
        self._is_dead = True
        if self._controller in self._radio.air.controllers:
            lose_link(self._controller, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
            self._radio.air.remove_controller(self._controller)
        if self._radio.tags.get(self.mac) is self:
            del self._radio.tags[self.mac]

    # Frames of the tag.

    async def _want_mtu(self, payload: bytes) -> None:
        self._device.gatt_server.max_mtu = int.from_bytes(payload, "little")

    async def _services(self, payload: bytes) -> None:
        self._characteristics = register_services(
            self._device, payload, self._read_of_tag, self._write_to_tag
        )

    async def _advertise(self, payload: bytes) -> None:
        asked = json.loads(payload)
        await self._device.stop_advertising()
        if asked is None:
            return
        if not asked["public"]:
            await self._take_address(asked["addr"])
        interval_ms = max(asked["us"] / 1000, _ADVERT_INTERVAL_MIN_MS)
        await self._device.start_advertising(
            AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
            if asked["conn"]
            else AdvertisingType.UNDIRECTED_SCANNABLE,
            own_address_type=hci.OwnAddressType.PUBLIC
            if asked["public"]
            else hci.OwnAddressType.RANDOM,
            advertising_data=bytes.fromhex(asked["adv"]),
            scan_response_data=bytes.fromhex(asked["resp"]),
            advertising_interval_min=interval_ms,
            advertising_interval_max=interval_ms,
        )

    async def _take_address(self, digits: str) -> None:
        """Advertises under another random address from now on; *digits* msb first."""
        address = hci.Address(bytes.fromhex(digits)[::-1], hci.Address.RANDOM_DEVICE_ADDRESS)
        if address != self._device.random_address:
            self._device.random_address = address
            await self._device.send_sync_command(
                hci.HCI_LE_Set_Random_Address_Command(random_address=address)
            )

    async def _notify(self, payload: bytes) -> None:
        handle, value_handle = struct.unpack_from("<HH", payload)
        await self._push(handle, value_handle, payload[4:], has_credit=True)

    async def _push(self, handle: int, value_handle: int, value: bytes, has_credit: bool) -> None:
        connection = self.connections.get(handle)
        if connection is not None:
            self.counts["notify"] += 1
            self._pushes[handle].append(has_credit)
            # Whether or not the central subscribed: NimBLE does not look either.
            await self._device.notify_subscriber(
                connection, self._characteristics[value_handle], value, force=True
            )

    async def _indicate(self, payload: bytes) -> None:
        handle, value_handle = struct.unpack_from("<HH", payload)
        self._start(self._indicate_one(handle, value_handle, payload[4:], has_credit=True))

    async def _indicate_one(
        self, handle: int, value_handle: int, value: bytes, has_credit: bool
    ) -> None:
        connection = self.connections.get(handle)
        if connection is None:
            return
        status = 0
        self._pushes[handle].append(has_credit)
        try:
            await self._device.indicate_subscriber(
                connection, self._characteristics[value_handle], value, force=True
            )
        except TimeoutError:
            status = _INDICATION_TIMED_OUT
        except (core.BaseBumbleError, asyncio.CancelledError):
            status = _INDICATION_LOST
        if self.connections.get(handle) is connection:
            self._send(frames.INDICATED, struct.pack("<HHB", handle, value_handle, status))

    async def _update(self, payload: bytes) -> None:
        """gatts_write(send_update=True): to whoever subscribed, without a credit."""
        value_handle = int.from_bytes(payload[:2], "little")
        characteristic = self._characteristics[value_handle]
        for handle, connection in list(self.connections.items()):
            subscribed = self._device.gatt_server.subscribers.get(connection, {})
            wish = subscribed.get(characteristic.handle, b"\0")[0]
            if wish & 1:
                await self._push(handle, value_handle, payload[2:], has_credit=False)
            elif wish & 2:
                self._start(self._indicate_one(handle, value_handle, payload[2:], False))

    async def _disconnect(self, payload: bytes) -> None:
        connection = self.connections.get(int.from_bytes(payload, "little"))
        if connection is not None:
            self._start(_end(connection))

    async def _answer(self, payload: bytes) -> None:
        request, status = struct.unpack_from("<HB", payload)
        future = self._asked.pop(request, None)
        if future is not None and not future.done():
            future.set_result((status, payload[3:]))

    # Events for the tag.

    def _connected(self, connection: Connection) -> None:
        if self._is_dead:
            return
        handle, peer = connection.handle, connection.peer_address
        self.connections[handle] = connection
        self._pushes[handle] = collections.deque()
        head = struct.pack("<HB", handle, int(peer.is_random))
        self._send(frames.CONNECTED, head + bytes(reversed(peer.address_bytes)))
        connection.on(
            "connection_att_mtu_update",
            lambda: self._send(frames.MTU_AGREED, struct.pack("<HH", handle, connection.att_mtu)),
        )
        connection.on("disconnection", lambda reason: self._disconnected(handle))

    def _disconnected(self, handle: int) -> None:
        self.connections.pop(handle, None)
        self._pushes.pop(handle, None)
        self._sent.pop(handle, None)
        self._send(frames.DISCONNECTED, struct.pack("<H", handle))

    def _push_sent(self, handle: int) -> None:
        """A notification left the controller: the tag may queue another one."""
        pushes = self._pushes.get(handle)
        if pushes and pushes.popleft():
            if not self._sent:  # one frame for all that one connection event carried
                asyncio.get_running_loop().call_soon(self._give_credits)
            self._sent[handle] += 1

    def _give_credits(self) -> None:
        for handle, count in self._sent.items():
            self._send(frames.SENT, struct.pack("<HH", handle, count))
        self._sent.clear()

    async def _write_to_tag(self, connection: Connection, handle: int, value: bytes) -> None:
        self.counts["write"] += 1
        status, _ = await self._ask(frames.WRITTEN, connection, handle, value)
        if status:
            raise att.ATT_Error(status)

    async def _read_of_tag(self, connection: Connection, handle: int) -> bytes:
        self.counts["read"] += 1
        status, value = await self._ask(frames.READ, connection, handle, b"")
        if status:
            raise att.ATT_Error(status)
        return value

    async def _ask(
        self, kind: int, connection: Connection, handle: int, value: bytes
    ) -> tuple[int, bytes]:
        """Returns (ATT status, value) once the tag's interrupt handler has run."""
        if self._is_dead:
            return att.ATT_UNLIKELY_ERROR_ERROR, b""
        self._request = request = self._request % 0xFFFF + 1
        future = asyncio.get_running_loop().create_future()
        self._asked[request] = future
        try:
            self._send(kind, struct.pack("<HHH", request, connection.handle, handle) + value)
            return await asyncio.wait_for(future, _ATT_TIMEOUT_S)
        except TimeoutError:
            return att.ATT_UNLIKELY_ERROR_ERROR, b""
        finally:
            self._asked.pop(request, None)

    def _send(self, kind: int, payload: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(frames.pack(kind, payload))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _end(connection: Connection) -> None:
    with contextlib.suppress(core.BaseBumbleError):  # it ended by itself meanwhile
        await connection.disconnect()
