# SPDX-License-Identifier: MIT
"""What an ATECC608B's commands do to its memory and volatile state, and which it refuses.

Modelled: Info, Read, Write, Lock, Random, Nonce (pass-through), GenKey, Sign (external), Verify
(external), Counter, with the permissions of SlotConfig and KeyConfig. A mode that exists but is
not modelled raises NotModelled: no driver may lean on it. Stricter than the real chip
may be: GenKey and Sign want both zones locked, and a signature uses TempKey up.
"""

from . import atecc608b_curve as curve
from . import atecc608b_memory as memory

SUCCESS, MISCOMPARE, PARSE_ERROR, ECC_FAULT, EXECUTION_ERROR = 0x00, 0x01, 0x03, 0x05, 0x0F

READ, WRITE, NONCE, LOCK, RANDOM = 0x02, 0x12, 0x16, 0x17, 0x1B
COUNTER, INFO, GENKEY, SIGN, VERIFY = 0x24, 0x30, 0x40, 0x41, 0x45
# Execution in ms, at the fastest clock divider; the published maxima.
EXECUTION_MS = {READ: 5, WRITE: 45, NONCE: 20, LOCK: 35, RANDOM: 23}
EXECUTION_MS.update({COUNTER: 25, INFO: 5, GENKEY: 115, SIGN: 115, VERIFY: 105})

_PRIVATE, _PUBLIC_INFO, _LOCKABLE, _REQUIRES_AUTH = 0x0001, 0x0002, 0x0020, 0x0080
_TYPE_MASK, _TYPE_P256 = 0x001C, 4 << 2
_SIGNS_EXTERNAL, _IS_SECRET, _GENKEY_WRITES = 0x0001, 0x0080, 0x2000
_WRITE_MASK = 0xF000
_COUNTER_MAX = 2_097_151
# Words of the configuration zone that Write may change while it is unlocked.
_WRITABLE_WORDS = set(range(4, 21)) | set(range(22, 32))


class NotModelled(Exception):
    """A command or mode of the real chip that no driver here may lean on."""


class Refused(Exception):
    """The command ends with an error status: (status,)."""


