# SPDX-License-Identifier: MIT
"""Random bytes for keys and nonces, behind a health test.

The tests are the two of NIST SP 800-90B section 4.4, on 1 KiB at start and before each key seed:
they find a source that is stuck or badly biased. They do not prove that a source is good: an
ESP32's generator without the radio's noise gives pseudo-random numbers, and those pass.
That is why the first seed is made with the radio on (`board.enable_entropy`), why it also takes
bytes from the host, and why each later seed takes the one before it (seedkeys.py).

Assumed: at least H = 4 bits of entropy per byte. False alarm: 2**-30 per test, which gives
    repetition count: 1 + ceil(30 / H) = 9 equal bytes in a row (section 4.4.1);
    adaptive proportion: a byte that comes back 71 times in its window of 512 (section 4.4.2,
    1 + critbinom(512, 2**-H, 1 - 2**-30)).
"""

import os

from micropython import const

_SAMPLE_SIZE = const(1024)
_REPETITION_CUTOFF = const(9)
_WINDOW_SIZE = const(512)
_PROPORTION_CUTOFF = const(71)
_DEVICE_SIZE = const(64)  # device randomness in one seed
_SEED_LABEL = b"sealtrail seed v1"
_SEED_SIZE = const(32)


class EntropyError(Exception):
    """The random source failed its health test: (reason,)."""


def health_fault(sample) -> str:
    """Returns what is wrong with the bytes of *sample*: "" when both tests pass."""
    if len(sample) != _SAMPLE_SIZE:
        return "short"
    if _longest_run(sample) >= _REPETITION_CUTOFF:
        return "repetition"
    for start in range(0, _SAMPLE_SIZE, _WINDOW_SIZE):
        window = sample[start : start + _WINDOW_SIZE]
        # The window's first byte is the one that is counted (SP 800-90B 4.4.2).
        if sum(1 for byte in window if byte == window[0]) >= _PROPORTION_CUTOFF:
            return "proportion"
    return ""


def _longest_run(sample) -> int:
    longest = run = 0
    last = -1
    for byte in sample:
        run = run + 1 if byte == last else 1
        longest = max(longest, run)
        last = byte
    return longest


class Entropy:
    """Random bytes from *random_source(size)*, refused when its health test failed."""

    def __init__(self, random_source=os.urandom, unique_id: bytes = b""):
        """Runs the test on 1 KiB. *unique_id*: the chip's number, mixed into seeds.

        Does not raise: a tag whose source failed still logs, and signs without hedging.
        """
        self._source = random_source
        self._unique_id = unique_id
        self.fault = ""
        self.test()

    def test(self) -> str:
        """Runs the health test on fresh bytes; returns "" or what is wrong.

        A source that failed once stays failed until it passes again: a radio that was off.
        """
        self.fault = health_fault(self._source(_SAMPLE_SIZE))
        return self.fault

    def random(self, size: int) -> bytes:
        """Returns *size* random bytes. Raises EntropyError when the health test failed."""
        if self.fault:
            raise EntropyError(self.fault)
        return self._source(size)

    def seed(self, host_bytes) -> bytes:
        """Returns a 32-byte key seed that is secret if *either* contribution is.

        SHA-512 over label, 64 bytes of the device, the chip's number and *host_bytes*, each
        with its length, cut to 32 bytes. Tests the source anew; raises EntropyError when it
        fails.
        """
        self.test()
        device = self.random(_DEVICE_SIZE)
        from ..ed25519.sha512 import Sha512

        hash512 = Sha512()
        digest = bytearray(64)
        parts = (_SEED_LABEL, device, self._unique_id, host_bytes)
        sizes = bytes((len(device), len(self._unique_id))) + len(host_bytes).to_bytes(4, "big")
        hash512.digest_all(digest, (sizes,), parts)
        seed = bytes(digest[:_SEED_SIZE])
        hash512.wipe()
        return seed
