# SPDX-License-Identifier: MIT
"""The rules of a trip, and the alarm engine that judges them.

Both come from the shared package: the same strict reader and the same engine as on the
tag, so "alarm" has one meaning. Source: docs/record-format.md, "Alarm profile".
"""

import hashlib

from sealtrail.analysis.excursion import Engine
from sealtrail.analysis.results import Profile, Rule, RuleKind
from sealtrail.errors import UsageError
from sealwire import profile as wire_profile
from sealwire.alarm import AlarmEngine


def read_profile(encoded: bytes) -> Profile:
    """Reads a profile in compact CBOR. Raises UsageError, naming what is wrong with it."""
    try:
        parsed = wire_profile.parse(encoded)
    except wire_profile.ProfileError as problem:
        raise UsageError(f"profile: {problem.reason}") from problem
    return Profile(
        name=parsed.name,
        interval_s=parsed.interval_s,
        burst_interval_s=parsed.burst_interval_s,
        rules=tuple(_rule(rule) for rule in parsed.rules),
        shock_threshold_mg=parsed.shock_mg,
        tilt_deg=parsed.tilt_deg,
        tilt_hold_s=parsed.tilt_hold_s,
        sha256=hashlib.sha256(encoded).digest(),
    )


def tag_engine(encoded: bytes, spent_ms: list[int] | None, slack_s: int = 0) -> Engine:
    """The tag's alarm engine. *spent_ms*: what cumulative rules used up before a restart.

    *slack_s* is added to every rule's time; a rule that acts at once keeps doing so.
    """
    parsed = wire_profile.parse(encoded)
    rules = [
        rule._replace(duration_s=max(1, rule.duration_s + slack_s)) if rule.duration_s else rule
        for rule in parsed.rules
    ]
    engine: Engine = AlarmEngine(parsed._replace(rules=tuple(rules)), spent_ms)
    return engine


def _rule(rule: wire_profile.Rule) -> Rule:
    return Rule(
        rule.id,
        rule.probe,
        RuleKind(rule.kind),
        rule.limit_centi_c,
        rule.duration_s,
        rule.hysteresis_centi_c,
    )
