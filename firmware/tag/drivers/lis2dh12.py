# SPDX-License-Identifier: MIT
"""ST LIS2DH12 accelerometer, I2C: shock interrupt with a FIFO behind it, and attitude at rest.

Source: LIS2DH12 datasheet, "Mechanical characteristics" and "Register description";
application note AN5005, "Interrupt generation" and "First-in first-out buffer".

+-16 g, 400 Hz, 12 bits. Interrupt generator 1 compares the high-passed signal of each axis with
a threshold, latches, and drives the INT1 pin. The FIFO streams: it always holds the last 80 ms.
(Stream-to-FIFO mode would freeze a full FIFO at the first sample over the threshold, before the
peak.) So a shock has to be read 40 ms after its interrupt; KNOWN LIMIT: later than 80 ms, the
peak is gone and the shock counts with its threshold.
"""

from micropython import const

_WHO_AM_I = const(0x0F)
_CTRL_REG1 = const(0x20)  # seven registers in a row, REFERENCE last
_REFERENCE = const(0x26)
_OUT_X_L = const(0x28)
_FIFO_CTRL = const(0x2E)
_FIFO_SRC = const(0x2F)
_INT1_CFG = const(0x30)
_INT1_SRC = const(0x31)
_INT1_THS = const(0x32)
_AUTO_INCREMENT = const(0x80)

_IDENTITY = const(0x33)
_POWER_DOWN = const(0x00)
_400_HZ_ALL_AXES = const(0x77)
_HIGH_PASS_ON_IA1 = const(0x01)
_IA1_ON_INT1 = const(0x40)
_BLOCK_UPDATE_16_G_HIGH_RESOLUTION = const(0xB8)
_FIFO_ON_LATCH_INT1 = const(0x48)
_ANY_AXIS_HIGH = const(0x2A)
_IA = const(0x40)
_FIFO_BYPASS = const(0x00)
_FIFO_STREAM = const(0x80)
_FIFO_COUNT_BITS = const(0x1F)
_FIFO_OVERRUN = const(0x40)

_FIFO_DEPTH = const(32)
SHOCK_READ_MS = const(40)  # half the FIFO's 80 ms lies before the interrupt, half after
_THRESHOLD_STEP_MG = const(186)  # at +-16 g
_STEP_MG = const(12)  # a digit of the 12-bit value at +-16 g
_ENODEV = const(19)


class LIS2DH12:
    """*bus*: machine.I2C. *interrupt*: the pin at INT1, an input."""

    def __init__(self, bus, address: int, interrupt):
        """Raises OSError when no LIS2DH12 answers at *address*."""
        self._bus = bus
        self._address = address
        self._interrupt = interrupt
        self._byte = bytearray(1)
        self._raw = bytearray(6)
        self._threshold_steps = 0
        self._fifo = bytearray(6 * _FIFO_DEPTH)
        if self._read(_WHO_AM_I) != _IDENTITY:
            raise OSError(_ENODEV)

    def arm(self, threshold_mg: int) -> None:
        """Sets the shock threshold (186 mg steps, rounded up, 186..23622) and starts measuring.

        *threshold_mg* 0: measuring without the interrupt. Raises OSError.
        """
        self._write(_CTRL_REG1, _POWER_DOWN)
        self._write(_CTRL_REG1 + 1, _HIGH_PASS_ON_IA1)
        self._write(_CTRL_REG1 + 2, _IA1_ON_INT1)
        self._write(_CTRL_REG1 + 3, _BLOCK_UPDATE_16_G_HIGH_RESOLUTION)
        self._write(_CTRL_REG1 + 4, _FIFO_ON_LATCH_INT1)
        self._write(_CTRL_REG1 + 5, 0)  # INT2 unused, pins active high
        self._threshold_steps = min(127, -(-threshold_mg // _THRESHOLD_STEP_MG))
        self._write(_INT1_THS, self._threshold_steps)
        self._write(_INT1_THS + 1, 0)  # one sample is enough
        self._write(_INT1_CFG, _ANY_AXIS_HIGH if threshold_mg else 0)
        self._write(_CTRL_REG1, _400_HZ_ALL_AXES)
        self._read(_REFERENCE)  # the high-pass filter settles on the present attitude
        self.rearm()

    def rearm(self) -> None:
        """Empties the FIFO, clears the latch and waits for the next shock. Raises OSError."""
        self._write(_FIFO_CTRL, _FIFO_BYPASS)
        self._read(_INT1_SRC)
        self._write(_FIFO_CTRL, _FIFO_STREAM)

    def watch(self, on_shock) -> None:
        """Calls *on_shock(pin)* from the interrupt; it must not allocate. None stops that."""
        self._interrupt.irq(on_shock, self._interrupt.IRQ_RISING)

    def has_shock(self) -> bool:
        """Whether the INT1 pin is up: also true for an edge nobody was there to see."""
        return self._interrupt.value() == 1

    def read_mg(self) -> tuple:
        """Returns (x, y, z) in mg, at most 80 ms old: the FIFO's oldest. Raises OSError."""
        self._bus.readfrom_mem_into(self._address, _OUT_X_L | _AUTO_INCREMENT, self._raw)
        return self._sample(self._raw, 0)

    def read_shock(self, rest_mg: tuple):
        """Returns (peak_mg, axis) of the latched shock and rearms; None if there was none.

        Call it SHOCK_READ_MS after the interrupt. *rest_mg*: acceleration before the shock; the
        peak is the largest deviation from it, *axis* 0..2. Raises OSError.
        """
        source = self._read(_INT1_SRC)
        if not source & _IA:
            return None
        peak_mg, axis = self._threshold_steps * _THRESHOLD_STEP_MG, _axis_of(source)
        for index in range(self._load_fifo()):
            sample = self._sample(self._fifo, 6 * index)
            for i in range(3):
                deviation_mg = abs(sample[i] - rest_mg[i])
                if deviation_mg > peak_mg:
                    peak_mg, axis = deviation_mg, i
        self.rearm()
        return peak_mg, axis

    def _load_fifo(self) -> int:
        """Reads the FIFO into its buffer; returns the number of samples."""
        source = self._read(_FIFO_SRC)
        count = _FIFO_DEPTH if source & _FIFO_OVERRUN else source & _FIFO_COUNT_BITS
        if count:
            buffer = memoryview(self._fifo)[: 6 * count]
            self._bus.readfrom_mem_into(self._address, _OUT_X_L | _AUTO_INCREMENT, buffer)
        return count

    def _sample(self, buffer, at) -> tuple:
        return tuple(_signed(buffer[at + i] | buffer[at + i + 1] << 8) for i in (0, 2, 4))

    def _read(self, register) -> int:
        self._bus.readfrom_mem_into(self._address, register, self._byte)
        return self._byte[0]

    def _write(self, register, value):
        self._byte[0] = value
        self._bus.writeto_mem(self._address, register, self._byte)


def _signed(word: int) -> int:
    """A left-justified 12-bit output word in mg."""
    return ((word ^ 0x8000) - 0x8000 >> 4) * _STEP_MG


def _axis_of(source: int) -> int:
    """The axis whose "high" bit is set in INT1_SRC: x in bit 1, y in bit 3, z in bit 5."""
    return 0 if source & 0x02 else 1 if source & 0x08 else 2
