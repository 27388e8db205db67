# SPDX-License-Identifier: MIT
"""Finding a tag by its adverts, and what a link gives out when it is lost or overrun."""

import asyncio
from dataclasses import dataclass, field

import pytest

from sealtrail.errors import LinkError
from sealtrail.radio.link import AdvertFilter, BleakLink, Inbound
from sealwire import access, protocol
from sealwire.frames import split_message

KEY, OTHER = bytes(range(32)), bytes(32)


@dataclass
class Device:
    address: str = "C0:FF:EE:00:00:02"


@dataclass
class Advert:
    """What bleak gives of one advert."""

    local_name: str | None = None
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    service_uuids: list[str] = field(default_factory=list)


def identifier(key: bytes, index: int) -> bytes:
    return access.advert_id(access.Hmac(key), index)


@pytest.mark.parametrize("index", [0, 100, 255])
def test_a_tag_on_a_trip_is_known_by_any_of_its_ids(index):
    advert = Advert(manufacturer_data={protocol.COMPANY_ID: identifier(KEY, index)})
    assert AdvertFilter((OTHER, KEY)).matches(Device(), advert)
    assert not AdvertFilter((OTHER,)).matches(Device(), advert)


def test_a_tag_in_the_depot_is_known_by_a_name_made_of_an_id():
    name = access.advert_name(identifier(KEY, 3))
    advert = Advert(name, service_uuids=[protocol.SERVICE_UUID])
    assert AdvertFilter((KEY,)).matches(Device(), advert)
    assert not AdvertFilter((OTHER,)).matches(Device(), advert)


def test_a_name_alone_is_not_believed_of_any_other_device():
    name = access.advert_name(identifier(KEY, 3))
    assert not AdvertFilter((KEY,)).matches(Device(), Advert(name))


def test_a_foreign_id_is_not_outweighed_by_a_name():
    advert = Advert(
        access.advert_name(identifier(KEY, 3)),
        {protocol.COMPANY_ID: identifier(OTHER, 3)},
        [protocol.SERVICE_UUID],
    )
    assert not AdvertFilter((KEY,)).matches(Device(), advert)


def test_a_name_or_an_address_can_be_asked_for():
    assert AdvertFilter((), name="ST-AAAAAA").matches(Device(), Advert("ST-AAAAAA"))
    by_address = AdvertFilter((), address="c0:ff:ee:00:00:02")
    assert by_address.matches(Device(), Advert())
    assert not by_address.matches(Device("C0:FF:EE:00:00:03"), Advert())


def link_with(*arrived: Inbound | None) -> BleakLink:
    link = BleakLink(AdvertFilter((KEY,)))
    for inbound in arrived:
        link._arrived.put_nowait(inbound)
    return link


async def test_control_messages_are_joined_and_keep_their_place_among_bulk_frames():
    first, second = split_message(b"x" * 30, 20)
    bulk = Inbound(True, b"\x12frame")
    link = link_with(Inbound(False, first), bulk, Inbound(False, second))
    assert await link.receive(1) == bulk
    assert await link.receive(1) == Inbound(False, b"x" * 30)


async def test_a_lost_part_is_no_message_and_no_error():
    _, second = split_message(b"x" * 30, 20)
    whole = split_message(b"next", 20)[0]
    link = link_with(Inbound(False, second), Inbound(False, whole))
    assert await link.receive(1) == Inbound(False, b"next")


async def test_what_arrived_before_the_loss_is_given_out_and_then_the_loss():
    bulk = Inbound(True, b"\x12frame")
    link = link_with(bulk, None)
    assert await link.receive(1) == bulk
    for _ in range(2):
        with pytest.raises(LinkError, match="lost"):
            await link.receive(1)


async def test_silence_is_none_not_an_error():
    assert await link_with().receive(0.01) is None


async def test_a_tag_faster_than_this_computer_is_a_link_error():
    link = link_with()
    link._arrived = asyncio.Queue(4)
    link._is_overrun = True
    with pytest.raises(LinkError, match="faster"):
        await link.receive(1)


async def test_sending_without_a_link_is_a_link_error_and_ending_one_never_is():
    link = link_with()
    with pytest.raises(LinkError):
        await link.send(b"hello")
    await link.disconnect()
