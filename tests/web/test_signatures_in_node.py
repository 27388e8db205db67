# SPDX-License-Identifier: MIT
"""One rule set for signatures in the browser too: edge cases made here, and Wycheproof's."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.paths import SHARED
from tests.upy import ed25519_edges
from tests.web.node import judged, run_node


def test_ed25519_edges_get_their_stated_verdict(tmp_path: Path):
    cases = ed25519_edges.cases()
    jobs = (
        {"kind": "ed25519", "key": one.public_key.hex(), "signature": one.signature.hex()}
        | {"message": one.message.hex()}
        for one in cases
    )
    answers = judged(jobs, tmp_path)
    wrong = [one.name for one, said in zip(cases, answers, strict=True) if said != one.is_valid]
    assert not wrong, wrong
    assert len(cases) > 200


def _wycheproof(name: str) -> list[dict[str, Any]]:
    path = SHARED / "data" / "wycheproof" / name
    if not path.exists():
        pytest.skip(f"no {path.name} beside the checkout")
    groups: list[dict[str, Any]] = json.loads(path.read_text())["testGroups"]
    return groups


def test_wycheproofs_ed25519_cases_get_the_verdicts_they_state(tmp_path: Path):
    jobs, expected = [], []
    for group in _wycheproof("ed25519_test.json"):
        for test in group["tests"]:
            named = {"key": group["publicKey"]["pk"], "signature": test["sig"]}
            jobs.append({"kind": "ed25519", "message": test["msg"], **named})
            expected.append(test["result"] == "valid")
    assert judged(jobs, tmp_path) == expected
    assert len(expected) == 151


def test_wycheproofs_p256_cases_get_the_verdicts_they_state_if_s_is_low(tmp_path: Path):
    half = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8
    jobs, expected = [], []
    for group in _wycheproof("ecdsa_secp256r1_sha256_p1363_test.json"):
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        for test in group["tests"]:
            signature = bytes.fromhex(test["sig"])
            if len(signature) != 64:
                continue  # the envelope (R2) refuses it
            named = {"x": point[1:33].hex(), "y": point[33:].hex(), "signature": test["sig"]}
            jobs.append({"kind": "p256", "message": test["msg"], **named})
            is_low = int.from_bytes(signature[32:], "big") <= half
            expected.append(test["result"] == "valid" and is_low)
    assert judged(jobs, tmp_path) == expected
    assert sum(expected) > 90


def test_a_point_off_the_curve_is_no_key(tmp_path: Path):
    x, y = bytes(31) + b"\x05", bytes(31) + b"\x01"
    assert judged([{"kind": "point", "x": x.hex(), "y": y.hex()}], tmp_path) == [None]


def test_what_an_engine_lets_pass_is_refused_by_our_own_rules(tmp_path: Path):
    refused = ("small-order", "S + ", "y ")
    cases = [
        {"name": one.name, "key": one.public_key.hex(), "signature": one.signature.hex()}
        | {"holds": not one.name.startswith(refused)}
        for one in ed25519_edges.cases()
        if one.is_valid or one.name.startswith(refused)
    ]
    assert sum(not one["holds"] for one in cases) > 60
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases))
    assert run_node("lax_engine.mjs", str(file)) == "done\n"
