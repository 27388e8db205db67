# SPDX-License-Identifier: MIT
"""Statements: builders, strict reader, and the access protocol's known answers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire import cbor, labels, record, statement
from tests.paths import REPO

TID = bytes(range(8))
HASH = bytes(32)
KEY = bytes(range(32))


def test_attestation_with_and_without_an_upper_bound():
    values = (TID, 9, HASH, bytes(16), 3, 5000, 1_795_000_000_000)
    known = cbor.decode(statement.attestation_payload(*values, 1_795_000_002_000, 4))
    assert known[6] == [1_795_000_000_000, 1_795_000_002_000]
    unknown = statement.attestation_payload(*values, None, 4)
    assert cbor.decode(unknown)[6] == [1_795_000_000_000]
    kind, fields, kid, protected, encoded, signature = statement.parse_statement(
        statement.statement(unknown, bytes(64))
    )
    assert (kind, kid, protected, encoded, signature) == (
        labels.STATEMENT_ATTEST,
        None,
        b"\xa1\x01\x27",
        unknown,
        bytes(64),
    )
    assert fields[5] == [3, 5000]


def test_custody_statements_name_receiver_or_offer():
    common = (TID, 4, HASH, 7, 1_795_000_000, -60, "Dock 4", ["S-1", "S-2"], KEY, 0)
    offer = statement.custody_payload(labels.STATEMENT_OFFER, *common, receiver=KEY)
    assert cbor.decode(offer)[11] == KEY
    accept = statement.custody_payload(labels.STATEMENT_ACCEPT, *common, offer_hash=HASH)
    assert cbor.decode(accept)[13] == HASH
    with pytest.raises(record.RecordError, match="unknown key"):
        statement.custody_payload(labels.STATEMENT_OFFER, *common, offer_hash=HASH)


@pytest.mark.parametrize("kind", [0, 15, 26, 99])
def test_builders_refuse_unknown_types(kind):
    with pytest.raises(record.RecordError, match="unknown statement type"):
        statement.statement_payload(kind, {})


def test_a_statement_is_refused_above_480_bytes():
    fields = {1: TID, 2: 1, 3: HASH, 4: 1, 5: "r" * 96, 6: 1}
    payload = statement.statement_payload(labels.STATEMENT_REVOCATION, fields)
    assert len(statement.statement(payload, bytes(64))) <= 480
    with pytest.raises(record.RecordError, match=cbor.TOO_LONG):
        statement.statement(payload + bytes(300), bytes(64))


def test_kid_has_8_bytes():
    assert statement.protected_of(bytes(8)) == bytes.fromhex("a201270448") + bytes(8)
    with pytest.raises(record.RecordError):
        statement.protected_of(bytes(7))


def test_access_protocols_known_answers_are_read():
    known = REPO / "tests/vectors/access/known_answers.json"
    if not known.exists():
        pytest.skip("tests/vectors/access is not there yet")
    seen = set()
    for text in _hex_strings(json.loads(known.read_text())):
        if not text.startswith("d284"):
            continue
        source = bytes.fromhex(text)
        try:
            parsed = statement.parse_statement(source)
        except record.RecordError as error:
            # Certificate and records of that file are no statements.
            assert error.reason == statement.UNKNOWN_TYPE
            continue
        seen.add(parsed[0])
        assert statement.statement(parsed[4], parsed[5], parsed[2]) == source
    assert seen <= set(statement.SHAPES)


def _hex_strings(value: object):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _hex_strings(item)
    elif isinstance(value, str):
        yield value


ITEMS = st.recursive(
    st.integers(-(1 << 40), 1 << 64) | st.binary(max_size=33) | st.text(max_size=60),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 3), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(statement.SHAPES)), st.data())
def test_any_value_in_any_place_raises_nothing_but_record_error(kind, data):
    shape = statement.SHAPES[kind]
    key = data.draw(st.sampled_from([key for key, _, _ in shape] + [0, 8, 99]))
    fields = {0: kind, key: data.draw(ITEMS)}
    try:
        payload = cbor.encode(fields)
    except cbor.CborError:
        return
    sealed = record.seal_envelope(b"\xa1\x01\x27", payload, bytes(64), 4096)
    try:
        statement.parse_statement(sealed)
    except record.RecordError as error:
        assert isinstance(error.reason, str)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_random_bytes_raise_nothing_but_record_error(source):
    for start in (b"", b"\xd2\x84\x43\xa1\x01\x27\xa0"):
        with pytest.raises(record.RecordError):
            statement.parse_statement(start + source)
