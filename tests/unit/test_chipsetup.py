# SPDX-License-Identifier: MIT
"""Configuring a blank secure element: what is locked is what docs/secure-element.md lists."""

import re

import pytest

from boards.virtual.firmware_side.chips.atecc608b import Cut, PowerLost
from tag.drivers.atecc608 import ATECC608, ChipRefusal
from tag.keys import chipsetup
from tag.keys.chipkeys import ChipKeys, config_fault
from tag.keys.chipsetup import CONSENT, SetupError, configure
from tests.fakes.chip_bench import ADDRESS, BLANK_ADDRESS, ChipBench
from tests.paths import REPO


def opener(bench: ChipBench):
    return lambda address: ATECC608(bench.bus, address, bench.sleep_ms)


def configured_bench() -> ChipBench:
    bench = ChipBench(is_blank=True)
    configure(opener(bench), CONSENT)
    return bench


def test_a_configured_chip_takes_keys_and_signs():
    bench = configured_bench()
    keys = ChipKeys(opener(bench)(ADDRESS))
    public_key = keys.create(b"")
    assert keys.verify(public_key, keys.recover(public_key).sign((b"m",)), (b"m",))


def test_it_answers_at_the_address_of_a_preconfigured_part():
    bench = configured_bench()
    bench.power_up()
    assert bench.chip.address == ADDRESS
    assert (bench.image[86], bench.image[87]) == (0, 0)


@pytest.mark.parametrize("slot", [0, 1, 4, 8, 15])
def test_every_other_slot_is_closed(slot):
    chip = opener(configured_bench())(ADDRESS)
    with pytest.raises(ChipRefusal):
        chip.generate_key(slot)
    with pytest.raises(ChipRefusal):
        chip.sign(slot, bytes(32))
    for opcode, mode, content, size in ((0x02, 0x82, b"", 32), (0x12, 0x82, bytes(32), 1)):
        with pytest.raises(ChipRefusal):
            chip.awake(
                lambda o=opcode, m=mode, c=content, n=size: chip.command(o, m, slot << 3, c, n)
            )


def test_a_signing_slot_can_be_neither_read_written_nor_locked_away():
    chip = opener(configured_bench())(ADDRESS)
    for opcode, mode, content, size in (
        (0x02, 0x82, b"", 32),
        (0x12, 0x82, bytes(32), 1),
        (0x17, 0x82 | 2 << 2, b"", 1),  # SlotLock: no roll for ever
    ):
        with pytest.raises(ChipRefusal):
            chip.awake(
                lambda o=opcode, m=mode, c=content, n=size: chip.command(o, m, 2 << 3, c, n)
            )


def test_nothing_is_locked_without_consent():
    bench = ChipBench(is_blank=True)
    with pytest.raises(SetupError, match=CONSENT):
        configure(opener(bench), "yes")
    assert bench.chip.opcodes == [] and bench.image[87] == 0x55


def test_a_second_call_changes_nothing():
    bench = configured_bench()
    image = bytes(bench.image)
    configure(opener(bench), CONSENT)
    assert bytes(bench.image) == image


def test_a_chip_locked_otherwise_is_refused():
    bench = configured_bench()
    bench.image[20 + 4] = 0x8F
    with pytest.raises(SetupError, match="slot 2"):
        configure(opener(bench), CONSENT)


def test_a_word_that_does_not_stick_stops_before_the_lock():
    bench = ChipBench(is_blank=True)
    program = bench.chip._commands._program
    bench.chip._commands._program = lambda store, new: (
        None if new == b"\x81\x20\x81\x20" else program(store, new)
    )
    with pytest.raises(SetupError, match="nothing is locked"):
        configure(opener(bench), CONSENT)
    assert bench.image[87] == 0x55


@pytest.mark.parametrize("stage", ["before", "torn", "blank", "after"])
def test_a_cut_anywhere_leaves_a_chip_that_can_be_configured(stage):
    for index in range(60):
        bench = ChipBench(is_blank=True)
        bench.chip.cut = Cut(index, stage)
        try:
            configure(opener(bench), CONSENT)
        except PowerLost:
            bench.power_up()
            if bench.chip.address not in (ADDRESS, BLANK_ADDRESS):
                continue  # torn inside the byte of its address: it has to be looked for
            configure(opener(bench), CONSENT)
        else:
            assert index > 25
            break
        assert config_fault(opener(bench)(ADDRESS).config()) == ""


def test_the_document_lists_the_bytes_that_are_written():
    text = (REPO / "docs/secure-element.md").read_text()
    rows = re.findall(r"^\| (\d+) to (\d+) \| `([0-9a-f ]+)`", text, re.M)
    wanted = chipsetup.configured(bytes(ChipBench(is_blank=True).image[:128]))
    listed = 0
    for first, last, content in rows:
        assert bytes.fromhex(content) == wanted[int(first) : int(last) + 1], (first, last)
        listed += int(last) + 1 - int(first)
    assert listed == 68, "SlotConfig, KeyConfig and the address word"
