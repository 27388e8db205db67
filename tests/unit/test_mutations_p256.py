# SPDX-License-Identifier: MIT
"""Evidence of a tag with a secure element: no changed bit is believed, each is named."""

from datetime import date

import pytest

from sealtrail.errors import UnreadableEvidence, VerifyError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.trust import Asked
from sealtrail.evidence.verify import verify_evidence
from sealtrail.model import Completeness
from sealwire import labels
from tests.vectors.chain import (
    FLEET,
    NONCE,
    P256_ORDER,
    TAG_ES256,
    TAG_ES256_EPOCH_1,
    Chain,
    certificate,
)

_BITS_STEP = 5  # a prime that visits every bit of a byte


class NonceTrust:
    """A verifier that asked for this attestation and knows no head."""

    def fleet_keys(self) -> list[FleetKey]:
        return [FleetKey("fleet", VerifyingKey(FLEET.public), date(2026, 1, 1), date(2035, 1, 1))]

    def nonces(self, tid: bytes) -> dict[bytes, Asked]:
        return {NONCE: Asked(0, None)}

    def known_head(self, tid: bytes) -> None:
        return None

    def statements(self, tid: bytes) -> list[bytes]:
        return []


def sample() -> Chain:
    chain = Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))
    chain.add(events=[(labels.EVENT_LID_OPEN, None)], samples=[[-15_000], [-15_001]])
    chain.roll(TAG_ES256_EPOCH_1)
    chain.add(samples=[[-15_002]])
    chain.attest()
    return chain


def is_proved(evidence: bytes) -> bool:
    found = verify_evidence(evidence, NonceTrust())
    return found.freshness.completeness is Completeness.PROVED


def test_the_sample_is_proved():
    assert is_proved(sample().evidence())


def test_no_changed_bit_is_believed():
    good = sample().evidence()
    for place in range(0, 8 * len(good), _BITS_STEP):
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        with pytest.raises((VerifyError, UnreadableEvidence)):
            is_proved(bytes(bad))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_other_encoding_of_a_signature_is_no_second_record(index: int):
    chain = sample()
    record = chain.records[index]
    s = P256_ORDER - int.from_bytes(record[-32:], "big")
    chain.records[index] = record[:-32] + s.to_bytes(32, "big")
    with pytest.raises(VerifyError) as refused:
        is_proved(chain.evidence())
    # A record behind it would name its hash (R9); of the newest, only its own form tells.
    assert (refused.value.rule, refused.value.index) == ("R10", index + 1)


def test_the_other_encoding_of_an_attestation_is_refused():
    chain = sample()
    signed = chain.statements[0]
    s = P256_ORDER - int.from_bytes(signed[-32:], "big")
    chain.statements[0] = signed[:-32] + s.to_bytes(32, "big")
    with pytest.raises(VerifyError, match="R18"):
        is_proved(chain.evidence())
