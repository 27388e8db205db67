# SPDX-License-Identifier: MIT
"""Strict reader of records, docs/record-format.md rules R2 to R4; re-exports the rest.

A record is a COSE_Sign1 of at most RECORD_SIZE_MAX bytes over a deterministic CBOR map.
`envelope` has the COSE part, `blockbuilder` gathers what goes into RUNS and EVENTS. What
comes out of here is well formed; whether it is true is for the verifier.
"""

from collections import namedtuple

from . import cbor, events, labels
from .blockbuilder import BlockBuilder
from .compat import const
from .envelope import (
    MISSING_KEY,
    NOT_COSE,
    OUT_OF_RANGE,
    PAYLOAD_NOT_MAP,
    PROTECTED_NOT_ALLOWED,
    RECORD_SIZE_MAX,
    UNKNOWN_KEY,
    RecordError,
    envelope,
    is_record_header,
    parse_envelope,
    protected_header,
    seal_envelope,
    sig_structure_parts,
)

__all__ = [
    "RECORD_SIZE_MAX",
    "BlockBuilder",
    "Record",
    "RecordError",
    "envelope",
    "head_of",
    "is_reading",
    "parse_envelope",
    "parse_record",
    "protected_header",
    "seal_envelope",
    "sig_structure_parts",
]

UNKNOWN_KIND = "unknown kind"
WRONG_KEY_FOR_KIND = "key does not fit the kind"
EMPTY_BLOCK = "block without content"
RUNS_MALFORMED = "runs malformed"
DELTAS_MALFORMED = "deltas malformed"
READING_OUT_OF_RANGE = "reading out of range"
EVENTS_MALFORMED = "events malformed"

_TEMP_MIN_CENTI_C = const(-27315)
_TEMP_MAX_CENTI_C = const(100_000)
_PROBE_COUNT_MAX = const(4)
_READING_COUNT_MAX = const(1024)  # per run; a delta takes a byte, so no record holds more
_RUN_AHEAD_MAX_MS = const(1000)  # tolerance of the last reading's computed time
_U32 = const(0xFFFF_FFFF)
_UTC_MAX_S = const(0xFF_FFFF_FFFF)
_UPTIME_MAX_MS = const(0xFFFF_FFFF_FFFF)  # 48 bits, 8,900 years

Record = namedtuple(
    "Record",
    (
        "kind",
        "seq",
        "prev",
        "boot",
        "up_ms",
        "utc",  # (lo_s, source, width_s or None), or None
        "runs",  # tuple of (probe, t0_ms, dt_ms, values)
        "events",  # tuple of (t_ms, code, data or None)
        "nonce",
        "next_key",
        "sealed_by_boot",
        "payload",
        "protected",
        "signature",
    ),
)


def head_of(source: bytes) -> tuple:
    """(seq, kind) from the first bytes of a record, without judging the rest.

    For walking a log that this device wrote. Raises RecordError.
    """
    if bytes(source[:3]) != b"\xd2\x84\x43" or len(source) < 16:
        raise RecordError(NOT_COSE)
    # Behind the protected header and the empty map: byte string head, then the map.
    offset = 7 + (1 if source[7] < 0x58 else 2 if source[7] == 0x58 else 3)
    if source[offset] >> 5 != 5 or source[offset + 1] != 0 or source[offset + 3] != 1:
        raise RecordError(PAYLOAD_NOT_MAP)
    kind = source[offset + 2]
    head = source[offset + 4]
    if head < 24:
        return head, kind
    if not 24 <= head <= 26 or offset + 5 + (1 << (head - 24)) > len(source):
        raise RecordError(OUT_OF_RANGE)
    seq = 0
    for index in range(offset + 5, offset + 5 + (1 << (head - 24))):
        seq = seq << 8 | source[index]
    return seq, kind


def parse_record(source: bytes) -> Record:
    """Reads one record strictly (rules R2 to R4). Raises RecordError(reason), nothing else.

    A record that is returned is well formed; whether it is true is for the verifier.
    """
    protected, payload, signature = parse_envelope(source)
    if not is_record_header(protected):
        raise RecordError(PROTECTED_NOT_ALLOWED)
    try:
        fields = cbor.decode(payload, RECORD_SIZE_MAX)
    except cbor.CborError as error:
        raise RecordError(error.reason)
    if not isinstance(fields, dict):
        raise RecordError(PAYLOAD_NOT_MAP)
    _check_keys(fields)
    kind = fields[labels.KIND]
    boot, up_ms = fields[labels.UPTIME]
    runs = _runs(fields.get(labels.RUNS), up_ms)
    noted = _events(fields.get(labels.EVENTS), up_ms)
    return Record(
        kind,
        fields[labels.SEQ],
        fields[labels.PREV],
        boot,
        up_ms,
        _utc(fields.get(labels.UTC)),
        runs,
        noted,
        fields.get(labels.NONCE),
        fields.get(labels.NEXT_KEY),
        fields.get(labels.SEALED_BY_BOOT),
        payload,
        protected,
        signature,
    )


_KINDS = (
    labels.KIND_BLOCK,
    labels.KIND_CHECKPOINT,
    labels.KIND_KEY_EPOCH,
    labels.KIND_CRASH_BLOCK,
    labels.KIND_END,
    labels.KIND_UNSIGNED,
)
# Keys that exactly one kind has, and must have.
_KEY_OF_KIND = (
    (labels.NONCE, labels.KIND_CHECKPOINT),
    (labels.NEXT_KEY, labels.KIND_KEY_EPOCH),
    (labels.SEALED_BY_BOOT, labels.KIND_CRASH_BLOCK),
)
_KINDS_WITH_CONTENT = (labels.KIND_BLOCK, labels.KIND_CRASH_BLOCK, labels.KIND_UNSIGNED)


