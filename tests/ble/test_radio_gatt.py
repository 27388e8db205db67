# SPDX-License-Identifier: MIT
"""What unmodified bleak sees of a tag's `bluetooth` module: adverts, values, MTU, addresses."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError, BleakGATTProtocolError

from boards.virtual.radio.runner import RadioProcess
from tests.ble.conftest import StartBareTag
from tests.ble.stream_client import Link, find, until, uuid

CONTROL, NOTES, INDICATIONS, STORE, SECRET = map(uuid, range(2, 7))
_USER_DESCRIPTION = "00002901-0000-1000-8000-00805f9b34fb"
_CLIENT_CONFIGURATION = "00002902-0000-1000-8000-00805f9b34fb"


@pytest.fixture
async def plain(unpaced_bus: RadioProcess, bare_tag: StartBareTag) -> AsyncIterator[Link]:
    """A link to firmware/plain_gatt.py."""
    bare_tag(unpaced_bus, "plain_gatt.py")
    async with await Link.open("PLAIN") as link:
        yield link


async def test_a_scan_shows_advert_scan_response_and_strength(
    unpaced_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    tag = bare_tag(unpaced_bus, "plain_gatt.py")
    heard: list[AdvertisementData] = []

    def note(device: BLEDevice, advert: AdvertisementData) -> None:
        if device.address == tag.address:
            heard.append(advert)

    async with BleakScanner(note):
        await until(lambda: len(heard) >= 2)
    assert heard[-1].local_name == "PLAIN"
    assert heard[-1].service_uuids == [uuid(1)]
    assert heard[-1].manufacturer_data == {0xFFFF: b"id"}
    assert heard[-1].rssi == -50


async def test_what_may_not_be_read_or_written_is_refused(
    plain: Link,
) -> None:
    with pytest.raises(BleakError, match="NotPermitted"):
        await plain.client.write_gatt_char(SECRET, b"x", response=True)
    with pytest.raises(BleakError, match="NotPermitted"):
        await plain.client.read_gatt_char(CONTROL)


async def test_the_handler_of_a_read_request_decides(
    plain: Link,
) -> None:
    assert await plain.client.read_gatt_char(SECRET) == b"hidden"
    await plain.order(b"deny 128")
    with pytest.raises(BleakGATTProtocolError):
        await plain.client.read_gatt_char(SECRET)
    await plain.order(b"deny 0")
    assert await plain.client.read_gatt_char(SECRET) == b"hidden"


async def test_a_write_is_answered_after_the_handler_has_run(
    plain: Link,
) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await plain.order(b"slow 200")
    assert loop.time() - started_s >= 0.2


async def test_descriptors_come_with_their_characteristic(
    plain: Link,
) -> None:
    notes = plain.client.services.get_characteristic(NOTES)
    assert notes is not None
    found = {descriptor.uuid: descriptor for descriptor in notes.descriptors}
    # Chromium subscribes to nothing without the client configuration.
    assert set(found) == {_USER_DESCRIPTION, _CLIENT_CONFIGURATION}
    value = await plain.client.read_gatt_descriptor(found[_USER_DESCRIPTION])
    assert value == b"what happens"


async def test_a_value_longer_than_the_mtu_is_written_and_read_whole_and_cut_to_its_buffer(
    plain: Link,
) -> None:
    value = bytes(index & 0xFF for index in range(500))
    await plain.client.write_gatt_char(STORE, value, response=True)
    assert await plain.client.read_gatt_char(STORE) == value[:400]


async def test_the_largest_mtu_carries_512_bytes_and_longer_ones_are_cut(plain: Link) -> None:
    values: list[bytes] = []
    await plain.client.start_notify(NOTES, lambda _, value: values.append(bytes(value)))
    for size in (512, 600):
        await plain.order(b"notify %d" % size)
    await until(lambda: len(values) == 2)
    assert [len(value) for value in values] == [512, 514]


async def test_a_write_without_response_beyond_the_mtu_fails_at_the_client(
    plain: Link,
) -> None:
    with pytest.raises(BleakError):
        await plain.client.write_gatt_char(CONTROL, bytes(515), response=False)


async def test_an_indication_is_confirmed(plain: Link) -> None:
    values: list[bytes] = []
    await plain.client.start_notify(INDICATIONS, lambda _, value: values.append(bytes(value)))
    await plain.order(b"indicate 3")
    await until(lambda: values == [bytes(3)])


async def test_the_client_sees_the_tag_end_the_link_and_connects_again(
    radio_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    bare_tag(radio_bus, "plain_gatt.py")
    for _ in range(2):
        async with await Link.open("PLAIN") as link:
            await link.order(b"bye", response=False)
            await link.wait_gone()


async def test_a_tag_that_boots_again_ends_the_link_of_its_former_life(
    radio_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    tag = bare_tag(radio_bus, "plain_gatt.py")
    async with await Link.open("PLAIN") as link:
        radio_bus.order("supervision 60")
        try:
            tag.kill()
            await asyncio.sleep(0.1)
            assert not link.gone.is_set()  # the supervision timeout has not passed
            bare_tag(radio_bus, "plain_gatt.py")
            await link.wait_gone()
        finally:
            radio_bus.order("supervision 0.3")


async def test_a_dead_tag_is_heard_no_more(
    unpaced_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    tag, heard = bare_tag(unpaced_bus, "plain_gatt.py"), []
    async with BleakScanner(lambda device, _: heard.append(device.address)):
        await until(lambda: tag.address in heard)
        tag.kill()
        await until(lambda: not unpaced_bus.order("stats")["tags"])
        heard.clear()
        await asyncio.sleep(0.3)  # six advertising intervals
        assert tag.address not in heard


async def test_a_dead_tag_is_gone_after_the_supervision_timeout(
    radio_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    tag = bare_tag(radio_bus, "plain_gatt.py")
    async with await Link.open("PLAIN") as link:
        tag.kill()
        await link.wait_gone()
    assert radio_bus.order("stats")["tags"] == {}


async def _order_at(device: BLEDevice, order: bytes) -> None:
    async with Link(device) as link:
        await link.client.connect()
        await link.order(order)


def _top_bits(device: BLEDevice) -> int:
    return int(device.address[:2], 16) >> 6


async def test_each_private_advert_has_a_new_address_and_the_public_one_comes_back(
    unpaced_bus: RadioProcess, bare_tag: StartBareTag
) -> None:
    tag = bare_tag(unpaced_bus, "plain_gatt.py")
    public = await find("PLAIN", address=tag.address)
    assert public.details["props"]["AddressType"] == "public"

    await _order_at(public, b"mode 3")
    first = await find("PLAIN", not_in=(public.address,))
    await _order_at(first, b"nothing")
    second = await find("PLAIN", not_in=(public.address, first.address))
    assert _top_bits(first) == _top_bits(second) == 0b00  # non-resolvable
    assert second.details["props"]["AddressType"] == "random"

    await _order_at(second, b"mode 2")
    resolvable = await find("PLAIN", not_in=(public.address, first.address, second.address))
    assert _top_bits(resolvable) == 0b01

    seen = (public.address, first.address, second.address, resolvable.address)
    await _order_at(resolvable, b"mode 1")
    static = await find("PLAIN", not_in=seen)
    assert static.details["props"]["AddressType"] == "random"
    assert _top_bits(static) == 0b11
    await _order_at(static, b"mode 1")  # asked for again: another one, as NimBLE does
    again = await find("PLAIN", not_in=(*seen, static.address))
    await _order_at(again, b"mode 0")
    await _order_at(await find("PLAIN", address=tag.address), b"nothing")
