# SPDX-License-Identifier: MIT
"""Alarm profiles in compact CBOR: what a trip's TRIP event carries.

    {0: 1, 1: name, 2: interval_s, 3: [+ rule], 4: shock_mg, 5: [tilt_deg, hold_s], 6: burst_s}
    rule = [id, probe, kind, limit_centi_c, duration_s, hysteresis_centi_c]

The rules stand in the signed record, so what counted as an alarm can be told in 30
years. The digest of a profile is the SHA-256 of these bytes. Meaning of the rules:
`alarm`, docs/record-format.md "Alarm profile".
"""

import hashlib
from collections import namedtuple

from . import cbor, labels
from .compat import const

VERSION = const(1)
RULE_COUNT_MAX = const(16)
NAME_SIZE_MAX = const(32)  # bytes of UTF-8
_INTERVAL_MAX_S = const(3600)  # a block closes at 60 minutes: one sample in each at least
_DURATION_MAX_S = const(2_592_000)  # 30 days
_HYSTERESIS_MAX_CENTI_C = const(5000)
_LIMIT_MIN_CENTI_C = const(-27315)
_LIMIT_MAX_CENTI_C = const(100_000)
_PROBE_MAX = const(3)
_SHOCK_MAX_MG = const(16_000)  # full scale of the accelerometers in use
_TILT_MAX_DEG = const(180)
_HOLD_MAX_S = const(3600)
_SIZE_MAX = const(480)  # bytes: fits a TRIP command and an event

NOT_A_PROFILE = "not a profile"
UNKNOWN_VERSION = "unknown profile version"
NAME_SIZE = "profile name not 1 to 32 bytes"
INTERVAL_RANGE = "interval out of range"
BURST_RANGE = "burst interval out of range"
SHOCK_RANGE = "shock threshold out of range"
TILT_RANGE = "tilt out of range"
RULE_COUNT = "not 1 to 16 rules"
RULE_MALFORMED = "rule malformed"
RULE_ID_TWICE = "rule id used twice"
RULE_DURATION = "duration does not fit the rule kind"

Rule = namedtuple(
    "Rule", ("id", "probe", "kind", "limit_centi_c", "duration_s", "hysteresis_centi_c")
)
Profile = namedtuple(
    "Profile",
    (
        "name",
        "interval_s",
        "rules",  # tuple of Rule
        "shock_mg",  # 0: no shock events
        "tilt_deg",  # 0: no tilt events
        "tilt_hold_s",
        "burst_interval_s",  # while an alarm lasts; 0: none
    ),
)


class ProfileError(ValueError):
    """A profile outside the format. args = (reason,)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def build(
    name: str,
    interval_s: int,
    rules: list,
    shock_mg: int = 0,
    tilt_deg: int = 0,
    tilt_hold_s: int = 0,
    burst_interval_s: int = 0,
) -> Profile:
    """A checked profile; *rules* are Rule or sequences in Rule's order.

    Raises ProfileError(reason).
    """
    checked = tuple(_rule(rule) for rule in rules)
    profile = Profile(name, interval_s, checked, shock_mg, tilt_deg, tilt_hold_s, burst_interval_s)
    _check(profile)
    return profile


def encode(profile: Profile) -> bytes:
    """The bytes of *profile*. Raises ProfileError when it would be too long."""
    _check(profile)
    encoded = cbor.encode(
        {
            labels.PROFILE_VERSION: VERSION,
            labels.PROFILE_NAME: profile.name,
            labels.PROFILE_INTERVAL_S: profile.interval_s,
            labels.PROFILE_RULES: [list(rule) for rule in profile.rules],
            labels.PROFILE_SHOCK_MG: profile.shock_mg,
            labels.PROFILE_TILT: [profile.tilt_deg, profile.tilt_hold_s],
            labels.PROFILE_BURST_INTERVAL_S: profile.burst_interval_s,
        }
    )
    if len(encoded) > _SIZE_MAX:
        raise ProfileError(cbor.TOO_LONG)
    return encoded


def parse(encoded: bytes) -> Profile:
    """Reads a profile strictly. Raises ProfileError(reason), nothing else."""
    try:
        fields = cbor.decode(encoded, _SIZE_MAX)
    except cbor.CborError as error:
        raise ProfileError(error.reason)
    if not isinstance(fields, dict) or labels.PROFILE_VERSION not in fields:
        raise ProfileError(NOT_A_PROFILE)
    if fields[labels.PROFILE_VERSION] != VERSION:
        raise ProfileError(UNKNOWN_VERSION)
    # Keys 0 to 6, all of them and no other.
    if len(fields) != 7 or any(key not in fields for key in range(7)):
        raise ProfileError(NOT_A_PROFILE)
    tilt = fields[labels.PROFILE_TILT]
    rules = fields[labels.PROFILE_RULES]
    if not isinstance(tilt, list) or len(tilt) != 2 or not isinstance(rules, list):
        raise ProfileError(NOT_A_PROFILE)
    return build(
        fields[labels.PROFILE_NAME],
        fields[labels.PROFILE_INTERVAL_S],
        rules,
        fields[labels.PROFILE_SHOCK_MG],
        tilt[0],
        tilt[1],
        fields[labels.PROFILE_BURST_INTERVAL_S],
    )


def digest(encoded: bytes) -> bytes:
    """SHA-256 of the encoded profile, 32 bytes."""
    return hashlib.sha256(encoded).digest()


def _within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _rule(rule: object) -> Rule:
    if not isinstance(rule, (list, tuple)) or len(rule) != 6:
        raise ProfileError(RULE_MALFORMED)
    rule = Rule(*rule)
    if not (
        _within(rule.id, 0, 255)
        and _within(rule.probe, 0, _PROBE_MAX)
        and _within(rule.kind, labels.RULE_ABOVE, labels.RULE_BELOW_TOTAL)
        and _within(rule.limit_centi_c, _LIMIT_MIN_CENTI_C, _LIMIT_MAX_CENTI_C)
        and _within(rule.duration_s, 0, _DURATION_MAX_S)
        and _within(rule.hysteresis_centi_c, 0, _HYSTERESIS_MAX_CENTI_C)
    ):
        raise ProfileError(RULE_MALFORMED)
    # "At once" has no duration, everything else has one.
    if (rule.duration_s == 0) != (rule.kind <= labels.RULE_BELOW):
        raise ProfileError(RULE_DURATION)
    return rule


def _check(profile: Profile) -> None:
    name = profile.name
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= NAME_SIZE_MAX:
        raise ProfileError(NAME_SIZE)
    if not _within(profile.interval_s, 1, _INTERVAL_MAX_S):
        raise ProfileError(INTERVAL_RANGE)
    if not _within(profile.burst_interval_s, 0, profile.interval_s):
        raise ProfileError(BURST_RANGE)
    if not _within(profile.shock_mg, 0, _SHOCK_MAX_MG):
        raise ProfileError(SHOCK_RANGE)
    if not _within(profile.tilt_deg, 0, _TILT_MAX_DEG):
        raise ProfileError(TILT_RANGE)
    if not _within(profile.tilt_hold_s, 0, _HOLD_MAX_S):
        raise ProfileError(TILT_RANGE)
    if not 1 <= len(profile.rules) <= RULE_COUNT_MAX:
        raise ProfileError(RULE_COUNT)
    ids = set()
    for rule in profile.rules:
        if rule.id in ids:
            raise ProfileError(RULE_ID_TWICE)
        ids.add(rule.id)
