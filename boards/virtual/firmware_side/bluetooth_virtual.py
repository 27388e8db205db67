# SPDX-License-Identifier: MIT
"""The `bluetooth` module of the virtual board: a GATT server whose radio is another process.

Source: MicroPython docs/library/bluetooth.rst. Values, buffers and handles live here; the
radio (boards/virtual/radio) carries bytes and asks for every read and write. A remote
write is stored, then the handler runs, then the response goes out, as on an ESP32.

When handlers run: (1) in a task that asyncio's own poller wakes, (2) inside blocking
time.sleep* when the turnable clock is there, (3) in BLE.poll(). Never in between.

Queued notifications are lost at a disconnect; a full queue raises ENOMEM, a connection
that ended ENOTCONN. KNOWN LIMIT: peripheral role only; no pairing, no L2CAP channels.

Environment: VTAG_RADIO path of the radio's socket, VTAG_MAC twelve hex digits, VTAG_TXQ
notifications in flight before ENOMEM (default 12).
"""

import binascii
import json
import os
import struct

import bluetooth_link as link
from bluetooth_types import (  # noqa: F401  the module's public names
    FLAG_AUTHENTICATED_SIGNED_WRITE,
    FLAG_AUX_WRITE,
    FLAG_BROADCAST,
    FLAG_INDICATE,
    FLAG_NOTIFY,
    FLAG_READ,
    FLAG_READ_AUTHENTICATED,
    FLAG_READ_AUTHORIZED,
    FLAG_READ_ENCRYPTED,
    FLAG_WRITE,
    FLAG_WRITE_AUTHENTICATED,
    FLAG_WRITE_AUTHORIZED,
    FLAG_WRITE_ENCRYPTED,
    FLAG_WRITE_NO_RESPONSE,
    UUID,
    AttributeTable,
    hex_of,
    raw_of,
)
from micropython import const

_IRQ_CENTRAL_CONNECT = const(1)
_IRQ_CENTRAL_DISCONNECT = const(2)
_IRQ_GATTS_WRITE = const(3)
_IRQ_GATTS_READ_REQUEST = const(4)
_IRQ_GATTS_INDICATE_DONE = const(20)
_IRQ_MTU_EXCHANGED = const(21)

_ADDRESS_PUBLIC = const(0)
_ADDRESS_STATIC = const(1)
_ADDRESS_RESOLVABLE = const(2)
_ADDRESS_NON_RESOLVABLE = const(3)

_ENOMEM = const(12)
_ENODEV = const(19)
_EINVAL = const(22)
_ENOTCONN = const(107)
_ATT_UNLIKELY = const(0x0E)
_ADVERT_SIZE_MAX = const(31)


def _environment(name: str, default: str) -> str:
    return os.getenv(name) or default


def _blocking_hooks() -> list:
    """The turnable clock's list of functions that blocking sleeps run, or a list of nobody's."""
    try:
        import turnable_clock
    except ImportError:
        return []
    return turnable_clock.hooks


