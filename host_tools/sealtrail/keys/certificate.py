# SPDX-License-Identifier: MIT
"""Issues the certificate of a tag: the fleet's word on the key the tag made itself.

A CWT (RFC 8392) as COSE_Sign1 (RFC 9052) by the fleet key, about 160 B, docs/record-format.md:

    #6.18([<<{1: -8}>>, {}, <<{2: serial, 6: issued at, 8: {1: COSE_Key},
                              -70001: hardware, -70002: firmware}>>, signature 64])

Issuing lives here; what is *believed* about a certificate is read by another module, with
other eyes (verify.py). The only signature checked here is a tag's proof that it holds the
key it asks for.
"""

import hashlib
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from sealtrail.errors import DeviceError, UsageError

_PROTECTED = bytes.fromhex("a10127")  # {1: -8}, EdDSA
_TAG_SIGN1 = 18
_CLAIM_SUBJECT, _CLAIM_ISSUED_AT, _CLAIM_KEY = 2, 6, 8
_CLAIM_HARDWARE, _CLAIM_FIRMWARE = -70001, -70002
_PROOF_KEY, _PROOF_NONCE, _PROOF_UID, _PROOF_SERIAL = 1, 2, 3, 4
_TEXT_SIZE_MAX = 48  # keeps the certificate below 256 B


def issue(
    fleet_key: Ed25519PrivateKey,
    serial: str,
    public_key: bytes,
    *,
    issued_at_s: int,
    hardware: str,
    firmware: str,
) -> bytes:
    """The certificate of *public_key* (Ed25519, 32 B) for tag *serial*, signed.

    Raises UsageError for a key of another size or a text above 48 bytes.
    """
    if len(public_key) != 32:
        raise UsageError(f"a tag key has 32 bytes, not {len(public_key)}")
    for text in (serial, hardware, firmware):
        if not 0 < len(text.encode()) <= _TEXT_SIZE_MAX:
            raise UsageError(f"'{text[:60]}' does not fit a certificate (1 to 48 bytes)")
    claims = {
        _CLAIM_SUBJECT: serial,
        _CLAIM_ISSUED_AT: issued_at_s,
        _CLAIM_KEY: {1: {1: 1, -1: 6, -2: public_key}},
        _CLAIM_HARDWARE: hardware,
        _CLAIM_FIRMWARE: firmware,
    }
    return sign1(fleet_key, cbor2.dumps(claims, canonical=True))


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
    payload, signature = _open_sign1(proof)
    claims = _decoded(payload)
    wanted = {_PROOF_NONCE: nonce, _PROOF_UID: uid, _PROOF_SERIAL: serial}
    if not isinstance(claims, dict) or set(claims) != {_PROOF_KEY, *wanted}:
        raise DeviceError("the tag's proof of its key has another shape")
    if any(claims[label] != value for label, value in wanted.items()):
        raise DeviceError(
            "the tag's proof of its key was made for another request or tag",
            "Repeat; if it happens again, do not use this tag.",
        )
    public_key = claims[_PROOF_KEY]
    if not isinstance(public_key, bytes) or len(public_key) != 32:
        raise DeviceError("the tag's proof holds no Ed25519 key")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _to_be_signed(payload))
    except (InvalidSignature, ValueError):
        raise DeviceError(
            "the tag does not hold the key it asks a certificate for",
            "Its flash or its firmware is damaged: flash it again.",
        ) from None
    return public_key


def _to_be_signed(payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", _PROTECTED, b"", payload])


def _open_sign1(raw: bytes) -> tuple[bytes, bytes]:
    item = _decoded(raw)
    content = item.value if isinstance(item, cbor2.CBORTag) and item.tag == _TAG_SIGN1 else None
    match content:
        case [bytes(protected), {}, bytes(payload), bytes(signature)] if (
            protected == _PROTECTED and not content[1] and len(signature) == 64
        ):
            return payload, signature
    raise DeviceError("the tag's proof of its key is no COSE_Sign1 by Ed25519")


def _decoded(raw: bytes) -> Any:
    try:
        return cbor2.loads(raw)
    except (cbor2.CBORDecodeError, ValueError, RecursionError, OverflowError):
        raise DeviceError("the tag's proof of its key is no CBOR") from None
