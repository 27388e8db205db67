# SPDX-License-Identifier: MIT
"""The self-test of a secure element: its settings keep keys inside, and it computes."""

import hashlib
from binascii import unhexlify

from ..drivers.atecc608 import ChipError
from .chipkeys import config_fault

# RFC 6979 section A.2.5, SHA-256, message "sample": public key, signature.
_POINT = unhexlify(
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
_SIGNATURE = unhexlify(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)


def check(chip) -> str:
    """Returns what was found good. Raises ValueError with the fault, in one line."""
    digest = hashlib.sha256(b"sample").digest()
    other = hashlib.sha256(b"simple").digest()
    try:
        fault = config_fault(chip.config())
        is_right = chip.verify(_POINT, digest, _SIGNATURE)
        is_right = is_right and not chip.verify(_POINT, other, _SIGNATURE)
    except ChipError as e:
        raise ValueError(e.args[1])
    if fault or not is_right:
        raise ValueError(fault or "wrong verdict for RFC 6979 A.2.5")
    return "RFC 6979 A.2.5"
