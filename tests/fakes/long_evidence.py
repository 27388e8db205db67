# SPDX-License-Identifier: MIT
"""Evidence of any length with real signatures: blocks of 64 readings of one probe, no events."""

import hashlib
import random

import nacl.bindings

from sealwire import record

SEED = hashlib.sha256(b"sealtrail bench key").digest()
T0_S = 1_795_000_000
_PROTECTED = b"\xa1\x01\x27"


def walk(count: int, seed: int = 1) -> list[int]:
    """A centi-degree random walk with noise of two: facts of the format's size goal."""
    source = random.Random(seed)
    level, values = -19000.0, []
    for _ in range(count):
        level += source.gauss(0, 1)
        values.append(round(level + source.gauss(0, 2)))
    return values


def payload_of(seq: int, prev: bytes, values: list[int], interval_ms: int = 60_000) -> bytes:
    """The payload of one block, by the tag's own builder."""
    block = record.BlockBuilder(record.RECORD_SIZE_MAX)
    start_ms = 1 + seq * len(values) * interval_ms
    for number, value in enumerate(values):
        block.add_sample(start_ms + number * interval_ms, [value])
    end_ms = start_ms + (len(values) - 1) * interval_ms
    utc = (T0_S + end_ms // 1000, 2, 3 + seq // 10)
    return block.payload(0, seq, prev, 1, end_ms, utc)


def signed(payload: bytes) -> bytes:
    """The record, signed by the bench key."""
    secret = nacl.bindings.crypto_sign_seed_keypair(SEED)[1]
    message = b"".join(map(bytes, record.sig_structure_parts(_PROTECTED, payload)))
    return record.envelope(payload, nacl.bindings.crypto_sign(message, secret)[:64])


def public_key() -> bytes:
    """The bench key's public half."""
    return nacl.bindings.crypto_sign_seed_keypair(SEED)[0]


def records(count: int, certificate: bytes) -> list[bytes]:
    """*count* chained records."""
    prev, made = hashlib.sha256(certificate).digest(), []
    values = walk(64 * count)
    for seq in range(count):
        one = signed(payload_of(seq, prev, values[64 * seq : 64 * seq + 64]))
        prev = hashlib.sha256(one).digest()
        made.append(one)
    return made
