# SPDX-License-Identifier: MIT
"""Instructions of Xtensa (windowed, LX6 and LX7) that mpy-cross emits for viper, as Python.

Source: Xtensa Instruction Set Architecture Reference Manual, chapters 6 and 8. A statement uses
`a` (registers, two more than a0 to a15) and the memory accesses that the translator spells.
"""

from tests.cost.machine import STOP
from tests.cost.translator import Access, Instruction

RETURN_REGISTER, SAR = 16, 17  # beside a0..a15: where a call returns to; the shift amount
_MASK = 0xFFFFFFFF
_SIGN = 1 << 31

# Branches with two registers, and with one against zero, by their number in the code.
_PAIR_BRANCHES = {
    1: "a[{s}]==a[{t}]",
    2: "(a[{s}]^{sign})<(a[{t}]^{sign})",
    3: "a[{s}]<a[{t}]",
    9: "a[{s}]!=a[{t}]",
    10: "(a[{s}]^{sign})>=(a[{t}]^{sign})",
    11: "a[{s}]>=a[{t}]",
}
_ZERO_BRANCHES = ("a[{s}]==0", "a[{s}]!=0", "a[{s}]>={sign}", "a[{s}]<{sign}")


def decode(code: bytes, pc: int, access: Access) -> Instruction | None:
    """The instruction at the start of *code*, None for one that is not known."""
    fields = _Fields(code)
    return fields.narrow(access) if fields.op0 >= 8 else fields.wide(pc, access)


