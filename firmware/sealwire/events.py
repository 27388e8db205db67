# SPDX-License-Identifier: MIT
"""What each event carries, as one table (docs/record-format.md, "Events").

Shapes are words joined by spaces, one for each member of the data array:

    u       unsigned integer        u2      0 to 2
    i       integer                 t32     text of at most 32 bytes
    b8      byte string of 8 bytes  b-480   byte string of 1 to 480 bytes
    l8      array of at most 8 unsigned integers

None: the event has no data.
"""

from . import labels

TRIP_MAP = "trip"  # {1: trip number, 2: commitment of 32 bytes, 3: profile}

UNKNOWN_CODE = "unknown event code"
DATA_MALFORMED = "event data malformed"

SHAPES = {
    labels.EVENT_BOOT: "u t32",
    labels.EVENT_LID_OPEN: None,
    labels.EVENT_LID_CLOSED: "u",
    labels.EVENT_SHOCK: "u u2 u",
    labels.EVENT_TILT_START: "u",
    labels.EVENT_TILT_END: "u u",
    labels.EVENT_ALARM_START: "u u i",
    labels.EVENT_ALARM_END: "u u i u u2",
    labels.EVENT_PROBE_FAULT: "u u u",
    labels.EVENT_PROBE_OK: "u u",
    labels.EVENT_GAP: "u u",
    labels.EVENT_BATTERY_LOW: "u",
    labels.EVENT_LOG_FULL: "u",
    labels.EVENT_SELF_TEST: "u",
    labels.EVENT_DEVICE_FAULT: "u t48",
    labels.EVENT_LOG_FILLING: "u1000",
    labels.EVENT_RECORDS_LOST: "u",
    labels.EVENT_TRIP: TRIP_MAP,
    labels.EVENT_CONFIG: "b8",
    labels.EVENT_TRIP_END: "u",
    labels.EVENT_CLOCK_CONTRADICTION: "u",
    labels.EVENT_FLEET_KEY: "b8",
    labels.EVENT_RECEIPT_AHEAD: "u b32",
    labels.EVENT_RECEIPT_FORK: "u b32",
    labels.EVENT_CLOCK_RESET: None,
    labels.EVENT_SESSION: "u b8 u u",
    labels.EVENT_OFFER: "u b8 b-480",
    labels.EVENT_ACCEPT: "u b8 b-480",
    labels.EVENT_CLOCK_SET: "u i u",
    labels.EVENT_RECEIPT: "u",
    labels.EVENT_LOCK: "u",
    labels.EVENT_REVOCATION: "u u l8",
    labels.EVENT_COUNTS: "u u u",
    labels.EVENT_CLAIM: "u b8 u u u u",
    labels.EVENT_ALARM_ACK: "u b8",
    labels.EVENT_TIME_TOKEN: "b8 u b8",
}


def judge(code: int, data: object) -> str | None:
    """The reason why *data* (None: absent) is not what *code* carries, or None."""
    if code not in SHAPES:
        return UNKNOWN_CODE
    shape = SHAPES[code]
    if shape is None:
        return None if data is None else DATA_MALFORMED
    if shape == TRIP_MAP:
        return None if _is_trip(data) else DATA_MALFORMED
    words = shape.split(" ")
    if not isinstance(data, list) or len(data) != len(words):
        return DATA_MALFORMED
    for index, word in enumerate(words):
        if not _is(word, data[index]):
            return DATA_MALFORMED
    return None


def _is_trip(data: object) -> bool:
    return (
        isinstance(data, dict)
        and len(data) == 3
        and 1 in data
        and 2 in data
        and 3 in data
        and _is("u", data[1])
        and _is("b32", data[2])
        and _is("b-480", data[3])
    )


def _is(word: str, value: object) -> bool:
    what, size = word[0], word[1:]
    if what == "u":
        return isinstance(value, int) and value >= 0 and (not size or value <= int(size))
    if what == "i":
        return isinstance(value, int)
    if what == "t":
        return isinstance(value, str) and len(value.encode()) <= int(size)
    if what == "l":
        if not isinstance(value, list) or len(value) > int(size):
            return False
        return all(_is("u", member) for member in value)
    if not isinstance(value, bytes):
        return False
    if size.startswith("-"):
        return 1 <= len(value) <= int(size[1:])
    return len(value) == int(size)
