# SPDX-License-Identifier: MIT
"""Arming a trip when flash fails in the middle: the same request may come again."""

import pytest

from sealwire import cbor, labels, profile
from tag.recording.sealer import payload_of
from tag.recording.trip import Trip
from tag.store.ringlog import RingFull
from tests.fakes.tagparts import TagParts

RULES = profile.encode(profile.build("test", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))
REQUEST = cbor.encode({1: 7, 2: bytes(32), 3: RULES})
OTHER = cbor.encode({1: 7, 2: b"\x01" * 32, 3: RULES})


def begun_but_not_kept() -> tuple[TagParts, Trip]:
    """A tag whose log failed at the event of the trip, after the stage was stored."""
    parts = TagParts()
    recorder = parts.recorder
    recorder.begin(1, "0.1.0")
    recorder.open_boot()
    recorder.seal_open_block()
    trip = Trip(parts.storage.state, recorder)

    def broken(number, operation):
        raise OSError(5)

    parts.log.before_op = broken
    with pytest.raises(RingFull):
        trip.start(REQUEST)
    parts.log.before_op = None
    return parts, trip


def trip_events(parts: TagParts) -> int:
    found = 0
    for seq in range(parts.recorder.head()[0] + 1):
        fields = payload_of(parts.recorder.records.read(seq))
        found += sum(event[1] == labels.EVENT_TRIP for event in fields.get(labels.EVENTS, ()))
    return found


def test_a_start_whose_event_was_not_kept_may_be_asked_for_again():
    parts, trip = begun_but_not_kept()
    assert not trip.is_open and trip.is_begun(REQUEST) and not trip.is_begun(OTHER)
    trip.start(REQUEST)
    assert trip.is_open and not trip.is_begun(REQUEST)
    assert parts.recorder.has_event(labels.EVENT_TRIP, 0)
    assert trip_events(parts) == 1


def test_a_boot_completes_such_a_start_also_if_flash_fails_once_more():
    parts, _ = begun_but_not_kept()
    recorder = parts.reboot()
    recorder.begin(1, "0.1.0")
    recorder.open_boot()
    recorder.seal_open_block()
    trip = Trip(parts.storage.state, recorder)

    def broken(number, operation):
        raise OSError(5)

    parts.log.before_op = broken
    trip.resume()  # the log goes on
    parts.log.before_op = None
    assert trip.is_open and trip.number == 7
    trip.resume()
    assert trip_events(parts) == 1
