# SPDX-License-Identifier: MIT
"""Lid switch: hall sensor or reed contact on one pin, debounced.

The interrupt only sets a flag; the level is read again after the contact has come to rest.
"""

from micropython import const

DEBOUNCE_MS = const(50)  # reed contacts bounce for up to 5 ms, a lid that is set down longer


class Lid:
    """*pin*: machine.Pin, input. *open_level*: what it reads while the lid is open."""

    def __init__(self, pin, open_level: int):
        self._pin = pin
        self._open_level = open_level

    def is_open(self) -> bool:
        """The level of this instant, not debounced."""
        return self._pin.value() == self._open_level

    def watch(self, on_edge) -> None:
        """Calls *on_edge(pin)* from the interrupt at each edge; None stops that.

        *on_edge* must not allocate: let it set a flag.
        """
        self._pin.irq(on_edge, self._pin.IRQ_RISING | self._pin.IRQ_FALLING)
