# SPDX-License-Identifier: MIT
"""A record's payload (R2 to R4): what it must and must not hold, read strictly.

Two ways to the same verdict. Nearly all records are blocks with readings and a known time:
for those section 5's grammar stands below as patterns over the encoded bytes, and what
they match is deterministic CBOR of the right types. Whatever they do not match, right or
wrong, is decoded and judged key by key; only that way knows reasons of R3.
"""

import re
from array import array
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sealtrail.evidence.cbor_strict import CborRefused, decode, is_written, read_unproven
from sealtrail.evidence.cose import RECORD_HEADERS, Envelope
from sealtrail.evidence.event_shapes import judge_event
from sealtrail.evidence.refusal import Refusal

KIND, SEQ, PREV, UPTIME, UTC, RUNS, EVENTS, NONCE, NEXT_KEY, SEALED_BY_BOOT = range(10)
BLOCK, CHECKPOINT, KEY_EPOCH, CRASH_BLOCK, END, UNSIGNED = 0, 2, 3, 4, 5, 6
_KINDS = (BLOCK, CHECKPOINT, KEY_EPOCH, CRASH_BLOCK, END, UNSIGNED)
_NEEDS_CONTENT = (BLOCK, CRASH_BLOCK, UNSIGNED)
_ONLY_IN = {NONCE: CHECKPOINT, NEXT_KEY: KEY_EPOCH, SEALED_BY_BOOT: CRASH_BLOCK}

FAULT_BASE = 1_000_000
_FAULT_CODES = 7
_TEMP_MIN, _TEMP_MAX = -27_315, 100_000
_PROBES, _RUN_READINGS_MAX = 4, 1024
_U32, _U40, _U48 = (1 << 32) - 1, (1 << 40) - 1, (1 << 48) - 1
_TOLERANCE_MS = 1000
_SOURCE_MAX = 4
# Zigzag of the deltas that take one byte (nearly all of them) to a signed byte.
_ONE_BYTE = bytes(((n >> 1) ^ -(n & 1)) & 255 for n in range(256))
_ONE_BYTE_MAX = 64

# Integers in shortest form, as alternatives that differ in their first byte.
_UINT16 = rb"[\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00).."
_UINT32 = _UINT16 + rb"|\x1a(?!\x00\x00)...."
_UINT40 = _UINT32 + rb"|\x1b\x00\x00\x00(?!\x00)....."
_UINT48 = _UINT32 + rb"|\x1b\x00\x00(?!\x00\x00)......"
_NEGATIVE = rb"[\x20-\x37]|\x38[\x18-\xff]|\x39(?!\x00)..|\x3a(?!\x00\x00)...."
# Kind 0, SEQ, PREV, UPTIME, UTC with a width, and the head of RUNS; then each run's own head.
_BLOCK_START = re.compile(
    rb"[\xa6\xa7]\x00\x00\x01(?:%b)\x02\x58\x20.{32}\x03\x82(?:%b)(?:%b)"
    rb"\x04\x83(?:%b)[\x00-\x04](?:%b)\x05[\x81-\x97]"
    % (_UINT32, _UINT32, _UINT48, _UINT40, _UINT32),
    re.DOTALL,
)
_RUN_START = re.compile(
    rb"\x86[\x00-\x03](?:\x00|%b)(?:%b)(?:%b)(?:%b|%b)(?:[\x40-\x57]|\x58[\x18-\xff]|\x59(?!\x00)..)"
    % (_NEGATIVE, _UINT32, _UINT16, _UINT32, _NEGATIVE),
    re.DOTALL,
)


# These three are made for every record: frozen ones would take a twentieth of all the time.
@dataclass(slots=True)
class Run:
    """Readings of one probe at even distances; times are uptimes of the record's boot.

    They stay as they came, a byte each instead of forty, until somebody asks.
    """

    probe: int
    first_up_ms: int
    distance_ms: int
    count: int
    first: int
    deltas: bytes

    @property
    def values(self) -> tuple[int, ...]:
        """The readings, FAULT_BASE + code among them."""
        return _undelta(self.first, self.deltas, self.count)


@dataclass(slots=True)
class RawEvent:
    """One event: uptime of the record's boot, code, content."""

    up_ms: int
    code: int
    content: object


