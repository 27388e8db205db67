# SPDX-License-Identifier: MIT
"""The record log: seq, head, receipts, and the rule for a cut between seal and free."""

import hashlib

import pytest

from tests.fakes.nor import Nor
from tests.unit.test_ring import new_ring


@pytest.fixture
def device():
    return Nor(10)


def opened(device):
    from tag.store.recordlog import RecordLog

    records = RecordLog(new_ring(device, sector_count=5, size_max=260, slot_count=60, first=5))
    records.open()
    return records


def opened_journal(device):
    from tag.store.journal import Journal

    journal = Journal(new_ring(device, sector_count=5))
    journal.open()
    return journal


def record(seq):
    return b"record %d" % seq + bytes([seq]) * (seq * 37 % 200)


def test_an_empty_log_has_no_head(device):
    records = opened(device)
    assert (records.head_seq, records.head_hash, records.journal_next) == (-1, None, 0)
    assert (records.acknowledged, list(records.records())) == (-1, [])


def test_seq_counts_from_0_and_records_come_back(device):
    records = opened(device)
    assert [records.append(record(n), n * 3) for n in range(8)] == list(range(8))
    for log in (records, opened(device)):
        assert list(log.records(5)) == [(n, record(n)) for n in (5, 6, 7)]
        assert log.read(2) == record(2)


def test_head_hash_and_journal_next_are_of_the_newest_record_now_and_after_a_boot(device):
    records = opened(device)
    for n in range(8):
        records.append(record(n), n * 3)
        for log in (records, opened(device)):
            assert log.head_hash == hashlib.sha256(record(n)).digest()
            assert (log.head_seq, log.journal_next) == (n, n * 3)


def test_the_head_is_found_when_the_newest_sector_holds_only_marks(device):
    from tag.store.ringlog import RingFull

    records = opened(device)
    with pytest.raises(RingFull):
        while True:
            records.append(record(3), 11)
    head = records.head_seq
    for seq in range(head + 1):
        records.acknowledge(seq)
    again = opened(device)
    assert (again.head_seq, again.acknowledged) == (head, head)
    assert again.head_hash == records.head_hash
    assert again.journal_next == 11


def test_after_a_format_nothing_of_the_old_head_is_left(device):
    records = opened(device)
    records.append(record(0), 5)
    records._ring.format()
    records.open()
    assert (records.head_seq, records.head_hash, records.journal_next) == (-1, None, 0)


def test_acknowledged_is_durable_and_only_rises(device):
    records = opened(device)
    for n in range(6):
        records.append(record(n), 0)
    records.acknowledge(3)
    records.acknowledge(1)
    assert records.acknowledged == opened(device).acknowledged == 3


def test_a_receipt_beyond_the_head_is_refused(device):
    records = opened(device)
    records.append(record(0), 0)
    with pytest.raises(ValueError):
        records.acknowledge(1)


def test_acknowledged_records_stay_readable_until_their_place_is_needed(device):
    from tag.store.ringlog import RingFull

    records = opened(device)
    for n in range(10):
        records.append(record(n), 0)
    records.acknowledge(9)
    assert records.read(0) == record(0)
    with pytest.raises(RingFull):
        while True:
            records.append(record(100), 0)
    with pytest.raises(IndexError):
        records.read(0)
    assert records.first_seq <= 10


def test_a_cut_between_record_and_free_is_decided_by_the_record(device):
    from tag.store.recordlog import recover_pair

    journal, records = opened_journal(device), opened(device)
    for n in range(10):
        journal.append_sample(n, [n])
    records.append(record(0), 7)
    # The power fails here: journal.free(7) never ran.
    journal, records = opened_journal(device), opened(device)
    recover_pair(journal, records)
    assert [e.up_ms for e in journal.entries()] == [7, 8, 9]
    recover_pair(opened_journal(device), opened(device))
    assert opened_journal(device).freed == 7


def test_a_record_log_ahead_of_its_journal_is_an_error_not_a_loss(device):
    from tag.store.recordlog import recover_pair
    from tag.store.ringlog import RingError

    journal, records = opened_journal(device), opened(device)
    records.append(record(0), 5)
    with pytest.raises(RingError):
        recover_pair(journal, records)


def test_after_a_failed_append_the_same_record_can_be_appended_again(device):
    records = opened(device)
    records.append(record(0), 0)

    def fail_once(number, op):
        device.before_op = None
        return len(op[2]) // 2

    device.before_op = fail_once
    with pytest.raises(OSError):
        records.append(record(1), 9)
    assert records.head_seq == 0
    assert records.append(record(1), 9) == 1
    assert list(opened(device).records()) == [(0, record(0)), (1, record(1))]
