# SPDX-License-Identifier: MIT
"""The offer that waits for its accept, kept so that no power cut parts it from the chain.

The stage is durable before the chain's event, and again after it. A cut between the two
leaves OFFERING or ACCEPTING, and the next boot asks the records what became of it. The
visitor had no answer, so either outcome is right, as long as store and chain agree:

    nothing --offer--> OFFERING --event sealed--> OFFERED --accept--> ACCEPTING --sealed--> nothing
                          boot: no event -> nothing          boot: no event -> OFFERED
"""

from micropython import const

from sealwire import labels

from ..store import statestore
from ..store.ringlog import RingFull

_OFFERING = const(0)
_OFFERED = const(1)
_ACCEPTING = const(2)
_HEAD_SIZE = const(5)  # u8 stage, u32 seq from which the event would stand


class PendingOffer:
    """At most one offer. A new one takes the place of one that nobody accepted."""

    def __init__(self, state, recorder):
        self._state = state
        self._recorder = recorder

    @property
    def signed(self):
        """The offer's bytes; None if none waits."""
        stage, _, signed = self._read()
        return signed if stage in (_OFFERED, _ACCEPTING) else None

    def resume(self) -> None:
        """Settles what a power cut left. Once each boot, after the recorder began."""
        stage, since_seq, signed = self._read()
        if stage in (_OFFERING, _ACCEPTING):
            # An event that is not there now must not turn up at a later boot.
            self._recorder.records.settle()
        if stage == _OFFERING:
            if self._recorder.has_event(labels.EVENT_OFFER, since_seq):
                self._store(_OFFERED, signed)
            else:
                self._state.delete(statestore.PENDING_OFFER)
        elif stage == _ACCEPTING:
            if self._recorder.has_event(labels.EVENT_ACCEPT, since_seq):
                self._state.delete(statestore.PENDING_OFFER)
            else:
                self._store(_OFFERED, signed)

    def seal_offer(self, signed: bytes, content) -> int:
        """Seals the offer's event and keeps the offer. Returns the head's seq.

        Raises RingFull if it could not be kept: an earlier offer then waits on.
        """
        earlier = self._state.get(statestore.PENDING_OFFER)
        self._store(_OFFERING, signed)
        # A cut here: no event in the chain; this offer and an earlier one are forgotten at boot.
        try:
            head_seq = self._recorder.custody_event(labels.EVENT_OFFER, content)
        except RingFull:
            self._put_back(earlier)
            raise
        # A cut here: the event stands; at boot the offer waits.
        self._store(_OFFERED, signed)
        return head_seq

    def seal_accept(self, content) -> int:
        """Seals the accept's event; nothing waits any more. Returns the head's seq."""
        signed = self.signed
        if signed is not None:
            self._store(_ACCEPTING, signed)
        # A cut here: no event in the chain; the offer waits on.
        head_seq = self._recorder.custody_event(labels.EVENT_ACCEPT, content)
        # A cut here: the event stands; at boot nothing waits.
        if signed is not None:
            self._state.delete(statestore.PENDING_OFFER)
        return head_seq

    def _put_back(self, earlier):
        """Undoes an OFFERING whose event was refused. While flash fails, the next boot does."""
        try:
            # A record that failed half-way must not turn up beside the earlier offer.
            self._recorder.records.settle()
            if earlier is None:
                self._state.delete(statestore.PENDING_OFFER)
            else:
                self._state.put(statestore.PENDING_OFFER, earlier)
        except OSError:
            pass

    def _read(self) -> tuple:
        kept = self._state.get(statestore.PENDING_OFFER)
        if kept is None:
            return None, 0, None
        return kept[0], int.from_bytes(kept[1:_HEAD_SIZE], "big"), kept[_HEAD_SIZE:]

    def _store(self, stage, signed):
        since_seq = self._recorder.head()[0] + 1
        head = bytes((stage,)) + since_seq.to_bytes(4, "big")
        self._state.put(statestore.PENDING_OFFER, head + signed)
