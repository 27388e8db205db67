# SPDX-License-Identifier: MIT
"""Register-level LIS2DH12, after its datasheet: what the tag's driver can see of the chip.

Modelled: identity, control registers, full scales and resolutions with their left-justified
output words, interrupt generator 1 on the high-passed signal with latch and pin, FIFO in bypass
and stream mode. A shock is a pulse along z: half its peak for 4 ms, its peak for 4 ms; the
interrupt comes with its beginning.
"""

_WHO_AM_I = 0x0F
_CTRL_REG1, _CTRL_REG2, _CTRL_REG3, _CTRL_REG4, _CTRL_REG5 = 0x20, 0x21, 0x22, 0x23, 0x24
_CTRL_REG6 = 0x25
_STATUS = 0x27
_OUT_X_L, _OUT_Z_H = 0x28, 0x2D
_FIFO_CTRL, _FIFO_SRC = 0x2E, 0x2F
_INT1_CFG, _INT1_SRC, _INT1_THS, _INT1_DURATION = 0x30, 0x31, 0x32, 0x33
_WRITABLE = tuple(range(0x1E, 0x27)) + (0x2E, 0x30, 0x32, 0x33, 0x34, 0x36, 0x37)
_INCREMENT = 0x80

_IDENTITY = 0x33
_LOW_POWER, _HIGH_RESOLUTION = 0x08, 0x08  # bits of CTRL_REG1, CTRL_REG4
_IA1_ON_INT1 = 0x40
_HIGH_PASS_ON_IA1 = 0x01
_LATCH_INT1 = 0x08
_FIFO_EN = 0x40
_ACTIVE_LOW = 0x02
_FIFO_MODE = 0xC0
_STREAM = 0x80
_IA, _Z_HIGH = 0x40, 0x20
_FIFO_DEPTH = 32
_RISE_MS = 4  # and as long at the peak, so that a sample falls into it

# By full scale (CTRL_REG4 bits 5:4): interrupt step; mg a digit at 12, 10 and 8 bits.
_THRESHOLD_STEP_MG = (16, 32, 62, 186)
_DIGIT_MG = {12: (1, 2, 4, 12), 10: (4, 8, 16, 48), 8: (16, 32, 64, 192)}
_RATE_HZ = (0, 1, 10, 25, 50, 100, 200, 400, 1620, 1344)


def make(wiring, environment, pin):
    """Returns the chip at wiring["address"], INT1 on pin wiring["int1"]."""
    return LIS2DH12Chip(environment, wiring["address"], pin(wiring["int1"]))


