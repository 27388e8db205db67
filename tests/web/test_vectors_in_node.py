# SPDX-License-Identifier: MIT
"""The page's verifier gives each shared vector the verdict it names, at its item."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REPO
from tests.web.node import judged, run_node

VECTORS = REPO / "tests" / "vectors"


def _vectors(folder: str) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((VECTORS / folder).glob("*.json"))]


@pytest.mark.parametrize("folder", ["cbor", "record", "statement"])
def test_readers_give_the_reason_of_the_vector(folder: str, tmp_path: Path):
    # How long an item may be is rule R1's business in this reader, not the decoder's.
    vectors = [one for one in _vectors(folder) if one["name"] != "too_long"]
    answers = judged(({"kind": folder, "input": one["input"]} for one in vectors), tmp_path)
    wrong = [
        f"{one['name']}: {answer}, not {one['expect']}"
        for one, answer in zip(vectors, answers, strict=True)
        if answer != one["expect"]
    ]
    assert not wrong, "\n".join(wrong)
    assert len(vectors) > 30


def test_evidence_gets_rule_reason_index_and_custody_of_the_vector(tmp_path: Path):
    vectors = _vectors("evidence")
    answers = judged(({"kind": "evidence", **one} for one in vectors), tmp_path)
    wrong = []
    for one, answer in zip(vectors, answers, strict=True):
        said = (answer["rule"], answer["reason"], answer["index"])
        is_right = said == (one["rule"], one["expect"], one["index"])
        if one["expect"] == "ok":
            is_right = is_right and answer["verdict"] == one["completeness"]
            is_right = is_right and answer["custody"] == one.get("custody", answer["custody"])
        else:
            is_unreadable = one["expect"] in ("evidence empty", "evidence cut")
            is_right = is_right and answer["verdict"] == (
                "unreadable" if is_unreadable else "refused"
            )
        if not is_right:
            wrong.append(f"{one['name']}: {answer}")
    assert not wrong, "\n".join(wrong)
    assert len(vectors) > 100


def test_the_known_answers_of_the_access_protocol():
    said = run_node("access_vectors.mjs", str(VECTORS / "access"))
    assert said.splitlines()[-1].startswith("checks ")
