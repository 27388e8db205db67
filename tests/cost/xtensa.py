# SPDX-License-Identifier: MIT
"""Xtensa, the ESP32's and S3's instruction set, in the translator.

What checks it: whole signatures equal to a host library's, and that it refuses every instruction
it does not know. No second emulator checked its counts.
"""

from tests.cost.machine import ARGUMENTS, STACK_TOP, Entry
from tests.cost.mpy import XTENSAWIN
from tests.cost.translator import Access, Instruction, TranslatingMachine
from tests.cost.xtensa_code import RETURN_REGISTER, decode


class XtensaMachine(TranslatingMachine):
    """Runs viper code of `mpy-cross -march=xtensawin`."""

    architecture = XTENSAWIN
    return_register = RETURN_REGISTER
    result_register = 2

    def decode(self, code: bytes, pc: int, access: Access) -> Instruction | None:
        return decode(code, pc, access)

    def first_registers(self, entry: Entry, argument_count: int) -> dict[int, int]:
        # The caller's a10 to a13 are a2 to a5 in the function's window.
        return {
            1: STACK_TOP,
            2: entry.object_address,
            3: argument_count,
            4: 0,
            5: ARGUMENTS,
        }
