# SPDX-License-Identifier: MIT
"""Evidence that somebody tampered with: thousands of ways, the same each time.

`sample()` is a shipment's evidence that ends in an attestation. Every mutation of it keeps
the items in front of some byte as they were, so a verifier must name the item that holds
this byte, whatever it finds wrong with it; where the rule follows too, it is given.

Statements beside the attestation stand outside the chain, in any order: to leave one out
or to repeat it changes nothing that is proved, so no mutation does only that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from sealwire import cbor, labels, profile
from tests.vectors.chain import (
    COURIER,
    FLEET,
    NONCE,
    SERVICE,
    START_UTC_S,
    STRANGER,
    TAG,
    TAG_EPOCH_1,
    Chain,
    Ed25519Key,
    Key,
    certificate,
    cose_sign1,
    service_certificate,
    sha256,
    signed_statement,
)

REFUSED, UNREADABLE, INCOMPLETE = "refused", "unreadable", "incomplete"
_READINGS_A_RECORD = 12
_CLINIC = Ed25519Key("clinic")
_TAG_B, _TAG_B_EPOCH_1 = Ed25519Key("another tag"), Ed25519Key("another tag, epoch 1")


@dataclass(frozen=True, slots=True)
class Mutation:
    """Changed evidence, and what a verifier must say to it.

    *verdicts*: those that are right. *index*: the item to be named, None where nothing is
    refused. *rule*, *reason*: "" where more than one is right.
    """

    name: str
    evidence: bytes
    verdicts: tuple[str, ...]
    index: int | None
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Good evidence: its items, and the key that signed each of them."""

    items: tuple[bytes, ...]
    keys: tuple[Key, ...]
    record_count: int

    @property
    def evidence(self) -> bytes:
        """The file."""
        return b"".join(self.items)

    def index_at(self, offset: int) -> int:
        """The item that holds the byte at *offset*."""
        end = 0
        for index, item in enumerate(self.items):
            end += len(item)
            if offset < end:
                return index
        return len(self.items)

    def with_items(self, index: int, *items: bytes, replaced: int = 1) -> bytes:
        """The file with *replaced* items from *index* on exchanged for *items*."""
        before, behind = self.items[:index], self.items[index + replaced :]
        return b"".join((*before, *items, *behind))


@cache
def sample(key: Ed25519Key = TAG, next_key: Ed25519Key = TAG_EPOCH_1) -> Sample:
    """Trip, readings, key epoch, two handovers, crash, reboot, checkpoint, attestation."""
    chain = Chain(key=key, certificate=certificate(key))
    chain.add(events=[(labels.EVENT_BOOT, [1, "0.1.0"])], utc=None, after_ms=900)
    rules = profile.encode(profile.build("cryo", 60, [[1, 0, 0, -15000, 0, 100]]))
    chain.add(events=[(labels.EVENT_TRIP, {1: 7, 2: sha256(b"CoI"), 3: rules})])
    _add_blocks(chain, 7)
    offer = _add_handover(chain, COURIER, None)
    _add_handover(chain, _CLINIC, offer)
    chain.roll(next_key, after_ms=1)
    _add_blocks(chain, 6)
    crashed = {"kind": labels.KIND_CRASH_BLOCK, "sealed_by_boot": 2, "utc": None}
    chain.add(samples=[[-15001, 1900]], **crashed)  # type: ignore[arg-type]
    up_ms, chain.up_ms = chain.up_ms, 0
    chain.add(boot=2, events=[(labels.EVENT_BOOT, [4, "0.1.0"])], utc=(START_UTC_S, 0, None))
    chain.up_ms += up_ms
    _add_blocks(chain, 8)
    chain.add(events=[(labels.EVENT_SHOCK, [9400, 2, 1]), (labels.EVENT_TRIP_END, [7])])
    chain.add(labels.KIND_CHECKPOINT, nonce=NONCE)
    receipt = {1: chain.tid, 2: 5, 3: sha256(chain.records[5]), 4: (START_UTC_S + 900) * 1000}
    chain.statements.append(service_certificate())
    chain.statements.append(
        signed_statement(SERVICE, labels.STATEMENT_RECEIPT, receipt, SERVICE.kid)
    )
    chain.attest()
    epoch = next(n for n, one in enumerate(chain.records) if _fields(one)[0] == 3)
    keys = [FLEET, *[key if n <= epoch else next_key for n in range(len(chain.records))]]
    items = (chain.certificate, *chain.records, *chain.statements)
    return Sample(items, (*keys, FLEET, SERVICE, next_key), len(chain.records))


