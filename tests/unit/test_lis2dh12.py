# SPDX-License-Identifier: MIT
"""The LIS2DH12 driver against the register-level chip."""

from types import SimpleNamespace

import pytest

from boards.virtual.firmware_side.chips.lis2dh12 import make
from tests.fakes import micropython_on_cpython
from tests.fakes.sensor_bench import I2CBus, Pin, World

micropython_on_cpython.install()
from tag.drivers.lis2dh12 import LIS2DH12, SHOCK_READ_MS

UPRIGHT = (0, 0, 1000)


def _bench(threshold_mg: int = 6000) -> SimpleNamespace:
    world = World()
    pin = Pin(0)
    chip = make({"address": 24, "int1": 34}, world, {34: pin}.get)
    world.chips.append(chip)
    bus = I2CBus(chip)
    driver = LIS2DH12(bus, 24, pin)
    driver.arm(threshold_mg)
    world.sleep_ms(1000)
    return SimpleNamespace(world=world, pin=pin, chip=chip, bus=bus, driver=driver)


@pytest.mark.parametrize("mg", [(0, 0, 1000), (-940, 0, 340), (0, 1000, 0), (0, 0, -1000)])
def test_acceleration_at_rest_is_read_within_a_digit(mg: tuple[int, int, int]) -> None:
    bench = _bench()
    bench.world.accel_mg = mg
    for expected, value in zip(mg, bench.driver.read_mg(), strict=True):
        assert abs(value - expected) <= 12


@pytest.mark.parametrize("peak_mg", [6200, 9000, 12_000, 15_000])
def test_a_shock_raises_the_pin_once_and_its_peak_and_axis_are_read(peak_mg: int) -> None:
    bench = _bench()
    edges = []
    bench.driver.watch(edges.append)
    bench.world.knock(peak_mg)
    assert bench.driver.has_shock()
    assert len(edges) == 1
    bench.world.sleep_ms(SHOCK_READ_MS)
    found_mg, axis = bench.driver.read_shock(UPRIGHT)
    assert abs(found_mg - peak_mg) <= 24
    assert axis == 2
    assert not bench.driver.has_shock()
    assert bench.driver.read_shock(UPRIGHT) is None


def test_a_shock_read_too_late_counts_with_its_threshold() -> None:
    bench = _bench()
    bench.world.knock(12_000)
    bench.world.sleep_ms(500)
    found_mg, axis = bench.driver.read_shock(UPRIGHT)
    assert found_mg == 33 * 186
    assert axis == 2


def test_a_shock_below_the_threshold_is_not_felt() -> None:
    bench = _bench()
    bench.world.knock(5900)
    assert not bench.driver.has_shock()


def test_a_second_shock_is_felt_after_the_first_is_read() -> None:
    bench = _bench()
    for peak_mg in (8000, 10_000):
        bench.world.knock(peak_mg)
        bench.world.sleep_ms(SHOCK_READ_MS)
        assert abs(bench.driver.read_shock(UPRIGHT)[0] - peak_mg) <= 24
        bench.world.sleep_ms(200)


def test_threshold_zero_measures_but_feels_nothing() -> None:
    bench = _bench(threshold_mg=0)
    bench.world.knock(15_000)
    assert not bench.driver.has_shock()
    assert bench.driver.read_mg()[2] > 900


def test_gravity_does_not_count_as_a_shock() -> None:
    # Without the high-pass filter 5.9 g on top of 1 g would pass a threshold of 6 g.
    bench = _bench()
    bench.bus.writeto_mem(24, 0x21, b"\x00")
    bench.world.knock(5900)
    assert bench.driver.has_shock()


def test_an_absent_or_foreign_chip_is_an_os_error() -> None:
    bench = _bench()
    bench.chip._registers[0x0F] = 0x44
    with pytest.raises(OSError):
        LIS2DH12(bench.bus, 24, bench.pin)
    with pytest.raises(OSError):
        LIS2DH12(bench.bus, 25, bench.pin)


@pytest.mark.parametrize(
    ("scale_bits", "step_mg"), [(0x80, 1), (0x90, 2), (0xA0, 4), (0xB0, 12), (0x08, 1)]
)
def test_the_fake_scales_its_outputs_by_full_scale_and_resolution(
    scale_bits: int, step_mg: int
) -> None:
    bench = _bench()
    is_high_resolution = scale_bits & 0x08
    bench.bus.writeto_mem(24, 0x23, bytes([scale_bits]))
    raw = bytearray(6)
    bench.bus.readfrom_mem_into(24, 0xA8, raw)
    bits = 12 if is_high_resolution else 10
    digit_mg = step_mg if is_high_resolution else 4 * step_mg
    word = int.from_bytes(raw[4:], "little", signed=True) >> (16 - bits)
    assert word == 1000 // digit_mg
