# SPDX-License-Identifier: MIT
"""The radio link to one tag, over bleak: find, connect, send and receive whole messages.

A tag on a trip advertises an id that only its ticket holders can compute; in the depot it
shows a name made from one. Both are looked up among the 256 ids of each visit key.
Control messages are joined from their notifications; bulk frames come as they are; both
in the order in which they arrived, which the sync needs (docs/sync-protocol.md).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from sealtrail.errors import LinkError, TagAbsent
from sealwire import access, protocol
from sealwire.frames import FrameError, Joiner

_SCAN_TIMEOUT_S = 10.0
_FRESH_SCAN_S = 2.0
_CONNECT_TIMEOUT_S = 10.0
_OPEN_TIMEOUT_S = 13.0  # connecting and both subscriptions
_LEAVE_TIMEOUT_S = 2.0
_WRITE_TIMEOUT_S = 10.0
_QUEUE_COUNT_MAX = 8192  # frames; a window of 64 records at MTU 23 is 4,100
_WRITE_TRIES = 5
_WRITE_PAUSE_S = 0.06  # two connection intervals
# What bleak and its carriers raise when something is wrong with radio, bus or tag.
_RADIO_ERRORS = (BleakError, TimeoutError, OSError, EOFError)


@dataclass(frozen=True, slots=True)
class Inbound:
    """One whole control message, or one bulk frame."""

    is_bulk: bool
    content: bytes


class Link(Protocol):
    """What a visitor needs of a radio. Every method raises LinkError when the link fails."""

    async def connect(self) -> None:
        """Finds the tag and connects; after a loss it may be called again."""

    async def send(self, message: bytes) -> None:
        """Writes one control message of at most 512 bytes."""

    async def receive(self, timeout_s: float) -> Inbound | None:
        """The next message or frame; None when *timeout_s* brought none."""

    async def disconnect(self) -> None:
        """Ends the link. Never raises."""


class AdvertFilter:
    """Knows a tag's adverts: by the ids of its visit keys, or by name or address."""

    def __init__(
        self, visit_keys: Iterable[bytes], name: str | None = None, address: str | None = None
    ) -> None:
        hmacs = [access.Hmac(key) for key in visit_keys]
        self._ids = {
            access.advert_id(hmac, index)
            for hmac in hmacs
            for index in range(protocol.ADVERT_ID_COUNT)
        }
        self._names = {access.advert_name(identifier) for identifier in self._ids}
        self._name = name
        self._address = address.upper() if address else None

    def matches(self, device: BLEDevice, advert: AdvertisementData) -> bool:
        """True for an advert of the tag. A name alone is believed of a Sealtrail tag only."""
        if self._address is not None:
            return device.address.upper() == self._address
        if self._name is not None:
            return advert.local_name == self._name
        identifier = advert.manufacturer_data.get(protocol.COMPANY_ID)
        if identifier is not None:
            return identifier in self._ids
        is_ours = protocol.SERVICE_UUID in advert.service_uuids
        return is_ours and advert.local_name in self._names


