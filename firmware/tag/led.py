# SPDX-License-Identifier: MIT
"""What the status LED says, without radio and host: one pattern at a time, the gravest one.

    alarm      one flash a second               a rule of the profile is broken
    lost key   always on                        what is recorded now proves nothing
    refusing   two flashes every five seconds   the log is full: readings are refused
    filling    one flash every eight seconds    80 % of the log wait for a receipt
    off        nothing to say

A flash is 60 ms, so that a tag in alarm for days costs its battery 6 % of the LED's current.
"""

import asyncio

from micropython import const

_FLASH_MS = const(60)

OFF = ()
# Milliseconds after each flash.
ALARM = (940,)
REFUSING = (340, 4540)
FILLING = (7940,)
STEADY = None


def pattern_of(is_alarmed: bool, is_key_lost: bool, is_refusing: bool, is_filling: bool):
    """The pattern for the gravest of what is so."""
    if is_alarmed:
        return ALARM
    if is_key_lost:
        return STEADY
    if is_refusing:
        return REFUSING
    return FILLING if is_filling else OFF


class Led:
    """*set_led(on)* switches it. `show` says which pattern; `run` shows it."""

    def __init__(self, set_led):
        self._set_led = set_led
        self._pattern = OFF
        self._has_changed = asyncio.Event()

    def show(self, pattern) -> None:
        """Takes effect when the present round of flashes ends, at once where none goes on."""
        if pattern is not self._pattern:
            self._pattern = pattern
            self._has_changed.set()

    async def run(self) -> None:
        """Shows patterns for ever."""
        while True:
            self._has_changed.clear()
            if self._pattern:
                await self._flash(self._pattern)
                continue
            self._set_led(self._pattern is STEADY)
            await self._has_changed.wait()

    async def _flash(self, pauses_ms):
        for pause_ms in pauses_ms:
            self._set_led(True)
            await asyncio.sleep_ms(_FLASH_MS)
            self._set_led(False)
            await asyncio.sleep_ms(pause_ms)
