# SPDX-License-Identifier: MIT
"""Profiles: what people write, what the tag gets, and what is refused."""

from pathlib import Path

import pytest

from sealtrail import trip_profiles as profiles
from sealtrail.errors import UsageError
from sealwire import labels
from sealwire import profile as wire

GOOD = """
name = "x"
interval_s = 300
shock_threshold_g = 8
tilt_deg = 45
tilt_hold_min = 5
[[rule]]
id = 1
probe = 0
above_c = -150
hysteresis_c = 2
"""
RULE = GOOD[GOOD.index("[[rule]]") :]


def test_dry_shipper_has_the_three_rules() -> None:
    found = wire.parse(profiles.load("ln2-dry-shipper").cbor)
    assert (found.interval_s, found.shock_mg) == (300, 8000)
    assert (found.tilt_deg, found.tilt_hold_s) == (45, 300)
    assert [tuple(rule)[1:5] for rule in found.rules] == [
        (0, labels.RULE_ABOVE, -15000, 0),
        (0, labels.RULE_ABOVE_FOR, -15000, 600),
        (0, labels.RULE_ABOVE_TOTAL, -15000, 1800),
    ]


def test_every_shipped_profile_is_good_and_named_after_its_file() -> None:
    assert profiles.shipped_names() == ["fridge-2-8", "ln2-dry-shipper"]
    for name in profiles.shipped_names():
        found = profiles.load(name)
        assert found.name == name and found.title and len(found.cbor) < 200


def test_decimals_are_taken_exactly() -> None:
    text = GOOD.replace("-150", "-0.29").replace(
        "shock_threshold_g = 8", "shock_threshold_g = 1.1"
    )
    found = wire.parse(profiles.parse(text, "t").cbor)
    assert (found.rules[0].limit_centi_c, found.shock_mg) == (-29, 1100)


def test_digest_is_over_the_bytes_the_tag_carries() -> None:
    found = profiles.parse(GOOD, "t")
    assert found.sha256 == wire.digest(found.cbor).hex()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name = ", "nom = ", "unknown key 'nom'"),
        ('"x"', '""', "name must have 1 to 32 bytes"),
        ("300", "0", "interval_s"),
        ("300", "3601", "interval_s"),
        ("300", "true", "interval_s"),
        ("300", "'300'", "interval_s"),
        ("-150", "-150.001", "steps of 1/100"),
        ("-150", "nan", "above_c must be a number"),
        ("-150", "inf", "above_c must be a number"),
        ("-150", "-274", "above_c must lie in"),
        ("-150", "'cold'", "above_c must be a number"),
        ("above_c", "over_c", "unknown key 'over_c'"),
        ("above_c = -150", "", "needs one of above_c, below_c"),
        ("above_c = -150", "above_c = -150\nbelow_c = 1", "needs one of"),
        ("above_c = -150", "above_c = -150\nfor_min = 1\ntotal_min = 2", "at most one of"),
        ("above_c = -150", "above_c = -150\nfor_min = 0", "for_min must lie in"),
        ("probe = 0", "probe = 4", "probe"),
        ("[[rule]]", "[rule]", "[[rule]] tables"),
        ("[[rule]]", "[[rule", "line 7"),
        ("hysteresis_c = 2", f"hysteresis_c = 2\n{RULE}", "same id"),
        ("tilt_deg = 45", "", "tilt_deg"),
        ("tilt_deg = 45", "tilt_deg = 181", "tilt_deg"),
    ],
)  # fmt: skip
def test_bad_profile_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as refused:
        profiles.parse(GOOD.replace(old, new, 1), "my.toml")
    assert said in refused.value.message and "my.toml" in refused.value.message


def test_profile_without_rules_or_text_is_refused() -> None:
    for text in ("", GOOD.split("[[rule]]", maxsplit=1)[0], GOOD + "\x00"):
        with pytest.raises(UsageError):
            profiles.parse(text, "t")


def test_unknown_name_missing_file_and_binary_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    for name in ("no-such", str(tmp_path / "none.toml"), str(tmp_path / "b.toml"), "../x"):
        with pytest.raises(UsageError):
            profiles.load(name)


def test_profile_file_is_read_by_path(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(GOOD)
    assert profiles.load(str(tmp_path / "my.toml")).rules == ("1: probe 0 above -150 °C at once",)


def test_file_of_another_kind_is_said_to_be_no_profile(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match=r"a\.png: is no profile"):
        profiles.load(str(tmp_path / "a.png"))


def test_shock_and_tilt_limits_are_told() -> None:
    assert profiles.parse(GOOD, "t").limits == ("shock above 8 g", "tilt above 45° for 5 min")
    none = GOOD.replace("threshold_g = 8", "threshold_g = 0").replace("deg = 45", "deg = 0")
    assert profiles.parse(none, "t").limits == ("shocks: not noted", "tilt: not noted")
    at_once = GOOD.replace("hold_min = 5", "hold_min = 0")
    assert profiles.parse(at_once, "t").limits[1] == "tilt above 45° at once"
