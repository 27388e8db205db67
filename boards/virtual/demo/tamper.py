# SPDX-License-Identifier: MIT
"""What a forger would try first: one flipped bit, and a missing tail."""

from sealwire.cbor import item_size


def items(evidence: bytes) -> list[bytes]:
    """The items of an evidence file: certificate, records, statements."""
    found = []
    offset = 0
    while offset < len(evidence):
        size = item_size(evidence, offset)
        assert size is not None, "the evidence ends inside an item"
        found.append(evidence[offset : offset + size])
        offset += size
    return found


def flip_one_bit(evidence: bytes) -> bytes:
    """A copy with one bit of one reading turned, in the record in the middle."""
    parts = items(evidence)
    middle = len(parts) // 2
    record = bytearray(parts[middle])
    # 80 bytes before the end lies the content, in front of the signature.
    record[-80] ^= 0x01
    return b"".join([*parts[:middle], bytes(record), *parts[middle + 1 :]])


def cut_tail(evidence: bytes, count: int) -> bytes:
    """A copy without its last *count* items: whole records, so nothing looks torn."""
    return b"".join(items(evidence)[:-count])
