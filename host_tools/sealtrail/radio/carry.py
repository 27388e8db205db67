# SPDX-License-Identifier: MIT
"""What a visitor brings a tag beside his own business: the fleet's rotations (CARRY).

A tag knows the hash of the next fleet key only, so rotations come in their order. The one
in force already is answered STALE, an older one NOT_OURS: both are passed over (K6).
"""

from collections.abc import Callable, Sequence

from sealtrail.errors import LinkError
from sealtrail.radio.refusals import code_name
from sealtrail.radio.visitor import Visitor
from sealwire import protocol

_TAKEN = (protocol.OK, protocol.STALE)  # this key is in force on the tag


async def tell_rotations(
    visitor: Visitor, rotations: Sequence[bytes], taken: Callable[[int], None]
) -> str:
    """Gives the tag statements 21, oldest first; `taken(n)` once the n-th is in force there.

    Returns "" or why the newest was not taken: the next visit tries again. Raises nothing
    for a tag that refuses or a link that breaks; what the visit was for is done.
    """
    why = ""
    for place, one in enumerate(rotations, 1):
        try:
            code, _ = await visitor.ask(protocol.FLEET_NEXT, one)
        except LinkError as problem:
            return problem.message
        if code in _TAKEN:
            why = ""
            taken(place)
            continue
        why = f"the tag answers {code_name(code)}"
        if code != protocol.NOT_OURS:
            break
    return why
