# SPDX-License-Identifier: MIT
"""One event as a line a person understands. Pure; never fails, whatever the tag wrote.

The numbers are those of docs/record-format.md, "Events". Verified evidence still may hold
content of another shape than this version knows: then the content is shown as it is.
"""

from collections.abc import Callable
from typing import Any

from sealwire import labels

from . import wording
from .model import Event, ProbeFault
from .output import one_line

_AXES = ("x", "y", "z")
_RESET_CAUSES = {0: "unknown", 1: "power on", 2: "hard reset", 3: "watchdog", 4: "deep sleep"}
_END_REASONS = {
    labels.END_BACK_IN_LIMITS: "back within the limit",
    labels.END_PROBE_LOST: "the probe was lost",
    labels.END_TRIP_ENDED: "the trip ended",
}
_PLAIN = {
    labels.EVENT_LID_OPEN: "lid opened",
    labels.EVENT_CLOCK_CONTRADICTION: "somebody told the tag a time that cannot be",
    labels.EVENT_FLEET_KEY: "fleet key replaced",
    labels.EVENT_RECEIPT_AHEAD: "a receipt is ahead of the tag: its tail was lost",
    labels.EVENT_RECEIPT_FORK: "a receipt names another record: the tag was copied",
    labels.EVENT_CLOCK_RESET: "clock reset by order",
    labels.EVENT_OFFER: "handover offered",
    labels.EVENT_ACCEPT: "handover accepted",
    labels.EVENT_REVOCATION: "tickets revoked",
    labels.EVENT_COUNTS: "radio counters",
    labels.EVENT_RECEIPT: "receipt of the archive",
    labels.EVENT_CLAIM: "a visitor claimed the time",
    labels.EVENT_CONFIG: "profile changed",
}


def event_text(event: Event) -> str:
    """What happened, without its time."""
    content = event.content
    describe = _DESCRIBED.get(event.code)
    if describe is not None:
        try:
            return one_line(describe(content))
        except (TypeError, ValueError, KeyError, IndexError):
            return one_line(f"event {event.code}: {content!r}")[:120]
    known = _PLAIN.get(event.code)
    return known or one_line(f"event {event.code}: {content!r}")[:120]


def _boot(c: Any) -> str:
    return f"tag started ({_RESET_CAUSES.get(c[0], c[0])}), firmware {c[1]}"


def _lid_closed(c: Any) -> str:
    return f"lid closed after {wording.duration(c[0])}"


def _shock(c: Any) -> str:
    times = f", {c[2]} times" if c[2] > 1 else ""
    return f"shock of {c[0] / 1000:.1f} g along {_AXES[c[1]]}{times}"


def _tilt_end(c: Any) -> str:
    return f"upright again after {wording.duration(c[1])}, {c[0]}° at most"


def _alarm_start(c: Any) -> str:
    return f"ALARM: rule {c[0]}, probe {c[1]} at {wording.temperature(c[2])}"


def _alarm_end(c: Any) -> str:
    reason = _END_REASONS.get(c[4], str(c[4]))
    extreme, length = wording.temperature(c[2]), wording.duration(c[3])
    return f"alarm over: rule {c[0]}, probe {c[1]}, {length}, extreme {extreme}; {reason}"


def _probe_fault(c: Any) -> str:
    return f"probe {c[0]}: {wording.FAULTS[ProbeFault(c[1])]}"


def _session(c: Any) -> str:
    roles = ("?", "viewer", "courier", "site", "QA", "service")
    return f"visit with ticket {c[0]} ({roles[c[2]]})"


def _clock_set(c: Any) -> str:
    return f"clock set: {wording.utc_text(c[0])}, within {wording.duration(c[1])}"


_DESCRIBED: dict[int, Callable[[Any], str]] = {
    labels.EVENT_BOOT: _boot,
    labels.EVENT_LID_CLOSED: _lid_closed,
    labels.EVENT_SHOCK: _shock,
    labels.EVENT_TILT_START: lambda c: f"tilted by {c[0]}°",
    labels.EVENT_TILT_END: _tilt_end,
    labels.EVENT_ALARM_START: _alarm_start,
    labels.EVENT_ALARM_END: _alarm_end,
    labels.EVENT_PROBE_FAULT: _probe_fault,
    labels.EVENT_PROBE_OK: lambda c: f"probe {c[0]} well again after {wording.duration(c[1])}",
    labels.EVENT_GAP: lambda c: f"{c[0]} samples missed",
    labels.EVENT_BATTERY_LOW: lambda c: f"battery low: {c[0] / 1000:.2f} V",
    labels.EVENT_LOG_FULL: lambda c: f"log full: {c[0]} entries refused",
    labels.EVENT_SELF_TEST: lambda c: f"self-test: {c[0]:#x}",
    labels.EVENT_DEVICE_FAULT: lambda c: f"device fault {c[0]}: {c[1]}",
    labels.EVENT_TRIP: lambda c: f"trip {c[1]} started",
    labels.EVENT_TRIP_END: lambda c: f"trip {c[0]} ended",
    labels.EVENT_SESSION: _session,
    labels.EVENT_CLOCK_SET: _clock_set,
    labels.EVENT_LOCK: lambda c: f"ticket {c[0]} locked after wrong proofs",
}
