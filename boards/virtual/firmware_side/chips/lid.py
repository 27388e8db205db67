# SPDX-License-Identifier: MIT
"""The lid's contact: drives its pin by the scenario's lid column."""


def make(wiring, environment, pin):
    """Returns the contact on pin wiring["pin"]; wiring["open_level"] is its level when open."""
    return LidContact(environment, pin(wiring["pin"]), wiring["open_level"])


class LidContact:
    """Follows the scenario at each tick."""

    def __init__(self, environment, pin, open_level):
        self._environment = environment
        self._pin = pin
        self._open_level = open_level
        self.tick(environment.now_ms())

    def tick(self, now_ms: int) -> None:
        is_open = self._environment.now().lid_open
        self._pin.drive(self._open_level if is_open else 1 - self._open_level)
