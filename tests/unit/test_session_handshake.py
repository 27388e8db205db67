# SPDX-License-Identifier: MIT
"""Who the tag lets in, and what a stranger learns (rules T1 to T6 and T10)."""

import os

import pytest

from sealwire import access, labels, protocol
from tag.store import statestore
from tests.fakes.access_parts import (
    NOW_S,
    FakeState,
    PlainVisitor,
    TagParts,
    make_ticket,
)

DAY_S = 86_400


@pytest.fixture
def tag():
    parts = TagParts()
    parts.set_clock()
    return parts


def connect(tag, **changes):
    return PlainVisitor(tag.session(), make_ticket(**changes)).connect()


def test_a_good_ticket_opens_a_session_and_sees_the_head(tag):
    visitor = PlainVisitor(tag.session())
    assert visitor.connect() == protocol.OK
    assert (visitor.ready.head_seq, visitor.ready.head_hash) == tag.recorder.head()
    assert visitor.ready.is_sure


def test_scope_is_the_ticket_and_the_role_table(tag):
    visitor = PlainVisitor(tag.session(), make_ticket(role=protocol.VIEWER))
    visitor.connect()
    assert visitor.ready.scope == protocol.SCOPE_SYNC | protocol.SCOPE_CARRY
    narrow = PlainVisitor(tag.session(), make_ticket(scope=protocol.SCOPE_SYNC))
    narrow.connect()
    assert narrow.ready.scope == protocol.SCOPE_SYNC


def test_a_stranger_learns_door_refused_and_nothing_is_written(tag):
    writes = tag.state.write_count
    visitor = PlainVisitor(tag.session(), floor=7)
    assert visitor.hello() == bytes([protocol.REFUSE, protocol.DOOR, 0, 0])
    assert tag.state.write_count == writes
    assert tag.event_codes() == [labels.EVENT_BOOT]


def test_three_bad_doors_end_the_link(tag):
    session = tag.session()
    visitor = PlainVisitor(session, floor=7)
    for _ in range(2):
        visitor.hello()
        assert not session.is_closed
    visitor.hello()
    assert session.is_closed


@pytest.mark.parametrize("size", [0, 1, 131, 133, 512])
def test_a_hello_of_another_length_is_refused_before_any_key_is_used(tag, size):
    message = (bytes([protocol.HELLO, 1]) + bytes(510))[:size]
    assert tag.session().receive(message)[:2] == bytes([protocol.REFUSE, protocol.BAD_FORM])


def test_another_version_is_refused(tag):
    visitor = PlainVisitor(tag.session())
    hello = access.pack_hello(visitor.visit, bytes(16), visitor.ticket)
    answer = tag.session().receive(hello[:1] + b"\x02" + hello[2:])
    assert answer[1] == protocol.BAD_VERSION


