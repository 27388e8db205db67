# SPDX-License-Identifier: MIT
"""Sealed frames, bulk frames and the cut of control notifications."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire.aes import AesCtr, xor
from sealwire.frames import FrameError, Joiner, Sealer, split_message
from sealwire.protocol import BULK, COMMAND, REPLY

MAC_KEY = bytes(range(32))
KEY = bytes(range(16))


def sealer() -> Sealer:
    return Sealer(MAC_KEY, KEY)


@given(st.binary(max_size=1024), st.integers(0, 0xFFFFFF))
@settings(max_examples=60, deadline=None)
def test_counter_mode_equals_openssl(content, number):
    iv = bytes([BULK]) + bytes(7) + number.to_bytes(4, "big") + bytes(4)
    openssl = Cipher(algorithms.AES(KEY), modes.CTR(iv)).encryptor()
    assert AesCtr(KEY).apply(BULK, number, content) == openssl.update(content)


def test_content_longer_than_a_counter_run_is_refused():
    with pytest.raises(ValueError):
        AesCtr(KEY).apply(BULK, 0, bytes(1025))


def test_a_key_of_another_size_is_refused():
    with pytest.raises(ValueError):
        AesCtr(bytes(32))


def test_xor_keeps_leading_zeros():
    assert xor(b"\x00\x01", b"\x00\x01") == b"\x00\x00"


def test_every_flipped_bit_of_a_sealed_frame_is_refused():
    frame = sealer().seal(COMMAND, 7, b"\x04hello")
    for index in range(len(frame) * 8):
        forged = bytearray(frame)
        forged[index // 8] ^= 1 << index % 8
        with pytest.raises(FrameError):
            sealer().open(COMMAND, bytes(forged))


@pytest.mark.parametrize("size", range(12))
def test_a_frame_too_short_for_op_and_mac_is_refused(size):
    with pytest.raises(FrameError):
        sealer().open(COMMAND, sealer().seal(COMMAND, 1, b"\x01")[:size])


def test_a_reply_is_no_command():
    with pytest.raises(FrameError):
        sealer().open(COMMAND, sealer().seal(REPLY, 1, b"\x01\x00"))


def test_an_acknowledgement_fits_the_smallest_mtu():
    assert len(sealer().seal(COMMAND, 1, bytes(7))) == 18


def test_the_same_bytes_in_two_bulk_frames_look_different():
    assert sealer().seal_bulk(0, b"same")[4:] != sealer().seal_bulk(1, b"same")[4:]


def test_bulk_frame_numbers_end_before_they_repeat():
    sealer().seal_bulk(0xFFFFFF, b"last")
    with pytest.raises(FrameError):
        sealer().seal_bulk(0x1000000, b"one more")


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x12\x00\x00\x00", b"\x11\x00\x00\x00\x00", b"\x12" + bytes(512)],
)
def test_what_cannot_be_a_bulk_frame_is_refused(frame):
    with pytest.raises(FrameError):
        sealer().open_bulk(frame)


@given(st.binary(min_size=0, max_size=512), st.integers(20, 512))
@settings(deadline=None)
def test_a_message_cut_into_notifications_joins_to_itself(message, value_size):
    if len(message) > 127 * (value_size - 1):
        return
    parts = split_message(message, value_size)
    assert all(len(part) <= value_size for part in parts)
    joiner = Joiner()
    results = [joiner.feed(part) for part in parts]
    assert results[:-1] == [None] * (len(parts) - 1)
    assert results[-1] == message


def test_a_lost_part_is_noticed_and_the_next_message_is_whole():
    parts = split_message(bytes(60), 20)
    joiner = Joiner()
    joiner.feed(parts[0])
    with pytest.raises(FrameError):
        joiner.feed(parts[2])
    assert joiner.feed(split_message(b"next", 20)[0]) == b"next"


def test_parts_without_end_are_bounded():
    joiner = Joiner()
    with pytest.raises(FrameError):
        for index in range(128):
            joiner.feed(bytes([index]) + bytes(19))


def test_a_message_that_does_not_fit_128_parts_is_refused():
    with pytest.raises(FrameError):
        split_message(bytes(512), 4)


def test_an_empty_notification_is_refused():
    with pytest.raises(FrameError):
        Joiner().feed(b"")
