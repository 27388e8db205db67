# SPDX-License-Identifier: MIT
"""What a tag's failure codes mean to a person: message, what to do next, exit code."""

from sealtrail.errors import AccessRefused, DeviceError, LinkError, SealtrailError
from sealwire import protocol

# code: (what happened, what to do next). Codes the ticket or its holder can cure.
_ACCESS = {
    protocol.DOOR: (
        "this is not the ticket's tag, or its tickets were renewed",
        "Check the tag's serial, or ask for a new ticket.",
    ),
    protocol.LOCKED: ("this ticket is locked after wrong proofs", "Wait and try again."),
    protocol.BAD_PROOF: ("the tag does not know this ticket", "Ask for a new ticket."),
    protocol.REVOKED: ("this ticket was revoked", "Ask for a new ticket."),
    protocol.EXPIRED: ("this ticket has expired", "Ask for a new ticket."),
    protocol.WRONG_TRIP: (
        "this ticket is for another trip than the open one",
        "Ask for a ticket for this trip.",
    ),
    protocol.NOT_YET: ("this ticket is not valid yet", "Wait, or ask for a new ticket."),
    protocol.NO_SCOPE: ("this ticket does not allow that", "Ask for a ticket of another role."),
    protocol.CLOCK_UNSURE: (
        "the tag does not know the time well enough for that",
        "Set its clock: `sealtrail clock --port ...`.",
    ),
    protocol.BAD_VERSION: ("the tag speaks another protocol version", "Update sealtrail."),
}
_DEVICE = {
    protocol.BAD_FORM: ("the tag found the request malformed", "Update sealtrail."),
    protocol.RATE: ("the tag has done enough of this for now", "Try again later."),
    protocol.BAD_STATE: (
        "the tag cannot do that in its present state",
        "Look at `sealtrail status`: is a trip open, is its number higher than the last?",
    ),
    protocol.BAD_SIG: ("the tag found the signature wrong", "Check the key and sign again."),
    protocol.STALE_HEAD: (
        "the tag has moved on since that was signed, or the offer is another",
        "Repeat the command: it signs the present head.",
    ),
    protocol.NOT_OURS: ("that was signed for another tag", "Check the tag's serial."),
    protocol.AHEAD: ("the tag's log is shorter than was proved before", "Have it examined."),
    protocol.FORK: ("the tag's log differs from what was proved before", "Have it examined."),
    protocol.FULL: ("the tag's log is full", "Sync it, and bring it a receipt."),
    protocol.STALE: ("the tag knows something newer already", ""),
    protocol.CONTRADICTION: ("that contradicts the tag's clock", "Check the clocks."),
}
_LINK = {
    protocol.BUSY: ("the tag is busy with another visitor", "Try again in a minute."),
    protocol.BAD_MAC: ("the tag closed the session after a damaged message", "Try again."),
    protocol.BAD_COUNTER: ("the tag closed the session after a repeated message", "Try again."),
}


def code_name(code: int) -> str:
    """The code's name in docs/access-protocol.md."""
    return protocol.name_of(code, protocol.CODE_NAMES)


def refusal_of(code: int, wait_s: int = 0) -> SealtrailError:
    """The error that stands for a tag's failure code; never raises itself."""
    name = code_name(code)
    if code in _ACCESS:
        message, hint = _ACCESS[code]
        if wait_s:
            hint = f"Wait {wait_s} s and try again."
        return AccessRefused(f"{message} ({name})", hint, code)
    if code in _LINK:
        message, hint = _LINK[code]
        return LinkError(f"{message} ({name})", hint)
    message, hint = _DEVICE.get(code, ("the tag refused", ""))
    return DeviceError(f"{message} ({name})", hint)