class LIS2DH12Chip:
    """One chip on the I2C bus."""

    def __init__(self, environment, address: int, interrupt):
        self._environment = environment
        self.address = address
        self._interrupt = interrupt
        self._registers = bytearray(0x40)
        self._registers[_WHO_AM_I] = _IDENTITY
        self._registers[_CTRL_REG1] = 0x07
        self._ticked_ms = environment.now_ms()
        self._fifo_since_ms = 0
        self._drive_pin()

    # ---- the bus

    def read(self, register: int, size: int) -> bytes:
        """*size* bytes; with bit 7 of *register* the address rises, and wraps in the outputs."""
        at = register & 0x7F
        if register & _INCREMENT and at == _OUT_X_L:
            return self._read_outputs(size)
        step = 1 if register & _INCREMENT else 0
        return bytes(self._read(at + step * i) for i in range(size))

    def write(self, register: int, content: bytes) -> None:
        for i, value in enumerate(content):
            at = (register & 0x7F) + i
            if at in _WRITABLE:
                self._registers[at] = value
                if at == _FIFO_CTRL:
                    self._fifo_since_ms = self._environment.now_ms()
        self._drive_pin()

    def tick(self, now_ms: int) -> None:
        """Feels the shocks since the last tick."""
        for _, peak_mg in self._environment.shocks(self._ticked_ms, now_ms):
            self._feel(peak_mg)
        self._ticked_ms = max(self._ticked_ms, now_ms)

    # ---- inside

    def _read(self, register):
        if register == _FIFO_SRC:
            return self._fifo_source()
        if register == _STATUS:
            return 0x0F if self._rate_hz() else 0
        value = self._registers[register]
        if register == _INT1_SRC:
            # Reading the source releases the latch, and with it the pin.
            self._registers[_INT1_SRC] = 0
            self._drive_pin()
        return value

    def _feel(self, peak_mg):
        registers = self._registers
        has_generator = registers[_INT1_CFG] & _Z_HIGH and self._rate_hz()
        step_mg = _THRESHOLD_STEP_MG[self._scale()]
        threshold_mg = (registers[_INT1_THS] & 0x7F) * step_mg
        # Without the high-pass filter gravity is part of what is compared.
        rest_mg = 0 if registers[_CTRL_REG2] & _HIGH_PASS_ON_IA1 else self._rest_mg()[2]
        is_latched = registers[_CTRL_REG5] & _LATCH_INT1
        if has_generator and peak_mg + rest_mg > threshold_mg:
            registers[_INT1_SRC] = _IA | _Z_HIGH
            self._drive_pin()
            if not is_latched:
                registers[_INT1_SRC] = 0
                self._drive_pin()

    def _drive_pin(self):
        is_up = self._registers[_CTRL_REG3] & _IA1_ON_INT1 and self._registers[_INT1_SRC] & _IA
        inverted = 1 if self._registers[_CTRL_REG6] & _ACTIVE_LOW else 0
        self._interrupt.drive((1 if is_up else 0) ^ inverted)

    def _scale(self):
        return self._registers[_CTRL_REG4] >> 4 & 3

    def _rate_hz(self):
        return _RATE_HZ[min(9, self._registers[_CTRL_REG1] >> 4)]

    def _bits(self):
        if self._registers[_CTRL_REG1] & _LOW_POWER:
            return 8
        return 12 if self._registers[_CTRL_REG4] & _HIGH_RESOLUTION else 10

    def _rest_mg(self):
        return self._environment.now().accel_mg

    def _has_fifo(self):
        mode = self._registers[_FIFO_CTRL] & _FIFO_MODE
        return self._registers[_CTRL_REG5] & _FIFO_EN and mode == _STREAM

    def _fifo_count(self):
        if not self._has_fifo():
            return 0
        elapsed_ms = self._environment.now_ms() - self._fifo_since_ms
        return max(0, min(_FIFO_DEPTH, int(elapsed_ms * self._rate_hz() / 1000)))

    def _fifo_source(self):
        count = self._fifo_count()
        if count == _FIFO_DEPTH:
            return 0x40 | 0x1F
        return count or 0x20

    def _read_outputs(self, size):
        """Samples from the oldest in the FIFO on, or the present one without a FIFO."""
        count = self._fifo_count()
        now_ms = self._environment.now_ms()
        period_ms = 1000 / (self._rate_hz() or 1)
        out = bytearray()
        for i in range((size + 5) // 6):
            age_ms = max(0, count - 1 - i) * period_ms
            out += self._sample(now_ms - age_ms)
        left = max(0, count - (size + 5) // 6)
        self._fifo_since_ms = now_ms - left * period_ms
        return bytes(out[:size])

    def _sample(self, at_ms):
        """Six bytes for the acceleration at *at_ms*; nothing is measured while powered down."""
        if not self._rate_hz():
            return bytes(6)
        mg = list(self._rest_mg())
        # ms are whole numbers on the bus side, so the pulse may not fall between two samples.
        for start_ms, peak_mg in self._environment.shocks(int(at_ms) - 2 * _RISE_MS, int(at_ms)):
            if start_ms <= at_ms:
                mg[2] += peak_mg if at_ms - start_ms >= _RISE_MS else peak_mg // 2
        out = bytearray()
        for axis_mg in mg:
            out += self._word(axis_mg)
        return out

    def _word(self, axis_mg):
        bits = self._bits()
        digits = int(axis_mg / _DIGIT_MG[bits][self._scale()])
        limit = 1 << (bits - 1)
        word = max(-limit, min(limit - 1, digits)) << (16 - bits) & 0xFFFF
        return bytes((word & 0xFF, word >> 8))
