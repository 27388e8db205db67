# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""Numbers as arrays of 13-bit limbs: conversion from and to little-endian bytes.

Shared by field and scalar arithmetic. Every loop has a length that does not depend on a value.
"""

import micropython


@micropython.viper
def limbs_from_bytes(limbs: ptr32, limb_count: int, source: ptr8, size: int):
    """Spreads *size* bytes over *limb_count* limbs; missing bytes are zero, spare bits lost."""
    bits = 0
    bit_count = 0
    at = 0
    k = 0
    while k < limb_count:
        while bit_count < 13:
            if at < size:
                bits = bits | (source[at] << bit_count)
            at += 1
            bit_count += 8
        limbs[k] = bits & 8191
        bits >>= 13
        bit_count -= 13
        k += 1


@micropython.viper
def bytes_from_limbs(target: ptr8, size: int, limbs: ptr32, limb_count: int):
    """Packs *limb_count* limbs of exactly 13 bits into *size* bytes."""
    bits = 0
    bit_count = 0
    at = 0
    k = 0
    while at < size:
        while bit_count < 8:
            if k < limb_count:
                bits = bits | (limbs[k] << bit_count)
            k += 1
            bit_count += 13
        target[at] = bits & 255
        bits >>= 8
        bit_count -= 8
        at += 1


@micropython.viper
def make_canonical(h: ptr32):
    """Reduces the 20 limbs of a field element, tight or loose, to its value below p."""
    # Bits from 255 up come back as 19 times their value.
    carry = (h[19] >> 8) * 19
    h[19] = h[19] & 255
    k = 0
    while k < 20:
        carry += h[k]
        h[k] = carry & 8191
        carry >>= 13
        k += 1
    # The top limb is now at most 255 + 3, the value below 2 p: adding 19 carries into bit 255
    # exactly when the value is >= p.
    carry = 19
    k = 0
    while k < 19:
        carry = (carry + h[k]) >> 13
        k += 1
    carry = ((carry + h[19]) >> 8) * 19
    k = 0
    while k < 20:
        carry += h[k]
        h[k] = carry & 8191
        carry >>= 13
        k += 1
    h[19] = h[19] & 255
