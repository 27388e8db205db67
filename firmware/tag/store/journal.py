# SPDX-License-Identifier: MIT
"""Journal: samples and events, durable one by one, until a signed record covers them.

Payloads of ring entries, little-endian:

    sample   up_ms u48, one i24 per probe (centi-degrees C, or a fault value)
    event    up_ms u48, code u8, content (CBOR, may be empty)
    boot     boot u32, up_ms u48, cause u8

A sample of one or two probes takes one slot of 16 B. The boot entry is the ring's note, so
every entry can be told its boot even after the boot entry itself was overwritten.
up_ms has 48 bits: 32 would wrap after 49 days, within one trip.
"""

import struct
from collections import namedtuple

from micropython import const

from . import ringread
from .ringframe import KIND_NOTE
from .ringlog import RingFull

SAMPLE_ENTRY = const(1)
EVENT_ENTRY = const(2)
BOOT_ENTRY = KIND_NOTE

_PROBES_MAX = const(4)
_UP_SIZE = const(6)
_VALUE_SIZE = const(3)
_VALUE_LIMIT = const(0x800000)
_BOOT_SIZE = const(11)
_EVENT_HEAD_SIZE = const(7)
# Content of an event that fits one slot: such events, too, cost no heap.
_SHORT_CONTENT_MAX = const(5)

# values: list of int (sample), else None. code, content: event (content None if empty);
# of a boot entry, code is the cause.
Entry = namedtuple("Entry", ("index", "boot", "kind", "up_ms", "values", "code", "content"))


class Journal:
    """What is not sealed yet, in *ring*."""

    def __init__(self, ring):
        self._ring = ring
        self._samples = [bytearray(_UP_SIZE + n * _VALUE_SIZE) for n in range(_PROBES_MAX + 1)]
        self._boot = bytearray(_BOOT_SIZE)
        self._events = [bytearray(_EVENT_HEAD_SIZE + n) for n in range(_SHORT_CONTENT_MAX + 1)]
        # Entries below are sealed though the ring had no room to say so; see `free`.
        self._sealed = 0

    def open(self) -> None:
        """Opens the ring unless it is. Raises RingError, OSError."""
        if not self._ring.is_open:
            self._ring.open()
        self._sealed = 0

    @property
    def next(self) -> int:
        """Index the next entry gets."""
        return self._ring.next

    @property
    def freed(self) -> int:
        """Entries below are sealed."""
        return max(self._ring.freed, self._sealed)

    @property
    def unsealed_count(self) -> int:
        """Entries that no record covers yet."""
        return self._ring.next - self.freed

    @property
    def fill_permille(self) -> int:
        """Share of the sectors that may not be overwritten, 0..1000."""
        return self._ring.fill_permille

    @property
    def kept_sectors(self) -> int:
        """Sectors that may not be overwritten."""
        return self._ring.kept_sectors

    def append_sample(self, up_ms: int, values) -> int:
        """Commits one sample: one value a probe, 1..4 probes. Returns its index.

        Allocates nothing. Raises as `Ring.append`; ValueError out of range.
        """
        count = len(values)
        if not 1 <= count <= _PROBES_MAX:
            raise ValueError("probe count")
        buffer = self._samples[count]
        _put_up_ms(buffer, 0, up_ms)
        at = _UP_SIZE
        for value in values:
            if not -_VALUE_LIMIT <= value < _VALUE_LIMIT:
                raise ValueError("value")
            buffer[at] = value & 255
            buffer[at + 1] = value >> 8 & 255
            buffer[at + 2] = value >> 16 & 255
            at += _VALUE_SIZE
        return self._ring.append(SAMPLE_ENTRY, buffer)

    def append_event(self, up_ms: int, code: int, content=None, is_urgent: bool = False) -> int:
        """Commits one event; *content* is CBOR bytes or None. Returns its index.

        An urgent one may use the reserve of a full journal. Allocates nothing for content of
        up to 5 B. Raises as `Ring.append`.
        """
        size = len(content) if content else 0
        if size <= _SHORT_CONTENT_MAX:
            payload = self._events[size]
        else:
            payload = bytearray(_EVENT_HEAD_SIZE + size)
        _put_up_ms(payload, 0, up_ms)
        payload[_UP_SIZE] = code
        for i in range(size):
            payload[_EVENT_HEAD_SIZE + i] = content[i]
        return self._ring.append(EVENT_ENTRY, payload, is_urgent)

    def append_boot(self, boot: int, up_ms: int, cause: int = 0) -> int:
        """Commits the start of boot number *boot*: entries after it belong to it.

        Always urgent: without it an urgent event would be told the boot before.
        """
        struct.pack_into("<I", self._boot, 0, boot)
        _put_up_ms(self._boot, 4, up_ms)
        self._boot[_BOOT_SIZE - 1] = cause
        return self._ring.append(BOOT_ENTRY, self._boot, True)

    def entries(self):
        """Yields an Entry for everything not sealed, oldest first, each with its boot.

        The boot is 0 where the log began without a boot entry.
        """
        freed = self.freed
        if freed == self._ring.next:
            return
        boot, start = ringread.note_before(self._ring, freed)
        for index, kind, payload in self._ring.entries(start):
            if kind == BOOT_ENTRY:
                boot = struct.unpack_from("<I", payload)[0]
            if index >= freed:
                yield _parse(index, boot, kind, payload)

    def read_last_boot(self) -> int:
        """Returns the number of the newest boot entry, 0 without one."""
        return self._ring.note

    def free(self, upto: int) -> None:
        """Commits that a record covers the entries below *upto*.

        On a ring too full to say so it is true for this life only, and so it is on one that
        raises OSError: the record log's frame says it again at the next boot (`recover_pair`).
        """
        self._sealed = max(self._sealed, upto)  # else a second seal would take them again
        try:
            self._ring.free(upto)
        except RingFull:
            pass


def _put_up_ms(buffer, at, up_ms):
    if up_ms < 0 or up_ms >> 48:
        raise ValueError("up_ms")
    for _ in range(_UP_SIZE):
        buffer[at] = up_ms & 255
        up_ms >>= 8
        at += 1


def _up_ms(payload, at):
    return int.from_bytes(payload[at : at + _UP_SIZE], "little")


def _parse(index, boot, kind, payload):
    if kind == BOOT_ENTRY:
        return Entry(index, boot, kind, _up_ms(payload, 4), None, payload[10], None)
    if kind == EVENT_ENTRY:
        content = payload[_UP_SIZE + 1 :] or None
        return Entry(index, boot, kind, _up_ms(payload, 0), None, payload[_UP_SIZE], content)
    values = []
    for at in range(_UP_SIZE, len(payload), _VALUE_SIZE):
        value = payload[at] | payload[at + 1] << 8 | payload[at + 2] << 16
        values.append(value - 2 * _VALUE_LIMIT if value & _VALUE_LIMIT else value)
    return Entry(index, boot, kind, _up_ms(payload, 0), values, None, None)
