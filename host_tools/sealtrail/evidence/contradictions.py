# SPDX-License-Identifier: MIT
"""Events that a QA person must see, as findings: receipts the log contradicts, times it does.

Codes and shapes: docs/record-format.md, "Events". Nothing here changes a verdict on records:
the tag itself has signed that something did not fit.
"""

from collections.abc import Iterable

from sealtrail.model import Event

_CLOCK_CONTRADICTION, _AHEAD, _FORK, _CLAIM = 33, 35, 36, 48
_TEXTS = {
    _CLOCK_CONTRADICTION: "a stated time contradicted the tag's clock (CONTRADICTION)",
    _AHEAD: "the archive receipted records that the tag does not have: cut back (AHEAD)",
    _FORK: "the archive receipted other records than the tag has: replaced (FORK)",
}
_CLAIM_UTC_S, _CLAIM_ERR_S = 4, 5  # places in the claim's data
_SHOWN_MAX = 8


def contradictions(events: Iterable[Event]) -> list[str]:
    """One line for each event that says so, at most eight, then their count."""
    found = [line for line in map(_line_of, events) if line]
    left = len(found) - _SHOWN_MAX
    return found if left <= 0 else [*found[:_SHOWN_MAX], f"{left} more of these"]


def _line_of(event: Event) -> str:
    if event.code == _CLAIM:
        return _claim_line(event)
    text = _TEXTS.get(event.code)
    return f"record {event.seq}: {text}" if text else ""


def _claim_line(event: Event) -> str:
    """C5: a visitor's claim moves no bound; one that cannot be true names its ticket."""
    said = event.content
    if not isinstance(said, list) or len(said) <= _CLAIM_ERR_S or event.utc is None:
        return ""
    utc_s, err_s = said[_CLAIM_UTC_S], said[_CLAIM_ERR_S]
    if type(utc_s) is not int or type(err_s) is not int:
        return ""
    is_late = event.utc.hi_ms is not None and (utc_s - err_s) * 1000 > event.utc.hi_ms
    if not is_late and (utc_s + err_s) * 1000 >= event.utc.lo_ms:
        return ""
    return f"record {event.seq}: ticket {said[0]} claimed a time outside the clock's bounds (C5)"
