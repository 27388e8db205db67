# SPDX-License-Identifier: MIT
"""Turns the trip's events into openings, shocks, tilts and restarts.

Event content comes out of verified records but is any CBOR: content of the wrong shape is
kept in the event list and left out of the summaries, and `odd_events` counts it.
"""

from collections.abc import Iterable, Sequence

from sealtrail.analysis.results import ClockQuality, LidOpening, Moment, Restart, Shock, Tilting
from sealtrail.model import Event, Reading, VerifiedRecord
from sealwire.labels import (
    EVENT_BOOT,
    EVENT_CLOCK_CONTRADICTION,
    EVENT_CLOCK_RESET,
    EVENT_LID_CLOSED,
    EVENT_LID_OPEN,
    EVENT_LOG_FULL,
    EVENT_SHOCK,
    EVENT_TILT_END,
    EVENT_TILT_START,
)

MomentEvent = tuple[Moment, Event]


def numbers(content: object, count: int) -> list[int] | None:
    """The first *count* whole numbers of an event's content, None when it has another shape."""
    if not isinstance(content, list | tuple) or len(content) < count:
        return None
    chosen = list(content[:count])
    if any(isinstance(value, bool) or not isinstance(value, int) for value in chosen):
        return None
    return chosen


def lid_openings(events: Sequence[MomentEvent]) -> tuple[LidOpening, ...]:
    """Pairs of lid open and lid closed. A closing without opening is an opening of its length."""
    found: list[LidOpening] = []
    opened: Moment | None = None
    for moment, event in events:
        if event.code == EVENT_LID_OPEN:
            if opened is not None:
                found.append(LidOpening(opened, None, None))
            opened = moment
        elif event.code == EVENT_LID_CLOSED:
            length = numbers(event.content, 1)
            found.append(LidOpening(opened or moment, moment, length[0] if length else None))
            opened = None
    if opened is not None:
        found.append(LidOpening(opened, None, None))
    return tuple(found)


def shocks(events: Sequence[MomentEvent]) -> tuple[Shock, ...]:
    """Every shock entry of the right shape."""
    found = []
    for moment, event in events:
        if event.code == EVENT_SHOCK and (values := numbers(event.content, 3)) is not None:
            found.append(Shock(moment, values[0], values[1], values[2]))
    return tuple(found)


def tiltings(events: Sequence[MomentEvent]) -> tuple[Tilting, ...]:
    """Pairs of tilt start and tilt end; one still tilted has no end."""
    found: list[Tilting] = []
    begun: tuple[Moment, int] | None = None
    for moment, event in events:
        if event.code == EVENT_TILT_START and (start := numbers(event.content, 1)) is not None:
            if begun is not None:
                found.append(Tilting(begun[0], None, begun[1], None))
            begun = (moment, start[0])
        elif event.code == EVENT_TILT_END and (ending := numbers(event.content, 2)) is not None:
            found.append(Tilting(begun[0] if begun else moment, moment, ending[0], ending[1]))
            begun = None
    if begun is not None:
        found.append(Tilting(begun[0], None, begun[1], None))
    return tuple(found)


def restarts(events: Sequence[MomentEvent]) -> tuple[Restart, ...]:
    """Every start of the tag within the trip."""
    found = []
    for moment, event in events:
        if event.code == EVENT_BOOT:
            cause = numbers(event.content, 1)
            found.append(Restart(moment, cause[0] if cause else -1, _text_at(event.content, 1)))
    return tuple(found)


def refusals(events: Iterable[MomentEvent]) -> tuple[tuple[Moment, int], ...]:
    """When the log said that it had refused entries, and how many since it last said so.

    *events*: all of the evidence, in the order of time: the tag's count runs over all trips.
    """
    found = []
    told = 0
    for moment, event in events:
        if event.code == EVENT_LOG_FULL and (values := numbers(event.content, 1)) is not None:
            if values[0] > told:
                found.append((moment, values[0] - told))
            told = max(told, values[0])
    return tuple(found)


def _text_at(content: object, index: int) -> str:
    if isinstance(content, list | tuple) and len(content) > index:
        return str(content[index])
    return ""


def odd_events(events: Iterable[MomentEvent]) -> int:
    """How many events have content that their code does not allow."""
    shapes = {
        EVENT_LID_CLOSED: 1,
        EVENT_SHOCK: 3,
        EVENT_TILT_START: 1,
        EVENT_TILT_END: 2,
        EVENT_BOOT: 1,
        EVENT_LOG_FULL: 1,
    }
    return sum(
        1
        for _, event in events
        if event.code in shapes and numbers(event.content, shapes[event.code]) is None
    )


def clock_quality(
    readings: Sequence[Reading], records: Sequence[VerifiedRecord], events: Sequence[MomentEvent]
) -> ClockQuality:
    """How well the calendar time of these readings is known."""
    widths = [
        reading.utc.width_ms
        for reading in readings
        if reading.utc is not None and reading.utc.width_ms is not None
    ]
    unbounded = sum(1 for reading in readings if reading.utc and reading.utc.hi_ms is None)
    return ClockQuality(
        reading_count=len(readings),
        unknown_count=sum(1 for reading in readings if reading.utc is None),
        unbounded_count=unbounded,
        width_max_ms=max(widths, default=None),
        sources=tuple(sorted({record.utc_source for record in records})),
        contradiction_count=sum(
            1 for _, event in events if event.code == EVENT_CLOCK_CONTRADICTION
        ),
        reset_count=sum(1 for _, event in events if event.code == EVENT_CLOCK_RESET),
    )
