# SPDX-License-Identifier: MIT
"""The MAX31865 driver against the register-level chip, and the chip against its datasheet."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from boards.virtual.firmware_side.chips.max31865 import MAX31865Chip, make
from tests.fakes import micropython_on_cpython
from tests.fakes.sensor_bench import SPIBus, World

micropython_on_cpython.install()
from sealwire import labels
from tag.drivers.max31865 import MAX31865

SPEC = {"rtd_ohm": 100, "reference_ohm": 430, "wires": 4, "mains_hz": 50}


def _bench(**changes: int) -> SimpleNamespace:
    world = World()
    spec = {**SPEC, **changes}
    chip = MAX31865Chip(world, 0, spec["reference_ohm"])
    bus = SPIBus(chip)
    driver = MAX31865(bus, bus.select, spec, world.sleep_ms)
    return SimpleNamespace(world=world, chip=chip, bus=bus, driver=driver)


def _fault(code: int) -> int:
    return labels.FAULT_BASE + code


@pytest.mark.parametrize("reference_ohm", [400, 430])
@pytest.mark.parametrize("mains_hz", [50, 60])
@pytest.mark.parametrize("centi_c", [-20_000, -19_600, -15_000, -8_000, -1, 0, 2_150, 20_000])
def test_a_temperature_is_read_within_the_step_of_the_converter(
    centi_c: int, mains_hz: int, reference_ohm: int
) -> None:
    bench = _bench(mains_hz=mains_hz, reference_ohm=reference_ohm)
    bench.world.probe_centi_c[0] = centi_c
    value, raw = bench.driver.read()
    # One code is 0.034 C at most; half of it, and the rounding to a hundredth.
    assert abs(value - centi_c) <= 3
    assert raw & 0x1FF == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("open", labels.FAULT_OPEN),
        ("short", labels.FAULT_SHORT),
        ("supply", labels.FAULT_SUPPLY),
        ("absent", labels.FAULT_NO_ANSWER),
    ],
)
def test_a_probe_or_supply_fault_is_coded_and_gone_when_it_is_repaired(
    fault: str, code: int
) -> None:
    bench = _bench()
    bench.world.probe_fault[0] = fault
    value, raw = bench.driver.read()
    assert value == _fault(code)
    assert (raw & 0xFF != 0) == (fault != "absent")
    bench.world.probe_fault[0] = ""
    assert abs(bench.driver.read()[0] + 19_000) <= 3


@pytest.mark.parametrize(
    ("centi_c", "code"), [(20_100, labels.FAULT_OVER_RANGE), (-20_600, labels.FAULT_UNDER_RANGE)]
)
def test_a_temperature_outside_the_probes_range_is_coded_with_its_register(
    centi_c: int, code: int
) -> None:
    bench = _bench()
    bench.world.probe_centi_c[0] = centi_c
    value, raw = bench.driver.read()
    assert value == _fault(code)
    assert raw >> 9 > 0


def test_the_bias_is_off_between_readings_and_the_bus_released() -> None:
    bench = _bench()
    bench.driver.read()
    assert not bench.chip._registers[0] & 0x80
    assert not bench.bus.is_selected


def test_a_reading_takes_less_than_90_ms() -> None:
    bench = _bench()
    before = bench.world.at_ms
    bench.driver.read()
    assert bench.world.at_ms - before < 90


@pytest.mark.parametrize(
    "mishap",
    [
        lambda chip: chip.lose_power(),
        lambda chip: chip._registers.__setitem__(0, 0x80),
        lambda chip: chip._registers.__setitem__(3, 0xFF),
    ],
    ids=["power lost", "configuration changed", "threshold changed"],
)
def test_a_chip_that_loses_its_settings_during_the_conversion_is_not_believed(
    mishap: Callable[[MAX31865Chip], None],
) -> None:
    bench = _bench()
    slept = []

    def sleep_ms(duration_ms: int) -> None:
        bench.world.sleep_ms(duration_ms)
        slept.append(duration_ms)
        if duration_ms > 50:
            mishap(bench.chip)

    driver = MAX31865(bench.bus, bench.bus.select, SPEC, sleep_ms)
    assert driver.read() == (_fault(labels.FAULT_NO_ANSWER), 0)
    assert max(slept) > 50


def test_a_fault_detection_that_does_not_end_is_no_answer() -> None:
    bench = _bench()
    patient = bench.world.sleep_ms
    driver = MAX31865(bench.bus, bench.bus.select, SPEC, lambda ms: patient(ms if ms > 1 else 0))
    assert driver.read() == (_fault(labels.FAULT_NO_ANSWER), 0)


def test_a_bus_that_answers_zeros_is_no_chip() -> None:
    bench = _bench()
    bench.bus._answer = lambda out: bytes(len(out))
    assert bench.driver.read() == (_fault(labels.FAULT_NO_ANSWER), 0)


def test_a_reading_before_the_bias_has_settled_would_be_wrong() -> None:
    # Why the driver waits: the same conversion with a young bias reads far too cold.
    settled, young = _bench(), _bench()
    impatient = MAX31865(
        young.bus,
        young.bus.select,
        SPEC,
        lambda ms: young.world.sleep_ms(ms if ms > 12 else ms / 12),
    )
    assert abs(settled.driver.read()[0] + 19_000) <= 3
    assert abs(impatient.convert()[0] - settled.driver.convert()[0]) > 100


def test_registers_read_back_in_a_burst_and_wrap() -> None:
    bench = _bench()
    bench.chip.select()
    assert bench.chip.transfer(bytes([0x83, 0x12, 0x34])) == bytes(3)
    bench.chip.deselect()
    bench.chip.select()
    answer = bench.chip.transfer(bytes([0x03] + [0] * 6))
    assert answer[1:] == bytes([0x12, 0x34, 0x00, 0x00, 0x00, 0x00])


def test_the_chip_is_made_from_its_wiring() -> None:
    world = World()
    chip = make({"probe": 1}, world, None)
    bus = SPIBus(chip)
    driver = MAX31865(bus, bus.select, SPEC, world.sleep_ms)
    assert abs(driver.read()[0] - 2_000) <= 3
