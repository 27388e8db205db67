# SPDX-License-Identifier: MIT
"""How much of raw libsodium's speed is left once every rule is checked."""

import time
from collections.abc import Callable

import nacl.bindings

from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.cose import open_envelope
from sealtrail.evidence.payload import read_payload
from sealtrail.evidence.verify import item_end
from sealwire import record
from tests.fakes import long_evidence

_RECORDS = 3000
_ROUNDS = 5
_CERTIFICATE = b"certificate of the bench"


def run() -> dict[str, dict[str, object]]:
    """Best of five rounds each, taken in turns in one process."""
    items = long_evidence.records(_RECORDS, _CERTIFICATE)
    key = long_evidence.public_key()
    raw = [_signed_message(item) for item in items]

    def bare() -> None:
        for message in raw:
            nacl.bindings.crypto_sign_open(message, key)

    evidence = b"".join(items)

    def whole() -> None:
        chain, end, index = ChainJudge(_CERTIFICATE, key), 0, 0
        while end < len(evidence):
            begin, end = end, item_end(evidence, end, index)
            item = evidence[begin:end]
            envelope = open_envelope(item)
            chain.take(item, envelope, read_payload(envelope))
            index += 1

    times = [(_seconds(bare), _seconds(whole)) for _ in range(_ROUNDS)]
    bare_s, whole_s = min(t[0] for t in times), min(t[1] for t in times)
    return {
        "verify.share_of_raw_pynacl": {
            "value": round(bare_s / whole_s, 3),
            "unit": "1",
            "goal": ">= 0.88",
            "reference": "PyNaCl crypto_sign_open alone, records/s",
            "reference_value": round(_RECORDS / bare_s),
        },
        "verify.readings_per_s": {
            "value": round(64 * _RECORDS / whole_s),
            "unit": "1/s",
            "goal": ">= 1000000",
            "reference": "records/s on the same path",
            "reference_value": round(_RECORDS / whole_s),
        },
    }


def _signed_message(item: bytes) -> bytes:
    protected, payload, signature = record.parse_envelope(item)
    return signature + b"".join(map(bytes, record.sig_structure_parts(protected, payload)))


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
