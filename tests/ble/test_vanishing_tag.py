# SPDX-License-Identifier: MIT
"""A tag that loses its power at any moment of a sync leaves a radio that works.

The radio runs in this process, so that the power can go at an event on the air and not at
a time: event 1 is the host's command to connect, 2 the request on the air, every later one
a packet of either side. SEALTRAIL_SWEEP_STRIDE=1 takes every event (a minute); by default
each event of the connecting and every 19th of the rest.
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError
from bumble import hci, ll
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from boards.virtual.radio import private_bus
from boards.virtual.radio.air import Air
from boards.virtual.radio.controller import Pace, PacedController
from boards.virtual.radio.private_bus import PrivateBus
from boards.virtual.radio.service import Radio
from sealtrail.errors import LinkError
from sealtrail.radio import link as link_module
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealtrail.radio.visitor import Visitor
from tests.ble.conftest import BareTag, StartBareTag, bleak_on
from tests.fakes.access_parts import Person
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.paths import REPO

SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"
RECORD_COUNT = 8
RECOVERY_S = 10
STRIDE = int(os.environ.get("SEALTRAIL_SWEEP_STRIDE", "19"))
EARLY_COUNT = 4  # events of which each is tried


class LocalRadio(Radio):
    """A radio of this event loop; `environment` is what its BLE clients need."""

    def __init__(self, folder: str, bus_address: str) -> None:
        super().__init__(folder + "/radio", Pace(), 0.3)
        self.socket = folder + "/radio"
        self.environment = {"DBUS_SYSTEM_BUS_ADDRESS": bus_address}


class PowerCut:
    """Takes the power of the one tag at the event *at*, counted from arm() on."""

    def __init__(self, radio: LocalRadio) -> None:
        self._radio = radio
        self.count = self._at = 0
        self._tag: BareTag | None = None
        self.is_cut = asyncio.Event()

    def arm(self, tag: BareTag, at: int) -> None:
        self._tag, self._at, self.count = tag, at, 0
        self.is_cut.clear()

    def note(self) -> None:
        self.count += 1
        if self._tag is not None and self.count == self._at:
            self._tag.kill()
            self.is_cut.set()
            for port in self._radio.tags.values():
                port._writer.transport.abort()
                port._fall_silent()


@pytest.fixture
async def radio() -> AsyncIterator[LocalRadio]:
    if reason := private_bus.why_no_bus():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="st-air-") as folder, PrivateBus(folder) as bus:
        local = LocalRadio(folder, bus.address)
        async with bleak_on(local):  # type: ignore[arg-type]
            await local.start()
            yield local
            await local.close()


@pytest.fixture
def power(radio: LocalRadio, monkeypatch: pytest.MonkeyPatch) -> Iterator[PowerCut]:
    cut = PowerCut(radio)
    connect = PacedController.on_hci_le_create_connection_command
    send_acl, send_advert = Air.send_acl_data, Air.send_advertising_pdu

    def noted_connect(self: PacedController, command: hci.HCI_Command) -> None:
        cut.note()
        connect(self, command)

    def noted_acl(self: Air, *arguments: object) -> None:
        send_acl(self, *arguments)
        cut.note()

    def noted_advert(self: Air, sender: PacedController, packet: ll.AdvertisingPdu) -> None:
        send_advert(self, sender, packet)
        if isinstance(packet, ll.ConnectInd):
            cut.note()

    monkeypatch.setattr(PacedController, "on_hci_le_create_connection_command", noted_connect)
    monkeypatch.setattr(Air, "send_acl_data", noted_acl)
    monkeypatch.setattr(Air, "send_advertising_pdu", noted_advert)
    monkeypatch.setattr(link_module, "_CONNECT_TIMEOUT_S", 1.0)
    monkeypatch.setenv("ST_RECORDS", str(RECORD_COUNT))
    yield cut


async def sync_once(folder: Path) -> None:
    """One connection and one sync into an empty store, without a second try."""
    ticket = ticket_for(Person())
    visitor = Visitor(ticket, BleakLink(AdvertFilter(ticket.visit_keys), scan_timeout_s=8))
    try:
        with EvidenceStore(folder, CERTIFICATE) as store:
            await visitor.connect()
            await visitor.sync(store)
            assert store.record_count == RECORD_COUNT
    finally:
        await visitor.close()


def instants(whole: int) -> list[int]:
    early = range(1, min(EARLY_COUNT, whole) + 1)
    return sorted({*early, *range(1, whole + 1, STRIDE), whole})


async def test_a_tag_that_vanishes_at_any_event_can_be_synced_when_it_is_back(
    radio: LocalRadio, power: PowerCut, bare_tag: StartBareTag, tmp_path: Path
) -> None:
    tag = bare_tag(radio, SCRIPT)
    power.arm(tag, 0)
    await sync_once(tmp_path / "whole")
    whole, slowest_s = power.count, 0.0
    for at in instants(whole):
        power.arm(tag, at)
        first = asyncio.create_task(sync_once(tmp_path / f"{at}-cut"))
        done, _ = await asyncio.wait({first}, timeout=15)
        assert done, f"event {at}: the sync without a tag did not end"
        with contextlib.suppress(LinkError):  # the last packets may be lost without harm
            first.result()
        tag = bare_tag(radio, SCRIPT)
        power.arm(tag, 0)
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(RECOVERY_S):
                await sync_once(tmp_path / f"{at}-next")
        except (LinkError, TimeoutError) as problem:
            pytest.fail(f"event {at} of {whole}: no sync afterwards: {problem!r}")
        slowest_s = max(slowest_s, time.monotonic() - started_s)
    print(f"{len(instants(whole))} of {whole} events; slowest sync after: {slowest_s:.1f} s")


async def test_a_client_that_gives_up_while_connecting_holds_nobody_up(
    radio: LocalRadio, power: PowerCut, bare_tag: StartBareTag, tmp_path: Path
) -> None:
    tag = bare_tag(radio, SCRIPT)
    power.arm(tag, 1)
    first = asyncio.create_task(sync_once(tmp_path / "left"))
    await asyncio.wait_for(power.is_cut.wait(), 10)
    first.cancel()  # as by Ctrl-C
    await asyncio.wait({first}, timeout=5)
    tag = bare_tag(radio, SCRIPT)
    power.arm(tag, 0)
    async with asyncio.timeout(RECOVERY_S):
        await sync_once(tmp_path / "next")


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "disconnects"])
async def test_a_connect_under_way_ends_with_its_client_or_by_disconnect(
    radio: LocalRadio, power: PowerCut, bare_tag: StartBareTag, tmp_path: Path, is_killed: bool
) -> None:
    tag = bare_tag(radio, SCRIPT)
    matches = AdvertFilter(ticket_for(Person()).visit_keys).matches
    found = await BleakScanner.find_device_by_filter(matches, 8)
    assert found is not None
    power.arm(tag, 1)
    client = await MessageBus(radio.environment["DBUS_SYSTEM_BUS_ADDRESS"]).connect()
    path = found.details["path"]
    client.send(Message("org.bluez", path, "org.bluez.Device1", "Connect"))
    await asyncio.wait_for(power.is_cut.wait(), 10)
    if is_killed:
        client.disconnect()
    else:
        client.send(Message("org.bluez", path, "org.bluez.Device1", "Disconnect"))
    tag = bare_tag(radio, SCRIPT)
    power.arm(tag, 0)
    async with asyncio.timeout(RECOVERY_S):
        await sync_once(tmp_path / "next")
    client.disconnect()
    await client.wait_for_disconnect()


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (TimeoutError(), "the tag did not answer"),
        (EOFError(), "this computer's Bluetooth service went away"),
        (BleakError("failed to discover services, device disconnected"), "the tag went away"),
        (OSError(), "gave no reason"),
    ],
)
def test_a_failed_link_is_told_without_class_names(problem: Exception, text: str) -> None:
    told = link_module._text(problem)
    assert text in told
    assert "Error" not in told
