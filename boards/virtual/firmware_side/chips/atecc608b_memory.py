# SPDX-License-Identifier: MIT
"""What an ATECC608B keeps without power: configuration, 16 slots, counters; in one file.

Two chips out of the box: `blank` (nothing locked) and `locked` (as Microchip's Trust&GO part
comes: both zones locked, a key in each of slots 0 to 4). The configuration bytes of either are
published ones (docs/secure-element.md says where from). Not modelled: the OTP zone, and how
the counters are coded in the configuration zone.
"""

CONFIG_SIZE = 128
SLOT_COUNT = 16
PRIVATE_SLOT_SIZE = 36  # four bytes of padding, then the scalar
_SLOT_SIZES = (PRIVATE_SLOT_SIZE,) * 8 + (416,) + (72,) * 7
_COUNTERS_AT = CONFIG_SIZE + sum(_SLOT_SIZES)
SIZE = _COUNTERS_AT + 8

I2C_ADDRESS, SLOT_CONFIG = 16, 20
_USER_EXTRA_ADDRESS = 85
LOCK_VALUE, LOCK_CONFIG, SLOT_LOCKED = 86, 87, 88
KEY_CONFIG = 96
LOCKED, UNLOCKED = 0x00, 0x55

_REVISION = b"\x00\x00\x60\x03"
_LOCKED_FROM_16 = (
    "6a000001 85008200 85208520 8520c646 8f0f9f8f 0f0f8f0f 0f0f0f0f 0f0f0f0f 0d1f0f0f"
    "ffffffff 00000000 ffffffff 00000000 000003f7 00697600 00000000 00000000 00000000"
    "ffff0e60 00000000 53005300 73007300 73003800 7c001c00 3c001a00 3c003000 3c003000 12003000"
)
_BLANK_FROM_16 = (
    "c0000000 83208720 8f20c48f 8f8f8f8f 9f8faf8f 00000000 00000000 00000000 0000af8f"
    "ffffffff 00000000 ffffffff 00000000 00000000 00000000 00000000 00000000 00005555"
    "ffff0000 00000000 33003300 33001c00 1c001c00 1c001c00 3c003c00 3c003c00 3c003c00 3c001c00"
)


def _factory(from_16, serial):
    image = bytearray(SIZE)
    head = b"\x01\x23" + serial[:2] + _REVISION + serial[2:6] + b"\xee\x01\x51\x00"
    image[:CONFIG_SIZE] = head + bytes.fromhex(from_16.replace(" ", ""))
    return image


def blank(serial: bytes) -> bytearray:
    """The image of a chip that nobody has configured; *serial*: six bytes of its own."""
    return _factory(_BLANK_FROM_16, serial)


def locked(serial: bytes, random) -> bytearray:
    """The image of a pre-configured chip. *random(size)* gives its keys."""
    image = _factory(_LOCKED_FROM_16, serial)
    for slot in range(5):
        start = CONFIG_SIZE + slot * PRIVATE_SLOT_SIZE
        image[start + 4 : start + PRIVATE_SLOT_SIZE] = random(32)
    return image


class Memory:
    """The EEPROM of one chip. *file*: open for reading and writing, or None for RAM only."""

    def __init__(self, image: bytearray, file=None):
        self._image = image
        self._file = file
        view = memoryview(image)
        self.config = view[:CONFIG_SIZE]
        self._slots = []
        start = CONFIG_SIZE
        for size in _SLOT_SIZES:
            self._slots.append(view[start : start + size])
            start += size
        self.save()

    def slot(self, number: int):
        """The content of a slot, writable."""
        return self._slots[number]

    def save(self) -> None:
        """Whole again in the file: what is saved survives."""
        if self._file is not None:
            self._file.seek(0)
            self._file.write(self._image)
            self._file.flush()

    def slot_config(self, number: int) -> int:
        return _word(self.config, SLOT_CONFIG + 2 * number)

    def key_config(self, number: int) -> int:
        return _word(self.config, KEY_CONFIG + 2 * number)

    @property
    def is_config_locked(self) -> bool:
        return self.config[LOCK_CONFIG] == LOCKED

    @property
    def is_data_locked(self) -> bool:
        return self.config[LOCK_VALUE] == LOCKED

    def is_slot_locked(self, number: int) -> bool:
        return not _word(self.config, SLOT_LOCKED) >> number & 1

    @property
    def address(self) -> int:
        """The seven bits it answers to."""
        other = self.config[_USER_EXTRA_ADDRESS] if self.config[19] & 1 else 0
        return (other or self.config[I2C_ADDRESS]) >> 1

    def counter(self, number: int, count=None) -> int:
        """A monotonic counter, after setting it to *count* if that is given."""
        start = _COUNTERS_AT + 4 * number
        if count is not None:
            self._image[start : start + 4] = count.to_bytes(4, "little")
            self.save()
        return int.from_bytes(self._image[start : start + 4], "little")


def _word(content, at):
    return content[at] | content[at + 1] << 8