@pytest.mark.parametrize("bit", range(0, 44 * 8, 4))
def test_a_ticket_edited_by_its_holder_opens_nothing(tag, bit):
    ticket = bytearray(access.pack_ticket(make_ticket()))
    ticket[bit // 8] ^= 1 << bit % 8
    visitor = PlainVisitor(tag.session(), bytes(ticket), floor=0)
    visitor.key = access.ticket_key(bytes(range(32)), access.pack_ticket(make_ticket()))
    answer = visitor.hello()
    if answer[0] == protocol.REFUSE:
        assert answer[1] == protocol.BAD_FORM
        return
    with pytest.raises(access.FormError):
        access.open_challenge(visitor.key, visitor.hello_bytes, answer)


@pytest.mark.parametrize(
    "ticket",
    [
        make_ticket(scope=1 << 10),
        make_ticket(scope=1 << 11),
        make_ticket(scope=1 << 12),
        make_ticket(role=6),
        make_ticket(role=0),
    ],
)
def test_a_ticket_with_an_unknown_role_or_a_reserved_scope_is_refused(tag, ticket):
    visitor = PlainVisitor(tag.session(), access.pack_ticket(ticket), floor=0)
    assert visitor.connect() == protocol.BAD_FORM


def test_a_delegation_block_is_refused(tag):
    visitor = PlainVisitor(tag.session())
    inner = bytes([44, 28]) + visitor.ticket + bytes(28)
    inner += bytes(protocol.INNER_SIZE - len(inner))
    assert tag.session().receive(hello_with(visitor, inner))[1] == protocol.BAD_FORM


def hello_with(visitor, inner):
    """A HELLO with a good door around any 106 bytes."""
    message = bytes([1, 1]) + bytes(16) + access._mask(visitor.visit, bytes(16), inner)
    return message + visitor.visit.digest(access.label("door"), message)[:8]


def test_anything_behind_the_ticket_is_refused(tag):
    visitor = PlainVisitor(tag.session())
    inner = bytes([44, 0]) + visitor.ticket + bytes(59) + b"\x01"
    assert tag.session().receive(hello_with(visitor, inner))[1] == protocol.BAD_FORM


@pytest.mark.parametrize(("offset", "value"), [(0, 2), (38, 1), (38, 9), (39, 1)])
def test_a_ticket_of_another_form_is_refused(tag, offset, value):
    ticket = bytearray(access.pack_ticket(make_ticket()))
    ticket[offset] = value
    assert PlainVisitor(tag.session(), bytes(ticket), 0).hello()[1] == protocol.BAD_FORM


def test_macs_of_different_lengths_are_never_equal():
    assert not access.is_equal(b"", b"a")
    assert not access.is_equal(b"ab", b"a")
    assert access.is_equal(b"ab", b"ab")


def test_a_recorded_handshake_opens_nothing(tag):
    visitor = PlainVisitor(tag.session())
    visitor.connect()
    proof = access.pack_proof(visitor.keys)
    again = tag.session()
    again.receive(visitor.hello_bytes)
    assert again.receive(proof)[1] == protocol.BAD_PROOF


def test_a_challenge_takes_one_proof_only(tag):
    session = tag.session()
    visitor = PlainVisitor(session)
    challenge = visitor.hello()
    keys = access.open_challenge(visitor.key, visitor.hello_bytes, challenge)
    assert session.receive(b"\x03" + bytes(16))[1] == protocol.BAD_PROOF
    assert session.receive(access.pack_proof(keys))[1] == protocol.BAD_FORM


def test_the_tags_proof_reflected_is_no_visitors_proof(tag):
    session = tag.session()
    challenge = PlainVisitor(session).hello()
    assert session.receive(b"\x03" + challenge[18:])[1] == protocol.BAD_PROOF


def test_fifty_challenges_of_a_dead_random_source_differ_over_reboots():
    state, records = FakeState(), None
    nonces = set()
    for boot in range(1, 6):
        tag = TagParts(state, records, boot, stuck=True)
        records = tag.records
        nonces |= {PlainVisitor(tag.session()).hello()[2:18] for _ in range(10)}
    assert len(nonces) == 50


def test_a_failed_random_source_stops_no_session(tag):
    from tag.keys.entropy import EntropyError

    class Dead:
        def random(self, size):
            raise EntropyError("repetition")

    tag.entropy = Dead()
    assert connect(tag) == protocol.OK


# ---- revocation, trip, clock


def test_a_newer_ticket_revokes_an_older_one_without_a_message_of_its_own(tag):
    assert connect(tag, tno=5) == protocol.OK
    assert connect(tag, tno=9, rev=1, revoked=(5,)) == protocol.OK
    assert connect(tag, tno=5) == protocol.REVOKED
    assert connect(tag, tno=9, rev=1, revoked=(5,)) == protocol.OK
    assert (labels.EVENT_REVOCATION, [1, 0, [5]]) in tag.recorder.events


def test_a_ticket_that_revokes_itself_is_revoked(tag):
    assert connect(tag, tno=5, rev=1, revoked=(5,)) == protocol.REVOKED


def test_revocation_survives_a_reboot(tag):
    connect(tag, tno=9, rev=1, revoked=(5,))
    again = tag.reboot()
    again.set_clock()
    assert connect(again, tno=5) == protocol.REVOKED


def test_an_expired_ticket_still_brings_its_revocations(tag):
    assert connect(tag, tno=9, rev=1, revoked=(5,), exp=NOW_S - DAY_S) == protocol.EXPIRED
    assert connect(tag, tno=5) == protocol.REVOKED


def test_a_revoked_ticket_brings_nothing(tag):
    connect(tag, tno=9, rev=1, revoked=(5,))
    assert connect(tag, tno=5, rev=8, revoked=(9,)) == protocol.REVOKED
    assert tag.admission.rev == 1


def test_revocation_state_never_falls(tag):
    connect(tag, tno=9, rev=3, revoked=(5,))
    connect(tag, tno=8, rev=2, revoked=())
    assert tag.admission.revoked == (5,)


def test_a_raised_floor_shuts_every_older_ticket_out_at_the_door(tag):
    new = PlainVisitor(tag.session(), make_ticket(tno=20, rev=1, floor=10), floor=0)
    assert new.connect() == protocol.OK
    assert connect(tag, tno=5) == protocol.DOOR
    old = PlainVisitor(tag.session(), make_ticket(tno=5), floor=10)
    assert old.connect() == protocol.REVOKED


def test_a_newer_state_with_a_lower_floor_is_not_taken(tag):
    PlainVisitor(tag.session(), make_ticket(tno=20, rev=1, floor=10), floor=0).connect()
    mixed = PlainVisitor(tag.session(), make_ticket(tno=21, rev=2, floor=0), floor=10)
    assert mixed.connect() == protocol.OK
    assert (tag.admission.rev, tag.admission.floor) == (1, 10)


def test_a_wrong_proof_brings_no_revocation(tag):
    visitor = PlainVisitor(tag.session(), make_ticket(rev=9, revoked=(1,)))
    visitor.hello()
    visitor.session.receive(b"\x03" + bytes(16))
    assert tag.admission.rev == 0


def test_a_ticket_of_another_trip_is_refused(tag):
    assert connect(tag, trip=4711) == protocol.WRONG_TRIP


def test_expiry_holds_with_a_sure_clock_and_at_the_exact_second(tag):
    lo_s = tag.clock.bounds_ms()[0] // 1000
    assert connect(tag, exp=lo_s - 1) == protocol.EXPIRED
    assert connect(tag, exp=lo_s + 1) == protocol.OK


def test_a_ticket_from_the_future_is_refused_when_the_clock_is_bounded(tag):
    assert connect(tag, nbf=NOW_S + DAY_S, exp=NOW_S + 2 * DAY_S) == protocol.NOT_YET


def test_without_an_upper_bound_the_session_is_unsure_and_nbf_moves_the_lower_bound():
    tag = TagParts()
    visitor = PlainVisitor(tag.session())
    assert visitor.connect() == protocol.OK
    assert not visitor.ready.is_sure
    assert tag.clock.bounds_ms()[0] == (NOW_S - 300) * 1000


def test_a_service_ticket_without_expiry_is_always_sure():
    tag = TagParts()
    ticket = make_ticket(role=protocol.SERVICE, exp=protocol.NO_EXPIRY)
    visitor = PlainVisitor(tag.session(), ticket)
    visitor.connect()
    assert visitor.ready.is_sure


def test_a_tag_without_an_access_key_refuses_everybody():
    state = FakeState()
    state.put(statestore.ACCESS_KEY, b"")
    tag = TagParts(state)
    assert PlainVisitor(tag.session()).hello()[1] == protocol.BAD_STATE


# ---- locks


def fail(tag, count=1, tno=2):
    for _ in range(count):
        session = tag.session()
        answer = PlainVisitor(session, make_ticket(tno=tno)).hello()
        if answer[0] == protocol.REFUSE:
            return answer
        answer = session.receive(b"\x03" + os.urandom(16))
    return answer


def test_five_wrong_proofs_lock_that_ticket_and_no_other(tag):
    assert fail(tag, 5)[1] == protocol.BAD_PROOF
    answer = fail(tag)
    assert answer[1] == protocol.LOCKED
    assert int.from_bytes(answer[2:], "big") == 30
    assert connect(tag, tno=3) == protocol.OK
    assert (labels.EVENT_LOCK, [2]) in tag.recorder.events


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(tag):
    fail(tag, 5)
    waits = []
    for _ in range(7):
        wait_s = tag.admission.locks.wait_s(2)
        waits.append(wait_s)
        tag.uptime.advance(wait_s * 1000)
        fail(tag)
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_a_lock_survives_a_reboot_and_its_wait_starts_again(tag):
    fail(tag, 5)
    tag.uptime.advance(29_000)
    again = tag.reboot()
    assert again.admission.locks.wait_s(2) == 30


def test_a_good_proof_forgets_the_failures(tag):
    fail(tag, 4)
    assert connect(tag) == protocol.OK
    fail(tag, 4)
    assert connect(tag) == protocol.OK


def test_a_thousand_bad_doors_lock_nobody(tag):
    for _ in range(1000):
        PlainVisitor(tag.session(), floor=9).hello()
    assert connect(tag) == protocol.OK


def test_failures_cost_a_bounded_number_of_flash_writes(tag):
    writes = tag.state.write_count
    for _ in range(400):
        tag.uptime.advance(60_000)
        fail(tag, 1, tno=2)
        fail(tag, 1, tno=3)
    minutes = 400
    assert tag.state.write_count - writes <= 16 + minutes * 60 // 2_700 + 1


def test_a_lock_holds_though_the_flash_budget_is_spent(tag):
    for tno in range(10, 40):
        fail(tag, 1, tno)
    fail(tag, 5)
    assert fail(tag)[1] == protocol.LOCKED


def test_eight_rows_are_kept_and_the_least_guilty_makes_room(tag):
    fail(tag, 5)
    for tno in range(10, 30):
        fail(tag, 1, tno)
    assert fail(tag)[1] == protocol.LOCKED
    assert len(tag.state.get(statestore.LOCKS)) == 8 * 5
