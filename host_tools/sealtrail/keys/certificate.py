# SPDX-License-Identifier: MIT
"""Issues the certificate of a tag: the fleet's word on the key the tag made itself.

A CWT (RFC 8392) as COSE_Sign1 (RFC 9052) by the fleet key, about 160 B, or 193 B for the P-256
key of a secure element, docs/record-format.md section 6:

    #6.18([<<{1: -8}>>, {}, <<{2: serial, 6: issued at, 8: {1: COSE_Key},
                              -70001: hardware, -70002: firmware}>>, signature 64])

Issuing lives here; what is *believed* about a certificate is read by another module, with
other eyes (verify.py). The only signature checked here is a tag's proof that it holds the
key it asks for.
"""

import hashlib
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import DeviceError, UsageError
from sealtrail.evidence.cose import Envelope, VerifyingKey

_PROTECTED = bytes.fromhex("a10127")  # {1: -8}, EdDSA
_PROTECTED_ES256 = bytes.fromhex("a10126")  # {1: -7}
_TAG_SIGN1 = 18
_ED25519_SIZE, _P256_SIZE = 32, 33
_CLAIM_SUBJECT, _CLAIM_ISSUED_AT, _CLAIM_KEY = 2, 6, 8
_CLAIM_HARDWARE, _CLAIM_FIRMWARE = -70001, -70002
_PROOF_KEY, _PROOF_NONCE, _PROOF_UID, _PROOF_SERIAL = 1, 2, 3, 4
_TEXT_SIZE_MAX = 48
SIZE_MAX = 250


def issue(
    fleet_key: Ed25519PrivateKey,
    serial: str,
    public_key: bytes,
    *,
    issued_at_s: int,
    hardware: str,
    firmware: str,
) -> bytes:
    """The certificate of *public_key* (Ed25519, 32 B; P-256, 33 B) for tag *serial*, signed.

    Raises UsageError for a key of another kind and for texts that are too long.
    """
    for text in (serial, hardware, firmware):
        if not 0 < len(text.encode()) <= _TEXT_SIZE_MAX:
            raise UsageError(f"'{text[:60]}' does not fit a certificate (1 to 48 bytes)")
    claims = {
        _CLAIM_SUBJECT: serial,
        _CLAIM_ISSUED_AT: issued_at_s,
        _CLAIM_KEY: {1: _cose_key(public_key)},
        _CLAIM_HARDWARE: hardware,
        _CLAIM_FIRMWARE: firmware,
    }
    issued = sign1(fleet_key, _encoded(claims))
    if len(issued) > SIZE_MAX:
        raise UsageError(
            f"serial, board and firmware make a certificate of {len(issued)} bytes",
            f"Choose a shorter serial: at most {SIZE_MAX} bytes are allowed.",
        )
    return issued


def _cose_key(public_key: bytes) -> dict[int, Any]:
    if len(public_key) == _ED25519_SIZE:
        return {1: 1, -1: 6, -2: public_key}
    point = _point(public_key)
    if point is None:
        raise UsageError(f"a tag key has 32 or 33 bytes, and these {len(public_key)} are none")
    return {1: 2, -1: 1, -2: point[0], -3: point[1]}


def _point(public_key: bytes) -> tuple[bytes, bytes] | None:
    """(x, y) of a compressed P-256 key, None if it is none."""
    if len(public_key) != _P256_SIZE:
        return None
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public_key)
    except ValueError:
        return None
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


def tid_of(certificate: bytes) -> bytes:
    """The 8-byte id of an enrolment; another certificate is another id."""
    return hashlib.sha256(certificate).digest()[:8]


def sign1(key: Ed25519PrivateKey, payload: bytes) -> bytes:
    """*payload* as COSE_Sign1 with algorithm -8 and empty unprotected header."""
    signature = key.sign(_to_be_signed(payload))
    return cbor2.dumps(cbor2.CBORTag(_TAG_SIGN1, [_PROTECTED, {}, payload, signature]))


def check_proof(proof: bytes, nonce: bytes, uid: bytes, serial: str) -> bytes:
    """The public key in a tag's proof of possession, if the proof holds.

    *nonce* is the SHA-256 of the bytes this computer sent along, so that a proof from
    another day is no proof. Raises DeviceError.
    """
    envelope = _open_sign1(proof)
    claims = _decoded(envelope.payload)
    wanted = {_PROOF_NONCE: nonce, _PROOF_UID: uid, _PROOF_SERIAL: serial}
    if not isinstance(claims, dict) or set(claims) != {_PROOF_KEY, *wanted}:
        raise DeviceError("the tag's proof of its key has another shape")
    if any(claims[label] != value for label, value in wanted.items()):
        raise DeviceError(
            "the tag's proof of its key was made for another request or tag",
            "Repeat; if it happens again, do not use this tag.",
        )
    public_key = claims[_PROOF_KEY]
    if not isinstance(public_key, bytes) or _header_of(public_key) != envelope.protected:
        raise DeviceError("the tag's proof holds no key of the kind its signature has")
    if not VerifyingKey(public_key).holds(envelope):
        raise DeviceError(
            "the tag does not hold the key it asks a certificate for",
            "Its flash, its secure element or its firmware is damaged: flash it again.",
        )
    return public_key


def _header_of(public_key: bytes) -> bytes:
    """The protected header that goes with a key: the key decides, never the header (R7)."""
    if len(public_key) == _ED25519_SIZE:
        return _PROTECTED
    return _PROTECTED_ES256 if _point(public_key) is not None else b""


def _to_be_signed(payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", _PROTECTED, b"", payload])


def _encoded(claims: dict[int, Any]) -> bytes:
    # Bytewise order of the keys' encodings, record-format.md section 2: for a COSE_Key cbor2's
    # "canonical" order, shorter first, is the same.
    return cbor2.dumps(claims, canonical=True)


def _open_sign1(raw: bytes) -> Envelope:
    item = _decoded(raw)
    content = item.value if isinstance(item, cbor2.CBORTag) and item.tag == _TAG_SIGN1 else None
    match content:
        case [bytes(protected), {}, bytes(payload), bytes(signature)] if (
            protected in (_PROTECTED, _PROTECTED_ES256) and not content[1] and len(signature) == 64
        ):
            return Envelope(protected, payload, signature)
    raise DeviceError("the tag's proof of its key is no COSE_Sign1 by a known algorithm")


def _decoded(raw: bytes) -> Any:
    try:
        return cbor2.loads(raw)
    except (cbor2.CBORDecodeError, ValueError, RecursionError, OverflowError):
        raise DeviceError("the tag's proof of its key is no CBOR") from None
