# SPDX-License-Identifier: MIT
"""Alarm rules: samples in, events out, worked out by hand from record-format.md.

Samples are [up_ms, [value per probe]]; expected events [up_ms, code, data], where up_ms is
that of the sample (or of the trip's end) that caused them.
"""

from collections.abc import Iterator

from sealwire import profile

_OPEN = 1_000_001
_START, _END = 7, 8
_MIN = 60_000

_Case = tuple[str, list[list[int]], list[tuple[int, list[int]]], int | None, list[list[object]]]


def _minutes(*values: int) -> list[tuple[int, list[int]]]:
    """One probe, one sample a minute, from minute 0."""
    return [(index * _MIN, [value]) for index, value in enumerate(values)]


def _long_excursion() -> list[tuple[int, list[int]]]:
    """Above the limit from 23:00 until 01:00: 120 minutes, 121 readings and one back."""
    return _minutes(*[900] * 120, 700)


# name: comment, rules [id, probe, kind, limit, duration_s, hysteresis], samples, end, events
CASES: dict[str, _Case] = {
    "above_at_once": (
        "Begins at the first reading above 8.00 C, ends at the first at or below 7.50 C.",
        [[1, 0, 0, 800, 0, 50]],
        _minutes(800, 801, 950, 760, 750, 700),
        None,
        [[1 * _MIN, _START, [1, 0, 801]], [4 * _MIN, _END, [1, 0, 950, 3 * _MIN, 0]]],
    ),
    "below_at_once": (
        "The same downwards; negative temperatures.",
        [[2, 0, 1, -15000, 0, 100]],
        _minutes(-15000, -15001, -15300, -14901, -14900),
        None,
        [[1 * _MIN, _START, [2, 0, -15001]], [4 * _MIN, _END, [2, 0, -15300, 3 * _MIN, 0]]],
    ),
    "limit_itself_is_inside": (
        "8.00 C does not breach a limit of 8.00 C; without hysteresis it ends an alarm.",
        [[1, 0, 0, 800, 0, 0]],
        _minutes(800, 801, 800),
        None,
        [[1 * _MIN, _START, [1, 0, 801]], [2 * _MIN, _END, [1, 0, 801, 1 * _MIN, 0]]],
    ),
    "hysteresis_is_one_alarm": (
        "Swinging between limit and hysteresis is one alarm, not many.",
        [[1, 0, 0, 800, 0, 50]],
        _minutes(801, 799, 801, 799, 801),
        4 * _MIN,
        [[0, _START, [1, 0, 801]], [4 * _MIN, _END, [1, 0, 801, 4 * _MIN, 2]]],
    ),
    "consecutive_reached_exactly": (
        "120 s above: the reading 120 s after the first one raises the alarm.",
        [[3, 0, 2, 800, 120, 0]],
        _minutes(900, 950, 920, 700),
        None,
        [[2 * _MIN, _START, [3, 0, 950]], [3 * _MIN, _END, [3, 0, 950, 3 * _MIN, 0]]],
    ),
    "consecutive_interrupted": (
        "Back inside between: the time begins anew.",
        [[3, 0, 2, 800, 120, 0]],
        _minutes(900, 900, 700, 900, 900, 700),
        5 * _MIN,
        [],
    ),
    "consecutive_below": (
        "Kind 3.",
        [[3, 0, 3, 200, 60, 0]],
        _minutes(100, 150, 200),
        None,
        [[1 * _MIN, _START, [3, 0, 100]], [2 * _MIN, _END, [3, 0, 100, 2 * _MIN, 0]]],
    ),
    "midnight_ends_nothing": (
        "Two hours above are one alarm of two hours, whatever the calendar says.",
        [[1, 0, 0, 800, 0, 0]],
        _long_excursion(),
        None,
        [[0, _START, [1, 0, 900]], [120 * _MIN, _END, [1, 0, 900, 120 * _MIN, 0]]],
    ),
    "cumulative_adds_up": (
        "Two minutes, a pause, one minute: 180 s are reached at minute 5.",
        [[4, 0, 4, 800, 180, 0]],
        _minutes(900, 910, 700, 700, 850, 700, 700),
        6 * _MIN,
        [[5 * _MIN, _START, [4, 0, 910]], [6 * _MIN, _END, [4, 0, 910, 3 * _MIN, 2]]],
    ),
    "cumulative_goes_on_counting": (
        "The alarm stands until the trip ends, and tells all the time beyond the limit.",
        [[4, 0, 4, 800, 60, 0]],
        _minutes(900, 700, 950, 700),
        9 * _MIN,
        [[1 * _MIN, _START, [4, 0, 900]], [9 * _MIN, _END, [4, 0, 950, 2 * _MIN, 2]]],
    ),
    "cumulative_below": (
        "Kind 5; the trip's end counts the time since the last reading.",
        [[5, 0, 5, 200, 120, 0]],
        _minutes(100, 90),
        2 * _MIN,
        [[2 * _MIN, _START, [5, 0, 90]], [2 * _MIN, _END, [5, 0, 90, 2 * _MIN, 2]]],
    ),
    "cumulative_skips_lost_probe": (
        "A minute counts until the probe is lost; nothing counts while it is.",
        [[4, 0, 4, 800, 120, 0]],
        _minutes(900, _OPEN, _OPEN, _OPEN, 900, 900),
        None,
        [[5 * _MIN, _START, [4, 0, 900]]],
    ),
    "at_once_probe_lost": (
        "No duration: the second fault in a row closes the alarm at the first.",
        [[1, 0, 0, 800, 0, 0]],
        _minutes(900, 950, _OPEN, _OPEN, 700),
        None,
        [[0, _START, [1, 0, 900]], [3 * _MIN, _END, [1, 0, 950, 2 * _MIN, 1]]],
    ),
    "consecutive_probe_lost_shortly": (
        "Lost for no longer than the duration: the alarm is held, and ends with the probe back.",
        [[3, 0, 2, 800, 120, 0]],
        _minutes(900, 900, 900, _OPEN, _OPEN, 700),
        None,
        [[2 * _MIN, _START, [3, 0, 900]], [5 * _MIN, _END, [3, 0, 900, 5 * _MIN, 0]]],
    ),
    "consecutive_probe_lost_for_good": (
        "Lost at minute 3, longer than 120 s at minute 6: closed as of minute 3.",
        [[3, 0, 2, 800, 120, 0]],
        _minutes(900, 900, 900, _OPEN, _OPEN, _OPEN, _OPEN, _OPEN),
        None,
        [[2 * _MIN, _START, [3, 0, 900]], [6 * _MIN, _END, [3, 0, 900, 3 * _MIN, 1]]],
    ),
    "probe_lost_twice_shortly": (
        "Each loss is measured by itself: two short ones are not a long one.",
        [[3, 0, 2, 800, 120, 0]],
        _minutes(900, 900, 900, _OPEN, 900, _OPEN, _OPEN, 700),
        None,
        [[2 * _MIN, _START, [3, 0, 900]], [7 * _MIN, _END, [3, 0, 900, 7 * _MIN, 0]]],
    ),
    "cumulative_spent_at_the_loss": (
        "The minute before the loss counts, and is known when the loss is.",
        [[4, 0, 4, 800, 60, 0]],
        _minutes(900, _OPEN),
        None,
        [[1 * _MIN, _START, [4, 0, 900]]],
    ),
    "cumulative_with_hysteresis": (
        "An excursion counts until it ends, between limit and hysteresis too.",
        [[4, 0, 4, 800, 180, 50]],
        _minutes(900, 760, 760, 750),
        None,
        [[3 * _MIN, _START, [4, 0, 900]]],
    ),
    "probe_back_too_late": (
        "The probe comes back above the limit after too long: close, and begin anew.",
        [[1, 0, 0, 800, 0, 0]],
        [(0, [900]), (_MIN, [_OPEN]), (2 * _MIN, [880])],
        None,
        [
            [0, _START, [1, 0, 900]],
            [2 * _MIN, _END, [1, 0, 900, 1 * _MIN, 1]],
            [2 * _MIN, _START, [1, 0, 880]],
        ],
    ),
    "fault_begins_nothing": (
        "A fault is no temperature, however large its code.",
        [[1, 0, 0, 800, 0, 0]],
        _minutes(_OPEN, _OPEN, _OPEN),
        9 * _MIN,
        [],
    ),
    "two_probes": (
        "A rule sees its own probe only.",
        [[1, 0, 0, 800, 0, 0], [2, 1, 1, 200, 0, 0]],
        [(0, [700, 300]), (_MIN, [900, 300]), (2 * _MIN, [700, 100])],
        None,
        [
            [1 * _MIN, _START, [1, 0, 900]],
            [2 * _MIN, _END, [1, 0, 900, 1 * _MIN, 0]],
            [2 * _MIN, _START, [2, 1, 100]],
        ],
    ),
    "probe_missing": (
        "A sample without the probe counts as not read.",
        [[2, 1, 1, 200, 0, 0]],
        [(0, [700, 100]), (_MIN, [700]), (2 * _MIN, [700])],
        None,
        [[0, _START, [2, 1, 100]], [2 * _MIN, _END, [2, 1, 100, 1 * _MIN, 1]]],
    ),
    "trip_ends_while_probe_lost": (
        "The excursion is known until the loss, not until the trip's end.",
        [[3, 0, 2, 800, 60, 0]],
        _minutes(900, 900, _OPEN),
        3 * _MIN,
        [[1 * _MIN, _START, [3, 0, 900]], [3 * _MIN, _END, [3, 0, 900, 2 * _MIN, 2]]],
    ),
    "uneven_samples": (
        "Durations come from the uptimes of the readings, to the millisecond.",
        [[1, 0, 0, 800, 0, 0]],
        [(17, [900]), (60_123, [900]), (61_000, [700])],
        None,
        [[17, _START, [1, 0, 900]], [61_000, _END, [1, 0, 900, 60_983, 0]]],
    ),
}


def vectors() -> Iterator[dict[str, object]]:
    """All of them, as they are written."""
    for name, (comment, rules, samples, end_ms, events) in CASES.items():
        encoded = profile.encode(profile.build("vector", 60, rules))
        yield {
            "name": name,
            "comment": comment,
            "expect": "ok",
            "profile": encoded.hex(),
            "samples": [[up_ms, values] for up_ms, values in samples],
            "end_trip_ms": end_ms,
            "events": events,
        }
