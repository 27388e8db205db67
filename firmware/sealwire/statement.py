# SPDX-License-Identifier: MIT
"""Signed texts that are not records: tokens, receipts, orders, custody, attestation.

    #6.18([<<{1: alg, ? 4: kid}>>, {}, <<{0: type, ...}>>, signature])

Shapes are strict (docs/record-format.md, "Statements"): an unknown key, a wrong type or
length, a missing key is refused before anybody looks at the signature. `kid` (8 bytes,
SHA-256 of the service key) stands exactly on what a service key signs. The algorithm is
-8; only an attestation may name another, that of the tag's key.
"""

from . import cbor, labels
from .compat import const
from .envelope import (
    MISSING_KEY,
    OUT_OF_RANGE,
    PAYLOAD_NOT_MAP,
    PROTECTED_NOT_ALLOWED,
    STATEMENT_SIZE_MAX,
    UNKNOWN_KEY,
    RecordError,
    is_record_header,
    parse_envelope,
    seal_envelope,
)

UNKNOWN_TYPE = "unknown statement type"

# What a value may be. A positive number is a byte string of that many bytes.
_UINT = const(0)  # below 2**42: milliseconds until the year 2109
_ZONE_MIN = const(-1)  # offset from UTC in minutes, -900 to 900
_PLACE = const(-2)  # text of at most 48 bytes
_SEALS = const(-3)  # at most 4 texts of at most 24 bytes
_BOOT_UPTIME = const(-4)  # [boot, up_ms]
_INTERVAL_MS = const(-5)  # [lo] or [lo, hi], lo <= hi
_REASON = const(-6)  # text of 1 to 96 bytes
_NAME = const(-7)  # text of 1 to 48 bytes

_UINT_END = const(0x400_0000_0000)

# {type: ((key, what, required), ...)}; key 0 is the type itself.
SHAPES = {
    labels.STATEMENT_TIME: ((1, 8, True), (2, 16, False), (3, _UINT, True), (4, _UINT, True)),
    labels.STATEMENT_RECEIPT: ((1, 8, True), (2, _UINT, True), (3, 32, True), (4, _UINT, True)),
    labels.STATEMENT_ORDER: ((1, 8, True), (2, _UINT, True), (3, _UINT, True), (4, 16, False)),
    labels.STATEMENT_SERVICE: (
        (1, 32, True),
        (2, _UINT, True),
        (3, _UINT, True),
        (4, _UINT, True),
        (5, _UINT, True),
        (6, _UINT, True),
    ),
    labels.STATEMENT_OFFER: (
        (1, 8, True),
        (2, _UINT, True),
        (3, 32, True),
        (4, _UINT, True),
        (5, _UINT, True),
        (6, _ZONE_MIN, True),
        (7, _PLACE, True),
        (9, _SEALS, True),
        (10, 32, True),
        (11, 32, False),
        (12, _UINT, True),
    ),
    labels.STATEMENT_FLEET: ((1, 32, True), (2, 32, True)),
    labels.STATEMENT_ACCEPT: (
        (1, 8, True),
        (2, _UINT, True),
        (3, 32, True),
        (4, _UINT, True),
        (5, _UINT, True),
        (6, _ZONE_MIN, True),
        (7, _PLACE, True),
        (9, _SEALS, True),
        (10, 32, True),
        (12, _UINT, True),
        (13, 32, False),
    ),
    labels.STATEMENT_ATTEST: (
        (1, 8, True),
        (2, _UINT, True),
        (3, 32, True),
        (4, 16, True),
        (5, _BOOT_UPTIME, True),
        (6, _INTERVAL_MS, True),
        (7, _UINT, True),
    ),
    labels.STATEMENT_REVOCATION: (
        (1, 8, True),
        (2, _UINT, True),
        (3, 32, True),
        (4, _UINT, True),
        (5, _REASON, True),
        (6, _UINT, True),
    ),
    labels.STATEMENT_PERSON: (
        (1, 32, True),
        (2, _UINT, True),
        (3, _NAME, True),
        (4, _UINT, True),
        (5, _UINT, True),
        (6, _UINT, True),
    ),
}

SIGNED_BY_SERVICE = (
    labels.STATEMENT_TIME,
    labels.STATEMENT_RECEIPT,
    labels.STATEMENT_ORDER,
    labels.STATEMENT_PERSON,
)

_PROTECTED = b"\xa1\x01\x27"
_PROTECTED_KID = b"\xa2\x01\x27\x04\x48"
_KID_SIZE = const(8)


def protected_of(kid: bytes | None = None) -> bytes:
    """Content of a statement's protected header; *kid* 8 bytes on service statements."""
    if kid is None:
        return _PROTECTED
    if len(kid) != _KID_SIZE:
        raise RecordError(PROTECTED_NOT_ALLOWED)
    return _PROTECTED_KID + kid


