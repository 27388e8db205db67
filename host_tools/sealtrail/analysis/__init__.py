# SPDX-License-Identifier: MIT
"""From verified evidence to excursions, gaps and figures. Pure."""
