# SPDX-License-Identifier: MIT
"""Fake chips at register level, one per file; virtual_wiring.py says what each must have."""
