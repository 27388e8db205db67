# SPDX-License-Identifier: MIT
"""One visitor's link: handshake, commands, and the bulk stream. Bytes in, bytes out.

    CLOSED DOOR --HELLO, good door--> CHALLENGED --PROOF--> OPEN --BYE, bad frame--> is_closed

Order of the tests is rule T2: length, version, door, form, lock, challenge, proof,
revocation, trip, clock, scope, room. Commands that belong to later versions (checkpoint, time,
receipts, orders) pass these tests and answer BAD_STATE. Seams for them: the
table `_run` looks into, and `_standing`, which is where byte budgets will be asked.
docs/access-protocol.md is normative.
"""

from sealwire import access, cbor, frames, labels, profile, protocol
from sealwire.envelope import RecordError
from sealwire.protocol import BAD_FORM, BAD_STATE, FULL, NO_SCOPE, OK
from sealwire.sync import SyncError, TagSync, parse_sync

from ..clock import SRC_TICKET
from ..keys.entropy import EntropyError
from ..keys.fleetkey import FleetKey
from ..keys.keylist import list_keys
from ..recording.logspace import FILLING_PERMILLE
from ..store.ringlog import RingFull
from .handover import Handover

# A repeated one of these (its answer was lost) must not be carried out twice.
_ONCE = (
    protocol.OFFER,
    protocol.ACCEPT,
    protocol.TRIP,
    protocol.TRIP_END,
    protocol.ROLL,
    protocol.FLEET_NEXT,
)
# These alone do not make a visit worth an entry in the chain.
_NOT_ITEMISED = (protocol.STATUS, protocol.ACK, protocol.BYE)


