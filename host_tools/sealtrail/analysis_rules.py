# SPDX-License-Identifier: MIT
"""The host's view of a profile: what the rules say, read from the trip's record.

Source: docs/record-format.md, "Profile". Read with the independent CBOR reader; the tag's
own reader is used only to run the shared alarm engine (see excursion.py).
"""

import hashlib

import cbor2

from .analysis_model import Profile, Rule, RuleKind
from .errors import UsageError

_VERSION, _NAME, _INTERVAL, _RULES, _SHOCK, _TILT, _BURST = range(7)
_RULES_MAX = 64


def read_profile(encoded: bytes) -> Profile:
    """Reads a profile in compact CBOR. Raises UsageError, naming what is wrong with it."""
    try:
        fields = cbor2.loads(encoded)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as problem:
        raise UsageError(f"profile: not CBOR: {problem}") from problem
    if not isinstance(fields, dict) or fields.get(_VERSION) != 1:
        raise UsageError("profile: not a version 1 profile")
    tilt = fields.get(_TILT, [0, 0])
    if not isinstance(tilt, list) or len(tilt) != 2:
        raise UsageError("profile: tilt is not [angle, hold time]")
    return Profile(
        name=_text(fields, _NAME),
        interval_s=_positive(fields, _INTERVAL),
        burst_interval_s=_integer(fields.get(_BURST, 0), "burst interval"),
        rules=_read_rules(fields.get(_RULES, [])),
        shock_threshold_mg=_integer(fields.get(_SHOCK, 0), "shock threshold"),
        tilt_deg=_integer(tilt[0], "tilt angle"),
        tilt_hold_s=_integer(tilt[1], "tilt hold time"),
        sha256=hashlib.sha256(encoded).digest(),
    )


def _read_rules(rows: object) -> tuple[Rule, ...]:
    if not isinstance(rows, list) or len(rows) > _RULES_MAX:
        raise UsageError(f"profile: rules are not a list of at most {_RULES_MAX}")
    return tuple(_read_rule(row) for row in rows)


def _read_rule(row: object) -> Rule:
    if not isinstance(row, list) or len(row) != 6:
        raise UsageError("profile: a rule is not [id, probe, kind, limit, duration, hysteresis]")
    numbers = [_integer(value, "rule") for value in row]
    try:
        kind = RuleKind(numbers[2])
    except ValueError as problem:
        raise UsageError(f"profile: rule kind {numbers[2]} is not known") from problem
    return Rule(numbers[0], numbers[1], kind, numbers[3], numbers[4], numbers[5])


def _integer(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"profile: {what} is not a whole number")
    return value


def _positive(fields: dict[object, object], key: int) -> int:
    value = _integer(fields.get(key), "interval")
    if value <= 0:
        raise UsageError("profile: interval is not above 0")
    return value


def _text(fields: dict[object, object], key: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise UsageError("profile: name is not text")
    return value
