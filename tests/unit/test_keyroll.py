# SPDX-License-Identifier: MIT
"""Key epochs: when the key rolls, what stops a roll, and what a tag does without its key."""

import pytest

from sealtrail.errors import VerifyError
from sealtrail.evidence.verify import judge
from sealwire import labels
from sealwire.record import parse_envelope, parse_record, sig_structure_parts
from tag import faults
from tag.keys.entropy import EntropyError
from tag.recording.logspace import REFUSING, TAKING
from tests.fakes import nor
from tests.power_loss import key_scenario
from tests.power_loss.key_scenario import REQUEST, KeyTripScenario, Signer

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class Bench:
    """One tag over its lives, with its certificate and every seed it ever had."""

    def __init__(self):
        self.chip = nor.Nor(KeyTripScenario.sector_count)
        self.scenario = KeyTripScenario()
        self.tag = None
        self.boot()

    def boot(self):
        """The next life; uptime starts anew, the clock is what the log says."""
        self.tag = self.scenario.open(self.chip)
        return self.tag

    @property
    def records(self):
        return [raw for _, raw in self.tag.recorder.records.records(0)]

    @property
    def kinds(self):
        return [parse_record(raw).kind for raw in self.records]

    @property
    def roll_count(self):
        return self.kinds.count(labels.KIND_KEY_EPOCH)

    def judge(self, records=None):
        """The host's verdict: raises VerifyError."""
        records = self.records if records is None else records
        return judge(self.scenario.certificate + b"".join(records), self.scenario.fleet)

    def start_trip(self):
        self.tag.trip.start(REQUEST)

    def turn(self, ms):
        """Time passes, and the key task looks."""
        self.tag.uptime.advance(ms)
        self.tag.key_roll.roll_if_due(self.tag.trip)

    def set_clock(self, utc_s):
        self.tag.clock.narrow(utc_s * 1000, utc_s * 1000 + 500, 2)


@pytest.fixture
def bench():
    return Bench()


# ---- when (K1)


def test_a_trip_starts_with_a_roll_behind_its_event(bench):
    bench.start_trip()
    assert bench.kinds[-2:] == [labels.KIND_BLOCK, labels.KIND_KEY_EPOCH]
    assert parse_record(bench.records[-2]).events[-1][1] == labels.EVENT_TRIP
    bench.judge()


def test_an_open_trip_rolls_every_24_hours_and_no_sooner(bench):
    bench.start_trip()
    for _ in range(23):
        bench.turn(HOUR_MS)
    assert bench.roll_count == 1
    bench.turn(HOUR_MS)
    assert bench.roll_count == 2
    bench.turn(HOUR_MS)
    assert bench.roll_count == 2
    bench.judge()


def test_the_daily_roll_leaves_the_reserve_of_a_full_log_to_custody(bench):
    bench.start_trip()
    recorder = bench.tag.recorder
    recorder.sealer.is_full = True  # found full
    recorder.sealer._acknowledged = recorder.records.acknowledged
    bench.turn(DAY_MS + HOUR_MS)
    recorder.sealer.is_full, recorder.space.stage = False, REFUSING
    bench.turn(DAY_MS)
    assert bench.roll_count == 1
    # What an acceptance owes is rolled all the same; and once a receipt came, the day's.
    assert bench.tag.key_roll.roll() and bench.roll_count == 2
    recorder.space.stage = TAKING
    bench.turn(DAY_MS)
    assert bench.roll_count == 3


def test_no_roll_outside_a_trip(bench):
    bench.turn(3 * DAY_MS)
    assert bench.roll_count == 0


def test_a_tag_that_reboots_every_day_rolls_by_the_clock(bench):
    bench.set_clock(1_795_000_000)
    bench.start_trip()
    for day in (1, 2, 3):
        bench.boot()
        bench.set_clock(1_795_000_000 + day * 90_000)
        bench.turn(60_000)
    assert bench.roll_count == 4
    bench.boot()
    bench.turn(60_000)
    assert bench.roll_count == 4
    bench.judge()


def test_the_roll_that_a_cut_took_from_an_accept_is_made_at_the_next_boot(bench):
    bench.start_trip()
    bench.tag.pending.seal_accept(key_scenario.CUSTODY)  # and then the power fails
    bench.boot()
    assert bench.roll_count == 2
    bench.boot()
    assert bench.roll_count == 2
    bench.judge()


