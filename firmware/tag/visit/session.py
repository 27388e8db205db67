# SPDX-License-Identifier: MIT
"""One visitor's link: frames, standing, dispatch, and the bulk stream. Bytes in, bytes out.

    handshake --Visitor--> OPEN --BYE, bad frame--> is_closed

Every command is `command(args, who) -> (code, content)` in a module by subject; *who* is the
Visitor. What all commands share is here: expiry, trip, scope, sure clock, room (T2, T6, D8),
repeats, itemising. A command of a later version passes these tests and answers BAD_STATE.
docs/access-protocol.md is normative.
"""

from micropython import const

from sealwire import access, cbor, frames, labels, profile, protocol
from sealwire.envelope import RecordError
from sealwire.protocol import BAD_FORM, BAD_STATE, FULL, NO_SCOPE, OK, RATE
from sealwire.sync import SyncError

from ..keys.fleetkey import FleetKey
from ..store.ringlog import RingFull
from .custody import Custody
from .handover import Handover
from .handshake import Handshake
from .reading import Reading
from .signingkeys import SigningKeys
from .trips import Trips

# A repeated one of these (its answer was lost) must not be carried out twice.
_ONCE = (
    protocol.OFFER,
    protocol.ACCEPT,
    protocol.TRIP,
    protocol.TRIP_END,
    protocol.ROLL,
    protocol.FLEET_NEXT,
)
# Log bytes that a command causes beside its arguments; paid when it was carried out (D4).
_PRICE = {
    protocol.OFFER: 180,
    protocol.ACCEPT: 380,  # with the key roll
    protocol.TRIP: 400,
    protocol.TRIP_END: 60,
    protocol.ROLL: 200,
    protocol.FLEET_NEXT: 200,
}
_SESSION_PRICE = const(40)  # of its event
# These alone do not make a visit worth an entry in the chain.
_NOT_ITEMISED = (protocol.STATUS, protocol.ACK, protocol.BYE)


