# SPDX-License-Identifier: MIT
"""Offer and accept at the tag: every test of rule H2, and the letter box."""

import pytest

from sealwire import access, cbor, labels, protocol
from tests.fakes.access_parts import Person, PlainVisitor, TagParts, make_ticket, verify

OFFER, ACCEPT = labels.STATEMENT_OFFER, labels.STATEMENT_ACCEPT


class Dock:
    """A tag, a giver and a receiver, each with a session."""

    def __init__(self):
        self.tag = TagParts(verify=verify)
        self.tag.set_clock()
        self.giver, self.receiver = Person(), Person()
        self.by_giver = self.visit(self.giver, 2)
        self.by_receiver = self.visit(self.receiver, 3)

    def visit(self, person, tno):
        ticket = make_ticket(person.holder, tno=tno, role=protocol.COURIER)
        visitor = PlainVisitor(self.tag.session(), ticket)
        assert visitor.connect() == protocol.OK
        return visitor

    def offer(self, **changes):
        signed = self.giver.custody(OFFER, self.tag, **changes)
        return signed, self.by_giver.command(protocol.OFFER, signed)

    def accept(self, **changes):
        signed = self.receiver.custody(ACCEPT, self.tag, **changes)
        return self.by_receiver.command(protocol.ACCEPT, signed)


@pytest.fixture
def dock():
    return Dock()


def test_offer_and_accept_are_sealed_at_once_with_who_and_what(dock):
    signed, (code, content) = dock.offer()
    assert code == protocol.OK
    assert int.from_bytes(content, "big") == dock.tag.records.head_seq
    event = cbor.encode([2, dock.giver.holder[:8], signed])
    assert (labels.EVENT_OFFER, event) in dock.tag.recorder.events
    assert dock.accept(k13=access.sha256(signed))[0] == protocol.OK
    assert labels.EVENT_ACCEPT in dock.tag.event_codes()


def test_the_tag_is_the_letter_box(dock):
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.BAD_STATE, b"")
    signed, _ = dock.offer()
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.OK, signed)
    dock.accept(k13=access.sha256(signed))
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.BAD_STATE, b"")


def test_an_offer_waits_through_a_reboot(dock):
    signed, _ = dock.offer()
    dock.tag = dock.tag.reboot()
    dock.by_receiver = dock.visit(dock.receiver, 3)
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.OK, signed)


@pytest.mark.parametrize("kind", ["offer", "accept"])
def test_a_repeated_statement_is_answered_again_and_sealed_once(dock, kind):
    signed, first = dock.offer()
    if kind == "accept":
        accepted = dock.receiver.custody(ACCEPT, dock.tag, k13=access.sha256(signed))
        first = dock.by_receiver.command(protocol.ACCEPT, accepted)
        assert dock.by_receiver.command(protocol.ACCEPT, accepted) == first
        assert dock.tag.event_codes().count(labels.EVENT_ACCEPT) == 1
    else:
        assert dock.by_giver.command(protocol.OFFER, signed) == first
        assert dock.tag.event_codes().count(labels.EVENT_OFFER) == 1


def test_a_box_may_be_taken_without_a_giver(dock):
    assert dock.accept()[0] == protocol.OK


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"k1": bytes(8)}, protocol.NOT_OURS),
        ({"k2": 999}, protocol.STALE_HEAD),
        ({"k3": bytes(32)}, protocol.STALE_HEAD),
        ({"k4": 5}, protocol.BAD_STATE),
    ],
    ids=["another tag", "unknown seq", "other hash", "other trip"],
)
def test_an_offer_that_cannot_be_true_is_refused(dock, changes, code):
    assert dock.offer(**changes)[1][0] == code
    assert labels.EVENT_OFFER not in dock.tag.event_codes()


def test_an_offer_over_one_of_the_last_sixteen_records_is_taken(dock):
    signed = dock.giver.custody(OFFER, dock.tag)
    for _ in range(14):
        dock.tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    assert dock.by_giver.command(protocol.OFFER, signed)[0] == protocol.OK


def test_an_offer_over_an_earlier_record_names_that_records_hash(dock):
    head_seq, _ = dock.tag.recorder.head()
    dock.tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    _, answer = dock.offer(k2=head_seq, k3=bytes(32))
    assert answer[0] == protocol.STALE_HEAD


def test_an_offer_over_an_older_record_is_stale(dock):
    signed = dock.giver.custody(OFFER, dock.tag)
    for _ in range(16):
        dock.tag.recorder.note_event(labels.EVENT_LID_OPEN, seal=True)
    assert dock.by_giver.command(protocol.OFFER, signed)[0] == protocol.STALE_HEAD


def test_an_offer_signed_by_another_than_the_ticket_holder_is_refused(dock):
    signed = dock.receiver.custody(OFFER, dock.tag)
    assert dock.by_giver.command(protocol.OFFER, signed)[0] == protocol.NO_SCOPE


def test_every_flipped_bit_of_the_signature_is_refused_at_the_dock(dock):
    signed = dock.giver.custody(OFFER, dock.tag)
    for bit in range(0, 512, 37):
        forged = bytearray(signed)
        forged[-1 - bit // 8] ^= 1 << bit % 8
        assert dock.by_giver.command(protocol.OFFER, bytes(forged))[0] == protocol.BAD_SIG


def test_an_accept_is_no_offer(dock):
    signed = dock.giver.custody(ACCEPT, dock.tag)
    assert dock.by_giver.command(protocol.OFFER, signed)[0] == protocol.BAD_FORM


@pytest.mark.parametrize("signed", [b"", b"\xd2\x84", bytes(481), b"\xff" * 100])
def test_what_is_no_statement_is_bad_form(dock, signed):
    assert dock.by_giver.command(protocol.OFFER, signed) == (protocol.BAD_FORM, b"")


def test_nobody_accepts_his_own_offer(dock):
    signed, _ = dock.offer()
    own = dock.giver.custody(ACCEPT, dock.tag, k13=access.sha256(signed))
    assert dock.by_giver.command(protocol.ACCEPT, own)[0] == protocol.BAD_STATE


def test_an_accept_names_the_offer_that_waits(dock):
    dock.offer()
    assert dock.accept(k13=bytes(32))[0] == protocol.STALE_HEAD
    assert dock.accept()[0] == protocol.STALE_HEAD


def test_an_accept_that_names_an_offer_when_none_waits_is_stale(dock):
    assert dock.accept(k13=bytes(32))[0] == protocol.STALE_HEAD


def test_an_offer_that_a_full_log_refuses_leaves_the_earlier_one_waiting(dock):
    signed, _ = dock.offer()
    dock.tag.recorder.is_full = True
    _, answer = dock.offer(k9=["S-9"])
    assert answer == (protocol.FULL, b"")
    dock.tag.recorder.is_full = False
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.OK, signed)
    assert dock.accept(k13=access.sha256(signed))[0] == protocol.OK


def test_a_full_log_says_so_and_keeps_no_offer(dock):
    dock.tag.recorder.is_full = True
    _, answer = dock.offer()
    assert answer == (protocol.FULL, b"")
    assert dock.by_receiver.command(protocol.PENDING) == (protocol.BAD_STATE, b"")
