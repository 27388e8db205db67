# SPDX-License-Identifier: MIT
"""Syncs with the BLE stack that an interpreter brings: real NimBLE over HCI on a terminal.

Opt-in: MICROPYTHON must name a unix port built with NimBLE (boards/virtual/board.md), and
MICROPYTHON_LIB a checkout with the real aioble.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boards.virtual import BoardError, aioble_source
from boards.virtual.launch import running_board
from boards.virtual.radio.runner import RadioProcess
from boards.virtual.supervisor_chip import has_bluetooth
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.sync import SyncOutcome, sync_tag
from sealtrail.radio.visitor import SyncProgress
from sealwire import protocol
from tests.ble.conftest import FIRMWARE_SCRIPTS, VirtualTag, upload
from tests.ble.stream_client import Link, LinkLost, StreamReceiver
from tests.ble.test_sync_over_ble import NONCE, RECORD_COUNT, SCRIPT, expected_chain, visitor_with
from tests.fakes.fake_link import CERTIFICATE
from tests.micropython import MICROPYTHON

ADDRESS = "c0ffee010000"  # of the radio's first terminal
A_DAY_S = 86_400


_COMMAND = "MICROPYTHON=unix-port-with-nimble MICROPYTHON_LIB=checkout make test"


def _why_not() -> str:
    if not os.environ.get("MICROPYTHON"):
        return f"MICROPYTHON names no interpreter; run: {_COMMAND}"
    if not has_bluetooth(MICROPYTHON):
        return f"{MICROPYTHON} has no bluetooth of its own; run: {_COMMAND}"
    if not os.environ.get("MICROPYTHON_LIB"):
        return f"MICROPYTHON_LIB names no real aioble; run: {_COMMAND}"
    return ""


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=_why_not())


class NativeTag:
    """The firmware's GATT service on plain MicroPython with the interpreter's bluetooth."""

    def __init__(self, radio: RadioProcess, record_count: int, folder: Path) -> None:
        search = (".frozen", aioble_source.find()[0], SCRIPT.parent)
        self._command = [MICROPYTHON, str(SCRIPT), str(SCRIPT)]
        self._environment = {
            **os.environ,
            "MICROPYPATH": ":".join(map(str, search)),
            "MICROPYBTUART": radio.hci,
            "ST_RECORDS": str(record_count),
        }
        self._folder = folder  # aioble keeps a file of NimBLE's keys where it runs
        self.power_on()

    def power_on(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment, cwd=self._folder)

    def cut_power(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., NativeTag]]:
    with contextlib.ExitStack() as stack:

        def run(radio: RadioProcess, record_count: int = RECORD_COUNT) -> NativeTag:
            tag = NativeTag(radio, record_count, tmp_path)
            stack.callback(tag.cut_power)
            return tag

        yield run


@pytest.fixture
def supervised() -> Iterator[Callable[..., VirtualTag]]:
    with contextlib.ExitStack() as stack:

        def run(radio: RadioProcess, script: str) -> VirtualTag:
            run_dir = Path(tempfile.mkdtemp(prefix="st-tag-"))  # sockets need short paths
            stack.callback(shutil.rmtree, run_dir, ignore_errors=True)
            log = run_dir / "uart.log"
            places = ("--hci", radio.hci, "--aioble", str(aioble_source.find()[0]))
            control = stack.enter_context(
                running_board(run_dir, *places, "--log", str(log), "--micropython", MICROPYTHON)
            )
            assert control.status()["bluetooth"] == "native"
            upload(control, FIRMWARE_SCRIPTS / script)
            return VirtualTag(control, ADDRESS, log)

        yield run


async def _sync(
    store: EvidenceStore, on_progress: Callable[[SyncProgress], None] | None = None
) -> SyncOutcome:
    visitor = visitor_with()
    try:
        return await sync_tag(visitor, store, NONCE, on_progress)
    finally:
        await visitor.close()


async def test_a_sync_over_nimble_brings_every_record(
    radio_bus: RadioProcess, start: Callable[..., NativeTag], tmp_path: Path
) -> None:
    start(radio_bus)
    begun_s = time.monotonic()
    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        outcome = await _sync(store)
        assert list(store.records()) == expected_chain()
    print(f"{outcome.size / (time.monotonic() - begun_s) / 1000:.1f} kB/s, scan to goodbye")
    assert outcome.is_complete and outcome.refetch_count == 0
    assert outcome.connection_count == 1


async def test_an_unpaced_link_to_nimble_finds_no_hole(
    unpaced_bus: RadioProcess, start: Callable[..., NativeTag], tmp_path: Path
) -> None:
    start(unpaced_bus, 800)
    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        outcome = await _sync(store)
        assert list(store.records()) == expected_chain(800)
    assert outcome.connection_count == 1


async def test_lost_links_and_power_cuts_on_nimble_cost_no_record_and_double_none(
    radio_bus: RadioProcess, start: Callable[..., NativeTag], tmp_path: Path
) -> None:
    tag = start(radio_bus)

    def cut_power() -> None:
        tag.cut_power()
        tag.power_on()

    troubles = [
        (40, lambda: radio_bus.order("loss")),
        (120, cut_power),
        (220, lambda: radio_bus.order("loss")),
    ]

    def make_trouble(progress: SyncProgress) -> None:
        if troubles and progress.next_seq >= troubles[0][0]:
            troubles.pop(0)[1]()

    with EvidenceStore(tmp_path / "store", CERTIFICATE) as store:
        outcome = await _sync(store, make_trouble)
        assert list(store.records()) == expected_chain()
    assert troubles == []
    assert outcome.record_count == RECORD_COUNT


async def test_a_visitor_who_stays_after_his_goodbye_does_not_end_the_tag(
    radio_bus: RadioProcess, start: Callable[..., NativeTag]
) -> None:
    """aioble's disconnected(timeout) ends its own bookkeeping: gatt.py must not use it."""
    start(radio_bus)
    for _ in range(2):
        visitor = visitor_with()
        await visitor.connect()
        await visitor._say(protocol.BYE, b"")
        await asyncio.sleep(1.5)  # the tag waits half a second and ends the link itself
        await visitor.close()


def test_the_standin_for_aioble_is_refused_in_one_line(tmp_path: Path) -> None:
    places = ("--hci", str(tmp_path / "hci"), "--aioble", str(aioble_source.standin()[0]))
    with (
        pytest.raises(BoardError, match="MICROPYTHON_LIB"),
        running_board(tmp_path / "tag", *places, "--micropython", MICROPYTHON),
    ):
        pass


async def test_a_supervised_tag_on_nimble_resumes_after_a_power_cut_and_an_advance(
    radio_bus: RadioProcess, supervised: Callable[..., VirtualTag]
) -> None:
    tag, receiver = supervised(radio_bus, "streamer.py"), StreamReceiver()

    def cut_power() -> object:
        return asyncio.to_thread(tag.control.kill, 20)

    async with await Link.open() as link:
        await receiver.subscribe(link)
        with pytest.raises(LinkLost):
            await receiver.pull(link, stop_at=40_000, on_stop=cut_power)
    await asyncio.to_thread(tag.control.wait_for_boot, 3)
    await asyncio.to_thread(tag.control.advance, A_DAY_S)
    async with await Link.open() as link:
        await receiver.subscribe(link)
        await receiver.pull(link)
    receiver.check_complete()
    assert receiver.doubled == 0
