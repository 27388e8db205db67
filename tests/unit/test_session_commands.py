# SPDX-License-Identifier: MIT
"""What an admitted visitor can do, and what happens to one who misbehaves."""

import hashlib

import pytest

from sealwire import cbor, labels, profile, protocol, statement
from tests.fakes.access_parts import (
    NOW_S,
    Person,
    PlainVisitor,
    TagParts,
    make_ticket,
)

RULES = profile.encode(profile.build("LN2 dry shipper", 300, [[1, 0, 0, -15000, 0, 500]]))


def trip_args(number=7, commitment=bytes(32), rules=RULES):
    return cbor.encode({1: number, 2: commitment, 3: rules})


def sync_args(first_seq=0, credit=64):
    return first_seq.to_bytes(4, "big") + credit.to_bytes(2, "big")


@pytest.fixture
def tag():
    parts = TagParts()
    parts.set_clock()
    return parts


@pytest.fixture
def visitor(tag):
    made = PlainVisitor(tag.session())
    assert made.connect() == protocol.OK
    return made


def test_status_answers_the_head_and_leaves_no_trace(tag, visitor):
    assert visitor.command(protocol.STATUS) == (protocol.OK, bytes(4))
    assert visitor.command(protocol.BYE) == (protocol.OK, b"")
    assert tag.event_codes() == [labels.EVENT_BOOT]


def test_a_session_that_does_something_is_itemised_once(tag):
    holder = bytes(range(16))
    visitor = PlainVisitor(tag.session(), make_ticket(holder))
    visitor.connect()
    visitor.command(protocol.ATTEST, bytes(16))
    visitor.command(protocol.ATTEST, bytes(16))
    sessions = [content for code, content in tag.recorder.events if code == labels.EVENT_SESSION]
    assert sessions == [[2, holder[:8], protocol.SITE, 1]]


def test_a_sync_seals_the_open_block_and_streams_every_record(tag, visitor):
    code, content = visitor.command(protocol.SYNC, sync_args())
    assert code == protocol.OK
    assert visitor.stream() == b"".join(tag.records.all)
    assert content[:4] == (len(tag.records.all) - 1).to_bytes(4, "big")
    assert content[4:] == hashlib.sha256(tag.records.all[-1]).digest()
    assert tag.recorder.unsealed == []


def test_asking_again_for_what_is_there_seals_nothing_more(tag, visitor):
    visitor.command(protocol.SYNC, sync_args())
    tag.recorder.note_event(labels.EVENT_LID_OPEN)
    count = len(tag.records.all)
    visitor.command(protocol.SYNC, sync_args())
    assert len(tag.records.all) == count


def test_who_holds_everything_is_given_the_open_block(tag, visitor):
    visitor.command(protocol.SYNC, sync_args())
    tag.recorder.note_event(labels.EVENT_LID_OPEN)
    count = len(tag.records.all)
    visitor.command(protocol.SYNC, sync_args(count))
    assert visitor.stream()
    assert len(tag.records.all) == count + 1


def test_a_record_that_is_gone_is_bad_state_and_names_the_first_that_is_held(tag):
    for _ in range(5):
        tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    tag.records.first_seq = 3
    visitor = PlainVisitor(tag.session())
    visitor.connect()
    answer = visitor.command(protocol.SYNC, sync_args())
    assert answer == (protocol.BAD_STATE, b"\0\0\0\x03")
    assert visitor.command(protocol.SYNC, sync_args(3))[0] == protocol.OK


def test_a_record_that_goes_while_it_is_sent_ends_the_stream_and_not_the_session(tag, visitor):
    for _ in range(5):
        tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    visitor.command(protocol.SYNC, sync_args())
    assert visitor.session.next_bulk(20) is not None
    tag.records.first_seq = 4
    while visitor.session.next_bulk(20) is not None:
        pass
    assert visitor.command(protocol.SYNC, sync_args()) == (
        protocol.BAD_STATE,
        b"\0\0\0\x04",
    )


# ---- a log that is nearly full

STATEMENT = bytes(40)
FULL_ARGS = {
    protocol.SYNC: sync_args(),
    protocol.ACK: sync_args(),
    protocol.ATTEST: bytes(16),
    protocol.TRIP: trip_args(),
}


