# SPDX-License-Identifier: MIT
"""COSE_Sign1 by hand: envelope (R2), signature (R10), algorithm pinned to the key (R7).

Ed25519 is judged by libsodium (PyNaCl), the strictest of the common libraries: S below L,
no point of small order, canonical encodings only. ES256 is judged by OpenSSL, with s in the
lower half only: either way one signature has one encoding. RFC 9052 sections 4.2 and 4.4.

PyNaCl's `crypto_sign_open` hands back a copy of the message, which nobody here needs; the
C function beneath it takes NULL for that. It is called directly where PyNaCl has it.
"""

from dataclasses import dataclass

import nacl.bindings  # initialises libsodium
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sealtrail.evidence.cbor_strict import CborRefused, head_at
from sealtrail.evidence.refusal import Refusal

try:
    from nacl._sodium import ffi, lib

    _NULL, _sign_open = ffi.NULL, lib.crypto_sign_open
except (ImportError, AttributeError):  # not PyNaCl's public API: it may move
    _NULL = _sign_open = None

EDDSA, ED25519, ES256, ESP256 = -8, -19, -7, -9
SIGNATURE_SIZE = 64
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PREFIX = b"\x84\x6aSignature1"
_EDDSA_HEADER = b"\xa1\x01\x27"
# Content of the protected header {1: alg}, the only one a record may have.
RECORD_HEADERS = {_EDDSA_HEADER: EDDSA, b"\xa1\x01\x32": ED25519, b"\xa1\x01\x26": ES256}
RECORD_HEADERS[b"\xa1\x01\x28"] = ESP256
# The bytes in front of the payload of nearly every item: the fast way through an envelope.
_COMMON_START = b"\xd2\x84\x43\xa1\x01\x27\xa0"
_SIGNATURE_HEAD = b"\x58\x40"


@dataclass(slots=True)  # not frozen: one is made for every record, and frozen costs double
class Envelope:
    """A COSE_Sign1 taken apart; nothing in it is believed yet. Not to be changed."""

    protected: bytes
    payload: bytes
    signature: bytes


def common_envelope(source: bytes, offset: int) -> tuple[int, Envelope] | None:
    """(end, envelope) of the item at *offset* if it has the form of nearly all, else None.

    None says nothing about the item; what is returned keeps R2.
    """
    if not source.startswith(_COMMON_START, offset) or len(source) < offset + 10:
        return None
    begin = offset + 9
    head, size = source[offset + 7], source[offset + 8]
    if head == 0x59 and size:
        begin, size = offset + 10, size << 8 | source[offset + 9]
    elif head != 0x58 or size < 24:
        return None
    middle, end = begin + size, begin + size + 66
    if source[middle : middle + 2] != _SIGNATURE_HEAD or end > len(source):
        return None
    return end, Envelope(_EDDSA_HEADER, source[begin:middle], source[middle + 2 : end])


def open_envelope(item: bytes) -> Envelope:
    """Takes one item apart. Raises Refusal R2."""
    common = common_envelope(item, 0)
    return common[1] if common is not None and common[0] == len(item) else _open_slowly(item)


def _open_slowly(item: bytes) -> Envelope:
    if item[:2] != b"\xd2\x84":
        raise Refusal("R2", "not a COSE_Sign1")
    protected, offset = _byte_string(item, 2)
    if offset >= len(item) or item[offset] != 0xA0:
        raise Refusal("R2", "unprotected header not empty")
    payload, offset = _byte_string(item, offset + 1)
    signature, offset = _byte_string(item, offset)
    if len(signature) != SIGNATURE_SIZE:
        raise Refusal("R2", "signature not 64 bytes")
    if offset != len(item):
        raise Refusal("R3", "trailing bytes")
    return Envelope(protected, payload, signature)


def _byte_string(item: bytes, offset: int) -> tuple[bytes, int]:
    try:
        major, size, start = head_at(item, offset)
    except CborRefused as fault:
        raise Refusal("R2", "not a COSE_Sign1", fault.reason) from None
    if major != 2 or start + size > len(item):
        raise Refusal("R2", "not a COSE_Sign1")
    return item[start : start + size], start + size


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms it may be used with: 32 bytes Ed25519, 33 P-256."""

    encoded: bytes

    @property
    def is_ed25519(self) -> bool:
        return len(self.encoded) == 32

    @property
    def algorithms(self) -> tuple[int, int]:
        """Those this key may be used with (R7): the key decides, never the header."""
        return (EDDSA, ED25519) if self.is_ed25519 else (ES256, ESP256)

    def allows(self, algorithm: int) -> bool:
        """R7: whether *algorithm* is one of them."""
        return algorithm in self.algorithms

    def holds(self, envelope: Envelope) -> bool:
        """Whether the signature of *envelope* verifies under this key."""
        key, payload = self.encoded, envelope.payload
        start = _SIGNED_STARTS.get(envelope.protected) or _signed_start(envelope.protected)
        message = start + _byte_head(len(payload)) + payload
        if len(key) == 32:
            return _holds_ed25519(key, envelope.signature + message)
        return _holds_p256(key, envelope.signature, message)


def _byte_head(size: int) -> bytes:
    if size < 24:
        return b"%c" % (0x40 + size)
    return b"\x58%c" % size if size < 256 else b"\x59%c%c" % (size >> 8, size & 255)


def _signed_start(protected: bytes) -> bytes:
    """The Sig_structure up to its payload."""
    return _PREFIX + _byte_head(len(protected)) + protected + b"\x40"


_SIGNED_STARTS = {protected: _signed_start(protected) for protected in RECORD_HEADERS}


def _holds_ed25519(key: bytes, signed: bytes) -> bool:
    """Whether *signed*, a signature of 64 bytes and its message, verifies under *key* (32)."""
    if _sign_open is None:
        return _holds_by_bindings(key, signed)
    failed: int = _sign_open(_NULL, _NULL, signed, len(signed), key)
    return not failed


def _holds_by_bindings(key: bytes, signed: bytes) -> bool:
    try:
        nacl.bindings.crypto_sign_open(signed, key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


def compressed_point(x: bytes, y: bytes) -> bytes | None:
    """The 33 bytes of a P-256 key; None if the point is not on the curve."""
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    )
    try:
        numbers.public_key()
    except ValueError:
        return None
    return bytes((2 + (y[-1] & 1),)) + x


def _holds_p256(key: bytes, signature: bytes, message: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    # order - s would verify too: who holds no key could make a second record of each number.
    if s > _P256_ORDER // 2:
        return False
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