class _Fields:
    """Bit fields of an instruction, named as in the manual."""

    def __init__(self, code: bytes) -> None:
        self.octets = code[:3].ljust(3, b"\0")
        self.op0, self.t = self.octets[0] & 15, self.octets[0] >> 4
        self.s, self.r = self.octets[1] & 15, self.octets[1] >> 4
        self.op1, self.op2 = self.octets[2] & 15, self.octets[2] >> 4

    def narrow(self, access: Access) -> Instruction | None:
        """The 16-bit forms."""
        r, s, t = self.r, self.s, self.t
        if self.op0 == 8:  # l32i.n
            return Instruction(2, access.load(f"a[{t}]", f"a[{s}]+{4 * r}", 4))
        if self.op0 == 9:  # s32i.n
            return Instruction(2, access.store(f"a[{t}]", f"a[{s}]+{4 * r}", 4))
        if self.op0 == 10:  # add.n
            return Instruction(2, f"a[{r}]=a[{s}]+a[{t}]&{_MASK}")
        if self.op0 == 11:  # addi.n
            return Instruction(2, f"a[{r}]=a[{s}]+{t or -1}&{_MASK}")
        if self.op0 == 12 and t < 8:  # movi.n
            value = t << 4 | r
            return Instruction(2, f"a[{s}]={(value - 128 if value >= 96 else value) & _MASK}")
        if self.op0 == 13 and r == 0:  # mov.n
            return Instruction(2, f"a[{t}]=a[{s}]")
        if self.op0 == 13 and r == 15 and t == 1:  # retw.n
            return Instruction(2, next_pc=str(STOP))
        return None

    def wide(self, pc: int, access: Access) -> Instruction | None:
        """The 24-bit forms."""
        b1, b2 = self.octets[1], self.octets[2]
        if self.op0 == 0:
            forms = (self._logic, self._shift, self._multiply)
            statement = forms[self.op1]() if self.op1 < len(forms) else None
            return self._call(pc) if statement is None else Instruction(3, statement)
        if self.op0 == 1:  # l32r
            place = (pc + 3 & ~3) + (_signed(b1 | b2 << 8, 16) << 2)
            return Instruction(3, access.load(f"a[{self.t}]", str(place), 4))
        if self.op0 == 2:
            return self._immediate(access)
        if self.op0 == 6:
            return self._jump(pc)
        if self.op0 == 7 and self.r in _PAIR_BRANCHES:
            condition = _PAIR_BRANCHES[self.r].format(s=self.s, t=self.t, sign=_SIGN)
            return _branch(condition, pc, pc + 4 + _signed(b2, 8))
        return None

    def _logic(self) -> str | None:
        r, s, t, op2 = self.r, self.s, self.t, self.op2
        if op2 in (1, 2, 3):  # and, or, xor
            return f"a[{r}]=a[{s}]{' &|^'[op2]}a[{t}]"
        if op2 >= 8:  # add, addx2, addx4, addx8, sub, ...
            return f"a[{r}]=(a[{s}]<<{op2 & 3}){'+-'[op2 > 11]}a[{t}]&{_MASK}"
        if op2 == 6 and s == 0:  # neg
            return f"a[{r}]=-a[{t}]&{_MASK}"
        if op2 == 4 and r == 0:  # ssr
            return f"a[{SAR}]=a[{s}]&31"
        if op2 == 4 and r == 1:  # ssl
            return f"a[{SAR}]=32-(a[{s}]&31)"
        if op2 == 4 and r == 4:  # ssai
            return f"a[{SAR}]={s | (t & 1) << 4}"
        return None

    def _call(self, pc: int) -> Instruction | None:
        if self.op1 or self.op2 or self.r:
            return None
        if self.t == 14:  # callx8
            return Instruction(3, f"a[{RETURN_REGISTER}]={pc + 3}", f"a[{self.s}]")
        return Instruction(3, next_pc=str(STOP)) if self.t == 9 else None  # retw

    def _shift(self) -> str | None:
        r, s, t, op2 = self.r, self.s, self.t, self.op2
        signed = f"((a[{t}]^{_SIGN})-{_SIGN})"
        if op2 < 2:  # slli
            return f"a[{r}]=a[{s}]<<{32 - (op2 << 4 | t)}&{_MASK}"
        if op2 < 4:  # srai
            return f"a[{r}]=({signed}>>{(op2 & 1) << 4 | s})&{_MASK}"
        return {
            4: f"a[{r}]=a[{t}]>>{s}",  # srli
            9: f"a[{r}]=a[{t}]>>a[{SAR}]",  # srl
            10: f"a[{r}]=a[{s}]<<(32-a[{SAR}])&{_MASK}",  # sll
            11: f"a[{r}]=({signed}>>a[{SAR}])&{_MASK}",  # sra
        }.get(op2)

    def _multiply(self) -> str | None:
        if self.op2 == 8:  # mull
            return f"a[{self.r}]=a[{self.s}]*a[{self.t}]&{_MASK}"
        return None

    def _immediate(self, access: Access) -> Instruction | None:
        s, t, b2 = self.s, self.t, self.octets[2]
        if self.r < 3:  # l8ui, l16ui, l32i
            return Instruction(3, access.load(f"a[{t}]", f"a[{s}]+{b2 << self.r}", 1 << self.r))
        if 4 <= self.r < 7:  # s8i, s16i, s32i
            size = 1 << self.r - 4
            return Instruction(3, access.store(f"a[{t}]", f"a[{s}]+{b2 * size}", size))
        if self.r == 10:  # movi
            return Instruction(3, f"a[{t}]={_signed(s << 8 | b2, 12) & _MASK}")
        if self.r in (12, 13):  # addi, addmi
            value = _signed(b2, 8) << 8 * (self.r - 12)
            return Instruction(3, f"a[{t}]=a[{s}]+{value}&{_MASK}")
        return None

    def _jump(self, pc: int) -> Instruction | None:
        b0, b1, b2 = self.octets
        kind, which = self.t & 3, self.t >> 2
        if kind == 0:  # j
            target = pc + 4 + _signed(b0 >> 6 | b1 << 2 | b2 << 10, 18)
            return Instruction(3, next_pc=str(target))
        if kind == 1:  # beqz, bnez, bltz, bgez
            condition = _ZERO_BRANCHES[which].format(s=self.s, sign=_SIGN)
            return _branch(condition, pc, pc + 4 + _signed(self.r | b2 << 4, 12))
        if kind == 3 and which == 0:  # entry
            return Instruction(3, f"a[{self.s}]-={8 * (b2 << 4 | self.r)}")
        return None


def _branch(condition: str, pc: int, target: int) -> Instruction:
    return Instruction(3, next_pc=f"{target} if {condition} else {pc + 3}")


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value
