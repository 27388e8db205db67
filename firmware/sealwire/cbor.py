# SPDX-License-Identifier: MIT
"""The subset of CBOR that Sealtrail signs: deterministic, bounded, strict.

Unsigned and negative integers of up to 64 bits, byte strings, text, arrays and maps,
in the core deterministic encoding of RFC 8949 section 4.2.1 (shortest heads, no
indefinite length, map keys in bytewise order of their encodings). No floats, no simple
values; one tag only where a caller writes or expects it. Whatever else arrives is
refused with a fixed reason of docs/record-format.md, "Reasons".

`Writer` writes into a buffer made once and allocates nothing for integers below 2**30.
KNOWN LIMIT: an ESP32 keeps integers outside +-2**30 on the heap, so Unix times and
uptimes above 12.4 days cost one heap block each when they are computed, not when written.
"""

from .compat import const

_UINT = const(0)
_NINT = const(1)
_BSTR = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)
_TAG = const(6)

SIZE_MAX = const(1024)  # bytes of one record or statement, docs/record-format.md "Limits"
DEPTH_MAX = const(6)  # nested arrays and maps
_ENCODE_SIZE_MAX = const(65536)  # bytes that `encode` will grow to

BUFFER_FULL = "buffer full"
DUPLICATE_KEY = "duplicate map key"
INDEFINITE = "indefinite length"
KEYS_NOT_SORTED = "map keys not sorted"
KEY_NOT_ALLOWED = "map key not allowed"
NOT_ENCODABLE = "value not encodable"
NOT_SHORTEST = "not the shortest form"
RESERVED_HEAD = "reserved head"
SIMPLE_NOT_ALLOWED = "float or simple value not allowed"
TAG_NOT_ALLOWED = "tag not allowed"
TEXT_NOT_UTF8 = "text not UTF-8"
TOO_DEEP = "nested too deep"
TOO_LONG = "item too long"
TRAILING = "trailing bytes"
TRUNCATED = "truncated"


class CborError(ValueError):
    """Bytes or a value outside the subset. args = (reason, offset in bytes)."""

    def __init__(self, reason: str, offset: int = 0) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset


