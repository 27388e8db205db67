# SPDX-License-Identifier: MIT
"""ATECC608B on its I2C bus: wake, idle, sleep, watchdog, packets, status, time to execute.

After the public pages of its datasheets: what the tag's driver can see of the chip. The bus
calls `wake_pulse` when SDA was low long enough, `receive` and `transmit` for transfers to its
address; OSError(ENODEV) is its missing acknowledge. Memory and commands are in the modules
beside this one. Faults for tests: `deaf_count` transfers are not acknowledged, `garbled_count`
answers have a bit wrong in `garbled_byte`, `wake_status` is what it says at a wake, `cut` loses
power inside a command.
"""

import os

from . import atecc608b_memory as memory
from .atecc608b_commands import EXECUTION_MS, Commands, crc16

_ENODEV = 19
_ASLEEP, _IDLE, _AWAKE = range(3)
_WORD_RESET, _WORD_SLEEP, _WORD_IDLE, _WORD_COMMAND = range(4)
_STATUS_AWAKE, _STATUS_WATCHDOG, _STATUS_GARBLED = 0x11, 0xEE, 0xFF
_WAKE_MS = 1.5
_WATCHDOG_MS = 1300
_LOW_US_MIN = 60


def make(wiring, environment, pin):
    """The chip of RUN/secure_element; a new one comes locked, as Trust&GO parts do."""
    import virtual_wiring

    file, image = _open_image(virtual_wiring.run_dir + "/secure_element")
    if len(image) != memory.SIZE:
        image = memory.locked(os.urandom(6), os.urandom)
    return Atecc608b(memory.Memory(image, file), environment.now_ms)


def _open_image(path):
    try:
        file = open(path, "r+b")
    except OSError:
        file = open(path, "w+b")
    return file, bytearray(file.read())


class PowerLost(Exception):
    """The cut that a test ordered has happened."""


class Cut:
    """Power fails in the command number *index*, counted from the order on.

    *stage*: "before" it does anything; "torn" or "blank": its write to the EEPROM left a mix or
    zeros; "after" it, before its answer is read.
    """

    def __init__(self, index: int, stage: str):
        self.index = index
        self.stage = stage


class Atecc608b:
    """One powered chip. *now_ms()*: its time."""

    def __init__(self, memory_, now_ms, random=os.urandom):
        self._now_ms = now_ms
        self._commands = Commands(memory_, random, self._program)
        self._memory = memory_
        self.address = memory_.address
        self._state = _ASLEEP
        self._ready_ms = self._sleeps_ms = 0
        self._output = b""
        self._output_at = 0
        self.opcodes = []  # all that were executed, for tests
        self.deaf_count = self.garbled_count = 0
        self.garbled_byte = -1
        self.wake_status = _STATUS_AWAKE  # 0x07 where its self-test has failed
        self.cut = None
        self.is_off = False
        self._torn = ""

    # ---- the bus

    def wake_pulse(self, low_us: float) -> None:
        """SDA was low for *low_us*. Ignored by a chip that is awake."""
        self._settle()
        if self._state == _AWAKE or low_us < _LOW_US_MIN or self.is_off:
            return
        if self._state == _ASLEEP:
            self.address = self._memory.address
        self._state = _AWAKE
        self._ready_ms = self._now_ms() + _WAKE_MS
        self._sleeps_ms = self._now_ms() + _WATCHDOG_MS
        self._answer(bytes((self.wake_status,)))

    def receive(self, content: bytes) -> None:
        """A write to its address. Raises OSError(ENODEV) while asleep or at work."""
        self._must_listen()
        if not content or content[0] == _WORD_RESET:
            self._output_at = 0
        elif content[0] == _WORD_SLEEP:
            self._sleep()
        elif content[0] == _WORD_IDLE:
            self._state = _IDLE
        elif content[0] == _WORD_COMMAND:
            self._take_command(content[1:])

    def transmit(self, size: int) -> bytes:
        """A read from its address: what is left of the answer, then 0xFF."""
        self._must_listen()
        found = self._output[self._output_at : self._output_at + size]
        self._output_at += len(found)
        return found + b"\xff" * (size - len(found))

    def _must_listen(self):
        self._settle()
        if self.deaf_count:
            self.deaf_count -= 1
            raise OSError(_ENODEV)
        if self.is_off or self._state != _AWAKE or self._now_ms() < self._ready_ms:
            raise OSError(_ENODEV)

    def _settle(self):
        if self._state != _ASLEEP and self._now_ms() >= self._sleeps_ms:
            self._sleep()

    def _sleep(self):
        self._state = _ASLEEP
        self._output = b""
        self._commands.forget()

    # ---- packets

    def _take_command(self, packet):
        self._output = b""
        count = packet[0] if packet else 0
        body = packet[: count - 2]
        if count < 7 or len(packet) != count or packet[count - 2 :] != _checksum(body):
            return self._answer(bytes((_STATUS_GARBLED,)))
        opcode = packet[1]
        duration_ms = EXECUTION_MS.get(opcode, 1)
        if self._now_ms() + duration_ms > self._sleeps_ms:
            return self._answer(bytes((_STATUS_WATCHDOG,)))
        self.opcodes.append(opcode)
        stage = self._stage_of_cut()
        if stage == "before":
            self._lose_power()
        self._torn = stage
        result = self._commands.execute(opcode, packet[2], packet[3] | packet[4] << 8, body[5:])
        if stage:
            self._lose_power()  # a command without a write is cut after it
        self._ready_ms = self._now_ms() + duration_ms
        return self._answer(result)

    def _answer(self, content):
        body = bytes((len(content) + 3,)) + content
        self._output = body + _checksum(body)
        self._output_at = 0
        if self.garbled_count and self._state == _AWAKE and content != bytes((_STATUS_AWAKE,)):
            self.garbled_count -= 1
            garbled = bytearray(self._output)
            garbled[self.garbled_byte] ^= 0x10
            self._output = bytes(garbled)

    # ---- power

    def _stage_of_cut(self):
        if self.cut is None:
            return ""
        self.cut.index -= 1
        return self.cut.stage if self.cut.index < 0 else ""

    def _program(self, store, new):
        """Writes the EEPROM, or leaves what a cut in the middle leaves."""
        if self._torn == "torn":
            half = len(new) // 2
            new = new[:half] + bytes(store[half:])
        elif self._torn == "blank":
            new = bytes(len(new))
        store[:] = new
        self._memory.save()
        if self._torn in ("torn", "blank"):
            self._lose_power()

    def _lose_power(self):
        self.is_off = True
        raise PowerLost("in %s" % self.opcodes[-1:])


def _checksum(body):
    crc = crc16(body)
    return bytes((crc & 0xFF, crc >> 8))
