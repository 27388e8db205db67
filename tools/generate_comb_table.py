#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes firmware/tag/ed25519/comb.bin and constants.py: multiples of the base point, constants.

Signed comb (Hamburg 2012, "Fast and compact elliptic-curve cryptography", section 3.3) with 4
blocks of 6 teeth, 11 bits apart: 4 * 6 * 11 = 264 bits. A scalar is written with digits +1 and
-1, so only the 32 combinations per block with a positive highest tooth are stored; the others
are their negatives. 128 entries of y + x, y - x and 2 d x y, each 20 limbs of 13 bits as u16
(little-endian): 15,360 bytes. Everything is computed here from the curve's definition.

Run: python tools/generate_comb_table.py      (the files are checked in; the output is stable)
"""

import math
import struct
from hashlib import sha256
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "firmware" / "tag" / "ed25519"

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
BLOCK_COUNT, TOOTH_COUNT, SPACING = 4, 6, 11
BIT_COUNT = BLOCK_COUNT * TOOTH_COUNT * SPACING
R = 2**260  # Montgomery radix of the scalars

Point = tuple[int, int]


def x_of(y: int, is_odd: int) -> int:
    """RFC 8032 section 5.1.3. Raises ValueError when there is no point with this y."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P:
        raise ValueError("not on the curve")
    return P - x if x % 2 != is_odd else x


def add(p: Point, q: Point) -> Point:
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P)
    return x % P, y % P


def negate(p: Point) -> Point:
    return -p[0] % P, p[1]


def multiply(k: int, p: Point) -> Point:
    out = (0, 1)
    while k:
        if k & 1:
            out = add(out, p)
        p = add(p, p)
        k >>= 1
    return out


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y)


def comb_points() -> list[Point]:
    """Entry i of block b: the highest tooth plus or minus each lower one, by the bits of i."""
    out = []
    for block in range(BLOCK_COUNT):
        first = block * TOOTH_COUNT
        teeth = [multiply(2 ** (SPACING * (first + i)), BASE) for i in range(TOOTH_COUNT)]
        for index in range(2 ** (TOOTH_COUNT - 1)):
            point = teeth[-1]
            for i, tooth in enumerate(teeth[:-1]):
                point = add(point, tooth if index >> i & 1 else negate(tooth))
            out.append(point)
    return out


def limbs(value: int, count: int = 20) -> list[int]:
    return [value >> (13 * k) & 8191 for k in range(count)]


def comb_table() -> bytes:
    out = bytearray()
    for x, y in comb_points():
        for value in ((y + x) % P, (y - x) % P, 2 * D * x * y % P):
            out += struct.pack("<20H", *limbs(value))
    return bytes(out)


def small_order_ys() -> list[int]:
    """The y of the eight points whose order divides 8 (five values)."""
    # Four times any point of order 8 is (0, -1); one is found as L times a random point.
    for y in range(2, 100):
        try:
            torsion = multiply(L, (x_of(y, 0), y))
        except ValueError:
            continue
        ys = {multiply(k, torsion)[1] for k in range(8)}
        if len(ys) == 5:
            return sorted(ys)
    raise ValueError("no point of order 8 found")


def cube_root(n: int) -> int:
    low, high = 0, 1 << (n.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= n else (low, middle - 1)
    return low


def sha512_words() -> tuple[list[int], list[int]]:
    """FIPS 180-4 section 5.3.5 and 4.2.3: fractional parts of roots of the first primes."""
    primes = [n for n in range(2, 410) if all(n % q for q in range(2, n))][:80]
    initial = [math.isqrt(n << 128) & (2**64 - 1) for n in primes[:8]]
    rounds = [cube_root(n << 192) & (2**64 - 1) for n in primes]
    return initial, rounds


def words(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def halves(values: list[int]) -> list[int]:
    return [half for value in values for half in (value >> 32, value & (2**32 - 1))]


def constants_source(table: bytes) -> str:
    initial, rounds = sha512_words()
    order_inverse = -pow(L, -1, 8192) % 8192
    chunks = [
        ("Square root of -1, curve constant d and 2 d: 32 bytes little-endian.", None),
        ("ROOT_OF_MINUS_1", ROOT_OF_MINUS_1.to_bytes(32, "little")),
        ("D", D.to_bytes(32, "little")),
        ("D2", (2 * D % P).to_bytes(32, "little")),
        ("y of the points whose order divides 8, 32 bytes each.", None),
        ("SMALL_ORDER_YS", b"".join(y.to_bytes(32, "little") for y in small_order_ys())),
        ("Group order L, R**2 mod L, comb offset 2**264 - 1 mod L: 20 limbs in words.", None),
        ("ORDER", words(limbs(L))),
        ("R_SQUARED", words(limbs(R * R % L))),
        ("COMB_OFFSET", words(limbs((2**BIT_COUNT - 1) % L))),
        ("SHA-512: initial state and round constants, high word first.", None),
        ("SHA512_INITIAL", words(halves(initial))),
        ("SHA512_ROUNDS", words(halves(rounds))),
        ("SHA-256 of comb.bin: a damaged table would sign wrongly.", None),
        ("COMB_SHA256", sha256(table).digest()),
    ]
    lines = [
        "# SPDX-License-Identifier: MIT",
        "# Generated by tools/generate_comb_table.py. Do not edit.",
        '"""Constants of curve, group order and SHA-512, each computed from its definition."""',
        "",
        "from micropython import const",
        "",
        f"COMB_SIZE = const({len(table)})",
        "# -1 / L modulo 2**13, for the Montgomery reduction.",
        f"MONTGOMERY_FACTOR = const({order_inverse})",
    ]
    for name, value in chunks:
        lines += ["", f"# {name}"] if value is None else assignment(name, value)
    return "\n".join(lines) + "\n"


def assignment(name: str, value: bytes) -> list[str]:
    rows = [value[i : i + 20] for i in range(0, len(value), 20)]
    return [
        f"{name} = (",
        *('    b"' + "".join(f"\\x{byte:02x}" for byte in row) + '"' for row in rows),
        ")",
    ]


def main() -> None:
    table = comb_table()
    (TARGET / "comb.bin").write_bytes(table)
    (TARGET / "constants.py").write_text(constants_source(table))


if __name__ == "__main__":
    main()
