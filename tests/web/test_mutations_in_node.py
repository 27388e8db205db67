# SPDX-License-Identifier: MIT
"""Nothing that was tampered with is proved by the page's verifier; it says what Python's says.

Both judge each mutation of tests/fakes/mutations.py: same verdict, rule, reason and item. A
mutation travels to node as what it changes of the sample, so a hundred thousand are a small file.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import UnreadableEvidence, VerifyError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.trust import Asked, KnownHead
from sealtrail.evidence.verify import verify_evidence
from sealwire import labels
from tests.fakes import mutations
from tests.vectors.chain import (
    FLEET,
    NONCE,
    P256_ORDER,
    TAG_ES256,
    TAG_ES256_EPOCH_1,
    Chain,
    certificate,
    cose_sign1,
)
from tests.web.node import judged

# Of so many bits or bytes one is changed in the short run: primes, to meet every place.
_STEPS = {"bit_flips": 131, "byte_deletions": 47, "byte_insertions": 47, "truncations": 31}
_FLEET_PUB = "ed25519 TB8o0Ka2JFpl2wICzS3i2cpy2QVrhkAlDwOBIejSoJM= 2026-01-01 2035-01-01 fleet\n"
EDDSA = b"\xa1\x01\x27"
_TRUST = {"fleet_pub": _FLEET_PUB, "nonces": [NONCE.hex()], "known_head": None}


class NonceTrust:
    """A verifier that asked for this attestation and knows no head."""

    def fleet_keys(self) -> list[FleetKey]:
        return [FleetKey("fleet", VerifyingKey(FLEET.public), date(2026, 1, 1), date(2035, 1, 1))]

    def nonces(self, tid: bytes) -> dict[bytes, Asked]:
        return {NONCE: Asked(0, None)}

    def known_head(self, tid: bytes) -> KnownHead | None:
        return None

    def statements(self, tid: bytes) -> list[bytes]:
        return []


def _python_says(evidence: bytes) -> tuple[str, str, str, int | None]:
    try:
        found = verify_evidence(evidence, NonceTrust())
    except (VerifyError, UnreadableEvidence) as refused:
        is_unreadable = isinstance(refused, UnreadableEvidence)
        verdict = "unreadable" if is_unreadable else "refused"
        return verdict, refused.rule, refused.reason, refused.index
    return found.freshness.completeness.value, "", "ok", None


def _change(sample: bytes, made: bytes) -> dict[str, Any]:
    keep = _common(sample, made)
    tail = _common(sample[keep:][::-1], made[keep:][::-1])
    put = made[keep : len(made) - tail]
    return {"kind": "change", "keep": keep, "put": put.hex(), "tail": tail}


def _common(left: bytes, right: bytes) -> int:
    """How many first bytes both have in common."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[:middle] == right[:middle] else (low, middle - 1)
    return low


def _differences(sample: bytes, made: Iterable[tuple[str, bytes]], folder: Path) -> int:
    """Judges all of *made* (name, file) by both; returns how many. Fails where they differ."""
    expected: list[tuple[str, tuple[str, str, str, int | None]]] = []

    def jobs() -> Iterator[dict[str, Any]]:
        yield {"kind": "sample", "evidence": sample.hex(), **_TRUST}
        for name, evidence in made:
            expected.append((name, _python_says(evidence)))
            yield _change(sample, evidence)

    first, *answers = judged(jobs(), folder, timeout_s=3600)
    assert first["verdict"] == "proved"
    wrong = []
    for (name, python), answer in zip(expected, answers, strict=True):
        page = (answer["verdict"], answer.get("rule"), answer.get("reason"), answer.get("index"))
        if page != python or page[0] == "proved":
            wrong.append(f"{name}: {page}, not {python}")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:20])
    return len(expected)


def _short() -> Iterator[tuple[str, bytes]]:
    one = mutations.sample()
    for family in mutations.FAMILIES:
        step = _STEPS.get(family.__name__)
        # The families without a step are long: every fourth of theirs.
        made = islice(family(one), 0, None, 4) if step is None else family(one, step)  # type: ignore[operator]
        for mutation in made:
            yield mutation.name, mutation.evidence


def test_both_verifiers_say_the_same_to_a_thousand_mutations(tmp_path: Path):
    assert _differences(mutations.sample().evidence, _short(), tmp_path) >= 1000


def _p256_changes() -> Iterator[tuple[str, bytes]]:
    chain = _p256_sample()
    raw = chain.evidence()
    for bit in range(0, 8 * len(raw), 37):
        made = bytearray(raw)
        made[bit >> 3] ^= 1 << (bit & 7)
        yield f"bit {bit}", bytes(made)
    for item in (*chain.records, chain.statements[-1]):
        # The other encoding of the same signature: whoever holds no key could make it.
        s = int.from_bytes(item[-32:], "big")
        other = item[:-32] + (P256_ORDER - s).to_bytes(32, "big")
        yield "upper half", raw.replace(item, other)
    # Signed by the right key, in an envelope that names the other algorithm.
    wrong = [cose_sign1(TAG_ES256_EPOCH_1, mutations.payload_of(chain.statements[-1]), EDDSA)]
    yield "EdDSA in the attestation", raw.replace(chain.statements[-1], wrong[0])
    wrong = [cose_sign1(TAG_ES256, mutations.payload_of(chain.records[0]), EDDSA)]
    yield "EdDSA in a record", raw.replace(chain.records[0], wrong[0])


def _p256_sample() -> Chain:
    chain = Chain(key=TAG_ES256, certificate=certificate(TAG_ES256))
    chain.add(events=[(labels.EVENT_LID_OPEN, None)], samples=[[-15_000], [-15_001]])
    chain.roll(TAG_ES256_EPOCH_1)
    chain.add(samples=[[-15_002]])
    chain.attest()
    return chain


def test_both_verifiers_say_the_same_of_a_tag_with_a_secure_element(tmp_path: Path):
    assert _differences(_p256_sample().evidence(), _p256_changes(), tmp_path) > 150


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", mutations.FAMILIES, ids=lambda family: family.__name__)
def test_both_verifiers_say_the_same_to_every_mutation(family, tmp_path: Path):
    one = mutations.sample()
    made = ((mutation.name, mutation.evidence) for mutation in family(one))
    assert _differences(one.evidence, made, tmp_path) > 20
