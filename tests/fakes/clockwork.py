# SPDX-License-Identifier: MIT
"""A turnable uptime and an RTC that keeps its memory over resets, not over power loss."""


class FakeUptime:
    """Uptime whose hand the test turns."""

    def __init__(self, now_ms=0):
        self.value_ms = now_ms

    def now_ms(self):
        return self.value_ms

    def advance(self, ms):
        self.value_ms += ms


class FakeRTC:
    """What survives a reset. `lose_power` forgets the memory, as the chip does."""

    def __init__(self):
        self.time_ms = 0
        self.content = b""

    def now_ms(self):
        return self.time_ms

    def memory(self, content=None):
        if content is None:
            return self.content
        self.content = bytes(content)

    def lose_power(self):
        self.content = b""