@dataclass(slots=True)
class Payload:
    """A well-formed payload. Whether it is true is for the chain to say."""

    kind: int
    seq: int
    prev: bytes
    boot: int
    up_ms: int
    utc: tuple[int, int, int | None] | None  # lo_s, source, width_s
    runs: tuple[Run, ...]
    events: tuple[RawEvent, ...]
    algorithm: int
    nonce: bytes | None = None
    next_key: bytes | None = None
    sealed_by_boot: int | None = None


def read_payload(envelope: Envelope) -> Payload:
    """Raises Refusal R2, R3 or R4."""
    algorithm = RECORD_HEADERS.get(envelope.protected)
    if algorithm is None:
        raise Refusal("R2", "protected header not allowed")
    block = _plain_block(envelope.payload)
    return _read_any(envelope.payload, algorithm) if block is None else _take(block, algorithm)


def _plain_block(source: bytes) -> dict[int, Any] | None:
    """The fields of a block that is fit for `_take`; None: look closer."""
    start = _BLOCK_START.match(source)
    if start is None:
        return None
    fields: dict[int, Any] | None = read_unproven(source)
    if fields is None or len(fields) != source[0] & 31:
        return None  # cut, or a key stands twice
    offset = start.end()
    for run in fields[RUNS]:
        run_start = _RUN_START.match(source, offset)
        if run_start is None:
            return None
        offset = run_start.end() + len(run[5])
    if EVENTS in fields:
        is_whole = source[offset] == EVENTS and is_written(fields[EVENTS], source[offset + 1 :], 1)
        return fields if is_whole else None
    return fields if offset == len(source) else None


def _take(fields: dict[int, Any], algorithm: int) -> Payload:
    """The payload of a plain block. Raises Refusal R4."""
    kind, seq, prev, (boot, up_ms), (lo_s, source, width_s), plain_runs, *_ = fields.values()
    runs = tuple([_judge_run(run, up_ms) for run in plain_runs])
    events = _read_events(fields, up_ms) if EVENTS in fields else ()
    utc = (lo_s, source, width_s)
    return Payload(kind, seq, prev, boot, up_ms, utc, runs, events, algorithm)


def _read_any(source: bytes, algorithm: int) -> Payload:
    """The payload, judged key by key. Raises Refusal R3 or R4."""
    try:
        fields = decode(source)
    except CborRefused as fault:
        raise Refusal("R3", fault.reason) from None
    if not isinstance(fields, dict):
        raise Refusal("R4", "payload not a map")
    _judge_keys(fields)
    _judge_ranges(fields)
    kind, seq, prev, (boot, up_ms) = [fields[key] for key in (KIND, SEQ, PREV, UPTIME)]
    utc = _read_utc(fields.get(UTC))
    runs = tuple([_read_run(run, up_ms) for run in _members(fields, RUNS, "runs malformed")])
    events = _read_events(fields, up_ms)
    owned = [fields.get(key) for key in (NONCE, NEXT_KEY, SEALED_BY_BOOT)]
    return Payload(kind, seq, prev, boot, up_ms, utc, runs, events, algorithm, *owned)


def _is_uint(value: object, maximum: int) -> bool:
    return type(value) is int and 0 <= value <= maximum


def _judge_keys(fields: dict[object, object]) -> None:
    if not all(_is_uint(key, SEALED_BY_BOOT) for key in fields):
        raise Refusal("R4", "unknown key")
    if not all(key in fields for key in (KIND, SEQ, PREV, UPTIME)):
        raise Refusal("R4", "missing key")
    kind = fields[KIND]
    if type(kind) is not int or kind not in _KINDS:
        raise Refusal("R4", "unknown kind")
    for key, owner in _ONLY_IN.items():
        if (key in fields) != (kind == owner):
            raise Refusal("R4", "key does not fit the kind")
    if kind in _NEEDS_CONTENT and RUNS not in fields and EVENTS not in fields:
        raise Refusal("R4", "block without content")


def _judge_ranges(fields: dict[object, object]) -> None:
    uptime, nonce, next_key = fields[UPTIME], fields.get(NONCE), fields.get(NEXT_KEY)
    prev = fields[PREV]
    holds = (
        _is_uint(fields[SEQ], _U32)
        and isinstance(prev, bytes)
        and len(prev) == 32
        and isinstance(uptime, list)
        and len(uptime) == 2
        and _is_uint(uptime[0], _U32)
        and _is_uint(uptime[1], _U48)
        and (NONCE not in fields or (isinstance(nonce, bytes) and 8 <= len(nonce) <= 32))
        and (NEXT_KEY not in fields or (isinstance(next_key, bytes) and len(next_key) in (32, 33)))
        and _is_uint(fields.get(SEALED_BY_BOOT, 0), _U32)
    )
    if not holds:
        raise Refusal("R4", "value out of range")


