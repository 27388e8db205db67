# SPDX-License-Identifier: MIT
"""The formats both ends share. Runs unchanged on MicroPython and CPython, imports no hardware.

Nothing is imported here, so that a tag loads only the modules it uses.
"""
