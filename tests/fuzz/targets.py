# SPDX-License-Identifier: MIT
"""All that arrives by air or in a file, as functions of bytes, with what each may raise.

The first byte of an input chooses the parser. Any exception that the parser does not
promise is a bug.
"""

import json
from collections.abc import Callable

from sealtrail import trip_profiles
from sealtrail.archive.sequence import read_upload
from sealtrail.capture_server.validation import shape_fault
from sealtrail.custody import epcis_lint
from sealtrail.errors import SealtrailError
from sealtrail.evidence import cbor_strict
from sealtrail.evidence.verify import judge
from sealwire import access, cbor, frames, profile, protocol, record, statement, sync
from sealwire.envelope import RecordError
from tests.fakes.access_parts import PlainVisitor, TagParts, make_ticket, verify
from tests.paths import REPO
from tests.vectors.chain import certificate

CERTIFICATE = certificate()


def _session(data: bytes) -> None:
    """What a stranger says, message after message of up to 140 bytes."""
    session = TagParts().session()
    for at in range(0, len(data), 140):
        assert session.receive(data[at : at + 140])[0] == protocol.REFUSE


def _commands(data: bytes) -> None:
    """What a service ticket's holder says: op, length, arguments, and again."""
    tag = TagParts(verify=verify)
    tag.set_clock()
    made = make_ticket(role=protocol.SERVICE, exp=protocol.NO_EXPIRY)
    visitor = PlainVisitor(tag.session(), made)
    assert visitor.connect() == protocol.OK
    at = 0
    while at + 1 < len(data) and visitor.session.is_open:
        op, size = data[at], data[at + 1]
        answer = visitor.command(op, data[at + 2 : at + 2 + size])
        assert (answer is None) == (op == protocol.ACK)
        visitor.stream()
        at += 2 + size


def _stream(data: bytes) -> None:
    """Bulk that the host is given for records."""
    host = sync.HostSync(0, None, 8)
    host.start(0)
    host.on_reply(protocol.OK, (9).to_bytes(4, "big") + bytes(32), 1)
    for number, at in enumerate(range(0, len(data), 60)):
        host.on_bulk(number, data[at : at + 60], 2)


def _hello(data: bytes) -> None:
    """Of the size that the session asks for first, from somebody who knows the visit key."""
    hello = bytes((protocol.HELLO, protocol.VERSION)) + data.ljust(protocol.HELLO_SIZE, b"\0")
    access.open_hello(access.Hmac(bytes(32)), hello[: protocol.HELLO_SIZE])


def _frames(data: bytes) -> None:
    sealer = frames.Sealer(bytes(32), bytes(16))
    for opened in (lambda: sealer.open(protocol.COMMAND, data), lambda: sealer.open_bulk(data)):
        try:
            opened()
        except frames.FrameError:
            pass
    joiner = frames.Joiner()
    for at in range(0, len(data), 20):
        try:
            joiner.feed(data[at : at + 20])
        except frames.FrameError:
            pass


def _epcis(data: bytes) -> None:
    content = json.loads(data)
    shape_fault(content)
    epcis_lint.lint(content)


def _text(data: bytes) -> None:
    trip_profiles.parse(data.decode("utf-8", "replace"), "profile.toml")


_MALFORMED = (cbor.CborError, RecordError, profile.ProfileError)
TARGETS: tuple[tuple[Callable[[bytes], object], tuple[type[Exception], ...]], ...] = (
    (cbor.decode, _MALFORMED),
    (record.parse_record, _MALFORMED),
    (record.head_of, _MALFORMED),
    (statement.parse_statement, _MALFORMED),
    (profile.parse, _MALFORMED),
    (access.parse_ticket, (access.FormError,)),
    (access.parse_ready, (access.FormError,)),
    (_hello, (access.FormError,)),
    (_frames, (frames.FrameError,)),
    (_session, ()),
    (_commands, ()),
    (_stream, (sync.SyncError,)),
    (cbor_strict.decode, (cbor_strict.CborRefused,)),
    (lambda data: judge(data, []), (SealtrailError,)),
    (lambda data: judge(CERTIFICATE + data, []), (SealtrailError,)),
    (lambda data: read_upload(CERTIFICATE + data, []), (SealtrailError,)),
    (_epcis, (ValueError, RecursionError)),  # of json itself
    (_text, (SealtrailError,)),
)


def one(data: bytes) -> None:
    """Feeds one input. Raises what the parser does not promise."""
    if not data:
        return
    parse, promised = TARGETS[data[0] % len(TARGETS)]
    try:
        parse(bytes(data[1:]))
    except promised:
        pass


def seeds() -> list[bytes]:
    """Inputs to begin with: what is well-formed, of every kind."""
    ticket = access.pack_ticket(make_ticket())
    example = json.loads((REPO / "tests/vectors/evidence/minimal.json").read_text())
    evidence = [bytes.fromhex(text) for text in _hex_texts(example)]
    toml = (REPO / "host_tools/sealtrail/profiles/fridge-2-8.toml").read_bytes()
    bodies = [ticket, toml, CERTIFICATE, b'{"type":"EPCISDocument","epcisBody":{}}', *evidence]
    return [bytes((kind,)) + body for kind in range(len(TARGETS)) for body in bodies]


def _hex_texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _hex_texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _hex_texts(inner)]
    is_hex = isinstance(value, str) and len(value) > 16 and len(value) % 2 == 0
    return [value] if is_hex and set(value) <= set("0123456789abcdef") else []