@pytest.mark.parametrize("op", sorted(protocol.OP_SCOPE))
def test_above_95_percent_every_command_answers_full_but_those_of_the_table(tag, op):
    visitor = PlainVisitor(tag.session(), make_ticket(role=protocol.SERVICE))
    visitor.connect()
    args = FULL_ARGS.get(op, STATEMENT)
    before = visitor.command(op, args)
    assert before is None or before[0] != protocol.FULL
    tag.recorder.is_tight = True
    visitor = PlainVisitor(tag.session(), make_ticket(role=protocol.SERVICE))
    assert visitor.connect() == protocol.OK
    count = len(tag.recorder.events)
    answer = visitor.command(op, args)
    if op in protocol.WORKS_WHEN_FULL:
        assert answer is None or answer[0] != protocol.FULL
    else:
        assert answer == (protocol.FULL, b"")
        assert len(tag.recorder.events) == count


def test_what_a_full_log_refuses_is_what_writes_without_being_custody_or_a_receipt():
    refused = set(protocol.OP_SCOPE) - set(protocol.WORKS_WHEN_FULL)
    assert refused == {
        protocol.CHECKPOINT,
        protocol.TIME_TOKEN,
        protocol.TIME_CLAIM,
        protocol.TRIP,
        protocol.CONFIG,
        protocol.ALARM_ACK,
    }


def test_a_visit_to_a_nearly_full_log_has_no_event_but_is_counted_once(tag):
    tag.recorder.is_tight = True
    visitor = PlainVisitor(tag.session())
    visitor.connect()
    visitor.command(protocol.STATUS)
    assert tag.recorder.session_count == 0
    visitor.command(protocol.ATTEST, bytes(16))
    visitor.command(protocol.ATTEST, bytes(16))
    assert tag.recorder.session_count == 1
    assert tag.event_codes() == [labels.EVENT_BOOT]


def test_a_trip_that_was_started_is_confirmed_again_though_the_log_is_nearly_full(tag, visitor):
    assert visitor.command(protocol.TRIP, trip_args())[0] == protocol.OK
    tag.recorder.is_tight = True
    assert visitor.command(protocol.TRIP, trip_args())[0] == protocol.OK
    assert visitor.command(protocol.TRIP_END)[0] == protocol.OK


@pytest.mark.parametrize("is_alarm", [False, True])
@pytest.mark.parametrize(("fill", "is_filling"), [(799, False), (800, True)])
@pytest.mark.parametrize("is_refusing", [False, True])
@pytest.mark.parametrize("is_lost", [False, True])
def test_ready_says_alarm_fill_refusals_and_a_lost_key(
    tag, is_alarm, fill, is_filling, is_refusing, is_lost
):
    class Condition:
        is_alarmed = is_alarm

    tag.recorder.fill_permille, tag.recorder.is_refusing = fill, is_refusing
    session = tag.session()
    session._handshake._condition = Condition
    session._key_roll.is_lost = is_lost
    visitor = PlainVisitor(session)
    assert visitor.connect() == protocol.OK
    ready = visitor.ready
    assert ready.is_sure and ready.is_alarm == is_alarm
    assert (ready.is_filling, ready.is_refusing) == (is_filling, is_refusing)
    assert ready.is_key_lost == is_lost


def test_the_stream_waits_for_credit_and_an_ack_gives_it_without_an_answer(tag, visitor):
    for _ in range(5):
        tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    visitor.command(protocol.SYNC, sync_args(0, 2))
    assert visitor.stream() == b"".join(tag.records.all[:2])
    assert visitor.command(protocol.ACK, sync_args(2, 2)) is None
    assert visitor.stream() == b"".join(tag.records.all[2:4])


def test_bulk_frame_numbers_go_on_over_a_second_sync(tag, visitor):
    visitor.command(protocol.SYNC, sync_args())
    first = visitor.session.next_bulk(244)
    visitor.command(protocol.SYNC, sync_args())
    again = visitor.session.next_bulk(244)
    assert first[:4] == b"\x12\x00\x00\x00" and again[:4] == b"\x12\x00\x00\x01"
    assert first[4:] != again[4:]


@pytest.mark.parametrize("args", [b"", bytes(5), bytes(7)])
@pytest.mark.parametrize("op", [protocol.SYNC, protocol.ATTEST])
def test_arguments_of_the_wrong_length_are_refused_and_the_session_goes_on(visitor, op, args):
    assert visitor.command(op, args) == (protocol.BAD_FORM, b"")
    assert visitor.command(protocol.STATUS)[0] == protocol.OK


def test_a_malformed_ack_has_no_answer_and_does_no_harm(visitor):
    assert visitor.command(protocol.ACK, b"\x00") is None
    assert visitor.command(protocol.STATUS)[0] == protocol.OK


