# SPDX-License-Identifier: MIT
"""What a visitor can do with the tag's key and with the fleet's: roll, attest, hand on."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwire import labels, protocol, record, statement
from tag.store import statestore
from tests.fakes.access_parts import Person, PlainVisitor, TagParts, make_ticket, verify


@pytest.fixture
def tag():
    parts = TagParts(verify=verify)
    parts.set_clock()
    return parts


def visitor_of(tag, **changes):
    fields = {"role": protocol.SERVICE, "exp": protocol.NO_EXPIRY, **changes}
    visitor = PlainVisitor(tag.session(), make_ticket(**fields))
    assert visitor.connect() == protocol.OK
    return visitor


# ---- the tag's key


def test_a_roll_answers_with_the_new_head(tag):
    answer = visitor_of(tag).command(protocol.ROLL)
    assert answer == (protocol.OK, tag.recorder.head()[0].to_bytes(4, "big"))
    assert tag.key_roll.count == 1


def test_a_repeated_roll_is_made_once(tag):
    visitor = visitor_of(tag)
    assert visitor.command(protocol.ROLL) == visitor.command(protocol.ROLL)
    assert tag.key_roll.count == 1


def test_a_roll_that_cannot_be_made_is_bad_state(tag):
    tag.key_roll.is_able = False
    assert visitor_of(tag).command(protocol.ROLL) == (protocol.BAD_STATE, b"")


def test_a_roll_with_arguments_is_refused(tag):
    assert visitor_of(tag).command(protocol.ROLL, b"x") == (protocol.BAD_FORM, b"")
    assert tag.key_roll.count == 0


@pytest.mark.parametrize("role", [protocol.VIEWER, protocol.COURIER, protocol.SITE, protocol.QA])
def test_only_the_service_rolls(tag, role):
    visitor = visitor_of(tag, role=role, exp=make_ticket().exp)
    assert visitor.command(protocol.ROLL) == (protocol.NO_SCOPE, b"")
    assert tag.key_roll.count == 0


def test_a_lost_key_attests_nothing(tag):
    tag.key_roll.is_lost = True
    visitor = visitor_of(tag)
    assert visitor.command(protocol.ATTEST, bytes(16)) == (protocol.BAD_STATE, b"")
    assert visitor.command(protocol.ROLL) == (protocol.BAD_STATE, b"")
    # Reading goes on: it is the evidence, proven or not.
    assert visitor.command(protocol.SYNC, bytes(4) + b"\0\x08")[0] == protocol.OK


@pytest.mark.parametrize("is_able", [True, False])
def test_an_accept_rolls_and_stands_also_if_the_roll_must_wait(tag, is_able):
    tag.key_roll.is_able = is_able
    person = Person()
    visitor = visitor_of(tag, holder=person.holder)
    accept = person.custody(labels.STATEMENT_ACCEPT, tag)
    assert visitor.command(protocol.ACCEPT, accept)[0] == protocol.OK
    assert tag.key_roll.count == 1
    assert visitor.command(protocol.ACCEPT, accept)[0] == protocol.OK
    assert tag.key_roll.count == 1


def test_a_refused_accept_rolls_nothing(tag):
    person = Person()
    visitor = visitor_of(tag, holder=bytes(16))
    assert visitor.command(protocol.ACCEPT, person.custody(22, tag))[0] == protocol.NO_SCOPE
    assert tag.key_roll.count == 0


# ---- the fleet's key


class Fleets:
    """A fleet key in force on *tag*, and its successors."""

    def __init__(self, tag):
        self.keys = [Ed25519PrivateKey.generate() for _ in range(4)]
        self.publics = [key.public_key().public_bytes_raw() for key in self.keys]
        self.state = tag.state
        self.state.put(statestore.FLEET_KEY, self.publics[0])
        self.state.put(statestore.FLEET_NEXT_HASH, self.hash_of(1))

    def hash_of(self, number):
        return hashlib.sha256(self.publics[number]).digest()

    def successor(self, number, signer=None, following=None, **changes):
        fields = {1: self.publics[number], 2: following or self.hash_of(number + 1), **changes}
        payload = statement.statement_payload(labels.STATEMENT_FLEET, fields)
        parts = record.sig_structure_parts(statement.protected_of(), payload)
        key = self.keys[number if signer is None else signer]
        return statement.statement(payload, key.sign(b"".join(map(bytes, parts))))

    def held(self):
        return self.state.get(statestore.FLEET_KEY), self.state.get(statestore.FLEET_NEXT_HASH)


@pytest.fixture
def fleets(tag):
    return Fleets(tag)


def test_the_successor_whose_hash_is_held_takes_over(tag, fleets):
    visitor = visitor_of(tag, role=protocol.VIEWER, exp=make_ticket().exp)
    assert visitor.command(protocol.FLEET_NEXT, fleets.successor(1)) == (protocol.OK, b"")
    assert fleets.held() == (fleets.publics[1], fleets.hash_of(2))
    code, content = tag.recorder.events[-1]
    assert code == labels.EVENT_FLEET_KEY and content == b"\x81\x48" + fleets.hash_of(1)[:8]
    assert visitor.command(protocol.FLEET_NEXT, fleets.successor(2)) == (protocol.OK, b"")
    assert fleets.held() == (fleets.publics[2], fleets.hash_of(3))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda f: f.successor(2), protocol.NOT_OURS),  # nobody knows this one yet
        (lambda f: f.successor(1, signer=0), protocol.BAD_SIG),  # the fleet key in use alone
        (lambda f: f.successor(1, signer=2), protocol.BAD_SIG),
        (lambda f: f.successor(0), protocol.STALE),  # in force already
        (lambda f: f.successor(1, following=f.hash_of(1)), protocol.BAD_FORM),
        (lambda f: f.successor(1)[:-1], protocol.BAD_FORM),
        (lambda f: b"", protocol.BAD_FORM),
    ],
)
def test_every_other_key_is_refused_and_changes_nothing(tag, fleets, make, code):
    before = fleets.held()
    assert visitor_of(tag).command(protocol.FLEET_NEXT, make(fleets)) == (code, b"")
    assert fleets.held() == before
    assert labels.EVENT_FLEET_KEY not in tag.event_codes()


def test_a_statement_of_another_type_is_no_fleet_key(tag, fleets):
    offer = Person().custody(labels.STATEMENT_OFFER, tag)
    assert visitor_of(tag).command(protocol.FLEET_NEXT, offer) == (protocol.BAD_FORM, b"")


class Cut(Exception):
    """The power failed."""


def cutting(act, steps):
    """*act*, as long as *steps* (a list) holds something; then the power fails."""

    def run(*args):
        if not steps:
            raise Cut
        steps.pop()
        return act(*args)

    return run


@pytest.mark.parametrize("step_count", [0, 1, 2])
def test_a_cut_at_each_step_leaves_a_tag_that_takes_the_same_statement_again(
    tag, fleets, monkeypatch, step_count
):
    """The steps: key, event, hash."""
    said, steps = fleets.successor(1), [1] * step_count
    with monkeypatch.context() as cut:
        cut.setattr(tag.state, "put", cutting(tag.state.put, steps))
        cut.setattr(tag.recorder, "custody_event", cutting(tag.recorder.custody_event, steps))
        with pytest.raises(Cut):
            tag.session()._commands[protocol.FLEET_NEXT](said, None)
    assert fleets.held()[1] == fleets.hash_of(1)
    assert visitor_of(tag).command(protocol.FLEET_NEXT, said) == (protocol.OK, b"")
    assert fleets.held() == (fleets.publics[1], fleets.hash_of(2))
    assert labels.EVENT_FLEET_KEY in tag.event_codes()


def test_a_full_log_refuses_and_the_same_statement_is_taken_later(tag, fleets):
    visitor = visitor_of(tag)
    tag.recorder.is_full = True
    assert visitor.command(protocol.FLEET_NEXT, fleets.successor(1)) == (protocol.FULL, b"")
    tag.recorder.is_full = False
    assert visitor.command(protocol.FLEET_NEXT, fleets.successor(1)) == (protocol.OK, b"")
    assert fleets.held() == (fleets.publics[1], fleets.hash_of(2))
