# SPDX-License-Identifier: MIT
"""COSE_Sign1 by hand: envelope (R2), signature (R10), algorithm pinned to the key (R7).

Ed25519 is judged by libsodium (PyNaCl), the strictest of the common libraries: S below L,
no point of small order, canonical encodings only. RFC 9052 sections 4.2 and 4.4.
"""

from dataclasses import dataclass

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sealtrail.evidence.cbor_strict import CborRefused, head_at
from sealtrail.evidence.refusal import Refusal

EDDSA, ED25519, ES256, ESP256 = -8, -19, -7, -9
SIGNATURE_SIZE = 64
_PREFIX = b"\x84\x6aSignature1"
# Content of the protected header {1: alg}, the only one a record may have.
RECORD_HEADERS = {b"\xa1\x01\x27": EDDSA, b"\xa1\x01\x32": ED25519, b"\xa1\x01\x26": ES256}
RECORD_HEADERS[b"\xa1\x01\x28"] = ESP256
# The bytes in front of the payload of nearly every item: the fast way through an envelope.
_COMMON_START = b"\xd2\x84\x43\xa1\x01\x27\xa0"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A COSE_Sign1 taken apart; nothing in it is believed yet."""

    protected: bytes
    payload: bytes
    signature: bytes


def open_envelope(item: bytes) -> Envelope:
    """Takes one item apart. Raises Refusal R2."""
    start = len(_COMMON_START)
    if item.startswith(_COMMON_START) and len(item) > start + 3:
        head = item[start]
        if head == 0x58 and item[start + 1] > 23:
            begin, size = start + 2, item[start + 1]
        elif head == 0x59 and item[start + 1]:
            begin, size = start + 3, item[start + 1] << 8 | item[start + 2]
        else:
            return _open_slowly(item)
        end = begin + size
        if len(item) == end + 66 and item[end] == 0x58 and item[end + 1] == 64:
            return Envelope(b"\xa1\x01\x27", item[begin:end], item[end + 2 :])
    return _open_slowly(item)


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

    def allows(self, algorithm: int) -> bool:
        """R7: the key decides, never the header."""
        return algorithm in ((EDDSA, ED25519) if self.is_ed25519 else (ES256, ESP256))

    def holds(self, envelope: Envelope) -> bool:
        """Whether the signature of *envelope* verifies under this key."""
        message = b"".join(
            (
                _PREFIX,
                bytes((0x40 + len(envelope.protected),))
                if len(envelope.protected) < 24
                else bytes((0x58, len(envelope.protected))),
                envelope.protected,
                b"\x40",
                _byte_head(len(envelope.payload)),
                envelope.payload,
            )
        )
        if self.is_ed25519:
            return _holds_ed25519(self.encoded, envelope.signature, message)
        return _holds_p256(self.encoded, envelope.signature, message)


def _byte_head(size: int) -> bytes:
    if size < 24:
        return bytes((0x40 + size,))
    return bytes((0x58, size)) if size < 256 else bytes((0x59, size >> 8, size & 255))


def _holds_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        nacl.bindings.crypto_sign_open(signature + message, key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


def _holds_p256(key: bytes, signature: bytes, message: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
