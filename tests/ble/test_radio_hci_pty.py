# SPDX-License-Identifier: MIT
"""A controller behind HCI H4 on a pty, for an interpreter with a `bluetooth` of its own.

The host here is bumble's; with a unix port built with NimBLE it would be that.
"""

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bumble import hci
from bumble.core import AdvertisingData
from bumble.device import Device
from bumble.gatt import Characteristic, Service
from bumble.transport.common import PacketParser

from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import PACED, RadioProcess
from tests.ble.conftest import bleak_on
from tests.ble.stream_client import Link, find, uuid

_NAME = "H4 TAG"


class SerialHost:
    """The host's end of the pty: HCI packets in and out of a file descriptor."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd, termios.TCSANOW)  # as MicroPython does: nothing is dropped
        self._parser = PacketParser()
        self.chunks: list[bytes] = []
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def set_packet_sink(self, sink: object) -> None:
        self._parser.sink = sink  # type: ignore[assignment]

    def _readable(self) -> None:
        received = os.read(self._fd, 4096)
        self.chunks.append(received)
        self._parser.feed_data(received)

    def on_packet(self, packet: bytes) -> None:
        os.write(self._fd, packet)

    def deaf(self) -> None:
        """Reads no more."""
        asyncio.get_running_loop().remove_reader(self._fd)

    def read_first(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def close(self) -> None:
        self.deaf()
        os.close(self._fd)


@pytest.fixture
async def h4_radio(tmp_path: Path) -> AsyncIterator[tuple[RadioProcess, str]]:
    if reason := why_no_bus():
        pytest.skip(reason)
    path = str(tmp_path / "hci")
    with RadioProcess(PACED, options=("--hci-pty", path)) as radio:
        async with bleak_on(radio):
            yield radio, path


async def _tag_on(serial: SerialHost) -> Device:
    device = Device.with_hci(_NAME, hci.Address("F0:F1:F2:F3:F4:F5"), serial, serial)
    value = Characteristic(uuid(3), Characteristic.Properties.READ, Characteristic.READABLE, b"h4")
    store = Characteristic(
        uuid(4), Characteristic.Properties.WRITE, Characteristic.WRITEABLE, bytes(512)
    )
    device.add_service(Service(uuid(1), [value, store]))
    await device.power_on()
    fields = AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, _NAME.encode())])
    await device.start_advertising(
        own_address_type=hci.OwnAddressType.PUBLIC,
        advertising_data=bytes(fields),
        scan_response_data=b"",
        advertising_interval_min=50,
        advertising_interval_max=50,
    )
    return device


def _acl_sizes(stream: bytes) -> list[int]:
    """Returns the sizes of the ACL packets from the first full one on; Vol 4 Part A 2."""
    sizes, at = [], 0
    while at < len(stream):
        if stream[at] == hci.HCI_EVENT_PACKET:
            at += 3 + stream[at + 2]
            continue
        sizes.append(int.from_bytes(stream[at + 3 : at + 5], "little"))
        at += 5 + sizes[-1]
    return sizes[sizes.index(max(sizes)) :]


async def test_a_host_on_the_pty_is_heard_connected_and_read(
    h4_radio: tuple[RadioProcess, str],
) -> None:
    serial = SerialHost(h4_radio[1])
    await _tag_on(serial)
    async with await Link.open(_NAME, address="C0:FF:EE:01:00:00") as link:
        assert await link.client.read_gatt_char(uuid(3)) == b"h4"
        await link.client.write_gatt_char(uuid(4), bytes(500), response=True)
        assert _acl_sizes(b"".join(serial.chunks)) == [251, 251, 5]  # 4 + 3 + 500
        # The host boots again: its HCI Reset ends the link of the former life.
        await _tag_on(serial)
        await link.wait_gone()
    async with await Link.open(_NAME) as link:
        assert await link.client.read_gatt_char(uuid(3)) == b"h4"
    serial.close()


async def test_a_host_that_loses_its_power_falls_silent_and_its_link_ends(
    h4_radio: tuple[RadioProcess, str],
) -> None:
    path = h4_radio[1]
    serial = SerialHost(path)
    await _tag_on(serial)
    async with await Link.open(_NAME) as link:
        serial.close()
        await link.wait_gone()
    serial = SerialHost(path)
    await _tag_on(serial)
    await find(_NAME)
    serial.close()
    with pytest.raises(AssertionError, match="was not heard"):
        await find(_NAME, timeout_s=1)


async def test_half_a_packet_of_a_dead_host_never_meets_the_next_one(
    h4_radio: tuple[RadioProcess, str],
) -> None:
    path = h4_radio[1]
    for _ in range(3):
        serial = SerialHost(path)
        await _tag_on(serial)
        serial.deaf()
        # An answer of which the host reads a part, and the first half of a packet.
        serial.on_packet(bytes(hci.HCI_Read_BD_ADDR_Command()))
        serial.on_packet(bytes(hci.HCI_Reset_Command())[:2])
        await asyncio.sleep(0.1)
        assert len(serial.read_first(3)) == 3
        serial.close()
        await asyncio.sleep(0.1)
    serial = SerialHost(path)
    await _tag_on(serial)
    assert serial.chunks[0].startswith(bytes((hci.HCI_EVENT_PACKET, 0x0E)))
    async with await Link.open(_NAME) as link:
        assert await link.client.read_gatt_char(uuid(3)) == b"h4"
    serial.close()


async def test_an_order_to_lose_links_reaches_the_terminal(
    h4_radio: tuple[RadioProcess, str],
) -> None:
    radio, path = h4_radio
    serial = SerialHost(path)
    await _tag_on(serial)
    async with await Link.open(_NAME) as link:
        radio.order("loss")
        await link.wait_gone()
    serial.close()