def test_a_roll_writes_little_and_a_boot_asks_one_record(bench):
    bench.start_trip()
    for _ in range(40):
        bench.tag.sample(1)
        bench.tag.recorder.seal_open_block()
    before = bytes(bench.chip.memory)
    reads = []
    epoch = bench.tag.key_roll._epoch
    genuine = epoch._records.read
    epoch._records.read = lambda seq: reads.append(seq) or genuine(seq)
    epoch.load()
    assert reads == [] and bytes(bench.chip.memory) == before
    bench.chip.clear_counts()
    assert bench.tag.key_roll.roll()
    assert bench.chip.erases == 2


# ---- what stops a roll


def test_a_failed_random_source_leaves_the_old_key_and_is_tried_again_each_hour(bench):
    def fail(extra):
        raise EntropyError("repetition")

    bench.tag.keys._entropy.seed, genuine = fail, bench.tag.keys._entropy.seed
    bench.start_trip()
    assert bench.roll_count == 0 and bench.tag.trip.is_open
    assert bench.tag.faults == [(faults.SIGNER, "no key roll: random source: repetition")]
    for _ in range(30):
        bench.tag.sample(1)
        bench.turn(60_000)
    # 30 samples a minute apart, looked at each minute: the samples wait in one block.
    assert len(bench.tag.faults) < 4
    bench.tag.keys._entropy.seed = genuine
    bench.turn(HOUR_MS)
    assert bench.roll_count == 1
    bench.judge()


class Glitch:
    """A signer whose first *count* signatures are wrong, as under a voltage glitch."""

    def __init__(self, signer, count):
        self._signer, self._count = signer, count
        self.algorithm, self.public_key = signer.algorithm, signer.public_key

    def sign(self, parts):
        self._count -= 1
        signature = bytearray(self._signer.sign(parts))
        signature[7] ^= 1 if self._count >= 0 else 0
        return bytes(signature)

    def wipe(self):
        self._signer.wipe()


@pytest.mark.parametrize(("count", "is_rolled"), [(1, True), (2, False)])
def test_a_faulty_signature_never_gets_into_the_chain(bench, count, is_rolled):
    sealer = bench.tag.recorder.sealer
    bench.tag.sample(1)
    bench.tag.recorder.seal_open_block()
    sealer.signer = Glitch(sealer.signer, count)
    assert bench.tag.key_roll.roll() == is_rolled
    bench.tag.sample(2)
    bench.tag.recorder.seal_open_block()
    bench.judge()
    bench.boot()
    assert not bench.tag.key_roll.is_lost and bench.roll_count == is_rolled
    bench.judge()


def test_while_the_record_cannot_be_read_back_nothing_is_sealed_and_all_is_kept(bench):
    log = bench.tag.recorder.records
    genuine = log.read

    def fail(seq):
        raise OSError(5)

    log.read = fail
    assert not bench.tag.key_roll.roll()
    head = log.head_seq
    for value in (1, 2, 3):
        bench.tag.sample(value)
    assert not bench.tag.recorder.seal_open_block()
    assert log.head_seq == head and bench.tag.recorder.unsealed_count == 3
    log.read = genuine
    bench.turn(60_000)
    assert bench.tag.recorder.seal_open_block() and log.head_seq > head
    bench.judge()
    bench.boot()
    bench.judge()


def test_a_reboot_settles_what_could_not_be_read_back(bench):
    bench.tag.recorder.records.read = lambda seq: (_ for _ in ()).throw(OSError(5))
    assert not bench.tag.key_roll.roll()
    bench.tag.sample(1)
    bench.boot()
    bench.tag.recorder.seal_open_block()
    assert not bench.tag.key_roll.is_lost and bench.roll_count == 1
    bench.judge()


def test_the_old_signer_is_wiped(bench):
    old = bench.tag.recorder.sealer.signer
    assert bench.tag.key_roll.roll()
    assert old._key is None and bench.tag.recorder.sealer.signer is not old


# ---- no key


def overwrite_slots(bench, content):
    bench.chip.memory[: 2 * nor.SECTOR_SIZE] = content


