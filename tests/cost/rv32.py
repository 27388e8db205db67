# SPDX-License-Identifier: MIT
"""RV32IMC in the translator: the second opinion on unicorn's counts, and the one that traces."""

from tests.cost.machine import ARGUMENTS, STACK_TOP, STOP, Entry
from tests.cost.mpy import RV32IMC
from tests.cost.rv32_code import decode
from tests.cost.translator import Access, Instruction, TranslatingMachine


class Rv32Machine(TranslatingMachine):
    """Runs viper code of `mpy-cross -march=rv32imc`."""

    architecture = RV32IMC
    return_register = 1
    result_register = 10

    def decode(self, code: bytes, pc: int, access: Access) -> Instruction | None:
        return decode(code, pc, access)

    def first_registers(self, entry: Entry, argument_count: int) -> dict[int, int]:
        return {
            1: STOP,
            2: STACK_TOP,
            10: entry.object_address,
            11: argument_count,
            12: 0,
            13: ARGUMENTS,
        }
