# SPDX-License-Identifier: MIT
"""Recomputes the alarms of a trip from its readings, with the tag's own engine.

The engine is `sealwire.alarm`, the same code the tag ran. It starts anew with every boot,
as on the tag; only the time that cumulative rules used up is carried over. What it says
becomes excursions; where the tag said otherwise, `compare` tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sealtrail.analysis.results import Excursion, ExcursionEnd, Moment, Profile, Rule, Sample
from sealtrail.model import Event, ProbeFault
from sealwire.labels import EVENT_ALARM_END, EVENT_ALARM_START, FAULT_BASE

# A reading's time is kept within 1 s; an alarm's event may come a little after its sample.
TIME_TOLERANCE_MS = 5_000


class Engine(Protocol):
    """What this module needs of `sealwire.alarm.AlarmEngine`."""

    @property
    def spent_ms(self) -> list[int]: ...
    def sample(self, up_ms: int, values: list[int]) -> list[tuple[int, list[int]]]: ...
    def end_trip(self, up_ms: int) -> list[tuple[int, list[int]]]: ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """One ALARM_START or ALARM_END, the host's or the tag's.

    *duration_ms* and *reason* stand at an end only (docs/record-format.md, "Events").
    """

    is_start: bool
    rule_id: int
    probe: int
    boot: int
    up_ms: int
    duration_ms: int | None
    reason: int | None


def replay(
    samples: Sequence[Sample],
    make_engine: Callable[[list[int] | None], Engine],
    end: Moment | None,
) -> list[Alarm]:
    """Runs the engine over the samples. *end* is the trip's end, None while it is open."""
    alarms: list[Alarm] = []
    engine: Engine | None = None
    boot = -1
    probe_count = 1 + max((probe for s in samples for probe in s.readings), default=-1)
    for sample in samples:
        moment = sample.moment
        if engine is None or moment.boot != boot:
            engine, boot = make_engine(engine.spent_ms if engine else None), moment.boot
        raw = engine.sample(moment.up_ms, sample_values(sample, probe_count))
        alarms += _alarms(raw, boot, moment.up_ms)
    if end is not None and engine is not None and end.boot == boot:
        alarms += _alarms(engine.end_trip(end.up_ms), boot, end.up_ms)
    return alarms


def alarms_of_tag(events: Sequence[Event]) -> list[Alarm]:
    """The alarms the tag itself logged."""
    found: list[Alarm] = []
    for event in events:
        if event.code in (EVENT_ALARM_START, EVENT_ALARM_END) and _is_numbers(event.content):
            found += _alarms([(event.code, event.content)], event.boot, event.up_ms)
    return found


def sample_values(sample: Sample, probe_count: int) -> list[int]:
    """The sample as the tag's engine takes it: centi-degrees C or coded faults, by probe."""
    return [_value(sample, probe) for probe in range(probe_count)]


def compare(host: Sequence[Alarm], tag: Sequence[Alarm]) -> list[tuple[str, Alarm]]:
    """Alarms only one side has: ("tag", alarm) or ("host", alarm), in order of time."""
    left = list(tag)
    differing: list[tuple[str, Alarm]] = []
    for alarm in host:
        twin = next((other for other in left if _is_same(alarm, other)), None)
        if twin is None:
            differing.append(("host", alarm))
        else:
            left.remove(twin)
    differing += [("tag", alarm) for alarm in left]
    return sorted(differing, key=lambda item: (item[1].boot, item[1].up_ms))