def test_an_attestation_carries_the_nonce_and_the_head(tag, visitor):
    nonce = bytes(range(16))
    code, signed = visitor.command(protocol.ATTEST, nonce)
    kind, fields, *_ = statement.parse_statement(signed)
    assert (code, kind, fields[4]) == (protocol.OK, labels.STATEMENT_ATTEST, nonce)
    assert (fields[2], fields[3]) == tag.recorder.head()


# ---- scope, clock, order of commands


@pytest.mark.parametrize("op", sorted(protocol.OP_SCOPE))
def test_every_command_stays_behind_its_scope(tag, op):
    if protocol.OP_SCOPE[op] == 0 or op == protocol.ACK:
        return
    scope = protocol.SCOPE_ALL & ~protocol.OP_SCOPE[op]
    ticket = make_ticket(role=protocol.SERVICE, scope=scope)
    visitor = PlainVisitor(tag.session(), ticket)
    visitor.connect()
    assert visitor.command(op) == (protocol.NO_SCOPE, b"")


LATER = [
    protocol.CHECKPOINT,
    protocol.TIME_NONCE,
    protocol.TIME_TOKEN,
    protocol.TIME_CLAIM,
    protocol.RECEIPT,
    protocol.SERVICE_CERT,
    protocol.CONFIG,
    protocol.ORDER,
    protocol.ALARM_ACK,
]


@pytest.mark.parametrize("op", [*LATER, 0, 21, 24, 255])
def test_what_belongs_to_later_versions_is_bad_state(tag, op):
    ticket = make_ticket(role=protocol.SERVICE, exp=protocol.NO_EXPIRY)
    visitor = PlainVisitor(tag.session(), ticket)
    visitor.connect()
    assert visitor.command(op) == (protocol.BAD_STATE, b"")


@pytest.mark.parametrize("op", protocol.NEEDS_SURE_CLOCK)
def test_what_needs_a_sure_clock_says_so(op):
    tag = TagParts()
    ticket = make_ticket(role=protocol.SERVICE, exp=NOW_S + 9)
    visitor = PlainVisitor(tag.session(), ticket)
    visitor.connect()
    assert visitor.command(op, trip_args()) == (protocol.CLOCK_UNSURE, b"")


def test_an_unsure_clock_still_reads_attests_and_hands_over():
    tag = TagParts()
    person = Person()
    visitor = PlainVisitor(tag.session(), make_ticket(person.holder))
    visitor.connect()
    assert visitor.command(protocol.SYNC, sync_args())[0] == protocol.OK
    assert visitor.command(protocol.ATTEST, bytes(16))[0] == protocol.OK
    assert visitor.command(protocol.OFFER, person.custody(20, tag))[0] == protocol.OK
    sessions = [content for code, content in tag.recorder.events if code == labels.EVENT_SESSION]
    assert sessions[0][3] == 0


def test_a_ticket_that_expires_during_its_session_ends_it(tag, visitor):
    tag.uptime.advance(2 * 86_400_000)
    assert visitor.command(protocol.STATUS) == (protocol.EXPIRED, b"")
    assert visitor.session.is_closed


# ---- frames


def test_a_wrong_mac_closes_the_session_and_counts_against_the_ticket(tag, visitor):
    frame = bytearray(visitor.frame(protocol.STATUS))
    frame[-1] ^= 1
    assert visitor.session.receive(bytes(frame)) == bytes([0x0F, protocol.BAD_MAC, 0, 0])
    assert visitor.session.is_closed
    for _ in range(4):
        tag.admission.note_failure(2)
    assert tag.admission.locks.wait_s(2) > 0


def test_a_repeated_command_closes_the_session(visitor):
    frame = visitor.frame(protocol.STATUS)
    visitor.session.receive(frame)
    assert visitor.session.receive(frame)[1] == protocol.BAD_COUNTER
    assert visitor.session.is_closed


def test_a_gap_in_the_command_numbers_is_allowed(visitor):
    visitor.number += 100
    assert visitor.command(protocol.STATUS)[0] == protocol.OK


def test_a_command_before_the_handshake_is_refused(tag):
    assert tag.session().receive(bytes([protocol.COMMAND]) + bytes(20))[1] == protocol.BAD_STATE