class AccessSession:
    """Serves one link. `receive` takes whole control messages, `next_bulk` gives frames."""

    def __init__(
        self, admission, state, recorder, trip, clock, entropy, verify, key_roll, condition=None
    ):
        self._admission = admission
        self._state = state
        self._recorder = recorder
        self._trip = trip
        self._verify = verify
        self._key_roll = key_roll
        self._handshake = Handshake(admission, recorder, trip, clock, entropy, key_roll, condition)
        self._who = None  # Visitor of the open session
        self._is_itemised = False
        self._done = None  # (op, hash of arguments, answer) of the last _ONCE command
        self._reading = Reading(recorder, trip, key_roll, admission.budget)
        self.is_open = False
        self.is_closed = False  # the link is to be dropped once the answer is out
        self._commands = self._command_table()

    def _command_table(self) -> dict:
        reading = self._reading
        handover = Handover(self._state, self._recorder, self._trip, self._verify)
        custody = Custody(handover, self._key_roll)
        trips = Trips(self._trip)
        fleet_key = FleetKey(self._state, self._recorder, self._verify)
        keys = SigningKeys(self._key_roll, fleet_key, self._recorder)
        return {
            protocol.STATUS: reading.status,
            protocol.SYNC: reading.begin_sync,
            protocol.ACK: reading.acknowledge,
            protocol.ATTEST: reading.attest,
            protocol.KEYS: reading.keys,
            protocol.OFFER: custody.offer,
            protocol.PENDING: custody.pending,
            protocol.ACCEPT: custody.accept,
            protocol.TRIP: trips.start,
            protocol.TRIP_END: trips.end,
            protocol.ROLL: keys.roll,
            protocol.FLEET_NEXT: keys.fleet_next,
            protocol.BYE: self._bye,
        }

    def receive(self, message: bytes):
        """Takes one message; returns the answer, or None where there is none.

        What it changed is durable when it returns. Raises OSError when flash failed.
        """
        kind = message[0] if message else 0
        if kind == protocol.HELLO:
            answer = self._handshake.hello(message)
            self.is_closed = self.is_closed or self._handshake.is_closed
            return answer
        if kind == protocol.PROOF:
            answer, visitor = self._handshake.proof(message)
            if visitor:
                self._open(visitor)
            return answer
        if kind == protocol.COMMAND:
            return self._command(message)
        return frames.pack_refuse(BAD_FORM)

    def next_bulk(self, size_max: int):
        """The next bulk frame of at most *size_max* bytes, or None while there is none."""
        if not self.is_open:
            return None
        chunk = self._reading.next_chunk(size_max - protocol.BULK_HEAD_SIZE)
        if chunk is None:
            return None
        frame = self._who.to_visitor.seal_bulk(self._frame_count, chunk)
        self._frame_count += 1
        return frame

    def _open(self, visitor):
        self._who = visitor
        self._last_number = 0
        self._frame_count = 0
        self._reading.restart()
        self._is_itemised = False
        self._done = None
        self.is_open = True

    def _close(self):
        self.is_open = False
        self.is_closed = True

    # ---- commands

    def _command(self, message):
        if not self.is_open:
            return frames.pack_refuse(BAD_STATE)
        who = self._who
        try:
            number, body = who.from_visitor.open(protocol.COMMAND, message)
        except frames.FrameError:
            self._close()
            self._admission.note_failure(who.tno)
            return frames.pack_refuse(protocol.BAD_MAC)
        if number <= self._last_number:
            self._close()
            return frames.pack_refuse(protocol.BAD_COUNTER)
        self._last_number = number
        op = body[0]
        code, content = self._run(op, body[1:])
        if op == protocol.ACK:
            return None
        return who.to_visitor.seal(protocol.REPLY, number, bytes((op, code)) + content)

    def _run(self, op, args) -> tuple:
        """Returns (code, content). A refusal changes nothing, but for a dead ticket's."""
        code = self._standing(op)
        if code != OK:
            return code, b""
        fingerprint = access.sha256(args)
        if self._done and self._done[:2] == (op, fingerprint):
            return self._done[2]
        if op not in protocol.WORKS_WHEN_FULL and self._recorder.is_tight:
            return FULL, b""  # D8
        command = self._commands.get(op)
        if command is None:
            return BAD_STATE, b""
        price = _PRICE[op] + len(args) if op in _PRICE else 0
        if price and not self._admission.budget.has(self._who.tno, price):
            return RATE, b""
        self._itemise(op)
        answer = self._carry_out(command, args)
        if price and answer[0] == OK:
            self._admission.budget.pay(self._who.tno, price)  # a bad signature costs none (D7)
        if op in _ONCE and answer[0] == OK:
            self._done = (op, fingerprint, answer)
        return answer

    def _carry_out(self, command, args) -> tuple:
        try:
            return command(args, self._who)
        except (RecordError, SyncError, cbor.CborError, profile.ProfileError):
            return BAD_FORM, b""
        except RingFull:
            return FULL, b""

    def _standing(self, op) -> int:
        """Whether this ticket may do *op* now."""
        who = self._who
        if who.has_expired():
            self._close()
            return protocol.EXPIRED
        if not who.is_of_open_trip():
            self._close()  # T5: the trip's end kills its tickets
            return protocol.WRONG_TRIP
        if op not in protocol.OP_SCOPE:
            return BAD_STATE
        if protocol.OP_SCOPE[op] & ~who.scope:
            return NO_SCOPE
        if op in protocol.NEEDS_SURE_CLOCK and not who.is_sure():
            return protocol.CLOCK_UNSURE
        return OK

    def _itemise(self, op):
        """A session that does anything stands in the chain once."""
        if self._is_itemised or op in _NOT_ITEMISED:
            return
        self._is_itemised = True
        who, budget = self._who, self._admission.budget
        if self._recorder.is_tight:
            self._recorder.count_session()
            return
        if not budget.has(who.tno, _SESSION_PRICE):
            self._recorder.count_session(False)
            return
        budget.pay(who.tno, _SESSION_PRICE)
        content = [who.tno, who.holder[:8], who.role, 1 if who.is_sure() else 0]
        self._recorder.note_event(labels.EVENT_SESSION, content)

    def _bye(self, args, who):
        self._close()
        return OK, b""
