# SPDX-License-Identifier: MIT
"""From verified evidence to what it means: excursions, gaps, figures, verdict. Pure.

    VerifiedEvidence -> trip -> samples -> engine (excursions) ─┐
                                       ├-> gaps, figures        ├-> verdict and its reasons
                                       └-> events (lid, shock)  ┘

The verdict is WITHIN_LIMITS only when nothing is open: all rules held, no gap on a probe
with rules, every record signed, the trip ended, and the evidence proved complete.
"""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from statistics import median_low

from sealtrail.analysis import events as analysis_events
from sealtrail.analysis import excursion, wording
from sealtrail.analysis import gaps as analysis_gaps
from sealtrail.analysis import stats as analysis_stats
from sealtrail.analysis.axis import TimeAxis
from sealtrail.analysis.results import (
    Analysis,
    Excursion,
    Gap,
    GapKind,
    Moment,
    Profile,
    Sample,
    Verdict,
)
from sealtrail.analysis.rules import read_profile, tag_engine
from sealtrail.errors import UsageError
from sealtrail.model import (
    Completeness,
    CustodyStep,
    Event,
    Reading,
    Trip,
    VerifiedEvidence,
    VerifiedRecord,
)
from sealwire.labels import EVENT_ALARM_END

_INTERVAL_DEFAULT_MS = 300_000
_DIFFERENCES_SHOWN_MAX = 20
# Two sample times, each kept to within 1 s (docs/record-format.md, RUNS).
_TIME_SLACK_S = 2

EngineFactory = Callable[[bytes, list[int] | None, int], excursion.Engine]


def analyse(
    evidence: VerifiedEvidence,
    trip_number: int | None = None,
    make_engine: EngineFactory = tag_engine,
) -> Analysis:
    """Analyses one trip: the last one, or *trip_number*.

    Evidence without a trip is analysed whole and without rules. Raises UsageError when the
    evidence has no trip of that number.
    """
    return _Analyser(evidence, _choose_trip(evidence, trip_number), make_engine).result()


def _choose_trip(evidence: VerifiedEvidence, number: int | None) -> Trip | None:
    if number is None:
        return evidence.trips[-1] if evidence.trips else None
    for trip in evidence.trips:
        if trip.number == number:
            return trip
    known = ", ".join(str(trip.number) for trip in evidence.trips) or "none"
    raise UsageError(f"trip {number} is not in this evidence", f"Trips in it: {known}.")


def _start_after(evidence: VerifiedEvidence, trip: Trip | None) -> tuple[int, int] | None:
    """Where the next trip begins: a trip without an end stops there."""
    trips = list(evidence.trips)
    index = trips.index(trip) + 1 if trip in trips else len(trips)
    return (trips[index].start.boot, trips[index].start.up_ms) if index < len(trips) else None


