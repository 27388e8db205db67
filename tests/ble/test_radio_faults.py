# SPDX-License-Identifier: MIT
"""Full queues, a radio that dies, and a machine without dbus-daemon."""

import asyncio
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError

from boards.virtual import aioble_source
from boards.virtual.radio import private_bus
from boards.virtual.radio.control import send_order
from boards.virtual.radio.object_tree import _PatientSocket
from boards.virtual.radio.private_bus import BusUnavailable, PrivateBus
from boards.virtual.radio.runner import RadioProcess
from tests.ble.conftest import StartBareTag, StartTag, VirtualTag, bleak_on
from tests.ble.stream_client import Link, until, uuid
from tests.paths import REPO

_QUEUE_COUNT = 12  # notifications in flight before ENOMEM


async def _flood_result(tag: VirtualTag, count: int = 1) -> list[tuple[int, int, str]]:
    """Waits for *count* lines of firmware/flood.py: (queued, times full, error)."""
    pattern = re.compile(r"FLOOD (\d+) (\d+) (\w+)")
    await until(lambda: len(pattern.findall(tag.said)) >= count, 10)
    return [(int(queued), int(full), error) for queued, full, error in pattern.findall(tag.said)]


async def test_a_full_queue_says_enomem_and_loses_nothing(
    radio_bus: RadioProcess, virtual_tag: StartTag
) -> None:
    tag, numbers = virtual_tag(radio_bus, "flood.py"), []
    async with await Link.open("FLOOD") as link:
        await link.client.start_notify(
            uuid(3), lambda _, value: numbers.append(struct.unpack_from("<I", value)[0])
        )
        await link.order(struct.pack("<H", 200))
        await until(lambda: len(numbers) == 200, 10)
        ((queued, full, error),) = await _flood_result(tag)
    assert numbers == list(range(200))
    assert (queued, error) == (200, "None")
    assert full > 0


async def test_what_was_queued_at_a_disconnect_is_lost_and_the_next_notify_fails(
    radio_bus: RadioProcess, virtual_tag: StartTag
) -> None:
    tag, numbers, hundred = virtual_tag(radio_bus, "flood.py"), [], asyncio.Event()

    def note(_: object, value: bytearray) -> None:
        numbers.append(struct.unpack_from("<I", value)[0])
        if len(numbers) == 100:
            hundred.set()

    async with await Link.open("FLOOD") as link:
        await link.client.start_notify(uuid(3), note)
        await link.order(struct.pack("<H", 2000))
        await asyncio.wait_for(hundred.wait(), 10)
        radio_bus.order("loss")
        await link.wait_gone()
        ((queued, _, error),) = await _flood_result(tag)
    assert error == "107"  # ENOTCONN
    assert numbers == list(range(len(numbers)))
    assert 0 < queued - len(numbers) <= _QUEUE_COUNT


async def test_a_radio_that_dies_ends_links_with_errors_at_both_ends(
    bare_tag: StartBareTag,
) -> None:
    if reason := private_bus.why_no_bus():
        pytest.skip(reason)
    with RadioProcess() as radio:
        async with bleak_on(radio):
            tag = bare_tag(radio, "radio_gone.py")
            link = await Link.open("ORPHAN")
            radio.kill()
            said = await asyncio.to_thread(tag.wait_said)
            # bleak does not watch the owner of org.bluez: the next request tells.
            with pytest.raises((BleakError, OSError)):
                await link.client.read_gatt_char(uuid(3))
            with pytest.raises(BleakError):
                await link.close()
            with pytest.raises((BleakError, OSError)):
                await BleakScanner.discover(timeout=1)
    assert said == "disconnected\nadvertise: errno 19\n"  # ENODEV
    with pytest.raises(OSError):
        send_order(radio.socket, "stats")


def test_a_missing_dbus_daemon_is_one_clear_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BusUnavailable, match="apt-get install"), PrivateBus(tmp_path / "bus"):
        pass
    done = subprocess.run(
        [
            *(sys.executable, "-m", "boards.virtual.radio"),
            *("--sock", str(tmp_path / "radio"), "--bus-dir", str(tmp_path / "bus")),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1 and "dbus-daemon is not installed" in done.stderr


def test_an_order_that_makes_no_sense_is_refused(paced_radio: RadioProcess) -> None:
    for order in ("dance", "pace fast", "pace"):
        with pytest.raises(ValueError, match="cannot obey"):
            paced_radio.order(order)
    assert "tags" in paced_radio.order("stats")


def test_a_full_bus_socket_means_later_and_not_broken() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        patient = _PatientSocket(ours)
        while patient.send(bytes(65536)):
            pass
        assert patient.send(b"x") == 0
        theirs.recv(1 << 20)
        assert patient.send(b"x") == 1


def test_a_micropython_lib_without_aioble_is_an_error_and_not_the_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROPYTHON_LIB", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MICROPYTHON_LIB"):
        aioble_source.find()
    monkeypatch.delenv("MICROPYTHON_LIB")
    assert aioble_source.find() == aioble_source.standin()
