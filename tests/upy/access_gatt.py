# SPDX-License-Identifier: MIT
"""tag/visit/gatt.py on MicroPython, over an aioble that does what the real one does wrong.

Prints one line for each case and "done".
"""

import asyncio
import sys
import time

from access_tag_parts import PlainVisitor, TagParts, make_ticket
from aioble import air

from sealwire import labels, protocol
from sealwire.frames import Joiner
from tag.visit import adverts, gatt


class Uptime:
    def __init__(self):
        self.offset_ms = 0
        self.start = time.ticks_ms()

    def now_ms(self):
        return time.ticks_diff(time.ticks_ms(), self.start) + self.offset_ms


class Condition:
    is_private = False
    fill_permille = 510
    is_refusing = False

    def live(self):
        return adverts.Live(-19_600, 87, False, True, False)


class Radio:
    """A visitor's end of the fake air; PlainVisitor speaks through it."""

    def __init__(self):
        self.joiner = Joiner()
        self.bulk = []

    async def exchange(self, message, wait_ms=400):
        air.write(message)
        return await self.answer(wait_ms)

    async def answer(self, wait_ms=400):
        for _ in range(wait_ms // 2):
            air.take()
            while air.received:
                uuid, value = air.received.pop(0)
                if uuid == protocol.BULK_UUID:
                    self.bulk.append(value)
                else:
                    message = self.joiner.feed(value)
                    if message is not None:
                        return message
            await asyncio.sleep_ms(2)
        return None


class Relay:
    """Lets PlainVisitor, which calls, use an air that is waited for: records, then replays."""

    def __init__(self):
        self.said = None

    def receive(self, message):
        self.said = message
        return bytes((protocol.REFUSE, 0, 0, 0))


async def connect(radio, visitor):
    visitor.hello()
    challenge = await radio.exchange(visitor.session.said)
    from sealwire import access, frames

    visitor.keys = access.open_challenge(visitor.key, visitor.hello_bytes, challenge)
    ready = await radio.exchange(access.pack_proof(visitor.keys))
    visitor.from_tag = frames.Sealer(visitor.keys.mac_tag, visitor.keys.enc_tag)
    visitor.to_tag = frames.Sealer(visitor.keys.mac_visitor, visitor.keys.enc_visitor)
    _, body = visitor.from_tag.open(protocol.REPLY, ready)
    assert body[1] == protocol.OK


async def command(radio, visitor, op, args=b""):
    answer = await radio.exchange(visitor.frame(op, args))
    _, body = visitor.from_tag.open(protocol.REPLY, answer)
    return body[1], body[2:]


def sync_args(first_seq, credit):
    return first_seq.to_bytes(4, "big") + credit.to_bytes(2, "big")


class Bench:
    def __init__(self):
        self.parts = TagParts()
        self.parts.set_clock()
        for _ in range(60):
            self.parts.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
        self.uptime = Uptime()
        self.condition = Condition()
        self.faults = []
        ids = adverts.AdvertIds(self.parts.admission, self.parts.entropy.random, self.uptime)
        self.service = gatt.GattService(
            self.parts.session,
            ids,
            self.condition,
            self.uptime,
            lambda code, text: self.faults.append((code, text)),
            "virtual",
            "0.1.0",
        )

    def visitor(self):
        return PlainVisitor(Relay(), make_ticket())


async def settle(bench, count):
    """Waits until the tag advertises for the *count*-th time."""
    for _ in range(800):
        if len(air.adverts) >= count:
            return
        await asyncio.sleep_ms(2)
    raise AssertionError("no advert %d, but %d" % (count, len(air.adverts)))


async def read_all(radio, visitor):
    """Everything that is streamed until 50 ms bring nothing more."""
    chunks = []
    quiet_ms = 0
    while quiet_ms < 50:
        air.take()
        while air.received:
            radio.bulk.append(air.received.pop(0)[1])
        quiet_ms = 0 if radio.bulk or not chunks else quiet_ms + 2
        chunks += [visitor.from_tag.open_bulk(frame)[1] for frame in radio.bulk]
        radio.bulk = []
        await asyncio.sleep_ms(2)
    return b"".join(chunks)


async def case_device_information(bench):
    assert air.characteristics[0x2A29].value == b"Sealtrail"
    assert air.characteristics[0x2A24].value == b"virtual"
    assert air.characteristics[0x2A26].value == b"0.1.0"
    assert 0x2A25 not in air.characteristics, "a serial number is said by air"
    assert air.characteristics[0x2A19].value == bytes((87,))
    status = air.characteristics[protocol.STATUS_UUID].value
    assert status == bytes((protocol.VERSION, gatt.STATE_DEPOT, 87, 2))
    live, condition = bench.service._condition.live(), bench.service._condition
    for is_private, fill in ((False, gatt.FILL_REFUSING), (True, 2)):
        # On a trip nobody who passes by learns that the log is full.
        condition.is_refusing = True
        bench.service._show(live, is_private)
        assert air.characteristics[protocol.STATUS_UUID].value[3] == fill
    condition.is_refusing = False
    bench.service._show(live, False)
    assert air.settings["mtu"] == 247


async def case_sync(bench, mtu):
    before = len(air.adverts)
    air.connect(mtu)
    radio, visitor = Radio(), bench.visitor()
    await connect(radio, visitor)
    assert (await command(radio, visitor, protocol.SYNC, sync_args(0, 1000)))[0] == protocol.OK
    assert await read_all(radio, visitor) == b"".join(bench.parts.records.all)
    assert air.enomem_count > 0, "the buffers were never full"
    assert (await command(radio, visitor, protocol.BYE))[0] == protocol.OK
    await settle(bench, before + 1)


async def case_commands_come_through_while_streaming(bench):
    air.connect()
    radio, visitor = Radio(), bench.visitor()
    await connect(radio, visitor)
    await command(radio, visitor, protocol.SYNC, sync_args(0, 1000))
    for _ in range(5):
        code, _ = await command(radio, visitor, protocol.STATUS)
        assert code == protocol.OK
    air.lose_link()
    await asyncio.sleep_ms(20)


async def case_a_second_sync_is_answered_before_its_stream(bench):
    air.connect()
    radio, visitor = Radio(), bench.visitor()
    await connect(radio, visitor)
    await command(radio, visitor, protocol.SYNC, sync_args(0, 1000))
    air.is_frozen = True
    await asyncio.sleep_ms(60)  # the buffers are full and the pump waits for room
    air.write(visitor.frame(protocol.SYNC, sync_args(50, 1000)))
    await asyncio.sleep_ms(60)
    air.is_frozen = False
    radio.bulk = []
    await radio.answer()
    radio.bulk = []  # what came before the answer belongs to the stream before it
    assert await read_all(radio, visitor) == b"".join(bench.parts.records.all[50:])
    air.lose_link()
    await asyncio.sleep_ms(20)


async def case_a_lost_link_in_mid_stream_is_survived(bench):
    before = len(air.adverts)
    air.connect()
    radio, visitor = Radio(), bench.visitor()
    await connect(radio, visitor)
    await command(radio, visitor, protocol.SYNC, sync_args(0, 1000))
    air.write(visitor.frame(protocol.STATUS))
    air.lose_link()
    air.write(visitor.frame(protocol.STATUS))
    await settle(bench, before + 1)
    assert bench.faults == []


async def case_writes_of_a_dead_link_are_ignored(bench):
    dead = air.connection
    for _ in range(4):
        air.write(b"\x01stale", dead)
    air.connect()
    radio, visitor = Radio(), bench.visitor()
    await connect(radio, visitor)
    air.lose_link()
    await asyncio.sleep_ms(20)


async def case_a_silent_stranger_is_dropped(bench):
    before = len(air.adverts)
    connection = air.connect()
    await asyncio.sleep_ms(20)
    assert connection.is_connected()
    air.lose_link()
    await settle(bench, before + 1)
    connection = air.connect()
    await asyncio.sleep_ms(20)
    bench.uptime.offset_ms += protocol.ANONYMOUS_LINK_MS  # his time is over
    air.write(b"?")
    await settle(bench, before + 2)
    assert not connection.is_connected()


async def case_three_bad_doors_end_the_link(bench):
    connection = air.connect()
    radio = Radio()
    for _ in range(protocol.BAD_DOORS_MAX):
        answer = await radio.exchange(bytes((protocol.HELLO, 1)) + bytes(130))
        assert answer[:2] == bytes((protocol.REFUSE, protocol.DOOR))
    for _ in range(400):
        if not connection.is_connected():
            break
        await asyncio.sleep_ms(2)
    assert not connection.is_connected()


async def case_a_private_advert_carries_no_value(bench):
    before = len(air.adverts)
    bench.condition.is_private = True
    air.connect()
    air.lose_link()
    await settle(bench, before + 1)
    advert, response = air.adverts[-1]
    assert b"\xd2\xfc" not in advert and b"\xff\xff" in response
    assert air.characteristics[protocol.STATUS_UUID].value[1] == gatt.STATE_TRIP
    assert air.settings["addr_mode"] == 1


async def main():
    bench = Bench()
    task = asyncio.create_task(bench.service.run())
    await settle(bench, 1)
    for name, case in (
        ("device information", case_device_information(bench)),
        ("sync at mtu 247", case_sync(bench, 247)),
        ("sync at mtu 23", case_sync(bench, 23)),
        ("sync without mtu exchange", case_sync(bench, None)),
        ("commands while streaming", case_commands_come_through_while_streaming(bench)),
        ("order of answer and stream", case_a_second_sync_is_answered_before_its_stream(bench)),
        ("lost link", case_a_lost_link_in_mid_stream_is_survived(bench)),
        ("stale writes", case_writes_of_a_dead_link_are_ignored(bench)),
        ("silent stranger", case_a_silent_stranger_is_dropped(bench)),
        ("three bad doors", case_three_bad_doors_end_the_link(bench)),
        ("private advert", case_a_private_advert_carries_no_value(bench)),
    ):
        await case
        print("ok", name)
        if task.done():
            raise AssertionError("the service ended")
    assert bench.faults == [], bench.faults
    print("done")


try:
    asyncio.run(main())
except AssertionError as error:
    sys.print_exception(error)
    sys.exit(1)
