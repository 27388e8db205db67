# SPDX-License-Identifier: MIT
"""Every evidence vector breaks the rule it names, at the item it names, and only that."""

import json

import pytest

from tests.cross.reference_verifier import Refused, Verifier
from tests.paths import REPO

FILES = sorted((REPO / "tests/vectors/evidence").glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_evidence_vector_is_judged_as_it_says(file):
    vector = json.loads(file.read_text())
    nonces = [bytes.fromhex(nonce) for nonce in vector["nonces"]]
    stored = [bytes.fromhex(one) for one in vector.get("stored", [])]
    verifier = Verifier(vector["fleet_pub"], nonces, vector["known_head"], stored)
    try:
        completeness = verifier.run(bytes.fromhex(vector["evidence"]))
    except Refused as refused:
        assert refused.args == (vector["rule"], vector["expect"], vector["index"])
    else:
        assert (vector["expect"], vector["rule"]) == ("ok", "")
        assert completeness == vector["completeness"]


def test_every_rule_has_a_vector_that_breaks_it():
    broken = {json.loads(file.read_text())["rule"] for file in FILES} - {""}
    assert broken == {f"R{number}" for number in range(1, 22)}
