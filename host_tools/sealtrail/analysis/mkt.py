# SPDX-License-Identifier: MIT
"""Mean kinetic temperature, USP <1079.2>, and when it may not be used.

T = (dH/R) / -ln( sum(w * exp(-dH/(R*T_i))) / sum(w) ), T in kelvin, w the time a reading
stands for, dH/R = 83.14472 kJ/mol / 8.314472 J/(mol K) = 10,000.0 K exactly. Computed with
log-sum-exp in float64. The chapter covers 20-25 C and 2-8 C storage only: for frozen and
cryogenic profiles the figure has no meaning and is refused.
"""

import math
from collections.abc import Sequence

from sealtrail.analysis.results import Profile
from sealtrail.errors import UsageError

ACTIVATION_K = 10_000.0
_ZERO_C_IN_K = 273.15
_LIMIT_LOW_CENTI_C = 0
_LIMIT_HIGH_CENTI_C = 4_000
_COLD_MAX_CENTI_C = 1_500
WINDOW_COLD_MS = 24 * 3_600_000
WINDOW_ROOM_MS = 30 * 24 * 3_600_000


def mean_kinetic_c(weighted: Sequence[tuple[float, float]]) -> float:
    """Mean kinetic temperature in degrees C of (temperature in degrees C, weight) pairs.

    Raises UsageError when there is no pair with a weight above 0.
    """
    terms = [
        (-ACTIVATION_K / (temp_c + _ZERO_C_IN_K), weight) for temp_c, weight in weighted if weight
    ]
    if not terms:
        raise UsageError("mean kinetic temperature needs at least one reading")
    largest = max(term for term, _ in terms)
    total = math.fsum(weight * math.exp(term - largest) for term, weight in terms)
    log_mean = largest + math.log(total / math.fsum(weight for _, weight in terms))
    return ACTIVATION_K / -log_mean - _ZERO_C_IN_K


def refusal(profile: Profile | None, probe: int) -> str:
    """Why no mean kinetic temperature is given for this probe; empty when one may be."""
    if profile is None:
        return "not applicable: no rules are known for this evidence"
    if probe not in profile.probes:
        return "not applicable: the profile has no limit for this probe"
    # One frozen or cryogenic limit puts the whole shipment outside the chapter.
    limits = [rule.limit_centi_c for rule in profile.rules]
    if min(limits) < _LIMIT_LOW_CENTI_C or max(limits) > _LIMIT_HIGH_CENTI_C:
        return (
            "not applicable: profile outside USP <1079.2>, which covers 2-8 °C and "
            "20-25 °C storage and neither frozen nor cryogenic goods"
        )
    return ""


def window_ms(profile: Profile, probe: int) -> int:
    """The window USP names: 24 h for cold storage, 30 days for room temperature."""
    limits = [rule.limit_centi_c for rule in profile.rules if rule.probe == probe]
    return WINDOW_COLD_MS if max(limits) <= _COLD_MAX_CENTI_C else WINDOW_ROOM_MS


def worst_window_c(points: Sequence[tuple[int, float, float]], length_ms: int) -> float:
    """Highest mean kinetic temperature of any window of *length_ms* that ends at a reading.

    *points* are (axis_ms, temperature in degrees C, weight), ascending. All readings in the
    window count. The range is 0-40 C here, so plain running sums keep 1e-9 C.
    """
    worst, first, heat, weights = -math.inf, 0, 0.0, 0.0
    terms = [math.exp(-ACTIVATION_K / (temp_c + _ZERO_C_IN_K)) for _, temp_c, _ in points]
    for last, (axis_ms, _, weight) in enumerate(points):
        heat += weight * terms[last]
        weights += weight
        while points[first][0] <= axis_ms - length_ms:
            heat -= points[first][2] * terms[first]
            weights -= points[first][2]
            first += 1
        if weights > 0 and heat > 0:
            worst = max(worst, ACTIVATION_K / -math.log(heat / weights) - _ZERO_C_IN_K)
    return worst
