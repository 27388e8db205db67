# SPDX-License-Identifier: MIT
"""Tickets, key derivation and handshake: bytes in, bytes out, for both ends.

Everything here is fixed binary, so nothing is parsed before it is authenticated.
docs/access-protocol.md, "Messages", is normative; tests/vectors/access holds known answers.

    visitor                                   tag
    HELLO (masked ticket, door)  ---------->  one HMAC decides whether it is his door
              <----------  CHALLENGE (fresh nonce, the tag proves itself first)
    PROOF                        ---------->
              <----------  READY, sealed (scope, clock, trip, head)
"""

import hashlib
from collections import namedtuple

from .aes import xor
from .protocol import (
    CHALLENGE,
    CHALLENGE_SIZE,
    DOOR_SIZE,
    HELLO,
    HELLO_SIZE,
    INNER_SIZE,
    NONCE_SIZE,
    PROOF,
    PROOF_SIZE,
    READY_ALARM,
    READY_CLOCK_SURE,
    READY_FILLING,
    READY_KEY_LOST,
    READY_REFUSING,
    REVOKED_COUNT_MAX,
    ROLE_SCOPE,
    SCOPE_ALL,
    TICKET_SIZE,
    VERSION,
)

Ticket = namedtuple(
    "Ticket",
    ("role", "scope", "tno", "holder", "nbf", "exp", "trip", "rev", "floor", "revoked"),
)
Hello = namedtuple("Hello", ("nonce", "ticket"))
Ready = namedtuple(
    "Ready",
    (
        "code",
        "is_sure",
        "scope",
        "rev",
        "trip",
        "head_seq",
        "head_hash",
        "is_alarm",
        "is_filling",
        "is_refusing",
        "is_key_lost",
    ),
)

_READY_SIZE = 47
_READY_FLAGS_MAX = READY_CLOCK_SURE | READY_ALARM | READY_FILLING | READY_REFUSING | READY_KEY_LOST
_IPAD = int.from_bytes(b"\x36" * 64, "big")
_OPAD = int.from_bytes(b"\x5c" * 64, "big")


class FormError(Exception):
    """Bytes that are no ticket or no message of this protocol. args = (reason,)."""


def label(name: str) -> bytes:
    """L(x): the domain separation put before every MAC input and key derivation."""
    return b"sealtrail/1 " + name.encode() + b"\x00"


def sha256(content) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(content).digest()


def is_equal(left, right) -> bool:
    """Compares two MACs without an early exit (MicroPython has no compare_digest)."""
    if len(left) != len(right):
        return False
    difference = 0
    for index in range(len(left)):
        difference |= left[index] ^ right[index]
    return difference == 0


class Hmac:
    """HMAC-SHA256 (RFC 2104) under one key; both pads are made once, not per message."""

    def __init__(self, key: bytes) -> None:
        if len(key) > 64:
            raise ValueError("keys of this protocol have at most 64 bytes")
        block = int.from_bytes(key + bytes(64 - len(key)), "big")
        self._inner_pad = (block ^ _IPAD).to_bytes(64, "big")
        self._outer_pad = (block ^ _OPAD).to_bytes(64, "big")

    def digest(self, *parts) -> bytes:
        """The MAC, 32 bytes, of the joined *parts*."""
        inner = hashlib.sha256(self._inner_pad)
        for part in parts:
            inner.update(part)
        outer = hashlib.sha256(self._outer_pad)
        outer.update(inner.digest())
        return outer.digest()


def pack_ticket(ticket: Ticket) -> bytes:
    """The ticket's bytes, 44 + 4 for each revoked ticket number."""
    head = (
        bytes((VERSION, ticket.role))
        + ticket.scope.to_bytes(2, "big")
        + ticket.tno.to_bytes(4, "big")
        + ticket.holder
        + ticket.nbf.to_bytes(4, "big")
        + ticket.exp.to_bytes(4, "big")
        + ticket.trip.to_bytes(4, "big")
        + ticket.rev.to_bytes(2, "big")
        + bytes((len(ticket.revoked), 0))
        + ticket.floor.to_bytes(4, "big")
    )
    return head + b"".join([tno.to_bytes(4, "big") for tno in ticket.revoked])


