# SPDX-License-Identifier: MIT
"""KEYS: the key-epoch records of the log, by which a visitor follows the signing key (H5).

No index of them is kept: a visitor who knows the newest one is answered without a read, and
for the others each request looks at KEYS_SCAN_MAX records at most. A key-epoch record holds no
reading, so a ticket for one trip may have those of earlier trips too (T9).
docs/access-protocol.md, section 5.6.
"""

from sealwire import labels, protocol, record

from ..store.flashregion import RingError

# What else is in a reply: type, number, op, code, MAC.
_REPLY_SIZE = 1 + 2 + 2 + protocol.MAC_SIZE
_HEAD_SIZE = 8


def list_keys(records, newest_seq: int, from_seq: int) -> bytes:
    """Returns `u32 held | u32 next | records` for the key-epoch records from *from_seq* on.

    *newest_seq*: of the newest key-epoch record, -1 without one. held: the first record looked
    at, above *from_seq* if those between are overwritten. next: where the next request goes on,
    KEYS_END if nothing is left. Raises OSError.
    """
    held_seq = from_seq
    next_seq = protocol.KEYS_END
    content = bytearray(_HEAD_SIZE)
    if from_seq <= newest_seq:
        held_seq = max(from_seq, records.first_seq)
        next_seq = _gather(records, held_seq, newest_seq, content)
    content[:4] = held_seq.to_bytes(4, "big")
    content[4:_HEAD_SIZE] = next_seq.to_bytes(4, "big")
    return bytes(content)


def _gather(records, from_seq, newest_seq, content) -> int:
    """Appends to *content* what fits; returns the first seq not looked at, or KEYS_END."""
    room = protocol.MESSAGE_SIZE_MAX - _REPLY_SIZE
    end_seq = from_seq + protocol.KEYS_SCAN_MAX
    try:
        for seq, one in records.records(from_seq):
            if seq > newest_seq:
                break
            if seq >= end_seq:
                return seq
            if record.head_of(one)[1] != labels.KIND_KEY_EPOCH:
                continue
            if len(content) + len(one) > room:
                return seq
            content += one
    except RingError as e:
        # Damaged in flash. If it handed a key on, the visitor finds the link missing.
        if len(e.args) < 2 or e.args[0] != "corrupt":
            raise
        return e.args[1] + 1
    return protocol.KEYS_END
