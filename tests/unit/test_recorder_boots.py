# SPDX-License-Identifier: MIT
"""The recorder in a boot loop: a boot burns nothing before its first entry, and little after."""

import pytest

from sealwire import labels
from sealwire.record import parse_record
from tag.store.ringlog import RingFull
from tests.fakes.tagparts import TagParts

BOOTS = 1_000


def begin(parts: TagParts) -> None:
    parts.recorder.begin(1, "0.1.0")


def records_of(parts: TagParts) -> list:
    return [parse_record(one) for _, one in parts.recorder.records.records(0)]


def readings_of(parts: TagParts) -> list[int]:
    return [value for one in records_of(parts) for run in one.runs for value in run[3]]


@pytest.fixture
def parts() -> TagParts:
    """A tag that has lived: a sealed block, and five readings that are in no record yet."""
    made = TagParts(log_sectors=80)
    begin(made)
    for n in range(69):
        made.uptime.advance(60_000)
        made.recorder.sample(made.uptime.now_ms(), [n])
    assert made.recorder.unsealed_count == 5
    return made


def test_a_thousand_boots_that_die_before_their_first_entry_leave_flash_byte_identical(parts):
    memory = bytes(parts.log.memory)
    parts.log.clear_counts()
    for _ in range(BOOTS):
        parts.reboot()
        begin(parts)
        assert parts.recorder.boot == 2
    assert bytes(parts.log.memory) == memory
    assert parts.log.erases == 0 and parts.recorder.records.head_seq == 0


def test_a_thousand_boots_that_die_before_their_first_reading_write_no_record(parts):
    parts.recorder.seal_open_block()
    parts.log.clear_counts()
    for _ in range(BOOTS):
        parts.reboot()
        begin(parts)
        parts.recorder.open_boot()
    assert parts.recorder.boot == BOOTS + 1
    # Of all those boots the newest one's opening is left.
    assert parts.recorder.unsealed_count == 2 and parts.storage.journal.kept_sectors == 1
    assert len(records_of(parts)) == 2
    # A boot that writes burns what is left of a page: 16 slots of a sector's 254.
    assert parts.log.erases <= BOOTS // 15
    parts.recorder.sample(1, [777])
    parts.recorder.seal_open_block()
    newest = records_of(parts)[-1]
    assert (newest.kind, newest.boot) == (labels.KIND_BLOCK, BOOTS + 1)


def test_a_boot_loop_with_a_reading_each_keeps_every_reading_in_a_record_of_its_boot(parts):
    parts.recorder.seal_open_block()
    parts.log.clear_counts()
    for boot in range(200):
        parts.reboot()
        begin(parts)
        parts.recorder.sample(parts.uptime.now_ms() + 1, [1000 + boot])
    parts.recorder.seal_open_block()
    assert readings_of(parts)[69:] == list(range(1000, 1200))
    boots = [one.boot for one in records_of(parts)]
    assert boots == sorted(boots)
    sealed_by = [one.sealed_by_boot for one in records_of(parts) if one.kind == 4]
    assert sealed_by == sorted(sealed_by) and len(set(sealed_by)) <= 10
    assert parts.log.erases < 200 // 15 + 200 // 10


def test_leftovers_below_a_block_wait_for_the_first_seal_of_the_next_boot(parts):
    parts.reboot()
    begin(parts)
    assert len(records_of(parts)) == 1
    parts.uptime.advance(60_000)
    parts.recorder.sample(parts.uptime.now_ms(), [777])
    assert len(records_of(parts)) == 1
    parts.clock.narrow(1_795_000_000_000, 1_795_000_000_500, 2)
    parts.recorder.seal_open_block()
    _, left, own = records_of(parts)
    assert (left.kind, left.boot, left.sealed_by_boot) == (4, 1, 2)
    assert (own.kind, own.boot, own.up_ms) == (0, 2, 60_000)
    # This boot's own block keeps its time, though it was read back from flash.
    assert own.utc is not None and left.utc is None
    assert readings_of(parts) == [*range(69), 777]


