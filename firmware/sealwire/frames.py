# SPDX-License-Identifier: MIT
"""Sealed commands and replies, bulk frames, and the cut of control notifications.

docs/access-protocol.md, "Frames". A command or reply is encrypted and carries a MAC; a
bulk frame is encrypted only: what it carries, records, is signed and hash-linked.
"""

from .access import Hmac, is_equal
from .aes import AesCtr
from .compat import const
from .protocol import (
    BULK,
    BULK_FRAMES_MAX,
    BULK_HEAD_SIZE,
    MAC_SIZE,
    MESSAGE_SIZE_MAX,
    VALUE_SIZE_MAX,
)

_HEAD_SIZE = const(3)
_LAST = const(0x80)  # bit 7 of a control notification's first byte
_PARTS_MAX = const(128)


class FrameError(Exception):
    """A frame that is malformed, forged or out of order. args = (reason,)."""


class Sealer:
    """One direction of one session: seals on one side, opens on the other."""

    def __init__(self, mac_key: bytes, encryption_key: bytes) -> None:
        self._mac = Hmac(mac_key)
        self._cipher = AesCtr(encryption_key)

    def seal(self, frame_type: int, number: int, body: bytes) -> bytes:
        """A command or reply frame: 11 bytes longer than *body*. *number* 0..65535, used once."""
        head = bytes((frame_type,)) + number.to_bytes(2, "big")
        message = head + self._cipher.apply(frame_type, number, body)
        return message + self._mac.digest(message)[:MAC_SIZE]

    def open(self, frame_type: int, frame: bytes) -> tuple:
        """Returns (number, body). Raises FrameError unless the MAC holds.

        Whether *number* may follow the last one is the caller's to check.
        """
        if len(frame) < _HEAD_SIZE + 1 + MAC_SIZE or frame[0] != frame_type:
            raise FrameError("form")
        view = memoryview(frame)
        end = len(frame) - MAC_SIZE
        if not is_equal(self._mac.digest(view[:end])[:MAC_SIZE], frame[end:]):
            raise FrameError("mac")
        number = int.from_bytes(frame[1:_HEAD_SIZE], "big")
        return number, self._cipher.apply(frame_type, number, view[_HEAD_SIZE:end])

    def seal_bulk(self, number: int, chunk) -> bytes:
        """A bulk frame: 4 bytes longer than *chunk*. *number* counts over the whole session."""
        if number > BULK_FRAMES_MAX:
            raise FrameError("bulk frames are used up")
        # The type byte and the 24-bit number are one 32-bit integer.
        head = (BULK << 24 | number).to_bytes(4, "big")
        return head + self._cipher.apply(BULK, number, chunk)

    def open_bulk(self, frame) -> tuple:
        """Returns (number, chunk). Raises FrameError if it cannot be a bulk frame."""
        # The upper end is that of an ATT value: a carrier that says more is none of ours.
        if not BULK_HEAD_SIZE < len(frame) <= VALUE_SIZE_MAX or frame[0] != BULK:
            raise FrameError("form")
        number = int.from_bytes(frame[1:BULK_HEAD_SIZE], "big")
        return number, self._cipher.apply(BULK, number, memoryview(frame)[BULK_HEAD_SIZE:])


def pack_refuse(code: int, wait_s: int = 0) -> bytes:
    """REFUSE, in clear: a hint only, anyone can forge it."""
    return bytes((0x0F, code)) + min(wait_s, 0xFFFF).to_bytes(2, "big")


def split_message(message: bytes, value_size: int) -> list:
    """Cuts *message* into control notifications of at most *value_size* bytes each."""
    part_size = value_size - 1
    count = max(1, (len(message) + part_size - 1) // part_size)
    if count > _PARTS_MAX or len(message) > MESSAGE_SIZE_MAX:
        raise FrameError("message too long")
    parts = []
    for index in range(count):
        mark = index | (_LAST if index == count - 1 else 0)
        parts.append(bytes((mark,)) + message[index * part_size : (index + 1) * part_size])
    return parts


class Joiner:
    """Puts control notifications together again. Bounded: one message of at most 512 B."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._next_index = 0

    def feed(self, value: bytes):
        """Takes one notification; returns the whole message at its last part, else None.

        Raises FrameError on a part out of order; what was collected is dropped then, and
        a part with index 0 always begins anew.
        """
        if len(value) == 0:
            raise FrameError("empty part")
        index = value[0] & 0x7F
        if index == 0:
            self._reset()
        if index != self._next_index or len(self._content) + len(value) - 1 > MESSAGE_SIZE_MAX:
            self._reset()
            raise FrameError("part out of order or too long")
        self._content += memoryview(value)[1:]
        self._next_index += 1
        if not value[0] & _LAST:
            return None
        message = bytes(self._content)
        self._reset()
        return message

    def _reset(self) -> None:
        self._content = bytearray()
        self._next_index = 0