class BleakLink:
    """A link over bleak's backend of this system. *scan_timeout_s* bounds the search."""

    def __init__(self, adverts: AdvertFilter, scan_timeout_s: float = _SCAN_TIMEOUT_S) -> None:
        self._adverts = adverts
        self._scan_timeout_s = scan_timeout_s
        self._client: BleakClient | None = None
        self._control: BleakGATTCharacteristic | None = None
        self._arrived: asyncio.Queue[Inbound | None] = asyncio.Queue()
        self._joiner = Joiner()
        self._is_overrun = False
        # A system's cache may show an address that the tag has left: others go first then.
        self._unreachable: set[str] = set()

    async def connect(self) -> None:
        """Scans, connects, subscribes. Raises LinkError in bounded time."""
        await self.disconnect()
        self._arrived = asyncio.Queue(_QUEUE_COUNT_MAX + 1)
        self._is_overrun = False
        try:
            device = await self._find()
            if device is None:
                raise TagAbsent(
                    f"the tag was not found on the air within {self._scan_timeout_s:g} s",
                    "Bring it nearer, or look longer with --wait; is the ticket for this tag?",
                )
            self._unreachable.add(device.address)
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await self._open(device)
            self._unreachable.clear()
        except _RADIO_ERRORS as problem:
            await self.disconnect()
            raise LinkError(
                f"no radio link: {_text(problem)}", "Go nearer to the tag and try again."
            ) from problem

    async def _find(self) -> BLEDevice | None:
        """An advert at a fresh address if there is one, else any advert of the tag."""

        def is_fresh(device: BLEDevice, advert: AdvertisementData) -> bool:
            is_known = device.address in self._unreachable
            return not is_known and self._adverts.matches(device, advert)

        left_s = self._scan_timeout_s
        if self._unreachable and left_s > _FRESH_SCAN_S:
            found = await BleakScanner.find_device_by_filter(is_fresh, _FRESH_SCAN_S)
            if found is not None:
                return found
            left_s -= _FRESH_SCAN_S
        return await BleakScanner.find_device_by_filter(self._adverts.matches, left_s)

    async def _open(self, device: BLEDevice) -> None:
        arrived = self._arrived

        def gone(_client: BleakClient) -> None:
            _put(arrived, None)

        client = BleakClient(device, disconnected_callback=gone, timeout=_CONNECT_TIMEOUT_S)
        self._client = client
        await client.connect()
        control = client.services.get_characteristic(protocol.CONTROL_UUID)
        bulk = client.services.get_characteristic(protocol.BULK_UUID)
        if control is None or bulk is None:
            raise BleakError("this device offers no Sealtrail service")
        self._control = control
        self._joiner = Joiner()
        # Bulk first: nothing is sent before both are subscribed.
        await client.start_notify(bulk, self._taker(is_bulk=True))
        await client.start_notify(control, self._taker(is_bulk=False))

    def _taker(self, is_bulk: bool) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        arrived = self._arrived

        def take(_characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            if arrived.qsize() >= _QUEUE_COUNT_MAX:
                self._is_overrun = True
                return
            _put(arrived, Inbound(is_bulk, bytes(value)))

        return take

    async def send(self, message: bytes) -> None:
        """Writes without response where it fits: a busy tag refuses writes that want one."""
        client, control = self._client, self._control
        if client is None or control is None:
            raise LinkError("not connected")
        wants_response = len(message) > control.max_write_without_response_size
        for attempt in range(_WRITE_TRIES):
            try:
                async with asyncio.timeout(_WRITE_TIMEOUT_S):
                    await client.write_gatt_char(control, message, response=wants_response)
                return
            except _RADIO_ERRORS as problem:
                if not client.is_connected or attempt == _WRITE_TRIES - 1:
                    raise LinkError(f"not sent: {_text(problem)}", "Try again.") from problem
            # ATT error 0x11: the tag's buffers were full of the stream. Never half-applied.
            await asyncio.sleep(_WRITE_PAUSE_S)

    async def receive(self, timeout_s: float) -> Inbound | None:
        """What arrived before a loss of the link is still given out, then LinkError."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    inbound = self._join(await self._next())
                    if inbound is not None:
                        return inbound
        except TimeoutError:
            return None

    async def _next(self) -> Inbound:
        if self._is_overrun:
            raise LinkError("the tag sends faster than this computer takes it", "Try again.")
        inbound = await self._arrived.get()
        if inbound is None:
            _put(self._arrived, None)  # for whoever asks next
            raise LinkError("the link to the tag was lost", "Go nearer and repeat; it resumes.")
        return inbound

    def _join(self, inbound: Inbound) -> Inbound | None:
        if inbound.is_bulk:
            return inbound
        try:
            message = self._joiner.feed(inbound.content)
        except FrameError:
            return None  # A part was lost: the command will be said again.
        return None if message is None else Inbound(False, message)

    async def disconnect(self) -> None:
        """Ends the link; a dead one too."""
        client, self._client, self._control = self._client, None, None
        if client is not None:
            with contextlib.suppress(*_RADIO_ERRORS):
                async with asyncio.timeout(_LEAVE_TIMEOUT_S):
                    await client.disconnect()


def _put(arrived: "asyncio.Queue[Inbound | None]", inbound: Inbound | None) -> None:
    with contextlib.suppress(asyncio.QueueFull):
        arrived.put_nowait(inbound)


def _text(problem: BaseException) -> str:
    """What went wrong, for people: no class names, no D-Bus."""
    text = str(problem)
    if isinstance(problem, TimeoutError):
        return "the tag did not answer"
    if isinstance(problem, EOFError):
        return "this computer's Bluetooth service went away"
    if "le-connection-abort" in text or "failed to discover services" in text:
        return "the tag went away while connecting"
    return text or "this computer's Bluetooth gave no reason"