def flip(bench):
    """One bit of the seed in force."""
    active = bench.tag.storage.key_slots.active()
    at = bytes(bench.chip.memory).index(active[1])
    bench.chip.memory[at] ^= 1


def foreign(bench):
    other = KeyTripScenario()
    chip = nor.Nor(KeyTripScenario.sector_count)
    other.first_seed = b"another tag's seed, 32 bytes lng"
    other._enrol(chip)
    bench.chip.memory[: 2 * nor.SECTOR_SIZE] = chip.memory[: 2 * nor.SECTOR_SIZE]


LOSSES = [
    lambda bench: overwrite_slots(bench, b"\xff" * 2 * nor.SECTOR_SIZE),
    lambda bench: overwrite_slots(bench, bytes(2 * nor.SECTOR_SIZE)),
    flip,
    foreign,
]


@pytest.mark.parametrize("lose", LOSSES, ids=["blank", "zeros", "one bit", "foreign"])
def test_a_tag_without_its_key_says_so_and_logs_on_unsigned(bench, lose):
    bench.start_trip()
    bench.tag.sample(1)
    proven = len(bench.records)
    lose(bench)
    bench.boot()
    assert bench.tag.key_roll.is_lost and bench.tag.key_fault == "no key of the chain"
    for value in (2, 3):
        bench.tag.sample(value)
    assert bench.tag.recorder.seal_open_block()
    assert not bench.tag.key_roll.roll()
    bench.tag.trip.end()
    assert set(bench.kinds[proven:]) == {labels.KIND_UNSIGNED}
    assert all(parse_envelope(raw)[2] == bytes(64) for raw in bench.records[proven:])
    verdict = bench.judge()
    assert len(verdict.payloads) == len(bench.records)
    samples = [v for raw in bench.records for run in parse_record(raw).runs for v in run[3]]
    assert samples == [1, 2, 3]
    # A crash's leftovers are unsigned too, and so is the next life.
    bench.tag.sample(4)
    bench.boot()
    bench.tag.sample(5)
    bench.tag.recorder.seal_open_block()
    assert set(bench.kinds[proven:]) == {labels.KIND_UNSIGNED}
    bench.judge()


def test_unsigned_blocks_are_reported_unproven(bench):
    from sealtrail.evidence.verify import verify_evidence

    class Trust:
        def fleet_keys(self):
            return bench.scenario.fleet

        def nonces(self, tid):
            return {}

        def known_head(self, tid):
            return None

        def statements(self, tid):
            return []

    bench.tag.sample(1)
    bench.tag.recorder.seal_open_block()
    overwrite_slots(bench, b"\xff" * 2 * nor.SECTOR_SIZE)
    bench.boot()
    bench.tag.sample(2)
    bench.tag.recorder.seal_open_block()
    raw = bench.scenario.certificate + b"".join(bench.records)
    verified = verify_evidence(raw, Trust())
    assert [record.proven for record in verified.records] == [True, False]
    assert any("unproven" in finding for finding in verified.findings)


def test_a_key_that_comes_back_signs_nothing_more(bench):
    bench.tag.sample(1)
    bench.tag.recorder.seal_open_block()
    slots = bytes(bench.chip.memory[: 2 * nor.SECTOR_SIZE])
    overwrite_slots(bench, b"\xff" * 2 * nor.SECTOR_SIZE)
    bench.boot()
    bench.tag.sample(2)
    bench.tag.recorder.seal_open_block()
    overwrite_slots(bench, slots)
    bench.boot()
    assert bench.tag.key_fault == "unsigned since an earlier boot"
    bench.tag.sample(3)
    bench.tag.recorder.seal_open_block()
    assert bench.kinds[-2:] == [labels.KIND_UNSIGNED] * 2
    bench.judge()


class Unreadable(nor.Part):
    """The key sectors, whose first *failures* reads fail."""

    failures = 0

    def readblocks(self, block, buffer, offset=0):
        if Unreadable.failures:
            Unreadable.failures -= 1
            raise OSError(5)
        super().readblocks(block, buffer, offset)


