# SPDX-License-Identifier: MIT
"""Figures per probe: least, greatest, mean, time outside each limit, kinetic mean.

Each reading stands for the time until the next sample, at most until a gap begins; the
last one before a gap stands for one interval. Unsigned readings count in nothing here.
"""

import math
from collections.abc import Sequence

from sealtrail.analysis import mkt
from sealtrail.analysis.gaps import gap_threshold_ms
from sealtrail.analysis.results import (
    MeanKinetic,
    Moment,
    ProbeStats,
    Profile,
    Rule,
    Sample,
    TimeOutside,
)


def weights_ms(samples: Sequence[Sample], interval_ms: int) -> list[int]:
    """How long each sample stands for, in ms."""
    threshold_ms = gap_threshold_ms(interval_ms)
    weights = [interval_ms] * len(samples)
    for index in range(len(samples) - 1):
        here, there = samples[index].moment, samples[index + 1].moment
        if here.boot == there.boot and there.up_ms - here.up_ms <= threshold_ms:
            weights[index] = there.up_ms - here.up_ms
    return weights


def probe_stats(
    samples: Sequence[Sample], weights: Sequence[int], profile: Profile | None
) -> tuple[ProbeStats, ...]:
    """One line of figures for each probe that has a reading or a rule."""
    ruled = set(profile.probes) if profile else set()
    probes = {probe for sample in samples for probe in sample.readings} | ruled
    return tuple(_one_probe(samples, weights, probe, probe in ruled) for probe in sorted(probes))


def _one_probe(
    samples: Sequence[Sample], weights: Sequence[int], probe: int, has_rules: bool
) -> ProbeStats:
    valid = _valid(samples, weights, probe)
    count = sum(1 for sample in samples if probe in sample.readings)
    if not valid:
        return ProbeStats(probe, count, 0, None, None, None, None, None, has_rules)
    lowest = min(valid, key=lambda item: item[1])
    highest = max(valid, key=lambda item: item[1])
    total_ms = sum(weight for _, _, weight in valid)
    mean = math.fsum(temp * weight for _, temp, weight in valid) / total_ms if total_ms else None
    return ProbeStats(
        probe, count, len(valid), lowest[1], lowest[0], highest[1], highest[0], mean, has_rules
    )


def _valid(
    samples: Sequence[Sample], weights: Sequence[int], probe: int
) -> list[tuple[Moment, int, int]]:
    found = []
    for sample, weight in zip(samples, weights, strict=True):
        reading = sample.readings.get(probe)
        if reading is not None and reading.proven and reading.temp_centi_c is not None:
            found.append((sample.moment, reading.temp_centi_c, weight))
    return found


def time_outside(
    samples: Sequence[Sample], weights: Sequence[int], rules: Sequence[Rule]
) -> tuple[TimeOutside, ...]:
    """Total time beyond each rule's limit, whether or not the rule's own time was used up."""
    totals = []
    for rule in rules:
        valid = _valid(samples, weights, rule.probe)
        outside_ms = sum(weight for _, temp, weight in valid if rule.is_broken_by(temp))
        totals.append(TimeOutside(rule, outside_ms))
    return tuple(totals)


def kinetic_means(
    samples: Sequence[Sample], weights: Sequence[int], profile: Profile | None
) -> tuple[MeanKinetic, ...]:
    """Mean kinetic temperature of each probe with rules, or the reason why there is none."""
    if profile is None:
        return ()
    return tuple(
        _one_kinetic(samples, weights, profile, probe, mkt.refusal(profile, probe))
        for probe in profile.probes
    )


def _one_kinetic(
    samples: Sequence[Sample], weights: Sequence[int], profile: Profile, probe: int, refusal: str
) -> MeanKinetic:
    valid = _valid(samples, weights, probe)
    if not refusal and not any(weight for _, _, weight in valid):
        refusal = "not applicable: the probe has no valid reading"
    if refusal:
        return MeanKinetic(probe, None, None, 0, refusal)
    points = [(moment.axis_ms, temp / 100, float(weight)) for moment, temp, weight in valid]
    length_ms = mkt.window_ms(profile, probe)
    trip_c = mkt.mean_kinetic_c([(temp_c, weight) for _, temp_c, weight in points])
    return MeanKinetic(probe, trip_c, mkt.worst_window_c(points, length_ms), length_ms, "")
