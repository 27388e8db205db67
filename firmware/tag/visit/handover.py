# SPDX-License-Identifier: MIT
"""The letter box for custody: checks an offer or an accept and seals it (rules H1 to H3).

The tag refuses what cannot be true now, at the dock, where it can be repeated. Who was
entitled to the box is for the verifier to judge, years later (H4).
"""

from sealwire import access, cbor, labels, record, statement
from sealwire.protocol import (
    ACCEPT,
    BAD_FORM,
    BAD_SIG,
    BAD_STATE,
    NO_SCOPE,
    NOT_OURS,
    OFFER,
    OFFER_HEAD_AGE_MAX,
    OK,
    STALE_HEAD,
    STATEMENT_SIZE_MAX,
)

from .pendingoffer import PendingOffer

_TYPE_OF_OP = {OFFER: labels.STATEMENT_OFFER, ACCEPT: labels.STATEMENT_ACCEPT}


class Handover:
    """*verify(public_key, signature, parts)* says whether an Ed25519 signature holds."""

    def __init__(self, state, recorder, trip, verify):
        self._pending = PendingOffer(state, recorder)
        self._recorder = recorder
        self._trip = trip
        self._verify = verify

    @property
    def pending(self):
        """The offer that waits for its accept, as it was signed; None if there is none."""
        return self._pending.signed

    def take(self, op: int, signed: bytes, tno: int, holder: bytes) -> tuple:
        """Returns (code, content): OK with the new head's seq, or why it is refused.

        Raises RecordError for what is no such statement, RingFull when it cannot be kept.
        """
        if len(signed) > STATEMENT_SIZE_MAX:
            return BAD_FORM, b""
        kind, fields, _, protected, payload, signature = statement.parse_statement(signed)
        if kind != _TYPE_OF_OP[op]:
            return BAD_FORM, b""
        code = self._refusal(op, fields, holder)
        if code == OK:
            parts = record.sig_structure_parts(protected, payload)
            if not self._verify(fields[10], signature, parts):
                code = BAD_SIG
            elif fields[4] != (self._trip.number if self._trip.is_open else 0):
                code = BAD_STATE
        if code != OK:
            return code, b""
        return OK, self._seal(op, signed, tno, holder).to_bytes(4, "big")

    def _refusal(self, op, fields, holder) -> int:
        """The cheap tests of H2; the signature, 85 ms of work, comes after them."""
        if fields[1] != self._recorder.tid:
            return NOT_OURS
        if access.holder_of(fields[10]) != holder:
            return NO_SCOPE
        if not self._is_recent(fields[2], fields[3]):
            return STALE_HEAD
        if op == OFFER:
            return OK
        offer = self.pending
        if offer is None:
            # Taken without giver: allowed, shown by the verifier; but it names no offer.
            return STALE_HEAD if 13 in fields else OK
        if statement.parse_statement(offer)[1][10] == fields[10]:
            return BAD_STATE
        return OK if fields.get(13) == access.sha256(offer) else STALE_HEAD

    def _is_recent(self, seq, record_hash) -> bool:
        head_seq, head_hash = self._recorder.head()
        if not head_seq - OFFER_HEAD_AGE_MAX < seq <= head_seq:
            return False
        if seq == head_seq:
            return record_hash == head_hash
        return record_hash == access.sha256(self._recorder.records.read(seq))

    def _seal(self, op, signed, tno, holder) -> int:
        content = cbor.encode([tno, holder[:8], signed])
        if op == OFFER:
            return self._pending.seal_offer(signed, content)
        return self._pending.seal_accept(content)