def test_leftovers_wait_no_longer_than_a_block_of_this_boot_or_an_hour(parts):
    parts.reboot()
    begin(parts)
    for n in range(64):
        parts.uptime.advance(1_000)
        parts.recorder.sample(parts.uptime.now_ms(), [n])
    assert [one.kind for one in records_of(parts)] == [0, 4, 0]
    parts.recorder.sample(parts.uptime.now_ms(), [1])
    parts.reboot()
    begin(parts)
    parts.recorder.sample(0, [2])
    parts.uptime.advance(3_600_000)
    parts.recorder.seal_if_due()
    assert [one.kind for one in records_of(parts)] == [0, 4, 0, 4, 0]


def test_a_blocks_worth_of_leftovers_is_sealed_at_once():
    parts = TagParts()
    begin(parts)
    parts.recorder.sealer.seal = lambda is_urgent=False: False  # a record log that fails
    for n in range(70):
        parts.recorder.sample(n * 1_000, [n])
    parts.reboot()
    begin(parts)
    assert parts.recorder.unsealed_count == 0 and readings_of(parts) == list(range(70))


def test_custody_that_older_firmware_left_in_the_journal_is_sealed_at_once():
    parts = TagParts()
    begin(parts)
    parts.recorder.open_boot()
    parts.storage.journal.append_event(1, labels.EVENT_TRIP_END, b"\x81\x07")
    parts.reboot()
    begin(parts)
    assert parts.recorder.unsealed_count == 0
    assert records_of(parts)[0].events[-1][1] == labels.EVENT_TRIP_END


def test_a_boot_that_left_its_opening_only_has_no_record_between_boots_that_have(parts):
    for value in (None, 5, None, None, 6):
        parts.reboot()
        begin(parts)
        parts.recorder.open_boot()
        if value is not None:
            parts.recorder.sample(1, [value])
    parts.recorder.seal_open_block()
    assert [(one.kind, one.boot) for one in records_of(parts)] == [(0, 1), (4, 1), (4, 3), (0, 6)]
    assert readings_of(parts)[-2:] == [5, 6]


def test_the_lower_time_bound_of_a_boot_without_a_record_is_not_forgotten():
    parts = TagParts()
    begin(parts)
    parts.clock.narrow(1_795_000_000_000, 1_795_000_000_500, 2)
    parts.recorder.open_boot()
    parts.rtc.lose_power()
    parts.reboot()
    begin(parts)
    assert parts.clock.bounds_ms() == (1_795_000_000_000, None)


def test_within_a_boot_no_uptime_falls_though_a_seal_overtook_a_reading():
    parts = TagParts()
    begin(parts)
    parts.recorder.sample(10, [1])
    parts.uptime.advance(50)
    parts.recorder.seal_open_block()
    parts.recorder.sample(45, [2])  # its probe was slow
    parts.reboot()
    begin(parts)
    parts.recorder.seal_open_block()
    assert [(one.kind, one.up_ms) for one in records_of(parts)] == [(0, 50), (4, 50)]


def test_without_its_boot_entry_nothing_of_this_boot_is_taken(parts):
    def refuse(number: int, operation: object) -> int:
        raise OSError(5)

    parts.reboot()
    begin(parts)
    parts.log.before_op = refuse
    assert not parts.recorder.open_boot()
    assert not parts.recorder.sample(1, [1])
    parts.log.before_op = None
    assert parts.recorder.sample(2, [2])
    parts.recorder.seal_open_block()
    assert [one.boot for one in records_of(parts)] == [1, 1, 2]


def test_custody_of_a_boot_is_kept_even_where_the_journal_is_broken(parts):
    parts.reboot()
    begin(parts)
    parts.storage.journal.append_boot = broken
    assert not parts.recorder.sample(1, [1])
    assert not parts.recorder.note_event(labels.EVENT_LID_OPEN)
    assert parts.recorder.refused_count == 2
    seq = parts.recorder.custody_event(labels.EVENT_TRIP_END, [7])
    newest = records_of(parts)[seq]
    assert newest.boot == 2 and newest.events[-1][1] == labels.EVENT_TRIP_END


def broken(boot: int, up_ms: int, cause: int) -> int:
    raise RingFull
