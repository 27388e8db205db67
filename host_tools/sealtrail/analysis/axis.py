# SPDX-License-Identifier: MIT
"""Places everything a tag logged on one time axis.

The tag signs boot number and uptime; UTC is an interval, or unknown. Within a boot the
uptime is exact, so one entry with a known time places all others. A boot without any known
time is placed directly after the boot before it (or before the one after it): order is
right, distance is a guess, and `is_guess` says so.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

from sealtrail.analysis.results import Moment
from sealtrail.model import UtcInterval


class Stamped(Protocol):
    """Anything with the tag's own time: a reading, an event, a record."""

    @property
    def boot(self) -> int: ...
    @property
    def up_ms(self) -> int: ...
    @property
    def utc(self) -> UtcInterval | None: ...


class TimeAxis:
    """Maps (boot, uptime) to ms on the axis. `has_utc` is False when no time was ever known."""

    def __init__(self, entries: Iterable[Stamped]) -> None:
        spans: dict[int, tuple[int, int]] = {}
        anchors: dict[int, list[tuple[int, int]]] = {}
        for entry in entries:
            low, high = spans.get(entry.boot, (entry.up_ms, entry.up_ms))
            spans[entry.boot] = (min(low, entry.up_ms), max(high, entry.up_ms))
            if entry.utc is not None:
                place = entry.utc.mid_ms - entry.up_ms
                anchors.setdefault(entry.boot, []).append((entry.up_ms, place))
        self.has_utc = bool(anchors)
        # The boot's middle anchor: the interval narrows and widens around it.
        self._offsets = {
            boot: sorted(found)[len(found) // 2][1] for boot, found in anchors.items()
        }
        self._guessed = set(spans) - set(anchors)
        self._place_unknown_boots(spans)

    def moment(self, entry: Stamped) -> Moment:
        """The moment of an entry of the evidence this axis was made from."""
        if entry.utc is not None:
            return Moment(entry.boot, entry.up_ms, entry.utc, entry.utc.mid_ms)
        axis_ms = self._offsets[entry.boot] + entry.up_ms
        return Moment(entry.boot, entry.up_ms, None, axis_ms)

    def is_guess(self, boot: int) -> bool:
        """Whether only the order of this boot is known, not when it was."""
        return boot in self._guessed

    def _place_unknown_boots(self, spans: dict[int, tuple[int, int]]) -> None:
        boots = sorted(spans)
        known = [boot for boot in boots if boot in self._offsets]
        if boots and not known:
            self._offsets[boots[0]] = -spans[boots[0]][0]
            known = [boots[0]]
        for earlier, boot in pairwise(boots):
            if earlier in self._offsets and boot not in self._offsets:
                end_ms = self._offsets[earlier] + spans[earlier][1]
                self._offsets[boot] = end_ms - spans[boot][0]
        for boot, later in reversed(list(pairwise(boots))):
            if boot not in self._offsets:
                start_ms = self._offsets[later] + spans[later][0]
                self._offsets[boot] = start_ms - spans[boot][1]
