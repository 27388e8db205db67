# SPDX-License-Identifier: MIT
"""The ATECC608 driver against the command-level chip, and the chip against a real library."""

import hashlib
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from boards import load_board
from boards.virtual.firmware_side.chips import atecc608b_curve as curve
from boards.virtual.firmware_side.chips import atecc608b_memory as memory
from tag.board import Board, BoardError
from tag.drivers import atecc608
from tag.drivers.atecc608 import ChipError, ChipRefusal, crc16
from tests.fakes.chip_bench import BLANK_ADDRESS, ChipBench

DIGEST = hashlib.sha256(b"a record").digest()


def library_key(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)


def holds(point: bytes, signature: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))
        library_key(point).verify(encode_dss_signature(r, s), DIGEST, algorithm)
    except InvalidSignature:
        return False
    return True


# ---- the packets


def test_crc_is_that_of_the_published_wake_token():
    assert crc16(b"\x04\x11", 0, 2) == 0x4333


def test_the_chip_says_what_it_is_and_lets_its_configuration_be_read():
    bench = ChipBench()
    assert bench.driver.revision() == b"\x00\x00\x60\x03"
    config = bench.driver.config()
    assert config == bytes(bench.image[:128])
    assert (config[:2], config[86:88]) == (b"\x01\x23", b"\x00\x00")


def test_random_bytes_come_from_the_chip_and_not_before_it_is_locked():
    assert ChipBench().driver.random() != ChipBench(2).driver.random()
    assert ChipBench(is_blank=True).driver.random() == b"\xff\xff\x00\x00" * 8


def test_counter_rises_by_one_and_outlives_power():
    bench = ChipBench()
    assert [bench.driver.counter(1, is_counting=True) for _ in range(3)] == [1, 2, 3]
    bench.power_up()
    assert (bench.driver.counter(1), bench.driver.counter(0)) == (3, 0)


# ---- keys


def test_a_generated_key_signs_and_its_old_self_is_gone():
    bench = ChipBench()
    old = bench.driver.public_key(2)
    new = bench.driver.generate_key(2)
    assert new != old and bench.driver.public_key(2) == new
    signature = bench.driver.sign(2, DIGEST)
    assert holds(new, signature) and not holds(old, signature)


def test_verify_says_yes_and_no_as_the_library_does():
    bench = ChipBench()
    point = bench.driver.generate_key(3)
    signature = bench.driver.sign(3, DIGEST)
    assert bench.driver.verify(point, DIGEST, signature)
    assert not bench.driver.verify(point, hashlib.sha256(b"another").digest(), signature)
    assert not bench.driver.verify(bench.driver.public_key(2), DIGEST, signature)


@pytest.mark.parametrize("slot", [1, 5, 9, 15])
def test_a_slot_that_is_not_for_signing_is_refused_at_once(slot):
    bench = ChipBench()
    with pytest.raises(ChipRefusal) as refused:
        bench.driver.sign(slot, DIGEST)
    assert refused.value.status == atecc608.STATUS_EXECUTION
    assert bench.slept_ms < 300


def test_a_key_fixed_at_the_factory_cannot_be_made_anew():
    with pytest.raises(ChipRefusal):
        ChipBench().driver.generate_key(0)


def test_an_unlocked_chip_neither_makes_keys_nor_signs():
    bench = ChipBench(is_blank=True)
    assert bench.chip.address == BLANK_ADDRESS
    for act in (bench.driver.generate_key, lambda slot: bench.driver.sign(slot, DIGEST)):
        with pytest.raises(ChipRefusal):
            act(0)


def test_the_fakes_curve_agrees_with_the_library():
    key = ec.derive_private_key(0x1234567890ABCDEF << 180, ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    secret = key.private_numbers().private_value
    assert curve.multiply(secret, curve.BASE) == (numbers.x, numbers.y)
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))
    r, s = decode_dss_signature(key.sign(DIGEST, algorithm))
    z = int.from_bytes(DIGEST, "big")
    assert curve.verify((numbers.x, numbers.y), z, r, s)
    assert curve.verify((numbers.x, numbers.y), z, r, curve.ORDER - s)
    assert not curve.verify((numbers.x, numbers.y), z ^ 1, r, s)
    assert not curve.verify((numbers.x, numbers.y + 1), z, r, s)
    assert curve.multiply(curve.ORDER, curve.BASE) is None


# ---- the bus and the chip's moods


