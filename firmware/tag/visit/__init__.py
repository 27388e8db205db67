# SPDX-License-Identifier: MIT
"""Visitors by radio: adverts, links, sessions, handovers."""
