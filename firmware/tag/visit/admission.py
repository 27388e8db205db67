# SPDX-License-Identifier: MIT
"""Who may come in: access key, visit key, revocation state, session numbers. One per boot.

Shared by all sessions of a boot; a session keeps nothing of its own beyond its link.
Rules T1 to T4 and T10 of docs/access-protocol.md.
"""

from micropython import const

from sealwire import access, labels

from ..store import statestore
from .budget import ByteBudget
from .locks import TicketLocks

_REVOCATION_PRICE = const(64)  # log bytes of the event, at most
_REVOCATION_HEAD = const(7)  # u16 rev, u32 floor, u8 count; then u32 each


class Admission:
    """*recorder* keeps the events of locks and revocations; its `boot` goes into nonces."""

    def __init__(self, state, recorder, uptime):
        self._state = state
        self._recorder = recorder
        self._access = None  # Hmac of the access key; None: not enrolled
        self._session_count = 0
        self.visit = None  # Hmac of the visit key: door, mask and advert ids
        self.rev = 0
        self.floor = 0
        self.revoked = ()
        self.locks = TicketLocks(state, uptime)
        self.budget = ByteBudget(uptime)  # of log bytes that visitors cause (D4)

    def load(self) -> bool:
        """Reads keys and state; call after the recorder began. False: not enrolled."""
        access_key = self._state.get(statestore.ACCESS_KEY)
        if not access_key or not self._state.get(statestore.CERTIFICATE):
            return False
        self._access = access.Hmac(access_key)
        self._load_revocation()
        self.locks.load()
        self._derive_visit_key()
        return True

    @property
    def is_enrolled(self) -> bool:
        """True once there is an access key and a certificate."""
        return self._access is not None

    def ticket_key(self, ticket: bytes) -> bytes:
        """TK, from the ticket's bytes: a ticket is stored nowhere (T3)."""
        return self._access.digest(access.label("ticket"), ticket)

    def next_nonce(self, random16: bytes) -> bytes:
        """A challenge nonce: boot and session number make it unique without *random16*."""
        self._session_count += 1
        return access.challenge_nonce(
            self._access, self._recorder.boot, self._session_count, random16
        )

    def note_failure(self, tno: int) -> None:
        """Counts a wrong proof or a wrong MAC of ticket *tno*, before the answer leaves."""
        if self.locks.note_failure(tno):
            self._recorder.note_event(labels.EVENT_LOCK, [tno])

    def is_revoked(self, ticket) -> bool:
        """By this tag's state, or by the list that the ticket itself carries."""
        return (
            ticket.tno < self.floor or ticket.tno in self.revoked or ticket.tno in ticket.revoked
        )

    def take_revocations(self, ticket) -> None:
        """T4: a proved, unrevoked ticket with a newer state replaces ours as a whole."""
        if ticket.rev <= self.rev or ticket.floor < self.floor:
            return
        content = ticket.rev.to_bytes(2, "big") + ticket.floor.to_bytes(4, "big")
        content += bytes((len(ticket.revoked),))
        content += b"".join([tno.to_bytes(4, "big") for tno in ticket.revoked])
        self._state.put(statestore.REVOCATION, content)
        # A cut here: the state is in force, its event is missing; the state is what counts.
        self._load_revocation()
        self._derive_visit_key()
        event = [self.rev, self.floor, list(self.revoked)]
        if not self.budget.has(ticket.tno, _REVOCATION_PRICE):
            return  # the state holds without its event
        self.budget.pay(ticket.tno, _REVOCATION_PRICE)
        self._recorder.note_event(labels.EVENT_REVOCATION, event)

    def _load_revocation(self):
        content = self._state.get(statestore.REVOCATION)
        if content is None or len(content) < _REVOCATION_HEAD:
            return
        self.rev = int.from_bytes(content[:2], "big")
        self.floor = int.from_bytes(content[2:6], "big")
        self.revoked = tuple(
            [
                int.from_bytes(content[offset : offset + 4], "big")
                for offset in range(_REVOCATION_HEAD, len(content), 4)
            ]
        )

    def _derive_visit_key(self):
        key = self._access.digest(access.label("visit"), self.floor.to_bytes(4, "big"))
        self.visit = access.Hmac(key)
