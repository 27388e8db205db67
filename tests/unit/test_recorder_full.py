# SPDX-License-Identifier: MIT
"""The recorder when the log fills up: readings wait, then are refused aloud; custody is kept."""

import pytest

from sealwire import cbor, labels, profile
from sealwire.record import parse_record
from tag.recording import logspace
from tag.recording.trip import Trip
from tag.store.ringlog import RingFull
from tests.fakes.tagparts import TagParts

LOG_SECTORS = 28  # journal 16, record log 12, of which 2 are reserve
# An offer or acceptance makes a record of 404 B.
CUSTODY = cbor.encode([1, b"holder00", bytes(238)])
MINUTE_MS = 60_000
RULES = profile.encode(profile.build("t", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))


def begin(parts: TagParts) -> None:
    parts.recorder.begin(1, "0.1.0")


def sample(parts: TagParts, values: list[int] | None = None) -> bool:
    parts.uptime.advance(MINUTE_MS)
    taken: bool = parts.recorder.sample(parts.uptime.now_ms(), values or [-19000])
    return taken


def records_of(parts: TagParts) -> list:
    return [parse_record(one) for _, one in parts.recorder.records.records(0)]


def events_of(parts: TagParts, code: int) -> list:
    return [event[2] for one in records_of(parts) for event in one.events if event[1] == code]


def reading_count(parts: TagParts) -> int:
    return sum(len(run[3]) for one in records_of(parts) for run in one.runs)


def fill(parts: TagParts, step=sample) -> int:
    """Takes readings until the first ordinary record is refused; returns how many went in."""
    for count in range(200_000):
        if parts.recorder.sealer.is_full:
            return count
        assert step(parts)
    raise AssertionError("the record log never filled up")


def fill_to_refusal(parts: TagParts, step=sample) -> int:
    """As fill, on to the first refused reading, which is not in the count."""
    count = fill(parts, step)
    while step(parts):
        count += 1
        assert count < 200_000
    return count


@pytest.fixture
def parts() -> TagParts:
    made = TagParts(log_sectors=LOG_SECTORS)
    begin(made)
    return made


def test_a_full_record_log_leaves_readings_in_the_journal_and_seals_them_once_freed(parts):
    count = fill(parts)
    head_seq = parts.recorder.records.head_seq
    assert parts.recorder.unsealed_count == 64
    assert sample(parts) and not parts.recorder.is_refusing
    parts.recorder.records.acknowledge(head_seq)
    assert sample(parts)
    assert parts.recorder.records.head_seq == head_seq + 2
    parts.recorder.seal_open_block()
    assert reading_count(parts) == count + 2 and parts.recorder.unsealed_count == 0
    assert parts.recorder.refused_count == 0 and parts.faults == []


def test_a_full_log_costs_no_signature_per_reading(parts):
    fill(parts)
    signed = []
    real = parts.recorder.sealer.sign
    parts.recorder.sealer.sign = lambda payload: signed.append(1) or real(payload)
    for _ in range(200):
        assert sample(parts)
        parts.recorder.seal_if_due()
    assert signed == []


def test_readings_are_refused_once_two_journal_sectors_wait_and_the_first_refusal_is_told(parts):
    before = fill(parts) - 64
    waited = 64 + fill_to_refusal(parts)
    assert 254 <= waited <= 510
    # What waited went into the reserve with the event.
    assert reading_count(parts) == before + waited
    assert events_of(parts, labels.EVENT_LOG_FULL) == [[1]]
    assert parts.recorder.is_refusing and parts.recorder.refused_count == 1
    assert parts.recorder.unsealed_count == 0


def test_the_count_of_refused_readings_is_exact_over_power_cuts(parts):
    fill_to_refusal(parts)
    for _ in range(7):
        assert not sample(parts)
    for _ in range(3):
        parts.reboot()
        begin(parts)
        assert parts.recorder.is_refusing
        assert not sample(parts)
    assert parts.recorder.refused_count == 1 + 7 + 3
    assert not parts.recorder.note_event(labels.EVENT_SHOCK, [2000, 1, 1])
    assert parts.recorder.refused_count == 12


