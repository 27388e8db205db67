# SPDX-License-Identifier: MIT
"""Faults on demand, for tests: what real servers and networks do on a bad day.

Set by the environment variable SEALTRAIL_CAPTURE_FAULTS, "name:number,...":
busy:P (503 before anything), lost:P (stored, but answered 500), hang_ms:N (stored, answers
N ms later), running:N (a job shows itself running N times), lag_ms:N (events are shown N ms
late), forget:1 (no job is known). P is a probability; the sequence is the same every time.
"""

import random
from dataclasses import dataclass, field

from sealtrail.errors import UsageError

VARIABLE = "SEALTRAIL_CAPTURE_FAULTS"
_SEED = 7


@dataclass
class Faults:
    """The faults in force. All zero: none."""

    busy: float = 0.0
    lost: float = 0.0
    hang_ms: float = 0.0
    running: float = 0.0
    lag_ms: float = 0.0
    forget: float = 0.0
    _random: random.Random = field(default_factory=lambda: random.Random(_SEED), repr=False)

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Reads "busy:0.3,lost:0.2". Raises UsageError on an unknown name or number."""
        faults = cls()
        for part in filter(None, text.split(",")):
            name, _, number = part.partition(":")
            try:
                if name.startswith("_") or name not in cls.__dataclass_fields__:
                    raise ValueError(name)
                setattr(faults, name, float(number))
            except ValueError as problem:
                raise UsageError(f"{VARIABLE}: {part!r} is not a fault") from problem
        return faults

    def strikes(self, probability: float) -> bool:
        """Whether a fault of this probability happens now."""
        return probability > 0 and self._random.random() < probability
