# SPDX-License-Identifier: MIT
"""Workload of a whole trip whose signing key rolls, for the sweeps: the tag as it ships.

Samples, a trip's start, an offer, an accept, a daily roll, the trip's end; each handover of
the key as rule K1 has it. State: (samples promised, events promised). After each cut the
evidence is verified by the host's verifier, the key slots hold one key, and no other seed
that was ever made is left anywhere in raw flash.
"""

import hashlib
from datetime import date

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sealtrail.errors import VerifyError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.verify import judge
from sealwire import cbor, labels, profile
from sealwire.record import parse_record
from tag.clock import Clock
from tag.keys.keyepoch import KeyEpoch, certified_key
from tag.keys.keyroll import KeyRoll, open_signer
from tag.keys.seedkeys import SeedKeys
from tag.recording.recorder import Recorder
from tag.recording.trip import Trip
from tag.store import keyslots
from tag.store.journal import SAMPLE_ENTRY
from tag.store.storage import Storage
from tag.visit.pendingoffer import PendingOffer
from tests.fakes import nor
from tests.fakes.clockwork import FakeRTC, FakeUptime
from tests.vectors import chain

KEYS_SECTORS, LOG_SECTORS = 6, 20
RULES = profile.encode(profile.build("test", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))
CUSTODY = cbor.encode([1, b"holder00", b"statement"])
REQUEST = cbor.encode({1: 7, 2: bytes(32), 3: RULES})
FLEET = chain.Ed25519Key("fleet")
_EVENTS = {
    labels.EVENT_TRIP: "trip",
    labels.EVENT_TRIP_END: "end",
    labels.EVENT_OFFER: "offer",
    labels.EVENT_ACCEPT: "accept",
}
_DAY_MS = 86_400_000


class Signer:
    """An Ed25519 signer by the host's library, with what a key store's signer has."""

    algorithm = labels.ALG_EDDSA

    def __init__(self, seed):
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(seed))
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, parts):
        return self._key.sign(b"".join(bytes(part) for part in parts))

    def wipe(self):
        self._key = None


def verify(public_key, signature, parts):
    try:
        Ed25519PublicKey.from_public_bytes(bytes(public_key)).verify(
            bytes(signature), b"".join(bytes(part) for part in parts)
        )
    except InvalidSignature:
        return False
    return True


class Seeds:
    """Stands for entropy. Few different seeds over a whole sweep, and all of them known.

    *life*: 0 while the workload is recorded, 1 after it, so that a key made again after a
    cut is another one.
    """

    def __init__(self):
        self.made = {}
        self.life = 0
        self.count = 0  # since the boot

    def seed(self, extra):
        self.count += 1
        made = hashlib.sha256(b"seed %d %d " % (self.life, self.count) + bytes(extra)).digest()
        self.made[made] = True
        return made


class Tag:
    """One life of the tag on *chip*, from power-on until it takes readings."""

    def __init__(self, chip: nor.Nor, seeds: Seeds, certificate: bytes, slots=keyslots.KeySlots):
        self.chip = chip
        self.uptime = FakeUptime()
        self.faults = []
        self.storage = Storage(
            nor.Part(chip, 0, KEYS_SECTORS), nor.Part(chip, KEYS_SECTORS, LOG_SECTORS)
        )
        self.storage.key_slots = slots(nor.Part(chip, 0, 2), 0, 1)
        self.storage.open()
        self.clock = Clock(self.uptime, 500, FakeRTC())
        self.keys = SeedKeys(self.storage.key_slots, seeds, Signer, verify)
        records = self.storage.records
        epoch = KeyEpoch(self.storage.state, records, certified_key(certificate))
        signer, self.key_fault = open_signer(self.keys, epoch, records)

        def note(code, text):
            self.faults.append((code, text))

        self.recorder = Recorder(
            self.storage.journal, records, signer, self.clock, self.uptime, note, certificate
        )
        self.key_roll = KeyRoll(self.keys, epoch, self.recorder, self.clock, self.uptime, note)
        self.trip = Trip(self.storage.state, self.recorder)
        self.pending = PendingOffer(self.storage.state, self.recorder)

    def begin(self):
        self.recorder.begin(1, "0.1.0")
        self.trip.on_change = self._trip_changed
        self.trip.resume()
        self.pending.resume()
        self.key_roll.resume(self.trip)

    def _trip_changed(self):
        if self.trip.is_open:
            self.key_roll.roll()

    def accept(self):
        self.pending.seal_accept(CUSTODY)
        self.key_roll.roll()

    def sample(self, value):
        self.uptime.advance(60_000)
        assert self.recorder.sample(self.uptime.now_ms(), [value])


