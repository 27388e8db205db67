# SPDX-License-Identifier: MIT
"""What a visitor brings a tag beside his own business: the fleet's rotations (CARRY).

A tag knows the hash of the next fleet key only, so rotations come in their order; one
that the tag has already is answered STALE, which is as good as taken (K6).
"""

from collections.abc import Callable, Sequence

from sealtrail.errors import LinkError
from sealtrail.radio.refusals import code_name
from sealtrail.radio.visitor import Visitor
from sealwire import protocol

_TAKEN = (protocol.OK, protocol.STALE)


async def tell_rotations(
    visitor: Visitor, rotations: Sequence[bytes], taken: Callable[[int], None]
) -> str:
    """Gives the tag statements 21, oldest first; `taken(n)` after each, n of them so far.

    Returns "" or why it stopped: the next visit goes on. Raises nothing for a tag that
    refuses or a link that breaks; what the visit was for is done.
    """
    for place, one in enumerate(rotations, 1):
        try:
            code, _ = await visitor.ask(protocol.FLEET_NEXT, one)
        except LinkError as problem:
            return problem.message
        if code not in _TAKEN:
            return f"the tag answers {code_name(code)}"
        taken(place)
    return ""
