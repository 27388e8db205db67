# SPDX-License-Identifier: MIT
"""What the tag says to everybody: two kinds of advert, as plain bytes of at most 31.

    private (a trip is open)   flags, service UUID | name ST-xxxxxx, 8-byte id
    open (in the depot)        flags, BTHome v2    | service UUID, name

A private advert carries no value. Its id comes from the visit key in an order of this
boot's own, so only a ticket holder, who can compute all 256, knows which tag it is. An
open advert shows live values to any BTHome receiver. Sources: Bluetooth Core Supplement
part A section 1; bthome.io, format version 2 (objects in ascending order of their id).
"""

from collections import namedtuple

from micropython import const

from sealwire import access
from sealwire.protocol import ADVERT_ID_COUNT, ADVERT_ID_MS, COMPANY_ID, SERVICE_UUID

SIZE_MAX = const(31)

_FLAGS = b"\x02\x01\x06"  # general discoverable, BR/EDR not supported
_UUID_128 = const(0x07)
_NAME = const(0x09)
_SERVICE_DATA_16 = const(0x16)
_MANUFACTURER = const(0xFF)

_BTHOME = b"\xd2\xfc\x40"  # UUID FCD2; version 2, not encrypted, regular updates
_BATTERY = const(0x01)  # uint8, %
_TEMPERATURE = const(0x02)  # sint16, 0.01 degC: -327.68 to 327.67
_OPENING = const(0x11)
_MOVING = const(0x22)
_PROBLEM = const(0x26)
_TEMP_MAX_CENTI_C = const(32_767)

# What a receiver in the depot may see. None: the probe is in fault, no battery is measured.
Live = namedtuple(
    "Live", ("temp_centi_c", "battery_pct", "is_lid_open", "is_moving", "has_problem")
)


def private_advert(identifier: bytes) -> tuple:
    """(advert, scan response) of a tag on a trip; *identifier* 8 bytes."""
    name = access.advert_name(identifier)
    response = _field(_NAME, name.encode())
    response += _field(_MANUFACTURER, COMPANY_ID.to_bytes(2, "little") + identifier)
    return _FLAGS + _service_field(), response


def open_advert(live: Live, name: str) -> tuple:
    """(advert, scan response) of a tag in the depot, with its values."""
    objects = _BTHOME
    if live.battery_pct is not None:
        objects += bytes((_BATTERY, live.battery_pct))
    if live.temp_centi_c is not None:
        centi_c = min(_TEMP_MAX_CENTI_C, max(-_TEMP_MAX_CENTI_C, live.temp_centi_c))
        objects += bytes((_TEMPERATURE,)) + (centi_c & 0xFFFF).to_bytes(2, "little")
    for number, is_on in (
        (_OPENING, live.is_lid_open),
        (_MOVING, live.is_moving),
        (_PROBLEM, live.has_problem),
    ):
        objects += bytes((number, 1 if is_on else 0))
    response = _service_field() + _field(_NAME, name.encode())
    return _FLAGS + _field(_SERVICE_DATA_16, objects), response


def _service_field() -> bytes:
    # A UUID travels with its last byte first.
    number = int(SERVICE_UUID.replace("-", ""), 16)
    return _field(_UUID_128, number.to_bytes(16, "little"))


def _field(kind: int, content: bytes) -> bytes:
    return bytes((len(content) + 1, kind)) + content


class AdvertIds:
    """The id of the hour. *admission* gives the visit key, which a raised floor changes."""

    def __init__(self, admission, random, uptime):
        self._admission = admission
        self._random = random
        self._uptime = uptime
        self._order = None  # a permutation of 0..255, drawn at the first use
        self._place = 0
        self._since_ms = 0

    def current(self) -> bytes:
        """The 8-byte id to advertise now; a new one every 15 minutes and at boot."""
        now_ms = self._uptime.now_ms()
        if self._order is None:
            self._order = self._draw_order()
            self._since_ms = now_ms
        elif now_ms - self._since_ms >= ADVERT_ID_MS:
            self._place = (self._place + 1) % ADVERT_ID_COUNT
            self._since_ms = now_ms
        return access.advert_id(self._admission.visit, self._order[self._place])

    def left_ms(self) -> int:
        """Milliseconds until the current id has lived its time; at least 1."""
        return max(1, self._since_ms + ADVERT_ID_MS - self._uptime.now_ms())

    def _draw_order(self) -> bytearray:
        """Shuffles 0..255 (Fisher-Yates). The tiny bias of the remainder tells nobody anything."""
        order = bytearray(range(ADVERT_ID_COUNT))
        draws = self._random(2 * ADVERT_ID_COUNT)
        for index in range(ADVERT_ID_COUNT - 1, 0, -1):
            other = int.from_bytes(draws[2 * index : 2 * index + 2], "big") % (index + 1)
            order[index], order[other] = order[other], order[index]
        return order
