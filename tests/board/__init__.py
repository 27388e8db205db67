# SPDX-License-Identifier: MIT
"""The virtual board as its users see it: mpremote, orders, power, time, wiring."""
