# SPDX-License-Identifier: MIT
"""What each event's data must be (record format, section 4.7): one row an event."""

from collections.abc import Callable

from sealtrail.evidence.refusal import Refusal

Check = Callable[[object], bool]


def _unsigned(maximum: int | None = None) -> Check:
    return lambda v: type(v) is int and v >= 0 and (maximum is None or v <= maximum)


def _text(size_max: int) -> Check:
    return lambda v: isinstance(v, str) and len(v.encode()) <= size_max


def _octets(low: int, high: int) -> Check:
    return lambda v: isinstance(v, bytes) and low <= len(v) <= high


def _integer(value: object) -> bool:
    return type(value) is int


U = _unsigned()


def _tickets(value: object) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(map(U, value))


_HOLDER = _octets(8, 8)
_STATEMENT = _octets(1, 480)
# A tuple: the members of the data array. None: no data.
_SHAPES: dict[int, tuple[Check, ...] | str | None] = {
    1: (U, _text(32)),
    2: None,
    3: (U,),
    4: (U, _unsigned(2), U),
    5: (U,),
    6: (U, U),
    7: (U, U, _integer),
    8: (U, U, _integer, U, _unsigned(2)),
    9: (U, U, U),
    10: (U, U),
    11: (U, U),
    12: (U,),
    13: (U,),
    14: (U,),
    15: (U, _text(48)),
    16: (_unsigned(1000),),
    17: (U,),
    30: "trip",
    31: (_octets(8, 8),),
    32: (U,),
    33: (U,),
    34: (_octets(8, 8),),
    35: (U, _octets(32, 32)),
    36: (U, _octets(32, 32)),
    37: None,
    40: (U, _HOLDER, U, U),
    41: (U, _HOLDER, _STATEMENT),
    42: (U, _HOLDER, _STATEMENT),
    43: (U, _integer, U),
    44: (U,),
    45: (U,),
    46: (U, U, _tickets),
    47: (U, U, U),
    48: (U, _HOLDER, U, U, U, U),
    49: (U, _HOLDER),
    50: (_octets(8, 8), U, _HOLDER),
}
_TRIP = {1: U, 2: _octets(32, 32), 3: _octets(1, 480)}


def judge_event(code: int, content: object, has_content: bool) -> None:
    """Raises Refusal R4 where *content* is not what *code* carries."""
    if code not in _SHAPES:
        raise Refusal("R4", "unknown event code", str(code))
    shape = _SHAPES[code]
    if shape is None:
        holds = not has_content
    elif isinstance(shape, str):
        holds = (
            isinstance(content, dict)
            and set(content) == set(_TRIP)
            and all(check(content[key]) for key, check in _TRIP.items())
        )
    else:
        holds = (
            isinstance(content, list)
            and len(content) == len(shape)
            and all(check(member) for check, member in zip(shape, content, strict=True))
        )
    if not holds:
        raise Refusal("R4", "event data malformed", f"event {code}")
