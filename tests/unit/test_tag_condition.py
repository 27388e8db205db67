# SPDX-License-Identifier: MIT
"""What a person is told of a tag's condition: one line, the gravest thing, never a value."""

import pytest

from sealtrail.commands.tag_condition import condition_fields, warning_of
from sealtrail.radio.visit import has_problem
from sealwire.access import FormError, Ready, pack_ready, parse_ready
from tag.visit import adverts

BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"


def ready(
    is_alarm: bool = False,
    is_filling: bool = False,
    is_refusing: bool = False,
    is_key_lost: bool = False,
) -> Ready:
    flags = is_alarm, is_filling, is_refusing, is_key_lost
    return Ready(0, True, 255, 0, 0, 41, bytes(32), *flags)


@pytest.mark.parametrize("is_alarm", [False, True])
@pytest.mark.parametrize("is_filling", [False, True])
@pytest.mark.parametrize("is_refusing", [False, True])
@pytest.mark.parametrize("is_key_lost", [False, True])
def test_ready_carries_its_flags_and_the_warning_names_the_gravest(
    is_alarm: bool, is_filling: bool, is_refusing: bool, is_key_lost: bool
):
    made = ready(is_alarm, is_filling, is_refusing, is_key_lost)
    assert parse_ready(pack_ready(made)) == made
    text = warning_of("ST-0001", made)
    if is_refusing:
        assert text is not None and "REFUSES READINGS" in text
    elif is_key_lost:
        assert text is not None and "LOST ITS KEY" in text
    elif is_alarm:
        assert text is not None and "ALARM" in text
    elif is_filling:
        assert text is not None and "80 %" in text
    else:
        assert text is None
    assert condition_fields(made) == {
        "is_alarm": is_alarm,
        "is_log_filling": is_filling,
        "is_refusing_readings": is_refusing,
        "is_key_lost": is_key_lost,
    }


def test_ready_without_flags_is_byte_for_byte_what_it_was():
    body = pack_ready(ready())
    assert body[:3] == b"\x00\x00\x01"
    with pytest.raises(FormError):
        parse_ready(body[:2] + b"\x20" + body[3:])


@pytest.mark.parametrize("problem", [False, True])
@pytest.mark.parametrize("temp_centi_c", [None, -19_000])
def test_a_scan_reads_the_problem_flag_of_a_real_open_advert(
    problem: bool, temp_centi_c: int | None
):
    live = adverts.Live(temp_centi_c, 80, True, False, problem)
    advert, _ = adverts.open_advert(live, "ST-abcdef")
    content = advert[advert.index(b"\xd2\xfc") + 2 :]
    assert has_problem({BTHOME: content}) is problem


@pytest.mark.parametrize("content", [b"", b"\x41\x26\x01", b"\x40\x99\x01", b"\x40\x01"])
def test_what_is_no_plain_advert_of_ours_tells_nothing(content: bytes):
    assert has_problem({BTHOME: content} if content else {}) is None
