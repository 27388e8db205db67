# SPDX-License-Identifier: MIT
"""A record that flash has lost: the visit goes on behind it."""

import pytest

from sealwire import labels, protocol
from tests.fakes.tagparts import TagParts

DAMAGED_SEQ = 3
COUNT = 6


class NoTrip:
    tno = 1
    trip = 0
    from_seq = 0


def sync_args(first_seq: int) -> bytes:
    return first_seq.to_bytes(4, "big") + (64).to_bytes(2, "big")


def chunks(reading) -> bytes:
    got = b""
    for _ in range(10_000):
        chunk = reading.next_chunk(200)
        if chunk is None:
            return got
        got += bytes(chunk)
    raise AssertionError("the stream does not end")


@pytest.fixture
def parts() -> TagParts:
    made = TagParts()
    made.recorder.begin(1, "0.1.0")
    for _ in range(COUNT):
        assert made.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    return made


def damage(parts: TagParts, seqs) -> dict:
    """Flips a bit in each of these records on flash; returns all records as they were."""
    records = dict(parts.recorder.records.records(0))
    for seq in seqs:
        at = parts.log.memory.find(records[seq])
        assert at > 0
        parts.log.memory[at + 40] ^= 4
    return records


def reading_of(parts: TagParts):
    from tag.visit.budget import ByteBudget
    from tag.visit.reading import Reading

    return Reading(parts.recorder, NoTrip, None, ByteBudget(parts.uptime))


def test_a_damaged_record_ends_the_stream_and_who_asks_again_is_sent_behind_it(parts):
    records = damage(parts, [DAMAGED_SEQ])
    reading = reading_of(parts)
    assert reading.begin_sync(sync_args(0), NoTrip)[0] == protocol.OK
    got = chunks(reading)
    assert b"".join(records[seq] for seq in range(DAMAGED_SEQ)).startswith(got)
    for _ in range(3):  # an ACK wakes the stream again: it stays at its end
        assert reading.acknowledge(sync_args(0), NoTrip)[0] == protocol.OK
        assert chunks(reading) == b""
    answer = reading.begin_sync(sync_args(DAMAGED_SEQ), NoTrip)
    assert answer == (protocol.BAD_STATE, (DAMAGED_SEQ + 1).to_bytes(4, "big"))
    assert reading.begin_sync(sync_args(DAMAGED_SEQ + 1), NoTrip)[0] == protocol.OK
    assert chunks(reading).startswith(b"".join(records[n] for n in range(4, COUNT)))


def test_several_damaged_records_are_passed_over_at_once(parts):
    damage(parts, [2, 3, 4])
    answer = reading_of(parts).begin_sync(sync_args(2), NoTrip)
    assert answer == (protocol.BAD_STATE, b"\0\0\0\x05")
    assert parts.recorder.records.first_readable(0) == 0
    assert parts.recorder.records.first_readable(COUNT + 50) > parts.recorder.records.head_seq
