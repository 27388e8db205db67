# SPDX-License-Identifier: MIT
"""Whole syncs over the virtual radio: the tag's firmware, aioble, ATT, unmodified bleak, store."""

import time
from pathlib import Path

import pytest

from boards.virtual.radio.runner import RadioProcess
from sealtrail.errors import AccessRefused, LinkError
from sealtrail.home import Home
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.key_memory import HomeKeyMemory
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealtrail.radio.sync import SyncOutcome, sync_tag
from sealtrail.radio.visitor import DockNote, SyncProgress, Visitor, VisitorTicket
from sealwire import protocol
from sealwire.access import sha256
from tests.ble.conftest import BareTag, StartBareTag
from tests.fakes.access_parts import NOW_S, Person
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.paths import REPO
from tests.upy.access_sync_pipe import make_record

SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"
NONCE = bytes(range(16))
RECORD_COUNT = 300


def expected_chain(count: int = RECORD_COUNT, size: int = 213) -> list[bytes]:
    records: list[bytes] = []
    previous = sha256(CERTIFICATE)
    for seq in range(count):
        records.append(make_record(seq, previous, size))
        previous = sha256(records[-1])
    return records


@pytest.fixture
def start(bare_tag: StartBareTag, monkeypatch: pytest.MonkeyPatch):
    def run(radio: RadioProcess, records: int = RECORD_COUNT, size: int = 213) -> BareTag:
        monkeypatch.setenv("ST_RECORDS", str(records))
        monkeypatch.setenv("ST_SIZE", str(size))
        return bare_tag(radio, SCRIPT)

    return run


def visitor_with(ticket: VisitorTicket | None = None) -> Visitor:
    ticket = ticket or ticket_for(Person())
    return Visitor(ticket, BleakLink(AdvertFilter(ticket.visit_keys), scan_timeout_s=8))


async def sync_once(store: EvidenceStore) -> SyncOutcome:
    visitor = visitor_with()
    try:
        return await sync_tag(visitor, store, NONCE)
    finally:
        await visitor.close()


async def test_a_sync_brings_every_record_at_the_pace_of_the_link(
    radio_bus: RadioProcess, start, tmp_path: Path
) -> None:
    start(radio_bus)
    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        started_s = time.monotonic()
        outcome = await sync_once(store)
        took_s = time.monotonic() - started_s
        assert list(store.records()) == expected_chain()
    assert outcome.is_complete and outcome.refetch_count == 0
    print(f"{outcome.size / took_s / 1000:.1f} kB/s with scan, handshake and goodbye")


async def test_an_unpaced_link_finds_no_stall_and_no_hole(
    unpaced_bus: RadioProcess, start, tmp_path: Path
) -> None:
    start(unpaced_bus, 800)
    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        outcome = await sync_once(store)
        assert list(store.records()) == expected_chain(800)
    assert outcome.connection_count == 1


async def test_lost_links_and_power_cuts_cost_no_record_and_double_none(
    radio_bus: RadioProcess, start, tmp_path: Path
) -> None:
    tag = start(radio_bus)

    def cut_the_power() -> None:
        tag.kill()
        start(radio_bus)

    # (when this many records are held, this happens)
    troubles = [
        (40, lambda: radio_bus.order("loss")),
        (120, cut_the_power),
        (220, lambda: radio_bus.order("loss")),
    ]

    def make_trouble(progress: SyncProgress) -> None:
        if troubles and progress.next_seq >= troubles[0][0]:
            troubles.pop(0)[1]()

    visitor = visitor_with()
    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        outcome = await sync_tag(visitor, store, NONCE, make_trouble)
        await visitor.close()
        assert list(store.records()) == expected_chain()
    assert troubles == []
    assert outcome.connection_count > 3
    assert outcome.record_count == RECORD_COUNT


async def test_commands_are_answered_while_the_stream_runs(
    radio_bus: RadioProcess, start, tmp_path: Path
) -> None:
    start(radio_bus)
    visitor = visitor_with()
    answered = 0

    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        await visitor.connect()
        # A sync that is not read on: the tag streams until the credit is spent.
        await visitor._say(protocol.SYNC, (0).to_bytes(4, "big") + (200).to_bytes(2, "big"))
        for _ in range(10):
            assert await visitor.status() == RECORD_COUNT - 1
            answered += 1
        await visitor.sync(store)
        assert list(store.records()) == expected_chain()
        await visitor.close()
    assert answered == 10


async def test_a_key_that_rolled_is_followed_by_radio_and_remembered(
    radio_bus: RadioProcess, start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ST_ROLLS", "5")
    start(radio_bus, 70)
    ticket = ticket_for(Person())
    memory = HomeKeyMemory(Home(tmp_path), ticket.tid)
    for asks in (True, False):
        link = BleakLink(AdvertFilter(ticket.visit_keys), scan_timeout_s=8)
        visitor = Visitor(ticket, link, key_memory=memory)
        await visitor.connect()
        if not asks:
            monkeypatch.setattr(visitor, "_ask_keys", None)
        await visitor.offer(DockNote("Dock 4", NOW_S, 60))
        await visitor.close()
    assert memory.load(CERTIFICATE).newest_seq == 78


async def test_a_long_statement_travels_both_ways(radio_bus: RadioProcess, start) -> None:
    start(radio_bus, 5)
    visitor = visitor_with()
    await visitor.connect()
    offer = await visitor.offer(DockNote("x" * 48, NOW_S, 60, ("S" * 24,) * 4), bytes(32))
    assert len(offer) > 247
    assert await visitor.pending() == offer
    await visitor.close()


async def test_a_stranger_is_refused_at_the_door_and_the_owner_comes_in(
    radio_bus: RadioProcess, start
) -> None:
    tag = start(radio_bus, 5)
    stranger = ticket_for(Person(), floors=(7,))
    link = BleakLink(AdvertFilter((), address=None), scan_timeout_s=0.5)
    with pytest.raises(LinkError):
        await Visitor(stranger, link).connect()  # he does not even know which tag it is
    owner = visitor_with()
    await owner.connect()
    await owner.close()
    assert tag is not None
    keyless = Visitor(stranger, BleakLink(AdvertFilter(ticket_for(Person()).visit_keys)))
    with pytest.raises(AccessRefused, match="DOOR"):
        await keyless.connect()
    await keyless.close()
