# SPDX-License-Identifier: MIT
"""From readings and events to signed records: the only way into the log."""
