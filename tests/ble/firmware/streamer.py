# SPDX-License-Identifier: MIT
"""Test tag: streams bytes by notification under an absolute credit, and obeys commands.

The byte at offset i is (i * 7 + (i >> 8)) & 255, so any part can be checked and resumed.
A notification is `u32 offset, bytes`. Commands, written to COMMAND (little-endian):
  1 offset u32, end u32, limit u32   send [offset, end), never beyond limit
  2 limit u32                        a higher limit; repeats and losses do no harm
  3 bytes                            indicate this very command
  4                                  the tag ends the connection
  5 exponent u8                      private adverts (1) or public address (0) from now on
"""

import asyncio
import errno
import struct

import aioble
import bluetooth

NAME = "STREAM"
MTU = 247


def uuid(number):
    return bluetooth.UUID(f"7b1e{number:04x}-3c5a-4a8e-9f10-aabbccddeeff")


class Streamer:
    def __init__(self):
        aioble.config(mtu=MTU, gap_name=NAME)
        service = aioble.Service(uuid(1))
        self.command = aioble.BufferedCharacteristic(
            service, uuid(2), write=True, write_no_response=True, capture=True, max_len=64
        )
        self.stream = aioble.Characteristic(service, uuid(3), read=True, notify=True)
        self.indicator = aioble.Characteristic(service, uuid(4), indicate=True)
        aioble.register_services(service)
        self.stream.write(b"ready")
        self.limit = 0
        self.job = None

    async def send(self, connection, offset, end):
        size = (connection.mtu or 23) - 3 - 4
        frame = bytearray(size + 4)
        try:
            with connection.timeout(None):
                while offset < end:
                    if offset >= self.limit:
                        await asyncio.sleep_ms(1)
                        continue
                    count = min(size, end - offset)
                    struct.pack_into("<I", frame, 0, offset)
                    for i in range(count):
                        at = offset + i
                        frame[4 + i] = (at * 7 + (at >> 8)) & 255
                    await self.notify(connection, memoryview(frame)[: count + 4])
                    offset += count
        except (aioble.DeviceDisconnectedError, OSError, TypeError) as e:
            print("stream ended", repr(e))

    async def notify(self, connection, frame):
        while True:
            try:
                return self.stream.notify(connection, frame)
            except OSError as e:
                if e.errno != errno.ENOMEM:
                    raise
            await asyncio.sleep_ms(2)

    async def obey(self):
        while True:
            connection, order = await self.command.written()
            if order[0] == 1:
                offset, end, self.limit = struct.unpack_from("<III", order, 1)
                if self.job:
                    self.job.cancel()
                self.job = asyncio.create_task(self.send(connection, offset, end))
            elif order[0] == 2:
                self.limit = max(self.limit, struct.unpack_from("<I", order, 1)[0])
            elif order[0] == 3:
                await self.indicator.indicate(connection, order)
            elif order[0] == 4:
                await connection.disconnect()
            elif order[0] == 5:
                aioble.config(addr_mode=3 if order[1] else 0)

    async def serve(self):
        obeying = asyncio.create_task(self.obey())
        while not obeying.done():
            connection = await aioble.advertise(50_000, name=NAME, services=[uuid(1)])
            print("connected", connection.device)
            await connection.disconnected()
            print("gone")


asyncio.run(Streamer().serve())
