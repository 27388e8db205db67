# SPDX-License-Identifier: MIT
# ruff: noqa: UP041  MicroPython's asyncio.TimeoutError is a class of its own
"""Test tag that outlives its radio: says what aioble tells it then, and ends."""

import asyncio

import aioble


async def main():
    aioble.config(mtu=100)
    connection = await aioble.advertise(50_000, name="ORPHAN")
    try:
        with connection.timeout(10_000):
            await asyncio.sleep_ms(20_000)
    except aioble.DeviceDisconnectedError:
        print("disconnected")
    while True:
        # With a timeout: nothing tells a waiting advertise() that the radio is gone, and
        # the dying radio's socket may take one more connection.
        try:
            await aioble.advertise(50_000, name="ORPHAN", timeout_ms=100)
        except asyncio.TimeoutError:
            continue
        except OSError as e:
            print("advertise: errno", e.errno)
            return


asyncio.run(main())
