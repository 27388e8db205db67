# SPDX-License-Identifier: MIT
"""The gateway: syncs every tag in range, again and again (docs/gateway.md)."""
