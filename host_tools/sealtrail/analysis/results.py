# SPDX-License-Identifier: MIT
"""What the analysis found, as frozen values. No I/O.

A `Moment` names a point by what the tag signed (boot, uptime), by the UTC interval the
verifier derived, and by its place on the one time axis of this analysis (`axis_ms`).
`axis_ms` is Unix time in ms when the clock was ever known, else ms since the first entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sealtrail.model import CustodyStep, Event, ProbeFault, Reading, Trip, UtcInterval


@dataclass(frozen=True, slots=True)
class Moment:
    """One point in time. *utc* None: the clock was not known then."""

    boot: int
    up_ms: int
    utc: UtcInterval | None
    axis_ms: int


class RuleKind(Enum):
    """When a rule of the profile is broken (docs/record-format.md, "Profile")."""

    ABOVE_AT_ONCE = 0
    BELOW_AT_ONCE = 1
    ABOVE_CONSECUTIVE = 2
    BELOW_CONSECUTIVE = 3
    ABOVE_CUMULATIVE = 4
    BELOW_CUMULATIVE = 5

    @property
    def is_upper(self) -> bool:
        """True for rules that forbid values above the limit."""
        return self.value % 2 == 0

    @property
    def is_cumulative(self) -> bool:
        """True for rules that add up all the time outside."""
        return self.value >= 4


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit of the profile, in force for one probe."""

    rule_id: int
    probe: int
    kind: RuleKind
    limit_centi_c: int
    duration_s: int
    hysteresis_centi_c: int

    def is_broken_by(self, temp_centi_c: int) -> bool:
        """Whether this value lies outside the limit (the limit itself is inside)."""
        if self.kind.is_upper:
            return temp_centi_c > self.limit_centi_c
        return temp_centi_c < self.limit_centi_c

    def is_back_at(self, temp_centi_c: int) -> bool:
        """Whether this value ends an excursion: inside by the hysteresis."""
        if self.kind.is_upper:
            return temp_centi_c <= self.limit_centi_c - self.hysteresis_centi_c
        return temp_centi_c >= self.limit_centi_c + self.hysteresis_centi_c


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules that stood in the trip's record. *sha256* is over its exact bytes."""

    name: str
    interval_s: int
    burst_interval_s: int
    rules: tuple[Rule, ...]
    shock_threshold_mg: int
    tilt_deg: int
    tilt_hold_s: int
    sha256: bytes

    @property
    def probes(self) -> tuple[int, ...]:
        """The probes that have a rule, ascending."""
        return tuple(sorted({rule.probe for rule in self.rules}))


@dataclass(frozen=True, slots=True)
class Sample:
    """All probes at one instant."""

    moment: Moment
    readings: Mapping[int, Reading]

    def temp_centi_c(self, probe: int) -> int | None:
        """The probe's temperature, None where it has none (fault, or not in the record)."""
        reading = self.readings.get(probe)
        return None if reading is None else reading.temp_centi_c


class ExcursionEnd(Enum):
    """Why an excursion stopped being counted. The first three are the tag's own codes."""

    BACK_IN_LIMITS = 0
    PROBE_LOST = 1
    TRIP_ENDED = 2
    POWER_LOST = 3
    STILL_OPEN = 4


@dataclass(frozen=True, slots=True)
class Excursion:
    """One break of one rule.

    *start* is the first reading outside the limit, *alarm* the reading at which the rule's
    time was used up, *end* the first reading back inside by the hysteresis (or the last one
    known). *duration_ms* is end minus start; for a cumulative rule it is the time outside
    within that span.
    """

    number: int
    rule: Rule
    start: Moment
    alarm: Moment
    end: Moment
    extreme_centi_c: int
    extreme_at: Moment
    duration_ms: int
    ended: ExcursionEnd
    proven: bool


class GapKind(Enum):
    """Why a span of the trip can't be judged."""

    POWER_OFF = "power off"
    MISSED = "readings missing"
    REFUSED = "log full, readings refused"
    PROBE_FAULT = "probe fault"
    UNPROVEN = "not signed"


@dataclass(frozen=True, slots=True)
class Gap:
    """A span without a valid reading. *probe* None: all of them.

    *duration_ms* is None where the length is not known (no clock on both sides).
    *refused_count*: readings and events that a full log did not take in this span.
    """

    kind: GapKind
    probe: int | None
    start: Moment
    end: Moment
    duration_ms: int | None
    fault: ProbeFault | None = None
    refused_count: int = 0


@dataclass(frozen=True, slots=True)
class ProbeStats:
    """One probe over the trip. Means are weighted by the time each reading stands for."""

    probe: int
    reading_count: int
    valid_count: int
    min_centi_c: int | None
    min_at: Moment | None
    max_centi_c: int | None
    max_at: Moment | None
    mean_centi_c: float | None
    has_rules: bool


@dataclass(frozen=True, slots=True)
class TimeOutside:
    """Total time the readings lay outside one rule's limit, whether it alarmed or not."""

    rule: Rule
    outside_ms: int


@dataclass(frozen=True, slots=True)
class MeanKinetic:
    """Mean kinetic temperature of one probe, or why there is none."""

    probe: int
    trip_c: float | None
    worst_window_c: float | None
    window_ms: int
    refusal: str


@dataclass(frozen=True, slots=True)
class LidOpening:
    """From open to closed. *end* None: no closing stands in the evidence."""

    start: Moment
    end: Moment | None
    open_ms: int | None


@dataclass(frozen=True, slots=True)
class Shock:
    """One shock entry: the highest peak and how many the tag counted into it."""

    at: Moment
    peak_mg: int
    axis: int
    count: int


@dataclass(frozen=True, slots=True)
class Tilting:
    """From over the angle to back under it."""

    start: Moment
    end: Moment | None
    angle_max_deg: int
    duration_ms: int | None


@dataclass(frozen=True, slots=True)
class Restart:
    """The tag started. *cause* is its reset cause number, *firmware* what then ran."""

    at: Moment
    cause: int
    firmware: str


@dataclass(frozen=True, slots=True)
class ClockQuality:
    """How well the calendar time of the readings is known."""

    reading_count: int
    unknown_count: int
    unbounded_count: int
    width_max_ms: int | None
    sources: tuple[int, ...]
    contradiction_count: int
    reset_count: int


class Verdict(Enum):
    """What the temperature rules say of the trip."""

    WITHIN_LIMITS = "within limits"
    EXCURSION = "excursion"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything the report and the custody document need beside the evidence itself.

    *reasons* say why the verdict is not WITHIN_LIMITS; *findings* are what a person should
    know besides. *events* are those of the trip, each with its moment, in order.
    """

    trip: Trip | None
    profile: Profile | None
    start: Moment | None
    end: Moment | None
    has_utc_axis: bool
    samples: tuple[Sample, ...]
    probes: tuple[ProbeStats, ...]
    outside: tuple[TimeOutside, ...]
    excursions: tuple[Excursion, ...]
    gaps: tuple[Gap, ...]
    kinetic: tuple[MeanKinetic, ...]
    lids: tuple[LidOpening, ...]
    shocks: tuple[Shock, ...]
    tilts: tuple[Tilting, ...]
    restarts: tuple[Restart, ...]
    clock: ClockQuality
    events: tuple[tuple[Moment, Event], ...]
    custody: tuple[CustodyStep, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    findings: tuple[str, ...]
