# SPDX-License-Identifier: MIT
# ruff: noqa: F821 -- ptr32, uint and the like are types of the viper compiler
"""SHA-512 (FIPS 180-4) of several buffers, one after the other, without joining them.

MicroPython's hashlib has SHA-256 only. A 64-bit word is two 32-bit words, high one first. The
carry between them, without a compare and without a value that differs on a 64-bit PC: with y the
sum of the upper 16 bits of the n <= 5 low words, and the low word of the sum stored (which cuts
it to 32 bits), the carry out of the lower 16 bits is ((stored >> 16) - y) & 7, as it is at most
n - 1 and both sides agree modulo 2**16; (y + it) >> 16 is the carry into the high word.
Scratch belongs to the object: hashing allocates nothing.
"""

from array import array

import micropython

from .constants import SHA512_INITIAL, SHA512_ROUNDS

_BLOCK_SIZE = micropython.const(128)


@micropython.viper
def _compress(state: ptr32, scratch: ptr32, rounds: ptr32, block: ptr8):
    """FIPS 180-4 section 6.4.2. Scratch: 160 words of schedule, then 180 of sliding state."""
    i = 0
    while i < 32:
        at = i << 2
        scratch[i] = (
            (int(block[at]) << 24)
            | (int(block[at + 1]) << 16)
            | (int(block[at + 2]) << 8)
            | int(block[at + 3])
        )
        i += 1
    w = ptr32(uint(scratch))
    x = uint(0)
    y = uint(0)
    lo = uint(0)
    hi = uint(0)
    a = uint(0)
    b = uint(0)
    i = 16
    while i < 80:
        # sigma1(w[t - 2]): rotate 19, rotate 61, shift 6
        x = uint(w[28])
        y = uint(w[29])
        hi = ((x >> 19) | (y << 13)) ^ ((y >> 29) | (x << 3)) ^ (x >> 6)
        lo = ((y >> 19) | (x << 13)) ^ ((x >> 29) | (y << 3)) ^ ((y >> 6) | (x << 26))
        # sigma0(w[t - 15]): rotate 1, rotate 8, shift 7
        x = uint(w[2])
        y = uint(w[3])
        a = ((x >> 1) | (y << 31)) ^ ((x >> 8) | (y << 24)) ^ (x >> 7)
        b = ((y >> 1) | (x << 31)) ^ ((y >> 8) | (x << 24)) ^ ((y >> 7) | (x << 25))
        # Their sum with w[t - 16] and w[t - 7].
        w[32] = lo
        w[33] = b
        y = (uint(w[32]) >> 16) + (uint(w[33]) >> 16) + (uint(w[1]) >> 16) + (uint(w[19]) >> 16)
        w[33] = lo + b + uint(w[1]) + uint(w[19])
        y = y + (((uint(w[33]) >> 16) - y) & 7)
        w[32] = hi + a + uint(w[0]) + uint(w[18]) + (y >> 16)
        w = ptr32(uint(w) + 8)
        i += 1
    # a..h live at v[0..15]; a round writes the new a below v[0] and moves v down by one word.
    v = ptr32(uint(scratch) + 1280)
    i = 0
    while i < 16:
        v[i] = state[i]
        i += 1
    w = ptr32(uint(scratch))
    k = ptr32(uint(rounds))
    i = 80
    while i:
        # t1 = h + Sigma1(e) + Ch(e, f, g) + K + W, into v[16], v[17]
        x = uint(v[8])
        y = uint(v[9])
        hi = ((x >> 14) | (y << 18)) ^ ((x >> 18) | (y << 14)) ^ ((y >> 9) | (x << 23))
        lo = ((y >> 14) | (x << 18)) ^ ((y >> 18) | (x << 14)) ^ ((x >> 9) | (y << 23))
        a = (x & uint(v[10] ^ v[12])) ^ uint(v[12])
        b = (y & uint(v[11] ^ v[13])) ^ uint(v[13])
        v[16] = lo
        y = (uint(v[16]) >> 16) + (b >> 16) + (uint(v[15]) >> 16)
        y = y + (uint(k[1]) >> 16) + (uint(w[1]) >> 16)
        v[17] = lo + b + uint(v[15]) + uint(k[1]) + uint(w[1])
        y = y + (((uint(v[17]) >> 16) - y) & 7)
        v[16] = hi + a + uint(v[14]) + uint(k[0]) + uint(w[0]) + (y >> 16)
        # d += t1
        y = (uint(v[7]) >> 16) + (uint(v[17]) >> 16)
        v[7] = uint(v[7]) + uint(v[17])
        y = y + (((uint(v[7]) >> 16) - y) & 7)
        v[6] = uint(v[6] + v[16]) + (y >> 16)
        # new a = t1 + Sigma0(a) + Maj(a, b, c)
        x = uint(v[0])
        y = uint(v[1])
        hi = ((x >> 28) | (y << 4)) ^ ((y >> 2) | (x << 30)) ^ ((y >> 7) | (x << 25))
        lo = ((y >> 28) | (x << 4)) ^ ((x >> 2) | (y << 30)) ^ ((x >> 7) | (y << 25))
        a = (x & uint(v[2])) ^ (uint(v[4]) & (x ^ uint(v[2])))
        b = (y & uint(v[3])) ^ (uint(v[5]) & (y ^ uint(v[3])))
        hi = hi + a + uint(v[16])
        v[16] = lo
        y = (uint(v[16]) >> 16) + (b >> 16) + (uint(v[17]) >> 16)
        v = ptr32(uint(v) - 8)
        v[1] = lo + b + uint(v[19])
        y = y + (((uint(v[1]) >> 16) - y) & 7)
        v[0] = hi + (y >> 16)
        w = ptr32(uint(w) + 8)
        k = ptr32(uint(k) + 8)
        i -= 1
    i = 0
    while i < 16:
        y = (uint(state[i + 1]) >> 16) + (uint(v[i + 1]) >> 16)
        state[i + 1] = uint(state[i + 1]) + uint(v[i + 1])
        y = y + (((uint(state[i + 1]) >> 16) - y) & 7)
        state[i] = uint(state[i] + v[i]) + (y >> 16)
        i += 2


