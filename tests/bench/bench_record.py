# SPDX-License-Identifier: MIT
"""Bytes of one signed, chained reading on flash and on the air."""

from tests.fakes import long_evidence

_SENML_BYTES = 13.5  # SenML-CBOR block of 64, one signature: design, goals in numbers


def run() -> dict[str, dict[str, object]]:
    """record.bytes_per_reading_64, and the figure for one hour at five minutes beside it."""
    sizes = {}
    for count, interval_ms in ((64, 60_000), (12, 300_000)):
        values = long_evidence.walk(count * 200)
        blocks = [
            len(
                long_evidence.signed(
                    long_evidence.payload_of(
                        seq, bytes(32), values[seq * count : (seq + 1) * count], interval_ms
                    )
                )
            )
            for seq in range(200)
        ]
        sizes[count] = sum(blocks) / len(blocks) / count
    return {
        "record.bytes_per_reading_64": {
            "value": round(sizes[64], 3),
            "unit": "B",
            "goal": "<= 3.4",
            "reference": "SenML-CBOR, 64 readings, one signature (published sizes)",
            "reference_value": _SENML_BYTES,
        },
        "record.bytes_per_reading_12": {
            "value": round(sizes[12], 3),
            "unit": "B",
            "goal": None,
            "reference": "the same block at five minutes, sealed each hour",
            "reference_value": None,
        },
    }
