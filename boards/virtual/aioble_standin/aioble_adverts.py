# SPDX-License-Identifier: MIT
"""Advertising fields of the aioble stand-in; Core Specification Supplement, Part A."""

import struct

from micropython import const

_FIELDS_SIZE_MAX = const(30)  # as aioble has it; the air would carry 31
_FLAGS_FIELD = const(0x01)
_NAME_FIELD = const(0x09)
_APPEARANCE_FIELD = const(0x19)
_MANUFACTURER_FIELD = const(0xFF)
_SERVICE_FIELDS = ((2, 0x03), (4, 0x05), (16, 0x07))  # UUID size, complete list


def _add_field(advert, response, kind, value):
    """Appends a field to *advert*, else to *response*. ValueError when both are full."""
    value = bytes(value)
    for fields in (advert, response):
        if len(fields) + len(value) + 2 <= _FIELDS_SIZE_MAX:
            fields.extend(struct.pack("BB", len(value) + 1, kind) + value)
            return
    raise ValueError("advert and scan response are full")


def build_adverts(limited_disc, br_edr, name, services, appearance, manufacturer):
    """Returns (advertising data, scan response); what does not fit the first goes to the other."""
    advert, response = bytearray(), bytearray()
    flags = (1 if limited_disc else 2) | (0x18 if br_edr else 4)
    _add_field(advert, response, _FLAGS_FIELD, bytes((flags,)))
    for size, kind in _SERVICE_FIELDS:
        uuids = b"".join(bytes(u) for u in services or () if len(bytes(u)) == size)
        if uuids:
            _add_field(advert, response, kind, uuids)
    if name:
        _add_field(advert, response, _NAME_FIELD, name.encode() if isinstance(name, str) else name)
    if appearance:
        _add_field(advert, response, _APPEARANCE_FIELD, struct.pack("<H", appearance))
    if manufacturer:
        value = struct.pack("<H", manufacturer[0]) + manufacturer[1]
        _add_field(advert, response, _MANUFACTURER_FIELD, value)
    return advert, response
