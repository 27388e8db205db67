# SPDX-License-Identifier: MIT
"""KEYS on the tag: which records come, how many at once, and for whom."""

import pytest

from sealwire import cbor, protocol
from tag.store.flashregion import RingError
from tests.fakes.access_parts import PlainVisitor, make_ticket
from tests.fakes.rolling_tag import RollingTag

END = protocol.KEYS_END


@pytest.fixture
def tag():
    return RollingTag()


def visitor_of(tag, **changes):
    visitor = PlainVisitor(tag.session(), make_ticket(**changes))
    assert visitor.connect() == protocol.OK
    return visitor


def asked(visitor, from_seq=0):
    """(held, next, records) of one KEYS."""
    code, content = visitor.command(protocol.KEYS, from_seq.to_bytes(4, "big"))
    assert code == protocol.OK
    held, following = (int.from_bytes(content[at : at + 4], "big") for at in (0, 4))
    records, offset = [], 8
    while offset < len(content):
        size = cbor.item_size(content, offset)
        records.append(content[offset : offset + size])
        offset += size
    return held, following, records


def all_keys(visitor, from_seq=0):
    found = []
    for _ in range(1000):
        _, following, records = asked(visitor, from_seq)
        found += records
        if following == END:
            return found
        assert following > from_seq
        from_seq = following
    raise AssertionError("no end")


def test_a_key_that_never_rolled_has_no_record(tag):
    tag.log(200)
    assert asked(visitor_of(tag)) == (0, END, [])


def test_all_key_records_come_whole_and_in_order(tag):
    made = []
    for distance in (0, 1, 5, 63, 64, 65, 300):
        tag.log(distance)
        made.append(tag.roll())
    assert all_keys(visitor_of(tag)) == made


def test_who_knows_the_newest_is_answered_without_a_read(tag):
    tag.log(10)
    tag.roll()
    visitor = visitor_of(tag)
    newest_seq = tag.records.head_seq
    tag.log(500)
    tag.records.records = None  # would raise
    assert asked(visitor, newest_seq + 1) == (newest_seq + 1, END, [])


def test_one_request_looks_at_a_bounded_number_of_records(tag):
    tag.log(1000)
    tag.roll()
    read = []
    genuine = tag.records.records

    def counting(from_seq=0):
        for seq, one in genuine(from_seq):
            read.append(seq)
            yield seq, one

    tag.records.records = counting
    visitor = visitor_of(tag)
    assert asked(visitor) == (0, protocol.KEYS_SCAN_MAX, [])
    assert len(read) <= protocol.KEYS_SCAN_MAX + 1


def test_an_answer_never_outgrows_a_message(tag):
    made = [tag.roll(k4=[1_795_000_000, 1, 2]) for _ in range(7)]
    visitor = visitor_of(tag)
    receive, sizes = visitor.session.receive, []

    def measured(message):
        answer = receive(message)
        sizes.append(len(answer))
        return answer

    visitor.session.receive = measured
    assert all_keys(visitor) == made
    assert max(sizes) <= protocol.MESSAGE_SIZE_MAX
    assert len(sizes) == 4  # two in each


def test_overwritten_records_are_told(tag):
    tag.roll()
    tag.log(100)
    kept = tag.roll()
    tag.overwrite(50)
    visitor = visitor_of(tag)
    assert asked(visitor, 3) == (50, END, [kept])
    assert asked(visitor, 60) == (60, END, [kept])


def test_a_newest_key_record_that_is_gone_leaves_a_gap_and_nothing(tag):
    tag.roll()
    tag.log(100)
    tag.overwrite(50)
    assert asked(visitor_of(tag)) == (50, END, [])


def test_a_damaged_record_is_passed_over(tag):
    tag.log(20)
    kept = tag.roll()
    genuine = tag.records.records

    def damaged(from_seq=0):
        for seq, one in genuine(from_seq):
            if seq == 5:
                raise RingError("corrupt", 5)
            yield seq, one

    tag.records.records = damaged
    visitor = visitor_of(tag)
    assert asked(visitor) == (0, 6, [])
    assert all_keys(visitor) == [kept]


@pytest.mark.parametrize("args", [b"", bytes(3), bytes(5)])
def test_arguments_of_another_length_are_refused(tag, args):
    assert visitor_of(tag).command(protocol.KEYS, args) == (protocol.BAD_FORM, b"")


def test_a_ticket_without_sync_gets_no_keys(tag):
    tag.roll()
    visitor = visitor_of(tag, scope=protocol.SCOPE_HANDOVER)
    assert visitor.command(protocol.KEYS, bytes(4)) == (protocol.NO_SCOPE, b"")


@pytest.mark.parametrize("role", [protocol.VIEWER, protocol.COURIER, protocol.SITE, protocol.QA])
def test_every_role_may_ask(tag, role):
    made = tag.roll()
    assert all_keys(visitor_of(tag, role=role)) == [made]


def test_a_ticket_for_one_trip_gets_the_keys_of_earlier_ones_and_no_other_record(tag):
    tag.log(10)
    made = tag.roll()
    tag.log(10)
    tag.trip.start(cbor.encode({1: 7, 2: bytes(32), 3: b""}))
    visitor = visitor_of(tag, role=protocol.COURIER, trip=7)
    assert tag.trip.from_seq > 12
    assert all_keys(visitor) == [made]
    sync = visitor.command(protocol.SYNC, bytes(4) + b"\0\x08")
    assert sync[0] == protocol.NO_SCOPE


def test_a_nearly_full_log_and_a_lost_key_still_answer(tag):
    made = tag.roll()
    tag.recorder.is_tight = True
    tag.key_roll.is_lost = True
    assert all_keys(visitor_of(tag)) == [made]


def test_behind_the_newest_key_record_nothing_is_read(tag):
    made = tag.roll()
    tag.log(30)
    read = []
    genuine = tag.records.records

    def counting(from_seq=0):
        for seq, one in genuine(from_seq):
            read.append(seq)
            yield seq, one

    tag.records.records = counting
    assert asked(visitor_of(tag)) == (0, END, [made])
    assert max(read) <= tag.key_roll.epoch_seq + 1
