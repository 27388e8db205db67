# SPDX-License-Identifier: MIT
"""What happens around the virtual tag: a CSV file, and the conditions at an instant.

    time_s,probe_c,ambient_c,lid,shock_g,tilt_deg

    time_s      seconds from the start, or ISO 8601 (then the first row is the start); rising
    probe_c     payload probe in C, `open` or `short`       ambient_c   second probe, the same
    lid         1 open, 0 closed                            shock_g     peak at that instant
    tilt_deg    angle from upright, 0..180

Temperatures are interpolated linearly between the rows that give one; after a fault, from the
next number on. An empty field leaves everything as it is. Lid and tilt hold until changed.
Runs on the tag's MicroPython and on CPython, where the demo checks a file before it starts.
"""

import math
from collections import namedtuple

COLUMNS = ("time_s", "probe_c", "ambient_c", "lid", "shock_g", "tilt_deg")
FAULTS = ("open", "short")
BATTERY_FULL_MV = 4100
BATTERY_EMPTY_MV = 3300
_BATTERY_MV_PER_DAY = 20
_DAY_MS = 86_400_000
_UPRIGHT_MG = 1000
_LIMITS = {"lid": (0, 1), "shock_g": (0, 16), "tilt_deg": (0, 180)}
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TEMPERATURE_LIMITS = (-273.15, 500)

Conditions = namedtuple(
    "Conditions", ("probe_centi_c", "probe_fault", "lid_open", "accel_mg", "battery_mv")
)


class ScenarioError(ValueError):
    """The file cannot be used: one line that says where and why."""


class Track:
    """One column: (ms, value) rising in time."""

    def __init__(self, first):
        self._times = []
        self._values = []
        self._first = first

    def add(self, at_ms: int, value) -> None:
        self._times.append(at_ms)
        self._values.append(value)

    def index_at(self, at_ms: int) -> int:
        """Index of the last entry at or before *at_ms*, -1 before the first."""
        low, high = 0, len(self._times)
        while low < high:
            middle = (low + high) // 2
            if self._times[middle] <= at_ms:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def held_at(self, at_ms: int):
        """The value in force."""
        index = self.index_at(at_ms)
        return self._first if index < 0 else self._values[index]

    def interpolated_at(self, at_ms: int):
        """The value on the line to the next number; a fault's name as it is."""
        index = self.index_at(at_ms)
        here = self.held_at(at_ms)
        if index < 0 or index + 1 == len(self._times) or isinstance(here, str):
            return here
        there = self._values[index + 1]
        if isinstance(there, str):
            return here
        start_ms, end_ms = self._times[index], self._times[index + 1]
        return here + (there - here) * (at_ms - start_ms) / (end_ms - start_ms)

    def next_after(self, at_ms: int):
        """Time of the first entry after *at_ms*, None after the last."""
        index = self.index_at(at_ms) + 1
        return self._times[index] if index < len(self._times) else None

    def between(self, from_ms: int, to_ms: int) -> list:
        """(ms, value) of the entries after *from_ms*, up to and including *to_ms*."""
        first, last = self.index_at(from_ms) + 1, self.index_at(to_ms)
        return [(self._times[i], self._values[i]) for i in range(first, last + 1)]


class Scenario:
    """A read file: one track per column, times in ms from the start."""

    def __init__(self):
        self.tracks = {name: Track(0) for name in COLUMNS[1:]}
        self.tracks["probe_c"] = Track(20.0)
        self.tracks["ambient_c"] = Track(20.0)
        self.duration_ms = 0
        self.row_count = 0


def load_scenario(path: str) -> Scenario:
    """Reads a file. Raises ScenarioError with file and line number, OSError if unreadable."""
    scenario = Scenario()
    reader = _RowReader(scenario)
    with open(path) as f:
        for number, line in enumerate(f, 1):
            try:
                reader.take(line)
            except ValueError as e:
                raise ScenarioError("%s, line %d: %s" % (path, number, e))
    if not scenario.row_count:
        raise ScenarioError("%s: no rows" % path)
    return scenario


class _RowReader:
    """Header first, then rows whose times rise."""

    def __init__(self, scenario):
        self._scenario = scenario
        self._has_header = False
        self._zero_ms = 0
        self._last_ms = -1

    def take(self, line: str) -> None:
        """Takes one line. Raises ValueError with the reason."""
        fields = [field.strip() for field in line.split(",")]
        if not self._has_header:
            fields[0] = fields[0].lstrip("\ufeff")  # spreadsheets put one there, unseen
            if tuple(fields) != COLUMNS:
                raise ValueError("the header must be " + ",".join(COLUMNS))
            self._has_header = True
        elif fields != [""]:
            self._take_row(fields)

    def _take_row(self, fields):
        if len(fields) != len(COLUMNS):
            raise ValueError("%d fields instead of %d" % (len(fields), len(COLUMNS)))
        at_ms = self._time_ms(fields[0])
        if at_ms <= self._last_ms:
            raise ValueError("time_s %s is not after the row before" % fields[0])
        for name, text in zip(COLUMNS[1:], fields[1:]):  # noqa: B905 -- no strict= on MicroPython
            if text:
                self._scenario.tracks[name].add(at_ms, _value_of(name, text))
        self._last_ms = self._scenario.duration_ms = at_ms
        self._scenario.row_count += 1

    def _time_ms(self, text) -> int:
        if "T" not in text:
            return _number("time_s", text, (0, 1e9), 1000)
        at_ms = _iso_ms(text)
        if not self._scenario.row_count:
            self._zero_ms = at_ms
        return at_ms - self._zero_ms


