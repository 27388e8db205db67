# SPDX-License-Identifier: MIT
"""The tag's parts in memory (tests/upy/access_tag_parts.py), with people and real signatures."""

import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sealwire import access, record, statement
from tests.fakes import micropython_on_cpython
from tests.paths import REPO

micropython_on_cpython.install()
# Outside pytest the name may be taken by the PyPI package that brings the interpreter.
if not hasattr(sys.modules["micropython"], "const"):
    sys.modules["micropython"].const = lambda value: value  # type: ignore[attr-defined]
# The module imports its neighbour as MicroPython sees it.
sys.path.append(str(REPO / "tests" / "upy"))

from access_tag_parts import CERTIFICATE, NOW_S, FakeState, PlainVisitor, TagParts, make_ticket

__all__ = [
    "CERTIFICATE",
    "NOW_S",
    "FakeState",
    "Person",
    "PlainVisitor",
    "TagParts",
    "make_ticket",
    "verify",
]


def verify(public_key, signature, parts) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes(public_key)).verify(
            bytes(signature), b"".join(map(bytes, parts))
        )
    except (InvalidSignature, ValueError):
        return False
    return True


class Person:
    """Somebody with an Ed25519 key."""

    def __init__(self):
        self.key = Ed25519PrivateKey.generate()
        self.public_key = self.key.public_key().public_bytes_raw()
        self.holder = access.holder_of(self.public_key)

    def custody(self, kind, parts, **changes):
        """A signed offer (20) or accept (22) over the tag's present head."""
        seq, head_hash = parts.recorder.head()
        fields = {
            1: parts.recorder.tid,
            2: seq,
            3: head_hash,
            4: parts.trip.number if parts.trip.is_open else 0,
            5: NOW_S,
            6: 60,
            7: "dock 4",
            9: ["S-1138"],
            10: self.public_key,
            12: 0,
        }
        fields.update({int(key[1:]): value for key, value in changes.items()})
        payload = statement.statement_payload(kind, fields)
        parts_signed = record.sig_structure_parts(statement.protected_of(), payload)
        return statement.statement(payload, self.key.sign(b"".join(map(bytes, parts_signed))))
