# SPDX-License-Identifier: MIT
"""The tag certificate (R5, R6) and the fleet keys that may have signed it (fleet.pub)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sealtrail.evidence.cbor_strict import CborRefused, decode
from sealtrail.evidence.cose import (
    EDDSA,
    ES256,
    Envelope,
    VerifyingKey,
    compressed_point,
    open_envelope,
)
from sealtrail.evidence.refusal import Refusal
from sealtrail.model import TagCertificate

_SUBJECT, _ISSUED_AT, _CONFIRMATION, _HARDWARE, _FIRMWARE = 2, 6, 8, -70001, -70002
_CLAIMS = {_SUBJECT, _ISSUED_AT, _CONFIRMATION, _HARDWARE, _FIRMWARE}
_TEXT_SIZE_MAX = 48
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class FleetKey:
    """One line of fleet.pub: a key and the whole days, in UTC, on which it may sign."""

    name: str
    key: VerifyingKey
    not_before: date
    not_after: date

    def is_in_force(self, utc_s: int) -> bool:
        """Whether *utc_s* lies in the key's days, both included."""
        begin = datetime.combine(self.not_before, datetime.min.time(), UTC)
        end = datetime.combine(self.not_after, datetime.min.time(), UTC) + timedelta(days=1)
        return begin.timestamp() <= utc_s < end.timestamp()


def judge_certificate(item: bytes, fleet: Sequence[FleetKey]) -> tuple[TagCertificate, bytes]:
    """(what the certificate says, the public key as VerifyingKey wants it). Raises Refusal."""
    envelope = open_envelope(item)
    claims = _claims(envelope)
    public_key, algorithm = _confirmed_key(claims[_CONFIRMATION])
    issued_at_s = claims[_ISSUED_AT]
    assert isinstance(issued_at_s, int)
    signer = _signer(envelope, issued_at_s, fleet)
    certificate = TagCertificate(
        subject=str(claims[_SUBJECT]),
        public_key=public_key,
        algorithm=algorithm,
        issued_at_s=issued_at_s,
        hardware=str(claims[_HARDWARE]),
        firmware=str(claims[_FIRMWARE]),
        tid=hashlib.sha256(item).digest()[:8],
        fleet_key_name=signer.name,
        raw=item,
    )
    return certificate, public_key


def key_in(item: bytes) -> VerifyingKey:
    """The tag's key as a certificate names it; whether the fleet said so is not judged.

    For who holds the certificate from a trusted hand (a ticket). Raises Refusal.
    """
    return VerifyingKey(_confirmed_key(_claims(open_envelope(item))[_CONFIRMATION])[0])


def is_certificate(item: bytes) -> bool:
    """R1: a COSE_Sign1 whose payload is a map without key 0."""
    try:
        payload = decode(open_envelope(item).payload)
    except (Refusal, CborRefused):
        return False
    return isinstance(payload, dict) and 0 not in payload


def _claims(envelope: Envelope) -> dict[object, object]:
    if envelope.protected != b"\xa1\x01\x27":
        raise Refusal("R2", "protected header not allowed")
    try:
        claims = decode(envelope.payload)
    except CborRefused as fault:
        raise Refusal("R3", fault.reason) from None
    if not isinstance(claims, dict) or set(claims) != _CLAIMS:
        raise Refusal("R5", "certificate malformed", "claims missing or unknown")
    for label in (_SUBJECT, _HARDWARE, _FIRMWARE):
        text = claims[label]
        if not isinstance(text, str) or not 1 <= len(text.encode()) <= _TEXT_SIZE_MAX:
            raise Refusal("R5", "certificate malformed", f"claim {label}")
    issued_at_s = claims[_ISSUED_AT]
    if not isinstance(issued_at_s, int) or not 0 <= issued_at_s <= _U64:
        raise Refusal("R5", "certificate malformed", "issued at")
    return claims


def _confirmed_key(confirmation: object) -> tuple[bytes, int]:
    """(public key, algorithm) of a COSE_Key (RFC 9052 section 7); P-256 as 33 bytes."""
    malformed = Refusal("R5", "certificate malformed", "key")
    if not isinstance(confirmation, dict) or set(confirmation) != {1}:
        raise malformed
    key = confirmation[1]
    if not isinstance(key, dict):
        raise malformed
    if set(key) == {1, -1, -2} and (key[1], key[-1]) == (1, 6) and _is_32(key[-2]):
        return bytes(key[-2]), EDDSA
    is_p256 = set(key) == {1, -1, -2, -3} and (key[1], key[-1]) == (2, 1)
    if is_p256 and _is_32(key[-2]) and _is_32(key[-3]):
        point = compressed_point(key[-2], key[-3])
        if point is not None:
            return point, ES256
    raise malformed


def _is_32(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _signer(envelope: Envelope, issued_at_s: int, fleet: Sequence[FleetKey]) -> FleetKey:
    signers = [one for one in fleet if one.key.holds(envelope)]
    if not signers:
        raise Refusal("R6", "certificate signature wrong", "no key of fleet.pub signed it")
    for one in signers:
        if one.is_in_force(issued_at_s):
            return one
    raise Refusal("R6", "fleet key not in force", f"{signers[0].name} at the time of issue")
