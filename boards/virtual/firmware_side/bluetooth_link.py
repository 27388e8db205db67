# SPDX-License-Identifier: MIT
"""The wire between the virtual board's `bluetooth` module and the radio process.

Frames are `u16 payload size, u8 kind, payload`, little-endian, on a unix stream socket;
their numbers are those of boards/virtual/radio/frames.py. Nothing here waits for an
answer. Credits are counted as soon as they are read: a notification takes one, and the
radio gives it back when the virtual controller has sent it, as NimBLE's buffers do.
"""

import socket
import struct
import sys

from micropython import const

try:
    # The board's own select would turn its clock instead of waiting for the radio.
    from turnable_clock import uselect as host_select
except ImportError:
    import select as host_select

# Tag to radio.
REGISTER = const(0x52)
MTU_WANTED = const(0x4D)
SERVICES = const(0x53)
ADVERTISE = const(0x41)
NOTIFY = const(0x4E)
INDICATE = const(0x49)
UPDATE = const(0x55)
DISCONNECT = const(0x44)
WRITE_ANSWER = const(0x57)
READ_ANSWER = const(0x47)

# Radio to tag.
CONNECTED = const(0x63)
DISCONNECTED = const(0x64)
MTU_AGREED = const(0x6D)
WRITTEN = const(0x77)
READ = const(0x67)
SENT = const(0x71)
INDICATED = const(0x69)
LINK_DOWN = const(0)  # not a frame: the radio process is gone

_EAGAIN = const(11)
_RECEIVE_SIZE = const(8192)
_SEND_WAIT_MS = const(1000)
_SEND_TRIES = const(10)


class RadioLink:
    """One open socket to the radio. Raises OSError from the constructor when it is not there.

    *events* collects (kind, payload) for whoever runs interrupts; *in_flight* has one
    count a connection, and a connection is missing there as soon as its end was read.
    """

    def __init__(self, path: str):
        self.events = []
        self.in_flight = {}
        self.socket = s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(_address(path))
        s.setblocking(False)
        self._received = bytearray()
        self._writable = host_select.poll()
        self._writable.register(s, host_select.POLLOUT)

    def close(self) -> None:
        self.socket.close()

    def send(self, kind: int, payload: bytes) -> None:
        """Sends one frame; waits only while the socket is full, at most 10 s."""
        out = struct.pack("<HB", len(payload), kind) + payload
        for _ in range(_SEND_TRIES):
            try:
                size = self.socket.write(out)
            except OSError:
                return  # the radio is gone; receive() tells so
            if size == len(out):
                return
            out = out[size or 0 :]
            self._writable.poll(_SEND_WAIT_MS)

    def receive(self) -> None:
        """Takes what the radio has sent, without waiting."""
        while True:
            try:
                part = self.socket.recv(_RECEIVE_SIZE)
            except OSError as e:
                if e.errno == _EAGAIN:
                    break
                part = b""
            if not part:
                self.in_flight.clear()
                self.events.append((LINK_DOWN, b""))
                break
            self._received += part
            if len(part) < _RECEIVE_SIZE:
                break
        self._split()

    def _split(self) -> None:
        """Cuts whole frames off the received bytes."""
        received, start = self._received, 0
        while len(received) - start >= 3:
            end = start + 3 + (received[start] | received[start + 1] << 8)
            if end > len(received):
                break
            self._take(received[start + 2], bytes(received[start + 3 : end]))
            start = end
        if start:
            self._received = received[start:]

    def _take(self, kind: int, payload: bytes) -> None:
        connection = payload[0] | payload[1] << 8
        if kind == SENT:
            if connection in self.in_flight:
                count = payload[2] | payload[3] << 8
                self.in_flight[connection] -= count
            return
        if kind == CONNECTED:
            self.in_flight[connection] = 0
        elif kind == DISCONNECTED:
            # Known at once: the next notify must fail. The handler hears of it in its turn.
            self.in_flight.pop(connection, None)
        self.events.append((kind, payload))


def _address(path: str) -> bytes:
    """Returns *path* as a struct sockaddr_un."""
    family = b"\0\x01" if sys.platform == "darwin" else b"\x01\0"
    return family + path.encode() + b"\0"