def parse_ticket(content) -> Ticket:
    """The ticket in *content*. Raises FormError unless every byte is as it must be.

    A delegating or finding scope bit (10, 11) and the unused ones are refused.
    """
    if len(content) < TICKET_SIZE:
        raise FormError("ticket too short")
    content = bytes(content)
    count = content[38]
    if content[0] != VERSION or content[39] != 0:
        raise FormError("ticket version")
    if count > REVOKED_COUNT_MAX or len(content) != TICKET_SIZE + 4 * count:
        raise FormError("ticket size")
    scope = _uint(content, 2, 2)
    if content[1] not in ROLE_SCOPE or scope & ~SCOPE_ALL:
        raise FormError("ticket role or scope")
    revoked = tuple([_uint(content, TICKET_SIZE + 4 * i, 4) for i in range(count)])
    return Ticket(
        content[1],
        scope,
        _uint(content, 4, 4),
        content[8:24],
        _uint(content, 24, 4),
        _uint(content, 28, 4),
        _uint(content, 32, 4),
        _uint(content, 36, 2),
        _uint(content, 40, 4),
        revoked,
    )


def _uint(content, offset: int, size: int) -> int:
    return int.from_bytes(content[offset : offset + size], "big")


def ticket_key(access_key: bytes, ticket: bytes) -> bytes:
    """TK, 32 bytes: given to the holder together with the ticket's bytes."""
    return Hmac(access_key).digest(label("ticket"), ticket)


def visit_key(access_key: bytes, floor: int) -> bytes:
    """VK(floor), 32 bytes: known to the tag and to every live ticket holder of this tag."""
    return Hmac(access_key).digest(label("visit"), floor.to_bytes(4, "big"))


def holder_of(public_key: bytes) -> bytes:
    """The 16-byte name a ticket gives to its holder's public key."""
    return sha256(public_key)[:16]


def tid_of(certificate: bytes) -> bytes:
    """The 8-byte id of a tag: it changes with every enrolment."""
    return sha256(certificate)[:8]


def challenge_nonce(access_key: Hmac, boot: int, session_number: int, random16: bytes) -> bytes:
    """nT: unique by boot and session number even if *random16* is always the same."""
    return access_key.digest(
        label("nonce"), boot.to_bytes(4, "big"), session_number.to_bytes(4, "big"), random16
    )[:NONCE_SIZE]


def advert_id(visit: Hmac, index: int) -> bytes:
    """The 8-byte id a tag advertises; *index* 0..255."""
    return visit.digest(label("advert"), bytes((index,)))[:8]


def advert_name(identifier: bytes) -> str:
    """`ST-` and the first six base32 characters (RFC 4648) of an advert id."""
    bits = int.from_bytes(identifier[:4], "big") >> 2
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "ST-" + "".join([alphabet[(bits >> shift) & 31] for shift in (25, 20, 15, 10, 5, 0)])


def coi_commitment(salt32: bytes, coi: bytes) -> bytes:
    """What stands in the trip record for the chain-of-identity reference, 32 bytes."""
    if len(salt32) != 32:
        raise ValueError("the salt has 32 bytes")
    return Hmac(salt32).digest(label("coi"), coi)


def _mask(visit: Hmac, nonce, inner) -> bytes:
    stream = b"".join([visit.digest(label("mask"), nonce, bytes((i,))) for i in range(4)])
    return xor(inner, stream[:INNER_SIZE])


def pack_hello(visit: Hmac, nonce16: bytes, ticket: bytes) -> bytes:
    """HELLO, 132 bytes whatever the ticket's size."""
    inner = bytes((len(ticket), 0)) + ticket
    inner += bytes(INNER_SIZE - len(inner))
    message = bytes((HELLO, VERSION)) + nonce16 + _mask(visit, nonce16, inner)
    return message + visit.digest(label("door"), message)[:DOOR_SIZE]


def is_our_door(visit: Hmac, hello: bytes) -> bool:
    """True if *hello* (132 bytes) was made with this tag's visit key. One HMAC."""
    expected = visit.digest(label("door"), memoryview(hello)[: HELLO_SIZE - DOOR_SIZE])
    return is_equal(expected[:DOOR_SIZE], hello[HELLO_SIZE - DOOR_SIZE :])


def open_hello(visit: Hmac, hello: bytes) -> Hello:
    """The visitor's nonce and the ticket's bytes. Raises FormError.

    A delegation block (second length byte) is refused: it belongs to a later version.
    """
    nonce = hello[2 : 2 + NONCE_SIZE]
    inner = _mask(visit, nonce, memoryview(hello)[18 : 18 + INNER_SIZE])
    ticket_size = inner[0]
    if inner[1] != 0 or ticket_size > INNER_SIZE - 2:
        raise FormError("hello")
    rest = inner[2 + ticket_size :]
    if rest != bytes(len(rest)):
        raise FormError("hello padding")
    return Hello(nonce, inner[2 : 2 + ticket_size])


