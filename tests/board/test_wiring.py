# SPDX-License-Identifier: MIT
"""Pins, buses and fake chips: the seam that the drivers and the world meet at."""

import pytest

from tests.board.bench import bench, bench_in_a_world

SPI = """
from machine import SPI, Pin
spi = SPI(1, baudrate=1000000, polarity=0, phase=1, sck=Pin(18), mosi=Pin(23), miso=Pin(19))
a, b = Pin(5, Pin.OUT, value=1), Pin(17, Pin.OUT, value=1)
"""
LID_MAIN = """
import asyncio, turnable_clock, virtual_wiring
from machine import Pin
world = virtual_wiring.environment
flag = asyncio.ThreadSafeFlag()
lid = Pin(25, Pin.IN, Pin.PULL_UP)
lid.irq(lambda pin: flag.set(), Pin.IRQ_RISING | Pin.IRQ_FALLING)

async def watch():
    print("watching")
    while True:
        await flag.wait()
        print("lid", lid.value(), "at", turnable_clock.now_ms() - world.start_ms)

asyncio.run(watch())
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with bench_in_a_world(tmp_path_factory.mktemp("world"), []) as b:
        yield b


def test_only_the_selected_spi_chip_answers(world):
    out = world.mpremote(
        "exec",
        SPI + "print(spi.read(2))\na(0); print(spi.read(2)); a(1)\nb(0); print(spi.read(1)); b(1)",
    )
    assert out.split() == [r"b'\xff\xff'", r"b'\xa0\x01'", r"b'\xa1'"]


def test_each_fall_of_the_select_line_is_one_selection(world):
    code = "for _ in range(3):\n    a(0); n = spi.read(2)[1]; a(1); print(n)"
    assert world.mpremote("exec", SPI + code).split() == ["1", "2", "3"]


def test_spi_transfers_are_full_duplex_into_the_callers_buffers(world):
    code = (
        "r = bytearray(4); a(0); spi.write_readinto(b'\\x01\\x02\\x03\\x04', r); a(1); print(r)\n"
        "a(0); spi.readinto(r, 0x55); a(1); print(r)"
    )
    assert world.mpremote("exec", SPI + code).split() == [
        r"bytearray(b'\xa0\x01\x01\x02')",
        r"bytearray(b'\xa0\x02UU')",
    ]


def test_i2c_registers_are_read_and_written_at_the_chips_address(world):
    code = """
from machine import I2C
i2c = I2C(0)
r = bytearray(2)
print(i2c.scan())
i2c.writeto_mem(24, 0x20, b"\\x77\\x88")
i2c.readfrom_mem_into(24, 0x20, r)
print(r)
i2c.writeto(24, b"\\x0f")
print(i2c.readfrom(24, 1), i2c.readfrom_mem(24, 0x10, 2))
try:
    i2c.readfrom_mem(25, 0, 1)
except OSError as e:
    print(e.errno)
"""
    assert world.mpremote("exec", code).splitlines() == [
        "[24]",
        r"bytearray(b'w\x88')",
        r"b'\x0f' b'\x10\x11'",
        "19",
    ]


def test_the_battery_is_read_through_its_divider(world):
    code = "from machine import ADC; print(ADC(36).read_uv(), ADC(39).read_uv())"
    assert world.mpremote("exec", code).split() == ["1850000", "0"]


def test_unknown_pins_are_plain_pins(world):
    code = """
from machine import Pin
p = Pin(33, Pin.IN, Pin.PULL_UP); print(p.value())
p.init(Pin.OUT, value=0); print(p(), Pin(33) is p)
p.on(); print(p.value())
"""
    assert world.mpremote("exec", code).split() == ["1", "0", "True", "1"]


def test_a_pin_interrupt_comes_at_the_edge_it_was_asked_for(world):
    code = """
from machine import Pin
p = Pin(32, Pin.IN); seen = []
p.irq(lambda pin: seen.append(pin.value()), Pin.IRQ_RISING)
p.drive(1); p.drive(1); p.drive(0); p.drive(1); p.irq(None); p.drive(0); p.drive(1)
print(seen)
"""
    assert world.mpremote("exec", code).strip() == "[1, 1]"


def test_the_lid_opens_at_its_instant_while_the_clock_leaps(tmp_path):
    changes = [[3600, 1], [3605, 0], [90_000, 1]]
    with bench_in_a_world(tmp_path, changes) as b:
        b.install(LID_MAIN)
        b.wait_for("watching")
        b.control.advance(100_000)
        seen = b.wait_for("lid ", count=3)
    lines = [line for line in seen.splitlines() if line.startswith("lid ")]
    assert lines == ["lid 1 at 3600000", "lid 0 at 3605000", "lid 1 at 90000000"]


def test_the_lid_opens_at_its_instant_in_real_time(tmp_path):
    with bench_in_a_world(tmp_path, [[60, 1]]) as b:
        b.install(LID_MAIN)
        b.wait_for("watching")
        b.control.advance(58)
        seen = b.wait_for("lid 1 at ")
    assert 60_000 <= int(seen.split("lid 1 at ")[1].split()[0]) < 60_200


def test_a_scenario_goes_on_where_it_was_after_a_loss_of_power(tmp_path):
    with bench_in_a_world(tmp_path, [[3600, 1]]) as b:
        b.install(LID_MAIN)
        b.control.advance(3000)
        b.lose_power()
        b.wait_for("watching", count=2)
        b.control.advance(700)
        assert "lid 1 at 3600000" in b.wait_for("lid 1")


def test_without_a_scenario_buses_are_empty_and_the_battery_is_full(tmp_path):
    code = "import machine as m; print(m.I2C(0).scan(), m.SPI(1).read(2), m.ADC(36).read_uv())"
    with bench(tmp_path) as b:
        assert b.mpremote("exec", code).strip() == r"[] b'\xff\xff' 2000000"