class BLE:
    """The radio of this tag; there is one."""

    _instance = None

    def __new__(cls):
        if BLE._instance is None:
            BLE._instance = one = object.__new__(cls)
            one._link = None
            one._handler = None
            one._settings = {
                "gap_name": b"MPY BTSTACK",
                "mtu": 256,
                "rxbuf": 0,
                "addr_mode": _ADDRESS_PUBLIC,
                "bond": False,
                "mitm": False,
                "io": 3,
                "le_secure": False,
            }
            one._static = os.urandom(6)
            one._mac = binascii.unhexlify(_environment("VTAG_MAC", "c0ffee000002"))
            one._queue_max = int(_environment("VTAG_TXQ", "12"))
            one._forget()
        return BLE._instance

    def _forget(self) -> None:
        self._attributes = AttributeTable()
        self._peers = {}
        self._adverts = (b"", b"")
        self._address = self._mac
        self._loop_queue = None
        self._reader_task = None
        self._is_polling = False

    # Power.

    def active(self, on: bool | None = None) -> bool:
        """Switches the radio. Raises OSError(ENODEV) when there is no radio process."""
        if on is None:
            return self._link is not None
        if on and self._link is None:
            self._forget()
            try:
                self._link = link.RadioLink(_environment("VTAG_RADIO", ""))
            except OSError:
                raise OSError(_ENODEV)
            asked = {"mac": hex_of(self._mac), "mtu": self._settings["mtu"]}
            self._send(link.REGISTER, json.dumps(asked).encode())
            self._attach()
            _blocking_hooks().append(self.poll)
        elif not on and self._link is not None:
            self._close()
        return self._link is not None

    def _close(self) -> None:
        open_link, self._link = self._link, None
        hooks = _blocking_hooks()
        if self.poll in hooks:
            hooks.remove(self.poll)
        if self._reader_task:
            try:
                self._reader_task.cancel()
            except RuntimeError:
                pass  # it is the task that found the radio gone
        open_link.close()
        self._forget()

    def _send(self, kind: int, payload: bytes) -> None:
        if self._link is None:
            raise OSError(_ENODEV)
        self._link.send(kind, payload)

    # Interrupts.

    def _attach(self) -> None:
        """Puts a reader task on the current asyncio loop; again if firmware made a new one."""
        from asyncio import core

        if self._link and self._loop_queue is not core._task_queue:
            self._loop_queue = core._task_queue
            self._reader_task = core.create_task(self._read(core))

    async def _read(self, core):
        this = self._link
        while self._link is this:
            yield core._io_queue.queue_read(this.socket)
            if self._link is this:
                self.poll()

    def poll(self) -> None:
        """Runs the handler for everything the radio has sent."""
        if self._link is None or self._is_polling:
            return
        self._is_polling = True
        try:
            self._link.receive()
            while self._link and self._link.events:
                self._event(*self._link.events.pop(0))
        finally:
            self._is_polling = False

    async def _poll_soon(self):
        self.poll()

    def _event(self, kind: int, payload: bytes) -> None:
        if kind == link.WRITTEN:
            self._written(payload)
        elif kind == link.READ:
            self._asked(payload)
        elif kind == link.CONNECTED:
            handle, address_type = struct.unpack_from("<HB", payload)
            self._peers[handle] = (address_type, payload[3:9])
            self._tell_peer(_IRQ_CENTRAL_CONNECT, handle)
        elif kind == link.DISCONNECTED:
            self._peer_gone(struct.unpack("<H", payload)[0])
        elif kind == link.MTU_AGREED:
            self._interrupt(_IRQ_MTU_EXCHANGED, struct.unpack("<HH", payload))
        elif kind == link.INDICATED:
            self._interrupt(_IRQ_GATTS_INDICATE_DONE, struct.unpack("<HHB", payload))
        elif kind == link.LINK_DOWN:
            for handle in list(self._peers):
                self._peer_gone(handle)
            if self._link:
                self._close()

    def _interrupt(self, event: int, event_data: tuple):
        if self._handler:
            return self._handler(event, event_data)
        return None

    def _tell_peer(self, event: int, handle: int) -> None:
        address_type, address = self._peers[handle]
        # Valid inside the handler only, as on a board: who keeps it must copy it.
        borrowed = bytearray(address)
        self._interrupt(event, (handle, address_type, memoryview(borrowed)))
        borrowed[:] = bytes(6)

    def _peer_gone(self, handle: int) -> None:
        if handle in self._peers:
            self._tell_peer(_IRQ_CENTRAL_DISCONNECT, handle)
            self._peers.pop(handle, None)

    def _written(self, payload: bytes) -> None:
        request, connection, handle = struct.unpack_from("<HHH", payload)
        attribute, status = self._attributes.find(handle), _ATT_UNLIKELY
        if attribute is not None and connection in self._peers:
            before = attribute.value if attribute.append else b""
            attribute.value = (before + payload[6:])[: attribute.size_max]
            self._interrupt(_IRQ_GATTS_WRITE, (connection, handle))
            status = 0
        if self._link:
            self._send(link.WRITE_ANSWER, struct.pack("<HB", request, status))

    def _asked(self, payload: bytes) -> None:
        request, connection, handle = struct.unpack("<HHH", payload)
        attribute, status, value = self._attributes.find(handle), _ATT_UNLIKELY, b""
        if attribute is not None and connection in self._peers:
            status = self._interrupt(_IRQ_GATTS_READ_REQUEST, (connection, handle)) or 0
            value = b"" if status else attribute.value
        if self._link:
            self._send(link.READ_ANSWER, struct.pack("<HB", request, status) + value)

    def irq(self, handler) -> None:
        """Sets the function that gets (event, data), or None."""
        self._handler = handler

    # Settings and adverts.

    def config(self, *names: str, **settings):
        """Returns the setting named, or changes settings. ValueError for an unknown one."""
        if names:
            if names[0] == "mac":
                mode = self._settings["addr_mode"]
                return (int(mode != _ADDRESS_PUBLIC), self._address)
            if names[0] not in self._settings:
                raise ValueError("unknown config param")
            return self._settings[names[0]]
        for name, value in settings.items():
            self._configure(name, value)

    def _configure(self, name: str, value) -> None:
        if name not in self._settings:
            raise ValueError("unknown config param")
        if name == "mtu" and not 23 <= value <= 517:
            raise OSError(_EINVAL)
        if name == "addr_mode" and not 0 <= value <= _ADDRESS_NON_RESOLVABLE:
            raise OSError(_EINVAL)
        self._settings[name] = raw_of(value) if name == "gap_name" else value
        if name == "addr_mode":
            # As NimBLE does: asking for a static address draws a new one each time.
            self._static = os.urandom(6)
            self._take_address()
        elif name == "mtu" and self._link:
            self._send(link.MTU_WANTED, struct.pack("<H", value))

    def _take_address(self) -> None:
        """Chooses the address to advertise by; Core 5.4 Vol 6 Part B 1.3.2."""
        mode = self._settings["addr_mode"]
        if mode == _ADDRESS_PUBLIC:
            self._address = self._mac
        elif mode == _ADDRESS_STATIC:
            self._address = bytes([self._static[0] | 0xC0]) + self._static[1:]
        else:
            top = 0x40 if mode == _ADDRESS_RESOLVABLE else 0x00
            fresh = os.urandom(6)
            self._address = bytes([fresh[0] & 0x3F | top]) + fresh[1:]

    def gap_advertise(
        self, interval_us, adv_data=None, *, resp_data=None, connectable: bool = True
    ) -> None:
        """Advertises, or stops with *interval_us* None. Data not given stays as it was.

        In address modes 2 and 3 every call takes a new address.
        """
        if interval_us is None:
            return self._send(link.ADVERTISE, b"null")
        self._attach()
        advert = self._adverts[0] if adv_data is None else raw_of(adv_data)
        response = self._adverts[1] if resp_data is None else raw_of(resp_data)
        if len(advert) > _ADVERT_SIZE_MAX or len(response) > _ADVERT_SIZE_MAX:
            raise OSError(_EINVAL)
        self._adverts = (advert, response)
        self._take_address()
        asked = {
            "us": interval_us,
            "adv": hex_of(advert),
            "resp": hex_of(response),
            "conn": bool(connectable),
            "addr": hex_of(self._address),
            "public": self._settings["addr_mode"] == _ADDRESS_PUBLIC,
        }
        self._send(link.ADVERTISE, json.dumps(asked).encode())

    # GATT server.

    def gatts_register_services(self, services) -> tuple:
        """Replaces all services; returns the value handles, one tuple a service."""
        rows, handles = self._attributes.register(services)
        asked = {"name": self._settings["gap_name"].decode(), "services": rows}
        self._send(link.SERVICES, json.dumps(asked).encode())
        return handles

    def gatts_read(self, value_handle: int) -> bytes:
        """Returns the stored value; an appending buffer is empty afterwards."""
        attribute = self._attributes.get(value_handle)
        value = attribute.value
        if attribute.append:
            attribute.value = b""
        return value

    def gatts_write(self, value_handle: int, data, send_update: bool = False) -> None:
        """Stores a value; *send_update* tells every subscriber."""
        attribute = self._attributes.get(value_handle)
        attribute.value = value = raw_of(data)
        attribute.size_max = max(attribute.size_max, len(value))
        if send_update:
            self._send(link.UPDATE, struct.pack("<H", value_handle) + value)

    def gatts_set_buffer(self, value_handle: int, size: int, append: bool = False) -> None:
        """Sets how many bytes a value may have, and empties it."""
        attribute = self._attributes.get(value_handle)
        attribute.size_max, attribute.append, attribute.value = size, append, b""

    def gatts_notify(self, conn_handle: int, value_handle: int, data=None) -> None:
        """Queues a notification, subscribed or not. "ok" means queued, not received.

        Raises OSError ENOMEM when the queue is full, ENOTCONN when the link has ended.
        """
        self._push(link.NOTIFY, conn_handle, value_handle, data)

    def gatts_indicate(self, conn_handle: int, value_handle: int, data=None) -> None:
        """Queues an indication; IRQ 20 tells how it went."""
        self._push(link.INDICATE, conn_handle, value_handle, data)

    def _push(self, kind: int, connection: int, handle: int, data) -> None:
        if connection is None:
            raise TypeError("can't convert NoneType to int")
        if self._link is None or connection not in self._link.in_flight:
            raise OSError(_ENOTCONN)
        if self._link.in_flight[connection] >= self._queue_max:
            self._take_credits()
            if connection not in self._link.in_flight:
                raise OSError(_ENOTCONN)
            if self._link.in_flight[connection] >= self._queue_max:
                raise OSError(_ENOMEM)
        self._link.in_flight[connection] += 1
        value = self._attributes.get(handle).value if data is None else raw_of(data)
        self._send(kind, struct.pack("<HH", connection, handle) + value)

    def _take_credits(self) -> None:
        """Credits come without the loop's help, as from NimBLE's task; handlers run later."""
        self._link.receive()
        if self._link.events:
            self._attach()
            from asyncio import core

            core.create_task(self._poll_soon())

    def gap_disconnect(self, conn_handle: int) -> bool:
        """Asks for the end of a connection; False when there is none."""
        if conn_handle not in self._peers:
            return False
        self._send(link.DISCONNECT, struct.pack("<H", conn_handle))
        return True
