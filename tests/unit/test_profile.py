# SPDX-License-Identifier: MIT
"""Alarm profiles: what goes in comes out, and nothing else goes in."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwire import cbor, profile

RULE = profile.Rule(1, 0, 0, -15_000, 0, 100)


def test_what_was_built_comes_back():
    built = profile.build("cryo", 60, [RULE, (2, 1, 5, 200, 600, 0)], 2500, 45, 10, 5)
    encoded = profile.encode(built)
    assert profile.parse(encoded) == built
    assert profile.parse(encoded).rules[0].limit_centi_c == -15_000
    assert profile.digest(encoded) == hashlib.sha256(encoded).digest()


def test_shock_tilt_and_burst_are_off_unless_named():
    built = profile.build("x", 1, [RULE])
    assert (built.shock_mg, built.tilt_deg, built.tilt_hold_s, built.burst_interval_s) == (0,) * 4


def test_the_largest_profile_fits_a_trip_command():
    rules = [(240 + i, 3, 5, -27_315, 2_592_000, 5000) for i in range(16)]
    encoded = profile.encode(profile.build("n" * 32, 3600, rules, 16_000, 180, 3600, 3600))
    assert len(encoded) == 315
    assert profile.parse(encoded).rules[15].id == 255


@pytest.mark.parametrize("value", [True, 1.0, None, "60"])
def test_numbers_are_whole_numbers(value):
    with pytest.raises(profile.ProfileError, match=profile.INTERVAL_RANGE):
        profile.build("x", value, [RULE])


def test_a_name_is_measured_in_bytes():
    profile.build("é" * 16, 60, [RULE])
    with pytest.raises(profile.ProfileError, match=profile.NAME_SIZE):
        profile.build("é" * 17, 60, [RULE])


ITEMS = st.recursive(
    st.integers(-(1 << 40), 1 << 64) | st.binary(max_size=33) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=7) | st.dictionaries(st.integers(0, 3), inner, max_size=2)
    ),
    max_leaves=8,
)
GOOD = cbor.decode(profile.encode(profile.build("cryo", 60, [RULE])))


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(st.integers(0, 8), ITEMS, max_size=2))
def test_profiles_of_any_types_raise_nothing_but_profile_error(changes):
    try:
        encoded = cbor.encode({**GOOD, **changes})
    except cbor.CborError:
        return
    try:
        parsed = profile.parse(encoded)
    except profile.ProfileError as error:
        assert isinstance(error.reason, str)
    else:
        assert profile.encode(parsed) == encoded


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_but_profile_error(source):
    try:
        profile.parse(source)
    except profile.ProfileError as error:
        assert isinstance(error.reason, str)
