# SPDX-License-Identifier: MIT
"""How often somebody may ask: a bucket of tokens per name, filled at a steady rate."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_NAMES_MAX = 10_000  # the longest unused go first: their buckets are full anyway


class RateLimit:
    """*burst* requests at once, then *per_s* a second, for each name. Not thread-safe."""

    def __init__(
        self, burst: float, per_s: float, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._monotonic_s = monotonic_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str) -> int:
        """0 if *name* may ask now (that is counted); else how many seconds it has to wait."""
        left = self._left(name)
        if left < 1:
            return max(1, math.ceil((1 - left) / self._per_s))
        self._keep(name, left - 1)
        return 0

    def is_spent(self, name: str) -> bool:
        """Whether *name* has nothing left; counts nothing."""
        return self._left(name) < 1

    def _left(self, name: str) -> float:
        now_s = self._monotonic_s()
        left, at_s = self._buckets.get(name, (self._burst, now_s))
        return min(self._burst, left + (now_s - at_s) * self._per_s)

    def _keep(self, name: str, left: float) -> None:
        self._buckets[name] = (left, self._monotonic_s())
        self._buckets.move_to_end(name)
        while len(self._buckets) > _NAMES_MAX:
            self._buckets.popitem(last=False)