def _add_blocks(chain: Chain, count: int) -> None:
    for block in range(count):
        values = [[-19000 + 7 * block - n % 5, 1900 + n] for n in range(_READINGS_A_RECORD)]
        lid: list[tuple[int, object]] = [(labels.EVENT_LID_OPEN, None)]
        chain.add(samples=values, events=lid if block % 3 == 1 else None)


def _add_handover(chain: Chain, key: Ed25519Key, offer: bytes | None) -> bytes:
    """An OFFER, or the ACCEPT of *offer*; returns the statement."""
    fields: dict[int, object] = {1: chain.tid, 2: len(chain.records) - 1, 3: chain.head_hash}
    fields |= {4: 7, 5: START_UTC_S + 240, 6: 60, 7: "Dock 4", 9: ["S-1"], 10: key.public, 12: 0}
    if offer is not None:
        fields[13] = sha256(offer)
    kind = labels.STATEMENT_OFFER if offer is None else labels.STATEMENT_ACCEPT
    event = labels.EVENT_OFFER if offer is None else labels.EVENT_ACCEPT
    signed = signed_statement(key, kind, fields)
    chain.add(events=[(event, [1, sha256(key.public)[:8], signed])])
    return signed


def _envelope(item: bytes) -> list[bytes]:
    parts = cbor.decode(b"\x84" + item[2:])
    assert isinstance(parts, list)
    return parts


def payload_of(item: bytes) -> bytes:
    """The payload of a COSE_Sign1."""
    return _envelope(item)[2]


def _fields(item: bytes) -> dict[int, object]:
    fields = cbor.decode(payload_of(item))
    assert isinstance(fields, dict)
    return fields


# ---- bytes


def bit_flips(one: Sample, step: int = 1) -> Iterator[Mutation]:
    """Every *step*-th bit of the file."""
    raw = one.evidence
    for bit in range(0, 8 * len(raw), step):
        offset = bit >> 3
        flipped = bytes((raw[offset] ^ (1 << (bit & 7)),))
        yield _changed(one, f"bit {bit & 7} of byte {offset}", offset, flipped, 1)


def byte_deletions(one: Sample, step: int = 1) -> Iterator[Mutation]:
    """Every *step*-th byte left out, where the byte behind it is another."""
    raw = one.evidence
    for offset in range(0, len(raw), step):
        if raw[offset : offset + 1] != raw[offset + 1 : offset + 2]:
            yield _changed(one, f"byte {offset} left out", offset, b"", 1)


def byte_insertions(one: Sample, step: int = 1) -> Iterator[Mutation]:
    """A byte that differs put in front of every *step*-th."""
    raw = one.evidence
    for offset in range(0, len(raw), step):
        other = bytes((raw[offset] ^ (0x55, 0xFF, 0x40, 0x01)[offset & 3],))
        yield _changed(one, f"byte {other.hex()} before {offset}", offset, other, 0)


def _changed(one: Sample, name: str, offset: int, put: bytes, taken: int) -> Mutation:
    """A changed byte: the item is named, and where it lies inside a signature the rule."""
    raw, index = one.evidence, one.index_at(offset)
    made = raw[:offset] + put + raw[offset + taken :]
    end = sum(len(item) for item in one.items[: index + 1])
    is_last = index == len(one.items) - 1
    if end - offset > 64:
        # A bit of the attestation's seq can make it name a record that is not there yet:
        # a claim nobody judges (R18), and no proof.
        verdicts = (REFUSED, UNREADABLE, INCOMPLETE) if is_last else (REFUSED, UNREADABLE)
        return Mutation(name, made, verdicts, index)
    if is_last and not put:
        return Mutation(name, made, (UNREADABLE,), index, "R1", "evidence cut")
    return Mutation(name, made, (REFUSED,), index, _signature_rule(one, index))


def _signature_rule(one: Sample, index: int) -> str:
    if index == 0:
        return "R6"
    return "R10" if index <= one.record_count else "R18"


def truncations(one: Sample, step: int = 1) -> Iterator[Mutation]:
    """Cut at the end of every item, and inside at every *step*-th byte."""
    raw, end = one.evidence, 0
    yield Mutation("nothing left", b"", (UNREADABLE,), 0, "R1", "evidence empty")
    for index, item in enumerate(one.items):
        sizes = [size for size in range(1, len(item)) if size < 12 or size % step == 0]
        for size in sizes:
            name = f"cut behind {size} bytes of item {index}"
            made = raw[: end + size]
            yield Mutation(name, made, (UNREADABLE,), index, "R1", "evidence cut")
        end += len(item)
        if index < len(one.items) - 1:
            name = f"cut behind item {index}"
            yield Mutation(name, raw[:end], (INCOMPLETE,), None)


# ---- whole items


