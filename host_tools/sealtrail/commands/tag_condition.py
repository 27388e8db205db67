# SPDX-License-Identifier: MIT
"""What a tag says of itself when a session opens (READY's flags), for people and for programs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealwire.access import Ready


def condition_fields(ready: "Ready") -> dict[str, object]:
    """The JSON fields of `status` and `sync`."""
    return {
        "is_alarm": ready.is_alarm,
        "is_log_filling": ready.is_filling,
        "is_refusing_readings": ready.is_refusing,
        "is_key_lost": ready.is_key_lost,
    }


def warning_of(serial: str, ready: "Ready") -> str | None:
    """One line about the gravest thing a person should act on, None when all is well."""
    if ready.is_refusing:
        return (
            f"{serial} REFUSES READINGS: its log is full. Sync it and bring it a receipt;"
            " what it refused is counted in its log."
        )
    if ready.is_key_lost:
        return (
            f"{serial} HAS LOST ITS KEY: what it records proves nothing. Sync or dump it, revoke"
            " it, then `sealtrail provision --erase`."
        )
    if ready.is_alarm:
        return f"{serial} is in ALARM: a rule of its profile is broken now."
    if ready.is_filling:
        return f"{serial}: its log is more than 80 % full. Bring it a receipt soon."
    return None
