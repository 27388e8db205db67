# SPDX-License-Identifier: MIT
"""Does what the code does depend on a secret? Two runs are compared by everything they did.

Of each viper call: its function, the sequence of its basic blocks, the sequence of its accesses.
Of the Python between the calls: every bytecode, so that a branch hidden in one line counts too.
"""

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from types import FrameType
from typing import Any

from tests.cost.machine import CallTrace, Entry
from tests.cost.signing import Tag
from tests.cost.size import PACKAGE


@dataclass(frozen=True)
class Trace:
    """What one run did."""

    calls: tuple[CallTrace, ...]
    python: str  # digest of the bytecodes between the calls
    division_count: int  # a division takes longer for larger numbers


def trace_of(tag: Tag, call: Callable[[], object]) -> Trace:
    """Runs *call* on a watched machine."""
    recorder = _PythonRecorder()
    machine_call = tag.machine.call

    def call_unrecorded(name: str, entry: Entry, arguments: Sequence[object]) -> object:
        sys.settrace(None)  # else every Python call of the machine is looked at
        try:
            return machine_call(name, entry, arguments)
        finally:
            sys.settrace(recorder.enter)

    before = sys.gettrace()
    tag.machine.call = call_unrecorded  # type: ignore[method-assign]
    sys.settrace(recorder.enter)
    try:
        tally = tag.tally_of(call)
    finally:
        sys.settrace(before)
        tag.machine.call = machine_call  # type: ignore[method-assign]
    return Trace(tuple(tally.trace), recorder.digest(), tally.division_count)


def differences(traces: Sequence[Trace]) -> list[str]:
    """How runs differ from the first one, a line for each function; empty when they do not."""
    found = []
    first = traces[0]
    for other in traces[1:]:
        if first.python != other.python:
            found.append("the Python between the calls")
        for mine, theirs in zip_longest(first.calls, other.calls):
            if mine is None or theirs is None or mine.function != theirs.function:
                found.append("which functions are called")
                break
            if mine.blocks != theirs.blocks:
                found.append(f"{mine.function}: a branch")
            elif mine.accesses != theirs.accesses:
                found.append(f"{mine.function}: an address")
    if any(trace.division_count for trace in traces):
        found.append("a division")
    return sorted(set(found))


class _PythonRecorder:
    """Notes (code object, bytecode offset) of every bytecode of the signing package."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._noted = array("I")

    def enter(self, frame: FrameType, event: str, _: object) -> Any:
        if f"/{PACKAGE}/" not in frame.f_code.co_filename:
            return None
        number = self._numbers.setdefault(frame.f_code, len(self._numbers))
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False

        def step(inner: FrameType, kind: str, _: object) -> Any:
            if kind == "opcode":
                self._noted.append(number << 16 | inner.f_lasti)
            return step

        return step

    def digest(self) -> str:
        return sha256(self._noted.tobytes()).hexdigest()