def find_excursions(
    samples: Sequence[Sample], profile: Profile, alarms: Sequence[Alarm], end: Moment | None
) -> tuple[Excursion, ...]:
    """One excursion for each alarm of the host, in order of time, numbered from 1."""
    found: list[Excursion] = []
    for rule in profile.rules:
        own = [a for a in alarms if a.rule_id == rule.rule_id and a.probe == rule.probe]
        if rule.kind.is_cumulative:
            # A spent budget does not come back: one finding for the trip, restarts or not.
            starts = [alarm for alarm in own if alarm.is_start]
            found += [_cumulative(samples, rule, alarm) for alarm in starts[:1]]
            continue
        for start, ending in _pairs(own):
            found.append(_excursion(samples, rule, start, ending, end))
    found.sort(key=lambda item: (item.start.boot, item.start.up_ms, item.rule.rule_id))
    return tuple(replace(item, number=index + 1) for index, item in enumerate(found))


def _is_numbers(content: object) -> bool:
    return isinstance(content, list | tuple) and all(isinstance(n, int) for n in content)


def _alarms(raw: Sequence[tuple[int, object]], boot: int, up_ms: int) -> list[Alarm]:
    alarms = []
    for code, content in raw:
        numbers = list(content) if isinstance(content, list | tuple) else []
        is_start = code == EVENT_ALARM_START
        if len(numbers) >= (3 if is_start else 5):
            length, reason = (None, None) if is_start else (numbers[3], numbers[4])
            alarms.append(Alarm(is_start, numbers[0], numbers[1], boot, up_ms, length, reason))
    return alarms


def _value(sample: Sample, probe: int) -> int:
    reading = sample.readings.get(probe)
    if reading is None:
        return int(FAULT_BASE) + ProbeFault.NOT_READ
    if reading.fault is not None or reading.temp_centi_c is None:
        return int(FAULT_BASE) + (reading.fault or ProbeFault.NOT_READ)
    return reading.temp_centi_c


def _is_same(one: Alarm, other: Alarm) -> bool:
    return (
        one.is_start == other.is_start
        and one.rule_id == other.rule_id
        and one.probe == other.probe
        and one.boot == other.boot
        and abs(one.up_ms - other.up_ms) <= TIME_TOLERANCE_MS
    )


def _pairs(alarms: Sequence[Alarm]) -> list[tuple[Alarm, Alarm | None]]:
    pairs: list[tuple[Alarm, Alarm | None]] = []
    begun: Alarm | None = None
    for alarm in alarms:
        if begun is not None:
            pairs.append((begun, None if alarm.is_start else alarm))
            begun = None
        if alarm.is_start:
            begun = alarm
    if begun is not None:
        pairs.append((begun, None))
    return pairs


def _excursion(
    samples: Sequence[Sample], rule: Rule, alarm: Alarm, ending: Alarm | None, end: Moment | None
) -> Excursion:
    at = _index_at(samples, alarm)
    first = _first_outside(samples, rule, at)
    last, final, ended = _ending(samples, alarm, ending, end)
    span = samples[first : last + 1]
    sign = 1 if rule.kind.is_upper else -1
    valid = [(sign * t, s) for s in span if (t := s.temp_centi_c(rule.probe)) is not None]
    worst, worst_sample = max(valid, key=lambda item: item[0])
    start = samples[first].moment
    length_ms = final.up_ms - start.up_ms
    if ending is not None and ending.duration_ms is not None:
        length_ms = ending.duration_ms
    return Excursion(
        number=0,
        rule=rule,
        start=start,
        alarm=samples[at].moment,
        end=final,
        extreme_centi_c=sign * worst,
        extreme_at=worst_sample.moment,
        duration_ms=length_ms,
        ended=ended,
        proven=all(s.readings[rule.probe].proven for _, s in valid),
    )


