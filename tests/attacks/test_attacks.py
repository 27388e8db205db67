# SPDX-License-Identifier: MIT
"""Attacks on the firmware's own session that no other test shows; numbers as in README.md."""

import pytest

from sealwire import access, labels, protocol
from tests.fakes.access_parts import NOW_S, PlainVisitor, TagParts, make_ticket


@pytest.fixture
def tag():
    made = TagParts()
    made.set_clock()
    return made


def connected(tag, **changes):
    visitor = PlainVisitor(tag.session(), make_ticket(**changes))
    assert visitor.connect() == protocol.OK
    return visitor


def test_a2_a_command_of_one_session_is_nothing_in_another(tag):
    first = connected(tag)
    recorded = first.frame(protocol.STATUS)
    second = connected(tag)
    assert second.session.receive(recorded)[1] == protocol.BAD_MAC
    assert second.session.is_closed


def test_a2_commands_swapped_on_their_way_end_the_session(tag):
    visitor = connected(tag)
    earlier, later = visitor.frame(protocol.STATUS), visitor.frame(protocol.STATUS)
    assert visitor.session.receive(later)[0] == protocol.REPLY
    assert visitor.session.receive(earlier)[1] == protocol.BAD_COUNTER
    assert visitor.session.is_closed


def test_a3_a_tag_without_the_access_key_cannot_answer_a_hello(tag):
    visitor = PlainVisitor(tag.session())
    challenge = bytearray(visitor.hello())
    for bit in range(8 * len(challenge)):
        forged = bytearray(challenge)
        forged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(access.FormError):
            access.open_challenge(visitor.key, visitor.hello_bytes, bytes(forged))


def test_a5_a_ticket_of_another_tag_ends_at_the_door_and_writes_nothing(tag):
    other = access.Hmac(access.visit_key(bytes(32), 0))
    hello = access.pack_hello(other, bytes(16), access.pack_ticket(make_ticket()))
    before = tag.state.write_count
    answer = tag.session().receive(hello)
    assert (answer[0], answer[1]) == (protocol.REFUSE, protocol.DOOR)
    assert tag.state.write_count == before


def test_a7_what_a_lost_phone_did_stands_in_the_chain_under_its_number(tag):
    visitor = connected(tag, role=protocol.COURIER, tno=77, holder=bytes(range(16)))
    visitor.command(protocol.ATTEST, bytes(16))
    sessions = [what for code, what in tag.recorder.events if code == labels.EVENT_SESSION]
    assert [session[:3] for session in sessions] == [[77, bytes(range(8)), protocol.COURIER]]


def test_a9_a_tag_that_lost_its_clock_starts_no_trip_and_rolls_no_key():
    tag = TagParts()  # no clock was set: a power cycle
    visitor = connected(tag, role=protocol.SITE)
    assert visitor.command(protocol.TRIP, b"")[0] == protocol.CLOCK_UNSURE
    assert tag.clock.bounds_ms()[0] >= (NOW_S - 300) * 1000  # T6: the ticket's nbf


def test_a12_every_shortened_or_lengthened_frame_is_refused(tag):
    for size in range(1, 22):
        visitor = connected(tag)
        frame = visitor.frame(protocol.SYNC, bytes(6))
        cut = frame[:-size]
        answer = visitor.session.receive(cut) if cut else None
        assert answer is None or answer[0] == protocol.REFUSE
    visitor = connected(tag)
    longer = visitor.frame(protocol.STATUS) + b"\0"
    assert visitor.session.receive(longer)[1] == protocol.BAD_MAC


def test_a30_a_commitment_says_nothing_about_the_reference_without_its_salt():
    salts = (bytes(32), bytes(31) + b"\1")
    guesses = [b"PATIENT-%04d" % number for number in range(1000)]
    committed = access.coi_commitment(salts[0], guesses[7])
    assert committed not in {access.coi_commitment(salts[1], guess) for guess in guesses}
    assert committed not in {access.sha256(guess) for guess in guesses}
    for size in (0, 31, 33):
        with pytest.raises(ValueError, match="salt"):
            access.coi_commitment(bytes(size), guesses[0])


@pytest.mark.parametrize("command", [protocol.HELLO, protocol.PROOF])
def test_a38_a_handshake_inside_an_open_session_leaves_the_log_alone(tag, command):
    visitor = connected(tag)
    before = len(tag.recorder.events)
    for _ in range(100):
        visitor.session.receive(bytes((command,)) + bytes(16))
    assert len(tag.recorder.events) == before