def _read_utc(value: object) -> tuple[int, int, int | None] | None:
    if value is None:
        return None
    if (
        isinstance(value, list)
        and 2 <= len(value) <= 3
        and _is_uint(value[0], _U40)
        and _is_uint(value[1], _SOURCE_MAX)
        and (len(value) == 2 or _is_uint(value[2], _U32))
    ):
        return value[0], value[1], value[2] if len(value) == 3 else None
    raise Refusal("R4", "value out of range", "UTC")


def _members(fields: dict[object, object], key: int, reason: str) -> list[object]:
    if key not in fields:
        return []
    members = fields[key]
    if not isinstance(members, list) or not members:
        raise Refusal("R4", reason)
    return members


def _read_run(run: object, end_ms: int) -> Run:
    if not isinstance(run, list) or len(run) != 6:
        raise Refusal("R4", "runs malformed")
    probe, start_ms, distance_ms, count, first, deltas = run
    if not (
        _is_uint(probe, _PROBES - 1)
        and type(start_ms) is int
        and start_ms <= 0
        and _is_uint(distance_ms, _U32)
        and _is_uint(count, _U32)
        and type(first) is int
        and isinstance(deltas, bytes)
    ):
        raise Refusal("R4", "runs malformed")
    return _judge_run(run, end_ms)


def _judge_run(run: list[Any], end_ms: int) -> Run:
    """A run whose members have the right types and signs."""
    probe, start_ms, distance_ms, count, first, deltas = run
    if not (
        -end_ms <= start_ms
        and 1 <= count <= _RUN_READINGS_MAX
        and (count == 1) == (distance_ms == 0)
        and start_ms + (count - 1) * distance_ms <= _TOLERANCE_MS
    ):
        raise Refusal("R4", "runs malformed")
    # Where every delta is one byte, no reading is further than so much from the first.
    reach = _ONE_BYTE_MAX * count
    is_inside = (
        _TEMP_MIN + reach <= first <= _TEMP_MAX - reach
        and len(deltas) == count - 1
        and deltas.isascii()
    )
    if not is_inside and not all(map(_is_reading, _undelta(first, deltas, count))):
        raise Refusal("R4", "reading out of range")
    return Run(probe, end_ms + start_ms, distance_ms, count, first, deltas)


def _is_reading(value: int) -> bool:
    return _TEMP_MIN <= value <= _TEMP_MAX or FAULT_BASE < value <= FAULT_BASE + _FAULT_CODES


def _undelta(first: int, deltas: bytes, count: int) -> tuple[int, ...]:
    """The readings behind zigzag LEB128 deltas in shortest form, at most 3 bytes each."""
    if len(deltas) == count - 1 and deltas.isascii():
        changes = array("b", deltas.translate(_ONE_BYTE))
        return tuple(accumulate(changes, initial=first))
    values = [first]
    number = shift = 0
    for byte in deltas:
        if (shift == 14 and byte > 127) or (shift and byte == 0):
            raise Refusal("R4", "deltas malformed")
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(values[-1] + ((number >> 1) ^ -(number & 1)))
            number = shift = 0
    if shift or len(values) != count:
        raise Refusal("R4", "deltas malformed")
    return tuple(values)


def _read_events(fields: dict[Any, Any], end_ms: int) -> tuple[RawEvent, ...]:
    events = _members(fields, EVENTS, "events malformed")
    return tuple([_read_event(event, end_ms) for event in events])


def _read_event(event: object, end_ms: int) -> RawEvent:
    if not isinstance(event, list) or not 2 <= len(event) <= 3:
        raise Refusal("R4", "events malformed")
    at_ms, code = event[0], event[1]
    if type(at_ms) is not int or not -end_ms <= at_ms <= 0 or type(code) is not int:
        raise Refusal("R4", "events malformed")
    content = event[2] if len(event) == 3 else None
    judge_event(code, content, len(event) == 3)
    return RawEvent(end_ms + at_ms, code, content)