def item_moves(one: Sample) -> Iterator[Mutation]:
    """Records left out, doubled, swapped, repeated elsewhere."""
    seq_wrong = ("R8", "sequence number out of order")
    for index in range(1, one.record_count + 1):
        item = one.items[index]
        is_last = index == one.record_count
        if not is_last:  # without the last one the attestation names a record that is not there
            made = one.with_items(index)
            yield Mutation(f"item {index} left out", made, (REFUSED,), index, *seq_wrong)
            made = one.with_items(index, one.items[index + 1], item, replaced=2)
            yield Mutation(f"items {index}, + 1 swapped", made, (REFUSED,), index, *seq_wrong)
        made = one.with_items(index, item, item)
        yield Mutation(f"item {index} doubled", made, (REFUSED,), index + 1, *seq_wrong)
        for other in range(1, index, 3):
            made = one.with_items(index, one.items[other])
            name = f"item {other} replayed as {index}"
            yield Mutation(name, made, (REFUSED,), index, *seq_wrong)
        made = one.evidence + item
        behind = ("R1", "record after a statement")
        yield Mutation(f"item {index} at the end", made, (REFUSED,), len(one.items), *behind)
    last = one.record_count
    yield Mutation("last record left out", one.with_items(last), (INCOMPLETE,), None)
    made = one.with_items(0)
    yield Mutation("certificate left out", made, (REFUSED,), 0, "R1", "certificate missing")
    made = one.with_items(last + 1)
    yield Mutation("service left out", made, (REFUSED,), last + 1, "R18", "service key unknown")


def splices(one: Sample) -> Iterator[Mutation]:
    """Items of another tag that went the same way."""
    other = sample(_TAG_B, _TAG_B_EPOCH_1)
    for index in range(1, one.record_count + 1):
        foreign = ("R9", "previous hash does not match")
        made = one.with_items(index, other.items[index])
        yield Mutation(f"item {index} of another tag", made, (REFUSED,), index, *foreign)
        made = b"".join((*one.items[:index], *other.items[index:]))
        yield Mutation(f"another tag from item {index}", made, (REFUSED,), index, *foreign)
    made = one.with_items(0, other.items[0])
    yield Mutation("another certificate", made, (REFUSED,), 1, "R9")
    made = one.with_items(len(one.items) - 1, other.items[-1])
    yield Mutation("another attestation", made, (REFUSED,), len(one.items) - 1, "R18")


def other_signers(one: Sample) -> Iterator[Mutation]:
    """Each item signed by a stranger, by the service, by nobody."""
    for index, item in enumerate(one.items):
        protected, _, payload, good = _envelope(item)
        rule = _signature_rule(one, index)
        forged = [cose_sign1(key, payload, protected) for key in (STRANGER, COURIER)]
        forged += [cose_sign1(STRANGER, payload, protected, bytes(64))]
        forged += [cose_sign1(STRANGER, payload, protected, good[32:] + good[:32])]
        for number, made in enumerate(forged):
            name = f"item {index} signed anew, {number}"
            yield Mutation(name, one.with_items(index, made), (REFUSED,), index, rule)


def unsigned_records(one: Sample) -> Iterator[Mutation]:
    """Blocks made kind 6, as if the key had been lost: what follows gives it away."""
    for index in range(1, one.record_count + 1):
        fields = _fields(one.items[index])
        if fields[0] != labels.KIND_BLOCK:
            continue
        payload = cbor.encode({**fields, 0: labels.KIND_UNSIGNED})
        made = cose_sign1(STRANGER, payload, b"\xa1\x01\x27", bytes(64))
        name = f"item {index} made unsigned"
        yield Mutation(name, one.with_items(index, made), (REFUSED,), index + 1, "R9")


# ---- encodings, signed by the right key: only the encoding is wrong


def other_encodings(one: Sample) -> Iterator[Mutation]:
    """The same content in every other encoding that a lax reader takes."""
    for index in range(1, one.record_count + 1):
        payload = payload_of(one.items[index])
        for reason, changed in _encodings(payload):
            made = cose_sign1(one.keys[index], changed)
            name = f"item {index}: {reason}, {changed[:4].hex()}"
            verdict = ("R3", reason)
            yield Mutation(name, one.with_items(index, made), (REFUSED,), index, *verdict)


