# SPDX-License-Identifier: MIT
"""A record's payload (R2 to R4): what it must and must not hold, read once and strictly."""

import itertools
from dataclasses import dataclass

from sealtrail.evidence.cbor_strict import CborRefused, decode
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
# Zigzag of the deltas that take one byte: nearly all of them.
_ONE_BYTE = [(n >> 1) ^ -(n & 1) for n in range(128)]


@dataclass(frozen=True, slots=True)
class Run:
    """Readings of one probe at even distances; times are uptimes of the record's boot."""

    probe: int
    first_up_ms: int
    distance_ms: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event: uptime of the record's boot, code, content."""

    up_ms: int
    code: int
    content: object


@dataclass(frozen=True, slots=True)
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
    nonce: bytes | None
    next_key: bytes | None
    sealed_by_boot: int | None
    algorithm: int


def read_payload(envelope: Envelope) -> Payload:
    """Raises Refusal R2, R3 or R4."""
    algorithm = RECORD_HEADERS.get(envelope.protected)
    if algorithm is None:
        raise Refusal("R2", "protected header not allowed")
    try:
        fields = decode(envelope.payload)
    except CborRefused as fault:
        raise Refusal("R3", fault.reason) from None
    if not isinstance(fields, dict):
        raise Refusal("R4", "payload not a map")
    _judge_keys(fields)
    _judge_ranges(fields)
    boot, up_ms = fields[UPTIME]
    return Payload(
        kind=fields[KIND],
        seq=fields[SEQ],
        prev=fields[PREV],
        boot=boot,
        up_ms=up_ms,
        utc=_read_utc(fields.get(UTC)),
        runs=tuple(_read_run(run, up_ms) for run in _members(fields, RUNS, "runs malformed")),
        events=tuple(
            _read_event(event, up_ms) for event in _members(fields, EVENTS, "events malformed")
        ),
        nonce=fields.get(NONCE),
        next_key=fields.get(NEXT_KEY),
        sealed_by_boot=fields.get(SEALED_BY_BOOT),
        algorithm=algorithm,
    )


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
        and -end_ms <= start_ms <= 0
        and _is_uint(distance_ms, _U32)
        and _is_uint(count, _RUN_READINGS_MAX)
        and type(first) is int
        and isinstance(deltas, bytes)
        and count >= 1
        and (count == 1) == (distance_ms == 0)
        and start_ms + (count - 1) * distance_ms <= _TOLERANCE_MS
    ):
        raise Refusal("R4", "runs malformed")
    values = _undelta(first, deltas, count)
    # Nearly all runs hold temperatures only: two passes in C instead of one in Python.
    is_plain = min(values) >= _TEMP_MIN and max(values) <= _TEMP_MAX
    if not is_plain and not all(map(_is_reading, values)):
        raise Refusal("R4", "reading out of range")
    return Run(probe, end_ms + start_ms, distance_ms, values)


def _is_reading(value: int) -> bool:
    return _TEMP_MIN <= value <= _TEMP_MAX or FAULT_BASE < value <= FAULT_BASE + _FAULT_CODES


def _undelta(first: int, deltas: bytes, count: int) -> tuple[int, ...]:
    """The readings behind zigzag LEB128 deltas in shortest form, at most 3 bytes each."""
    if len(deltas) == count - 1 and (not deltas or max(deltas) < 128):
        return tuple(itertools.accumulate(map(_ONE_BYTE.__getitem__, deltas), initial=first))
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


def _read_event(event: object, end_ms: int) -> RawEvent:
    if not isinstance(event, list) or not 2 <= len(event) <= 3:
        raise Refusal("R4", "events malformed")
    at_ms, code = event[0], event[1]
    if type(at_ms) is not int or not -end_ms <= at_ms <= 0 or type(code) is not int:
        raise Refusal("R4", "events malformed")
    content = event[2] if len(event) == 3 else None
    judge_event(code, content, len(event) == 3)
    return RawEvent(end_ms + at_ms, code, content)
