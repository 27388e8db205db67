# SPDX-License-Identifier: MIT
"""AES-128 in counter mode, on both interpreters.

Stock MicroPython has ECB only (mode 6, CTR, is off in its default configuration), so all
counter blocks of one frame are encrypted by one ECB call and XORed as two big integers:
no Python loop touches single bytes. NIST SP 800-38A section 6.5; the counter block is
docs/access-protocol.md, "Frames".
"""

from .compat import const

_BLOCK_SIZE = const(16)
_BLOCKS_MAX = const(64)  # 1,024 B: twice the largest frame


def _ecb_encryptor(key: bytes):
    """A function bytes -> bytes: AES-128-ECB encryption of whole blocks."""
    try:
        from cryptolib import aes
    except ImportError:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update
    return aes(key, 1).encrypt


def xor(left, right) -> bytes:
    """The bitwise exclusive or of two buffers of one length."""
    value = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return value.to_bytes(len(left), "big")


class AesCtr:
    """One key. A pair (frame type, number) must never be used twice under it."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _BLOCK_SIZE:
            raise ValueError("AES-128 takes a key of 16 bytes")
        self._encrypt = _ecb_encryptor(key)

    def apply(self, frame_type: int, number: int, content) -> bytes:
        """Encrypts or decrypts *content*, up to 1,024 B: the two are one operation."""
        size = len(content)
        if size == 0:
            return b""
        count = (size + _BLOCK_SIZE - 1) // _BLOCK_SIZE
        if count > _BLOCKS_MAX:
            raise ValueError("frame longer than 1024 bytes")
        prefix = bytes((frame_type,)) + bytes(7) + number.to_bytes(4, "big") + bytes(3)
        blocks = b"".join([prefix + bytes((index,)) for index in range(count)])
        return xor(content, memoryview(self._encrypt(blocks))[:size])
