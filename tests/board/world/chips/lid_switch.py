# SPDX-License-Identifier: MIT
"""Drives its pin with the world's lid level. For MicroPython."""


class LidSwitch:
    def __init__(self, pin, environment):
        self._pin = pin
        self._environment = environment
        pin.drive(environment.now().lid_level)

    def tick(self, now_ms):
        self._pin.drive(self._environment.now().lid_level)


def make(wiring, environment, pin):
    return LidSwitch(pin(wiring["pin"]), environment)
