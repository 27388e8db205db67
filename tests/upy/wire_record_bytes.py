# SPDX-License-Identifier: MIT
"""One record with a bit of everything; both interpreters must print the same bytes."""

from sealwire import record


def build():
    """The record's bytes."""
    block = record.BlockBuilder()
    for index in range(20):
        block.add_sample(5_000 + index * 60_000 + index % 7, (500 + index % 3, -15000 - index))
    block.add_event(1_150_000, 3, [1250])
    block.add_sample(1_160_000, (510, 1_000_004))
    block.add_event(1_160_500, 30, {1: 7, 2: bytes(32), 3: b"x" * 40})
    payload = block.payload(0, 70_000, bytes(range(32)), 300, 1_161_000, (1_795_000_000, 3, 12))
    return record.envelope(payload, bytes(64))


if __name__ == "__main__":
    print("".join("%02x" % byte for byte in build()))
