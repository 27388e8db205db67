# SPDX-License-Identifier: MIT
"""tag.recording.sampler: nothing is dropped silently, and an alarm is sealed at once."""

from sealwire import labels, profile
from tag.recording.sampler import Sampler
from tests.fakes.clockwork import FakeUptime

RULES = [
    (1, 0, labels.RULE_ABOVE, -15000, 0, 100),
    (2, 0, labels.RULE_ABOVE_TOTAL, -15000, 600, 0),
]


class FakeRecorder:
    """Keeps what it is given."""

    def __init__(self):
        self.samples, self.events = [], []

    def sample(self, up_ms, values):
        self.samples.append((up_ms, list(values)))
        return True

    def note_event(self, code, content=None, seal=False):
        self.events.append((code, content, seal))
        return True

    def seal_if_due(self):
        pass


class FakeProbe:
    """A probe whose value the test sets; an OSError instance is raised."""

    def __init__(self, value=-19000):
        self.value = value

    def read(self):
        if isinstance(self.value, OSError):
            raise self.value
        return self.value, 0x1234


def make(probes=None, spent=None):
    uptime, recorder, faults = FakeUptime(), FakeRecorder(), []
    sampler = Sampler(
        probes or [FakeProbe()],
        recorder,
        uptime,
        lambda code, text: faults.append((code, text)),
        keep_spent=spent,
    )
    sampler.use(profile.build("t", 60, RULES, 0, 0, 0))
    return sampler, uptime, recorder, faults


def codes(recorder: FakeRecorder) -> list[int]:
    return [event[0] for event in recorder.events]


def test_a_probe_that_fails_is_a_coded_reading_an_event_and_a_fault():
    probe = FakeProbe()
    sampler, uptime, recorder, faults = make([probe])
    probe.value = OSError(5)
    sampler.sample_once()
    uptime.advance(60_000)
    probe.value = -19000
    sampler.sample_once()
    assert [values for _, values in recorder.samples] == [[1_000_005], [-19000]]
    assert recorder.events == [
        (labels.EVENT_PROBE_FAULT, [0, 5, 0], False),
        (labels.EVENT_PROBE_OK, [0, 60_000], False),
    ]
    assert faults == [(3, "probe 0 errno 5")]


def test_a_fault_that_lasts_is_one_event_and_keeps_the_raw_register():
    probe = FakeProbe(labels.FAULT_BASE + labels.FAULT_OPEN)
    sampler, uptime, recorder, _ = make([probe])
    for _ in range(5):
        sampler.sample_once()
        uptime.advance(60_000)
    assert recorder.events == [(labels.EVENT_PROBE_FAULT, [0, 1, 0x1234], False)]
    assert len(recorder.samples) == 5


def test_an_alarm_seals_at_once_and_ends_when_the_reading_is_back():
    probe = FakeProbe(-14000)
    sampler, uptime, recorder, _ = make([probe])
    sampler.sample_once()
    assert recorder.events == [(labels.EVENT_ALARM_START, [1, 0, -14000], True)]
    assert sampler.is_alarmed
    uptime.advance(60_000)
    probe.value = -19000
    sampler.sample_once()
    assert recorder.events[-1] == (labels.EVENT_ALARM_END, [1, 0, -14000, 60_000, 0], True)
    assert not sampler.is_alarmed


def test_a_cumulative_budget_survives_a_reboot():
    kept = []
    probe = FakeProbe(-14000)
    sampler, uptime, _, _ = make([probe], spent=kept.append)
    sampler.sample_once()
    uptime.advance(500_000)
    probe.value = -19000
    sampler.sample_once()
    assert kept == [[0, 500_000]]
    again, uptime, recorder, _ = make([probe])
    again.use(profile.build("t", 60, RULES, 0, 0, 0), kept[-1])
    probe.value = -14000
    again.sample_once()
    uptime.advance(100_000)
    again.sample_once()
    assert (labels.EVENT_ALARM_START, [2, 0, -14000], True) in recorder.events


def test_the_end_of_a_trip_closes_its_alarms():
    probe = FakeProbe(-14000)
    sampler, uptime, recorder, _ = make([probe])
    sampler.sample_once()
    uptime.advance(1000)
    sampler.close_alarms()
    assert recorder.events[-1] == (
        labels.EVENT_ALARM_END,
        [1, 0, -14000, 1000, labels.END_TRIP_ENDED],
        True,
    )


async def drive(sampler: Sampler, uptime: FakeUptime, sleeps: list[int]) -> None:
    """Runs the sampler's loop on a clock that only its own sleeps (and *sleeps*) move."""
    import asyncio

    class Stop(Exception):
        pass

    async def sleep_ms(ms: int) -> None:
        uptime.advance(ms)
        if ms and sleeps:
            uptime.advance(sleeps.pop(0))
        if not sleeps:
            raise Stop

    asyncio.sleep_ms = sleep_ms  # type: ignore[attr-defined]
    try:
        await sampler.run()
    except Stop:
        pass
    finally:
        del asyncio.sleep_ms  # type: ignore[attr-defined]


async def test_samples_stand_on_the_grid_of_the_interval():
    sampler, uptime, recorder, _ = make()
    await drive(sampler, uptime, [0, 0, 0, 0])
    assert [up_ms for up_ms, _ in recorder.samples] == [0, 60_000, 120_000, 180_000]
    assert codes(recorder) == []


async def test_missed_instants_are_counted_in_a_gap_event():
    sampler, uptime, recorder, _ = make()
    await drive(sampler, uptime, [0, 150_000, 0, 0])
    assert (labels.EVENT_GAP, [2, 1], False) in recorder.events
    assert [up_ms for up_ms, _ in recorder.samples] == [0, 60_000, 270_000, 330_000]
