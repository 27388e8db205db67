# SPDX-License-Identifier: MIT
"""Links cut at random notifications, over bleak and the virtual radio: all of it arrives once.

One tag lives through all of it. The radio is unpaced and forgets a dead link after 50 ms,
so that a cut costs the tenth of a second that finding and greeting the tag again takes.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import RadioProcess
from sealtrail.radio import sync as sync_module
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.link import AdvertFilter, BleakLink, Inbound
from sealtrail.radio.sync import sync_tag
from sealtrail.radio.visitor import Visitor
from sealwire.access import sha256
from tests import sync_census
from tests.ble.conftest import StartBareTag, bleak_on
from tests.fakes.access_parts import Person
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.paths import REPO
from tests.upy.access_sync_pipe import make_record

SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"
RECORD_COUNT = 80
NOTIFICATIONS_MAX = 30  # of one link
SYNC_S_MAX = 30.0  # from a cut to the next record: more than this is a stall


class CutLink(BleakLink):
    """Cuts itself at a random message from the tag, *left* times in all."""

    left = 0
    cut_count = 0

    def arm(self, radio: RadioProcess, rng: random.Random) -> None:
        self._radio, self._rng = radio, rng

    async def connect(self) -> None:
        await super().connect()
        self._until = self._rng.randrange(1, NOTIFICATIONS_MAX)

    async def receive(self, timeout_s: float) -> Inbound | None:
        inbound = await super().receive(timeout_s)
        self._until -= inbound is not None
        if self._until == 0 and self.cut_count < self.left:
            self.cut_count += 1
            await asyncio.to_thread(self._radio.order, "loss")
        return inbound


@pytest.fixture
def quick_radio(tmp_path: Path) -> Iterator[RadioProcess]:
    if reason := why_no_bus():
        pytest.skip(reason)
    with RadioProcess(Pace(), 0.05, log_path=tmp_path / "radio.log") as radio:
        yield radio


def chain() -> list[bytes]:
    records: list[bytes] = []
    previous = sha256(CERTIFICATE)
    for seq in range(RECORD_COUNT):
        records.append(make_record(seq, previous, 213))
        previous = sha256(records[-1])
    return records


async def cut(radio: RadioProcess, count: int, folder: Path, seed: int) -> float:
    """Syncs into one empty store after another until *count* links were cut.

    Returns the longest time of one sync divided by its links, in seconds.
    """
    ticket, rng, expected = ticket_for(Person()), random.Random(seed), chain()
    cut_count = run = 0
    slowest_s = 0.0
    while cut_count < count:
        link = CutLink(AdvertFilter(ticket.visit_keys), scan_timeout_s=8)
        link.arm(radio, rng)
        link.left = count - cut_count
        visitor, run = Visitor(ticket, link), run + 1
        started_s = time.monotonic()
        with EvidenceStore(folder / str(run), CERTIFICATE) as store:
            outcome = await sync_tag(visitor, store, bytes(16))
            await visitor.close()
            assert outcome.is_complete
            assert list(store.records()) == expected
        slowest_s = max(slowest_s, (time.monotonic() - started_s) / outcome.connection_count)
        cut_count += link.cut_count
    return slowest_s


async def run_cuts(
    radio: RadioProcess, start: StartBareTag, patch: pytest.MonkeyPatch, count: int, folder: Path
) -> None:
    patch.setenv("ST_RECORDS", str(RECORD_COUNT))
    patch.setenv("ST_SIZE", "213")
    patch.setattr(sync_module, "_PAUSE_FIRST_S", 0.0)
    patch.setattr(sync_module, "_FRUITLESS_MAX", 40)  # many cuts come before the first record
    start(radio, SCRIPT)
    async with bleak_on(radio):
        slowest_s = await cut(radio, count, folder, count)
    assert slowest_s < SYNC_S_MAX
    sync_census.note(sync_census.BLEAK, f"{count} random", count)


async def test_150_links_cut_at_random_lose_and_double_nothing(
    quick_radio: RadioProcess,
    bare_tag: StartBareTag,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await run_cuts(quick_radio, bare_tag, monkeypatch, 150, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_1000_links_cut_at_random_lose_and_double_nothing(
    quick_radio: RadioProcess,
    bare_tag: StartBareTag,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await run_cuts(quick_radio, bare_tag, monkeypatch, 1000, tmp_path)
