# SPDX-License-Identifier: MIT
"""Parts of the radio without a tag: a connection that fails, a bus that is too slow."""

import asyncio
from pathlib import Path

import pytest
from bumble import hci
from bumble.core import PhysicalTransport
from dbus_fast import Variant

from boards.virtual.radio.air import Advert, Air
from boards.virtual.radio.bluez_names import error_of
from boards.virtual.radio.controller import Pace, new_node
from boards.virtual.radio.object_tree import ObjectTree
from boards.virtual.radio.private_bus import PrivateBus, why_no_bus
from tests.ble.stream_client import until

_NOT_ESTABLISHED = 0x3E


async def test_a_connection_to_a_tag_that_just_stopped_advertising_fails() -> None:
    air = Air()
    central, controller = new_node("central", "C0:00:00:00:00:01", air, Pace())
    _, tag = new_node("tag", "C0:FF:EE:00:00:02", air, Pace())
    await central.power_on()
    reasons: list[int] = []
    connecting = asyncio.create_task(
        central.connect(tag.public_address, transport=PhysicalTransport.LE, timeout=5)
    )
    await until(lambda: controller.pending_le_connection is not None)
    controller.on_advertising_pdu(Advert(advertiser_address=tag.public_address, data=b""))
    connection = await connecting
    ended = asyncio.Event()
    connection.on("disconnection", lambda reason: (reasons.append(reason), ended.set()))
    await asyncio.wait_for(ended.wait(), 2)
    assert reasons == [_NOT_ESTABLISHED]


async def test_late_packets_to_nobody_are_lost_without_an_error() -> None:
    air = Air()
    _, controller = new_node("central", "C0:00:00:00:00:01", air, Pace())
    nowhere = hci.Address("C0:FF:EE:00:00:09", hci.Address.PUBLIC_DEVICE_ADDRESS)
    air.send_acl_data(controller, nowhere, PhysicalTransport.LE, b"late")
    air.send_ll_control_pdu(
        sender_address=controller.public_address, receiver_address=nowhere, packet=None
    )


async def test_a_burst_of_signals_does_not_drop_the_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := why_no_bus():
        pytest.skip(reason)
    with PrivateBus(tmp_path) as bus:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        tree = ObjectTree(error_of)
        await tree.connect("org.bluez")
        tree.add("/tag", "org.bluez.Device1", {})
        for number in range(5000):
            tree.set(
                "/tag",
                "org.bluez.Device1",
                Value=Variant("ay", bytes(244)),
                N=Variant("u", number),
            )
        await asyncio.wait_for(tree.flush(), 10)
        assert tree.is_connected
        await tree.disconnect()
