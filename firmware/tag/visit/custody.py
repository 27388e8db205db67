# SPDX-License-Identifier: MIT
"""Commands of custody: OFFER, PENDING, ACCEPT. What is checked and sealed: handover.py."""

from sealwire import protocol
from sealwire.protocol import BAD_STATE, OK


class Custody:
    """Every command: (args, who) -> (code, content)."""

    def __init__(self, handover, key_roll):
        self._handover = handover
        self._key_roll = key_roll

    def offer(self, args, who) -> tuple:
        """OFFER: the giver's statement. Raises RecordError, RingFull."""
        return self._handover.take(protocol.OFFER, args, who.tno, who.holder)

    def pending(self, args, who) -> tuple:
        """PENDING: the offer that waits."""
        offer = self._handover.pending
        return (BAD_STATE, b"") if offer is None else (OK, offer)

    def accept(self, args, who) -> tuple:
        """ACCEPT: the receiver's statement, then a key roll. Raises RecordError, RingFull."""
        answer = self._handover.take(protocol.ACCEPT, args, who.tno, who.holder)
        if answer[0] == OK:
            # K1, H3. The acceptance stands, also if this roll has to wait.
            self._key_roll.roll()
        return answer
