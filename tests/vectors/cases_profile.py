# SPDX-License-Identifier: MIT
"""Profiles. {name: (comment, input hex, expect)}."""

from sealwire import cbor

_RULE = [1, 0, 0, -15000, 0, 100]
_GOOD = {0: 1, 1: "cryo", 2: 60, 3: [_RULE], 4: 2500, 5: [45, 10], 6: 10}


def _with(**changes: object) -> str:
    fields = dict(_GOOD)
    for name, value in changes.items():
        fields[int(name[1:])] = value
    return cbor.encode({key: value for key, value in fields.items() if value is not None}).hex()


def _rule(**changes: int) -> str:
    names = ("id", "probe", "kind", "limit", "duration", "hysteresis")
    rule = list(_RULE)
    for name, value in changes.items():
        rule[names.index(name)] = value
    return _with(k3=[rule])


_SIXTEEN = [[number, 0, 0, 0, 0, 0] for number in range(16)]

CASES = {
    "cryo": ("One rule above -150 C at once.", _with(), "ok"),
    "all_kinds": (
        "One rule of each kind.",
        _with(k3=[[kind, 0, kind, 200, 60 if kind > 1 else 0, 0] for kind in range(6)]),
        "ok",
    ),
    "sixteen_rules": ("As many as there may be.", _with(k3=_SIXTEEN), "ok"),
    "name_32_bytes": ("As long as it may be.", _with(k1="n" * 32), "ok"),
    "nothing_but_temperature": ("Shock, tilt, burst off.", _with(k4=0, k5=[0, 0], k6=0), "ok"),
    "seventeen_rules": (
        "One too many.",
        _with(k3=[*_SIXTEEN, [16, 0, 0, 0, 0, 0]]),
        "not 1 to 16 rules",
    ),
    "no_rules": ("Nothing to watch.", _with(k3=[]), "not 1 to 16 rules"),
    "name_33_bytes": ("One too long.", _with(k1="n" * 33), "profile name not 1 to 32 bytes"),
    "name_empty": ("No name.", _with(k1=""), "profile name not 1 to 32 bytes"),
    "name_bytes": ("Not a text.", _with(k1=b"cryo"), "profile name not 1 to 32 bytes"),
    "version_2": ("From the future.", _with(k0=2), "unknown profile version"),
    "version_missing": ("No version.", _with(k0=None), "not a profile"),
    "key_7": ("An unknown key.", _with(k7=0), "not a profile"),
    "key_missing": ("No burst interval.", _with(k6=None), "not a profile"),
    "not_a_map": ("An array.", "80", "not a profile"),
    "cut": ("The last byte is missing.", _with()[:-2], "truncated"),
    "interval_0": ("Never stop sampling.", _with(k2=0, k6=0), "interval out of range"),
    "interval_over_hour": ("Blocks without readings.", _with(k2=3601), "interval out of range"),
    "burst_slower": ("Slower than the interval.", _with(k6=61), "burst interval out of range"),
    "shock_over_scale": ("Above 16 g.", _with(k4=16001), "shock threshold out of range"),
    "tilt_over_180": ("No such angle.", _with(k5=[181, 10]), "tilt out of range"),
    "tilt_not_pair": ("Three numbers.", _with(k5=[45, 10, 0]), "not a profile"),
    "rule_kind_6": ("Unknown kind.", _rule(kind=6, duration=1), "rule malformed"),
    "rule_probe_4": ("No fifth probe.", _rule(probe=4), "rule malformed"),
    "rule_below_zero_kelvin": ("Colder than possible.", _rule(limit=-27316), "rule malformed"),
    "rule_negative_hysteresis": ("Ends before it begins.", _rule(hysteresis=-1), "rule malformed"),
    "rule_five_members": ("One missing.", _with(k3=[_RULE[:5]]), "rule malformed"),
    "rule_at_once_with_duration": (
        "Kind 0 waits for nothing.",
        _rule(duration=60),
        "duration does not fit the rule kind",
    ),
    "rule_consecutive_without_duration": (
        "Kind 2 waits for something.",
        _rule(kind=2),
        "duration does not fit the rule kind",
    ),
    "rule_id_twice": ("Which one is it?", _with(k3=[_RULE, _RULE]), "rule id used twice"),
}
