# SPDX-License-Identifier: MIT
"""Makes the statements of the fleet's owner: 19, 21, 24, 25 (docs/record-format.md, 7).

    #6.18([<<{1: -8, ? 4: kid}>>, {}, <<{0: type, ...}>>, signature 64])

What is made is read back by the verifier's own reader before anybody gets it: this
computer never signs what every verifier would refuse.
"""

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import UsageError
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import read_statement

_TAG_SIGN1 = 18


def signed(
    key: Ed25519PrivateKey, kind: int, fields: dict[int, object], kid: bytes | None = None
) -> bytes:
    """Statement *kind* with *fields* (without key 0). *kid* on what a service key signs.

    Raises UsageError where the fields have not the shape of the type.
    """
    header: dict[int, object] = {1: -8} if kid is None else {1: -8, 4: kid}
    protected = cbor2.dumps(header, canonical=True)
    payload = cbor2.dumps({0: kind, **fields}, canonical=True)
    signature = key.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    made = cbor2.dumps(cbor2.CBORTag(_TAG_SIGN1, [protected, {}, payload, signature]))
    try:
        read_statement(made)
    except Refusal as refusal:
        raise UsageError(f"this cannot be signed: {refusal.reason} {refusal.detail}") from None
    return made
