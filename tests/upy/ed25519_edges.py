# SPDX-License-Identifier: MIT
"""Signatures on which Ed25519 verifiers differ, with the verdict of docs/ed25519.md for each.

Built from the curve's definition (tools/generate_comb_table.py), as no public set has them all.
`T` is a point of order 8; `mixed` keys and Rs have a component of T besides the usual one.
"""

import random
import sys
from collections.abc import Iterator
from hashlib import sha512
from typing import NamedTuple

from tests.paths import REPO

sys.path.insert(0, str(REPO / "tools"))
import generate_comb_table as curve

L, P = curve.L, curve.P
Point = tuple[int, int]
MESSAGE_COUNT_MAX = 2000


class Case(NamedTuple):
    """One signature and whether it holds."""

    name: str
    public_key: bytes
    message: bytes
    signature: bytes
    is_valid: bool


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def challenge(r: bytes, public_key: bytes, message: bytes) -> int:
    return int.from_bytes(sha512(r + public_key + message).digest(), "little") % L


def torsion_points() -> list[Point]:
    """The eight points whose order divides 8: multiples of one of order 8."""
    for y in range(2, 100):
        try:
            point = curve.multiply(L, (curve.x_of(y, 0), y))
        except ValueError:
            continue
        if curve.multiply(4, point) != (0, 1):
            return [curve.multiply(k, point) for k in range(8)]
    raise ValueError("no point of order 8 found")


TORSION = torsion_points()
SECRET, NONCE = 0x1234567 * 2**200 % L, 0x7654321 * 2**190 % L
KEY, R = curve.multiply(SECRET, curve.BASE), curve.multiply(NONCE, curve.BASE)


def messages() -> Iterator[bytes]:
    for n in range(MESSAGE_COUNT_MAX):
        yield b"message %d" % n


def signed(s: int) -> bytes:
    return (s % L).to_bytes(32, "little")


def small_order_keys() -> Iterator[Case]:
    """S B = R and 8 | k: the equation holds, but whoever has no key at all could have signed."""
    keys = [encode(point) for point in TORSION]
    # x = 0 with a sign; y that is not below p, where y - p is that of a small order.
    keys += [(y | 1 << 255).to_bytes(32, "little") for y in (1, P - 1)]
    keys += [(y | sign << 255).to_bytes(32, "little") for y in (P, P + 1) for sign in (0, 1)]
    r = encode(R)
    for key in keys:
        message = next(m for m in messages() if challenge(r, key, m) % 8 == 0)
        yield Case(f"small-order key {key.hex()[:4]}", key, message, r + signed(NONCE), False)


def small_order_rs() -> Iterator[Case]:
    """R = -j T chosen so that the equation holds for a key with T in it, or R neutral."""
    key = encode(KEY)
    r = encode((0, 1))
    s = challenge(r, key, b"m") * SECRET
    yield Case("small-order R, usual key", key, b"m", r + signed(s), False)
    key = encode(curve.add(KEY, TORSION[1]))
    for j in range(8):
        r = encode(TORSION[-j % 8])
        message = next(m for m in messages() if challenge(r, key, m) % 8 == j)
        s = challenge(r, key, message) * SECRET
        yield Case(f"small-order R, mixed key, {j}", key, message, r + signed(s), False)


def mixed_points() -> Iterator[Case]:
    """The cofactor decides here: k is used as the number below L that it is, without 8."""
    for i in range(1, 8):
        key = encode(curve.add(KEY, TORSION[i]))
        for j in range(8):
            r = encode(curve.add(R, TORSION[j]))
            for wanted in range(8):
                message = next(m for m in messages() if challenge(r, key, m) % 8 == wanted)
                s = NONCE + challenge(r, key, message) * SECRET
                holds = (j + wanted * i) % 8 == 0
                name = f"mixed key {i}, R {j}, k {wanted}"
                if holds or wanted < 2:
                    yield Case(name, key, message, r + signed(s), holds)
    key = encode(KEY)
    for j in range(1, 8):
        r = encode(curve.add(R, TORSION[j]))
        s = NONCE + challenge(r, key, b"m") * SECRET
        yield Case(f"usual key, mixed R {j}", key, b"m", r + signed(s), False)


def bad_encodings() -> Iterator[Case]:
    """S not below L; y of a usual R or key not below p needs y < 19, which no known point has."""
    r, key = encode(R), encode(KEY)
    s = (NONCE + challenge(r, key, b"m") * SECRET) % L
    yield Case("usual", key, b"m", r + signed(s), True)
    for multiple in range(1, (2**256 - s) // L + 1):
        wide = (s + multiple * L).to_bytes(32, "little")
        yield Case(f"S + {multiple} L", key, b"m", r + wide, False)
    # S = 0: R = -k A, k found by trial as R is hashed, too: impossible; so S = 0 and S = L with
    # the equation broken must be refused for either reason.
    for wide in (0, L, 2**252, 2**256 - 1):
        yield Case(f"S {wide:x}", key, b"m", r + wide.to_bytes(32, "little"), False)
    flipped = bytearray(r)
    flipped[31] ^= 128
    s = NONCE + challenge(bytes(flipped), key, b"m") * SECRET
    yield Case("R with the other sign", key, b"m", bytes(flipped) + signed(s), False)
    s = -NONCE + challenge(bytes(flipped), key, b"m") * SECRET
    yield Case("minus R", key, b"m", bytes(flipped) + signed(s), True)
    rng = random.Random(5)
    for y in range(2, 19):
        for text, where in ((f"y {y} + p as key", 0), (f"y {y} + p as R", 1)):
            wide = (y + P).to_bytes(32, "little")
            pair = (wide, r) if where == 0 else (key, wide)
            yield Case(text, pair[0], b"m", pair[1] + signed(rng.randrange(L)), False)


def cases() -> list[Case]:
    """All of them; about 250."""
    makers = (small_order_keys, small_order_rs, mixed_points, bad_encodings)
    return [case for maker in makers for case in maker()]
