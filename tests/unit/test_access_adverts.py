# SPDX-License-Identifier: MIT
"""Adverts: their bytes, their 31, and ids that come back only after all others."""

import os

import pytest

from sealwire import access, protocol
from tag.visit.adverts import AdvertIds, Live, open_advert, private_advert
from tests.fakes.access_parts import TagParts

QUIET = Live(2150, 100, False, False, False)


def fields(advert: bytes) -> dict[int, bytes]:
    """AD structures by type (Core Supplement part A)."""
    found = {}
    while advert:
        size = advert[0]
        found[advert[1]] = advert[2 : size + 1]
        advert = advert[size + 1 :]
    return found


def bthome(advert: bytes) -> bytes:
    content = fields(advert)[0x16]
    assert content[:3] == b"\xd2\xfc\x40"
    return content[3:]


def test_a_private_advert_shows_service_name_and_id_and_nothing_else():
    identifier = bytes.fromhex("92ddcea8076af49b")
    advert, response = private_advert(identifier)
    assert fields(advert) == {
        0x01: b"\x06",
        0x07: bytes.fromhex(protocol.SERVICE_UUID.replace("-", ""))[::-1],
    }
    assert fields(response) == {0x09: b"ST-SLO45K", 0xFF: b"\xff\xff" + identifier}


def test_an_open_advert_is_bthome_with_objects_in_ascending_order():
    live = Live(-19_600, 87, True, False, True)
    advert, response = open_advert(live, "ST-SLO45K")
    assert bthome(advert) == bytes.fromhex("0157 0270b3 1101 2200 2601".replace(" ", ""))
    assert fields(response)[0x09] == b"ST-SLO45K"
    assert 0x07 in fields(response)


def test_a_probe_in_fault_and_an_unknown_battery_are_left_out():
    advert, _ = open_advert(Live(None, None, False, False, True), "ST-SLO45K")
    assert bthome(advert) == bytes.fromhex("110022002601")


@pytest.mark.parametrize(("centi_c", "shown"), [(90_000, 32_767), (-40_000, -32_767)])
def test_a_temperature_beyond_the_format_is_held_at_its_end(centi_c, shown):
    advert, _ = open_advert(Live(centi_c, 1, False, False, False), "ST-SLO45K")
    assert int.from_bytes(bthome(advert)[3:5], "little", signed=True) == shown


@pytest.mark.parametrize(
    "pair", [private_advert(bytes(8)), open_advert(Live(1, 1, True, True, True), "ST-SLO45K")]
)
def test_both_halves_fit_31_bytes(pair):
    assert all(len(half) <= 31 for half in pair)


def test_every_id_is_used_once_before_any_comes_back():
    tag = TagParts()
    ids = AdvertIds(tag.admission, os.urandom, tag.uptime)
    seen = []
    for _ in range(256):
        seen.append(ids.current())
        tag.uptime.advance(protocol.ADVERT_ID_MS)
    visit = tag.admission.visit
    assert set(seen) == {access.advert_id(visit, index) for index in range(256)}
    assert seen != [access.advert_id(visit, index) for index in range(256)]
    assert ids.current() == seen[0]


def test_an_id_lives_a_quarter_of_an_hour():
    tag = TagParts()
    ids = AdvertIds(tag.admission, os.urandom, tag.uptime)
    first = ids.current()
    tag.uptime.advance(protocol.ADVERT_ID_MS - 1)
    assert ids.current() == first
    assert ids.left_ms() == 1
    tag.uptime.advance(1)
    assert ids.current() != first
