# SPDX-License-Identifier: MIT
"""Recomputes the alarms of a trip from its readings, with the tag's own engine.

The engine is `sealwire.alarm`, the same code the tag ran, started anew for every boot as on
the tag. What it says becomes excursions; where the tag said otherwise, that is a finding.
A cumulative rule adds up over the whole trip here, over restarts too, so it can fire on
the host although no single boot reached its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sealwire.labels import EVENT_ALARM_END, EVENT_ALARM_START, FAULT_BASE

from .analysis_model import Excursion, ExcursionEnd, Moment, Profile, Rule, Sample
from .model import Event, ProbeFault

# A reading's time is kept within 1 s, an alarm's event may come a little after its sample.
TIME_TOLERANCE_MS = 5_000


class Engine(Protocol):
    """What this module needs of `sealwire.alarm.AlarmEngine`."""

    def sample(self, up_ms: int, values: list[int]) -> list[tuple[int, list[int]]]: ...
    def end_trip(self, up_ms: int) -> list[tuple[int, list[int]]]: ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """One ALARM_START or ALARM_END, the host's or the tag's. *reason* only at an end."""

    is_start: bool
    rule_id: int
    probe: int
    boot: int
    up_ms: int
    reason: int | None


def replay(
    samples: Sequence[Sample], make_engine: Callable[[], Engine], end: Moment | None
) -> list[Alarm]:
    """Runs the engine over the samples. *end* is the trip's end, None while it is open."""
    alarms: list[Alarm] = []
    engine: Engine | None = None
    boot = -1
    probe_count = 1 + max((probe for s in samples for probe in s.readings), default=-1)
    for sample in samples:
        moment = sample.moment
        if engine is None or moment.boot != boot:
            engine, boot = make_engine(), moment.boot
        values = [_value(sample, probe) for probe in range(probe_count)]
        alarms += _alarms(engine.sample(moment.up_ms, values), boot, moment.up_ms)
    if end is not None and engine is not None and end.boot == boot:
        alarms += _alarms(engine.end_trip(end.up_ms), boot, end.up_ms)
    return alarms


def alarms_of_tag(events: Sequence[Event]) -> list[Alarm]:
    """The alarms the tag itself logged."""
    found: list[Alarm] = []
    for event in events:
        if event.code in (EVENT_ALARM_START, EVENT_ALARM_END) and isinstance(
            event.content, list | tuple
        ):
            found += _alarms([(event.code, list(event.content))], event.boot, event.up_ms)
    return found


def _alarms(raw: Sequence[tuple[int, list[int]]], boot: int, up_ms: int) -> list[Alarm]:
    alarms = []
    for code, content in raw:
        reason = content[4] if code == EVENT_ALARM_END and len(content) > 4 else None
        if len(content) >= 3:
            alarms.append(
                Alarm(code == EVENT_ALARM_START, content[0], content[1], boot, up_ms, reason)
            )
    return alarms


def _value(sample: Sample, probe: int) -> int:
    reading = sample.readings.get(probe)
    if reading is None:
        return int(FAULT_BASE) + ProbeFault.NOT_READ
    if reading.fault is not None:
        return int(FAULT_BASE) + reading.fault
    return 0 if reading.temp_centi_c is None else reading.temp_centi_c


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


def _is_same(one: Alarm, other: Alarm) -> bool:
    return (
        one.is_start == other.is_start
        and one.rule_id == other.rule_id
        and one.probe == other.probe
        and one.boot == other.boot
        and abs(one.up_ms - other.up_ms) <= TIME_TOLERANCE_MS
    )


def find_excursions(
    samples: Sequence[Sample],
    weights: Sequence[int],
    profile: Profile,
    alarms: Sequence[Alarm],
    end: Moment | None,
) -> tuple[Excursion, ...]:
    """Pairs the host's alarms, and adds what cumulative rules find over several boots."""
    found: list[Excursion] = []
    for rule in profile.rules:
        own = [a for a in alarms if a.rule_id == rule.rule_id and a.probe == rule.probe]
        fired = _paired(samples, rule, own, end)
        if rule.kind.is_cumulative and not fired:
            fired = _over_boots(samples, weights, rule)
        found += fired
    found.sort(key=lambda item: (item.start.boot, item.start.up_ms, item.rule.rule_id))
    return tuple(_numbered(item, index + 1) for index, item in enumerate(found))