def test_nothing_is_streamed_after_the_session_is_closed(tag, visitor):
    visitor.command(protocol.SYNC, sync_args())
    visitor.command(protocol.BYE)
    assert visitor.session.next_bulk(244) is None


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x99", b"\x02" + bytes(33), b"\x11\x00"])
def test_any_other_message_is_bad_form(tag, message):
    assert tag.session().receive(message)[1] == protocol.BAD_FORM


# ---- trips


def test_a_trip_starts_in_a_record_of_its_own_and_ends(tag, visitor):
    assert visitor.command(protocol.TRIP, trip_args()) == (protocol.OK, b"")
    assert tag.trip.is_open and tag.trip.number == 7
    assert (labels.EVENT_TRIP, trip_args()) in tag.recorder.events
    assert visitor.command(protocol.TRIP_END) == (protocol.OK, b"")
    assert not tag.trip.is_open


def test_a_repeated_trip_command_is_answered_again_and_done_once(tag, visitor):
    visitor.command(protocol.TRIP, trip_args())
    assert visitor.command(protocol.TRIP, trip_args()) == (protocol.OK, b"")
    assert tag.event_codes().count(labels.EVENT_TRIP) == 1


def test_trip_numbers_only_rise(tag, visitor):
    visitor.command(protocol.TRIP, trip_args(7))
    visitor.command(protocol.TRIP_END)
    for number in (6, 7):
        assert visitor.command(protocol.TRIP, trip_args(number)) == (protocol.BAD_STATE, b"")
    assert visitor.command(protocol.TRIP, trip_args(8))[0] == protocol.OK


def test_a_trip_starts_only_when_none_is_open(tag, visitor):
    visitor.command(protocol.TRIP, trip_args(7))
    assert visitor.command(protocol.TRIP, trip_args(8)) == (protocol.BAD_STATE, b"")


@pytest.mark.parametrize(
    "args",
    [
        b"",
        b"\xff",
        cbor.encode([1, 2, 3]),
        cbor.encode({1: 7, 2: bytes(32)}),
        cbor.encode({1: 7, 2: bytes(32), 3: RULES, 4: 1}),
        cbor.encode({1: 0, 2: bytes(32), 3: RULES}),
        cbor.encode({1: -1, 2: bytes(32), 3: RULES}),
        cbor.encode({1: 1 << 32, 2: bytes(32), 3: RULES}),
        cbor.encode({1: b"7", 2: bytes(32), 3: RULES}),
        cbor.encode({1: 7, 2: bytes(31), 3: RULES}),
        cbor.encode({1: 7, 2: "x" * 32, 3: RULES}),
        cbor.encode({1: 7, 2: bytes(32), 3: b""}),
        cbor.encode({1: 7, 2: bytes(32), 3: "rules"}),
        trip_args() + b"\x00",
    ],
)
def test_a_malformed_trip_is_refused_and_starts_nothing(tag, visitor, args):
    assert visitor.command(protocol.TRIP, args) == (protocol.BAD_FORM, b"")
    assert tag.trip.number == 0


def test_ending_a_trip_needs_no_sure_clock_but_a_trip(tag, visitor):
    assert visitor.command(protocol.TRIP_END) == (protocol.BAD_STATE, b"")
    visitor.command(protocol.TRIP, trip_args())
    again = tag.reboot()  # the upper bound is lost
    second = PlainVisitor(again.session())
    second.connect()
    assert not second.ready.is_sure
    assert second.command(protocol.TRIP_END)[0] == protocol.OK


def test_a_courier_of_the_trip_reads_its_records_only(tag, visitor):
    tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    visitor.command(protocol.TRIP, trip_args(7))
    courier = PlainVisitor(tag.session(), make_ticket(role=protocol.COURIER, tno=3, trip=7))
    assert courier.connect() == protocol.OK
    assert courier.ready.trip == 7
    first = tag.trip.from_seq.to_bytes(4, "big")
    assert courier.command(protocol.SYNC, sync_args(0)) == (protocol.NO_SCOPE, first)
    assert courier.command(protocol.SYNC, sync_args(tag.trip.from_seq))[0] == protocol.OK
    assert courier.stream() == b"".join(tag.records.all[tag.trip.from_seq :])


def test_the_trips_end_ends_its_couriers_session_too(tag, visitor):
    visitor.command(protocol.TRIP, trip_args(7))
    courier = PlainVisitor(tag.session(), make_ticket(role=protocol.COURIER, tno=3, trip=7))
    courier.connect()
    visitor.command(protocol.TRIP_END)
    assert courier.command(protocol.STATUS) == (protocol.WRONG_TRIP, b"")
    assert courier.session.is_closed
