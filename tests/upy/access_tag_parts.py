# SPDX-License-Identifier: MIT
"""What stands around a tag's session, in memory: state, recorder, and a visitor without radio.

Trip, clock, admission and session are the firmware's own. A "reboot" is a new `TagParts`
on the same state and records. Runs on both interpreters; tests/unit takes it from
tests.fakes.access_parts.
"""

import hashlib
import os
from binascii import unhexlify

from access_sync_pipe import make_record

from sealwire import access, frames, labels, protocol, record, statement
from tag.clock import SRC_SERIAL, Clock
from tag.recording.trip import Trip
from tag.store import statestore
from tag.visit.admission import Admission
from tag.visit.session import AccessSession

ACCESS_KEY = bytes(range(32))
# Of the vectors: a fixed key of tests/vectors/chain.py.
CERTIFICATE = unhexlify(
    "d28443a10127a05853a5026753542d30303031061a6ab13b8008a101a301012006215820ea0909ba"
    "d18114823ad814edd796889fa5327d94d96376e5c18a73ec4d194b383a0001117067766972747561"
    "6c3a0001117165302e312e305840f61a67e081892131340d15c363d2023b314035339a851bf0ab1d"
    "adc6153991007db68e5da0247526ece35828ca65a62bb186f49970cd84b29d20cd8fb2dbd80a"
)
NOW_S = 1_795_000_000


class FakeUptime:
    """Uptime whose hand the test turns."""

    def __init__(self):
        self.value_ms = 0

    def now_ms(self):
        return self.value_ms

    def advance(self, ms):
        self.value_ms += ms


class FakeState:
    """A state store whose writes are counted."""

    def __init__(self):
        self.values = {}
        self.write_count = 0

    def get(self, key):
        return self.values.get(key)

    def put(self, key, value):
        assert len(value) <= 512
        self.write_count += 1
        self.values[key] = bytes(value)

    def delete(self, key):
        self.write_count += 1
        self.values.pop(key, None)


class FakeRecordLog:
    """Records by seq."""

    def __init__(self):
        self.all = []

    @property
    def head_seq(self):
        return len(self.all) - 1

    first_seq = 0  # of what is held

    def read(self, seq):
        if seq < self.first_seq:
            raise IndexError(seq)
        return self.all[seq]

    def settle(self):
        pass

    def records(self, from_seq=0):
        for seq in range(max(from_seq, self.first_seq), len(self.all)):
            yield seq, self.all[seq]


class FakeRecorder:
    """Events go into a list; sealing makes one record of the right shape."""

    def __init__(self, records: FakeRecordLog, boot: int):
        self.records = records
        self.boot = boot
        self.tid = access.tid_of(CERTIFICATE)
        self.events = []
        self.unsealed = []
        self.is_full = False
        self.is_tight = self.is_refusing = False
        self.fill_permille = 0
        self.session_count = 0

    def head(self):
        last = self.records.all[-1] if self.records.all else CERTIFICATE
        return self.records.head_seq, hashlib.sha256(last).digest()

    def note_event(self, code, content=None, seal=False):
        self.events.append((code, content))
        self.unsealed.append(code)
        if seal:
            self.seal_open_block()
        return True

    def seal_open_block(self, is_urgent=False):
        if self.unsealed:
            seq, previous = self.head()
            self.records.all.append(make_record(seq + 1, previous, 200))
            self.unsealed = []
        return True

    def count_session(self, is_durable=True):
        self.session_count += 1

    def custody_event(self, code, content):
        from tag.store.ringlog import RingFull

        if self.is_full:
            raise RingFull("full")
        self.note_event(code, content, seal=True)
        return self.records.head_seq

    def has_event(self, code, since_seq):
        return False

    @property
    def unsealed_count(self):
        return len(self.unsealed)

    def attest(self, nonce):
        seq, head_hash = self.head()
        payload = statement.attestation_payload(
            self.tid, max(seq, 0), head_hash, nonce, self.boot, 1, 0, None, self.unsealed_count
        )
        parts = record.sig_structure_parts(statement.protected_of(), payload)
        return statement.statement(payload, self.sign(parts))

    def sign(self, parts):
        """Replaced where somebody looks at signatures."""
        return bytes(64)


class FakeEntropy:
    """Random bytes, or the same bytes for ever when the source is *stuck*."""

    def __init__(self, stuck=False):
        self.stuck = stuck

    def random(self, size):
        return bytes(size) if self.stuck else os.urandom(size)


class FakeKeyRoll:
    """Counts the rolls it was asked for."""

    def __init__(self):
        self.is_lost = False
        self.is_able = True
        self.count = 0
        self.epoch_seq = -1

    def roll(self):
        self.count += 1
        return self.is_able and not self.is_lost


