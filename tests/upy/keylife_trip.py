# SPDX-License-Identifier: MIT
"""A trip with real keys on the tag's own interpreter; prints fleet key and evidence in hex."""

from binascii import hexlify

from keylife_tag import TRIP, Bench

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
tag.uptime.advance(60_000)
tag.sampler.sample_once()
tag.recorder.seal_open_block()
attestation = tag.recorder.attest(bytes(range(16)))
bench.keys.memory[:8192] = bytes(8192)
tag = bench.app()
tag.sampler.sample_once()
tag.recorder.seal_open_block()
records = [one for _, one in tag.recorder.records.records(0)]
print(hexlify(bench.fleet.key.public_key).decode())
print(hexlify(certificate + b"".join(records)).decode())
print(hexlify(attestation).decode())
