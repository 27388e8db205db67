# SPDX-License-Identifier: MIT
"""Takes over the fleet's next key, which the tag has known by its hash since enrolment (K6).

The key must be the one whose hash is held, and have signed for itself (statement 21). So
whoever steals the fleet key in use cannot name the next one.
"""

from sealwire import access, cbor, labels, record, statement
from sealwire.protocol import BAD_FORM, BAD_SIG, NOT_OURS, OK, STALE

from ..store import statestore


class FleetKey:
    """*verify(public_key, signature, parts)* says whether an Ed25519 signature holds."""

    def __init__(self, state, recorder, verify):
        self._state = state
        self._recorder = recorder
        self._verify = verify

    def take(self, signed: bytes) -> int:
        """Returns OK once the new key is in force, else why it is refused.

        Raises RecordError for what is no statement, RingFull when its event cannot be kept.
        """
        kind, fields, _, protected, payload, signature = statement.parse_statement(signed)
        if kind != labels.STATEMENT_FLEET:
            return BAD_FORM
        new_key, following_hash = fields[1], fields[2]
        digest = access.sha256(new_key)
        if following_hash == digest:
            return BAD_FORM  # a key that follows itself could be taken over and over
        if digest != self._state.get(statestore.FLEET_NEXT_HASH):
            return STALE if new_key == self._state.get(statestore.FLEET_KEY) else NOT_OURS
        if not self._verify(new_key, signature, record.sig_structure_parts(protected, payload)):
            return BAD_SIG
        self._put_in_force(new_key, digest, following_hash)
        return OK

    def _put_in_force(self, new_key, digest, following_hash):
        # The hash moves last. A cut before it leaves the old hash, so that the visitor, who
        # had no answer, may say the same again; the event may then stand twice.
        self._state.put(statestore.FLEET_KEY, new_key)
        self._recorder.custody_event(labels.EVENT_FLEET_KEY, cbor.encode([digest[:8]]))
        self._state.put(statestore.FLEET_NEXT_HASH, following_hash)
