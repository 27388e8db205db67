# SPDX-License-Identifier: MIT
"""A small world for the virtual board's own tests. For MicroPython."""

import json
from collections import namedtuple

Conditions = namedtuple("Conditions", ("battery_mv", "lid_level"))


class Environment:
    """Reads [[seconds, lid level], ...]; has ticked at what `ticks` lists."""

    def __init__(self, path, now_ms, start_ms):
        self._now_ms = now_ms
        self.start_ms = start_ms
        with open(path) as f:
            self._changes = [(start_ms + s * 1000, level) for s, level in json.load(f)]
        self._next = 0
        self._level = 0
        self.chips = []
        self.ticks = []

    def now(self):
        return Conditions(3700, self._level)

    def next_change_ms(self):
        return self._changes[self._next][0] if self._next < len(self._changes) else None

    def tick(self, now_ms):
        while self._next < len(self._changes) and self._changes[self._next][0] <= now_ms:
            self._level = self._changes[self._next][1]
            self._next += 1
        self.ticks.append(now_ms - self.start_ms)
        for chip in self.chips:
            chip.tick(now_ms)
