# SPDX-License-Identifier: MIT
"""The recorder: every accepted entry stands in exactly one signed record, whatever happens."""

import hashlib
import itertools

import pytest

from sealwire import labels
from sealwire.record import parse_record
from tests.fakes.tagparts import CERTIFICATE, TagParts


def records_of(parts: TagParts) -> list:
    return [parse_record(one) for _, one in parts.recorder.records.records(0)]


def readings_of(records: list) -> list:
    return [value for one in records for run in one.runs for value in run[3]]


def test_the_first_record_names_the_certificate_and_carries_the_boot_event():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    (genesis,) = records_of(parts)
    assert (genesis.seq, genesis.boot) == (0, 1)
    assert genesis.prev == hashlib.sha256(CERTIFICATE).digest()
    assert [event[1] for event in genesis.events] == [labels.EVENT_BOOT]


def test_a_block_closes_at_sixty_four_samples():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    for n in range(130):
        parts.uptime.advance(60_000)
        parts.recorder.sample(parts.uptime.now_ms(), [-19000 + n])
    records = records_of(parts)
    assert [len(readings_of([one])) for one in records] == [64, 64]
    assert parts.recorder.unsealed_count == 2
    assert readings_of(records) == list(range(-19000, -19000 + 128))


def test_a_block_closes_after_an_hour():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    for _ in range(13):
        parts.uptime.advance(300_000)
        parts.recorder.sample(parts.uptime.now_ms(), [-19000, 2100])
        parts.recorder.seal_if_due()
    assert [len(readings_of([one])) for one in records_of(parts)] == [24]


def test_records_are_chained_by_the_hash_of_the_whole_record_before():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    for n in range(3):
        parts.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
        parts.uptime.advance(n)
    raw = [one for _, one in parts.recorder.records.records(0)]
    for before, after in itertools.pairwise(raw):
        assert parse_record(after).prev == hashlib.sha256(before).digest()
    assert parts.recorder.head() == (2, hashlib.sha256(raw[-1]).digest())


def test_what_a_crash_left_unsealed_is_sealed_by_the_next_boot_as_what_it_is():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    for n in range(5):
        parts.uptime.advance(60_000)
        parts.recorder.sample(parts.uptime.now_ms(), [n])
    parts.reboot()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    crashed, fresh = records_of(parts)
    assert (crashed.kind, crashed.boot, crashed.sealed_by_boot) == (4, 1, 2)
    assert crashed.up_ms == 300_000
    assert readings_of([crashed]) == [0, 1, 2, 3, 4]
    assert (fresh.kind, fresh.boot, fresh.sealed_by_boot) == (0, 2, None)
    assert parts.recorder.unsealed_count == 0


def test_two_crashes_in_a_row_keep_the_boots_apart():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.sample(1, [11])
    parts.reboot()
    # The second boot dies after its boot entry, before it sealed anything of its own.
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.sample(2, [22])
    parts.reboot()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    records = records_of(parts)
    assert [(one.kind, one.boot) for one in records] == [(4, 1), (4, 2), (0, 3)]
    assert readings_of(records) == [11, 22]


def test_the_lower_time_bound_lives_on_in_the_records():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.clock.narrow(1_795_000_000_000, 1_795_000_000_500, 2)
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    parts.rtc.lose_power()
    parts.reboot()
    parts.recorder.begin(1, "0.1.0")
    assert parts.clock.bounds_ms() == (1_795_000_000_000, None)


def refuse(number: int, operation: object) -> int:
    raise OSError(5)


def test_a_flash_error_while_sealing_loses_nothing():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.sample(10, [1234])
    parts.log.before_op = refuse
    assert not parts.recorder.seal_open_block()
    parts.log.before_op = None
    assert parts.recorder.seal_open_block()
    assert readings_of(records_of(parts)) == [1234]


def test_a_custody_event_that_flash_refuses_is_never_confirmed():
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.log.before_op = refuse
    from tag.store.ringlog import RingFull

    with pytest.raises(RingFull):
        parts.recorder.custody_event(labels.EVENT_OFFER, [1, b"holder00", b"statement"])


def test_an_attestation_names_head_nonce_and_what_is_not_sealed():
    from sealwire.statement import parse_statement

    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    parts.recorder.sample(10, [1234])
    kind, fields, *_ = parse_statement(parts.recorder.attest(bytes(16)))
    assert kind == 23
    assert (fields[2], fields[3]) == parts.recorder.head()
    assert (fields[4], fields[7]) == (bytes(16), 1)


@pytest.mark.parametrize("content", [None, [1, "x" * 49], ["1", "text"], 7, b"\x01"])
def test_a_malformed_event_never_enters_the_chain_but_its_fault_does(content: object):
    """One malformed event would make a verifier refuse the whole evidence."""
    parts = TagParts()
    parts.recorder.begin(1, "0.1.0")
    parts.recorder.note_event(labels.EVENT_DEVICE_FAULT, content, seal=True)
    (only,) = records_of(parts)
    assert only.events[-1][1] == labels.EVENT_DEVICE_FAULT
    assert only.events[-1][2][1] == "event 15: event data malformed"
