# SPDX-License-Identifier: MIT
"""Microchip ATECC608 secure element (A or B, I2C): P-256 keys that never leave the chip.

Source: public pages of the ATECC608B-TNGTLS and -TNGLoRaWAN datasheets, "I2C interface" (wake,
sleep), "Command packets", "Status/error codes", "Device commands"; execution times and the
opcodes outside those pages as published with Microchip's CryptoAuthLib. docs/secure-element.md
says which statement rests on what.

The chip sleeps unless SDA was low for 60 us, and falls asleep 1.3 s after that, whatever it
does. So each operation wakes it, runs its commands and puts it back to sleep: other traffic on
a slow bus may have woken it at any time before. What a bus fault spoils is done again, from
the wake on, at most four times; the waits between outlast a command that was left running.
"""

import time

from micropython import const

_WORD_SLEEP = const(0x01)
_WORD_COMMAND = const(0x03)
_READ = const(0x02)
_NONCE = const(0x16)
_RANDOM = const(0x1B)
_COUNTER = const(0x24)
_INFO = const(0x30)
_GENKEY = const(0x40)
_SIGN = const(0x41)
_VERIFY = const(0x45)

_PASS_THROUGH = const(0x03)  # Nonce: TempKey becomes the 32 bytes sent
_READ_32 = const(0x80)
_NEW_KEY = const(0x04)  # GenKey: makes one; without the bit it derives the public key
_EXTERNAL = const(0x80)  # Sign: the digest in TempKey
_VERIFY_EXTERNAL = const(0x02)
_KEY_TYPE_P256 = const(4)

_STATUS_MISCOMPARE = const(0x01)
STATUS_ECC_FAULT = const(0x05)
STATUS_EXECUTION = const(0x0F)
_STATUS_AWAKE = const(0x11)  # the answer to a wake: the command was lost
_STATUS_WATCHDOG = const(0xEE)
_STATUS_GARBLED = const(0xFF)

_WAKE_MS = const(2)  # 1.5 ms at least after SDA rises
_TOKEN = b"\x04\x11\x33\x43"
_ZERO = b"\x00"
_EIO = const(5)
_PACKET_SIZE_MAX = const(137)
_ANSWER_SIZE_MAX = const(67)
# Longest execution in ms, at the slowest clock divider a configuration can choose.
_MAX_MS = {_READ: 5, _NONCE: 20, _RANDOM: 23, _COUNTER: 25, _INFO: 5}
_MAX_MS.update({_GENKEY: 653, _SIGN: 665, _VERIFY: 1085})
_OTHER_MAX_MS = const(50)  # Write, Lock
# Before the next attempt: a line disturbed, a command left running, the chip's watchdog.
_PAUSES_MS = (0, 20, 250, 1300)


class ChipError(OSError):
    """The chip is silent or not understood: (errno EIO, reason). Another time may be better."""


class ChipRefusal(ChipError):
    """The chip understood and answers with an error `.status` (STATUS_*)."""

    def __init__(self, status: int):
        super().__init__(_EIO, "secure element says 0x%02x" % status)
        self.status = status


