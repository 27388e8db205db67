# SPDX-License-Identifier: MIT
"""Sealtrail's tools for people at a computer: provision tags, sync, verify, report, upload."""

__version__ = "0.1.0"