@pytest.mark.parametrize(("failures", "is_lost"), [(2, False), (3, True)])
def test_key_sectors_are_read_three_times_and_never_erased_for_an_error(
    bench, monkeypatch, failures, is_lost
):
    from tag.store.keyslots import KeySlots

    bench.tag.sample(1)
    seed = bench.tag.storage.key_slots.active()[1]

    class Slots(KeySlots):
        def recover(self, newest, public_key_of):
            self._device = Unreadable(bench.chip, 0, 2)
            return super().recover(newest, public_key_of)

    bench.scenario.slots = Slots
    Unreadable.failures = failures
    bench.boot()
    assert bench.tag.key_roll.is_lost == is_lost
    assert seed in bench.chip.memory
    if is_lost:
        assert bench.tag.key_fault == "unreadable: 5"
    # Nothing unsigned was sealed: the next boot signs again.
    Unreadable.failures = 0
    bench.boot()
    assert not bench.tag.key_roll.is_lost
    bench.tag.recorder.seal_open_block()
    bench.judge()


def test_a_torn_reading_of_a_sound_slot_erases_nothing(bench):
    """Garbage without an error, as at a sagging supply: read again before it is erased."""
    from tag.store.keyslots import KeySlots

    class Sagging(KeySlots):
        bad_reads = 2

        def _bytes(self, slot):
            buffer = super()._bytes(slot)
            if self.bad_reads and buffer[:2] == b"SK":
                self.bad_reads -= 1
                buffer[20] ^= 8
            return buffer

    seed = bench.tag.storage.key_slots.active()[1]
    bench.scenario.slots = Sagging
    bench.boot()
    assert seed in bench.chip.memory and not bench.tag.key_roll.is_lost


# ---- theft


def test_who_holds_the_present_seed_cannot_alter_earlier_epochs_unnoticed(bench):
    """A stolen tag: flash read out, so its present seed is known. Every record is tried."""
    bench.tag.sample(1)
    bench.start_trip()
    bench.tag.sample(2)
    bench.turn(DAY_MS)
    bench.tag.sample(3)
    bench.turn(DAY_MS)
    bench.tag.sample(4)
    bench.tag.recorder.seal_open_block()
    genuine = bench.records
    last_roll = max(seq for seq, kind in enumerate(bench.kinds) if kind == 3)
    bench.judge(genuine)
    held = [seed for seed in bench.scenario.seeds.made if seed in bytes(bench.chip.memory)]
    assert len(held) == 1  # this is all that a thief finds
    thief = Signer(held[0])
    for seq in range(last_roll + 1):
        forged = forge(genuine, seq, thief)
        with pytest.raises(VerifyError) as refused:
            bench.judge(forged)
        # Named: the record that was altered, or the first one signed with the wrong key.
        assert (refused.value.rule, refused.value.seq) == ("R10", seq)
        # Without new signatures for what follows, the chain names the next record.
        with pytest.raises(VerifyError) as refused:
            bench.judge([*genuine[:seq], forged[seq], *genuine[seq + 1 :]])
        assert refused.value.seq in (seq, seq + 1)
    # The present epoch is lost with its seed, as access-protocol.md says: the limit of the proof.
    bench.judge(forge(genuine, last_roll + 1, thief))


def forge(genuine, altered_seq, thief):
    """The chain with one record's content altered and all that follows signed by the thief."""
    import hashlib

    from sealwire import cbor
    from sealwire.record import envelope

    forged = list(genuine[:altered_seq])
    for raw in genuine[altered_seq:]:
        protected, payload, _ = parse_envelope(raw)
        fields = cbor.decode(payload)
        if len(forged) == altered_seq:
            fields[labels.UPTIME][1] += 1
        if forged:
            fields[labels.PREV] = hashlib.sha256(forged[-1]).digest()
        payload = cbor.encode(fields)
        forged.append(envelope(payload, thief.sign(sig_structure_parts(protected, payload))))
    return forged


def test_an_old_key_that_may_live_on_is_a_fault_of_the_roll_and_of_the_boot(bench):
    bench.tag.sample(1)
    assert bench.tag.key_roll.roll() and not bench.tag.faults
    bench.tag.keys.waste_fault = "chip silent"  # as a chip's key store says it
    assert bench.tag.key_roll.roll()
    said = (faults.SIGNER, "old key not destroyed: chip silent")
    assert bench.tag.faults == [said]
    bench.tag.key_roll.note_waste()
    assert bench.tag.faults == [said, said]
