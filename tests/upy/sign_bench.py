# SPDX-License-Identifier: MIT
"""Rates of one process: the tag's viper Ed25519 and a plain big-integer one, same messages.

The big-integer version is what one would write first in MicroPython: Python integers, extended
coordinates, double and add from a table of doubled base points, `%` for each product; it borrows
the viper SHA-512 (pure Python would be far slower). Prints "viper_per_s bigint_per_s heap_bytes".
"""

import gc
import time

from tag.ed25519 import sign
from tag.ed25519.sha512 import Sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BY = 4 * pow(5, P - 2, P) % P
BX = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_hash = Sha512()


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def doubled_bases():
    point = (BX, BY, 1, BX * BY % P)
    out = []
    for _ in range(256):
        out.append(point)
        point = add(point, point)
    return out


BASES = doubled_bases()


def multiply(k):
    point = (0, 1, 1, 0)
    i = 0
    while k:
        if k & 1:
            point = add(point, BASES[i])
        k >>= 1
        i += 1
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def bigint_signer(seed):
    digest = bytes(_hash.digest(bytearray(64), seed))
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    public_key = multiply(scalar)

    def sign_message(message):
        r = int.from_bytes(_hash.digest(bytearray(64), digest[32:], message), "little") % L
        encoded = multiply(r)
        k = int.from_bytes(_hash.digest(bytearray(64), encoded, public_key, message), "little")
        return encoded + ((r + k * scalar) % L).to_bytes(32, "little")

    return sign_message


def per_second(call, duration_ms):
    """The best of five runs: other work on the machine only slows a run down."""
    best = 0
    for _ in range(5):
        count = 0
        start = time.ticks_us()
        while time.ticks_diff(time.ticks_us(), start) < duration_ms * 1000:
            call()
            count += 1
        best = max(best, count * 1_000_000 / time.ticks_diff(time.ticks_us(), start))
    return best


seed = bytes(range(32))
message = bytes(150)
key = sign.SigningKey(seed)
plain = bigint_signer(seed)
assert key.sign((message,)) == plain(message)
gc.collect()
gc.disable()
before = gc.mem_alloc()
key.sign((message,), seed)
heap = gc.mem_alloc() - before
gc.enable()
viper = per_second(lambda: key.sign((message,), seed), 400)
bigint = per_second(lambda: plain(message), 400)
print(viper, bigint, heap)
