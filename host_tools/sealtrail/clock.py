# SPDX-License-Identifier: MIT
"""The one place that asks this computer for the time.

Everything that signs, dates or compares takes a clock as an argument, so that a
simulation can turn it. A turned clock is never silent: it says so on stderr once, and
every JSON answer and report carries `simulated_clock: true`.
"""

import math
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from sealtrail.errors import UsageError

OFFSET_VARIABLE = "SEALTRAIL_CLOCK_OFFSET_S"
_OFFSET_MAX_S = 40 * 366 * 86_400  # certificates and dossiers live 30 years


class Clock(Protocol):
    """What the rest of the package needs of a clock."""

    @property
    def is_simulated(self) -> bool:
        """True when the time is not the computer's own."""

    def now_ms(self) -> int:
        """UTC now, milliseconds since 1970."""


class HostClock:
    """The system clock, shifted by *offset_s* in simulations only."""

    def __init__(self, offset_s: float = 0) -> None:
        self._offset_ms = round(offset_s * 1000)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "HostClock":
        """Reads SEALTRAIL_CLOCK_OFFSET_S (seconds, decimals allowed; simulation only).

        Writes one line to stderr when the clock is shifted. Raises UsageError for a value
        that is no number or lies beyond 40 years.
        """
        text = (
            (os.environ if environment is None else environment).get(OFFSET_VARIABLE, "").strip()
        )
        if not text:
            return cls()
        offset_s = _parse_offset(text)
        if offset_s:
            print(f"sealtrail: simulated clock, {offset_s:+g} s", file=sys.stderr)
        return cls(offset_s)

    @property
    def is_simulated(self) -> bool:
        """True when the time is not the computer's own."""
        return self._offset_ms != 0

    def now_ms(self) -> int:
        """UTC now, milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._offset_ms

    def now_s(self) -> int:
        """UTC now, whole seconds since 1970."""
        return self.now_ms() // 1000


def iso(utc_ms: int) -> str:
    """A time for people and file lines: 2026-11-24T08:15:00Z."""
    return datetime.fromtimestamp(utc_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_offset(text: str) -> float:
    try:
        offset_s = float(text)
    except ValueError:
        offset_s = math.nan
    if math.isfinite(offset_s) and abs(offset_s) <= _OFFSET_MAX_S:
        return offset_s
    raise UsageError(
        f"{OFFSET_VARIABLE}={text[:40]}: not a number of seconds below 40 years",
        "Unset it: it is for simulations only.",
    )