def test_a_chip_left_awake_by_other_traffic_is_put_to_sleep_first():
    bench = ChipBench()
    bench.chip.wake_pulse(80)  # a zero byte for the accelerometer
    bench.sleep_ms(1290)  # its watchdog is about to end
    bench.slept_ms = 0
    assert len(bench.driver.public_key(2)) == 64
    assert bench.slept_ms < 135, "no attempt was wasted"


def test_the_watchdog_is_met_by_starting_again():
    bench = ChipBench()
    late = iter((1250,))
    sleep_ms = bench.sleep_ms

    def interrupted(duration_ms):
        sleep_ms(duration_ms + next(late, 0) if duration_ms == 2 else duration_ms)

    bench.driver._sleep_ms = interrupted
    assert holds(bench.driver.public_key(2), bench.driver.sign(2, DIGEST))


def test_a_command_left_running_by_a_reset_is_waited_for():
    bench = ChipBench()
    bench.driver._wake()
    bench.chip._ready_ms = bench.at_ms + 653  # GenKey at the slowest clock
    assert len(bench.driver.public_key(2)) == 64


@pytest.mark.parametrize("garbled_byte", [0, 1, 40, -1])
@pytest.mark.parametrize("count", [1, 3])
def test_garbled_answers_are_asked_for_again(count, garbled_byte):
    bench = ChipBench()
    bench.chip.garbled_byte = garbled_byte
    bench.chip.garbled_count = count
    assert bench.driver.public_key(2) == bench.driver.public_key(2)


def test_an_answer_that_stays_garbled_is_an_error():
    bench = ChipBench()
    bench.chip.garbled_count = 1_000
    with pytest.raises(ChipError, match="not understood"):
        bench.driver.public_key(2)
    assert bench.chip.opcodes.count(0x40) == 4


@pytest.mark.parametrize("deaf_count", [1, 2, 3, 5, 9])
def test_missing_acknowledges_are_outlasted(deaf_count):
    bench = ChipBench()
    bench.chip.deaf_count = deaf_count
    assert len(bench.driver.public_key(2)) == 64


def test_a_chip_that_is_not_there_is_an_error_within_two_seconds():
    bench = ChipBench()
    bench.chip.is_off = True
    with pytest.raises(ChipError, match="silent") as silent:
        bench.driver.sign(2, DIGEST)
    assert isinstance(silent.value, OSError) and silent.value.args[0] == 5
    assert bench.slept_ms < 2_000


def test_a_chip_whose_self_test_failed_is_not_given_work():
    bench = ChipBench()
    bench.chip.wake_status = 0x07
    with pytest.raises(ChipError, match="not understood"):
        bench.driver.revision()
    assert bench.chip.opcodes == []


def test_a_board_with_a_bus_too_fast_is_refused(monkeypatch):
    monkeypatch.setattr("time.sleep_ms", None, raising=False)  # MicroPython's
    machine = SimpleNamespace(unique_id=lambda: b"", Pin=lambda *a: None, I2C=lambda *a, **k: None)
    spec = load_board("virtual_se")
    assert Board(spec, machine, None).secure_element() is not None
    assert Board(load_board("virtual"), machine, None).secure_element() is None
    spec["buses"]["i2c0"]["frequency_hz"] = 400_000
    with pytest.raises(BoardError, match="too fast"):
        Board(spec, machine, None).secure_element()


def test_a_bus_too_fast_does_not_wake_it():
    bench = ChipBench()
    bench.bus.low_us = 8_000_000 / 400_000
    with pytest.raises(ChipError, match="silent"):
        bench.driver.revision()


def test_a_computation_fault_is_tried_again_and_then_reported():
    bench = ChipBench()
    start = memory.CONFIG_SIZE + 2 * memory.PRIVATE_SLOT_SIZE
    bench.image[start : start + memory.PRIVATE_SLOT_SIZE] = bytes(memory.PRIVATE_SLOT_SIZE)
    with pytest.raises(ChipRefusal) as refused:
        bench.driver.public_key(2)
    assert refused.value.status == atecc608.STATUS_ECC_FAULT
    assert bench.chip.opcodes.count(0x40) == 4


def test_the_chip_sleeps_after_every_operation():
    bench = ChipBench()
    bench.driver.sign(2, DIGEST)
    with pytest.raises(OSError):
        bench.chip.transmit(4)
    with pytest.raises(ChipRefusal):
        bench.driver.sign(9, DIGEST)
    with pytest.raises(OSError):
        bench.chip.transmit(4)


def test_a_signature_keeps_within_the_published_time():
    bench = ChipBench()
    bench.driver.sign(2, DIGEST)
    assert bench.slept_ms < 2 + 23 + 20 + 115 + 15
