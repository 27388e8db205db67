# SPDX-License-Identifier: MIT
"""Ed25519 in big integers, as fast as they allow: what the viper code is measured against.

Same comb, same table, same formulas and the same viper SHA-512 as the tag's code; inversion by
Euclid's algorithm. Not for use: nothing here hides a secret. Two ways of reducing a product, `%`
and folding twice, are offered: which is faster depends on the port.
"""

from tag.ed25519.sha512 import Sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D2 = 2 * -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1
MASK = 2**255 - 1
COMB_OFFSET = 2**264 - 1
COLUMN_COUNT, BLOCK_COUNT, TOOTH_COUNT = 11, 4, 6
ENTRY_COUNT = 32  # of a block
REDUCTIONS = (
    ("{0} %= P",),
    ("{0} = ({0} & MASK) + ({0} >> 255) * 19",) * 2,
)

# Statements; each product is reduced after it. u: y + x, y - x, 2 d x y of what is added.
ADD_AFFINE = """a = (y - x + P) * u[1]
b = (y + x) * u[0]
c = t * u[2]
d = z + z
e = b - a + P
f = d - c + P
g = d + c
h = b + a
x = e * f
y = g * h
z = f * g
t = e * h"""
ADD_CACHED = ADD_AFFINE.replace("d = z + z", "d = z * u[3]")
DOUBLE = """a = x * x
b = y * y
d = (x + y) * (x + y)
c = z * z
h = a + b
e = h - d + P
g = a - b + P
f = c + c + g
x = e * f
y = g * h
z = f * g
t = e * h"""


def compile_formula(name, arguments, statements, reduction):
    """The function x, y, z, t, ... -> x, y, z, t that *statements* describe."""
    lines = ["def %s(x, y, z, t%s):" % (name, arguments)]
    for statement in statements.split("\n"):
        lines.append(" " + statement)
        if "*" in statement:
            lines += [" " + step.format(statement[0]) for step in reduction]
    lines.append(" return x, y, z, t")
    names = {"P": P, "MASK": MASK}
    exec("\n".join(lines), names)
    return names[name]


def inverse(z):
    """1 / z modulo P."""
    a, b, u, v = z % P, P, 1, 0
    while a:
        q = b // a
        b, a = a, b - q * a
        v, u = u, v - q * u
    return v % P


def read_table(path):
    """The comb's entries as (y + x, y - x, 2 d x y)."""
    entries = []
    with open(path, "rb") as f:
        for _ in range(BLOCK_COUNT * ENTRY_COUNT):
            words = [int.from_bytes(f.read(2), "little") for _ in range(60)]
            parts = []
            for at in (0, 20, 40):
                value = 0
                for limb in reversed(words[at : at + 20]):
                    value = value << 13 | limb
                parts.append(value)
            entries.append(tuple(parts))
    return entries


class BigintKey:
    """Signs and verifies as tag.ed25519.sign, with one way of reducing."""

    def __init__(self, seed, table, reduction):
        self._hash = Sha512()
        self._table = table
        self._add = compile_formula("add", ", u", ADD_AFFINE, reduction)
        self._add_cached = compile_formula("add", ", u", ADD_CACHED, reduction)
        self._double = compile_formula("double", "", DOUBLE, reduction)
        self._known_key = self._multiples = None
        digest = self._digest(seed)
        self._scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self._prefix = digest[32:]
        self.public_key = self._encode(self._multiply_base(self._scalar))

    def sign(self, message):
        """The 64-byte signature."""
        r = int.from_bytes(self._digest(self._prefix, message), "little") % L
        encoded = self._encode(self._multiply_base(r))
        k = int.from_bytes(self._digest(encoded, self.public_key, message), "little")
        return encoded + ((r + k * self._scalar) % L).to_bytes(32, "little")

    def verify(self, public_key, signature, message):
        """Whether encode(S B - k A) is R; nothing else is checked."""
        k = int.from_bytes(self._digest(signature[:32], public_key, message), "little") % L
        s = int.from_bytes(signature[32:], "little")
        if self._known_key != public_key:  # as the tag's code keeps them
            self._multiples = self._odd_multiples(*decode_negated(public_key))
            self._known_key = public_key
        digits = window_digits(k)
        bits = comb_bits(s)
        point = 0, 1, 1, 0
        for bit in range(254, -1, -1):
            point = self._double(*point)
            digit = digits.get(bit, 0)
            if digit:
                point = self._add_cached(
                    *point, signed(self._multiples[abs(digit) >> 1], digit < 0)
                )
            if bit < COLUMN_COUNT:
                point = self._add_column(point, bits, bit)
        return self._encode(point) == signature[:32]

    def _digest(self, *parts):
        return bytes(self._hash.digest(bytearray(64), *parts))

    def _multiply_base(self, scalar):
        bits = comb_bits(scalar)
        point = 0, 1, 1, 0
        for column in range(COLUMN_COUNT - 1, -1, -1):
            if column != COLUMN_COUNT - 1:
                point = self._double(*point)
            point = self._add_column(point, bits, column)
        return point

    def _add_column(self, point, bits, column):
        for block in range(BLOCK_COUNT):
            at = column + COLUMN_COUNT * TOOTH_COUNT * block
            index = 0
            for tooth in range(TOOTH_COUNT):
                index |= (bits[at >> 3] >> (at & 7) & 1) << tooth
                at += COLUMN_COUNT
            is_negative = index < ENTRY_COUNT
            entry = (~index if is_negative else index) & ENTRY_COUNT - 1
            entry = self._table[block * ENTRY_COUNT + entry]
            point = self._add(*point, signed(entry, is_negative))
        return point

    def _odd_multiples(self, x, y):
        """1, 3, ... 15 times a point, cached."""
        point = x, y, 1, x * y % P
        twice = cached(self._double(*point))
        multiples = [cached(point)]
        for _ in range(7):
            point = self._add_cached(*point, twice)
            multiples.append(cached(point))
        return multiples

    def _encode(self, point):
        z = inverse(point[2])
        return (point[1] * z % P | (point[0] * z % P & 1) << 255).to_bytes(32, "little")


def comb_bits(scalar):
    """264 bits that stand for +1 and -1: their sum with weights is the scalar, modulo L."""
    doubled = (scalar + COMB_OFFSET) % L
    return ((doubled + (L if doubled & 1 else 0)) >> 1).to_bytes(33, "little")


def cached(point):
    """y + x, y - x, 2 d t, 2 z."""
    x, y, z, t = point
    return y + x, y - x + P, t * D2 % P, z + z


def signed(entry, is_negative):
    """What to add, or to subtract."""
    if not is_negative:
        return entry
    return (entry[1], entry[0], P - entry[2]) + tuple(entry[3:])


def window_digits(k):
    """{bit: odd digit of -15 to 15}, sum(digit << bit) = k."""
    digits = {}
    bit = 0
    while k:
        if k & 1:
            digit = k & 31
            digit -= 32 if digit > 15 else 0
            digits[bit] = digit
            k -= digit
        k >>= 1
        bit += 1
    return digits


def decode_negated(encoded):
    """x, y of minus the point: trusted to be one."""
    number = int.from_bytes(encoded, "little")
    y = number & MASK
    u, v = (y * y - 1) % P, (D2 * inverse(2) * y * y + 1) % P
    x = u * v**3 % P * pow(u * pow(v, 7, P) % P, (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT % P
    return (P - x if x & 1 == number >> 255 else x), y