@micropython.viper
def _copy(block: ptr8, source: ptr8, offsets: int, size: int):
    """Copies *size* bytes to block[offsets & 127] from source[offsets >> 7]."""
    to = offsets & 127
    at = offsets >> 7
    while size:
        block[to] = source[at]
        to += 1
        at += 1
        size -= 1


@micropython.viper
def _pad(block: ptr8, fill: int, end: int):
    """Zeroes block[fill:end]."""
    while fill < end:
        block[fill] = 0
        fill += 1


@micropython.viper
def _wipe_words(words: ptr32, count: int):
    while count:
        count -= 1
        words[count] = 0


@micropython.viper
def _store(digest: ptr8, state: ptr32):
    """Writes the eight words big-endian."""
    i = 0
    while i < 16:
        word = uint(state[i])
        digest[0] = word >> 24
        digest[1] = word >> 16
        digest[2] = word >> 8
        digest[3] = word
        digest = ptr8(uint(digest) + 4)
        i += 1


class Sha512:
    """Hashes tuples of buffers. One object serves any number of hashes, one at a time."""

    def __init__(self):
        self._initial = array("I", SHA512_INITIAL)
        self._rounds = array("I", SHA512_ROUNDS)
        self._state = array("I", bytes(64))
        self._scratch = array("I", bytes(1360))
        self._block = bytearray(_BLOCK_SIZE)
        self._fill = 0

    def digest(self, digest: bytearray, *parts) -> bytearray:
        """Writes the hash of the buffers *parts*, one after the other, to *digest* (64 bytes)."""
        return self.digest_all(digest, parts)

    def digest_all(self, digest: bytearray, head: tuple, tail: tuple = ()) -> bytearray:
        """Writes the hash of the buffers of *head*, then those of *tail*; together < 2**26 B."""
        self._begin()
        size = 0
        for part in head:
            size += self._absorb(part)
        for part in tail:
            size += self._absorb(part)
        self._end(size)
        _store(digest, self._state)
        return digest

    def wipe(self):
        """Forgets the last message: block, schedule and state."""
        _wipe_words(self._block, _BLOCK_SIZE // 4)
        _wipe_words(self._scratch, 340)
        _wipe_words(self._state, 16)

    def _begin(self):
        self._fill = 0
        for i in range(16):
            self._state[i] = self._initial[i]

    def _absorb(self, part) -> int:
        size = len(part)
        at = 0
        while at < size:
            count = min(_BLOCK_SIZE - self._fill, size - at)
            _copy(self._block, part, at << 7 | self._fill, count)
            self._fill += count
            at += count
            if self._fill == _BLOCK_SIZE:
                self._flush()
        return size

    def _end(self, size: int):
        self._block[self._fill] = 0x80
        self._fill += 1
        if self._fill > _BLOCK_SIZE - 16:
            _pad(self._block, self._fill, _BLOCK_SIZE)
            self._flush()
        _pad(self._block, self._fill, _BLOCK_SIZE - 4)
        bit_count = size << 3
        for i in range(4):
            self._block[_BLOCK_SIZE - 1 - i] = bit_count >> (8 * i) & 255
        self._flush()

    def _flush(self):
        _compress(self._state, self._scratch, self._rounds, self._block)
        self._fill = 0