class _Analyser:
    """One pass; the intermediate results are attributes so that each step stays small."""

    def __init__(
        self, evidence: VerifiedEvidence, trip: Trip | None, make_engine: EngineFactory
    ) -> None:
        self.evidence = evidence
        self.trip = trip
        self.next_start = _start_after(evidence, trip)
        self.make_engine = make_engine
        self.axis = TimeAxis([*evidence.readings, *evidence.events])
        self.reasons: list[str] = []
        self.findings: list[str] = list(evidence.findings)
        self.profile = self._read_profile()
        self.readings = [r for r in evidence.readings if self._is_in_trip(r)]
        self.events = [
            (self.axis.moment(event), event)
            for event in sorted(evidence.events, key=lambda e: (e.boot, e.up_ms, e.seq))
            if self._is_in_trip(event)
        ]
        self.samples = self._make_samples()
        self.interval_ms = self._interval_ms()
        self.weights = analysis_stats.weights_ms(self.samples, self.interval_ms)

    def result(self) -> Analysis:
        start, end = self._start(), self._end()
        excursions = self._excursions(end)
        gaps = self._gaps(start, end)
        clock = analysis_events.clock_quality(self.readings, self._records(), self.events)
        self._judge(excursions, gaps)
        self._note_clock()
        return Analysis(
            trip=self.trip,
            profile=self.profile,
            start=start,
            end=end,
            has_utc_axis=self.axis.has_utc,
            samples=tuple(self.samples),
            probes=analysis_stats.probe_stats(self.samples, self.weights, self.profile),
            outside=analysis_stats.time_outside(
                self.samples, self.weights, self.profile.rules if self.profile else ()
            ),
            excursions=excursions,
            gaps=gaps,
            kinetic=analysis_stats.kinetic_means(self.samples, self.weights, self.profile),
            lids=analysis_events.lid_openings(self.events),
            shocks=analysis_events.shocks(self.events),
            tilts=analysis_events.tiltings(self.events),
            restarts=analysis_events.restarts(self.events),
            clock=clock,
            events=tuple(self.events),
            custody=self._custody(),
            verdict=self._verdict(excursions),
            reasons=tuple(self.reasons),
            findings=tuple(self.findings),
        )

    def _gaps(self, start: Moment | None, end: Moment | None) -> tuple[Gap, ...]:
        if start is None:
            return ()
        found = analysis_gaps.find_gaps(self.samples, start, end, self.interval_ms)
        ordered = sorted(self.evidence.events, key=lambda e: (e.boot, e.up_ms, e.seq))
        told = analysis_events.refusals((self.axis.moment(event), event) for event in ordered)
        in_trip = [one for one in told if self._is_in_trip(one[0])]
        gaps, outside_count = analysis_gaps.name_refusals(found, in_trip)
        if outside_count:
            # Events, or readings closer than the interval: no span shows that they lack.
            text = f"The full log refused {wording.count(outside_count, 'entry', 'entries')}"
            self.findings.append(f"{text} outside the spans without readings.")
        return gaps

    def _read_profile(self) -> Profile | None:
        if self.trip is None:
            return None
        try:
            return read_profile(self.trip.profile)
        except UsageError as problem:
            self.reasons.append(f"The trip's rules can't be read ({problem.message}).")
            return None

    def _is_in_trip(self, entry: Reading | Event | Moment) -> bool:
        if self.trip is None:
            return True
        place = (entry.boot, entry.up_ms)
        if place < (self.trip.start.boot, self.trip.start.up_ms):
            return False
        if self.trip.end is not None:
            return place <= (self.trip.end.boot, self.trip.end.up_ms)
        return self.next_start is None or place < self.next_start

    def _make_samples(self) -> list[Sample]:
        ordered = sorted(self.readings, key=lambda r: (r.boot, r.up_ms))
        samples = []
        for _, group in groupby(ordered, key=lambda r: (r.boot, r.up_ms)):
            together = list(group)
            moment = self.axis.moment(together[0])
            samples.append(Sample(moment, {reading.probe: reading for reading in together}))
        return samples

    def _interval_ms(self) -> int:
        if self.profile is not None:
            return self.profile.interval_s * 1000
        spacings = [
            later.moment.up_ms - earlier.moment.up_ms
            for earlier, later in pairwise(self.samples)
            if earlier.moment.boot == later.moment.boot
        ]
        return median_low(spacings) if spacings else _INTERVAL_DEFAULT_MS

    def _start(self) -> Moment | None:
        if self.trip is not None:
            return self.axis.moment(self.trip.start)
        return self.samples[0].moment if self.samples else None

    def _end(self) -> Moment | None:
        if self.trip is None or self.trip.end is None:
            return None
        return self.axis.moment(self.trip.end)

    def _records(self) -> list[VerifiedRecord]:
        wanted = {reading.seq for reading in self.readings}
        return [record for record in self.evidence.records if record.seq in wanted]

    def _custody(self) -> tuple[CustodyStep, ...]:
        if self.trip is None:
            return self.evidence.custody
        first_seq = self.trip.start.seq
        last_seq = self.trip.end.seq if self.trip.end else None
        return tuple(
            step
            for step in self.evidence.custody
            if step.seq >= first_seq and (last_seq is None or step.seq <= last_seq)
        )

    def _excursions(self, end: Moment | None) -> tuple[Excursion, ...]:
        if self.trip is None or self.profile is None:
            return ()
        tag = excursion.alarms_of_tag(self._alarm_events())
        host = self._replay(end, 0)
        differing = excursion.compare(host, tag)
        # Records keep sample times to a second, the tag judged by its own finer clock. Where
        # a rule's time was used up to the second, the replay that agrees with the tag is right.
        for slack_s in (-_TIME_SLACK_S, _TIME_SLACK_S):
            other = self._replay(end, slack_s) if differing else host
            if differing and not excursion.compare(other, tag):
                host, differing = other, []
        self._note_differences(differing)
        return excursion.find_excursions(self.samples, self.profile, host, end)

    def _replay(self, end: Moment | None, slack_s: int) -> list[excursion.Alarm]:
        encoded = self.trip.profile if self.trip else b""
        return excursion.replay(
            self.samples, lambda spent_ms: self.make_engine(encoded, spent_ms, slack_s), end
        )

    def _alarm_events(self) -> list[Event]:
        """The tag's alarms of the trip, with those it closes just after the trip's end."""
        found = [event for _, event in self.events]
        end = self.trip.end if self.trip else None
        if end is not None:
            found += [
                event
                for event in self.evidence.events
                if event.code == EVENT_ALARM_END
                and event.boot == end.boot
                and 0 < event.up_ms - end.up_ms <= excursion.TIME_TOLERANCE_MS
            ]
        return found

    def _note_differences(self, differing: Sequence[tuple[str, excursion.Alarm]]) -> None:
        for side, alarm in differing[:_DIFFERENCES_SHOWN_MAX]:
            what = "start" if alarm.is_start else "end"
            where = f"rule {alarm.rule_id}, probe {alarm.probe}, start {alarm.boot}, " + (
                f"{wording.duration(alarm.up_ms)} after it"
            )
            if side == "tag":
                text = f"The tag logged an alarm {what} that its readings do not show ({where})."
            else:
                text = f"The readings show an alarm {what} that the tag did not log ({where})."
            self.findings.append(text)
        if len(differing) > _DIFFERENCES_SHOWN_MAX:
            more = len(differing) - _DIFFERENCES_SHOWN_MAX
            self.findings.append(f"{more} more differences between the tag's alarms and these.")
        if any(side == "tag" and alarm.is_start for side, alarm in differing):
            self.reasons.append("The tag raised an alarm that can't be recomputed (see findings).")

    def _judge(self, excursions: Sequence[Excursion], gaps: Sequence[Gap]) -> None:
        if self.trip is None:
            self.reasons.append("The evidence holds no trip, so no rules apply.")
        elif self.profile is not None and not self.profile.rules:
            self.reasons.append("The trip's profile has no temperature rule.")
        elif self.trip.end is None:
            self.reasons.append("The trip has no end in this evidence: it may still be going on.")
        if not self.samples:
            self.reasons.append("There is no reading in the trip.")
        self._judge_gaps(gaps)
        if excursions and not all(item.proven for item in excursions):
            self.findings.append("An excursion rests in part on records that are not signed.")
        freshness = self.evidence.freshness
        if freshness.completeness is not Completeness.PROVED:
            self.reasons.append(f"Not proved to be all there is: {freshness.detail}.")
        odd = analysis_events.odd_events(self.events)
        if odd:
            self.findings.append(f"{wording.count(odd, 'event')} of unknown shape, listed as is.")

    def _judge_gaps(self, gaps: Sequence[Gap]) -> None:
        ruled = set(self.profile.probes) if self.profile else set()
        for kind in GapKind:
            own = [g for g in gaps if g.kind is kind and (g.probe is None or g.probe in ruled)]
            if not own:
                continue
            lengths = [gap.duration_ms for gap in own if gap.duration_ms is not None]
            total = wording.duration(sum(lengths)) + " in total" if lengths else "length unknown"
            refused = sum(gap.refused_count for gap in own)
            what = f"{kind.value} ({refused:,} in all)" if refused else kind.value
            self.reasons.append(
                f"{wording.count(len(own), 'span')} can't be judged: {what}, {total}."
            )

    def _note_clock(self) -> None:
        guessed = {s.moment.boot for s in self.samples if self.axis.is_guess(s.moment.boot)}
        if guessed and self.axis.has_utc:
            boots = ", ".join(str(boot) for boot in sorted(guessed))
            self.findings.append(
                f"The tag had no time after start {boots}: order is sure, calendar time is not."
            )

    def _verdict(self, excursions: Sequence[Excursion]) -> Verdict:
        if excursions:
            return Verdict.EXCURSION
        return Verdict.UNDECIDED if self.reasons else Verdict.WITHIN_LIMITS
