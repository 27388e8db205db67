# SPDX-License-Identifier: MIT
"""Alarm rules over readings: the same integers on the tag and in the report.

Words. A reading *breaches* a rule when it lies beyond the limit. An *excursion* of a rule
begins with the first breaching reading and ends with the first reading that is back at or
inside limit - hysteresis (limit + hysteresis for rules below). A reading stands for the
time until the next one, so an excursion lasts from its first reading to the reading that
ends it. The rules turn an excursion into an *alarm*:

    kind 0, 1   at its first reading
    kind 2, 3   at the first reading that finds it duration_s old and still going on
    kind 4, 5   when all excursions of the trip together lasted duration_s; this alarm
                stands until the trip ends, for a spent budget does not come back

A fault reading neither breaches nor ends anything: the excursion is held. When the probe
was lost for longer than duration_s, an excursion of kinds 0 to 3 closes at the instant of
the loss (reason 1 if it was an alarm; silently if not). Time without the probe never
counts towards a cumulative rule. Nothing but readings and `end_trip` ends an alarm:
no sync, no midnight, no record.

KNOWN LIMIT: integers above 2**30 ms (12.4 days of uptime) are heap objects on an ESP32.
"""

from . import labels
from .compat import const

_NEVER = const(-1)


class _RuleState:
    """One rule while a trip lasts."""

    def __init__(self, rule: object, spent_ms: int) -> None:
        self.rule = rule
        self.is_above = rule.kind & 1 == 0
        self.is_total = rule.kind >= labels.RULE_ABOVE_TOTAL
        self.duration_ms = rule.duration_s * 1000
        self.is_alarm = False
        self.spent_ms = spent_ms  # cumulative rules: closed excursions, all together
        self.began_ms = _NEVER  # of the excursion going on; cumulative: of its present part
        self.lost_ms = _NEVER  # since when the probe gives faults, while an excursion is held
        self.extreme = 0  # worst reading of the excursion; cumulative: of the trip
        self.has_extreme = False

    def breaches(self, value: int) -> bool:
        """Whether *value* lies beyond the limit."""
        limit = self.rule.limit_centi_c
        return value > limit if self.is_above else value < limit

    def is_back(self, value: int) -> bool:
        """Whether *value* ends an excursion."""
        limit = self.rule.limit_centi_c
        hysteresis = self.rule.hysteresis_centi_c
        if self.is_above:
            return value <= limit - hysteresis
        return value >= limit + hysteresis

    def note_extreme(self, value: int) -> None:
        """Keeps the worst reading."""
        if not self.has_extreme or (
            value > self.extreme if self.is_above else value < self.extreme
        ):
            self.extreme = value
            self.has_extreme = True


