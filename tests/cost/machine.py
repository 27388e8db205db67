# SPDX-License-Identifier: MIT
"""What both processors share: how MicroPython calls viper code, and what is noted meanwhile.

A viper function is called with (function object, argument count, keyword count, arguments); it
finds the runtime's functions through its object -> module context -> constant table. Of those
functions only what arithmetic on buffers needs is there (conversions, floor division): code that
calls Python from viper stops with MachineFault.
"""

import struct
from abc import ABC, abstractmethod
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from tests.cost.buffers import BUFFERS_END, BufferMap
from tests.cost.mpy import VIPER, Module, RuntimeTable

# Addresses. Below CODE only what the calling convention needs.
RUNTIME_TABLE, TRAPS, ARGUMENTS, CODE = 0x1000, 0x2000, 0x3000, 0x10000
STACK_LOW, STACK_TOP, MEMORY_SIZE = 0x1F0000, 0x200000, BUFFERS_END
_OBJECTS, _HANDLES = 0x7000000, 0x7800000  # words for objects; nothing lies there
RUNTIME_COUNT = 96  # entries of mp_fun_table
STOP = TRAPS + 4 * RUNTIME_COUNT  # where a called function returns to

# mp_fun_table (MicroPython py/nativeglue.h)
_OBJECT_TO_NATIVE, _NATIVE_TO_OBJECT, _FLOOR_DIVIDE, _MODULO = 3, 4, 46, 47
_TYPE_OBJECT, _TYPE_BOOL, _TYPE_INT = 0, 1, 2

_READABLE, _WRITABLE = 1, 2
_SINGLES = (None, False, True)


class MachineFault(Exception):
    """The code did what it must not; the message says what, and in which function."""


@dataclass(frozen=True)
class Entry:
    """A viper function in the machine's memory."""

    object_address: int
    code_address: int


@dataclass(frozen=True)
class CallTrace:
    """One call: its function, the digest of its blocks, the digest of its accesses."""

    function: str
    blocks: str
    accesses: str


@dataclass
class Cost:
    """Calls of one function and the instructions they took."""

    call_count: int = 0
    instruction_count: int = 0


@dataclass
class Tally:
    """What was counted since the last reset."""

    instruction_count: int = 0
    boxed_count: int = 0  # integers that a chip would put on its heap to pass them
    division_count: int = 0
    by_function: dict[str, Cost] = field(default_factory=dict)
    trace: list[CallTrace] = field(default_factory=list)


