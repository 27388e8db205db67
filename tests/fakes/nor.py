# SPDX-License-Identifier: MIT
"""A NOR flash chip in RAM with esp32.Partition's block protocol, for both interpreters.

Physics: an erase sets a sector to ones, a program only clears bits. A program that asks for a
bit it cannot set, or that is not 16-byte aligned, is counted in `violations`.

Faults: a power cut stops the chip inside one operation. The driver sends a program page by
page (256 B) and waits for each; so pages before the cut are whole, pages after it untouched,
and one page is in flux. What that page shows is a *fault*: `torn_program` gives what the next
boot reads, `settle_program` what later boots may read (metastable bits).
"""

SECTOR_SIZE = 4096
PAGE_SIZE = 256
ALIGNMENT = 16

# Program faults: what the page in flux reads at the next boot.
PROGRAM_FAULTS = ("none", "half", "byte", "alternating", "random", "weak", "ghost", "late")
# Of these, the ones that may read otherwise at the boot after that.
#   weak    reads programmed; later the bits are back, unless programmed again or erased
#   ghost   reads untouched; later programmed
#   late    reads all but the last byte; later programmed
METASTABLE = ("weak", "ghost", "late")
ERASE_FAULTS = ("none", "first half", "last half", "zeros", "random", "weak")


class Nor:
    """*sector_count* sectors. *image*: initial content, else blank.

    `log` is None or a list that takes (sector, offset, content) of every operation; content
    is None for an erase. `before_op` is None or a function called with (number, operation)
    before each; it may raise OSError (nothing done) or return how many bytes of it still
    happen before OSError (-1: all of it, no error).
    """

    def __init__(self, sector_count, image=None, is_encrypted=False):
        self.sector_count = sector_count
        self.is_encrypted = is_encrypted
        self.memory = bytearray(image or b"\xff" * (sector_count * SECTOR_SIZE))
        self.log = None
        self.before_op = None
        self.op_count = 0
        self.violations = 0
        self.erases_of = [0] * sector_count
        self.clear_counts()

    def clear_counts(self):
        """Counters back to 0: reads, read_size, programs, program_size, erases."""
        self.reads = self.read_size = self.programs = self.program_size = self.erases = 0

    def info(self):
        """As esp32.Partition.info(): type, subtype, address, size, label, is encrypted."""
        return (1, 0x40, 0, self.sector_count * SECTOR_SIZE, "fake", self.is_encrypted)

    def readblocks(self, block, buffer, offset=0):
        start = self._address(block, offset, len(buffer))
        buffer[:] = self.memory[start : start + len(buffer)]
        self.reads += 1
        self.read_size += len(buffer)

    def writeblocks(self, block, content, offset=None):
        if offset is None:
            raise AssertionError("writeblocks without offset erases: never use it")
        content = bytes(content)
        start = self._address(block, offset, len(content))
        if offset % ALIGNMENT or len(content) % ALIGNMENT:
            self.violations += 1
        size = self._announce((block, offset, content))
        self._clear_bits(start, content if size < 0 else content[:size])
        self.programs += 1
        self.program_size += len(content)
        if size >= 0:
            raise OSError(5)

    def ioctl(self, op, argument):
        if op == 4:
            return self.sector_count
        if op == 5:
            return SECTOR_SIZE
        if op == 6:
            start = self._address(argument, 0, SECTOR_SIZE)
            size = self._announce((argument, 0, None))
            end = SECTOR_SIZE if size < 0 else size
            self.memory[start : start + end] = b"\xff" * end
            self.erases += 1
            self.erases_of[argument] += 1
            if size >= 0:
                raise OSError(5)
        return 0

    def _announce(self, op):
        if self.log is not None:
            self.log.append(op)
        number = self.op_count
        self.op_count = number + 1
        return -1 if self.before_op is None else self.before_op(number, op)

    def _address(self, block, offset, size):
        start = block * SECTOR_SIZE + offset
        if block < 0 or offset < 0 or start + size > len(self.memory):
            raise OSError(22)
        return start

    def _clear_bits(self, start, content):
        old = self.memory[start : start + len(content)]
        new = both(old, content)
        if new != content:
            self.violations += 1
        self.memory[start : start + len(content)] = new


class Part:
    """A range of sectors of one chip, as a partition is."""

    def __init__(self, chip, first, count):
        self._chip, self._first, self._count = chip, first, count

    def info(self):
        return self._chip.info()

    def readblocks(self, block, buffer, offset=0):
        self._chip.readblocks(self._first + block, buffer, offset)

    def writeblocks(self, block, content, offset):
        self._chip.writeblocks(self._first + block, content, offset)

    def ioctl(self, op, argument):
        if op == 4:
            return self._count
        return self._chip.ioctl(op, self._first + argument if op == 6 else argument)


