# SPDX-License-Identifier: MIT
"""Signatures per second on the unix port: viper limbs against big integers, same process.

The ratio flatters the big integers: the PC's have 32-bit digits, an ESP32's 16-bit ones.
"""

from tests.micropython import run_upy
from tests.paths import REPO


def run() -> dict[str, dict[str, object]]:
    """Takes about 5 s."""
    out = run_upy(REPO / "tests" / "upy" / "sign_bench.py")
    viper_per_s, bigint_per_s, heap = out.split()
    ratio = float(viper_per_s) / float(bigint_per_s)
    return {
        "sign.vs_bigint_ratio": {
            "value": round(ratio, 2),
            "unit": "x",
            "goal": ">= 2",
            "reference": "plain big-integer Ed25519, same MicroPython process, signatures/s",
            "reference_value": round(float(bigint_per_s), 1),
        },
        "sign.heap_bytes": {
            "value": int(heap),
            "unit": "B per signature, 64-bit heap",
            "goal": "<= 2048",
            "reference": "viper prototype with big-integer scalars, 32-bit heap",
            "reference_value": 1824,
        },
    }