def _is_uint(value: object, maximum: int) -> bool:
    return isinstance(value, int) and 0 <= value <= maximum


def _is_bytes(value: object, size_min: int, size_max: int) -> bool:
    return isinstance(value, bytes) and size_min <= len(value) <= size_max


def _check_keys(fields: dict) -> None:
    for key in fields:
        if not _is_uint(key, labels.SEALED_BY_BOOT):
            raise RecordError(UNKNOWN_KEY)
    for key in (labels.KIND, labels.SEQ, labels.PREV, labels.UPTIME):
        if key not in fields:
            raise RecordError(MISSING_KEY)
    kind = fields[labels.KIND]
    # Not `kind in _KINDS` alone: an unhashable or foreign type is an unknown kind too.
    if not isinstance(kind, int) or kind not in _KINDS:
        raise RecordError(UNKNOWN_KIND)
    for key, owner in _KEY_OF_KIND:
        if (key in fields) != (kind == owner):
            raise RecordError(WRONG_KEY_FOR_KIND)
    has_content = labels.RUNS in fields or labels.EVENTS in fields
    if kind in _KINDS_WITH_CONTENT and not has_content:
        raise RecordError(EMPTY_BLOCK)
    if not _ranges_hold(fields):
        raise RecordError(OUT_OF_RANGE)


def _ranges_hold(fields: dict) -> bool:
    uptime = fields[labels.UPTIME]
    return (
        _is_uint(fields[labels.SEQ], _U32)
        and _is_bytes(fields[labels.PREV], 32, 32)
        and isinstance(uptime, list)
        and len(uptime) == 2
        and _is_uint(uptime[0], _U32)
        and _is_uint(uptime[1], _UPTIME_MAX_MS)
        and (labels.NONCE not in fields or _is_bytes(fields[labels.NONCE], 8, 32))
        and (labels.NEXT_KEY not in fields or _is_bytes(fields[labels.NEXT_KEY], 32, 33))
        and _is_uint(fields.get(labels.SEALED_BY_BOOT, 0), _U32)
    )


def _utc(value: object) -> tuple | None:
    if value is None:
        return None
    if not isinstance(value, list) or not 2 <= len(value) <= 3:
        raise RecordError(OUT_OF_RANGE)
    if not _is_uint(value[0], _UTC_MAX_S) or not _is_uint(value[1], labels.SOURCE_TICKET):
        raise RecordError(OUT_OF_RANGE)
    if len(value) == 3 and not _is_uint(value[2], _U32):
        raise RecordError(OUT_OF_RANGE)
    return value[0], value[1], value[2] if len(value) == 3 else None


def _runs(value: object, up_ms: int) -> tuple:
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise RecordError(RUNS_MALFORMED)
    return tuple(_run(run, up_ms) for run in value)


def _run(run: object, up_ms: int) -> tuple:
    if not isinstance(run, list) or len(run) != 6:
        raise RecordError(RUNS_MALFORMED)
    probe, t0_ms, dt_ms, count, first, deltas = run
    if not (
        _is_uint(probe, _PROBE_COUNT_MAX - 1)
        and isinstance(t0_ms, int)
        and -up_ms <= t0_ms <= 0
        and _is_uint(dt_ms, _U32)
        and _is_uint(count, _READING_COUNT_MAX)
        and count > 0
        # One reading has no distance to the next; two have one.
        and (dt_ms > 0) == (count > 1)
        and t0_ms + (count - 1) * dt_ms <= _RUN_AHEAD_MAX_MS
        and isinstance(first, int)
        and isinstance(deltas, bytes)
    ):
        raise RecordError(RUNS_MALFORMED)
    values = (first,) + _undelta(first, deltas, count - 1)
    for reading in values:
        if not is_reading(reading):
            raise RecordError(READING_OUT_OF_RANGE)
    return probe, t0_ms, dt_ms, values


def is_reading(value: int) -> bool:
    """Whether *value* is a temperature in centi-degrees C or a coded fault."""
    if _TEMP_MIN_CENTI_C <= value <= _TEMP_MAX_CENTI_C:
        return True
    return labels.FAULT_OPEN <= value - labels.FAULT_BASE <= labels.FAULT_NOT_READ


def _undelta(first: int, deltas: bytes, count: int) -> tuple:
    """The readings behind *first*: zigzag LEB128, each in its shortest form."""
    values = []
    offset = 0
    for _ in range(count):
        coded = 0
        shift = 0
        while True:
            # Three bytes reach every difference of two allowed readings.
            if offset >= len(deltas) or shift > 14:
                raise RecordError(DELTAS_MALFORMED)
            piece = deltas[offset]
            offset += 1
            coded |= (piece & 0x7F) << shift
            if piece < 0x80:
                break
            shift += 7
        if piece == 0 and shift > 0:
            raise RecordError(DELTAS_MALFORMED)
        first += (coded >> 1) ^ -(coded & 1)
        values.append(first)
    if offset != len(deltas):
        raise RecordError(DELTAS_MALFORMED)
    return tuple(values)


def _events(value: object, up_ms: int) -> tuple:
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise RecordError(EVENTS_MALFORMED)
    return tuple(_event(event, up_ms) for event in value)


def _event(event: object, up_ms: int) -> tuple:
    if not isinstance(event, list) or not 2 <= len(event) <= 3:
        raise RecordError(EVENTS_MALFORMED)
    t_ms, code = event[0], event[1]
    if not isinstance(t_ms, int) or not -up_ms <= t_ms <= 0 or not isinstance(code, int):
        raise RecordError(EVENTS_MALFORMED)
    data = event[2] if len(event) == 3 else None
    reason = events.judge(code, data)
    if reason is not None:
        raise RecordError(reason)
    return t_ms, code, data
