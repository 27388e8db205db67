# SPDX-License-Identifier: MIT
"""One rule set for signatures, tag and host: edge cases made here, and Wycheproof's.

docs/ed25519.md, "Which signatures hold", states the rules and lists Wycheproof's cases by flag.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sealtrail.evidence import cose
from sealtrail.evidence.refusal import Refusal
from tests.micropython import run_upy
from tests.paths import REPO, shared_data
from tests.upy import ed25519_edges

HERE = Path(__file__).parent
DOC = (REPO / "docs/ed25519.md").read_text()
ED25519_FILE = "wycheproof/ed25519_test.json"
P256_FILE = "wycheproof/ecdsa_secp256r1_sha256_p1363_test.json"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Vector = tuple[bytes, bytes, bytes]  # key, message, signature


def tag_verdicts(tmp_path: Path, vectors: list[Vector]) -> list[bool]:
    """What the tag's code on MicroPython says to each vector."""
    path = tmp_path / "cases.json"
    cases = [["verify", *(part.hex() for part in vector), "verdict"] for vector in vectors]
    path.write_text(json.dumps(cases))
    answers = run_upy(HERE / "sign_cases.py", str(path)).split()
    return [answer == "True" for answer in answers[: len(vectors)]]


def host_verdict(vector: Vector) -> bool:
    """What the host says: the envelope's check of the size, then the signature itself.

    The function below VerifyingKey.holds() is called, which would put COSE around the message.
    """
    key, message, signature = vector
    if not _envelope_takes(signature):
        return False
    if len(key) == 32:
        return cose._holds_ed25519(key, signature + message)
    return cose._holds_p256(key, signature, message)


def _envelope_takes(signature: bytes) -> bool:
    size = len(signature)
    head = b"%c" % (0x40 + size) if size < 24 else b"\x58%c" % size
    item = b"\xd2\x84\x43\xa1\x01\x27\xa0\x41\x00" + head + signature
    try:
        cose.open_envelope(item)
    except Refusal as refusal:
        assert refusal.rule == "R2"
        return False
    return True


def test_tag_and_host_give_the_stated_verdict_where_verifiers_differ(tmp_path: Path) -> None:
    cases = ed25519_edges.cases()
    vectors = [(case.public_key, case.message, case.signature) for case in cases]
    on_tag = tag_verdicts(tmp_path, vectors)
    on_host = [host_verdict(vector) for vector in vectors]
    wrong = [
        (case.name, tag, host)
        for case, tag, host in zip(cases, on_tag, on_host, strict=True)
        if (tag, host) != (case.is_valid, case.is_valid)
    ]
    assert wrong == []
    assert len(cases) >= 200
    assert sum(case.is_valid for case in cases) >= 50


def wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(test, group) of each case; skips where the public data is not there."""
    groups = json.loads(shared_data(name).read_text())["testGroups"]
    return [(test, group["publicKey"]) for group in groups for test in group["tests"]]


def _vector(test: dict[str, Any], key: bytes) -> Vector:
    return key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])


def _p256_key(public: dict[str, Any]) -> bytes:
    """The compressed form, which certificates carry."""
    x, y = int(public["wx"], 16), int(public["wy"], 16)
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def _has_low_s(signature: str) -> bool:
    return int(signature[64:], 16) <= P256_ORDER // 2


def _rows(heading: str) -> dict[str, tuple[int, int]]:
    """{flags: (cases, accepted)} of the document's table below *heading*."""
    section = DOC.split(heading, 1)[1].split("\n#", 1)[0]
    found = re.findall(r"^\| ([A-Za-z0-9, ]+) \| (\d+) \| (\d+) \|", section, re.M)
    return {flags: (int(count), int(accepted)) for flags, count, accepted in found}


def _by_flags(tests: list[dict[str, Any]], verdicts: list[bool]) -> dict[str, tuple[int, int]]:
    count: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for test, verdict in zip(tests, verdicts, strict=True):
        flags = ", ".join(test["flags"])
        count[flags] += 1
        accepted[flags] += verdict
    return {flags: (count[flags], accepted[flags]) for flags in count}


def _disagreements(
    tests: list[dict[str, Any]], verdicts: list[bool], wanted: list[bool]
) -> list[tuple[int, str]]:
    """Every case whose verdict is not the wanted one, by number and flags."""
    return [
        (test["tcId"], ", ".join(test["flags"]))
        for test, verdict, want in zip(tests, verdicts, wanted, strict=True)
        if verdict != want
    ]


@pytest.mark.parametrize("where", ["tag", "host"])
def test_wycheproofs_ed25519_cases_get_the_verdicts_they_state(where: str, tmp_path: Path) -> None:
    cases = wycheproof(ED25519_FILE)
    tests = [test for test, _ in cases]
    vectors = [_vector(test, bytes.fromhex(public["pk"])) for test, public in cases]
    if where == "tag":
        verdicts = tag_verdicts(tmp_path, vectors)
    else:
        verdicts = [host_verdict(vector) for vector in vectors]
    wanted = [test["result"] == "valid" for test in tests]
    assert _disagreements(tests, verdicts, wanted) == []
    assert _by_flags(tests, verdicts) == _rows("### Wycheproof, Ed25519")


def test_wycheproofs_p256_cases_get_the_verdicts_they_state_if_s_is_low() -> None:
    cases = wycheproof(P256_FILE)
    tests = [test for test, _ in cases]
    verdicts = [host_verdict(_vector(test, _p256_key(public))) for test, public in cases]
    # Wycheproof accepts both encodings of a signature; R10 the one with the lower s only.
    wanted = [test["result"] == "valid" and _has_low_s(test["sig"]) for test in tests]
    assert _disagreements(tests, verdicts, wanted) == []
    assert _by_flags(tests, verdicts) == _rows("### Wycheproof, ES256")


def test_what_is_refused_for_its_high_s_holds_with_the_lower_one() -> None:
    count = 0
    for test, public in wycheproof(P256_FILE):
        if test["result"] == "valid" and not _has_low_s(test["sig"]):
            key, message, signature = _vector(test, _p256_key(public))
            s = P256_ORDER - int.from_bytes(signature[32:], "big")
            assert host_verdict((key, message, signature[:32] + s.to_bytes(32, "big")))
            count += 1
    assert count == 70


def test_the_hosts_slower_way_gives_the_same_verdicts() -> None:
    # Where PyNaCl's inner function is missing, crypto_sign_open() judges.
    for case in ed25519_edges.cases():
        verdict = cose._holds_by_bindings(case.public_key, case.signature + case.message)
        assert verdict == case.is_valid, case.name