def _encodings(payload: bytes) -> Iterator[tuple[str, bytes]]:
    head, seq_end = payload[:1], 3 + len(cbor.encode(_seq(payload)))
    kind, seq, rest = payload[1:3], payload[3 : seq_end + 1], payload[seq_end + 1 :]
    more = bytes((head[0] + 1,))
    yield "not the shortest form", b"\xb8" + bytes((head[0] & 31,)) + payload[1:]
    yield "not the shortest form", b"\xb9\x00" + bytes((head[0] & 31,)) + payload[1:]
    yield "not the shortest form", head + b"\x18\x00" + payload[2:]
    yield "not the shortest form", head + kind[:1] + b"\x18" + kind[1:] + payload[3:]
    yield (
        "not the shortest form",
        head + kind + seq + rest.replace(b"\x58\x20", b"\x59\x00\x20", 1),
    )
    yield "indefinite length", b"\xbf" + payload[1:] + b"\xff"
    yield "indefinite length", head + kind + seq + rest.replace(b"\x03\x82", b"\x03\x9f", 1)
    yield "map keys not sorted", head + seq + kind + rest
    yield "duplicate map key", more + kind + kind + seq + rest
    yield "duplicate map key", more + kind + seq + seq + rest
    yield "trailing bytes", payload + b"\x00"
    yield "truncated", payload[:-1]
    yield "truncated", more + payload[1:]
    yield "tag not allowed", b"\xc1" + payload
    yield "tag not allowed", head + b"\xc1" + payload[1:]
    yield "float or simple value not allowed", head + kind[:1] + b"\xf9\x00\x00" + payload[3:]
    yield "float or simple value not allowed", head + kind[:1] + b"\xf6" + payload[3:]
    yield "reserved head", head + kind[:1] + b"\x1c" + payload[3:]


def _seq(payload: bytes) -> object:
    fields = cbor.decode(payload)
    assert isinstance(fields, dict)
    return fields[1]


def other_envelopes(one: Sample) -> Iterator[Mutation]:
    """The same content, under the same signature, in an envelope that a lax reader takes."""
    for index in range(1, len(one.items)):
        protected, _, payload, signature = _envelope(one.items[index])
        parts = [b"\xd2", b"\x84", cbor.encode(protected), b"\xa0"]
        parts += [cbor.encode(payload), cbor.encode(signature)]
        others = [(1, b"\x98\x04"), (2, b"\x58" + bytes((len(protected),)) + protected)]
        others += [(3, b"\xb8\x00"), (4, b"\x5a" + len(payload).to_bytes(4, "big") + payload)]
        others += [(4, b"\x58\x01\xa0"), (5, b"\x59\x00\x40" + signature)]
        if len(payload) < 256:
            others += [(4, b"\x59" + len(payload).to_bytes(2, "big") + payload)]
        for place, other in others:
            made = one.with_items(index, b"".join((*parts[:place], other, *parts[place + 1 :])))
            name = f"item {index}: part {place} as {other[:2].hex()}"
            yield Mutation(name, made, (REFUSED,), index, "R1", "not the shortest form")
        made = one.with_items(index, b"\xd2\x9f" + b"".join(parts[2:]) + b"\xff")
        verdict = ("R1", "indefinite length")
        yield Mutation(f"item {index}: without a count", made, (REFUSED,), index, *verdict)
        made = one.with_items(index, b"\xd8\x12" + b"".join(parts[1:]))
        verdict = ("R1", "tag not allowed")
        yield Mutation(f"item {index}: tag 18 in two bytes", made, (REFUSED,), index, *verdict)


def huge_claims(one: Sample) -> Iterator[Mutation]:
    """Lengths and depths that nobody has: in the payload, signed, and around it."""
    for index in range(1, one.record_count + 1):
        payload = payload_of(one.items[index])
        for head in (0x5B, 0x7B, 0x9B, 0xBB):
            for size in (b"\x00\x00\x00\x01\x00\x00\x00\x00", b"\xff" * 8):
                claim = bytes((head,)) + size
                made = cose_sign1(one.keys[index], payload[:2] + claim)
                name = f"item {index}: {claim.hex()} in the payload"
                verdict = ("R3", "truncated")
                yield Mutation(name, one.with_items(index, made), (REFUSED,), index, *verdict)
                made = one.with_items(index, claim + payload)
                name = f"item {index}: {claim.hex()} instead"
                yield Mutation(name, made, (REFUSED, UNREADABLE), index, "R1")
        for depth, nest in ((7, b"\x81"), (900, b"\x81"), (400, b"\xa1\x00")):
            made = cose_sign1(one.keys[index], nest * depth + b"\x00")
            name = f"item {index}: {depth} deep"
            verdict = ("R3", "nested too deep")
            yield Mutation(name, one.with_items(index, made), (REFUSED,), index, *verdict)
            made = one.with_items(index, nest * depth + b"\x00")
            yield Mutation(f"{name}, bare", made, (REFUSED,), index, "R1", "nested too deep")


FAMILIES = (
    bit_flips,
    byte_deletions,
    byte_insertions,
    truncations,
    item_moves,
    splices,
    other_signers,
    unsigned_records,
    other_encodings,
    other_envelopes,
    huge_claims,
)
BY_STEP = (bit_flips, byte_deletions, byte_insertions, truncations)