def statement_payload(kind: int, fields: dict) -> bytes:
    """Encodes the payload of statement type *kind*; *fields* without key 0.

    Raises RecordError when the shape does not hold.
    """
    payload = dict(fields)
    payload[0] = kind
    _check_shape(payload)
    return cbor.encode(payload)


def attestation_payload(
    tid: bytes,
    seq: int,
    head_hash: bytes,
    nonce: bytes,
    boot: int,
    up_ms: int,
    lo_ms: int,
    hi_ms: int | None,
    unsealed: int,
) -> bytes:
    """Payload of statement 23: the head of this tag's log, for a verifier's 16-byte nonce."""
    interval = [lo_ms] if hi_ms is None else [lo_ms, hi_ms]
    return statement_payload(
        labels.STATEMENT_ATTEST,
        {1: tid, 2: seq, 3: head_hash, 4: nonce, 5: [boot, up_ms], 6: interval, 7: unsealed},
    )


def custody_payload(
    kind: int,
    tid: bytes,
    seq: int,
    head_hash: bytes,
    trip: int,
    utc_s: int,
    tz_min: int,
    place: str,
    seals: list,
    public_key: bytes,
    condition: int,
    receiver: bytes | None = None,
    offer_hash: bytes | None = None,
) -> bytes:
    """Payload of an offer (20) or an accept (22), signed by *public_key*'s owner.

    *receiver* (32 bytes) only in an offer, *offer_hash* (SHA-256 of the whole offer) only
    in an accept.
    """
    fields = {
        1: tid,
        2: seq,
        3: head_hash,
        4: trip,
        5: utc_s,
        6: tz_min,
        7: place,
        9: list(seals),
        10: public_key,
        12: condition,
    }
    if receiver is not None:
        fields[11] = receiver
    if offer_hash is not None:
        fields[13] = offer_hash
    return statement_payload(kind, fields)


def statement(payload: bytes, signature: bytes, kid: bytes | None = None) -> bytes:
    """The whole statement. Raises RecordError above STATEMENT_SIZE_MAX bytes."""
    return seal_envelope(protected_of(kid), payload, signature, STATEMENT_SIZE_MAX)


def parse_statement(source: bytes) -> tuple:
    """(type, payload map, kid or None, protected, payload bytes, signature), strictly.

    Raises RecordError(reason), nothing else. The signature is not looked at.
    """
    if len(source) > STATEMENT_SIZE_MAX:
        raise RecordError(cbor.TOO_LONG)
    protected, encoded, signature = parse_envelope(source)
    kid = None if is_record_header(protected) else _kid_of(protected)
    try:
        payload = cbor.decode(encoded)
    except cbor.CborError as error:
        raise RecordError(error.reason)
    _check_shape(payload)
    kind = payload[0]
    is_eddsa = kid is not None or protected == _PROTECTED
    if (kid is None) == (kind in SIGNED_BY_SERVICE) or not (
        is_eddsa or kind == labels.STATEMENT_ATTEST
    ):
        raise RecordError(PROTECTED_NOT_ALLOWED)
    return kind, payload, kid, protected, encoded, signature


def _kid_of(protected: bytes) -> bytes:
    if len(protected) == len(_PROTECTED_KID) + _KID_SIZE and protected.startswith(_PROTECTED_KID):
        return protected[len(_PROTECTED_KID) :]
    raise RecordError(PROTECTED_NOT_ALLOWED)


def _check_shape(payload: object) -> None:
    if not isinstance(payload, dict):
        raise RecordError(PAYLOAD_NOT_MAP)
    kind = payload.get(0)
    if not isinstance(kind, int) or kind not in SHAPES:
        raise RecordError(UNKNOWN_TYPE)
    shape = SHAPES[kind]
    known = 1  # key 0
    for key, what, required in shape:
        if key in payload:
            known += 1
            if not _is(what, payload[key]):
                raise RecordError(OUT_OF_RANGE)
        elif required:
            raise RecordError(MISSING_KEY)
    if known != len(payload):
        raise RecordError(UNKNOWN_KEY)


def _is_uint(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < _UINT_END


def _is_text(value: object, size_min: int, size_max: int) -> bool:
    return isinstance(value, str) and size_min <= len(value.encode()) <= size_max


def _is(what: int, value: object) -> bool:
    if what > 0:
        return isinstance(value, bytes) and len(value) == what
    if what == _UINT:
        return _is_uint(value)
    if what == _ZONE_MIN:
        return isinstance(value, int) and -900 <= value <= 900
    if what == _PLACE:
        return _is_text(value, 0, 48)
    if what == _REASON:
        return _is_text(value, 1, 96)
    if what == _NAME:
        return _is_text(value, 1, 48)
    if not isinstance(value, list):
        return False
    if what == _SEALS:
        return len(value) <= 4 and all(_is_text(seal, 0, 24) for seal in value)
    if not all(_is_uint(item) for item in value):
        return False
    if what == _BOOT_UPTIME:
        return len(value) == 2
    return len(value) == 1 or (len(value) == 2 and value[0] <= value[1])
