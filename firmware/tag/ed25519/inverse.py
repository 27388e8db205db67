# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""Inversion modulo p = 2**255 - 19 in constant time by division steps.

Bernstein and Yang (2019), "Fast constant-time gcd computation and modular inversion", with the
counter that starts at one half: 590 steps are enough for numbers below 2**256. 46 rounds of 13
steps do: a round needs only the lowest limbs of f and g, and shifts both by one limb. A quarter
of what z**(p - 2) costs. docs/ed25519.md, "Inversion", has the bounds.
"""

import micropython

WORK_WORDS = micropython.const(80)


# Only the first two locals of a viper function live in registers: `x`, which the caller passes
# as 0 to reserve its place, and the pointer `w`.
@micropython.viper
def invert(x: int, w: ptr32, z: ptr32):
    """z = 1 / z, for z canonical; the result is below 110 p and wants make_canonical().

    *w* is work space of 80 words: f, g, d and e. Limbs are 13 bits, the top one of each is
    signed and kept with 32768 added. Always f = d z and g = e z (mod p), up to the factor that
    each round divides out of all four.
    """
    work = uint(w)
    k = 0
    while k < 20:
        w[k] = 8191
        w[k + 20] = z[k]
        w[k + 40] = 0
        w[k + 60] = 0
        k += 1
    w[0] = 8173
    w[19] = 255 + 32768
    w[39] = w[39] + 32768
    w[59] = 32768
    w[60] = 1
    w[79] = 32768
    y = 0
    zeta = -1
    rounds = 46
    while rounds:
        # 13 steps on the lowest limbs. top = u + v * 2**16 and bottom = q + r * 2**16 are the
        # rows of the matrix that the steps amount to, each |u| + |v| <= 2**13.
        f = w[0]
        g = w[20]
        top = 1
        bottom = 65536
        k = 13
        while k:
            x = zeta >> 31  # all ones: f and g may change places
            y = 0 - (g & 1)  # all ones: g is odd
            g += ((f ^ x) - x) & y
            bottom += ((top ^ x) - x) & y
            x = x & y
            zeta = (zeta ^ x) - 1
            f += g & x
            top += bottom & x
            g >>= 1
            top <<= 1
            k -= 1
        v = (top + 32768) >> 16
        u = top - (v << 16)
        r = (bottom + 32768) >> 16
        q = bottom - (r << 16)
        # (f, g) and (d, e) times the matrix, divided by 2**13. For f and g the division is
        # exact and i = j = 0; for d and e a multiple of p, which is -19 mod 2**13, makes it so.
        pairs = 2
        while pairs:
            x = w[0]
            y = w[20]
            f = u * x + v * y
            g = q * x + r * y
            i = (f * 2587) & 8191  # 1 / 19 mod 2**13
            j = (g * 2587) & 8191
            f = (f - 19 * i) >> 13
            g = (g - 19 * j) >> 13
            k = 18
            while k:
                x = w[1]
                y = w[21]
                f += u * x + v * y
                g += q * x + r * y
                w[0] = f & 8191
                w[20] = g & 8191
                f >>= 13
                g >>= 13
                w = ptr32(uint(w) + 4)
                k -= 1
            x = w[1] - 32768
            y = w[21] - 32768
            f += u * x + v * y + (i << 8)
            g += q * x + r * y + (j << 8)
            w[0] = f & 8191
            w[20] = g & 8191
            w[1] = (f >> 13) + 32768
            w[21] = (g >> 13) + 32768
            w = ptr32(uint(w) + 88)
            pairs -= 1
        w = ptr32(work)
        rounds -= 1
    # f is 1 or -1, d its sign times 1 / z, |d| <= 46 p: 64 p = 2**261 - 1216 makes it positive.
    x = ((w[19] - 32768) >> 31) | 1
    y = 0 - 1216
    k = 0
    while k < 19:
        y += x * w[k + 40]
        z[k] = y & 8191
        y >>= 13
        k += 1
    z[19] = y + x * (w[59] - 32768) + 16384
