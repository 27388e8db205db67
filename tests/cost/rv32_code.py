# SPDX-License-Identifier: MIT
"""Instructions of RV32IMC that mpy-cross emits for viper, as Python.

Source: The RISC-V Instruction Set Manual, volume I, chapters 2 (RV32I), 12 (M) and 26 (C).
"""

from tests.cost.translator import Access, Instruction

_MASK = 0xFFFFFFFF
_SIGN = 1 << 31
_RETURN = 1  # ra
_STACK = 2  # sp

_CONDITIONS = {
    0: "a[{s}]==a[{t}]",
    1: "a[{s}]!=a[{t}]",
    4: "(a[{s}]^{sign})<(a[{t}]^{sign})",
    5: "(a[{s}]^{sign})>=(a[{t}]^{sign})",
    6: "a[{s}]<a[{t}]",
    7: "a[{s}]>=a[{t}]",
}
_SIGNED_S = "((a[{s}]^{sign})-{sign})"
# By (funct7, funct3); y is the second operand, a register or a number without sign.
_OPERATIONS = {
    (0, 0): "a[{s}]+{y}",
    (32, 0): "a[{s}]-{y}",
    (1, 0): "a[{s}]*{y}",
    (0, 1): "a[{s}]<<({y}&31)",
    (0, 2): "int((a[{s}]^{sign})<({y}^{sign}))",
    (0, 3): "int(a[{s}]<{y})",
    (0, 4): "a[{s}]^{y}",
    (0, 5): "a[{s}]>>({y}&31)",
    (32, 5): _SIGNED_S + ">>({y}&31)",
    (0, 6): "a[{s}]|{y}",
    (0, 7): "a[{s}]&{y}",
}


def decode(code: bytes, pc: int, access: Access) -> Instruction | None:
    """The instruction at the start of *code* (4 bytes), None for one that is not known."""
    word = int.from_bytes(code, "little")
    if word & 3 == 3:
        return _wide(word, pc, access)
    narrow = (_quadrant_0, _quadrant_1, _quadrant_2)[word & 3]
    return narrow(word & 0xFFFF, pc, access)


def _wide(word: int, pc: int, access: Access) -> Instruction | None:
    opcode, d, s, t = word & 127, word >> 7 & 31, word >> 15 & 31, word >> 20 & 31
    funct3, funct7 = word >> 12 & 7, word >> 25
    immediate = _signed(word >> 20, 12)
    if opcode == 0x13:
        is_shift = funct3 & 3 == 1
        y = t if is_shift else immediate & _MASK
        return _operate(4, d, s, str(y), (funct7 if is_shift else 0, funct3))
    if opcode == 0x33:
        return _operate(4, d, s, f"a[{t}]", (funct7, funct3))
    if opcode in (0x17, 0x37):  # auipc, lui
        return _set(4, d, str((word & ~0xFFF) + (pc if opcode == 0x17 else 0) & _MASK))
    if opcode == 0x03 and funct3 in (2, 4, 5):  # lw, lbu, lhu
        size = {2: 4, 4: 1, 5: 2}[funct3]
        return Instruction(4, access.load(_name(d), _place(s, immediate), size))
    if opcode == 0x23 and funct3 < 3:  # sb, sh, sw
        offset = _signed(funct7 << 5 | d, 12)
        return Instruction(4, access.store(f"a[{t}]", _place(s, offset), 1 << funct3))
    if opcode == 0x63 and funct3 in _CONDITIONS:
        return _branch(4, _condition(funct3, s, t), pc, pc + _branch_offset(word))
    if opcode == 0x67 and funct3 == 0:  # jalr
        # The target first: d may be s. Register 32 is none of the processor's.
        statement = f"a[32]=a[{s}];{_name(d)}={pc + 4}"
        return Instruction(4, statement, f"a[32]+{immediate}&{_MASK - 1}")
    if opcode == 0x6F:  # jal
        return Instruction(4, f"{_name(d)}={pc + 4}", str(pc + _jump_offset(word)))
    return None


def _quadrant_0(word: int, pc: int, access: Access) -> Instruction | None:
    s, d = 8 + (word >> 7 & 7), 8 + (word >> 2 & 7)
    offset = _bits(word, (10, 12, 3), (6, 6, 2), (5, 5, 6))
    if word >> 13 == 2:  # c.lw
        return Instruction(2, access.load(f"a[{d}]", _place(s, offset), 4))
    if word >> 13 == 6:  # c.sw
        return Instruction(2, access.store(f"a[{d}]", _place(s, offset), 4))
    if word >> 13 == 0 and word:  # c.addi4spn
        offset = _bits(word, (11, 12, 4), (7, 10, 6), (6, 6, 2), (5, 5, 3))
        return _set(2, d, f"a[{_STACK}]+{offset}&{_MASK}")
    return None


