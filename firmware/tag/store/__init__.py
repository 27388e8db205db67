# SPDX-License-Identifier: MIT
"""Flash: raw ring logs, journal, record log, small durable values; nothing knows hardware."""
