# SPDX-License-Identifier: MIT
"""Frames between a tag's `bluetooth` module and the radio, on a unix stream socket.

A frame is `u16 payload size, u8 kind, payload`, little-endian. Neither side ever waits for
an answer to a frame while firmware runs; answers are frames of their own.
`boards/virtual/firmware_side/bluetooth_link.py` has the same numbers for MicroPython;
tests/ble/test_radio_frames.py fails if the two differ.
"""

import asyncio
import struct

HEAD = struct.Struct("<HB")

# Tag to radio.
REGISTER = ord("R")  # JSON {"mac": hex12, "mtu": n}: the controller is powered
MTU_WANTED = ord("M")  # u16
SERVICES = ord("S")  # JSON {"name", "services": [[uuid, [[value handle, uuid, flags,
#   [[descriptor handle, uuid, flags]]]]]]}; UUIDs as little-endian hex
ADVERTISE = ord("A")  # JSON {"us", "adv", "resp", "conn", "addr", "public"}, or null: stop
NOTIFY = ord("N")  # u16 connection, u16 handle, value
INDICATE = ord("I")  # u16 connection, u16 handle, value
UPDATE = ord("U")  # u16 handle, value: to every subscriber
DISCONNECT = ord("D")  # u16 connection
WRITE_ANSWER = ord("W")  # u16 request, u8 ATT status
READ_ANSWER = ord("G")  # u16 request, u8 ATT status, value

# Radio to tag.
CONNECTED = ord("c")  # u16 connection, u8 address type, 6 B address, most significant first
DISCONNECTED = ord("d")  # u16 connection
MTU_AGREED = ord("m")  # u16 connection, u16 mtu
WRITTEN = ord("w")  # u16 request, u16 connection, u16 handle, value
READ = ord("g")  # u16 request, u16 connection, u16 handle
SENT = ord("q")  # u16 connection, u16 count: so many notifications left the controller
INDICATED = ord("i")  # u16 connection, u16 handle, u8 status


def pack(kind: int, payload: bytes = b"") -> bytes:
    """Returns the bytes of one frame. *payload* is at most 65,535 B."""
    return HEAD.pack(len(payload), kind) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Returns (kind, payload) of the next frame.

    Raises asyncio.IncompleteReadError when the tag has closed its end.
    """
    size, kind = HEAD.unpack(await reader.readexactly(HEAD.size))
    return kind, await reader.readexactly(size)
