#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes boards/virtual/scenarios/ln2_five_days.csv: five days of a liquid nitrogen shipper.

    hour   9.2   lid open for 4 minutes while the payload goes in, probe up to -178 C
    hour  31     shock of 12 g on the ramp
    hour  40     on its side (70 degrees) for 30 minutes
    hour  66.5   warm excursion above -150 C for about 50 minutes
    hour  90     probe unplugged (open) for one hour

Else about -190 C with the slow warming of a charge that boils off, a daily wave, and noise of
0.03 C; ambient 18 to 27 C. Pseudo-random numbers come from a generator of this file, so the
output is the same on every Python.

Run: python tools/generate_scenario.py      (the file is checked in; the output is stable)
"""

import math
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "boards/virtual/scenarios/ln2_five_days.csv"
HOUR_S = 3600
DAY_S = 24 * HOUR_S
DURATION_S = 5 * DAY_S
STEP_S = 600
LID_AT_S = 9 * HOUR_S + 720
SHOCK_AT_S = 31 * HOUR_S
TILT_AT_S = 40 * HOUR_S
EXCURSION_AT_S = 66 * HOUR_S + 1800
UNPLUGGED_AT_S = 90 * HOUR_S

Row = dict[str, str]


class Noise:
    """A linear congruential generator (Numerical Recipes' constants), bell-shaped output."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def next(self, sigma: float) -> float:
        """The sum of 12 uniform numbers, which is close to a normal distribution."""
        total = 0.0
        for _ in range(12):
            self._state = (self._state * 1664525 + 1013904223) % 2**32
            total += self._state / 2**32
        return (total - 6) * sigma


def resting_c(at_s: int) -> float:
    """Payload temperature without incidents."""
    return -190.6 + 1.1 * at_s / DURATION_S + 0.15 * math.sin(2 * math.pi * at_s / DAY_S)


def ambient_c(at_s: int) -> float:
    """Warm afternoons, cool nights, a truck on day three; between 18 and 27 C."""
    wave = 22.3 + 3.2 * math.sin(2 * math.pi * (at_s - 9 * HOUR_S) / DAY_S)
    return wave + 0.7 * math.sin(2 * math.pi * at_s / (7 * HOUR_S))


def bump_c(at_s: int, start_s: int, rise_s: int, fall_s: int, height_c: float) -> float:
    """Warming at a constant rate, then cooling along an exponential."""
    since_s = at_s - start_s
    if since_s < 0:
        return 0.0
    if since_s <= rise_s:
        return height_c * since_s / rise_s
    return height_c * math.exp(-(since_s - rise_s) / fall_s)


def payload_c(at_s: int) -> float:
    return (
        resting_c(at_s)
        + bump_c(at_s, LID_AT_S, 300, 900, 12.5)
        + bump_c(at_s, EXCURSION_AT_S, 5400, 3000, 62.0)
    )


def row_times() -> list[int]:
    """Every ten minutes, every minute during the two warm spells, and the incidents."""
    times = set(range(0, DURATION_S + 1, STEP_S))
    times |= set(range(LID_AT_S, LID_AT_S + 1800, 60))
    times |= set(range(EXCURSION_AT_S, EXCURSION_AT_S + 4 * HOUR_S, 120))
    times |= {SHOCK_AT_S + 17, TILT_AT_S, TILT_AT_S + 1800, LID_AT_S + 240}
    return sorted(times)


def rows() -> list[str]:
    noise = Noise(20260101)
    out = []
    for at_s in row_times():
        is_unplugged = UNPLUGGED_AT_S <= at_s < UNPLUGGED_AT_S + HOUR_S
        row: Row = {
            # Noise is drawn even where it is not used: one incident does not shift the rest.
            "probe_c": f"{payload_c(at_s) + noise.next(0.03):.3f}",
            "ambient_c": f"{ambient_c(at_s) + noise.next(0.05):.2f}",
        }
        if is_unplugged:
            row["probe_c"] = "open" if at_s == UNPLUGGED_AT_S else ""
        row |= incidents(at_s)
        fields = ("probe_c", "ambient_c", "lid", "shock_g", "tilt_deg")
        out.append(",".join([str(at_s), *(row.get(name, "") for name in fields)]))
    return out


def incidents(at_s: int) -> Row:
    return {
        0: {"lid": "0", "tilt_deg": "0"},
        LID_AT_S: {"lid": "1"},
        LID_AT_S + 240: {"lid": "0"},
        SHOCK_AT_S + 17: {"shock_g": "12"},
        TILT_AT_S: {"tilt_deg": "70"},
        TILT_AT_S + 1800: {"tilt_deg": "2"},
    }.get(at_s, {})


def scenario_text() -> str:
    return "\n".join(["time_s,probe_c,ambient_c,lid,shock_g,tilt_deg", *rows()]) + "\n"


def main() -> None:
    TARGET.write_text(scenario_text())


if __name__ == "__main__":
    main()
