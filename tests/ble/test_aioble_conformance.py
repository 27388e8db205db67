# SPDX-License-Identifier: MIT
"""aioble and its stand-in do the same: one firmware script, one client, one transcript.

The stand-in must give tests/ble/conformance.txt; where MICROPYTHON_LIB names a
micropython-lib checkout, aioble itself must give the same lines.
"""

import asyncio
import difflib
import os
from pathlib import Path

import pytest
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from boards.virtual import aioble_source
from boards.virtual.radio.runner import RadioProcess
from tests.ble.conftest import StartBareTag
from tests.ble.stream_client import Link, until, uuid

GOLDEN = Path(__file__).with_name("conformance.txt")
_FIRMWARE_VERSION = "00002a26-0000-1000-8000-00805f9b34fb"


class Client:
    """The central's half of firmware/conformance.py; `lines` is what it saw."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, *words: object) -> None:
        self.lines.append(" ".join(["C", *map(str, words)]))

    async def open(self) -> Link:
        def is_wanted(device: BLEDevice, advert: AdvertisementData) -> bool:
            return advert.local_name == "CONFORM" and advert.manufacturer_data == {0xFFFF: b"abc"}

        device = await BleakScanner.find_device_by_filter(is_wanted, timeout=8)
        assert device is not None
        link = Link(device)
        await link.client.connect()
        return link

    async def round(self, last_order: bytes) -> None:
        async with await self.open() as link:
            notes: list[bytes] = []
            indications: list[bytes] = []
            client = link.client
            await client.start_notify(uuid(4), lambda _, value: notes.append(bytes(value)))
            await client.start_notify(uuid(5), lambda _, value: indications.append(bytes(value)))
            self.say("services", sorted(service.uuid[:8] for service in client.services))
            self.say("version", bytes(await client.read_gatt_char(_FIRMWARE_VERSION)))
            await link.order(b"hello")
            await until(lambda: len(notes) == 4)
            self.say("notified", [v if len(v) < 20 else len(v) for v in notes])
            self.say("read", bytes(await client.read_gatt_char(uuid(4))))
            await self.write(link)
            await until(lambda: len(indications) == 2)
            self.say("indicated", indications)
            await self.read_refused(link)
            await link.order(last_order, response=False)
            if last_order == b"central leaves":
                await asyncio.sleep(0.1)  # the order goes before the end
                await client.disconnect()
            await link.wait_gone()
            self.say("gone")

    async def write(self, link: Link) -> None:
        await link.order(bytes(150))  # cut to 100
        await link.client.write_gatt_char(uuid(3), bytes(range(60, 90)), response=True)
        self.say("cut to", len(await link.client.read_gatt_char(uuid(3))))
        await asyncio.sleep(0.15)  # longer than the tag waits for no write
        for part in (b"ap", b"pend", b"ed"):
            await link.client.write_gatt_char(uuid(7), part, response=True)
        await link.order(b"that was all")

    async def read_refused(self, link: Link) -> None:
        await asyncio.sleep(0.15)  # until the tag refuses
        try:
            await link.client.read_gatt_char(uuid(6))
        except BleakError as e:
            self.say("refused", type(e).__name__)
        await link.order(b"read it")
        await asyncio.sleep(0.1)  # answered means stored, not handled
        self.say("guarded", bytes(await link.client.read_gatt_char(uuid(6))))

    async def overflow(self) -> None:
        async with await self.open() as link:
            for number in range(14):
                await link.order(bytes([number]))
            await asyncio.sleep(1.3)

    async def blocked_head(self) -> None:
        async with await self.open() as link:
            await link.client.write_gatt_char(uuid(8), b"head", response=True)
            await link.order(b"behind")
            await asyncio.sleep(1.2)

    async def run(self) -> None:
        await self.round(b"central leaves")
        await self.round(b"tag leaves")
        await self.overflow()
        await self.blocked_head()


async def transcript(radio: RadioProcess, start: StartBareTag, aioble: Path) -> str:
    """Runs the script with *aioble*; what the tag said, then what the client saw."""
    tag, client = start(radio, "conformance.py", aioble=aioble), Client()
    try:
        await client.run()
    finally:
        said = await asyncio.to_thread(tag.wait_said)
    return said + "\n".join(client.lines) + "\n"


def _difference(lines: str) -> str:
    """What to change in the golden transcript to get *lines*; "" when they are equal."""
    wanted = GOLDEN.read_text()
    return "\n".join(difflib.unified_diff(wanted.splitlines(), lines.splitlines(), lineterm=""))


async def test_the_stand_in_gives_the_golden_transcript(
    unpaced_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    folder, _ = aioble_source.standin()
    assert _difference(await transcript(unpaced_bus, bare_tag, folder)) == ""


@pytest.mark.skipif(
    not os.environ.get("MICROPYTHON_LIB"),
    reason="aioble itself is not here; clone micropython-lib and set MICROPYTHON_LIB to it",
)
async def test_aioble_itself_gives_the_golden_transcript(
    unpaced_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    folder, _ = aioble_source.find()
    assert _difference(await transcript(unpaced_bus, bare_tag, folder)) == ""
