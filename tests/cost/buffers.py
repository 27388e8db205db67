# SPDX-License-Identifier: MIT
"""Where the buffers of one call lie in the machine's memory.

Views of one object share its place, at the distances they have in Python, so what overlaps here
overlaps there. Writable objects begin at a multiple of 64, like heap blocks of a chip at one of
16. Read-only ones begin at an odd address: a constant in a ROM file system may, and code that
reads it by words must fail.
"""

import ctypes
from array import array
from collections.abc import Callable
from dataclasses import dataclass

Buffer = bytes | bytearray | memoryview | array  # type: ignore[type-arg]

BUFFERS, BUFFERS_END = 0x400000, 0x800000  # addresses
_GAP = 128  # bytes that belong to no buffer, between two


@dataclass(frozen=True)
class Span:
    """Addresses that one argument may touch: all below *end* from *start* on."""

    start: int
    end: int
    is_writable: bool
    argument: int  # index of the argument


@dataclass(frozen=True)
class _Place:
    root: memoryview  # the whole object, as bytes
    start: int


class BufferMap:
    """Buffers of one call, placed one after the other; *write* puts their content there."""

    def __init__(self, write: Callable[[int, bytes], None]) -> None:
        self._write = write
        self._next = BUFFERS
        self._places: dict[int, _Place] = {}
        self.spans: list[Span] = []

    def place(self, buffer: Buffer, argument: int) -> int:
        """Returns the address of *buffer*, argument number *argument*."""
        view = memoryview(buffer).cast("B")
        # A read-only view has its own place: nothing shows whether what it shares overlaps.
        owner = buffer if view.readonly else view.obj
        root = memoryview(owner).cast("B")
        if id(owner) not in self._places:
            self._places[id(owner)] = self._new_place(root)
        start = self._places[id(owner)].start + _distance(view, root)
        self.spans.append(Span(start, start + len(view), not view.readonly, argument))
        return start

    def objects(self) -> list[tuple[memoryview, int]]:
        """Content and address of every object placed."""
        return [(place.root, place.start) for place in self._places.values()]

    def _new_place(self, root: memoryview) -> _Place:
        start = self._next + (1 if root.readonly else 0)
        self._next = (start + len(root) + _GAP) & ~63
        if self._next > BUFFERS_END:
            raise MemoryError("buffers of one call")
        self._write(start, bytes(root))
        return _Place(root, start)


def _distance(view: memoryview, root: memoryview) -> int:
    """Bytes from the start of *root* to that of *view*."""
    if view.readonly or not len(view):
        return 0
    first = ctypes.addressof(ctypes.c_char.from_buffer(view))
    return first - ctypes.addressof(ctypes.c_char.from_buffer(root))