class AlarmEngine:
    """All rules of one trip. `sample` and `end_trip` return [(event code, data), ...].

    *profile*: profile.Profile. *spent_ms*: what `spent_ms` of an earlier engine of the
    same trip said, so that a reboot does not give a cumulative rule its budget back.
    """

    def __init__(self, profile: object, spent_ms: list | None = None) -> None:
        self._states = []
        for index, rule in enumerate(profile.rules):
            self._states.append(_RuleState(rule, spent_ms[index] if spent_ms else 0))
        self._events = []

    @property
    def is_alarm(self) -> bool:
        """Whether any rule is in alarm now."""
        return any(state.is_alarm for state in self._states)

    @property
    def spent_ms(self) -> list:
        """Per rule: time beyond the limit that is closed and counted, for kinds 4 and 5."""
        return [state.spent_ms for state in self._states]

    def sample(self, up_ms: int, values: list) -> list:
        """Judges one sample; *values* as in BlockBuilder.add_sample.

        Samples come in order of *up_ms*. The list that is returned is the engine's own,
        and is overwritten by the next call; it is empty nearly always. A probe that
        *values* lacks counts as not read.
        """
        if self._events:
            self._events = []
        for state in self._states:
            probe = state.rule.probe
            value = values[probe] if probe < len(values) else labels.FAULT_BASE
            if value >= labels.FAULT_BASE:
                self._lost(state, up_ms)
            elif state.is_total:
                self._judge_total(state, up_ms, value)
            else:
                self._judge(state, up_ms, value)
        return self._events

    def end_trip(self, up_ms: int) -> list:
        """Closes every alarm with reason 2, at the end of the trip. A second call finds none."""
        self._events = []
        for state in self._states:
            if state.is_total:
                if state.began_ms != _NEVER:
                    # Only what is counted now can be news: a budget that was spent before, and
                    # whose alarm an earlier call has closed, must not alarm again.
                    self._close_part(state, up_ms)
                    self._check_budget(state)
                if state.is_alarm:
                    self._end(state, state.spent_ms, labels.END_TRIP_ENDED)
            elif state.is_alarm:
                end_ms = up_ms if state.lost_ms == _NEVER else state.lost_ms
                self._end(state, end_ms - state.began_ms, labels.END_TRIP_ENDED)
            state.began_ms = _NEVER
        return self._events

    # Kinds 0 to 3.

    def _judge(self, state: _RuleState, up_ms: int, value: int) -> None:
        if state.lost_ms != _NEVER:
            # The probe is back. Too late for this excursion: a new one may begin.
            self._close_if_lost_too_long(state, up_ms)
            state.lost_ms = _NEVER
        if state.began_ms == _NEVER:
            if not state.breaches(value):
                return
            state.began_ms = up_ms
            state.has_extreme = False
        elif state.is_back(value):
            if state.is_alarm:
                self._end(state, up_ms - state.began_ms, labels.END_BACK_IN_LIMITS)
            state.began_ms = _NEVER
            return
        state.note_extreme(value)
        if not state.is_alarm and up_ms - state.began_ms >= state.duration_ms:
            self._start(state)

    def _lost(self, state: _RuleState, up_ms: int) -> None:
        if state.began_ms == _NEVER:
            return
        if state.is_total:
            # Counts up to the loss; a budget spent thereby is an alarm now.
            self._close_part(state, up_ms)
            self._check_budget(state)
        elif state.lost_ms == _NEVER:
            state.lost_ms = up_ms
        else:
            self._close_if_lost_too_long(state, up_ms)

    def _close_if_lost_too_long(self, state: _RuleState, up_ms: int) -> None:
        if state.began_ms == _NEVER or up_ms - state.lost_ms <= state.duration_ms:
            return
        if state.is_alarm:
            self._end(state, state.lost_ms - state.began_ms, labels.END_PROBE_LOST)
        state.began_ms = _NEVER
        state.lost_ms = _NEVER

    # Kinds 4 and 5.

    def _judge_total(self, state: _RuleState, up_ms: int, value: int) -> None:
        is_out = state.began_ms != _NEVER
        self._close_part(state, up_ms)
        if state.breaches(value) or (is_out and not state.is_back(value)):
            state.began_ms = up_ms
            state.note_extreme(value)
        self._check_budget(state)

    def _close_part(self, state: _RuleState, up_ms: int) -> None:
        """Counts the time since the last reading, if that one lay in an excursion."""
        if state.began_ms != _NEVER:
            state.spent_ms += up_ms - state.began_ms
            state.began_ms = _NEVER

    def _check_budget(self, state: _RuleState) -> None:
        if not state.is_alarm and state.has_extreme and state.spent_ms >= state.duration_ms:
            self._start(state)

    # Events.

    def _start(self, state: _RuleState) -> None:
        state.is_alarm = True
        rule = state.rule
        self._events.append((labels.EVENT_ALARM_START, [rule.id, rule.probe, state.extreme]))

    def _end(self, state: _RuleState, duration_ms: int, reason: int) -> None:
        state.is_alarm = False
        rule = state.rule
        self._events.append(
            (
                labels.EVENT_ALARM_END,
                [rule.id, rule.probe, state.extreme, duration_ms, reason],
            )
        )
