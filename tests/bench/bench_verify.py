# SPDX-License-Identifier: MIT
"""How much of raw libsodium's speed is left once every rule is checked.

`judge` is what `verify` runs: R1 to R20 over a whole file, certificate included. It proves
every reading in range but leaves them as deltas; for readings/s they are expanded too. What
`verify` tells beyond that (UTC of each reading) is not in here. One core: process time, the
best of some rounds, all sides taken in turns.
"""

import time
from collections.abc import Callable
from datetime import date

import nacl.bindings

from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.verify import judge
from sealwire import cbor, record
from tests.fakes import long_evidence
from tests.vectors.chain import FLEET, ISSUED_AT_S, cose_sign1

_RECORDS = 3000
_ROUNDS = 7
_READINGS = 64 * _RECORDS


def run() -> dict[str, dict[str, object]]:
    """Share of raw libsodium, and readings judged and expanded a second."""
    key = long_evidence.public_key()
    certificate = _certificate(key)
    items = long_evidence.records(_RECORDS, certificate)
    signed = [_signed_message(item) for item in items]
    evidence = b"".join([certificate, *items])
    fleet = [FleetKey("bench", VerifyingKey(FLEET.public), date(2020, 1, 1), date(2040, 1, 1))]

    def bare() -> None:
        for message in signed:
            nacl.bindings.crypto_sign_open(message, key)

    def whole() -> None:
        assert judge(evidence, fleet).chain.count == _RECORDS

    def expanded() -> None:
        payloads = judge(evidence, fleet).payloads
        assert sum(len(run.values) for one in payloads for run in one.runs) == _READINGS

    times = [[_seconds(work) for work in (bare, whole, expanded)] for _ in range(_ROUNDS)]
    bare_s, whole_s, expanded_s = map(min, zip(*times, strict=True))
    return {
        "verify.share_of_raw_pynacl": {
            "value": round(bare_s / whole_s, 3),
            "unit": "1",
            "goal": ">= 0.88",
            "reference": "PyNaCl crypto_sign_open alone, records/s",
            "reference_value": round(_RECORDS / bare_s),
        },
        "verify.readings_per_s": {
            "value": round(_READINGS / expanded_s),
            "unit": "1/s",
            "goal": ">= 1000000",
            "reference": "readings/s if there were nothing but crypto_sign_open",
            "reference_value": round(_READINGS / bare_s),
        },
    }


def _certificate(key: bytes) -> bytes:
    confirmation = {1: {1: 1, -1: 6, -2: key}}
    claims = {2: "BENCH-1", 6: ISSUED_AT_S, 8: confirmation, -70001: "virtual", -70002: "0.1.0"}
    return cose_sign1(FLEET, cbor.encode(claims))


def _signed_message(item: bytes) -> bytes:
    protected, payload, signature = record.parse_envelope(item)
    return signature + b"".join(map(bytes, record.sig_structure_parts(protected, payload)))


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
