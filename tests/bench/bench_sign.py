# SPDX-License-Identifier: MIT
"""Signing: rates on the unix port beside big integers and libsodium, counts of chip code, sizes.

The ratio to big integers flatters those: a PC's have 32-bit digits, an ESP32's 16-bit ones.
Rates are the best of some rounds, all sides taken in turns. Counts are exact (tests/cost,
docs/signing-cost.md).
"""

import json
import time
from collections.abc import Callable

import nacl.bindings
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealtrail.keys import certificate
from tests.cost.mpy import RV32IMC, XTENSAWIN
from tests.cost.signing import all_counts
from tests.micropython import run_upy
from tests.paths import REPO

Entry = dict[str, object]
_ROUND_COUNT = 5
_ROUND_S = 0.1
_SEED, _MESSAGE = bytes(range(32)), bytes(150)


def run() -> dict[str, Entry]:
    """Takes about 15 s."""
    rates = json.loads(run_upy(REPO / "tests" / "upy" / "sign_bench.py"))
    return {**_rates(rates), **_counts(), **_certificates()}


def _rates(rates: dict[str, float]) -> dict[str, Entry]:
    sodium = _libsodium_rates()
    entries = {}
    for name, what, goal in (("sign", "sign", ">= 3"), ("verify_on_tag", "verify", None)):
        viper, bigint = rates[what], rates[f"bigint {what}"]
        reference = "best big-integer Ed25519, same MicroPython process"
        entries[f"{name}.vs_bigint_ratio"] = _entry(
            round(viper / bigint, 2), "x", goal, f"{reference}, 1/s", round(bigint, 1)
        )
        entries[f"{name}.per_s"] = _entry(
            round(viper, 1), "1/s, unix port", None, "libsodium, 1/s", round(sodium[what])
        )
    entries["sign.heap_bytes"] = _entry(
        int(rates["heap"]),
        "B per signature, 64-bit heap",
        "<= 2048",
        "viper prototype with big-integer scalars, 32-bit heap",
        1824,
    )
    return entries


def _libsodium_rates() -> dict[str, float]:
    public, secret = nacl.bindings.crypto_sign_seed_keypair(_SEED)
    signed = nacl.bindings.crypto_sign(_MESSAGE, secret)
    return {
        "sign": _per_second(lambda: nacl.bindings.crypto_sign(_MESSAGE, secret)),
        "verify": _per_second(lambda: nacl.bindings.crypto_sign_open(signed, public)),
    }


def _per_second(call: Callable[[], object]) -> float:
    best = 0.0
    for _ in range(_ROUND_COUNT):
        count, start = 0, time.process_time()
        while time.process_time() - start < _ROUND_S:
            call()
            count += 1
        best = max(best, count / (time.process_time() - start))
    return best


def _counts() -> dict[str, Entry]:
    counts = all_counts()
    prototype = "prototype, without hedge and reduction modulo L"
    instructions = "instructions, 150 B"

    def count(architecture: str, what: str, goal: str, reference_value: int) -> Entry:
        value = counts[architecture, what]
        return _entry(value, instructions, goal, prototype, reference_value)

    return {
        "sign.rv32_instructions": count(RV32IMC, "sign", "<= 3,450,000", 3_256_639),
        "sign.xtensa_instructions": count(XTENSAWIN, "sign", "<= 3,450,000", 3_262_870),
        "verify_on_tag.rv32_instructions": count(RV32IMC, "verify", "<= 12,000,000", 14_827_390),
        "verify_on_tag.xtensa_instructions": count(
            XTENSAWIN, "verify", "<= 12,000,000", 14_753_442
        ),
        "sign.exec_bytes": _entry(
            max(counts[architecture, "exec bytes"] for architecture in (RV32IMC, XTENSAWIN)),
            "B of executable memory, the larger of RV32 and Xtensa",
            "<= 20,480",
            "prototype, Xtensa",
            16_432,
        ),
        "sign.table_bytes": _entry(
            counts[RV32IMC, "table bytes"], "B of RAM", "<= 16,384", "prototype", 15_360
        ),
    }


def _certificates() -> dict[str, Entry]:
    ed25519 = Ed25519PrivateKey.from_private_bytes(_SEED).public_key().public_bytes_raw()
    p256 = derive_private_key(1, SECP256R1()).public_key()
    compressed = p256.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return {
        "cert.bytes": _entry(_certificate_size(ed25519), "B, Ed25519", "<= 170", None, None),
        "cert.p256_bytes": _entry(_certificate_size(compressed), "B, P-256", "<= 250", None, None),
    }


def _certificate_size(public_key: bytes) -> int:
    issued = certificate.issue(
        Ed25519PrivateKey.from_private_bytes(_SEED),
        "ST-0001",
        public_key,
        issued_at_s=1_760_000_000,
        hardware="esp32_devkitc",
        firmware="0.1.0",
    )
    return len(issued)


def _entry(
    value: float, unit: str, goal: str | None, reference: str | None, reference_value: float | None
) -> Entry:
    return {
        "value": value,
        "unit": unit,
        "goal": goal,
        "reference": reference,
        "reference_value": reference_value,
    }
