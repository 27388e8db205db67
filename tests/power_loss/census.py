# SPDX-License-Identifier: MIT
"""Power-cut states seen in this test session: name of a sweep -> (states, bad ones)."""

CENSUS: dict[str, tuple[int, int]] = {}
