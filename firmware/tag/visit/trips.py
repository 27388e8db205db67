# SPDX-License-Identifier: MIT
"""Commands of the trip: TRIP, TRIP_END."""

from sealwire import cbor, profile
from sealwire.protocol import BAD_FORM, BAD_STATE, OK


class Trips:
    """Every command: (args, who) -> (code, content)."""

    def __init__(self, trip):
        self._trip = trip

    def start(self, args, who) -> tuple:
        """TRIP: number, commitment, profile. Raises CborError, ProfileError."""
        request = cbor.decode(args)
        if not isinstance(request, dict) or set(request) != {1, 2, 3}:
            return BAD_FORM, b""
        number, commitment, rules = request[1], request[2], request[3]
        if not isinstance(number, int) or not 0 < number <= 0xFFFFFFFF:
            return BAD_FORM, b""
        if not isinstance(commitment, bytes) or len(commitment) != 32:
            return BAD_FORM, b""
        if not isinstance(rules, bytes):
            return BAD_FORM, b""
        profile.parse(rules)
        args = bytes(args)
        is_new = number > self._trip.number or self._trip.is_begun(args)
        if self._trip.is_open or not is_new:
            return BAD_STATE, b""  # T8: trip numbers only rise
        self._trip.start(args)
        return OK, b""

    def end(self, args, who) -> tuple:
        """TRIP_END: needs no sure clock."""
        if args:
            return BAD_FORM, b""
        if not self._trip.is_open:
            return BAD_STATE, b""
        self._trip.end()
        return OK, b""