class Machine(ABC):
    """A processor with memory. *is_strict* checks and *is_traced* notes every access."""

    architecture = ""
    instructions_max = 200_000_000  # of one call: a loop that does not end must

    def __init__(self, *, is_strict: bool = False, is_traced: bool = False) -> None:
        self.is_strict = is_strict
        self.is_traced = is_traced
        self.tally = Tally()
        # Functions that may index a buffer by a secret: (argument, size of an entry).
        self.secret_indexed: Mapping[str, tuple[int, int]] = {}
        self._top = CODE
        self._objects: list[object] = list(_SINGLES)
        self._handles: list[object] = []  # arguments and results of the running call
        self._buffers = BufferMap(self._write)
        self._arguments: Sequence[object] = ()
        self._blocks = array("I")
        self._accesses = array("Q")
        self._fault = ""
        # Who may touch which byte: nobody, readers, everybody.
        self._rights = bytearray(MEMORY_SIZE if is_strict else 0)
        self._allow(STACK_LOW, STACK_TOP, _WRITABLE)
        self._allow(RUNTIME_TABLE, CODE, _READABLE)
        self._start()
        table = [self._handle(value) for value in _SINGLES]
        table += [TRAPS + 4 * i for i in range(len(table), RUNTIME_COUNT)]
        self._write(RUNTIME_TABLE, struct.pack(f"<{RUNTIME_COUNT}I", *table))

    # What a processor must do.

    @abstractmethod
    def _start(self) -> None:
        """Makes the memory."""

    @abstractmethod
    def _run(self, entry: Entry, argument_count: int) -> int:
        """Runs a function whose arguments are at ARGUMENTS; returns its result."""

    @abstractmethod
    def _write(self, address: int, octets: bytes) -> None: ...

    @abstractmethod
    def _read(self, address: int, size: int) -> bytes: ...

    # What others use.

    @property
    def is_watched(self) -> bool:
        return self.is_strict or self.is_traced

    def load(self, module: Module) -> list[Entry]:
        """Puts a module into memory. Returns its viper functions in order of definition."""
        if module.architecture not in ("", self.architecture):
            raise ValueError(f"{module.architecture} code for a {self.architecture} machine")
        # The function object (type, context) and the context (4 words: type, globals, names,
        # constants) are one, then the constant table.
        base = self._top
        words = [0, base + 16, 0, 0, 0, 0, base + 32, base + 32]
        for constant in module.constants:
            is_table = isinstance(constant, RuntimeTable)
            words.append(RUNTIME_TABLE if is_table else self._keep(constant))
        self._write(base, struct.pack(f"<{len(words)}I", *words))
        at, entries = base + 4 * len(words), []
        for function in module.body.all_inner():
            if function.kind == VIPER:
                at = at + 15 & ~15
                self._write(at, function.code)
                entries.append(Entry(base, at))
                at += len(function.code)
        self._allow(self._top, at, _READABLE)
        self._top = at + 4095 & ~4095
        if self._top > STACK_LOW:
            raise MemoryError("code")
        return entries

    def call(self, name: str, entry: Entry, arguments: Sequence[object]) -> object:
        """Calls a function as MicroPython would. Raises MachineFault."""
        self._begin(arguments)
        words = [self._handle(argument) for argument in arguments]
        self._write(ARGUMENTS, struct.pack(f"<{len(words)}I", *words))
        before = self.tally.instruction_count
        result = self._run(entry, len(arguments))
        for span in self._buffers.spans:
            self._allow(span.start, span.end, 0)
        if not self._fault:
            self._take_back()
        if self._fault:
            raise MachineFault(f"{name}: {self._fault}")
        cost = self.tally.by_function.setdefault(name, Cost())
        cost.call_count += 1
        cost.instruction_count += self.tally.instruction_count - before
        if self.is_traced:
            self._note_trace(name)
        return self._object(result)

    # For the processors.

    def _check(self, address: int, size: int, is_write: bool) -> None:
        """Judges one access of the code, and notes it."""
        if self.is_traced:
            self._accesses.append(address << 1 | is_write)
        if not self.is_strict or self._fault:
            return
        last, wanted = address + size - 1, _WRITABLE if is_write else _READABLE
        is_there = address % size == 0 and last < MEMORY_SIZE
        if is_there and self._rights[address] >= wanted and self._rights[last] >= wanted:
            return
        self._fault = f"{'write' if is_write else 'read'} of {size} bytes at {address:#x}: "
        if address % size:
            self._fault += "not aligned"
        elif last < MEMORY_SIZE and self._rights[address] and self._rights[last]:
            self._fault += "read-only"
        else:
            self._fault += "outside every buffer"

    def _runtime_call(self, index: int, first: int, second: int) -> int:
        """Stands in for entry *index* of mp_fun_table."""
        if index == _OBJECT_TO_NATIVE:
            return self._to_native(first, second & 15) & 0xFFFFFFFF
        if index == _NATIVE_TO_OBJECT:
            return self._to_object(first, second & 15)
        if index in (_FLOOR_DIVIDE, _MODULO):
            self.tally.division_count += 1
            pair = _signed(first), _signed(second)
            result = pair[0] // pair[1] if index == _FLOOR_DIVIDE else pair[0] % pair[1]
            return result & 0xFFFFFFFF
        self._fault = f"calls entry {index} of the runtime's table: Python from viper"
        return 0

    # Objects and buffers.

    def _begin(self, arguments: Sequence[object]) -> None:
        self._handles = []
        self._buffers = BufferMap(self._write)
        self._arguments = arguments
        self._fault = ""
        del self._blocks[:], self._accesses[:]

    def _keep(self, value: object) -> int:
        """The word for a constant, which lives as long as the machine."""
        word = _small(value)
        if word is None:
            self._objects.append(value)
            word = _OBJECTS + 8 * (len(self._objects) - 1)
        return word

    def _handle(self, value: object) -> int:
        """The word for an argument or a result."""
        word = _small(value)
        if word is None:
            self.tally.boxed_count += isinstance(value, int)
            self._handles.append(value)
            word = _HANDLES + 8 * (len(self._handles) - 1)
        return word

    def _object(self, word: int) -> object:
        if word & 1:
            return _signed(word) >> 1
        if word >= _HANDLES:
            return self._handles[(word - _HANDLES) >> 3]
        return self._objects[(word - _OBJECTS) >> 3]

    def _to_native(self, word: int, kind: int) -> int:
        value = self._object(word)
        if kind == _TYPE_OBJECT:
            return word
        if kind == _TYPE_BOOL:
            return int(bool(value))
        return int(value) if isinstance(value, int) else self._place(value)

    def _to_object(self, word: int, kind: int) -> int:
        if kind == _TYPE_OBJECT:
            return word
        if kind == _TYPE_BOOL:
            return self._handle(bool(word))
        return self._handle(_signed(word) if kind == _TYPE_INT else word)

    def _place(self, buffer: object) -> int:
        index = [argument is buffer for argument in self._arguments].index(True)
        address = self._buffers.place(buffer, index)  # type: ignore[arg-type]
        span = self._buffers.spans[-1]
        self._allow(span.start, span.end, _WRITABLE if span.is_writable else _READABLE)
        return address

    def _allow(self, start: int, end: int, rights: int) -> None:
        if self.is_strict:
            self._rights[start:end] = bytes([rights]) * (end - start)

    def _take_back(self) -> None:
        """Copies what the code wrote into the buffers of the caller."""
        for root, start in self._buffers.objects():
            octets = self._read(start, len(root))
            if root.readonly:
                if octets != bytes(root):
                    self._fault = "wrote to read-only bytes"
            else:
                root[:] = octets

    def _note_trace(self, name: str) -> None:
        if name in self.secret_indexed:
            self._forget_entries(*self.secret_indexed[name])
        digests = (sha256(part.tobytes()).hexdigest() for part in (self._blocks, self._accesses))
        self.tally.trace.append(CallTrace(name, *digests))

    def _forget_entries(self, argument: int, entry_size: int) -> None:
        """Leaves of each access to the table only where inside an entry it was."""
        spans = [span for span in self._buffers.spans if span.argument == argument]
        for i, noted in enumerate(self._accesses):
            for span in spans:
                if span.start <= noted >> 1 < span.end:
                    inside = ((noted >> 1) - span.start) % entry_size
                    self._accesses[i] = (span.start + inside) << 1 | noted & 1


def _signed(word: int) -> int:
    return word - (word >> 31 << 32)


def _small(value: object) -> int | None:
    """The word that is *value*: of the three singles, and of integers below 2**30."""
    for i, single in enumerate(_SINGLES):
        if value is single:
            return _OBJECTS + 8 * i
    if isinstance(value, int) and -(1 << 30) <= value < 1 << 30:
        return (value << 1 | 1) & 0xFFFFFFFF
    return None
