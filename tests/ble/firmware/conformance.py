# SPDX-License-Identifier: MIT
# ruff: noqa: UP041  MicroPython's asyncio.TimeoutError is a class of its own
"""One script for aioble and for the stand-in: every line it prints must be the same on both.

The client's half is in tests/ble/test_aioble_conformance.py; the two go step by step.
"""

import asyncio

import aioble
import bluetooth

NAME = "CONFORM"
WRITE_NOT_PERMITTED = 0x03


def uuid(number):
    return bluetooth.UUID(f"7b1e{number:04x}-3c5a-4a8e-9f10-aabbccddeeff")


def say(*words):
    print("T", *words)


async def tried(what, awaitable):
    """Says what came of *awaitable*: its result or its exception."""
    try:
        say(what, "->", await awaitable)
    except (Exception, asyncio.CancelledError) as e:
        say(what, "raised", type(e).__name__, getattr(e, "_status", ""))


class Guarded(aioble.Characteristic):
    """Readable except by whom the tag does not like."""

    refuse = 0

    def on_read(self, connection):
        return self.refuse


class Tag:
    def __init__(self):
        aioble.config(mtu=185, gap_name=NAME)
        service = aioble.Service(uuid(1))
        self.command = aioble.BufferedCharacteristic(
            service, uuid(2), write=True, write_no_response=True, capture=True, max_len=100
        )
        self.small = aioble.Characteristic(
            service, uuid(3), read=True, write=True, initial=b"first"
        )
        self.noted = aioble.Characteristic(service, uuid(4), read=True, notify=True)
        self.indicated = aioble.Characteristic(service, uuid(5), indicate=True)
        self.guarded = Guarded(service, uuid(6), read=True, initial=b"secret")
        self.appended = aioble.BufferedCharacteristic(
            service, uuid(7), write=True, max_len=50, append=True
        )
        self.other = aioble.Characteristic(service, uuid(8), write=True, capture=True)
        information = aioble.Service(bluetooth.UUID(0x180A))
        self.version = aioble.Characteristic(
            information, bluetooth.UUID(0x2A26), read=True, initial="fw 1"
        )
        aioble.register_services(service, information)

    async def adverts(self):
        await tried("advertise", aioble.advertise(50_000, name="NOBODY", timeout_ms=60))
        try:
            await aioble.advertise(50_000, name="x" * 40)
        except ValueError as e:
            say("name too long:", e.args[0] if e.args[0:] and not e.args[0] else "refused")
        task = asyncio.create_task(aioble.advertise(50_000, adv_data=b"\x02\x01\x06"))
        await asyncio.sleep_ms(20)
        task.cancel()
        await tried("advertise, cancelled", task)
        say("local", self.small.read(), self.version.read())

    async def connect(self):
        return await aioble.advertise(
            50_000, name=NAME, services=[uuid(1)], manufacturer=(0xFFFF, b"abc")
        )

    async def notifications(self, connection):
        _, order = await self.command.written()
        say("command", order, "mtu", connection.mtu)
        self.noted.notify(connection, b"x" * 300)
        self.noted.notify(connection)
        self.noted.write(b"stored")
        self.noted.notify(connection)
        self.noted.write(b"to all", send_update=True)

    async def writes(self, connection):
        writer, order = await self.command.written()
        say("command size", len(order), writer is connection)
        writer = await self.small.written()
        say("small", self.small.read(), writer is connection)
        await tried("no write", self.small.written(timeout_ms=50))
        await self.appended.written()
        _, order = await self.command.written()
        say("appended", order, self.appended.read(), self.appended.read())

    async def indications(self, connection):
        await tried("indicate", self.indicated.indicate(connection, b"ind"))
        first = asyncio.create_task(self.indicated.indicate(connection, b"one"))
        await asyncio.sleep_ms(0)
        await tried("indicate at once", self.indicated.indicate(connection, b"two"))
        await tried("the first", first)
        await tried("indicate where notify is", self.noted.indicate(connection, b""))
        try:
            self.indicated.notify(connection, b"")
        except ValueError:
            say("notify where indicate is: refused")

    async def timeouts(self, connection):
        async def too_long():
            with connection.timeout(60):
                await asyncio.sleep_ms(5000)

        await tried("timeout", too_long())

    async def ends(self, connection):
        async def until_gone():
            with connection.timeout(5000):
                await asyncio.sleep_ms(50_000)

        _, order = await self.command.written()
        say("command", order)
        if order == b"central leaves":
            await tried("block", until_gone())
        else:
            await tried("disconnect", connection.disconnect())
        await tried("disconnected", connection.disconnected())
        say("connected", connection.is_connected())
        try:
            self.noted.notify(connection, b"late")
        except (OSError, TypeError) as e:
            say("late notify", type(e).__name__)
        await tried("late indicate", self.indicated.indicate(connection, b"late"))

    async def overflow(self):
        """Fourteen captured writes and nobody who awaits them: the last ten are kept."""
        connection = await self.connect()
        await asyncio.sleep_ms(900)
        held = []
        try:
            while True:
                held.append((await self.command.written(timeout_ms=150))[1][0])
        except asyncio.TimeoutError:
            pass
        say("after overflow", held[-1], len(held) in (10, 11))
        await connection.disconnected(timeout_ms=5000)

        async def late():
            with connection.timeout(50):
                await asyncio.sleep_ms(500)

        await tried("block after the end", late())

    async def blocked_head(self):
        """A captured write that nobody awaits blocks those behind it."""
        connection = await self.connect()
        await tried("behind it", self.command.written(timeout_ms=900))
        _, value = await self.other.written(timeout_ms=900)
        _, order = await self.command.written(timeout_ms=900)
        say("then", value, order)
        await connection.disconnected(timeout_ms=5000)

    async def run(self):
        await self.adverts()
        for _ in range(2):
            connection = await self.connect()
            say(
                "peer",
                connection.device.addr_hex(),
                connection.device.addr_type,
                connection.device,
            )
            await self.notifications(connection)
            await self.writes(connection)
            await self.indications(connection)
            await self.timeouts(connection)
            self.guarded.refuse = WRITE_NOT_PERMITTED
            await self.command.written()
            self.guarded.refuse = 0
            await self.ends(connection)
            say("peer", connection.device)
        await self.overflow()
        await self.blocked_head()
        say("end")


asyncio.run(Tag().run())
