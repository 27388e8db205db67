# SPDX-License-Identifier: MIT
"""Configures and locks a blank ATECC608B, once and for ever; by hand, at the prompt of a tag.

    from tag import board, chipsetup
    chipsetup.configure(board.open_board().secure_element_at, "LOCK FOR EVER")

Not needed for a part that comes configured (Trust&GO). docs/secure-element.md lists every byte
and says why. The chip compares the CRC of its whole configuration zone before it locks it, so
what is locked is what is written here. A cut before that leaves a chip that can be configured
anew, a cut after it one that only the data zone has to be locked of: call again.
"""

from micropython import const

from ..drivers.atecc608 import ChipError, crc16
from .chipkeys import config_fault

CONSENT = "LOCK FOR EVER"

_WRITE = const(0x12)
_LOCK = const(0x17)
_LOCK_CONFIG = const(0x00)  # with the CRC of the zone
_LOCK_DATA_UNCHECKED = const(0x81)  # its content is secret, so its CRC is unknown
_LOCK_VALUE_AT = const(86)
_LOCK_CONFIG_AT = const(87)
_ADDRESS = const(53)  # as Trust&GO parts
_BLANK_ADDRESS = const(96)
_ADDRESS_WORD = const(4)
_SLOT_CONFIG_WORD = const(5)
_KEY_CONFIG_WORD = const(24)
# SlotConfig: signs external digests; secret; GenKey writes, nothing else does.
_SIGNING_SLOT = b"\x81\x20"
# KeyConfig: P-256 private key, public half given; not lockable, no authorisation.
_SIGNING_KEY = b"\x13\x00"
_CLOSED_SLOT = b"\x80\x80"  # secret, never written
_NO_KEY = b"\x1c\x00"
_SIGNING_SLOTS = (2, 3)
_SLOT_COUNT = const(16)


class SetupError(Exception):
    """Nothing was locked, or the chip cannot be used: (reason,)."""


def configured(config: bytes) -> bytes:
    """The 128 bytes *config*, read from a blank chip, with our settings in place."""
    wanted = bytearray(config)
    wanted[4 * _ADDRESS_WORD] = _ADDRESS << 1
    wanted[17] = wanted[18] = wanted[19] = 0  # no counted keys; fastest clock, 1.3 s watchdog
    for slot in range(_SLOT_COUNT):
        is_ours = slot in _SIGNING_SLOTS
        slot_at = 4 * _SLOT_CONFIG_WORD + 2 * slot
        key_at = 4 * _KEY_CONFIG_WORD + 2 * slot
        wanted[slot_at : slot_at + 2] = _SIGNING_SLOT if is_ours else _CLOSED_SLOT
        wanted[key_at : key_at + 2] = _SIGNING_KEY if is_ours else _NO_KEY
    return bytes(wanted)


def configure(open_chip, consent: str) -> None:
    """Writes the configuration, locks both zones, and checks the result.

    *open_chip(address)*: an ATECC608 at that address. *consent*: CONSENT, because nothing of
    this can be undone. Raises SetupError, ChipError.
    """
    if consent != CONSENT:
        raise SetupError('say "%s"' % CONSENT)
    chip = _find(open_chip)
    config = chip.config()
    if config[_LOCK_CONFIG_AT]:
        _write_and_lock(chip, config)
    chip = open_chip(_ADDRESS)
    if chip.config()[_LOCK_VALUE_AT]:
        chip.awake(lambda: chip.command(_LOCK, _LOCK_DATA_UNCHECKED, 0, b"", 1))
    fault = config_fault(chip.config())
    if fault:
        raise SetupError(fault)


def _find(open_chip):
    """The chip at our address, where a cut may have left it, or at a blank one's."""
    chip = open_chip(_ADDRESS)
    try:
        chip.revision()
        return chip
    except ChipError:
        return open_chip(_BLANK_ADDRESS)


def _write_and_lock(chip, config):
    wanted = configured(config)
    for word in range(len(wanted) // 4):
        if word != _ADDRESS_WORD:
            _write_word(chip, word, config, wanted)
    written = bytearray(chip.config())
    address = wanted[4 * _ADDRESS_WORD : 4 * _ADDRESS_WORD + 4]
    written[4 * _ADDRESS_WORD : 4 * _ADDRESS_WORD + 4] = address
    if written != wanted:
        raise SetupError("configuration not written: nothing is locked")
    checksum = crc16(wanted, 0, len(wanted))

    def finish():
        # A new address is in force after the next sleep: both in one wake.
        chip.command(_WRITE, 0, _ADDRESS_WORD, address, 1)
        # A cut here: an unlocked chip at our address. After the next line: locked for ever.
        chip.command(_LOCK, _LOCK_CONFIG, checksum, b"", 1)

    chip.awake(finish)


def _write_word(chip, word, config, wanted):
    content = wanted[4 * word : 4 * word + 4]
    if content != config[4 * word : 4 * word + 4]:
        chip.awake(lambda: chip.command(_WRITE, 0, word, content, 1))
