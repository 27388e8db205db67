# SPDX-License-Identifier: MIT
# ruff: noqa: B905, F401, RUF037, UP041  MicroPython, and aioble's own signatures
"""Stand-in for aioble on the virtual board, where aioble itself cannot be had.

The peripheral half of aioble's documented API (micropython-lib, micropython/bluetooth/
aioble/README.md): same names, same exceptions, none of its source. Traps that firmware
must meet are kept: one queue of ten captured writes for all characteristics, the oldest
dropped silently; a captured write that nobody awaits blocks all behind it; 20 bytes in a
plain characteristic; 30 bytes of fields in an advert.
tests/ble/test_aioble_conformance.py runs one script on both and compares.

Interrupt handlers of the virtual `bluetooth` run on the loop's own thread, so plain events
do. KNOWN LIMIT: no central role, no security, no L2CAP channels.
"""

import asyncio
from collections import deque

import bluetooth
from aioble_adverts import build_adverts
from aioble_device import Device, DeviceConnection, DeviceDisconnectedError, Timeout
from micropython import const

_IRQ_CENTRAL_CONNECT = const(1)
_IRQ_CENTRAL_DISCONNECT = const(2)
_IRQ_GATTS_WRITE = const(3)
_IRQ_GATTS_READ_REQUEST = const(4)
_IRQ_GATTS_INDICATE_DONE = const(20)
_IRQ_MTU_EXCHANGED = const(21)

_CAPTURE_COUNT_MAX = const(10)

ADDR_PUBLIC = const(0)
ADDR_RANDOM = const(1)


class GattError(Exception):
    """The peer refused; `_status` is the ATT or GATT status."""

    def __init__(self, status):
        super().__init__(status)
        self._status = status


class _Radio:
    """What the interrupt handler finds its way by."""

    def __init__(self):
        self.ble = bluetooth.BLE()
        self.attributes = {}  # characteristics and descriptors by value handle
        self.connections = {}
        self.incoming = []
        self.connected = asyncio.Event()
        self.captured = deque((), _CAPTURE_COUNT_MAX)
        self.capture_changed = asyncio.Event()

    def start(self):
        if not self.ble.active():
            self.ble.irq(self.interrupt)
            self.ble.active(True)

    def interrupt(self, event, event_data):
        if event == _IRQ_CENTRAL_CONNECT:
            handle, address_type, address = event_data
            connection = DeviceConnection(Device(address_type, bytes(address)), handle)
            self.connections[handle] = connection
            self.incoming.append(connection)
            self.connected.set()
        elif event == _IRQ_CENTRAL_DISCONNECT:
            connection = self.connections.pop(event_data[0], None)
            if connection:
                connection._end()
        elif event == _IRQ_MTU_EXCHANGED:
            if event_data[0] in self.connections:
                self.connections[event_data[0]].mtu = event_data[1]
        else:
            return self._attribute_interrupt(event, event_data)
        return None

    def _attribute_interrupt(self, event, event_data):
        attribute = self.attributes.get(event_data[1])
        connection = self.connections.get(event_data[0])
        if attribute is None or connection is None:
            return None
        if event == _IRQ_GATTS_WRITE:
            attribute._note_write(connection)
        elif event == _IRQ_GATTS_READ_REQUEST:
            return attribute.on_read(connection)
        elif event == _IRQ_GATTS_INDICATE_DONE:
            attribute._note_indicated(connection, event_data[2])
        return None


_radio = _Radio()


def config(*args, **kwargs):
    """bluetooth.BLE.config(), with the radio switched on first."""
    _radio.start()
    return _radio.ble.config(*args, **kwargs)


def stop():
    """Switches the radio off; connections end."""
    _radio.ble.active(False)


class Service:
    """A list of characteristics under one UUID."""

    def __init__(self, uuid):
        self.uuid = uuid
        self.characteristics = []


class _Attribute:
    """A value that remotes may read and write."""

    _size_max, _append = None, False

    def __init__(self, uuid, flags, initial, capture=False):
        self.uuid, self.flags = uuid, flags
        self._initial, self._value_handle, self._capture = initial, None, capture
        self._writer = None
        self._written_event = asyncio.Event()

    def _register(self, value_handle):
        self._value_handle = value_handle
        _radio.attributes[value_handle] = self
        if self._size_max is not None:
            _radio.ble.gatts_set_buffer(value_handle, self._size_max, self._append)
        if self._initial is not None:
            _radio.ble.gatts_write(value_handle, self._initial)

    def on_read(self, connection):
        """Override: 0 lets the read pass, anything else is the ATT error to answer."""
        return 0

    def read(self):
        """Returns the stored value."""
        if self._value_handle is None:
            return self._initial or b""
        return _radio.ble.gatts_read(self._value_handle)

    def write(self, data, send_update=False):
        """Stores a value; *send_update* tells subscribers."""
        if self._value_handle is None:
            self._initial = data
        else:
            _radio.ble.gatts_write(self._value_handle, data, send_update)

    def _note_write(self, connection):
        if self._capture:
            # deque drops the oldest when full, captured writes of others included.
            _radio.captured.append((self, connection, self.read()))
            _radio.capture_changed.set()
        else:
            self._writer = connection
            self._written_event.set()

    async def written(self, timeout_ms=None):
        """Waits for a write. Returns its connection; with capture, (connection, bytes)."""
        with Timeout(None, timeout_ms):
            if self._capture:
                return await self._next_captured()
            await self._written_event.wait()
        self._written_event.clear()
        return self._writer

    async def _next_captured(self):
        while not (len(_radio.captured) and _radio.captured[0][0] is self):
            # The event stays set while the head is another's, so wait for a fresh one.
            _radio.capture_changed.clear()
            await _radio.capture_changed.wait()
        _, connection, value = _radio.captured.popleft()
        _radio.capture_changed.set()
        return connection, value