def _paired(
    samples: Sequence[Sample], rule: Rule, alarms: Sequence[Alarm], end: Moment | None
) -> list[Excursion]:
    found, begun = [], None
    for alarm in alarms:
        if begun is not None:
            found.append(_excursion(samples, rule, begun, None if alarm.is_start else alarm, end))
            begun = None
        if alarm.is_start:
            begun = alarm
    if begun is not None:
        found.append(_excursion(samples, rule, begun, None, end))
    return found


def _excursion(
    samples: Sequence[Sample], rule: Rule, alarm: Alarm, ending: Alarm | None, end: Moment | None
) -> Excursion:
    same_boot = [s for s in samples if s.moment.boot == alarm.boot]
    at = next(i for i, s in enumerate(same_boot) if s.moment.up_ms >= alarm.up_ms)
    first = at
    while first > 0 and _is_outside(same_boot[first - 1], rule):
        first -= 1
    if ending is not None:
        last = next(
            (i for i, s in enumerate(same_boot) if s.moment.up_ms >= ending.up_ms),
            len(same_boot) - 1,
        )
        ended = ExcursionEnd(ending.reason if ending.reason in (0, 1, 2) else 0)
    else:
        last = len(same_boot) - 1
        is_last_boot = same_boot[-1] is samples[-1]
        ended = ExcursionEnd.STILL_OPEN if is_last_boot else ExcursionEnd.POWER_LOST
    final = same_boot[last].moment
    if ended is ExcursionEnd.TRIP_ENDED and end is not None:
        final = end
    return _measured(rule, same_boot[first : last + 1], same_boot[at].moment, final, ended)


def _measured(
    rule: Rule, span: Sequence[Sample], alarm: Moment, final: Moment, ended: ExcursionEnd
) -> Excursion:
    sign = 1 if rule.kind.is_upper else -1
    valid = [(sign * temp, s) for s in span if (temp := s.temp_centi_c(rule.probe)) is not None]
    worst, worst_sample = max(valid, key=lambda item: item[0])
    start = span[0].moment
    return Excursion(
        number=0,
        rule=rule,
        start=start,
        alarm=alarm,
        end=final,
        extreme_centi_c=sign * worst,
        extreme_at=worst_sample.moment,
        duration_ms=final.up_ms - start.up_ms,
        ended=ended,
        proven=all(s.readings[rule.probe].proven for _, s in valid),
    )


def _over_boots(samples: Sequence[Sample], weights: Sequence[int], rule: Rule) -> list[Excursion]:
    outside = [
        (sample, weight)
        for sample, weight in zip(samples, weights, strict=True)
        if _is_outside(sample, rule)
    ]
    total_ms = 0
    for sample, weight in outside:
        total_ms += weight
        if total_ms >= rule.duration_s * 1000:
            span = [s for s, _ in outside]
            whole_ms = sum(w for _, w in outside)
            made = _measured(
                rule, span, sample.moment, span[-1].moment, ExcursionEnd.BACK_IN_LIMITS
            )
            return [_with_duration(made, whole_ms)]
    return []


def _is_outside(sample: Sample, rule: Rule) -> bool:
    temp_centi_c = sample.temp_centi_c(rule.probe)
    return temp_centi_c is not None and rule.is_broken_by(temp_centi_c)


def _with_duration(item: Excursion, duration_ms: int) -> Excursion:
    return _changed(item, item.number, duration_ms)


def _numbered(item: Excursion, number: int) -> Excursion:
    return _changed(item, number, item.duration_ms)


def _changed(item: Excursion, number: int, duration_ms: int) -> Excursion:
    return Excursion(
        number,
        item.rule,
        item.start,
        item.alarm,
        item.end,
        item.extreme_centi_c,
        item.extreme_at,
        duration_ms,
        item.ended,
        item.proven,
    )
