# SPDX-License-Identifier: MIT
"""A tag in the air: find it, visit it, sync its records."""
