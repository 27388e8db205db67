# SPDX-License-Identifier: MIT
"""Deterministic CBOR, and nothing else (RFC 8949 section 4.2.1; record format, R3).

Two ways to the same verdict. The fast one lets cbor2 read and write again: equal bytes
prove shortest form, definite lengths and no repeated key, and a walk over the values
excludes what else cbor2 would let pass. Only where that fails does the slow one, a walk
over the bytes, find the exact reason. Work and memory are linear in the input's size.
"""

from typing import Any

import cbor2

# What cbor2 raises for bytes or values it does not take.
_CBOR2_FAULTS = (
    cbor2.CBORError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    MemoryError,
)
DEPTH_MAX = 6
_INT_LIMIT = 1 << 64

TRUNCATED = "truncated"
TRAILING = "trailing bytes"
NOT_SHORTEST = "not the shortest form"
INDEFINITE = "indefinite length"
RESERVED = "reserved head"
TAG = "tag not allowed"
FLOAT_OR_SIMPLE = "float or simple value not allowed"
NOT_SORTED = "map keys not sorted"
DUPLICATE = "duplicate map key"
KEY_TYPE = "map key not allowed"
NOT_UTF8 = "text not UTF-8"
TOO_DEEP = "nested too deep"


class CborRefused(ValueError):
    """The bytes are not deterministic CBOR of our subset. *reason* is one of the above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(source: bytes) -> object:
    """The one item that *source* is. Raises CborRefused, nothing else."""
    value = read_unproven(source)
    if value is not None and is_written(value, source, 0):
        return value
    # The walk over the bytes says what is wrong with it.
    value, end = _item(source, 0, 0)
    if end != len(source):
        raise CborRefused(TRAILING)
    return value


def read_unproven(source: bytes) -> Any:
    """What cbor2 reads at the start of *source*, None where it does not: proves nothing."""
    try:
        return cbor2.loads(source)
    except _CBOR2_FAULTS:
        return None


def is_written(value: object, encoded: bytes, depth: int) -> bool:
    """Whether *encoded* is deterministic CBOR, *depth* containers deep, of what it was read as.

    False may also mean that it takes a closer look to know.
    """
    try:
        return cbor2.dumps(value) == encoded and _is_plain(value, depth)
    except _CBOR2_FAULTS:
        return False


def item_end(source: bytes, offset: int) -> int:
    """Where the item at *offset* ends; tag 18 is allowed around it. Raises CborRefused."""
    if offset < len(source) and source[offset] == 0xD2:
        offset += 1
    return _item(source, offset, 0)[1]


def _is_plain(value: object, depth: int) -> bool:
    """Whether *value* holds nothing outside the subset, in order. Never too generous."""
    kind = type(value)
    if kind is int:
        return -_INT_LIMIT <= value < _INT_LIMIT  # type: ignore[operator]
    if kind is bytes or kind is str:
        return True
    if depth >= DEPTH_MAX:
        return False
    if kind is list:
        return all(_is_plain(member, depth + 1) for member in value)  # type: ignore[attr-defined]
    if kind is dict:
        return _is_plain_map(value, depth + 1)  # type: ignore[arg-type]
    return False


def _is_plain_map(value: dict[object, object], depth: int) -> bool:
    # The rarer keys are left to the walk over the bytes: it sorts by encoding.
    if not all(type(key) is int and 0 <= key < _INT_LIMIT for key in value):
        return False
    keys = list(value)
    return keys == sorted(keys) and all(_is_plain(member, depth) for member in value.values())  # type: ignore[type-var]


def _item(source: bytes, offset: int, depth: int) -> tuple[object, int]:
    major, argument, offset = head_at(source, offset)
    if major == 0:
        return argument, offset
    if major == 1:
        return -1 - argument, offset
    if major in (2, 3):
        end = offset + argument
        if end > len(source):
            raise CborRefused(TRUNCATED)
        content = source[offset:end]
        return (content if major == 2 else _text(content)), end
    if depth >= DEPTH_MAX:
        raise CborRefused(TOO_DEEP)
    # A claim of more members than there are ends at the first that is missing.
    if major == 4:
        return _array(source, offset, argument, depth)
    return _map(source, offset, argument, depth)


def head_at(source: bytes, offset: int) -> tuple[int, int, int]:
    """(major type, argument, offset behind the head), in shortest form."""
    if offset >= len(source):
        raise CborRefused(TRUNCATED)
    major, info = source[offset] >> 5, source[offset] & 31
    offset += 1
    if major == 7:
        raise CborRefused(INDEFINITE if info == 31 else FLOAT_OR_SIMPLE)
    if info == 31:
        raise CborRefused(INDEFINITE if 2 <= major <= 5 else RESERVED)
    if info > 27:
        raise CborRefused(RESERVED)
    if major == 6:
        raise CborRefused(TAG)
    if info < 24:
        return major, info, offset
    size = 1 << (info - 24)
    if offset + size > len(source):
        raise CborRefused(TRUNCATED)
    argument = int.from_bytes(source[offset : offset + size], "big")
    if argument < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
        raise CborRefused(NOT_SHORTEST)
    return major, argument, offset + size


def _array(source: bytes, offset: int, count: int, depth: int) -> tuple[list[object], int]:
    members = []
    for _ in range(count):
        member, offset = _item(source, offset, depth + 1)
        members.append(member)
    return members, offset


def _map(source: bytes, offset: int, count: int, depth: int) -> tuple[dict[object, object], int]:
    found: dict[object, object] = {}
    last = b""
    for _ in range(count):
        start = offset
        key, offset = _item(source, offset, depth + 1)
        if not isinstance(key, (int, bytes, str)):
            raise CborRefused(KEY_TYPE)
        encoded = source[start:offset]
        if encoded == last:
            raise CborRefused(DUPLICATE)
        if encoded < last:
            raise CborRefused(NOT_SORTED)
        last = encoded
        found[key], offset = _item(source, offset, depth + 1)
    return found, offset


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise CborRefused(NOT_UTF8) from None