class SessionKeys:
    """All that one handshake yields. Both ends make it from the same three things."""

    def __init__(self, ticket_key32: bytes, hello: bytes, tag_nonce: bytes) -> None:
        transcript = hashlib.sha256(hello)
        transcript.update(bytes((CHALLENGE, VERSION)))
        transcript.update(tag_nonce)
        self.transcript_hash = transcript.digest()
        self.root = Hmac(ticket_key32).digest(label("session"), self.transcript_hash)
        root = Hmac(self.root)
        self.tag_proof = root.digest(label("tag proof"))[:PROOF_SIZE]
        self.visitor_proof = root.digest(label("visitor proof"))[:PROOF_SIZE]
        self.mac_visitor = root.digest(label("mac visitor"))
        self.mac_tag = root.digest(label("mac tag"))
        self.enc_visitor = root.digest(label("enc visitor"))[:16]
        self.enc_tag = root.digest(label("enc tag"))[:16]


def pack_challenge(tag_nonce: bytes, keys: SessionKeys) -> bytes:
    """CHALLENGE, 34 bytes: the tag proves itself before the visitor does."""
    return bytes((CHALLENGE, VERSION)) + tag_nonce + keys.tag_proof


def open_challenge(ticket_key32: bytes, hello: bytes, challenge: bytes) -> SessionKeys:
    """The session's keys. Raises FormError if the tag did not prove that it is the tag."""
    if len(challenge) != CHALLENGE_SIZE or challenge[0] != CHALLENGE or challenge[1] != VERSION:
        raise FormError("challenge")
    keys = SessionKeys(ticket_key32, hello, challenge[2 : 2 + NONCE_SIZE])
    if not is_equal(keys.tag_proof, challenge[2 + NONCE_SIZE :]):
        raise FormError("the tag's proof is wrong")
    return keys


def pack_proof(keys: SessionKeys) -> bytes:
    """PROOF, 17 bytes."""
    return bytes((PROOF,)) + keys.visitor_proof


def is_good_proof(keys: SessionKeys, message: bytes) -> bool:
    """True if *message* is the visitor's PROOF for this handshake."""
    if len(message) != 1 + PROOF_SIZE or message[0] != PROOF:
        return False
    return is_equal(keys.visitor_proof, message[1:])


def pack_ready(ready: Ready) -> bytes:
    """The body of READY, 47 bytes, to be sealed as reply 0; *head_seq* -1: no record yet."""
    flags = READY_CLOCK_SURE if ready.is_sure else 0
    flags |= READY_ALARM if ready.is_alarm else 0
    flags |= READY_FILLING if ready.is_filling else 0
    flags |= READY_REFUSING if ready.is_refusing else 0
    flags |= READY_KEY_LOST if ready.is_key_lost else 0
    return (
        bytes((0, ready.code, flags))
        + ready.scope.to_bytes(2, "big")
        + ready.rev.to_bytes(2, "big")
        + ready.trip.to_bytes(4, "big")
        + (ready.head_seq & 0xFFFFFFFF).to_bytes(4, "big")
        + ready.head_hash
    )


def parse_ready(body: bytes) -> Ready:
    """READY's body. A refusal has *code* other than 0 and nothing else. Raises FormError."""
    if len(body) == 2 and body[0] == 0 and body[1] != 0:
        return Ready(body[1], False, 0, 0, 0, -1, b"", False, False, False, False)
    if len(body) != _READY_SIZE or body[0] != 0 or body[1] != 0 or body[2] > _READY_FLAGS_MAX:
        raise FormError("ready")
    flags = body[2]
    return Ready(
        0,
        bool(flags & READY_CLOCK_SURE),
        _uint(body, 3, 2),
        _uint(body, 5, 2),
        _uint(body, 7, 4),
        seq_of(body[11:15]),
        bytes(body[15:47]),
        bool(flags & READY_ALARM),
        bool(flags & READY_FILLING),
        bool(flags & READY_REFUSING),
        bool(flags & READY_KEY_LOST),
    )


def seq_of(four_bytes) -> int:
    """A head sequence number as it travels: FFFFFFFF means that there is no record, -1."""
    value = int.from_bytes(four_bytes, "big")
    return -1 if value == 0xFFFFFFFF else value
