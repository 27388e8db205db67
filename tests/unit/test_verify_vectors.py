# SPDX-License-Identifier: MIT
"""sealtrail.evidence.verify gives each evidence vector the verdict it names, at its item."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import UnreadableEvidence, VerifyError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.trust import Asked, KnownHead
from sealtrail.evidence.verify import verify_evidence
from tests.paths import REPO

FILES = sorted((REPO / "tests/vectors/evidence").glob("*.json"))


class VectorTrust:
    """The trust store that a vector describes."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self._vector = vector

    def fleet_keys(self) -> list[FleetKey]:
        import base64

        keys = []
        for line in self._vector["fleet_pub"].splitlines():
            _, key, since, until, name = line.split(None, 4)
            days = date.fromisoformat(since), date.fromisoformat(until)
            keys.append(FleetKey(name, VerifyingKey(base64.b64decode(key)), *days))
        return keys

    def nonces(self, tid: bytes) -> dict[bytes, Asked]:
        return {bytes.fromhex(nonce): Asked(0, None) for nonce in self._vector["nonces"]}

    def known_head(self, tid: bytes) -> KnownHead | None:
        head = self._vector["known_head"]
        return None if head is None else KnownHead(head["seq"], bytes.fromhex(head["sha256"]))

    def statements(self, tid: bytes) -> list[bytes]:
        stored: list[str] = self._vector.get("stored", [])
        return [bytes.fromhex(one) for one in stored]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_verdict_is_the_one_the_vector_names(file: Path):
    vector = json.loads(file.read_text())
    raw = bytes.fromhex(vector["evidence"])
    try:
        verified = verify_evidence(raw, VectorTrust(vector))
    except (VerifyError, UnreadableEvidence) as refused:
        verdict = (refused.rule, refused.reason, refused.index)
        assert verdict == (vector["rule"], vector["expect"], vector["index"])
        assert refused.exit_code == (2 if isinstance(refused, UnreadableEvidence) else 1)
    else:
        assert vector["expect"] == "ok"
        assert verified.freshness.completeness.value == vector["completeness"]
        if "custody" in vector:
            steps = [[s.verdict, s.giver, s.receiver, s.key_known] for s in verified.custody]
            assert steps == vector["custody"]


def _vectors(folder: str) -> list[Path]:
    return sorted((REPO / "tests/vectors" / folder).glob("*.json"))


# How long an item may be is rule R1's business in this reader, not the decoder's.
CBOR = [file for file in _vectors("cbor") if file.stem != "too_long"]


@pytest.mark.parametrize("file", CBOR, ids=lambda file: file.stem)
def test_the_strict_reader_gives_cbor_the_verdict_of_the_vector(file: Path):
    from sealtrail.evidence.cbor_strict import CborRefused, decode

    vector = json.loads(file.read_text())
    try:
        decode(bytes.fromhex(vector["input"]))
    except CborRefused as refused:
        assert refused.reason == vector["expect"]
    else:
        assert vector["expect"] == "ok"


@pytest.mark.parametrize("file", _vectors("record"), ids=lambda file: file.stem)
def test_the_record_reader_gives_the_verdict_of_the_vector(file: Path):
    from sealtrail.evidence.cose import open_envelope
    from sealtrail.evidence.payload import read_payload
    from sealtrail.evidence.refusal import Refusal
    from sealtrail.evidence.verify import item_end

    vector = json.loads(file.read_text())
    item = bytes.fromhex(vector["input"])
    try:
        # In a file R1 comes first; here an item of another kind is for R2 to name.
        if item.startswith(b"\xd2") and item_end(item, 0, 1) != len(item):
            raise Refusal("R3", "trailing bytes")
        read_payload(open_envelope(item))
    except (Refusal, VerifyError) as refused:
        assert refused.reason == vector["expect"]
    except UnreadableEvidence:
        assert vector["expect"] == "truncated"
    else:
        assert vector["expect"] == "ok"


@pytest.mark.parametrize("file", _vectors("statement"), ids=lambda file: file.stem)
def test_the_statement_reader_gives_the_verdict_of_the_vector(file: Path):
    from sealtrail.evidence.refusal import Refusal
    from sealtrail.evidence.statements import read_statement

    vector = json.loads(file.read_text())
    try:
        read_statement(bytes.fromhex(vector["input"]))
    except Refusal as refused:
        assert refused.reason == vector["expect"]
    else:
        assert vector["expect"] == "ok"
