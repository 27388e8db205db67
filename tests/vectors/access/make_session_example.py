# SPDX-License-Identifier: MIT
"""Writes session_example.json: one session byte by byte, as docs/access-protocol.md shows it.

Computed with Python's hmac and OpenSSL's AES-CTR, not with sealwire: the test compares
the two. Run from the repository's root; the output is the same each time.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OUT = Path(__file__).with_name("session_example.json")
ACCESS_KEY = hashlib.sha256(b"example access key").digest()
HOLDER = hashlib.sha256(b"example holder").digest()[:16]
VISITOR_NONCE, TAG_RANDOM = bytes(range(16)), bytes(range(16, 32))
BOOT, SESSION_NUMBER = 7, 1
HEAD_SEQ, HEAD_HASH = 41, hashlib.sha256(b"example record 41").digest()
NONCE = bytes(range(32, 48))


def label(name: str) -> bytes:
    return b"sealtrail/1 " + name.encode() + b"\x00"


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def ctr(key: bytes, kind: int, number: int, content: bytes) -> bytes:
    iv = bytes([kind]) + bytes(7) + struct.pack(">I", number) + bytes(4)
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(content)


def sealed(mac_key: bytes, key: bytes, kind: int, number: int, body: bytes) -> bytes:
    message = struct.pack(">BH", kind, number) + ctr(key, kind, number, body)
    return message + mac(mac_key, message)[:8]


def example() -> dict[str, str]:
    # Site, its whole scope, ticket 2, valid 300 s before 1,795,000,000 and a day from then.
    ticket = struct.pack(
        ">BBHI16sIIIHBBI", 1, 3, 0x00FF, 2, HOLDER, 1_794_999_700, 1_795_086_400, 0, 0, 0, 0, 0
    )
    ticket_key = mac(ACCESS_KEY, label("ticket"), ticket)
    visit_key = mac(ACCESS_KEY, label("visit"), bytes(4))
    inner = (bytes([len(ticket), 0]) + ticket).ljust(106, b"\x00")
    stream = b"".join(mac(visit_key, label("mask"), VISITOR_NONCE, bytes([i])) for i in range(4))
    hello = bytes([1, 1]) + VISITOR_NONCE
    hello += bytes(a ^ b for a, b in zip(inner, stream[:106], strict=True))
    hello += mac(visit_key, label("door"), hello)[:8]
    counters = struct.pack(">II", BOOT, SESSION_NUMBER)
    tag_nonce = mac(ACCESS_KEY, label("nonce"), counters, TAG_RANDOM)[:16]
    transcript = hashlib.sha256(hello + bytes([2, 1]) + tag_nonce).digest()
    root = mac(ticket_key, label("session"), transcript)
    mac_visitor, mac_tag = mac(root, label("mac visitor")), mac(root, label("mac tag"))
    enc_visitor = mac(root, label("enc visitor"))[:16]
    enc_tag = mac(root, label("enc tag"))[:16]
    ready = struct.pack(">BBBHHII", 0, 0, 1, 0x00FF, 0, 0, HEAD_SEQ) + HEAD_HASH
    sync = struct.pack(">BIH", 2, 40, 64)
    sync_reply = bytes([2, 0]) + struct.pack(">I", HEAD_SEQ) + HEAD_HASH
    ack = struct.pack(">BIH", 3, 42, 64)
    return {
        "access_key": ACCESS_KEY.hex(),
        "ticket": ticket.hex(),
        "ticket_key": ticket_key.hex(),
        "visit_key": visit_key.hex(),
        "hello": hello.hex(),
        "challenge": (bytes([2, 1]) + tag_nonce + mac(root, label("tag proof"))[:16]).hex(),
        "proof": (b"\x03" + mac(root, label("visitor proof"))[:16]).hex(),
        "ready": sealed(mac_tag, enc_tag, 0x11, 0, ready).hex(),
        "attest": sealed(mac_visitor, enc_visitor, 0x10, 1, b"\x04" + NONCE).hex(),
        "sync": sealed(mac_visitor, enc_visitor, 0x10, 2, sync).hex(),
        "sync_reply": sealed(mac_tag, enc_tag, 0x11, 2, sync_reply).hex(),
        "bulk": (b"\x12\x00\x00\x00" + ctr(enc_tag, 0x12, 0, b"record bytes")).hex(),
        "ack": sealed(mac_visitor, enc_visitor, 0x10, 3, ack).hex(),
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(example(), indent=1) + "\n")
