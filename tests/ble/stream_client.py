# SPDX-License-Identifier: MIT
"""The receiving end of firmware/streamer.py on unmodified bleak, and small BLE helpers."""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

STREAM_NAME = "STREAM"
STREAM_SIZE = 100_000
WINDOW_SIZE = 32 * 240
EXPECTED = bytes((at * 7 + (at >> 8)) & 255 for at in range(STREAM_SIZE))
_SILENCE_S = 0.3
_SILENCES_MAX = 20


def uuid(number: int) -> str:
    """The test firmware's UUIDs: 1 service, 2 command, 3 stream, 4 indication."""
    return f"7b1e{number:04x}-3c5a-4a8e-9f10-aabbccddeeff"


async def find(
    name: str = STREAM_NAME,
    address: str | None = None,
    not_in: tuple[str, ...] = (),
    timeout_s: float = 8,
) -> BLEDevice:
    """Returns the first device heard under *name*, at *address* or at none of *not_in*."""

    def is_wanted(device: BLEDevice, advert: AdvertisementData) -> bool:
        is_there = address in (None, device.address) and device.address not in not_in
        return advert.local_name == name and is_there

    device = await BleakScanner.find_device_by_filter(is_wanted, timeout=timeout_s)
    assert device is not None, f"{name} {address or ''} was not heard"
    return device


async def until(is_met: Callable[[], bool], timeout_s: float = 3) -> None:
    """Waits for a fact that no event tells of."""
    async with asyncio.timeout(timeout_s):
        while not is_met():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class LinkLost(Exception):
    """The link ended in mid-stream."""


class Link:
    """A connected client that knows when the link has ended."""

    def __init__(self, device: BLEDevice) -> None:
        self.gone = asyncio.Event()
        self.client = BleakClient(device, disconnected_callback=lambda _: self.gone.set())

    @classmethod
    async def open(cls, name: str = STREAM_NAME, address: str | None = None) -> "Link":
        link = cls(await find(name, address))
        await link.client.connect()
        return link

    async def order(self, order: bytes, response: bool = True) -> None:
        """Writes a command. Raises LinkLost when the link has ended meanwhile."""
        try:
            await self.client.write_gatt_char(uuid(2), order, response=response)
        except BleakError as e:
            if self.client.is_connected:
                raise
            raise LinkLost from e

    async def wait_gone(self) -> None:
        await asyncio.wait_for(self.gone.wait(), 5)

    async def close(self) -> None:
        """Ends the link. Needed after a lost one, too: only this closes the client's bus."""
        await self.client.disconnect()

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self.close()


class StreamReceiver:
    """Receives from the first byte not held; counts what came twice or out of turn."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.doubled = self.missed = self.notifications = self.silences = 0
        self._arrived = asyncio.Event()

    def on_notification(self, _: object, value: bytearray) -> None:
        offset = struct.unpack_from("<I", value)[0]
        self.notifications += 1
        if offset == len(self.held):
            self.held += value[4:]
        elif offset < len(self.held):
            self.doubled += 1
        else:
            self.missed += 1
        self._arrived.set()

    async def subscribe(self, link: Link) -> None:
        await link.client.start_notify(uuid(3), self.on_notification)

    async def pull(
        self,
        link: Link,
        until: int = STREAM_SIZE,
        stop_at: int | None = None,
        on_stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Receives up to byte *until*; at byte *stop_at* runs *on_stop* once.

        Raises LinkLost when the link ends before that.
        """
        limit, silences = len(self.held) + WINDOW_SIZE, 0
        await link.order(self._start_order(until, limit))
        while len(self.held) < until:
            self._arrived.clear()
            # Before waiting: the first window can arrive before the write returns.
            if limit - len(self.held) <= WINDOW_SIZE // 2:
                limit, silences = len(self.held) + WINDOW_SIZE, 0
                await link.order(struct.pack("<BI", 2, limit), response=False)
                continue
            await self._wait(link)
            if link.gone.is_set():
                raise LinkLost
            if stop_at is not None and on_stop is not None and len(self.held) >= stop_at:
                stop_at = None
                await on_stop()
            if not self._arrived.is_set():
                silences += 1
                self.silences += 1
                assert silences < _SILENCES_MAX, f"nothing after byte {len(self.held)}"
                await link.order(self._repeat(silences, until, limit))

    def _repeat(self, silences: int, until: int, limit: int) -> bytes:
        """A write may have been lost in the tag's queue of ten: say it again."""
        return struct.pack("<BI", 2, limit) if silences % 3 else self._start_order(until, limit)

    def _start_order(self, until: int, limit: int) -> bytes:
        return struct.pack("<BIII", 1, len(self.held), until, limit)

    async def _wait(self, link: Link) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._arrived, link.gone)]
        await asyncio.wait(waits, timeout=_SILENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def check_complete(self) -> None:
        """Every byte once and right. Doubled bytes can only come from a resume."""
        assert bytes(self.held) == EXPECTED
        assert self.missed == 0
