# SPDX-License-Identifier: MIT
"""A tag on the serial line: build, flash, provision, ask."""
