# SPDX-License-Identifier: MIT
"""What sensors say, as temperatures and events."""