class Writer:
    """Writes items one after another into *buffer*. `size` is the number of bytes used.

    Setting `size` back drops what was written after it. A full buffer raises CborError
    and may leave a part of the item behind: set `size` back.
    """

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self.size = 0

    def _byte(self, value: int) -> None:
        if self.size >= len(self.buffer):
            raise CborError(BUFFER_FULL, self.size)
        self.buffer[self.size] = value
        self.size += 1

    def _head(self, major: int, argument: int) -> None:
        # The argument goes out byte by byte: no bytes object is made on the way.
        major <<= 5
        if argument < 24:
            self._byte(major | argument)
            return
        if argument < 0x100:
            self._byte(major | 24)
            shift = 0
        elif argument < 0x10000:
            self._byte(major | 25)
            shift = 8
        elif argument >> 16 < 0x10000:
            self._byte(major | 26)
            shift = 24
        elif argument >> 32 < 0x100000000:
            self._byte(major | 27)
            shift = 56
        else:
            raise CborError(NOT_ENCODABLE, self.size)
        while shift >= 0:
            self._byte((argument >> shift) & 0xFF)
            shift -= 8

    def uint(self, value: int) -> None:
        """Writes an unsigned integer, 0 to 2**64-1."""
        if value < 0:
            raise CborError(NOT_ENCODABLE, self.size)
        self._head(_UINT, value)

    def int(self, value: int) -> None:
        """Writes an integer, -2**64 to 2**64-1."""
        if value < 0:
            self._head(_NINT, -1 - value)
        else:
            self._head(_UINT, value)

    def bstr(self, content: bytes) -> None:
        """Writes a byte string from any buffer."""
        self._head(_BSTR, len(content))
        self.raw(content)

    def text(self, content: str) -> None:
        """Writes a text string."""
        encoded = content.encode()
        self._head(_TEXT, len(encoded))
        self.raw(encoded)

    def array(self, count: int) -> None:
        """Writes the head of an array; *count* items must follow."""
        self._head(_ARRAY, count)

    def map(self, count: int) -> None:
        """Writes the head of a map; *count* pairs must follow, keys in order."""
        self._head(_MAP, count)

    def tag(self, number: int) -> None:
        """Writes a tag; one item must follow."""
        self._head(_TAG, number)

    def bstr_head(self, size: int) -> None:
        """Writes the head of a byte string; *size* raw bytes must follow."""
        self._head(_BSTR, size)

    def raw(self, encoded: bytes) -> None:
        """Writes bytes that are CBOR already."""
        end = self.size + len(encoded)
        if end > len(self.buffer):
            raise CborError(BUFFER_FULL, self.size)
        self.buffer[self.size : end] = encoded
        self.size = end

    def value(self, value: object, depth: int = DEPTH_MAX) -> None:
        """Writes an int, bytes, str, list, tuple or dict. Keys are sorted bytewise.

        Raises CborError for any other type (bool and float too) and below *depth*.
        """
        if isinstance(value, bool):
            raise CborError(NOT_ENCODABLE, self.size)
        if isinstance(value, int):
            self.int(value)
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            self.bstr(value)
        elif isinstance(value, (list, tuple)):
            self._check_depth(depth)
            self.array(len(value))
            for item in value:
                self.value(item, depth - 1)
        elif isinstance(value, dict):
            self._check_depth(depth)
            self._map_value(value, depth)
        else:
            raise CborError(NOT_ENCODABLE, self.size)

    def _check_depth(self, depth: int) -> None:
        if depth <= 0:
            raise CborError(TOO_DEEP, self.size)

    def _map_value(self, value: dict, depth: int) -> None:
        self.map(len(value))
        keys = []
        for key in value:
            if isinstance(key, bool) or not isinstance(key, (int, str, bytes)):
                raise CborError(KEY_NOT_ALLOWED, self.size)
            keys.append((encode(key), key))
        keys.sort(key=_first)
        for encoded, key in keys:
            self.raw(encoded)
            self.value(value[key], depth - 1)

    def content(self) -> bytes:
        """A copy of what was written."""
        return bytes(memoryview(self.buffer)[: self.size])


def _first(pair: tuple) -> bytes:
    return pair[0]


def encode(value: object) -> bytes:
    """Encodes *value* deterministically. Raises CborError outside the subset."""
    capacity = 128
    while True:
        writer = Writer(bytearray(capacity))
        try:
            writer.value(value)
            return writer.content()
        except CborError as error:
            if error.reason != BUFFER_FULL or capacity >= _ENCODE_SIZE_MAX:
                raise
        capacity *= 8


def _head_at(source: bytes, offset: int, end: int) -> tuple | None:
    """(major, argument, offset behind the head), or None when the head is cut off."""
    if offset >= end:
        return None
    initial = source[offset]
    major = initial >> 5
    argument = initial & 0x1F
    if major == 7:
        # 0xFF is the break code of indefinite items.
        raise CborError(INDEFINITE if argument == 31 else SIMPLE_NOT_ALLOWED, offset)
    if argument < 24:
        return major, argument, offset + 1
    if argument == 31:
        raise CborError(INDEFINITE if _BSTR <= major <= _MAP else RESERVED_HEAD, offset)
    if argument > 27:
        raise CborError(RESERVED_HEAD, offset)
    width = 1 << (argument - 24)
    behind = offset + 1 + width
    if behind > end:
        return None
    argument = 0
    for index in range(offset + 1, behind):
        argument = argument << 8 | source[index]
    # RFC 8949 4.2.1: an argument that fits a shorter head must use it.
    if argument < (24 if width == 1 else 1 << (width * 4)):
        raise CborError(NOT_SHORTEST, offset)
    return major, argument, behind