def _quadrant_1(word: int, pc: int, access: Access) -> Instruction | None:
    d, narrow = word >> 7 & 31, 8 + (word >> 7 & 7)
    immediate = _signed(_bits(word, (12, 12, 5), (2, 6, 0)), 6)
    funct3 = word >> 13
    if funct3 == 0:  # c.addi
        return _operate(2, d, d, str(immediate & _MASK), (0, 0))
    if funct3 == 2:  # c.li
        return _set(2, d, str(immediate & _MASK))
    if funct3 == 3 and d == _STACK:  # c.addi16sp
        offset = _bits(word, (12, 12, 9), (6, 6, 4), (5, 5, 6), (3, 4, 7), (2, 2, 5))
        return _operate(2, d, d, str(_signed(offset, 10) & _MASK), (0, 0))
    if funct3 == 3:  # c.lui
        return _set(2, d, str(immediate << 12 & _MASK))
    if funct3 == 4:
        return _narrow_arithmetic(word, narrow, immediate)
    if funct3 == 5:  # c.j
        offset = _bits(
            word,
            *((12, 12, 11), (11, 11, 4), (9, 10, 8), (8, 8, 10)),
            *((7, 7, 6), (6, 6, 7), (3, 5, 1), (2, 2, 5)),
        )
        return Instruction(2, next_pc=str(pc + _signed(offset, 12)))
    if funct3 in (6, 7):  # c.beqz, c.bnez
        offset = _bits(word, (12, 12, 8), (10, 11, 3), (5, 6, 6), (3, 4, 1), (2, 2, 5))
        return _branch(2, _condition(funct3 - 6, narrow, 0), pc, pc + _signed(offset, 9))
    return None


def _narrow_arithmetic(word: int, d: int, immediate: int) -> Instruction | None:
    kind = word >> 10 & 3
    if kind < 3:  # c.srli, c.srai, c.andi
        key = ((0, 5), (32, 5), (0, 7))[kind]
        return _operate(2, d, d, str(immediate & _MASK), key)
    if word >> 12 & 1:
        return None
    key = ((32, 0), (0, 4), (0, 6), (0, 7))[word >> 5 & 3]  # c.sub, c.xor, c.or, c.and
    return _operate(2, d, d, f"a[{8 + (word >> 2 & 7)}]", key)


def _quadrant_2(word: int, pc: int, access: Access) -> Instruction | None:
    d, t = word >> 7 & 31, word >> 2 & 31
    funct3 = word >> 13
    if funct3 == 0:  # c.slli
        return _operate(2, d, d, str(t), (0, 1))
    if funct3 == 2:  # c.lwsp
        offset = _bits(word, (12, 12, 5), (4, 6, 2), (2, 3, 6))
        return Instruction(2, access.load(_name(d), _place(_STACK, offset), 4))
    if funct3 == 6:  # c.swsp
        offset = _bits(word, (9, 12, 2), (7, 8, 6))
        return Instruction(2, access.store(f"a[{t}]", _place(_STACK, offset), 4))
    if funct3 != 4:
        return None
    is_add = word >> 12 & 1
    if t:  # c.add, c.mv
        return _operate(2, d, d if is_add else 0, f"a[{t}]", (0, 0))
    if not d:
        return None  # c.ebreak
    link = f"a[{_RETURN}]={pc + 2}" if is_add else ""  # c.jalr, c.jr
    if link and d == _RETURN:
        return None
    return Instruction(2, link, f"a[{d}]")


def _operate(size: int, d: int, s: int, y: str, key: tuple[int, int]) -> Instruction | None:
    if key not in _OPERATIONS:
        return None
    value = _OPERATIONS[key].format(s=s, y=y, sign=_SIGN)
    return _set(size, d, f"({value})&{_MASK}")


def _set(size: int, d: int, value: str) -> Instruction:
    return Instruction(size, f"a[{d}]={value}" if d else "")


def _name(d: int) -> str:
    """Register *d* as a target; register 0 stays 0."""
    return f"a[{d}]" if d else "_"


def _place(s: int, offset: int) -> str:
    return f"a[{s}]{offset:+d}" if offset else f"a[{s}]"


def _condition(number: int, s: int, t: int) -> str:
    return _CONDITIONS[number].format(s=s, t=t, sign=_SIGN)


def _branch(size: int, condition: str, pc: int, target: int) -> Instruction:
    return Instruction(size, next_pc=f"{target} if {condition} else {pc + size}")


def _branch_offset(word: int) -> int:
    return _signed(_bits(word, (31, 31, 12), (25, 30, 5), (8, 11, 1), (7, 7, 11)), 13)


def _jump_offset(word: int) -> int:
    return _signed(_bits(word, (31, 31, 20), (21, 30, 1), (20, 20, 11), (12, 19, 12)), 21)


def _bits(word: int, *parts: tuple[int, int, int]) -> int:
    """Joins bit ranges: (lowest, highest, where the lowest goes)."""
    value = 0
    for low, high, to in parts:
        value |= (word >> low & (1 << high - low + 1) - 1) << to
    return value


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value
