# SPDX-License-Identifier: MIT
"""Commands of the keys that sign: ROLL (the tag's own), FLEET_NEXT (the fleet's)."""

from sealwire.protocol import BAD_FORM, BAD_STATE, OK


class SigningKeys:
    """Every command: (args, who) -> (code, content)."""

    def __init__(self, key_roll, fleet_key, recorder):
        self._key_roll = key_roll
        self._fleet_key = fleet_key
        self._recorder = recorder

    def roll(self, args, who) -> tuple:
        """ROLL: a new epoch now (K1)."""
        if args:
            return BAD_FORM, b""
        if not self._key_roll.roll():
            return BAD_STATE, b""
        return OK, self._recorder.head()[0].to_bytes(4, "big")

    def fleet_next(self, args, who) -> tuple:
        """FLEET_NEXT: the key whose hash is held (K6). Raises RecordError, RingFull."""
        return self._fleet_key.take(args), b""
