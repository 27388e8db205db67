# SPDX-License-Identifier: MIT
"""A machine of our own: each basic block becomes a Python function the first time it runs.

Five times as fast as unicorn where every access is looked at, and unicorn has no Xtensa. Access
outside the memory, and access that is not aligned, stop the code (the LX6 raises there too; the
RISC-V cores of the C3 and C6 are slow at best). An instruction that is not known stops it.
"""

import re
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cost.machine import CODE, MEMORY_SIZE, STOP, TRAPS, Entry, Machine, MachineFault

REGISTER_COUNT = 33
_INDEX_NAMES = {1: "octets", 2: "halves", 4: "words"}
_REGISTER = re.compile(r"a\[(\d+)\]")
_CHANGED_REGISTER = re.compile(r"(?:^ ?|;)a\[(\d+)\](?:-=|=(?!=))", re.MULTILINE)
# What may be done with the address p before an access; none is true. _CHECK calls Machine._check
# only where an access is not allowed; _NOTE_AND_CHECK always.
_CHECK = (
    "(rights[(p:={address})]<={is_write} or rights[p+{size}-1]<={is_write} or p&{size}-1)"
    " and check(p,{size},{is_write})"
)
_NOTE = "note((p:={address})<<1|{is_write})"
_NOTE_AND_CHECK = "check((p:={address}),{size},{is_write})"
# Takes the registers, returns the next address.
Block = Callable[[list[int]], int]


@dataclass(frozen=True)
class Instruction:
    """An instruction as Python: a statement on registers `a` and memory.

    *next_pc* is "" where the next instruction follows, else an expression for its address.
    """

    size: int
    statement: str = ""
    next_pc: str = ""


@dataclass(frozen=True)
class Access:
    """Spells access to memory, and before it what watches the address, or ""."""

    watch: str

    def load(self, target: str, address: str, size: int) -> str:
        return f"{target}={_INDEX_NAMES[size]}[{self._index(address, size, False)}]"

    def store(self, source: str, address: str, size: int) -> str:
        mask = "" if size == 4 else f"&{(1 << 8 * size) - 1}"
        return f"{_INDEX_NAMES[size]}[{self._index(address, size, True)}]={source}{mask}"

    def _index(self, address: str, size: int, is_write: bool) -> str:
        if "-" in address or self.watch:
            address = f"{address}&0xFFFFFFFF"
        if size == 1 and not self.watch:
            return address
        # An address that is not aligned gives an index that no memory has.
        index = f"p>>{size >> 1}|(p&{size - 1})<<40"
        if not self.watch:
            return index.replace("p", f"(p:={address})", 1)
        watch = self.watch.format(address=address, size=size, is_write=is_write)
        return f"{watch} or {index}"


class TranslatingMachine(Machine):
    """Runs code by translating it; a processor adds decode() and its calling convention."""

    return_register = 0  # where the address lies to which the runtime's functions return
    result_register = 0

    @abstractmethod
    def decode(self, code: bytes, pc: int, access: Access) -> Instruction | None:
        """The instruction at the start of *code* (4 bytes), None for an unknown one."""

    @abstractmethod
    def first_registers(self, entry: Entry, argument_count: int) -> dict[int, int]:
        """What the registers hold when a function is called, by their numbers."""

    def _start(self) -> None:
        self._memory = bytearray(MEMORY_SIZE)
        octets = memoryview(self._memory)
        self._names: dict[str, Any] = {"octets": octets, "words": octets.cast("I")}
        self._names.update(halves=octets.cast("H"), check=self._check)
        self._names.update(note=self._accesses.append)
        self._names.update(rights=self._rights)
        watches = ("", _NOTE), (_CHECK, _NOTE_AND_CHECK)
        self._access = Access(watches[self.is_strict][self.is_traced])
        self._translated: dict[int, tuple[Block, int]] = {}

    def _run(self, entry: Entry, argument_count: int) -> int:
        registers = [0] * REGISTER_COUNT
        for number, value in self.first_registers(entry, argument_count).items():
            registers[number] = value
        try:
            self._run_blocks(registers, entry.code_address)
        except IndexError:
            self._fault = self._fault or "access outside the memory, or not aligned"
        except MachineFault as fault:
            self._fault = str(fault)
        return registers[self.result_register]

    def _run_blocks(self, registers: list[int], pc: int) -> None:
        total = 0
        while pc != STOP and not self._fault:
            if TRAPS <= pc < STOP:
                # Both conventions pass two arguments in registers 10 and 11, the result in 10.
                first, second = registers[10], registers[11]
                registers[10] = self._runtime_call((pc - TRAPS) >> 2, first, second)
                pc = registers[self.return_register]
            block, count = self._translated.get(pc) or self._translate(pc)
            if self.is_traced:
                self._blocks.append(pc)
            total += count
            pc = block(registers)
            if total > self.instructions_max:
                self._fault = "does not end"
        self.tally.instruction_count += total

    def _write(self, address: int, octets: bytes) -> None:
        self._memory[address : address + len(octets)] = octets

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._memory[address : address + size])

    def _translate(self, start: int) -> tuple[Block, int]:
        if not CODE <= start < self._top:
            raise MachineFault(f"jumps to {start:#x}, where no code is")
        lines, pc, count, next_pc = [], start, 0, ""
        while not next_pc:
            code = self._read(pc, 4)
            found = self.decode(code, pc, self._access)
            if found is None:
                raise MachineFault(f"instruction {code[::-1].hex()} at {pc:#x} is not known")
            pc += found.size
            count += 1
            lines.append(found.statement)
            next_pc = found.next_pc
        names = dict(self._names)
        exec(_block_source([line for line in lines if line], next_pc), names)
        self._translated[start] = names["block"], count
        return self._translated[start]


def _block_source(statements: list[str], next_pc: str) -> str:
    """The function of a block. Registers are local in it: Python is twice as fast with those."""
    body = "\n ".join([*statements, f"next_pc={next_pc}"])
    used = sorted(set(_REGISTER.findall(body)))
    changed = sorted(set(_CHANGED_REGISTER.findall(body)))
    before = ";".join(f"r{number}=a[{number}]" for number in used) or "pass"
    after = ";".join(f"a[{number}]=r{number}" for number in changed) or "pass"
    body = _REGISTER.sub(r"r\1", body)
    return f"def block(a):\n {before}\n {body}\n {after}\n return next_pc"
