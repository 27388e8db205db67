# SPDX-License-Identifier: MIT
"""One scan for all tags: who is in range, and a link that takes the device from it.

The adapter scans once, however many links there are: BlueZ refuses a program's second scan,
and 256 ids of every ticket are looked up in one table.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from sealtrail.errors import LinkError, one_line
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealwire import access, protocol

_FRESH_S = 20.0  # an advert older than this is no sign of the tag
_POLL_S = 0.1
_START_TIMEOUT_S = 10.0
_RADIO_ERRORS = (BleakError, TimeoutError, OSError, EOFError)


class AdvertTable:
    """Knows whose advert it is: *visit_keys* by tid."""

    def __init__(self, visit_keys: Mapping[bytes, Iterable[bytes]]) -> None:
        self._ids: dict[bytes, bytes] = {}
        self._names: dict[str, bytes] = {}
        for tid, keys in visit_keys.items():
            for hmac in map(access.Hmac, keys):
                for index in range(protocol.ADVERT_ID_COUNT):
                    identifier = access.advert_id(hmac, index)
                    self._ids[identifier] = tid
                    self._names[access.advert_name(identifier)] = tid

    def tid_of(self, advert: AdvertisementData) -> bytes | None:
        """The tag, private or open; None for what no ticket here opens."""
        identifier = advert.manufacturer_data.get(protocol.COMPANY_ID)
        if identifier is not None:
            return self._ids.get(identifier)
        if protocol.SERVICE_UUID not in advert.service_uuids:
            return None
        return self._names.get(advert.local_name or "")


class Ear:
    """Listens from `start` to `stop`; any number of links ask it."""

    def __init__(self, table: AdvertTable) -> None:
        self._table = table
        self._seen: dict[bytes, dict[str, tuple[BLEDevice, float]]] = {}
        self._scanner: BleakScanner | None = None
        self.opening = asyncio.Lock()  # adapters open one link at a time
        self.last_heard_s = float("-inf")

    async def start(self) -> None:
        """Raises LinkError where there is no radio."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                self._scanner = BleakScanner(self._hear)
                await self._scanner.start()
        except _RADIO_ERRORS as problem:
            self._scanner = None
            raise LinkError(
                f"no radio: {one_line(str(problem) or type(problem).__name__)}",
                "Is Bluetooth switched on?",
            ) from problem
        self.last_heard_s = time.monotonic()

    async def stop(self) -> None:
        """Never raises."""
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with contextlib.suppress(*_RADIO_ERRORS):
                async with asyncio.timeout(2):
                    await scanner.stop()

    def _hear(self, device: BLEDevice, advert: AdvertisementData) -> None:
        self.last_heard_s = time.monotonic()
        tid = self._table.tid_of(advert)
        if tid is None:
            return
        # Addresses rotate: those not heard any more go.
        rows = {a: row for a, row in self._seen.get(tid, {}).items() if self._is_fresh(row[1])}
        self._seen[tid] = {**rows, device.address: (device, self.last_heard_s)}

    def _is_fresh(self, heard_s: float) -> bool:
        return time.monotonic() - heard_s < _FRESH_S

    def in_range(self) -> list[bytes]:
        """The tags heard within the last 20 s."""
        return [
            tid
            for tid, rows in self._seen.items()
            if any(self._is_fresh(heard_s) for _, heard_s in rows.values())
        ]

    async def find(self, tid: bytes, avoid: set[str], timeout_s: float) -> BLEDevice | None:
        """The tag's device, newest advert first, at an address not in *avoid* if possible."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            rows = sorted(self._seen.get(tid, {}).values(), key=lambda row: -row[1])
            fresh = [device for device, heard_s in rows if self._is_fresh(heard_s)]
            for device in sorted(fresh, key=lambda one: one.address in avoid):
                return device
            await asyncio.sleep(_POLL_S)
        return None


class EarLink(BleakLink):
    """A link to one tag that the ear hears."""

    def __init__(self, ear: Ear, tid: bytes, wait_s: float) -> None:
        super().__init__(AdvertFilter(()), wait_s)
        self._ear = ear
        self._tid = tid

    async def _find(self) -> BLEDevice | None:
        return await self._ear.find(self._tid, self._unreachable, self._scan_timeout_s)

    async def _open(self, device: BLEDevice) -> None:
        async with self._ear.opening:
            await super()._open(device)
