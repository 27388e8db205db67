# SPDX-License-Identifier: MIT
"""Whatever a stranger or a ticket holder says, the session answers; it never raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire import cbor, labels, protocol
from tests.fakes.access_parts import Person, PlainVisitor, TagParts, make_ticket, verify

OPS = st.sampled_from([op for op in range(256) if op != protocol.BYE])


@given(st.lists(st.binary(max_size=140), max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_stranger_gets_an_answer_to_anything(messages):
    session = TagParts().session()
    for message in messages:
        assert session.receive(message)[0] == protocol.REFUSE


@given(st.integers(0, 131), st.integers(0, 255))
@settings(max_examples=50, deadline=None)
def test_a_damaged_hello_opens_nothing(offset, value):
    tag = TagParts()
    visitor = PlainVisitor(tag.session())
    visitor.hello()
    hello = bytearray(visitor.hello_bytes)
    if hello[offset] == value:
        return
    hello[offset] = value
    assert tag.session().receive(bytes(hello))[0] == protocol.REFUSE


@pytest.fixture(scope="module")
def visitor():
    tag = TagParts(verify=verify)
    tag.set_clock()
    ticket = make_ticket(role=protocol.SERVICE, exp=protocol.NO_EXPIRY)
    made = PlainVisitor(tag.session(), ticket)
    assert made.connect() == protocol.OK
    return made


@given(op=OPS, args=st.binary(max_size=64))
@settings(max_examples=100, deadline=None)
def test_any_command_with_any_arguments_is_answered(visitor, op, args):
    answer = visitor.command(op, args)
    assert (answer is None) == (op == protocol.ACK)
    visitor.stream()
    assert visitor.session.is_open


VALUES = st.recursive(
    st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 30), inner, max_size=5)
    ),
    max_leaves=10,
)


@given(op=st.sampled_from([protocol.OFFER, protocol.ACCEPT, protocol.TRIP]), value=VALUES)
@settings(max_examples=50, deadline=None)
def test_any_cbor_in_place_of_a_statement_or_a_trip_is_refused(visitor, op, value):
    assert visitor.command(op, cbor.encode(value))[0] == protocol.BAD_FORM


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_statement_with_any_byte_changed_is_refused(data):
    tag = TagParts(verify=verify)
    person = Person()
    made = PlainVisitor(tag.session(), make_ticket(person.holder))
    made.connect()
    signed = bytearray(person.custody(labels.STATEMENT_OFFER, tag))
    offset = data.draw(st.integers(0, len(signed) - 1))
    signed[offset] ^= data.draw(st.integers(1, 255))
    assert made.command(protocol.OFFER, bytes(signed))[0] != protocol.OK
    assert labels.EVENT_OFFER not in tag.event_codes()