class AccessSession:
    """Serves one link. `receive` takes whole control messages, `next_bulk` gives frames."""

    def __init__(
        self, admission, state, recorder, trip, clock, entropy, verify, key_roll, condition=None
    ):
        self._admission = admission
        self._condition = condition  # has is_alarmed; None: nobody knows
        self._recorder = recorder
        self._trip = trip
        self._clock = clock
        self._entropy = entropy
        self._handover = Handover(state, recorder, trip, verify)
        self._fleet_key = FleetKey(state, recorder, verify)
        self._key_roll = key_roll
        self._challenge = None  # (ticket, keys) between CHALLENGE and PROOF
        self._bad_doors = 0
        self._ticket = None  # of the open session
        self._is_itemised = False
        self._done = None  # (op, hash of arguments, answer) of the last _ONCE command
        self.is_open = False
        self.is_closed = False  # the link is to be dropped once the answer is out
        self._commands = {
            protocol.STATUS: self._status,
            protocol.SYNC: self._begin_sync,
            protocol.ACK: self._acknowledge,
            protocol.ATTEST: self._attest,
            protocol.OFFER: self._offer,
            protocol.PENDING: self._pending,
            protocol.ACCEPT: self._accept,
            protocol.TRIP: self._start_trip,
            protocol.TRIP_END: self._end_trip,
            protocol.ROLL: self._roll,
            protocol.FLEET_NEXT: self._fleet_next,
            protocol.BYE: self._bye,
            protocol.KEYS: self._keys,
        }

    def receive(self, message: bytes):
        """Takes one message; returns the answer, or None where there is none.

        What it changed is durable when it returns. Raises OSError when flash failed.
        """
        kind = message[0] if message else 0
        if kind == protocol.HELLO:
            return self._hello(message)
        if kind == protocol.PROOF:
            return self._proof(message)
        if kind == protocol.COMMAND:
            return self._command(message)
        return frames.pack_refuse(BAD_FORM)

    def next_bulk(self, size_max: int):
        """The next bulk frame of at most *size_max* bytes, or None while there is none."""
        if not self.is_open:
            return None
        try:
            chunk = self._stream.next_chunk(size_max - protocol.BULK_HEAD_SIZE)
        except IndexError:
            return None  # overwritten meanwhile: who asks again is told where to go on
        if chunk is None:
            return None
        frame = self._to_visitor.seal_bulk(self._frame_count, chunk)
        self._frame_count += 1
        return frame

    # ---- handshake

    def _hello(self, message):
        self._challenge = None
        admission = self._admission
        if not admission.is_enrolled:
            return frames.pack_refuse(BAD_STATE)
        if len(message) != protocol.HELLO_SIZE:
            return frames.pack_refuse(BAD_FORM)
        if message[1] != protocol.VERSION:
            return frames.pack_refuse(protocol.BAD_VERSION)
        if not access.is_our_door(admission.visit, message):
            self._bad_doors += 1
            self.is_closed = self._bad_doors >= protocol.BAD_DOORS_MAX
            return frames.pack_refuse(protocol.DOOR)
        try:
            content = access.open_hello(admission.visit, message).ticket
            ticket = access.parse_ticket(content)
        except access.FormError:
            return frames.pack_refuse(BAD_FORM)
        wait_s = admission.locks.wait_s(ticket.tno)
        if wait_s:
            return frames.pack_refuse(protocol.LOCKED, wait_s)
        nonce = admission.next_nonce(self._random16())
        keys = access.SessionKeys(admission.ticket_key(content), message, nonce)
        self._challenge = (ticket, keys)
        return access.pack_challenge(nonce, keys)

    def _random16(self):
        try:
            return self._entropy.random(protocol.NONCE_SIZE)
        except EntropyError:
            # Boot and session number alone make the nonce unique.
            return bytes(protocol.NONCE_SIZE)

    def _proof(self, message):
        if self._challenge is None:
            return frames.pack_refuse(BAD_FORM)
        ticket, keys = self._challenge
        self._challenge = None  # one try for each challenge
        if not access.is_good_proof(keys, message):
            self._admission.note_failure(ticket.tno)
            return frames.pack_refuse(protocol.BAD_PROOF)
        sealer = frames.Sealer(keys.mac_tag, keys.enc_tag)
        code = self._admit(ticket)
        if code != OK:
            return sealer.seal(protocol.REPLY, 0, bytes((0, code)))
        self._admission.locks.forget(ticket.tno)
        self._open(ticket, keys, sealer)
        return sealer.seal(protocol.REPLY, 0, access.pack_ready(self._ready()))

    def _admit(self, ticket) -> int:
        """The tests of a proved ticket, in the order of T2."""
        if self._admission.is_revoked(ticket):
            return protocol.REVOKED
        self._admission.take_revocations(ticket)
        if ticket.trip and not self._is_of_open_trip(ticket):
            return protocol.WRONG_TRIP
        # C3: a proved ticket was issued, so its nbf has passed.
        self._clock.raise_lower_bound(ticket.nbf * 1000, SRC_TICKET)
        if self._has_expired(ticket):
            return protocol.EXPIRED
        hi_ms = self._clock.bounds_ms()[1]
        if hi_ms is not None and hi_ms < ticket.nbf * 1000:
            return protocol.NOT_YET
        return OK

    def _open(self, ticket, keys, sealer):
        self._ticket = ticket
        self._scope = ticket.scope & protocol.ROLE_SCOPE[ticket.role]
        self._from_visitor = frames.Sealer(keys.mac_visitor, keys.enc_visitor)
        self._to_visitor = sealer
        self._last_number = 0
        self._frame_count = 0
        self._stream = TagSync(self._recorder.records.read)
        self._is_itemised = False
        self._done = None
        self.is_open = True

    def _ready(self):
        head_seq, head_hash = self._recorder.head()
        return access.Ready(
            OK,
            self._is_sure(),
            self._scope,
            self._admission.rev,
            self._trip.number if self._trip.is_open else 0,
            head_seq,
            head_hash,
            self._condition is not None and self._condition.is_alarmed,
            self._recorder.fill_permille >= FILLING_PERMILLE,
            self._recorder.is_refusing,
            self._key_roll.is_lost,
        )

    def _is_of_open_trip(self, ticket) -> bool:
        return self._trip.is_open and ticket.trip == self._trip.number

    def _has_expired(self, ticket) -> bool:
        """T6: lo > exp, always, also after a reboot."""
        if ticket.exp == protocol.NO_EXPIRY:
            return False
        return self._clock.bounds_ms()[0] > ticket.exp * 1000

    def _is_sure(self) -> bool:
        """T6: hi <= exp. Otherwise the session works, and is marked unsure in the chain."""
        if self._ticket.exp == protocol.NO_EXPIRY:
            return True
        hi_ms = self._clock.bounds_ms()[1]
        return hi_ms is not None and hi_ms <= self._ticket.exp * 1000

    # ---- commands

    def _command(self, message):
        if not self.is_open:
            return frames.pack_refuse(BAD_STATE)
        try:
            number, body = self._from_visitor.open(protocol.COMMAND, message)
        except frames.FrameError:
            self._close()
            self._admission.note_failure(self._ticket.tno)
            return frames.pack_refuse(protocol.BAD_MAC)
        if number <= self._last_number:
            self._close()
            return frames.pack_refuse(protocol.BAD_COUNTER)
        self._last_number = number
        op = body[0]
        code, content = self._run(op, body[1:])
        if op == protocol.ACK:
            return None
        return self._to_visitor.seal(protocol.REPLY, number, bytes((op, code)) + content)

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
        self._itemise(op)
        try:
            answer = command(args)
        except (RecordError, SyncError, cbor.CborError, profile.ProfileError):
            return BAD_FORM, b""
        except RingFull:
            return FULL, b""
        if op in _ONCE and answer[0] == OK:
            self._done = (op, fingerprint, answer)
        return answer

    def _standing(self, op) -> int:
        """Whether this ticket may do *op* now."""
        if self._has_expired(self._ticket):
            self._close()
            return protocol.EXPIRED
        if self._ticket.trip and not self._is_of_open_trip(self._ticket):
            self._close()  # T5: the trip's end kills its tickets
            return protocol.WRONG_TRIP
        if op not in protocol.OP_SCOPE:
            return BAD_STATE
        if protocol.OP_SCOPE[op] & ~self._scope:
            return NO_SCOPE
        if op in protocol.NEEDS_SURE_CLOCK and not self._is_sure():
            return protocol.CLOCK_UNSURE
        return OK

    def _itemise(self, op):
        """A session that does anything stands in the chain once."""
        if self._is_itemised or op in _NOT_ITEMISED:
            return
        self._is_itemised = True
        if self._recorder.is_tight:
            self._recorder.count_session()
            return
        ticket = self._ticket
        who = [ticket.tno, ticket.holder[:8], ticket.role, 1 if self._is_sure() else 0]
        self._recorder.note_event(labels.EVENT_SESSION, who)

    def _close(self):
        self.is_open = False
        self.is_closed = True

    def _status(self, args):
        return OK, (self._recorder.head()[0] & 0xFFFFFFFF).to_bytes(4, "big")

    def _begin_sync(self, args):
        first_seq, credit = parse_sync(args)
        if self._ticket.trip and first_seq < self._trip.from_seq:
            return NO_SCOPE, self._trip.from_seq.to_bytes(4, "big")  # T9
        # Who asks for what is there gets that; who holds it all gets the open block too.
        if self._stream.is_new or first_seq > self._recorder.head()[0]:
            self._recorder.seal_open_block()
        head_seq, head_hash = self._recorder.head()
        if first_seq <= head_seq:
            try:
                self._recorder.records.read(first_seq)
            except IndexError:
                # Overwritten: receipted, or lost by a tag that was told to overwrite.
                return BAD_STATE, self._recorder.records.first_seq.to_bytes(4, "big")
        self._stream.begin(first_seq, credit, head_seq)
        return OK, (head_seq & 0xFFFFFFFF).to_bytes(4, "big") + head_hash

    def _acknowledge(self, args):
        self._stream.acknowledge(*parse_sync(args))
        return OK, b""

    def _attest(self, args):
        if len(args) != protocol.NONCE_SIZE:
            return BAD_FORM, b""
        if self._key_roll.is_lost:
            return BAD_STATE, b""  # an attestation without a key would prove nothing
        return OK, self._recorder.attest(bytes(args))

    def _keys(self, args):
        if len(args) != 4:
            return BAD_FORM, b""
        from_seq = int.from_bytes(args, "big")
        return OK, list_keys(self._recorder.records, self._key_roll.epoch_seq, from_seq)

    def _offer(self, args):
        return self._handover.take(protocol.OFFER, args, self._ticket.tno, self._ticket.holder)

    def _accept(self, args):
        answer = self._handover.take(protocol.ACCEPT, args, self._ticket.tno, self._ticket.holder)
        if answer[0] == OK:
            # K1, H3. The acceptance stands, also if this roll has to wait.
            self._key_roll.roll()
        return answer

    def _roll(self, args):
        if args:
            return BAD_FORM, b""
        if not self._key_roll.roll():
            return BAD_STATE, b""
        return OK, self._recorder.head()[0].to_bytes(4, "big")

    def _fleet_next(self, args):
        return self._fleet_key.take(args), b""

    def _pending(self, args):
        offer = self._handover.pending
        return (BAD_STATE, b"") if offer is None else (OK, offer)

    def _start_trip(self, args):
        request = cbor.decode(args)
        if not isinstance(request, dict) or set(request) != {1, 2, 3}:
            return BAD_FORM, b""
        number, commitment, rules = request[1], request[2], request[3]
        if not isinstance(number, int) or not 0 < number <= 0xFFFFFFFF:
            return BAD_FORM, b""
        if not isinstance(commitment, bytes) or len(commitment) != 32:
            return BAD_FORM, b""
        if not isinstance(rules, bytes):
            return BAD_FORM, b""
        profile.parse(rules)
        args = bytes(args)
        is_new = number > self._trip.number or self._trip.is_begun(args)
        if self._trip.is_open or not is_new:
            return BAD_STATE, b""  # T8: trip numbers only rise
        self._trip.start(args)
        return OK, b""

    def _end_trip(self, args):
        if args:
            return BAD_FORM, b""
        if not self._trip.is_open:
            return BAD_STATE, b""
        self._trip.end()
        return OK, b""

    def _bye(self, args):
        self._close()
        return OK, b""
