# SPDX-License-Identifier: MIT
"""The COSE_Sign1 around records and statements (RFC 9052 section 4), to the byte.

    #6.18([protected byte string, {}, payload byte string, signature byte string .size 64])

The unprotected map is empty and the external data is the empty string. This module
neither signs nor verifies: it makes the bytes that a signer hashes, and takes apart what
arrived. Reasons are those of docs/record-format.md.
"""

from . import cbor, labels
from .compat import const
from .labels import RECORD_SIZE_MAX, STATEMENT_SIZE_MAX

SIGNATURE_SIZE = const(64)

NOT_COSE = "not a COSE_Sign1"
PROTECTED_NOT_ALLOWED = "protected header not allowed"
UNPROTECTED_NOT_EMPTY = "unprotected header not empty"
SIGNATURE_SIZE_WRONG = "signature not 64 bytes"
PAYLOAD_NOT_MAP = "payload not a map"
UNKNOWN_KEY = "unknown key"
MISSING_KEY = "missing key"
OUT_OF_RANGE = "value out of range"

__all__ = ["RECORD_SIZE_MAX", "SIGNATURE_SIZE", "STATEMENT_SIZE_MAX", "RecordError"]

_PROTECTED = {
    labels.ALG_EDDSA: b"\xa1\x01\x27",
    labels.ALG_ED25519: b"\xa1\x01\x32",
    labels.ALG_ES256: b"\xa1\x01\x26",
    labels.ALG_ESP256: b"\xa1\x01\x28",
}
# Encoding of ["Signature1", protected, h'', payload] up to the protected header.
_SIGNATURE1 = b"\x84\x6aSignature1"


class RecordError(ValueError):
    """A record or statement outside the format. args = (reason,)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sig_structure_parts(protected: bytes, payload: bytes) -> tuple:
    """The bytes that are signed (RFC 9052 section 4.4), as buffers to be hashed in turn.

    *protected* is the content of the protected header's byte string. The payload is not
    copied.
    """
    prefix = cbor.Writer(bytearray(len(_SIGNATURE1) + len(protected) + 10))
    prefix.raw(_SIGNATURE1)
    prefix.bstr(protected)
    prefix.bstr(b"")
    prefix.bstr_head(len(payload))
    return prefix.content(), payload


def protected_header(algorithm: int) -> bytes:
    """Content of a record's protected header. Raises RecordError for other algorithms."""
    if algorithm not in _PROTECTED:
        raise RecordError(PROTECTED_NOT_ALLOWED)
    return _PROTECTED[algorithm]


def envelope(payload: bytes, signature: bytes, alg: int = labels.ALG_EDDSA) -> bytes:
    """The record: payload and 64-byte signature in a COSE_Sign1.

    A record of kind 6 carries 64 zero bytes as signature. Raises RecordError when the
    record would be longer than RECORD_SIZE_MAX.
    """
    return seal_envelope(protected_header(alg), payload, signature, RECORD_SIZE_MAX)


def seal_envelope(protected: bytes, payload: bytes, signature: bytes, size_max: int) -> bytes:
    """COSE_Sign1 with any protected header; also used for statements."""
    if len(signature) != SIGNATURE_SIZE:
        raise RecordError(SIGNATURE_SIZE_WRONG)
    writer = cbor.Writer(bytearray(len(protected) + len(payload) + SIGNATURE_SIZE + 16))
    writer.tag(18)
    writer.array(4)
    writer.bstr(protected)
    writer.map(0)
    writer.bstr(payload)
    writer.bstr(signature)
    if writer.size > size_max:
        raise RecordError(cbor.TOO_LONG)
    return writer.content()


def _bstr_at(source: bytes, offset: int) -> tuple:
    """(start, end) of the byte string at *offset*. Raises RecordError."""
    try:
        size = cbor.item_size(source, offset, RECORD_SIZE_MAX)
    except cbor.CborError as error:
        raise RecordError(error.reason)
    if offset >= len(source) or size is None:
        raise RecordError(cbor.TRUNCATED)
    if source[offset] >> 5 != 2:
        raise RecordError(NOT_COSE)
    head = 1 if source[offset] < 0x58 else 2 if source[offset] == 0x58 else 3
    return offset + head, offset + size


def parse_envelope(source: bytes) -> tuple:
    """(protected, payload, signature) of a COSE_Sign1. Raises RecordError.

    Judges the form only; the caller judges the protected header.
    """
    if len(source) > RECORD_SIZE_MAX:
        raise RecordError(cbor.TOO_LONG)
    if bytes(source[:2]) != b"\xd2\x84":
        raise RecordError(NOT_COSE)
    start, end = _bstr_at(source, 2)
    protected = bytes(source[start:end])
    if end >= len(source):
        raise RecordError(cbor.TRUNCATED)
    if source[end] != 0xA0:
        raise RecordError(UNPROTECTED_NOT_EMPTY)
    start, end = _bstr_at(source, end + 1)
    payload = bytes(source[start:end])
    start, end = _bstr_at(source, end)
    if end - start != SIGNATURE_SIZE:
        raise RecordError(SIGNATURE_SIZE_WRONG)
    if end != len(source):
        raise RecordError(cbor.TRAILING)
    return protected, payload, bytes(source[start:end])


def is_record_header(protected: bytes) -> bool:
    """Whether *protected* names one of the four algorithms, and nothing else."""
    return protected in _PROTECTED.values()
