# SPDX-License-Identifier: MIT
"""A tag whose record log is full, in sectors of few slots: refuse or overwrite, custody, receipt.

The tag is what ships (Recorder, LogSpace, Sealer, stores); only the sectors are short, so
that filling the log takes a few hundred readings.
"""

import hashlib

from sealwire import cbor, labels
from sealwire.record import parse_record
from tag.clock import Clock
from tag.recording.recorder import Recorder
from tag.store import statestore
from tag.store.journal import Journal
from tag.store.recordlog import RecordLog
from tag.store.ringlog import Ring
from tag.store.statestore import StateStore
from tests.fakes import nor
from tests.fakes.clockwork import FakeRTC, FakeUptime
from tests.fakes.tagparts import CERTIFICATE, HostSigner

JOURNAL_SECTORS, RECORD_SECTORS, STATE_SECTORS = 6, 8, 4
JOURNAL_SLOTS, RECORD_SLOTS = 24, 60
SECTORS = JOURNAL_SECTORS + RECORD_SECTORS + STATE_SECTORS
CUSTODY = cbor.encode([1, b"holder00", b"statement"])
STEP_MS = 300_000


class Tag:
    """One life on *chip*. *overwrites*: the policy, as the boot would read it from the state."""

    def __init__(self, chip: nor.Nor, overwrites: bool):
        self.uptime = FakeUptime()
        journal = Ring(
            chip,
            0,
            JOURNAL_SECTORS,
            entry_size_max=64,
            reserve_slots=8,
            reserve_sectors=1,
            slot_count=JOURNAL_SLOTS,
        )
        records = Ring(
            chip,
            JOURNAL_SECTORS,
            RECORD_SECTORS,
            entry_size_max=560,
            reserve_slots=20,
            reserve_sectors=2,
            overwrites=overwrites,
            slot_count=RECORD_SLOTS,
        )
        state = Ring(
            chip,
            JOURNAL_SECTORS + RECORD_SECTORS,
            STATE_SECTORS,
            entry_size_max=64,
            reserve_slots=8,
        )
        for ring in (journal, records, state):
            ring.open()
        self.state = StateStore(state)
        self.state.open()
        self.journal = Journal(journal)
        self.journal.open()
        self.records = RecordLog(records)
        self.records.open()
        self.recorder = Recorder(
            self.journal,
            self.records,
            HostSigner(),
            Clock(self.uptime, 500, FakeRTC()),
            self.uptime,
            lambda code, text: None,
            CERTIFICATE,
            self.state,
        )

    receipted = False  # whether a test brought a receipt in an earlier life

    def begin(self) -> None:
        self.recorder.begin(1, "0.1.0")

    def sample(self, value: int) -> bool:
        self.uptime.advance(STEP_MS)
        self.recorder.seal_if_due()
        taken: bool = self.recorder.sample(self.uptime.now_ms(), [value])
        return taken


class Run:
    """A workload: what the tag promised, in order, is in `promised`."""

    def __init__(self, tag: Tag):
        self.tag = tag
        self.value = 0
        self.promised: list[tuple[str, int]] = []
        tag.begin()

    def samples(self, count: int) -> None:
        for _ in range(count):
            taken = self.tag.sample(self.value + 1)
            if taken:
                self.value += 1
                self.promised.append(("sample", self.value))
            else:
                self.promised.append(("refused", self.tag.recorder.refused_count))

    def fill(self) -> None:
        while not self.tag.recorder.sealer.is_full:
            self.samples(1)

    def custody(self, code: int) -> None:
        self.tag.recorder.custody_event(code, CUSTODY)
        self.promised.append(("event", code))

    def lid(self) -> None:
        if self.tag.recorder.note_event(labels.EVENT_LID_OPEN):
            self.promised.append(("event", labels.EVENT_LID_OPEN))

    def receipt(self) -> None:
        self.tag.records.acknowledge(self.tag.records.head_seq)


def refuse_after_backlog(run: Run) -> None:
    """The backlog grows until readings are refused; then custody, a lid, a receipt."""
    run.samples(JOURNAL_SLOTS * 2 + 4)
    run.lid()
    run.custody(labels.EVENT_OFFER)
    run.samples(2)
    run.receipt()
    run.samples(3)
    run.custody(labels.EVENT_ACCEPT)


def refuse_after_custody(run: Run) -> None:
    """Custody draws on the reserve while readings wait; a receipt comes a boot later."""
    run.samples(3)
    run.custody(labels.EVENT_OFFER)
    run.samples(2)
    run.custody(labels.EVENT_ACCEPT)
    run.receipt()
    run.samples(2)
    run.lid()


def overwrite_on(run: Run) -> None:
    """The log goes on over its oldest records."""
    run.samples(60)
    run.custody(labels.EVENT_OFFER)
    run.samples(14)


def unsealed_of(tag: Tag) -> list[tuple[str, int]]:
    """What waits in the journal."""
    found: list[tuple[str, int]] = []
    for entry in tag.journal.entries():
        if entry.kind == 1:
            found += [("sample", value) for value in entry.values]
        elif entry.kind == 2:
            found.append(("event", entry.code))
    return found


def chain_of(tag: Tag, held: dict[int, bytes]) -> tuple[list[tuple[str, int]], list[int], str]:
    """(entries, counts told, what is wrong) of the records in *held* and on the tag."""
    held.update(dict(tag.records.records(0)))
    found: list[tuple[str, int]] = []
    told: list[int] = []
    boots: list[int] = []
    prev = None
    for seq in sorted(held):
        one = parse_record(held[seq])
        expected = hashlib.sha256(CERTIFICATE).digest() if seq == 0 else prev
        if one.seq != seq or (expected is not None and one.prev != expected):
            return found, told, f"chain broken at {seq}"
        prev = hashlib.sha256(held[seq]).digest()
        boots.append(one.boot)
        found += [("sample", value) for run in one.runs for value in run[3]]
        found += [("event", event[1]) for event in one.events]
        told += [event[2][0] for event in one.events if event[1] == labels.EVENT_LOG_FULL]
    wrong = "" if boots == sorted(boots) else "boots go back"
    return found, told, wrong


def kept_count(tag: Tag) -> int:
    """The refused count as it stands in flash."""
    kept = tag.state.get(statestore.REFUSED)
    return 0 if kept is None else int.from_bytes(kept[:4], "little")