def test_a_receipt_lets_readings_in_again_and_the_total_is_told(parts):
    fill_to_refusal(parts)
    for _ in range(9):
        sample(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert sample(parts, [-18000])
    assert not parts.recorder.is_refusing
    assert events_of(parts, labels.EVENT_LOG_FULL) == [[1], [10]]
    parts.recorder.seal_open_block()
    assert records_of(parts)[-1].runs[-1][3] == (-18000,)


def test_a_receipt_that_arrived_before_a_reboot_counts(parts):
    fill_to_refusal(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    parts.reboot()
    begin(parts)
    assert sample(parts) and not parts.recorder.is_refusing
    assert events_of(parts, labels.EVENT_LOG_FULL)[-1] == [1]


def test_a_second_spell_goes_on_counting(parts):
    fill_to_refusal(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    fill_to_refusal(parts)
    assert parts.recorder.refused_count == 2
    assert events_of(parts, labels.EVENT_LOG_FULL) == [[1], [1], [2]]


def test_lid_and_alarms_are_kept_while_readings_are_refused(parts):
    fill_to_refusal(parts)
    assert parts.recorder.note_event(labels.EVENT_LID_OPEN)
    assert parts.recorder.note_event(labels.EVENT_ALARM_START, [1, 0, -14000], seal=True)
    assert parts.recorder.refused_count == 1
    parts.recorder.custody_event(labels.EVENT_ACCEPT, CUSTODY)
    assert events_of(parts, labels.EVENT_ALARM_START) == [[1, 0, -14000]]


def test_lid_and_alarms_too_are_refused_and_counted_when_their_sector_is_full(parts):
    fill_to_refusal(parts)
    count = 0
    while parts.recorder.note_event(labels.EVENT_LID_OPEN):
        count += 1
        assert count <= 300
    assert count > 100
    assert parts.recorder.refused_count == 2
    parts.recorder.custody_event(labels.EVENT_ACCEPT, CUSTODY)


def test_custody_is_sealed_at_once_with_the_backlog_before_it_and_ends_the_readings(parts):
    count = fill(parts)
    for _ in range(100):
        assert sample(parts)
    seq = parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
    assert seq == parts.recorder.records.head_seq
    assert records_of(parts)[-1].events[-1][1] == labels.EVENT_OFFER
    assert reading_count(parts) == count + 100 and parts.recorder.unsealed_count == 0
    assert not sample(parts)
    assert events_of(parts, labels.EVENT_LOG_FULL) == [[1]]


def test_a_reserve_that_custody_drew_on_stays_closed_to_readings_after_a_reboot(parts):
    fill(parts)
    parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
    parts.reboot()
    begin(parts)
    assert not sample(parts)


def test_boots_while_readings_are_refused_cost_custody_no_room(parts):
    fill_to_refusal(parts)
    for _ in range(40):
        parts.reboot()
        begin(parts)
        assert not sample(parts)
    head_seq = parts.recorder.records.head_seq
    assert parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY) == head_seq + 1
    assert parts.recorder.refused_count == 41


@pytest.mark.parametrize("probes", [1, 2, 4])
def test_the_worst_backlog_leaves_room_for_five_handovers(probes):
    """Readings that jump by more than 82 degrees each time: three bytes a difference."""
    parts = TagParts(log_sectors=LOG_SECTORS)
    begin(parts)
    turn = [0]

    def wild(tag: TagParts) -> bool:
        turn[0] += 1
        return sample(tag, [90_000 if turn[0] % 2 else -20_000] * probes)

    fill_to_refusal(parts, wild)
    for _ in range(5):
        parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
        parts.recorder.custody_event(labels.EVENT_ACCEPT, CUSTODY)
    assert len(events_of(parts, labels.EVENT_ACCEPT)) == 5


def test_custody_that_no_reserve_can_take_is_never_confirmed_and_stands_nowhere(parts):
    fill_to_refusal(parts)
    taken = 0
    with pytest.raises(RingFull):
        for _ in range(100):
            parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
            taken += 1
    assert len(events_of(parts, labels.EVENT_OFFER)) == taken >= 10
    parts.reboot()
    begin(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert sample(parts)
    parts.recorder.seal_open_block()
    assert len(events_of(parts, labels.EVENT_OFFER)) == taken


@pytest.mark.parametrize("is_broken", [False, True])
@pytest.mark.parametrize("count", [64, 66])  # 64: nothing else is unsealed
def test_custody_that_was_refused_never_comes_back_and_takes_no_reading_with_it(
    parts, is_broken, count
):
    """The block it had joined is read from the journal again, without it."""
    for value in range(count):
        assert sample(parts, [value])

    def refuse(record, journal_next, is_urgent=False):
        raise OSError(5) if is_broken else RingFull

    records = parts.recorder.records
    real, records.append = records.append, refuse
    with pytest.raises(RingFull):
        parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
    records.append = real
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert parts.recorder.seal_open_block()
    assert events_of(parts, labels.EVENT_OFFER) == []
    assert reading_count(parts) == count and parts.recorder.unsealed_count == 0


def test_custody_whose_free_mark_fails_is_confirmed_and_stands_once_as_do_the_readings(parts):
    for value in (-19001, -19002, -19003):
        assert sample(parts, [value])
    journal_sectors = 16

    def fail_free(number, op):
        if op[0] < journal_sectors:
            raise OSError(5)
        return -1

    parts.log.before_op = fail_free
    head_seq = parts.recorder.custody_event(labels.EVENT_OFFER, CUSTODY)
    parts.log.before_op = None
    assert head_seq == parts.recorder.records.head_seq
    for count in (4, 5):
        assert sample(parts)
        parts.recorder.seal_open_block()
        assert len(events_of(parts, labels.EVENT_OFFER)) == 1
        assert reading_count(parts) == count
    parts.reboot()
    begin(parts)
    assert parts.recorder.unsealed_count == 0


def test_a_trip_whose_end_finds_no_room_is_still_open_after_a_boot_and_ends_once_freed(parts):
    def trip_of(tag: TagParts) -> Trip:
        trip = Trip(tag.storage.state, tag.recorder)
        trip.resume()
        return trip

    trip = trip_of(parts)
    trip.start(cbor.encode({1: 7, 2: bytes(32), 3: RULES}))
    fill_to_refusal(parts)
    with pytest.raises(RingFull):
        for _ in range(100):
            parts.recorder.custody_event(labels.EVENT_OFFER, cbor.encode([1, b"holder00", b"s"]))
    with pytest.raises(RingFull):
        trip.end()
    for _ in range(2):
        parts.reboot()
        begin(parts)
        assert trip_of(parts).is_open
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert not trip_of(parts).is_open
    assert events_of(parts, labels.EVENT_TRIP_END) == [[7]]


def test_filling_is_told_once_each_time_it_passes_80_percent(parts):
    fill(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    sample(parts)
    (first,) = events_of(parts, labels.EVENT_LOG_FILLING)
    assert 800 <= first[0] < 900
    fill(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    sample(parts)
    assert len(events_of(parts, labels.EVENT_LOG_FILLING)) == 2


def test_a_seal_leaves_the_block_empty_for_the_key_roll_that_follows(parts):
    """An event that a seal makes due would stand in the roll's record and in the next one."""
    while not parts.recorder.is_refusing:
        sample(parts)
        parts.recorder.seal_open_block(True)
        assert parts.recorder.sealer.block.is_empty and parts.recorder.unsealed_count == 0
    assert len(events_of(parts, labels.EVENT_LOG_FILLING)) == 1


def test_filling_is_not_told_again_by_a_reboot(parts):
    fill(parts)
    for _ in range(3):
        parts.reboot()
        begin(parts)
        sample(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    parts.recorder.seal_open_block()
    assert len(events_of(parts, labels.EVENT_LOG_FILLING)) == 1


def test_a_log_that_overwrites_refuses_nothing_and_tells_what_is_lost_exactly(parts):
    parts.recorder.records.overwrites = True
    for _ in range(20_000):
        assert sample(parts)
    parts.recorder.seal_open_block()
    records = parts.recorder.records
    assert records.lost == records.first_seq > 0
    seqs = [seq for seq, _ in records.records(0)]
    assert seqs == list(range(records.first_seq, records.head_seq + 1))
    told = [
        event[2][0]
        for _, raw in records.records(0)
        for event in parse_record(raw).events
        if event[1] == labels.EVENT_RECORDS_LOST
    ]
    assert told == sorted(set(told)) and told[-1] == records.lost
    assert not parts.recorder.is_tight
    parts.reboot()
    parts.recorder.records.overwrites = True
    begin(parts)
    parts.recorder.open_boot()
    parts.recorder.seal_open_block()
    newest = parse_record(records_last(parts))
    assert [labels.EVENT_RECORDS_LOST, [records.lost]] in [list(e[1:]) for e in newest.events]


def records_last(parts: TagParts) -> bytes:
    read: bytes = parts.recorder.records.read(parts.recorder.records.head_seq)
    return read


def test_visitors_may_write_little_above_95_percent_and_whenever_readings_wait(parts):
    assert not parts.recorder.is_tight
    fill(parts)
    assert parts.recorder.is_tight
    assert logspace.TIGHT_PERMILLE == 950


def test_sessions_without_an_event_are_counted_and_told_when_there_is_room(parts):
    fill_to_refusal(parts)
    parts.recorder.count_session()
    parts.recorder.count_session()
    parts.reboot()
    begin(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    sample(parts)
    parts.recorder.seal_open_block()
    sample(parts)
    parts.recorder.seal_open_block()
    assert events_of(parts, labels.EVENT_COUNTS) == [[0, 0, 2]]


def test_a_journal_that_flash_refuses_counts_and_tells_it_when_it_takes_again(parts):
    def refuse(number: int, operation: object) -> int:
        raise OSError(5)

    sample(parts)
    parts.log.before_op = refuse
    assert not sample(parts) and not sample(parts)
    parts.log.before_op = None
    assert sample(parts)
    parts.recorder.seal_open_block()
    assert events_of(parts, labels.EVENT_LOG_FULL) == [[2]]
    assert parts.faults[0][1] == "journal errno 5"


def test_a_count_that_flash_did_not_take_is_not_told_and_what_is_told_never_falls(parts):
    def refuse(number: int, operation: object) -> int:
        raise OSError(5)

    fill(parts)
    fill_to_refusal(parts)
    for _ in range(4):
        sample(parts)
    parts.keys.before_op = refuse
    for _ in range(6):
        sample(parts)
    # A receipt comes while the state store still fails: the log tells what it has refused.
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert sample(parts)
    parts.recorder.seal_open_block()
    parts.keys.before_op = None
    told = [content[0] for content in events_of(parts, labels.EVENT_LOG_FULL)]
    parts.reboot()
    begin(parts)
    assert max(told) <= parts.recorder.refused_count
    fill_to_refusal(parts)
    parts.recorder.records.acknowledge(parts.recorder.records.head_seq)
    assert sample(parts)
    parts.recorder.seal_open_block()
    told = [content[0] for content in events_of(parts, labels.EVENT_LOG_FULL)]
    assert told == sorted(told) and told[-1] == parts.recorder.refused_count