def believe_every_signature(public_key, signature, parts):
    """Stands for the verify function where signatures are not what is looked at."""
    return True


class TagParts:
    """An enrolled tag on *state* and *records*; sessions share its admission."""

    def __init__(
        self, state=None, records=None, boot=1, stuck=False, verify=believe_every_signature
    ):
        self.verify = verify
        self.state = FakeState() if state is None else state
        self.records = FakeRecordLog() if records is None else records
        self.state.values.setdefault(statestore.ACCESS_KEY, ACCESS_KEY)
        self.state.values.setdefault(statestore.CERTIFICATE, CERTIFICATE)
        self.uptime = FakeUptime()
        self.recorder = FakeRecorder(self.records, boot)
        self.recorder.note_event(labels.EVENT_BOOT, seal=True)
        self.clock = Clock(self.uptime, 500)
        self.trip = Trip(self.state, self.recorder)
        self.trip.resume()
        self.entropy = FakeEntropy(stuck)
        self.key_roll = FakeKeyRoll()
        self.admission = Admission(self.state, self.recorder, self.uptime)
        self.admission.load()

    def set_clock(self, now_s=NOW_S):
        self.clock.narrow(now_s * 1000 - 500, now_s * 1000 + 500, SRC_SERIAL)

    def session(self):
        return AccessSession(
            self.admission,
            self.state,
            self.recorder,
            self.trip,
            self.clock,
            self.entropy,
            self.verify,
            self.key_roll,
        )

    def reboot(self):
        return TagParts(self.state, self.records, self.recorder.boot + 1, verify=self.verify)

    def event_codes(self):
        return [code for code, _ in self.recorder.events]


def make_ticket(holder=bytes(16), **changes):
    """A site ticket that is valid at NOW_S, with *changes*."""
    fields = {
        "role": protocol.SITE,
        "scope": protocol.SCOPE_ALL,
        "tno": 2,
        "holder": holder,
        "nbf": NOW_S - 300,
        "exp": NOW_S + 86_400,
        "trip": 0,
        "rev": 0,
        "floor": 0,
        "revoked": (),
    }
    fields.update(changes)
    return access.Ticket(**fields)


class PlainVisitor:
    """The visitor's half of a session, one call at a time. Raw ticket bytes need *floor*."""

    def __init__(self, session, ticket=None, floor=None):
        self.session = session
        ticket = ticket or make_ticket()
        self.ticket = ticket if isinstance(ticket, bytes) else access.pack_ticket(ticket)
        floor = (
            (ticket.floor if isinstance(ticket, access.Ticket) else 0) if floor is None else floor
        )
        self.visit = access.Hmac(access.visit_key(ACCESS_KEY, floor))
        self.key = access.ticket_key(ACCESS_KEY, self.ticket)
        self.number = 0
        self.ready = None

    def hello(self):
        self.hello_bytes = access.pack_hello(self.visit, os.urandom(16), self.ticket)
        return self.session.receive(self.hello_bytes)

    def connect(self):
        """Returns OK or the failure code."""
        challenge = self.hello()
        if challenge[0] == protocol.REFUSE:
            return challenge[1]
        self.keys = access.open_challenge(self.key, self.hello_bytes, challenge)
        answer = self.session.receive(access.pack_proof(self.keys))
        if answer[0] == protocol.REFUSE:
            return answer[1]
        self.from_tag = frames.Sealer(self.keys.mac_tag, self.keys.enc_tag)
        self.to_tag = frames.Sealer(self.keys.mac_visitor, self.keys.enc_visitor)
        _, body = self.from_tag.open(protocol.REPLY, answer)
        self.ready = access.parse_ready(body)
        return self.ready.code

    def frame(self, op, args=b""):
        self.number += 1
        return self.to_tag.seal(protocol.COMMAND, self.number, bytes((op,)) + args)

    def command(self, op, args=b""):
        """Returns (code, content); a REFUSE gives its code; no answer gives None."""
        answer = self.session.receive(self.frame(op, args))
        if answer is None:
            return None
        if answer[0] == protocol.REFUSE:
            return answer[1], b""
        number, body = self.from_tag.open(protocol.REPLY, answer)
        assert number == self.number and body[0] == op
        return body[1], body[2:]

    def stream(self, value_size=244):
        """All bulk there is now, decrypted and joined."""
        chunks = []
        while (frame := self.session.next_bulk(value_size)) is not None:
            assert len(frame) <= value_size
            chunks.append(self.from_tag.open_bulk(frame)[1])
        return b"".join(chunks)
