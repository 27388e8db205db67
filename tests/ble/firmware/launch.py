# SPDX-License-Identifier: MIT
"""Runs a firmware script on plain MicroPython with the virtual `bluetooth`: no flash, no clock.

micropython launch.py SCRIPT     with VTAG_RADIO, VTAG_MAC and MICROPYPATH set
"""

import sys

import bluetooth_virtual

sys.modules["bluetooth"] = bluetooth_virtual
with open(sys.argv[1]) as script:
    exec(compile(script.read(), sys.argv[1], "exec"), {"__name__": "__main__"})
