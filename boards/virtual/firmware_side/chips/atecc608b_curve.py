# SPDX-License-Identifier: MIT
"""NIST P-256 for the fake secure element: plain integers, nothing secret about it.

Source: FIPS 186-5 (ECDSA), SP 800-186 section 3.2.1.3 (the curve). Points are (x, y), or None
for the point at infinity; inside, Jacobian coordinates (X, Y, Z) stand for (X/Z^2, Y/Z^3).
"""

P = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def is_on_curve(point) -> bool:
    """Whether the affine *point* is one of the curve."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - x * x * x + 3 * x - _B) % P == 0


def multiply(k: int, point):
    """k * point, affine; None for infinity."""
    return _affine(_multiply(k, point))


def _multiply(k, point):
    total = (0, 1, 0)
    addend = (point[0], point[1], 1)
    for i in range(k.bit_length() if hasattr(k, "bit_length") else 256, -1, -1):
        total = _double(total)
        if k >> i & 1:
            total = _add(total, addend)
    return total


def _double(point):
    x, y, z = point
    if z == 0 or y == 0:
        return (0, 1, 0)
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = 2 * y * z % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, z3


def _add(one, other):
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    z1z1, z2z2 = z1 * z1 % P, z2 * z2 % P
    u1, u2 = x1 * z2z2 % P, x2 * z1z1 % P
    s1, s2 = y1 * z2 * z2z2 % P, y2 * z1 * z1z1 % P
    if u1 == u2:
        return _double(one) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, z1 * z2 * h % P


def _affine(point):
    x, y, z = point
    if z == 0:
        return None
    inverse = pow(z, P - 2, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def sign(secret: int, digest: int, nonce: int):
    """(r, s) with *nonce*, or None where this nonce will not do."""
    point = multiply(nonce % ORDER, BASE)
    if point is None:
        return None
    r = point[0] % ORDER
    s = pow(nonce, ORDER - 2, ORDER) * (digest + r * secret) % ORDER
    return (r, s) if r and s else None


def verify(public, digest: int, r: int, s: int) -> bool:
    """Whether (r, s) holds under the affine point *public*, either s of the two."""
    if not (0 < r < ORDER and 0 < s < ORDER and is_on_curve(public)):
        return False
    inverse = pow(s, ORDER - 2, ORDER)
    first = _multiply(digest * inverse % ORDER, BASE)
    found = _affine(_add(first, _multiply(r * inverse % ORDER, public)))
    return found is not None and found[0] % ORDER == r
