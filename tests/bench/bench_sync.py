# SPDX-License-Identifier: MIT
"""Goodput of a sync over the virtual radio: firmware, aioble, ATT, bleak, store with fsync.

The link is paced as a phone's would be (30 ms, six packets an event, MTU 247); its cap,
6 x 244 B in 30 ms, is the reference. Records have 213 B: 64 readings of one probe. What is
measured is the software over a link of that pace, not a radio.
"""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from boards.virtual import aioble_source
from boards.virtual.radio.controller import Pace
from boards.virtual.radio.private_bus import why_no_bus
from boards.virtual.radio.runner import RadioProcess
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealtrail.radio.visitor import Visitor
from tests.ble.conftest import DEFAULT_MAC, BareTag, bleak_on
from tests.fakes.access_parts import Person
from tests.fakes.fake_link import CERTIFICATE, ticket_for
from tests.paths import REPO

_SCRIPT = REPO / "tests" / "upy" / "access_ble_tag.py"
_INTERVAL_MS, _PER_EVENT, _VALUE_SIZE = 30, 6, 244
_RECORD_COUNT, _RECORD_SIZE, _READINGS = 600, 213, 64


def run() -> dict[str, dict[str, object]]:
    """Takes about 10 s. Without a D-Bus daemon there is no value, and the reason."""
    cap_kbps = _PER_EVENT * _VALUE_SIZE / _INTERVAL_MS
    entry: dict[str, object] = {
        "value": None,
        "unit": "kB/s of records",
        "goal": f">= {0.85 * cap_kbps:.1f} (85 % of the link's cap)",
        "reference": "the link's cap: 6 x 244 B in 30 ms",
        "reference_value": round(cap_kbps, 1),
    }
    reason = why_no_bus()
    bytes_per_s = 0.0
    if reason is None:
        size, took_s = asyncio.run(_measure())
        bytes_per_s = size / took_s
        entry["value"] = round(bytes_per_s / 1000, 1)
    else:
        entry["note"] = reason
    readings: dict[str, object] = {
        "value": round(bytes_per_s / _RECORD_SIZE * _READINGS) or None,
        "unit": "readings/s, N = 64",
        "goal": ">= 10000",
        "reference": "HOBO MX, about 1,400 readings/s",
        "reference_value": 1400,
    }
    return {"sync.goodput_kBps": entry, "sync.readings_per_s": readings}


async def _measure() -> tuple[int, float]:
    """(bytes of records, seconds) of one whole sync, scan and handshake not counted."""
    os.environ["ST_RECORDS"], os.environ["ST_SIZE"] = str(_RECORD_COUNT), str(_RECORD_SIZE)
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
