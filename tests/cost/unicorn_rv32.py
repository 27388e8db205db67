# SPDX-License-Identifier: MIT
"""RV32IMC, the ESP32-C3's and C6's instruction set, in unicorn (QEMU's translator).

Instructions are counted by basic block: how many a block has follows from the length bits of
its code. Real RV32 MicroPython under qemu -icount gave the same numbers for the field operations.
"""

from unicorn import (
    UC_ARCH_RISCV,
    UC_HOOK_BLOCK,
    UC_HOOK_CODE,
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_WRITE,
    UC_MEM_WRITE,
    UC_MODE_RISCV32,
    Uc,
    UcError,
)
from unicorn import riscv_const as reg

from tests.cost.machine import (
    ARGUMENTS,
    CODE,
    MEMORY_SIZE,
    RUNTIME_COUNT,
    RUNTIME_TABLE,
    STACK_TOP,
    STOP,
    TRAPS,
    Entry,
    Machine,
)
from tests.cost.mpy import RV32IMC

_RETURN = b"\x82\x80\0\0"  # c.jr ra, in the place of each function of the runtime


class UnicornMachine(Machine):
    """Runs viper code of `mpy-cross -march=rv32imc`."""

    architecture = RV32IMC

    def _start(self) -> None:
        self._uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
        # Page 0 stays unmapped: a null pointer stops the code.
        self._uc.mem_map(RUNTIME_TABLE, MEMORY_SIZE - RUNTIME_TABLE)
        self._uc.mem_write(TRAPS, _RETURN * (RUNTIME_COUNT + 1))
        self._end_count = 0  # at which a running call is stopped
        self._counts: dict[tuple[int, int], int] = {}
        self._uc.hook_add(UC_HOOK_BLOCK, self._on_block)
        self._uc.hook_add(UC_HOOK_CODE, self._on_trap, None, TRAPS, STOP - 1)
        if self.is_watched:
            self._uc.hook_add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, self._on_access)

    def _run(self, entry: Entry, argument_count: int) -> int:
        values = (entry.object_address, argument_count, 0, ARGUMENTS, STOP, STACK_TOP)
        names = (reg.UC_RISCV_REG_A0, reg.UC_RISCV_REG_A1, reg.UC_RISCV_REG_A2)
        names += (reg.UC_RISCV_REG_A3, reg.UC_RISCV_REG_RA, reg.UC_RISCV_REG_SP)
        for name, value in zip(names, values, strict=True):
            self._uc.reg_write(name, value)
        self._end_count = self.tally.instruction_count + self.instructions_max
        try:
            self._uc.emu_start(entry.code_address, STOP)
        except UcError as error:
            self._fault = self._fault or f"outside the memory, or no code: {error}"
        return int(self._uc.reg_read(reg.UC_RISCV_REG_A0))

    def _write(self, address: int, octets: bytes) -> None:
        self._uc.mem_write(address, octets)

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._uc.mem_read(address, size))

    def _on_block(self, uc: Uc, address: int, size: int, _: object) -> None:
        if address < CODE:
            return
        count = self._counts.get((address, size))
        if count is None:
            count = _instruction_count(bytes(uc.mem_read(address, size)))
            self._counts[address, size] = count
        self.tally.instruction_count += count
        if self.tally.instruction_count > self._end_count:
            self._fault = "does not end"
            uc.emu_stop()
        if self.is_traced:
            self._blocks.append(address)

    def _on_access(
        self, uc: Uc, access: int, address: int, size: int, value: int, _: object
    ) -> None:
        self._check(address, size, access == UC_MEM_WRITE)
        if self._fault:
            uc.emu_stop()

    def _on_trap(self, uc: Uc, address: int, size: int, _: object) -> None:
        first = uc.reg_read(reg.UC_RISCV_REG_A0)
        result = self._runtime_call(
            (address - TRAPS) >> 2, first, uc.reg_read(reg.UC_RISCV_REG_A1)
        )
        uc.reg_write(reg.UC_RISCV_REG_A0, result)
        if self._fault:
            uc.emu_stop()


def _instruction_count(code: bytes) -> int:
    at = count = 0
    while at < len(code):
        at += 4 if code[at] & 3 == 3 else 2
        count += 1
    return count
