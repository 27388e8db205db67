# SPDX-License-Identifier: MIT
"""What each event of the tag means, in words. Source: docs/record-format.md, "Events"."""

from collections.abc import Callable

from sealtrail.analysis.events import numbers
from sealtrail.analysis.wording import FAULTS, duration, temperature
from sealtrail.model import Event, ProbeFault
from sealwire import labels

_AXES = ("x", "y", "z")
_PLAIN = {
    labels.EVENT_LID_OPEN: "Lid opened",
    labels.EVENT_TRIP: "Trip started",
    labels.EVENT_TRIP_END: "Trip ended",
    labels.EVENT_CONFIG: "Settings changed",
    labels.EVENT_CLOCK_CONTRADICTION: "Clock contradicted: a later time claim did not fit",
    labels.EVENT_FLEET_KEY: "Fleet key replaced",
    labels.EVENT_RECEIPT_AHEAD: "Receipt for records this tag does not have: its log was cut back",
    labels.EVENT_RECEIPT_FORK: "Receipt for other records than this tag has: its log was replaced",
    labels.EVENT_CLOCK_RESET: "Clock reset",
    labels.EVENT_SESSION: "Visitor connected",
    labels.EVENT_OFFER: "Handover offered",
    labels.EVENT_ACCEPT: "Handover accepted",
    labels.EVENT_CLOCK_SET: "Clock set",
    labels.EVENT_RECEIPT: "Receipt of the archive taken",
    labels.EVENT_LOCK: "Access locked after failed attempts",
    labels.EVENT_REVOCATION: "Access rights revoked",
    labels.EVENT_COUNTS: "Counts of refused visitors",
    labels.EVENT_CLAIM: "Time claimed by a visitor, not proved",
    labels.EVENT_ALARM_ACK: "Alarm acknowledged by a visitor",
    labels.EVENT_TIME_TOKEN: "Time token of the archive taken",
}
# Everyday business of the tag: counted in the report, listed in the JSON file.
ROUTINE = frozenset(
    (
        labels.EVENT_SESSION,
        labels.EVENT_RECEIPT,
        labels.EVENT_TIME_TOKEN,
        labels.EVENT_COUNTS,
        labels.EVENT_CONFIG,
    )
)


def event_text(event: Event) -> str:
    """The event as one short phrase. Never raises: an unknown one is named by its number."""
    describe = _DESCRIBERS.get(event.code)
    if describe is not None:
        text = describe(event.content)
        if text:
            return text
    return _PLAIN.get(event.code, f"Event {event.code} (not known to this version)")


def _boot(content: object) -> str:
    return "Tag restarted" if numbers(content, 1) is not None else ""


def _lid_closed(content: object) -> str:
    values = numbers(content, 1)
    return f"Lid closed, it was open for {duration(values[0])}" if values else "Lid closed"


def _shock(content: object) -> str:
    values = numbers(content, 3)
    if values is None:
        return "Shock"
    axis = _AXES[values[1]] if values[1] in (0, 1, 2) else "?"
    times = f", {values[2]} in a row" if values[2] > 1 else ""
    return f"Shock of {values[0] / 1000:.1f} g (axis {axis}{times})"


def _tilt_start(content: object) -> str:
    values = numbers(content, 1)
    # Noted when the hold time is over, not when the tilt began.
    angle = f" {values[0]}°" if values else ""
    return f"Tilted{angle} for longer than the limit allows"


def _tilt_end(content: object) -> str:
    values = numbers(content, 2)
    if values is None:
        return "Upright again"
    length = duration(values[1])
    return f"Upright again; tilted for {length} in all, greatest angle {values[0]}°"


def _alarm_start(content: object) -> str:
    values = numbers(content, 3)
    if values is None:
        return "Alarm"
    return f"Alarm of rule {values[0]}, probe {values[1]}: {temperature(values[2])}"


def _alarm_end(content: object) -> str:
    values = numbers(content, 5)
    if values is None:
        return "Alarm over"
    why = ("back in limits", "probe lost", "trip ended")
    reason = why[values[4]] if 0 <= values[4] < 3 else "reason not known"
    extreme = temperature(values[2])
    return f"Alarm of rule {values[0]} over ({reason}), extreme {extreme}, {duration(values[3])}"


def _probe_fault(content: object) -> str:
    values = numbers(content, 2)
    if values is None:
        return "Probe fault"
    known = values[1] in ProbeFault._value2member_map_
    what = FAULTS[ProbeFault(values[1])] if known else f"code {values[1]}"
    return f"Probe {values[0]}: {what}"


def _probe_ok(content: object) -> str:
    values = numbers(content, 2)
    if values is None:
        return "Probe works again"
    return f"Probe {values[0]} works again after {duration(values[1])}"


def _gap(content: object) -> str:
    values = numbers(content, 1)
    return f"{values[0]} readings missed" if values else "Readings missed"


def _battery(content: object) -> str:
    values = numbers(content, 1)
    return f"Battery low: {values[0] / 1000:.2f} V" if values else "Battery low"


def _log_full(content: object) -> str:
    values = numbers(content, 1)
    if values is None:
        return "Memory full"
    return f"Memory full: {values[0]:,} readings or events refused since enrolment"


def _log_filling(content: object) -> str:
    values = numbers(content, 1)
    return f"Memory {values[0] / 10:.0f} % full" if values else "Memory filling up"


def _records_lost(content: object) -> str:
    values = numbers(content, 1)
    if values is None:
        return "Records overwritten in the tag"
    return f"{values[0]:,} records overwritten in the tag, without a receipt, since enrolment"


def _self_test(content: object) -> str:
    values = numbers(content, 1)
    return "" if values is None else f"Self-test, result {values[0]}"


def _device_fault(content: object) -> str:
    values = numbers(content, 1)
    return f"Fault inside the tag, code {values[0]}" if values else "Fault inside the tag"


_DESCRIBERS: dict[int, Callable[[object], str]] = {
    labels.EVENT_BOOT: _boot,
    labels.EVENT_LID_CLOSED: _lid_closed,
    labels.EVENT_SHOCK: _shock,
    labels.EVENT_TILT_START: _tilt_start,
    labels.EVENT_TILT_END: _tilt_end,
    labels.EVENT_ALARM_START: _alarm_start,
    labels.EVENT_ALARM_END: _alarm_end,
    labels.EVENT_PROBE_FAULT: _probe_fault,
    labels.EVENT_PROBE_OK: _probe_ok,
    labels.EVENT_GAP: _gap,
    labels.EVENT_BATTERY_LOW: _battery,
    labels.EVENT_LOG_FULL: _log_full,
    labels.EVENT_LOG_FILLING: _log_filling,
    labels.EVENT_RECORDS_LOST: _records_lost,
    labels.EVENT_SELF_TEST: _self_test,
    labels.EVENT_DEVICE_FAULT: _device_fault,
}
