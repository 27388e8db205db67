# SPDX-License-Identifier: MIT
"""tag.faults: a fault that stays is one entry an hour, and always a well-formed one."""

from sealwire import events, labels
from tag.faults import Faults
from tests.fakes.clockwork import FakeUptime


def make() -> tuple[Faults, FakeUptime, list]:
    uptime, noted = FakeUptime(), []
    faults = Faults(uptime, write_line=lambda *_: None)
    faults.sink = lambda code, text: noted.append([code, text])
    return faults, uptime, noted


def test_a_repeated_fault_is_counted_and_reported_once_an_hour():
    faults, uptime, noted = make()
    for _ in range(150):
        faults.note(3, "probe 0 errno 5")
        uptime.advance(60_000)
    assert noted == [
        [3, "probe 0 errno 5 (1)"],
        [3, "probe 0 errno 5 (61)"],
        [3, "probe 0 errno 5 (121)"],
    ]
    assert faults.counts == {3: 150}


def test_whatever_the_text_the_event_is_well_formed():
    for text in ("x" * 500, "ä" * 60, "\0\n", "", "€" * 13 + "x" * 40):
        faults, _, noted = make()
        faults.note(1, text)
        assert events.judge(labels.EVENT_DEVICE_FAULT, noted[0]) is None
