# SPDX-License-Identifier: MIT
"""Tag certificates: the bytes of the contract, and the proof that comes before them."""

import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import DeviceError, UsageError
from sealtrail.keys import certificate

FLEET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TAG = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = TAG.public_key().public_bytes_raw()
NONCE = hashlib.sha256(b"entropy").digest()


def issue(serial: str = "ST-0001", key: bytes = PUBLIC, hardware: str = "virtual") -> bytes:
    return certificate.issue(
        FLEET, serial, key, issued_at_s=1_790_000_000, hardware=hardware, firmware="0.1.0"
    )


def proof(**changes: object) -> bytes:
    claims: dict[object, object] = {1: PUBLIC, 2: NONCE, 3: b"\x01", 4: "ST-0001"}
    claims |= {int(name[1:]): value for name, value in changes.items()}
    return certificate.sign1(TAG, cbor2.dumps(claims, canonical=True))


def test_certificate_is_a_cwt_signed_by_the_fleet() -> None:
    raw = issue()
    assert raw[:2] == b"\xd2\x84" and raw[2:6] == bytes.fromhex("43a10127")
    protected, unprotected, payload, signature = cbor2.loads(raw).value
    assert (protected, unprotected) == (bytes.fromhex("a10127"), {})
    FLEET.public_key().verify(signature, cbor2.dumps(["Signature1", protected, b"", payload]))
    assert cbor2.loads(payload) == {
        2: "ST-0001",
        6: 1_790_000_000,
        8: {1: {1: 1, -1: 6, -2: PUBLIC}},
        -70001: "virtual",
        -70002: "0.1.0",
    }
    assert payload == cbor2.dumps(cbor2.loads(payload), canonical=True)
    assert len(raw) < 180


def test_tid_changes_with_every_certificate() -> None:
    assert certificate.tid_of(issue()) == hashlib.sha256(issue()).digest()[:8]
    assert certificate.tid_of(issue()) != certificate.tid_of(issue("ST-0002"))


@pytest.mark.parametrize(
    ("serial", "key", "hardware"),
    [("", PUBLIC, "v"), ("ST-0001", PUBLIC[:31], "v"), ("ST-0001", PUBLIC, "v" * 49)],
)
def test_what_does_not_fit_is_refused(serial: str, key: bytes, hardware: str) -> None:
    with pytest.raises(UsageError):
        issue(serial, key, hardware)


def test_good_proof_gives_the_key() -> None:
    assert certificate.check_proof(proof(), NONCE, b"\x01", "ST-0001") == PUBLIC


@pytest.mark.parametrize(
    "changes", [{"k2": bytes(32)}, {"k3": b"\x02"}, {"k4": "ST-0002"}, {"k5": 1}, {"k1": b"short"}]
)
def test_proof_for_another_request_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DeviceError):
        certificate.check_proof(proof(**changes), NONCE, b"\x01", "ST-0001")


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    good = proof()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1
        with pytest.raises(DeviceError):
            certificate.check_proof(bytes(bad), NONCE, b"\x01", "ST-0001")


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"\x81" * 2000, b"\xd2\x80", b"\xd2\x84\x00\x00\x00\x00"]
)
def test_junk_is_no_proof(raw: bytes) -> None:
    with pytest.raises(DeviceError):
        certificate.check_proof(raw, NONCE, b"\x01", "ST-0001")
