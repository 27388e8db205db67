# SPDX-License-Identifier: MIT
"""Rolled keys of a whole tag: prints certificate, attestation, then each KEYS answer, in hex."""

from binascii import hexlify

from keylife_tag import TRIP, Bench

from sealwire.protocol import KEYS_END
from tag.keys.keylist import list_keys

bench = Bench()
certificate = bench.enrol()
tag = bench.app()
tag.sampler.sample_once()
tag.trip.start(TRIP)
for _ in range(3):
    tag.uptime.advance(86_400_000)
    tag.sampler.sample_once()
    tag.key_roll.roll_if_due(tag.trip)
tag = bench.app()
for _ in range(70):
    tag.uptime.advance(3_600_000)
    tag.sampler.sample_once()
    tag.recorder.seal_open_block()
    tag.key_roll.roll_if_due(tag.trip)
print(hexlify(certificate).decode())
print(hexlify(tag.recorder.attest(bytes(range(16)))).decode())
from_seq = 0
for _ in range(20):
    answer = list_keys(tag.recorder.records, tag.key_roll.epoch_seq, from_seq)
    print(from_seq, hexlify(answer).decode())
    from_seq = int.from_bytes(answer[4:8], "big")
    if from_seq == KEYS_END:
        break