class ATECC608:
    """One chip at *address* (7 bits) of *bus*, a machine.I2C of at most 100 kHz.

    *sleep_ms*: time.sleep_ms, or a test's clock. Every method raises ChipError.
    """

    def __init__(self, bus, address: int, sleep_ms=None):
        self._bus = bus
        self._address = address
        self._sleep_ms = sleep_ms or time.sleep_ms
        self._packet = bytearray(_PACKET_SIZE_MAX)
        self._answer = bytearray(_ANSWER_SIZE_MAX)
        self._token = bytearray(len(_TOKEN))
        self._word = bytearray(1)

    # ---- operations

    def revision(self) -> bytes:
        """Four bytes that name the chip: 00 00 60 02 (A) or 00 00 60 03 (B)."""
        return self.awake(lambda: self.command(_INFO, 0, 0, b"", 4))

    def config(self) -> bytes:
        """The 128 bytes of the configuration zone."""
        return self.awake(lambda: b"".join([self._config_block(i) for i in range(4)]))

    def _config_block(self, index):
        return self.command(_READ, _READ_32, index << 3, b"", 32)

    def random(self) -> bytes:
        """32 random bytes; FF FF 00 00 repeated while the configuration is unlocked."""
        return self.awake(lambda: self.command(_RANDOM, 0, 0, b"", 32))

    def generate_key(self, slot: int) -> bytes:
        """Makes a new key in *slot*, over the one that was there. Returns x and y, 64 bytes.

        Cut or failed: the slot holds the old key, the new one, or nothing usable.
        """
        return self.awake(lambda: self.command(_GENKEY, _NEW_KEY, slot, b"", 64))

    def public_key(self, slot: int) -> bytes:
        """x and y, 64 bytes, of the key in *slot*. Raises ChipRefusal if there is none."""
        return self.awake(lambda: self.command(_GENKEY, 0, slot, b"", 64))

    def sign(self, slot: int, digest: bytes) -> bytes:
        """r and s, 64 bytes, of the 32-byte *digest* by the key in *slot*; about 0.1 s."""
        return self.awake(lambda: self._sign(slot, digest))

    def _sign(self, slot, digest):
        # As CryptoAuthLib does: Random renews the seed that the signature's nonce comes from.
        self.command(_RANDOM, 0, 0, b"", 32)
        self.command(_NONCE, _PASS_THROUGH, 0, digest, 1)
        return self.command(_SIGN, _EXTERNAL, slot, b"", 64)

    def verify(self, public_key: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether *signature* (r, s) of *digest* holds under *public_key* (x, y)."""
        return self.awake(lambda: self._verify(public_key, digest, signature))

    def _verify(self, public_key, digest, signature):
        self.command(_NONCE, _PASS_THROUGH, 0, digest, 1)
        try:
            self.command(_VERIFY, _VERIFY_EXTERNAL, _KEY_TYPE_P256, signature + public_key, 1)
        except ChipRefusal as e:
            if e.status == _STATUS_MISCOMPARE:
                return False
            raise
        return True

    def counter(self, number: int, is_counting: bool = False) -> int:
        """The monotonic counter 0 or 1, 0 to 2,097,151; *is_counting* adds one before.

        A count whose answer was lost is repeated: it may rise by more than one.
        """
        mode = 1 if is_counting else 0
        value = self.awake(lambda: self.command(_COUNTER, mode, number, b"", 4))
        return int.from_bytes(value, "little")

    # ---- wake, command, sleep

    def awake(self, operation):
        """Runs *operation* with the chip awake, again after a fault; returns what it returns."""
        failure = None
        for pause_ms in _PAUSES_MS:
            self._sleep_ms(pause_ms)
            try:
                self._wake()
                return operation()
            except ChipRefusal as e:
                if e.status != STATUS_ECC_FAULT:
                    raise
                failure = e  # "retrying the command may result in a successful execution"
            except OSError as e:
                failure = e
            finally:
                self._put_to_sleep()
        if isinstance(failure, ChipError):
            raise failure
        raise ChipError(_EIO, "secure element silent, errno %s" % failure.args[0])

    def _wake(self):
        """Raises ChipError if the chip does not say that it has just woken.

        First it is put to sleep: one that other traffic has woken would say the same, with its
        watchdog about to end.
        """
        self._put_to_sleep()
        try:
            self._bus.writeto(0, _ZERO)  # SDA low for 80 us; nobody acknowledges
        except OSError:
            pass
        self._sleep_ms(_WAKE_MS)
        self._bus.readfrom_into(self._address, self._token)
        if self._token != _TOKEN:
            raise ChipError(_EIO, "secure element not understood")

    def _put_to_sleep(self):
        self._word[0] = _WORD_SLEEP
        try:
            self._bus.writeto(self._address, self._word)
        except OSError:
            pass  # busy or asleep: its watchdog does the same

    def command(self, opcode: int, param1: int, param2: int, content, answer_size: int) -> bytes:
        """Sends one command to the awake chip and waits for its answer of *answer_size* bytes.

        An answer of one byte is a status, and returned only if it is 0. Raises ChipRefusal.
        """
        packet = self._packet
        count = 7 + len(content)
        packet[0] = _WORD_COMMAND
        packet[1] = count
        packet[2] = opcode
        packet[3] = param1
        packet[4] = param2 & 0xFF
        packet[5] = param2 >> 8
        packet[6 : 6 + len(content)] = content
        checksum = crc16(packet, 1, count - 1)
        packet[count - 1] = checksum & 0xFF
        packet[count] = checksum >> 8
        self._bus.writeto(self._address, memoryview(packet)[: count + 1])
        answer = memoryview(self._answer)[: answer_size + 3]
        self._read_when_done(answer, _MAX_MS.get(opcode, _OTHER_MAX_MS))
        return self._checked(answer, answer_size)

    def _read_when_done(self, answer, max_ms):
        """Polls: the chip does not acknowledge while it works. Bounded by *max_ms*."""
        step_ms = max(1, max_ms >> 6)
        wait_ms = max(1, max_ms >> 4)
        waited_ms = 0
        while waited_ms <= max_ms + step_ms:
            self._sleep_ms(wait_ms)
            waited_ms += wait_ms
            wait_ms = step_ms
            try:
                self._bus.readfrom_into(self._address, answer)
                return
            except OSError:
                pass
        raise ChipError(_EIO, "secure element works too long")

    def _checked(self, answer, size):
        count = answer[0]
        if count != 4 and count != size + 3:
            raise ChipError(_EIO, "secure element not understood")
        if crc16(answer, 0, count - 2) != answer[count - 2] | answer[count - 1] << 8:
            raise ChipError(_EIO, "secure element not understood")
        if count == 4 and (size != 1 or answer[1]):
            status = answer[1]
            if status in (_STATUS_AWAKE, _STATUS_WATCHDOG, _STATUS_GARBLED):
                raise ChipError(_EIO, "secure element lost the command")
            raise ChipRefusal(status)
        return bytes(answer[1 : count - 2])


def crc16(buffer, start: int, end: int) -> int:
    """CRC-16 of buffer[start:end]: polynomial 0x8005, from 0, bits of a byte lowest first."""
    crc = 0
    for i in range(start, end):
        byte = buffer[i]
        for _ in range(8):
            is_odd = (crc >> 15) ^ (byte & 1)
            crc = crc << 1 & 0xFFFF
            if is_odd:
                crc ^= 0x8005
            byte >>= 1
    return crc