class Characteristic(_Attribute):
    """A characteristic of *service*; holds 20 bytes."""

    def __init__(
        self,
        service,
        uuid,
        read=False,
        write=False,
        write_no_response=False,
        notify=False,
        indicate=False,
        initial=None,
        capture=False,
    ):
        flags = (
            (bluetooth.FLAG_READ if read else 0)
            | (bluetooth.FLAG_WRITE if write else 0)
            | (bluetooth.FLAG_WRITE_NO_RESPONSE if write_no_response else 0)
            | (bluetooth.FLAG_NOTIFY if notify else 0)
            | (bluetooth.FLAG_INDICATE if indicate else 0)
        )
        super().__init__(uuid, flags, initial, capture)
        self.descriptors = []
        self._indicating = None  # connection while an indication is on its way
        self._indicated_event = asyncio.Event()
        self._indicated_status = None
        service.characteristics.append(self)

    def _rows(self):
        descriptors = tuple((row.uuid, row.flags) for row in self.descriptors)
        return (self.uuid, self.flags, descriptors) if descriptors else (self.uuid, self.flags)

    def notify(self, connection, data=None):
        """Queues a notification, the stored value by default; longer than MTU - 3 is cut."""
        if not self.flags & bluetooth.FLAG_NOTIFY:
            raise ValueError("Not supported")
        _radio.ble.gatts_notify(connection._conn_handle, self._value_handle, data)

    async def indicate(self, connection, data=None, timeout_ms=1000):
        """Sends an indication and waits for the confirmation. GattError if it did not come."""
        if not self.flags & bluetooth.FLAG_INDICATE:
            raise ValueError("Not supported")
        if self._indicating is not None:
            raise ValueError("In progress")
        if not connection.is_connected():
            raise ValueError("Not connected")
        self._indicating = connection
        self._indicated_event.clear()
        try:
            with connection.timeout(timeout_ms):
                _radio.ble.gatts_indicate(connection._conn_handle, self._value_handle, data)
                await self._indicated_event.wait()
                if self._indicated_status != 0:
                    raise GattError(self._indicated_status)
        finally:
            self._indicating = None

    def _note_indicated(self, connection, status):
        if self._indicating is connection:
            self._indicated_status = status
            self._indicated_event.set()


class BufferedCharacteristic(Characteristic):
    """A characteristic that holds *max_len* bytes; *append* collects writes until read."""

    def __init__(self, *args, max_len=20, append=False, **kwargs):
        super().__init__(*args, **kwargs)
        self._size_max, self._append = max_len, append


class Descriptor(_Attribute):
    """A descriptor of *characteristic*."""

    def __init__(self, characteristic, uuid, read=False, write=False, initial=None):
        flags = (bluetooth.FLAG_READ if read else 0) | (bluetooth.FLAG_WRITE if write else 0)
        super().__init__(uuid, flags, initial)
        characteristic.descriptors.append(self)


def register_services(*services):
    """Replaces all services of the tag."""
    _radio.start()
    _radio.attributes.clear()
    rows = tuple((s.uuid, tuple(c._rows() for c in s.characteristics)) for s in services)
    for service, handles in zip(services, _radio.ble.gatts_register_services(rows)):
        attributes = []
        for characteristic in service.characteristics:
            attributes.append(characteristic)
            attributes.extend(characteristic.descriptors)
        for attribute, handle in zip(attributes, handles):
            attribute._register(handle)


async def advertise(
    interval_us,
    adv_data=None,
    resp_data=None,
    connectable=True,
    limited_disc=False,
    br_edr=False,
    name=None,
    services=None,
    appearance=0,
    manufacturer=None,
    timeout_ms=None,
):
    """Advertises until a central connects and returns its DeviceConnection.

    Advertising stops with the connection, a timeout (asyncio.TimeoutError) or a cancel;
    as aioble's, a cancelled one returns None and swallows the CancelledError.
    """
    _radio.start()
    if not adv_data and not resp_data:
        adv_data, resp_data = build_adverts(
            limited_disc, br_edr, name, services, appearance, manufacturer
        )
    _radio.ble.gap_advertise(
        interval_us, adv_data=adv_data, resp_data=resp_data, connectable=connectable
    )
    try:
        with Timeout(None, timeout_ms):
            while not _radio.incoming:
                _radio.connected.clear()
                await _radio.connected.wait()
        return _radio.incoming.pop(0)
    except asyncio.CancelledError:
        _stop_advertising()
        return None
    except asyncio.TimeoutError as reason:
        _stop_advertising()
        raise reason


def _stop_advertising():
    if _radio.ble.active():
        _radio.ble.gap_advertise(None)
