# SPDX-License-Identifier: MIT
"""sealwire.cbor against cbor2, on anything: what it writes, what it reads, what it refuses.

cbor2's canonical mode sorts map keys length first (RFC 7049 section 3.9), ours bytewise
(RFC 8949 section 4.2.1). The two agree where all keys of a map have one length, and for
all maps of this project's formats; elsewhere the order is set by hand here.
"""

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sealwire import cbor

INTS = st.integers(-(1 << 64), (1 << 64) - 1)
KEYS = INTS | st.text(max_size=20) | st.binary(max_size=20)


def _containers(children):
    return st.lists(children, max_size=6) | st.dictionaries(KEYS, children, max_size=6)


VALUES = st.recursive(
    INTS | st.binary(max_size=40) | st.text(max_size=40), _containers, max_leaves=10
)


def _depth(value):
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


def _in_our_order(value):
    """The same value with maps in bytewise order; cbor2 keeps a dict's order."""
    if isinstance(value, list):
        return [_in_our_order(item) for item in value]
    if isinstance(value, dict):
        keys = sorted(value, key=cbor2.dumps)
        return {key: _in_our_order(value[key]) for key in keys}
    return value


@settings(max_examples=120, deadline=None)
@given(VALUES)
def test_both_write_the_same_bytes(value):
    if _depth(value) > cbor.DEPTH_MAX:
        with pytest.raises(cbor.CborError, match=cbor.TOO_DEEP):
            cbor.encode(value)
        return
    assert cbor.encode(value) == cbor2.dumps(_in_our_order(value))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.integers(0, 23), INTS | st.binary(max_size=9), max_size=10))
def test_canonical_mode_agrees_on_maps_like_ours(value):
    assert cbor.encode(value) == cbor2.dumps(value, canonical=True)


@settings(max_examples=120, deadline=None)
@given(VALUES.filter(lambda value: _depth(value) <= cbor.DEPTH_MAX))
def test_each_reads_what_the_other_wrote(value):
    ours = cbor.encode(value)
    assert cbor2.loads(ours) == value
    assert cbor.decode(cbor2.dumps(_in_our_order(value)), max_size=1 << 16) == value
    assert cbor.item_size(ours, 0, 1 << 16) == len(ours)


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=80))
@example(bytes.fromhex("9b7fffffffffffffff"))
@example(bytes.fromhex("5bffffffffffffffff"))
@example(b"\x81" * 1024)
@example(b"\xc6" * 1024)
def test_random_bytes_are_refused_or_mean_the_same_to_both(source):
    try:
        value = cbor.decode(source)
    except cbor.CborError as error:
        assert isinstance(error.reason, str)
        assert 0 <= error.offset <= len(source)
        return
    assert cbor2.loads(source) == value
    assert cbor.encode(value) == source


@settings(max_examples=800, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 80))
def test_item_size_never_lies(source, offset):
    try:
        size = cbor.item_size(source, offset)
    except cbor.CborError:
        return
    if size is not None:
        assert 0 < size <= len(source) - offset
        # A prefix is never taken for the whole.
        assert cbor.item_size(source[: offset + size - 1], offset) is None


@settings(max_examples=120, deadline=None)
@given(VALUES.filter(lambda value: 0 < _depth(value) <= cbor.DEPTH_MAX), st.data())
def test_a_mutated_byte_is_refused_or_reencoded_the_same(value, data):
    source = bytearray(cbor.encode(value))
    index = data.draw(st.integers(0, len(source) - 1))
    source[index] ^= data.draw(st.integers(1, 255))
    try:
        decoded = cbor.decode(bytes(source), max_size=1 << 16)
    except cbor.CborError:
        return
    assert cbor.encode(decoded) == source
