# SPDX-License-Identifier: MIT
"""Goodput of a sync over the virtual radio: firmware, aioble, ATT, bleak, store with fsync.

The link is paced as a phone's would be (30 ms, six packets an event, MTU 247); its cap,
6 x 244 B in 30 ms, is the reference. Records have 213 B: 64 readings of one probe. What is
measured is the software over a link of that pace, not a radio. All other intervals, MTUs and
losses, and the latency of commands, are of `link_model.py`; the units say which is which.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from boards.virtual import aioble_source
from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import RadioProcess
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealtrail.radio.visitor import Visitor
from tests.bench import link_model
from tests.ble.conftest import DEFAULT_MAC, BareTag, bleak_on
from tests.fakes.access_parts import Person
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.paths import REPO
from tests.upy.access_sync_pipe import RANDOM_CUTS, random_cuts

_SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"
_INTERVAL_MS, _PER_EVENT, _VALUE_SIZE = 30, 6, 244
_RECORD_COUNT, _RECORD_SIZE, _READINGS = 600, 213, 64


def run() -> dict[str, dict[str, object]]:
    """Takes about 60 s. Without a D-Bus daemon there are no live values, and the reason."""
    cap_kbps = _PER_EVENT * _VALUE_SIZE / _INTERVAL_MS
    reason = why_no_bus()
    live = asyncio.run(_measure()) if reason is None else None
    bytes_per_s = live.record_size / live.all_s if live else 0.0
    link = "virtual radio, 30 ms, MTU 247"
    entries = {
        "sync.share_of_link_cap_30ms_mtu247": _entry(
            round(bytes_per_s / 1000 / cap_kbps, 3), f"of the cap, {link}", ">= 0.85", "cap", 1
        ),
        "sync.goodput_kBps": _entry(
            round(bytes_per_s / 1000, 1),
            f"kB/s of records, {link}",
            f">= {0.85 * cap_kbps:.1f} (85 % of the link's cap)",
            "the link's cap: 6 x 244 B in 30 ms",
            round(cap_kbps, 1),
        ),
        "sync.readings_per_s": _entry(
            round(bytes_per_s / _RECORD_SIZE * _READINGS),
            f"readings/s, N = 64, {link}",
            ">= 10000",
            "HOBO MX, about 1,400 readings/s",
            1400,
        ),
        "sync.days10_s": _entry(
            round(live.days10_s, 2) if live else 0.0,
            f"s after READY, 45 records, {link}",
            "<= 1.2",
            "HOBO MX, 2,880 readings at 1,400/s",
            2.1,
        ),
        "sync.days90_s": _entry(
            round(live.days90_s, 2) if live else 0.0,
            f"s after READY, 405 records, {link}",
            "<= 10",
            "HOBO MX, 25,920 readings at 1,400/s",
            18.5,
        ),
    }
    if reason is not None:
        for entry in entries.values():
            entry.update(value=None, note=reason)
    return {**entries, **link_model.entries(), "sync.cuts_clean": _cuts()}


def _entry(
    value: float, unit: str, goal: str, reference: str, reference_value: float
) -> dict[str, object]:
    return {
        "value": value,
        "unit": unit,
        "goal": goal,
        "reference": reference,
        "reference_value": reference_value,
    }


def _cuts() -> dict[str, object]:
    """A cut that is not clean is an AssertionError, and ends the benchmark."""
    count = random_cuts(RANDOM_CUTS)
    unit = "cut links of a sync in memory: 0 lost, 0 doubled, 0 stalls"
    return _entry(count, unit, ">= 500, every one", "links that were cut", count)


class Live(NamedTuple):
    """Bytes and seconds of syncs over the virtual radio, scan and handshake not counted."""

    record_size: int
    all_s: float
    days10_s: float
    days90_s: float


async def _measure() -> Live:
    size, all_s = await _measure_one(_RECORD_COUNT)
    return Live(size, all_s, (await _measure_one(45))[1], (await _measure_one(405))[1])


async def _measure_one(record_count: int) -> tuple[int, float]:
    os.environ["ST_RECORDS"], os.environ["ST_SIZE"] = str(record_count), str(_RECORD_SIZE)
    with (
        tempfile.TemporaryDirectory() as folder,
        RadioProcess(Pace(_INTERVAL_MS, _PER_EVENT)) as radio,
    ):
        tag = BareTag(radio, _SCRIPT, DEFAULT_MAC, aioble_source.find()[0])
        try:
            async with bleak_on(radio):
                return await _sync(Path(folder))
        finally:
            tag.end()


async def _sync(folder: Path) -> tuple[int, float]:
    ticket = ticket_for(Person())
    visitor = Visitor(ticket, BleakLink(AdvertFilter(ticket.visit_keys)))
    with EvidenceStore(folder / "store", CERTIFICATE) as store:
        await visitor.connect()
        started_s = time.perf_counter()
        await visitor.sync(store)
        took_s = time.perf_counter() - started_s
        await visitor.close()
        return store.record_size, took_s