class Commands:
    """Executes commands. *memory_*: the EEPROM. *random(size)*: the chip's generator.

    *program(store, new)* writes *new* over the EEPROM bytes *store*; tests tear it.
    """

    def __init__(self, memory_, random, program):
        self.memory = memory_
        self._random = random
        self._program = program
        self._temp_key = None  # lost in sleep
        self._table = {
            READ: self._read,
            WRITE: self._write,
            NONCE: self._nonce,
            LOCK: self._lock,
            RANDOM: self._random_bytes,
            COUNTER: self._counter,
            INFO: self._info,
            GENKEY: self._generate_key,
            SIGN: self._sign,
            VERIFY: self._verify,
        }

    def forget(self) -> None:
        """Sleep: the volatile state is gone."""
        self._temp_key = None

    def execute(self, opcode: int, mode: int, param: int, content: bytes) -> bytes:
        """The answer's bytes: a result, or one byte of status."""
        try:
            if opcode not in self._table:
                raise Refused(PARSE_ERROR)
            return self._table[opcode](mode, param, content)
        except Refused as e:
            return bytes((e.args[0],))

    # ---- the chip and its zones

    def _info(self, mode, param, content):
        if mode != 0:
            raise NotModelled("Info mode %d" % mode)
        return bytes(self.memory.config[4:8])

    def _random_bytes(self, mode, param, content):
        if not self.memory.is_config_locked:
            return b"\xff\xff\x00\x00" * 8
        return self._random(32)

    def _read(self, mode, address, content):
        size = 32 if mode & 0x80 else 4
        zone = mode & 3
        if zone == 0:
            start = (address >> 3 & 3) * 32 + (0 if size == 32 else (address & 7) * 4)
            return bytes(self.memory.config[start : start + size])
        if zone != 2:
            raise NotModelled("Read zone %d" % zone)
        slot, start = self._place(address)
        is_secret = self.memory.slot_config(slot) & _IS_SECRET
        if not self.memory.is_data_locked or is_secret or self._is_private(slot):
            raise Refused(EXECUTION_ERROR)
        return self._within(slot, start, size)

    def _place(self, address):
        slot = address >> 3 & 15
        return slot, (address >> 8 & 15) * 32 + (address & 7) * 4

    def _within(self, slot, start, size):
        stored = self.memory.slot(slot)
        if start + size > len(stored):
            raise Refused(PARSE_ERROR)
        return bytes(stored[start : start + size])

    def _write(self, mode, address, content):
        size = 32 if mode & 0x80 else 4
        if len(content) != size:
            raise Refused(PARSE_ERROR)
        if mode & 3 == 0:
            self._write_config(address, content)
        elif mode & 3 == 2:
            self._write_slot(address, content)
        else:
            raise NotModelled("Write zone %d" % (mode & 3))
        return bytes((SUCCESS,))

    def _write_config(self, address, content):
        first = (address >> 3 & 3) * 8 + (address & 7 if len(content) == 4 else 0)
        words = range(first, first + len(content) // 4)
        if self.memory.is_config_locked or not all(word in _WRITABLE_WORDS for word in words):
            raise Refused(EXECUTION_ERROR)
        self._program(self.memory.config[4 * first : 4 * first + len(content)], content)

    def _write_slot(self, address, content):
        slot, start = self._place(address)
        if not self.memory.is_config_locked or self._is_private(slot):
            raise Refused(EXECUTION_ERROR)
        is_closed = self.memory.is_data_locked and self.memory.slot_config(slot) & _WRITE_MASK
        if is_closed or self.memory.is_slot_locked(slot):
            raise Refused(EXECUTION_ERROR)
        self._within(slot, start, len(content))
        self._program(self.memory.slot(slot)[start : start + len(content)], content)

    def _lock(self, mode, checksum, content):
        config = self.memory.config
        zone = mode & 3
        if zone == 2:
            slot = mode >> 2 & 15
            if not self.memory.key_config(slot) & _LOCKABLE or self.memory.is_slot_locked(slot):
                raise Refused(EXECUTION_ERROR)
            at = memory.SLOT_LOCKED + slot // 8
            self._program(config[at : at + 1], bytes((config[at] & ~(1 << slot % 8),)))
            return bytes((SUCCESS,))
        if zone == 1 and not mode & 0x80:
            raise NotModelled("Lock of the data zone with a checksum")
        at = memory.LOCK_VALUE if zone else memory.LOCK_CONFIG
        is_due = self.memory.is_config_locked == bool(zone) and config[at] == memory.UNLOCKED
        if not is_due or not (mode & 0x80 or checksum == crc16(config)):
            raise Refused(EXECUTION_ERROR)
        self._program(config[at : at + 1], bytes((memory.LOCKED,)))
        return bytes((SUCCESS,))

    def _counter(self, mode, number, content):
        if number > 1 or mode > 1:
            raise Refused(PARSE_ERROR)
        count = self.memory.counter(number)
        if mode == 1:
            if count >= _COUNTER_MAX:
                raise Refused(EXECUTION_ERROR)
            count = self.memory.counter(number, count + 1)
        return count.to_bytes(4, "little")

    # ---- keys

    def _is_private(self, slot):
        return self.memory.key_config(slot) & _PRIVATE

    def _needs_key(self, slot):
        """Refuses a slot that is not for a P-256 key, or one that wants authorisation."""
        if slot >= memory.SLOT_COUNT:
            raise Refused(PARSE_ERROR)
        settings = self.memory.key_config(slot)
        is_p256 = settings & _PRIVATE and settings & _TYPE_MASK == _TYPE_P256
        is_ready = self.memory.is_config_locked and self.memory.is_data_locked
        if not is_ready or not is_p256 or settings & _REQUIRES_AUTH:
            raise Refused(EXECUTION_ERROR)

    def _secret(self, slot):
        secret = int.from_bytes(bytes(self.memory.slot(slot)[4:]), "big")
        if not 0 < secret < curve.ORDER:
            raise Refused(ECC_FAULT)
        return secret

    def _generate_key(self, mode, slot, content):
        if mode not in (0x00, 0x04):
            raise NotModelled("GenKey mode 0x%02x" % mode)
        self._needs_key(slot)
        if mode == 0x04:
            may_write = self.memory.slot_config(slot) & _GENKEY_WRITES
            if not may_write or self.memory.is_slot_locked(slot):
                raise Refused(EXECUTION_ERROR)
            secret = 1 + int.from_bytes(self._random(32), "big") % (curve.ORDER - 1)
            self._program(self.memory.slot(slot)[4:], secret.to_bytes(32, "big"))
        elif not self.memory.key_config(slot) & _PUBLIC_INFO:
            raise Refused(EXECUTION_ERROR)
        x, y = curve.multiply(self._secret(slot), curve.BASE)
        return x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def _nonce(self, mode, param, content):
        if mode != 0x03:
            raise NotModelled("Nonce mode 0x%02x" % mode)
        if len(content) != 32:
            raise Refused(PARSE_ERROR)
        self._temp_key = bytes(content)
        return bytes((SUCCESS,))

    def _take_digest(self):
        if self._temp_key is None:
            raise Refused(EXECUTION_ERROR)
        digest, self._temp_key = int.from_bytes(self._temp_key, "big"), None
        return digest

    def _sign(self, mode, slot, content):
        if mode != 0x80:
            raise NotModelled("Sign mode 0x%02x" % mode)
        self._needs_key(slot)
        if not self.memory.slot_config(slot) & _SIGNS_EXTERNAL:
            raise Refused(EXECUTION_ERROR)
        digest, secret = self._take_digest(), self._secret(slot)
        signature = None
        while signature is None:
            nonce = int.from_bytes(self._random(32), "big") % curve.ORDER
            signature = curve.sign(secret, digest, nonce) if nonce else None
        return signature[0].to_bytes(32, "big") + signature[1].to_bytes(32, "big")

    def _verify(self, mode, key_type, content):
        if mode != 0x02 or key_type != 4:
            raise NotModelled("Verify mode 0x%02x" % mode)
        if len(content) != 128:
            raise Refused(PARSE_ERROR)
        r, s, x, y = (int.from_bytes(content[i : i + 32], "big") for i in range(0, 128, 32))
        is_good = curve.verify((x, y), self._take_digest(), r, s)
        return bytes((SUCCESS if is_good else MISCOMPARE,))


def crc16(content) -> int:
    """The chip's CRC: polynomial 0x8005 from 0, bits of a byte lowest first."""
    crc = 0
    for byte in content:
        for i in range(8):
            crc = (crc << 1 ^ (0x8005 if (crc >> 15 ^ byte >> i) & 1 else 0)) & 0xFFFF
    return crc