def _cumulative(samples: Sequence[Sample], rule: Rule, alarm: Alarm) -> Excursion:
    """All time outside the limit in the trip, from its first to its last reading."""
    spans = _outside_spans(samples, rule)
    sign = 1 if rule.kind.is_upper else -1
    outside = [samples[i] for first, last in spans for i in range(first, last)]
    valid = [(sign * t, s) for s in outside if (t := s.temp_centi_c(rule.probe)) is not None]
    worst, worst_sample = max(valid, key=lambda item: item[0])
    length_ms = sum(
        samples[last].moment.up_ms - samples[first].moment.up_ms for first, last in spans
    )
    final = samples[spans[-1][1]]
    is_back = not _is_outside(final, rule)
    return Excursion(
        number=0,
        rule=rule,
        start=samples[spans[0][0]].moment,
        alarm=samples[_index_at(samples, alarm)].moment,
        end=final.moment,
        extreme_centi_c=sign * worst,
        extreme_at=worst_sample.moment,
        duration_ms=length_ms,
        ended=_end_of_outside(samples, spans[-1][1], rule) if is_back else ExcursionEnd.STILL_OPEN,
        proven=all(s.readings[rule.probe].proven for _, s in valid),
    )


def _outside_spans(samples: Sequence[Sample], rule: Rule) -> list[tuple[int, int]]:
    """(first outside, first no longer counted) for each stretch beyond the limit.

    A stretch ends with the reading that is back by the hysteresis, at the first fault, or
    with the last reading before a restart: what was not measured is not counted.
    """
    spans: list[tuple[int, int]] = []
    first: int | None = None
    for index, sample in enumerate(samples):
        temp_centi_c = sample.temp_centi_c(rule.probe)
        if first is not None:
            is_new_boot = sample.moment.boot != samples[first].moment.boot
            if is_new_boot or temp_centi_c is None or rule.is_back_at(temp_centi_c):
                spans.append((first, index - 1 if is_new_boot else index))
                first = None
        if first is None and temp_centi_c is not None and rule.is_broken_by(temp_centi_c):
            first = index
    if first is not None:
        spans.append((first, len(samples) - 1))
    return [(begin, end) for begin, end in spans if end > begin] or [
        (begin, min(begin + 1, len(samples) - 1)) for begin, _ in spans
    ]


def _end_of_outside(samples: Sequence[Sample], last: int, rule: Rule) -> ExcursionEnd:
    is_fault = samples[last].temp_centi_c(rule.probe) is None
    return ExcursionEnd.PROBE_LOST if is_fault else ExcursionEnd.BACK_IN_LIMITS


def _ending(
    samples: Sequence[Sample], alarm: Alarm, ending: Alarm | None, end: Moment | None
) -> tuple[int, Moment, ExcursionEnd]:
    """(index of the last sample, moment, why) of an excursion's end."""
    last = max(i for i, s in enumerate(samples) if s.moment.boot == alarm.boot)
    if ending is None:
        is_newest = last == len(samples) - 1
        why = ExcursionEnd.STILL_OPEN if is_newest else ExcursionEnd.POWER_LOST
        return last, samples[last].moment, why
    why = ExcursionEnd(ending.reason if ending.reason in (0, 1, 2) else 0)
    if why is ExcursionEnd.TRIP_ENDED and end is not None:
        return last, end, why
    found = _index_at(samples, ending)
    return found, samples[found].moment, why


def _index_at(samples: Sequence[Sample], alarm: Alarm) -> int:
    last = 0
    for index, sample in enumerate(samples):
        if sample.moment.boot == alarm.boot:
            last = index
            if sample.moment.up_ms >= alarm.up_ms:
                return index
    return last


def _first_outside(samples: Sequence[Sample], rule: Rule, at: int) -> int:
    """Where the excursion that alarmed at sample *at* began."""
    first = at
    for index in range(at, -1, -1):
        temp_centi_c = samples[index].temp_centi_c(rule.probe)
        if samples[index].moment.boot != samples[at].moment.boot:
            break
        if temp_centi_c is not None and rule.is_back_at(temp_centi_c):
            break
        if temp_centi_c is not None and rule.is_broken_by(temp_centi_c):
            first = index
    return first


def _is_outside(sample: Sample, rule: Rule) -> bool:
    temp_centi_c = sample.temp_centi_c(rule.probe)
    return temp_centi_c is not None and rule.is_broken_by(temp_centi_c)
