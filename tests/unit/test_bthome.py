# SPDX-License-Identifier: MIT
"""What existing scanners make of the tag's adverts: PyPI bthome-ble, as Home Assistant uses it."""

import time

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bluetooth_data_tools import parse_advertisement_data
from bthome_ble import BTHomeBluetoothDeviceData
from habluetooth import BluetoothServiceInfoBleak

from tag.visit.adverts import Live, open_advert, private_advert

ADDRESS = "C0:FF:EE:00:00:02"


def parsed(pair: tuple[bytes, bytes]) -> dict[str, object]:
    """{name: value} of all that bthome-ble finds in (advert, scan response)."""
    advert = parse_advertisement_data([bytes(part) for part in pair])
    data = AdvertisementData(
        advert.local_name,
        advert.manufacturer_data,
        advert.service_data,
        advert.service_uuids,
        advert.tx_power,
        -60,
        (),
    )
    device = BLEDevice(ADDRESS, advert.local_name, None)
    seen = BluetoothServiceInfoBleak.from_device_and_advertisement_data(
        device, data, "test", time.monotonic(), True
    )
    update = BTHomeBluetoothDeviceData().update(seen)
    found = {key.key: value.native_value for key, value in update.entity_values.items()}
    found |= {key.key: value.native_value for key, value in update.binary_entity_values.items()}
    return {key: value for key, value in found.items() if key != "signal_strength"}


@pytest.mark.parametrize("is_on", [False, True])
def test_a_scanner_of_bthome_shows_all_values_of_a_depots_tag(is_on):
    live = Live(-19_012, 83, is_on, is_on, is_on)
    assert parsed(open_advert(live, "ST-4f21aa")) == {
        "temperature": -190.12,
        "battery": 83,
        "opening": is_on,
        "moving": is_on,
        "problem": is_on,
    }


@pytest.mark.parametrize("name", ["is_lid_open", "is_moving", "has_problem"])
def test_each_flag_shows_as_itself(name):
    shown = {"is_lid_open": "opening", "is_moving": "moving", "has_problem": "problem"}
    live = Live(2150, 100, False, False, False)._replace(**{name: True})
    found = parsed(open_advert(live, "ST-4f21aa"))
    assert [key for key, value in found.items() if value is True] == [shown[name]]


def test_what_is_not_measured_is_not_shown():
    found = parsed(open_advert(Live(None, None, False, False, True), "ST-4f21aa"))
    assert set(found) == {"opening", "moving", "problem"}


def test_a_trips_advert_is_nothing_to_a_scanner():
    assert parsed(private_advert(bytes(range(8)))) == {}
