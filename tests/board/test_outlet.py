# SPDX-License-Identifier: MIT
"""Serial output towards a host that reads, reads slowly, or is not there."""

import asyncio
import os
import tty

import pytest

from boards.virtual.supervisor_outlet import Outlet

BLOCK = b"x" * 1000
KEPT_MAX = 16_384 + 70_000  # the outlet's and the kernel's buffers


@pytest.fixture
async def line():
    """(outlet, the host's end, what the outlet asked of its source)."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    asked: list[bool] = []
    outlet = Outlet(master, asked.append, deaf_after_s=0.05)
    yield outlet, slave, asked
    outlet.close()
    os.close(master)
    os.close(slave)


def _read(host: int, size_max: int) -> bytes:
    out = b""
    while len(out) < size_max:
        try:
            out += os.read(host, size_max - len(out))
        except BlockingIOError:
            break
    return out


async def _carry(line, count: int) -> bytes:
    """Sends *count* blocks as a source that can be held, and reads slowly meanwhile."""
    outlet, host, asked = line
    sent, seen = 0, b""
    while sent < count or len(seen) < count * len(BLOCK):
        is_held = bool(asked) and asked[-1]
        if sent < count and not is_held:
            outlet.put(BLOCK)
            sent += 1
        seen += _read(host, 700)
        await asyncio.sleep(0)
    return seen


async def test_a_host_that_reads_gets_every_byte_and_the_source_is_held_meanwhile(line):
    outlet, _, asked = line
    assert await _carry(line, 300) == BLOCK * 300
    assert outlet.dropped_size == 0
    assert True in asked
    assert asked[-1] is False


async def test_a_host_that_is_not_there_holds_the_source_only_for_a_while(line):
    outlet, _, asked = line
    while not asked:
        outlet.put(BLOCK)
    assert asked == [True]
    await asyncio.sleep(0.2)
    assert asked == [True, False]
    for _ in range(1000):
        outlet.put(BLOCK)
    assert asked == [True, False]
    assert outlet.dropped_size > 1_000_000 - KEPT_MAX


async def test_a_host_that_comes_late_gets_the_last_output_and_then_everything(line):
    outlet, host, _ = line
    for _ in range(200):
        outlet.put(BLOCK)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)
    outlet.put(b"last")
    backlog = b""
    while not backlog.endswith(b"last"):
        backlog += _read(host, 100_000)
        await asyncio.sleep(0)
    assert len(backlog) < KEPT_MAX
    dropped_size = outlet.dropped_size
    assert await _carry(line, 300) == BLOCK * 300
    assert outlet.dropped_size == dropped_size
