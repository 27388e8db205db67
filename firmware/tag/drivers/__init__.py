# SPDX-License-Identifier: MIT
"""One chip per file: bus and pins come as arguments, integers with units go out."""