class KeyTripScenario:
    """See the module. *slots*, *tag*: classes under test. *roll_count*: daily rolls.

    *rolls_again*: whether the life after a cut rolls too, which erases the free slot anew.
    """

    on_error = None
    sector_count = KEYS_SECTORS + LOG_SECTORS

    def __init__(self, slots=keyslots.KeySlots, tag=Tag, roll_count=2, rolls_again=True):
        self.slots = slots
        self.tag = tag
        self.roll_count = roll_count
        self.rolls_again = rolls_again
        self.seeds = Seeds()
        self.first_seed = self.seeds.seed(b"enrolment")
        first_key = chain.Ed25519Key("a tag's first key")
        first_key.cose_key = {1: 1, -1: 6, -2: Signer(self.first_seed).public_key}
        self.certificate = chain.certificate(first_key, FLEET)
        self.fleet = [fleet_key()]
        self.is_recorded = False
        self.found = []  # seeds that the flash held before this life mended anything
        self.asked = ()  # events under way at the cut: they may come with a later boot too

    def mend(self, world):
        return world

    def open(self, device):
        # Metastable bits have settled since the last life, and nobody has mended them yet: a
        # thief may read the flash now.
        is_later = bool(device.log) and self.is_recorded
        self.found = [s for s in self.seeds.made if s in device.memory] if is_later else []
        self.seeds.count = 0
        self._enrol(device)
        tag = self.tag(device, self.seeds, self.certificate, self.slots)
        tag.begin()
        return tag

    def _enrol(self, device):
        """A blank chip gets its first seed; so does one that was cut while it got it."""
        slots = self.slots(nor.Part(device, 0, 2), 0, 1)
        if device.memory[2 * nor.SECTOR_SIZE :].strip(b"\xff") or slots.active():
            return
        slots.erase_all()
        slots.store_first(self.first_seed)

    # ---- life

    def workload(self, tag):
        value, events = 0, ()
        for _ in range(2):
            value += 1
            tag.sample(value)
            yield value, events
        tag.trip.start(REQUEST)
        events += ("trip",)
        yield value, events
        value += 1
        tag.sample(value)
        yield value, events
        tag.pending.seal_offer(b"statement", CUSTODY)
        events += ("offer",)
        yield value, events
        tag.accept()
        events += ("accept",)
        yield value, events
        for _ in range(self.roll_count):
            value += 1
            tag.uptime.advance(_DAY_MS)
            tag.sample(value)
            yield value, events
            tag.key_roll.roll_if_due(tag.trip)
            yield value, events
        tag.trip.end()
        events += ("end",)
        yield value, events
        self.seeds.life = 1
        self.is_recorded = True

    def carry_on(self, tag, low, high):
        value, events = self.state_of(tag)
        tag.sample(value + 1)
        yield value + 1, events
        if self.rolls_again and not tag.key_roll.roll():
            raise AssertionError(f"no roll: {tag.faults}")
        yield value + 1, events
        tag.sample(value + 2)
        yield value + 2, events

    # ---- what must hold

    def state_of(self, tag):
        samples, events = self._found(tag)
        return len(samples), events

    def _found(self, tag):
        samples, events = [], []
        for _, raw in tag.recorder.records.records(0):
            one = parse_record(raw)
            samples += [value for run in one.runs for value in run[3]]
            events += [_EVENTS[event[1]] for event in one.events if event[1] in _EVENTS]
        for entry in tag.storage.journal.entries():
            if entry.kind == SAMPLE_ENTRY:
                samples += entry.values
        return samples, tuple(events)

    def check(self, tag, low, high):
        if tag.key_roll.is_lost:
            return f"key lost: {tag.key_fault}"
        samples, events = self._found(tag)
        if samples != list(range(1, len(samples) + 1)):
            return f"samples {samples}"
        if not low[0] <= len(samples) <= high[0]:
            return f"{len(samples)} samples, promised {low[0]}"
        if low != high:
            self.asked = high[1]
        if events not in (low[1], high[1], self.asked):
            return f"events {events}"
        return self._wrong_evidence(tag) or self._wrong_keys(tag)

    def _wrong_evidence(self, tag):
        records = [raw for _, raw in tag.recorder.records.records(0)]
        wrong = self._wrong_records(records)
        if wrong:
            return wrong
        rolls = [one for one in map(parse_record, records) if one.next_key]
        first = certified_key(self.certificate)
        keys = [first] + [one.next_key for one in rolls]
        if tag.recorder.sealer.signer.public_key != keys[-1]:
            return "the signer has another key than the chain"
        before = [first] + [one.next_key for one in rolls if one.boot < tag.recorder.boot]
        if any(Signer(seed).public_key in before[:-1] for seed in self.found):
            return "the seed of an earlier epoch came back"
        return None

    def _wrong_records(self, records):
        try:
            judge(self.certificate + b"".join(records), self.fleet)
        except VerifyError as e:
            return f"evidence refused: {e}"
        return None

    def _wrong_keys(self, tag):
        active = tag.storage.key_slots.active()
        memory = bytes(tag.chip.memory)
        for seed in self.seeds.made:
            count = memory.count(seed)
            if seed == active[1] and count != 1:
                return f"{count} copies of the seed"
            if seed != active[1] and count:
                return "a dead seed is still in flash"
        return None


def fleet_key() -> FleetKey:
    """The test fleet's key as a verifier knows it."""
    return FleetKey("test", VerifyingKey(FLEET.public), date(2000, 1, 1), date(2100, 1, 1))