# ---- faults


class Dice:
    """Pseudo-random bytes that are the same on both interpreters."""

    def __init__(self, seed):
        self._state = seed * 2654435761 + 12345 & 0x7FFFFFFF

    def byte(self):
        self._state = self._state * 1103515245 + 12345 & 0x7FFFFFFF
        return self._state >> 15 & 255

    def bytes(self, size):
        return bytes([self.byte() for _ in range(size)])


def both(one, other):
    """Bitwise and of two byte strings of one length."""
    size = len(one)
    value = int.from_bytes(one, "little") & int.from_bytes(other, "little")
    return value.to_bytes(size, "little")


def either(one, other):
    """Bitwise or of two byte strings of one length."""
    size = len(one)
    value = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return value.to_bytes(size, "little")


def apply_op(memory, op):
    """Carries out a recorded operation on *memory*, completely."""
    sector, offset, content = op
    start = sector * SECTOR_SIZE + offset
    if content is None:
        memory[start : start + SECTOR_SIZE] = b"\xff" * SECTOR_SIZE
    else:
        memory[start : start + len(content)] = both(memory[start : start + len(content)], content)


def pages_of(op):
    """Splits a program into (sector, offset, content) of one page each; an erase stays whole."""
    sector, offset, content = op
    if content is None:
        return [op]
    pages = []
    at = 0
    while at < len(content):
        size = min(len(content) - at, PAGE_SIZE - (offset + at) % PAGE_SIZE)
        pages.append((sector, offset + at, content[at : at + size]))
        at += size
    return pages


def torn_program(old, content, fault, dice):
    """Returns what *old* reads as after programming *content* was cut with *fault*."""
    size = len(content)
    if fault in ("none", "ghost"):
        return old
    if fault == "half":
        content = content[: size // 2] + b"\xff" * (size - size // 2)
    elif fault == "byte":
        content = content[:1] + b"\xff" * (size - 1)
    elif fault == "alternating":
        content = bytes([content[i] if i & 1 else 255 for i in range(size)])
    elif fault == "random":
        content = either(content, dice.bytes(size))
    elif fault == "late":
        content = content[:-1] + b"\xff"
    elif fault != "weak":
        raise ValueError(fault)
    return both(old, content)


def torn_erase(old, fault, dice):
    """Returns what a sector *old* reads as after its erase was cut with *fault*."""
    size = len(old)
    half = size // 2
    if fault == "none":
        return old
    if fault == "first half":
        return b"\xff" * half + old[half:]
    if fault == "last half":
        return old[:100] + b"\xff" * (size - 100)
    if fault == "zeros":
        return bytes(size)
    if fault == "random":
        return either(old, dice.bytes(64) * (size // 64))
    if fault == "weak":
        return b"\xff" * size
    raise ValueError(fault)


def tear(memory, op, fault, dice):
    """Cuts the one-page program or erase *op* on *memory* with *fault*. Returns a Trace."""
    sector, offset, content = op
    start = sector * SECTOR_SIZE + offset
    size = SECTOR_SIZE if content is None else len(content)
    old = bytes(memory[start : start + size])
    if content is None:
        memory[start : start + size] = torn_erase(old, fault, dice)
    else:
        memory[start : start + size] = torn_program(old, content, fault, dice)
    return Trace(op, start, old, fault)


class Trace:
    """What a cut operation may still do to the flash after the next boot."""

    def __init__(self, op, start, old, fault):
        self._op = op
        self._start = start
        self._old = old
        self._fault = fault

    def settle(self, memory, later_ops):
        """Lets metastable bits fall the other way, except where *later_ops* made them firm."""
        sector, _, content = self._op
        if self._fault not in METASTABLE:
            return
        if any(op[0] == sector and op[2] is None for op in later_ops):
            return  # erased again since
        start, size = self._start, len(self._old)
        now = memory[start : start + size]
        if content is None:
            memory[start : start + size] = both(now, self._old)
        elif self._fault == "weak":
            weak = both(self._old, bytes([~b & 255 for b in content]))
            weak = both(weak, bytes([~b & 255 for b in self._firm(later_ops)]))
            memory[start : start + size] = either(now, weak)
        else:
            memory[start : start + size] = both(now, content)

    def _firm(self, later_ops):
        """Bits of the page that were programmed to 0 again."""
        firm = bytearray(len(self._old))
        for sector, offset, content in later_ops:
            if content is None:
                continue
            shift = sector * SECTOR_SIZE + offset - self._start
            for i in range(max(0, -shift), min(len(content), len(firm) - shift)):
                firm[i + shift] |= ~content[i] & 255
        return firm