def _value_of(name, text):
    if name in ("probe_c", "ambient_c"):
        if text in FAULTS:
            return text
        # Checked here; kept with its fraction so that interpolation does not step.
        _number(name, text, _TEMPERATURE_LIMITS, 1)
        return float(text)
    scale = 1000 if name == "shock_g" else 1
    return _number(name, text, _LIMITS[name], scale)


def _number(name, text, limits, scale) -> int:
    """*text* times *scale*, rounded. Raises ValueError when it is no number within *limits*."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError("%s %r is not a number" % (name, text))
    # A comparison that "nan" fails too.
    if not limits[0] <= value <= limits[1]:
        raise ValueError("%s %s is not within %s..%s" % (name, text, limits[0], limits[1]))
    return math.floor(value * scale + 0.5)


def _iso_ms(text) -> int:
    """YYYY-MM-DDTHH:MM:SS, with Z or nothing after it, in ms since 1970. Raises ValueError."""
    fields = (text[:-1] if text.endswith("Z") else text).replace("T", "-").replace(":", "-")
    try:
        year, month, day, hour, minute, second = (int(field) for field in fields.split("-"))
    except ValueError:
        raise ValueError("time_s %r is neither seconds nor YYYY-MM-DDTHH:MM:SS" % text)
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        raise ValueError("time_s %r is no date and time" % text)
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    month_days = _MONTH_DAYS[month - 1] + (1 if month == 2 and is_leap else 0)
    if not 1 <= day <= month_days:
        raise ValueError("time_s %r is no date and time" % text)
    # Days since 1970 in the proleptic Gregorian calendar, years counted from March.
    year -= month <= 2
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = year * 365 + year // 4 - year // 100 + year // 400 + day_of_year - 719_468
    return (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000


class Environment:
    """The conditions at virtual wall time, for the fake chips.

    *now_ms*: function, virtual Unix time. *start_ms*: virtual Unix time of the file's zero.
    """

    def __init__(self, path: str, now_ms, start_ms: int):
        """Raises ScenarioError as load_scenario()."""
        self._tracks = load_scenario(path).tracks
        self._now_ms = now_ms
        self._start_ms = start_ms
        # Chips with tick(now_ms); the board's wiring puts them here.
        self.chips = []
        # A tag that was off has not felt what happened meanwhile.
        self._ticked_ms = now_ms()
        # The chips ask several times within one transfer, while a leaping clock stands still.
        self._asked_ms = None
        self._answer = None

    def now_ms(self) -> int:
        """Virtual Unix time in ms."""
        return self._now_ms()

    def now(self) -> Conditions:
        """The conditions of this instant."""
        asked_ms = self._now_ms()
        if asked_ms != self._asked_ms:
            self._answer = self._conditions_at(asked_ms - self._start_ms)
            self._asked_ms = asked_ms
        return self._answer

    def _conditions_at(self, at_ms):
        values = [self._tracks[name].interpolated_at(at_ms) for name in ("probe_c", "ambient_c")]
        faults = [value if isinstance(value, str) else "" for value in values]
        temperatures = [0.0 if isinstance(value, str) else value * 100 for value in values]
        return Conditions(
            temperatures,
            faults,
            self._tracks["lid"].held_at(at_ms) == 1,
            _accel_mg(self._tracks["tilt_deg"].held_at(at_ms)),
            max(BATTERY_EMPTY_MV, BATTERY_FULL_MV - at_ms * _BATTERY_MV_PER_DAY // _DAY_MS),
        )

    def shocks(self, from_ms: int, to_ms: int) -> list:
        """(virtual Unix ms, peak in mg) of the shocks after *from_ms*, up to *to_ms*."""
        found = self._tracks["shock_g"].between(from_ms - self._start_ms, to_ms - self._start_ms)
        return [(at_ms + self._start_ms, peak_mg) for at_ms, peak_mg in found if peak_mg]

    def next_change_ms(self):
        """Virtual Unix time of the next instant at which a pin may change, None if none."""
        at_ms = self._ticked_ms - self._start_ms
        times = [self._tracks[name].next_after(at_ms) for name in ("lid", "shock_g", "tilt_deg")]
        times = [time for time in times if time is not None]
        return min(times) + self._start_ms if times else None

    def tick(self, now_ms: int) -> None:
        """Lets every chip act on what has happened up to *now_ms*."""
        self._ticked_ms = max(self._ticked_ms, now_ms)
        for chip in self.chips:
            chip.tick(now_ms)


def _accel_mg(tilt_deg: int) -> tuple:
    angle = tilt_deg * math.pi / 180
    return (round(_UPRIGHT_MG * math.sin(angle)), 0, round(_UPRIGHT_MG * math.cos(angle)))
