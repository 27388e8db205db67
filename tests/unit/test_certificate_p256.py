# SPDX-License-Identifier: MIT
"""Certificates for the P-256 key of a secure element, and the proof that comes before them."""

import hashlib
from datetime import date

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import DeviceError, UsageError
from sealtrail.evidence.certificate import FleetKey, judge_certificate, key_in
from sealtrail.evidence.cose import ES256, VerifyingKey
from sealtrail.keys import certificate
from tests.vectors.chain import P256_ORDER, TAG, TAG_ES256, TAG_ES256_EPOCH_1, cose_sign1

FLEET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FLEET_KEYS = [
    FleetKey(
        "fleet",
        VerifyingKey(FLEET.public_key().public_bytes_raw()),
        date(2026, 1, 1),
        date(2030, 1, 1),
    )
]
NONCE = hashlib.sha256(b"entropy").digest()
UID = b"\x01"


def issue(serial: str = "ST-0001", key: bytes = TAG_ES256.public, hardware: str = "virtual"):
    return certificate.issue(
        FLEET, serial, key, issued_at_s=1_790_000_000, hardware=hardware, firmware="0.1.0"
    )


def proof(signer=TAG_ES256, key: bytes | None = None, protected: bytes | None = None) -> bytes:
    claims = {1: signer.public if key is None else key, 2: NONCE, 3: UID, 4: "ST-0001"}
    return cose_sign1(signer, cbor2.dumps(claims, canonical=True), protected)


def check(made: bytes) -> bytes:
    return certificate.check_proof(made, NONCE, UID, "ST-0001")


def test_the_strict_reader_believes_what_is_issued_and_pins_es256():
    judged, public_key = judge_certificate(issue(), FLEET_KEYS)
    assert (public_key, judged.algorithm) == (TAG_ES256.public, ES256)
    assert key_in(issue()).encoded == TAG_ES256.public


def test_the_bytes_are_those_of_the_vectors():
    theirs = issue()
    key = cbor2.loads(cbor2.loads(theirs).value[2])[8][1]
    assert key == TAG_ES256.cose_key
    assert len(theirs) == 193, "cert.bytes of a secure element"
    assert len(issue(key=TAG.public)) == 158, "cert.bytes of Ed25519"


def test_no_certificate_is_longer_than_250_bytes():
    assert len(issue("S" * 48, hardware="h" * 22)) == 250
    with pytest.raises(UsageError, match="251 bytes"):
        issue("S" * 48, hardware="h" * 23)


@pytest.mark.parametrize(
    "key",
    [
        TAG_ES256.public[:31],
        b"\x04" + TAG_ES256.public[1:],
        b"\x02" + b"\xff" * 32,
        TAG_ES256.public + b"\x00",
    ],
    ids=["cut", "prefix", "off the field", "longer"],
)
def test_what_is_no_key_gets_no_certificate(key: bytes):
    with pytest.raises(UsageError):
        issue(key=key)


def test_a_proof_by_the_secure_element_gives_its_key():
    assert check(proof()) == TAG_ES256.public


@pytest.mark.parametrize(
    "made",
    [
        proof(TAG_ES256_EPOCH_1, key=TAG_ES256.public),  # another key's signature
        proof(TAG, key=TAG_ES256.public),  # Ed25519 for a P-256 key
        proof(TAG_ES256, key=TAG.public),  # P-256 for an Ed25519 key
        proof(TAG, protected=b"\xa1\x01\x26"),  # -7 over an Ed25519 key
        proof(TAG_ES256, protected=b"\xa1\x01\x27"),  # -8 over a P-256 key
        proof(TAG_ES256, protected=b"\xa1\x01\x28"),  # -9: a tag emits -7
        proof(TAG_ES256, key=b"\x05" + TAG_ES256.public[1:]),
    ],
    ids=["other key", "ed for p", "p for ed", "-7 ed", "-8 p", "-9", "prefix"],
)
def test_a_proof_whose_algorithm_and_key_do_not_fit_is_refused(made: bytes):
    with pytest.raises(DeviceError):
        check(made)


def test_a_proof_in_the_other_encoding_is_refused():
    good = proof()
    s = P256_ORDER - int.from_bytes(good[-32:], "big")
    with pytest.raises(DeviceError, match="does not hold the key"):
        check(good[:-32] + s.to_bytes(32, "big"))


def test_every_flipped_bit_of_a_proof_is_refused():
    good = proof()
    for place in range(len(good)):
        for bit in (0, 7):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            with pytest.raises(DeviceError):
                check(bytes(bad))


def test_every_flipped_bit_of_a_certificate_is_refused():
    good = issue()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1
        with pytest.raises(Exception, match=r"R\d"):
            judge_certificate(bytes(bad), FLEET_KEYS)