def decode(source: bytes, max_size: int = SIZE_MAX, max_depth: int = DEPTH_MAX) -> object:
    """Decodes exactly one deterministic item. Raises CborError, nothing else."""
    size = len(source)
    if size > max_size:
        raise CborError(TOO_LONG, 0)
    value, offset = _item(source, 0, size, max_depth)
    if offset != size:
        raise CborError(TRAILING, offset)
    return value


def _item(source: bytes, start: int, end: int, depth: int) -> tuple:
    head = _head_at(source, start, end)
    if head is None:
        raise CborError(TRUNCATED, start)
    major, argument, offset = head
    if major == _UINT:
        return argument, offset
    if major == _NINT:
        return -1 - argument, offset
    if major == _TAG:
        raise CborError(TAG_NOT_ALLOWED, start)
    # Every element takes a byte at least: longer claims are lies, whatever their size.
    if argument > end - offset:
        raise CborError(TRUNCATED, start)
    if major == _BSTR:
        return bytes(source[offset : offset + argument]), offset + argument
    if major == _TEXT:
        return _text(source, offset, offset + argument), offset + argument
    if depth <= 0:
        raise CborError(TOO_DEEP, start)
    if major == _ARRAY:
        items = []
        for _ in range(argument):
            value, offset = _item(source, offset, end, depth - 1)
            items.append(value)
        return items, offset
    return _map(source, offset, end, depth, argument)


def _map(source: bytes, offset: int, end: int, depth: int, count: int) -> tuple:
    pairs = {}
    before = None
    for _ in range(count):
        start = offset
        key, offset = _item(source, start, end, depth - 1)
        if isinstance(key, (list, dict)):
            raise CborError(KEY_NOT_ALLOWED, start)
        encoded = bytes(source[start:offset])
        if before is not None and encoded <= before:
            raise CborError(DUPLICATE_KEY if encoded == before else KEYS_NOT_SORTED, start)
        before = encoded
        pairs[key], offset = _item(source, offset, end, depth - 1)
    return pairs, offset


def _text(source: bytes, start: int, end: int) -> str:
    # MicroPython's own check lets surrogates and overlong forms through.
    offset = start
    while offset < end:
        step = _utf8_step(source, offset, end)
        if step == 0:
            raise CborError(TEXT_NOT_UTF8, offset)
        offset += step
    return str(bytes(source[start:end]), "utf-8")


def _utf8_step(source: bytes, offset: int, end: int) -> int:
    """Bytes of the character at *offset*, 0 when it is none (RFC 3629 section 4)."""
    lead = source[offset]
    if lead < 0x80:
        return 1
    if lead < 0xC2 or lead > 0xF4:
        return 0
    step = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if offset + step > end:
        return 0
    low, high = 0x80, 0xBF
    if lead == 0xE0:
        low = 0xA0
    elif lead == 0xED:
        high = 0x9F
    elif lead == 0xF0:
        low = 0x90
    elif lead == 0xF4:
        high = 0x8F
    if not low <= source[offset + 1] <= high:
        return 0
    for index in range(offset + 2, offset + step):
        if not 0x80 <= source[index] <= 0xBF:
            return 0
    return step


def item_size(source: bytes, offset: int = 0, max_size: int = SIZE_MAX) -> int | None:
    """Whole size in bytes of the item that begins at *offset*; None: more is needed.

    For splitting a CBOR sequence (RFC 8742) as it arrives. Tags are allowed. Raises
    CborError when the item is malformed or, as far as it is known, above *max_size*.
    """
    end = len(source)
    position = offset
    missing = 1  # items still to come, nested ones too
    while missing > 0:
        # Each missing item takes a byte at least.
        if position - offset + missing > max_size:
            raise CborError(TOO_LONG, offset)
        head = _head_at(source, position, end)
        if head is None:
            return None
        major, argument, position = head
        missing -= 1
        if major == _TAG:
            missing += 1
        elif major == _ARRAY:
            missing += argument
        elif major == _MAP:
            missing += 2 * argument
        elif major >= _BSTR:
            position += argument
    if position - offset > max_size:
        raise CborError(TOO_LONG, offset)
    return position - offset if position <= end else None
