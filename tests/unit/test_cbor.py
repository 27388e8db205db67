# SPDX-License-Identifier: MIT
"""sealwire.cbor: the subset, its bounds, and RFC 8949 Appendix A."""

import json

import cbor2
import pytest

from sealwire import cbor
from tests.paths import shared_data

# What Appendix A shows beyond our subset, by the head of its first foreign item.
_FOREIGN = {
    cbor.SIMPLE_NOT_ALLOWED,
    cbor.TAG_NOT_ALLOWED,
    cbor.INDEFINITE,
}


def _is_ours(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_ours, value))
    if isinstance(value, dict):
        return all(map(_is_ours, value)) and all(map(_is_ours, value.values()))
    return isinstance(value, (int, bytes, str)) and not isinstance(value, bool)


def _examples() -> list[dict]:
    return json.loads(shared_data("cbor/rfc8949_appendix_a.json").read_text())


def _in_subset(example: dict) -> bool:
    """By cbor2's eyes: what the item means, and whether its form is the only one."""
    source = bytes.fromhex(example["hex"])
    return example["roundtrip"] and source[0] >> 5 < 6 and _is_ours(cbor2.loads(source))


def test_appendix_a_inside_the_subset_is_read_and_written_alike():
    ours = [example for example in _examples() if _in_subset(example)]
    assert len(ours) == 34
    for example in ours:
        source = bytes.fromhex(example["hex"])
        value = cbor.decode(source)
        assert value == cbor2.loads(source), example
        assert cbor.encode(value) == source, example
        assert cbor.item_size(source) == len(source)


def test_appendix_a_outside_the_subset_is_refused_with_a_reason():
    foreign = [example for example in _examples() if not _in_subset(example)]
    assert len(foreign) == 48
    for example in foreign:
        with pytest.raises(cbor.CborError) as caught:
            cbor.decode(bytes.fromhex(example["hex"]))
        assert caught.value.reason in _FOREIGN, example


@pytest.mark.parametrize("size", range(6))
def test_item_size_is_unknown_until_the_item_is_whole(size):
    source = cbor.encode([1, b"ab", {5: "x"}])
    assert len(source) > size
    assert cbor.item_size(source[:size]) is None
    assert cbor.item_size(b"\x00" + source + b"\xff", 1) == len(source)


def test_item_size_takes_tags():
    assert cbor.item_size(bytes.fromhex("d28441a0a0410041ff00")) == 9


@pytest.mark.parametrize("source", ["590400", "9b00000001ffffffff", "b90201", "81" * 1025])
def test_item_size_refuses_an_item_as_soon_as_it_must_be_too_long(source):
    with pytest.raises(cbor.CborError, match=cbor.TOO_LONG):
        cbor.item_size(bytes.fromhex(source))


def test_item_size_allows_exactly_the_maximum():
    source = cbor.encode(bytes(1021))
    assert cbor.item_size(source, 0, 1024) == 1024
    with pytest.raises(cbor.CborError, match=cbor.TOO_LONG):
        cbor.item_size(source, 0, 1023)


@pytest.mark.parametrize(
    "value", [True, None, 1.0, [False], {1: None}, {1.5: 0}, {(1,): 0}, 1 << 64]
)
def test_a_value_outside_the_subset_is_not_written(value):
    with pytest.raises(cbor.CborError):
        cbor.encode(value)


def test_writer_refuses_what_does_not_fit_and_can_go_back():
    writer = cbor.Writer(bytearray(4))
    writer.uint(500)
    with pytest.raises(cbor.CborError, match=cbor.BUFFER_FULL):
        writer.bstr(b"abc")
    writer.size = 3
    writer.uint(0)
    assert writer.content() == bytes.fromhex("1901f400")


def test_writer_takes_no_negative_for_unsigned():
    with pytest.raises(cbor.CborError, match=cbor.NOT_ENCODABLE):
        cbor.Writer(bytearray(8)).uint(-1)


def test_encode_grows_beyond_its_first_buffer():
    assert cbor.encode(bytes(5000)) == bytes.fromhex("591388") + bytes(5000)


def test_encode_is_bounded():
    with pytest.raises(cbor.CborError, match=cbor.BUFFER_FULL):
        cbor.encode(bytes(2_000_000))


def test_encode_nests_as_deep_as_decode_reads_and_no_deeper():
    value: object = 0
    for _ in range(6):
        value = [value]
    assert cbor.decode(cbor.encode(value)) == value
    with pytest.raises(cbor.CborError, match=cbor.TOO_DEEP):
        cbor.encode([value])


def test_decode_itself_bounds_size_and_depth():
    # The vectors' judge also encodes and measures, which have bounds of their own.
    with pytest.raises(cbor.CborError, match=cbor.TOO_DEEP):
        cbor.decode(b"\x81" * 7 + b"\x00")
    with pytest.raises(cbor.CborError, match=cbor.TOO_DEEP):
        cbor.decode(b"\xa1\x00" * 7 + b"\x00")
    with pytest.raises(cbor.CborError, match=cbor.TOO_LONG):
        cbor.decode(cbor.encode(bytes(1022)))
    assert cbor.decode(cbor.encode(bytes(1021))) == bytes(1021)
