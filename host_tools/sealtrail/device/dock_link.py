# SPDX-License-Identifier: MIT
"""The host's end of the serial dock: one request, one answer, over the tag's REPL.

Calls `dock.serve_one("<hex>")` on the tag and reads the line `ST1 <hex>`; whatever else
the tag prints is ignored. Request: CBOR {0: op, 1: arguments}; answer: {0: code, 1:
result}. The tag's half is firmware/tag/dock/serve.py; the numbers here mirror it.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import cbor2

from sealtrail.device.raw_repl import Repl
from sealtrail.errors import AccessRefused, DeviceError, SealtrailError, one_line

_IDENTIFY, _SELF_TEST, _ENROL, _INSTALL = 1, 2, 3, 4
_CLOCK_SET, _READ, _PROFILE, _ERASE, _POLICY = 5, 6, 7, 8, 9
_END, _PURGE, _SEAL = 10, 11, 15
# What IDENTIFY says of the signing key.
KEY_NONE, KEY_SOUND, KEY_LOST = 0, 1, 2
_TAGS_OWN_HINT = "; `sealtrail"  # for who reads its serial port; ours says more
_T = TypeVar("_T")
_MARK = "ST1"
_HEX = re.compile(r"[0-9A-Fa-f]{6,}")
_READ_SIZE = 3000
_TID_SIZE, _HASH_SIZE, _KEY_SIZE = 8, 32, 32
_TIMEOUT_S = 20.0
# Self-test, key making and erasing a whole log partition are slow on a real chip.
_SLOW_TIMEOUT_S = 90.0
_READS_MAX = 100_000


class FlashUnusable(DeviceError):
    """The tag's firmware runs, but its flash map or what lies in its log does not fit."""


_REFUSALS: dict[int, Callable[[str], SealtrailError]] = {
    1: lambda text: DeviceError(f"the tag does not understand this request: {text}"),
    2: lambda text: AccessRefused(
        f"the tag refuses: {text}", "Sync and upload them, or read them with `sealtrail dump`."
    ),
    3: lambda text: DeviceError(
        "this tag is not provisioned", "`sealtrail provision` gives it a key and a certificate."
    ),
    4: lambda text: DeviceError(
        f"the tag's hardware failed: {text}", "Run it again; else replace it."
    ),
    5: lambda text: DeviceError(f"the tag refuses the certificate: {text}"),
    6: lambda text: DeviceError(
        f"the tag's clock contradicts this computer's: {text}",
        "Check this computer's date. The tag kept its own.",
    ),
    7: lambda text: AccessRefused("the tag is provisioned already", "Use --erase to start again."),
    8: lambda text: DeviceError(
        f"the tag makes no key: {text}", "Reset it and repeat; if it stays so, replace it."
    ),
    9: lambda text: DeviceError(
        f"the tag holds something else than was read: {text}", "Run the command again."
    ),
    10: lambda text: AccessRefused(
        f"the tag cannot sign a farewell: {text}",
        "Read it with `sealtrail dump`, then `sealtrail provision --erase` it.",
    ),
    11: lambda text: AccessRefused(f"the tag keeps its log: {text}"),
    12: lambda text: FlashUnusable(
        f"the tag cannot use its flash: {text.partition(_TAGS_OWN_HINT)[0]}",
        "Write the right table with `sealtrail flash --image FILE`; if it has it already, add"
        " --erase-log for an empty log.",
    ),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a tag says about itself. head_seq -1: no record yet; acknowledged_seq -1: none."""

    uid: bytes
    board: str
    firmware: str
    is_enrolled: bool
    head_seq: int
    acknowledged_seq: int
    tid: bytes | None
    head_hash: bytes = b""  # SHA-256 of the newest record; empty without one
    unsealed_count: int = 0  # readings and events that no record covers yet
    key: int = KEY_NONE  # KEY_NONE, KEY_SOUND or KEY_LOST
    is_decommissioned: bool = False  # not enrolled any more; its log may still be read

    @property
    def unreceipted_count(self) -> int:
        """Records that no archive has signed for: erasing loses them."""
        is_log_kept = self.is_enrolled or self.is_decommissioned
        return max(0, self.head_seq - self.acknowledged_seq) if is_log_kept else 0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the self-test."""

    name: str
    is_passed: bool
    detail: str


class Dock:
    """Asks a tag over *repl*. Every method raises DeviceError, AccessRefused or LinkError."""

    def __init__(self, repl: Repl) -> None:
        self._repl = repl

    def identify(self) -> Identity:
        """Who the tag is and what it holds. Changes nothing."""
        found = self._ask(_IDENTIFY)
        return Identity(
            uid=_typed(found, 1, bytes),
            board=_typed(found, 2, str),
            firmware=_typed(found, 3, str),
            is_enrolled=bool(found.get(4)),
            head_seq=_typed(found, 5, int),
            acknowledged_seq=_typed(found, 6, int),
            tid=_octets(found, 7, _TID_SIZE) if found.get(7) else None,
            head_hash=_octets(found, 10, _HASH_SIZE) if 10 in found else b"",
            unsealed_count=_typed(found, 11, int) if 11 in found else 0,
            key=_typed(found, 8, int) if 8 in found else KEY_NONE,
            is_decommissioned=bool(found.get(9)),
        )

    def self_test(self) -> tuple[Check, ...]:
        """Has the tag test its parts. Takes up to a minute; no exception for a failed part."""
        rows = _typed(self._ask(_SELF_TEST, timeout_s=_SLOW_TIMEOUT_S), 1, list)
        try:
            return tuple(Check(str(name), bool(ok), str(text)) for name, ok, text in rows)
        except (TypeError, ValueError):
            raise DeviceError("the tag's self-test answer has another shape") from None

    def enrol(self, host_entropy: bytes, serial: str) -> bytes:
        """Has the tag make its key; returns its proof of possession (COSE_Sign1)."""
        asked = self._ask(_ENROL, {1: host_entropy, 2: serial}, _SLOW_TIMEOUT_S)
        return _typed(asked, 1, bytes)

    def install(
        self, certificate: bytes, fleet_key: bytes, next_key_hash: bytes, profile: bytes
    ) -> bytes:
        """Gives the tag its certificate; returns the access key the tag made, only once."""
        content = {1: certificate, 2: fleet_key, 3: next_key_hash, 4: profile}
        return _octets(self._ask(_INSTALL, content, _SLOW_TIMEOUT_S), 1, _KEY_SIZE)

    def set_clock(self, lo_ms: int, hi_ms: int) -> None:
        """Tells the tag that UTC now lies in [lo_ms, hi_ms]."""
        self._ask(_CLOCK_SET, {1: lo_ms, 2: hi_ms})

    def set_profile(self, profile: bytes) -> None:
        """Gives the tag another profile for the time between trips."""
        self._ask(_PROFILE, {1: profile})

    def set_policy(self, is_overwriting: bool) -> None:
        """Says what a full log does: refuse new readings, or give up the oldest records."""
        self._ask(_POLICY, {1: 1 if is_overwriting else 0})

    def erase(self, also_unreceipted: bool) -> None:
        """Has the tag forget key, certificate and records.

        *also_unreceipted* only after every record was read and is durable here.
        """
        self._ask(_ERASE, {1: 1} if also_unreceipted else {}, _SLOW_TIMEOUT_S)

    def end(self, held: tuple[int, bytes] | None) -> tuple[int, bytes]:
        """Has the tag seal its farewell and erase its secrets; (seq, SHA-256) of the farewell.

        *held*: (seq, SHA-256) of the tag's newest record, where this home holds everything up
        to it; None where receipts alone entitle. An ended tag answers the same again.
        """
        content = {} if held is None else {1: held[0], 2: held[1]}
        answer = self._ask(_END, content, _SLOW_TIMEOUT_S)
        return _typed(answer, 1, int), _octets(answer, 2, _HASH_SIZE)

    def purge(self, farewell_hash: bytes) -> None:
        """Has a decommissioned tag erase its log; the hash proves that its end was read."""
        self._ask(_PURGE, {1: farewell_hash}, _SLOW_TIMEOUT_S)

    def seal(self) -> int:
        """Has the tag make records of all that it holds; returns how many entries are left.

        None is left unless its log is full.
        """
        return _typed(self._ask(_SEAL, timeout_s=_SLOW_TIMEOUT_S), 1, int)

    def read_all(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> tuple[bytes, list[bytes]]:
        """The certificate and all records that the tag still has, oldest first."""
        records: list[bytes] = []
        first: int | None = None
        for _ in range(_READS_MAX):
            seq = 0 if first is None else first + len(records)
            answer = self._ask(_READ, {1: seq, 2: _READ_SIZE})
            piece, head = _typed(answer, 1, list), _typed(answer, 2, int)
            if first is None:
                first = _typed(answer, 4, int) if 4 in answer else seq
            if not all(isinstance(one, bytes) for one in piece):
                raise DeviceError("the tag gives something that is no record", "Repeat the dump.")
            records += piece
            progress(first + len(records), head + 1)
            if first + len(records) > head:
                return _typed(answer, 3, bytes), records
            if not piece:
                break
        raise DeviceError(f"the tag stopped at record {len(records)}", "Repeat the dump.")

    def _ask(
        self, op: int, content: dict[int, Any] | None = None, timeout_s: float = _TIMEOUT_S
    ) -> dict[int, Any]:
        request = cbor2.dumps({0: op, 1: content or {}}, canonical=True).hex()
        code = f"from tag.dock import serve as dock\ndock.serve_one('{request}')"
        try:
            printed = self._repl.run(code, timeout_s)
        except DeviceError as problem:
            raise _without_firmware(problem) from problem
        return _opened(_marked_line(printed))


def _without_firmware(problem: DeviceError) -> DeviceError:
    if "ImportError" not in problem.message:
        return problem
    return DeviceError(
        f"no working sealtrail firmware on this tag ({problem.message})",
        "Run `sealtrail flash` first.",
    )


def _marked_line(printed: str) -> str:
    for line in reversed(printed.splitlines()):
        if line.startswith(_MARK + " "):
            return line[len(_MARK) + 1 :].strip()
    raise DeviceError(
        f"the tag gave no answer, but '{_without_hex(printed)}'", "Flash it again and repeat."
    )


def _without_hex(printed: str) -> str:
    """The end of *printed* for people. An answer that lost its mark may hold an access key."""
    return _HEX.sub("...", one_line(printed))[-80:]


def _opened(answer_hex: str) -> dict[int, Any]:
    try:
        answer = cbor2.loads(binascii.unhexlify(answer_hex))
    except (ValueError, RecursionError, OverflowError, cbor2.CBORDecodeError):
        raise DeviceError("the tag's answer cannot be read", "Repeat.") from None
    if not isinstance(answer, dict) or not isinstance(answer.get(0), int):
        raise DeviceError("the tag's answer has another shape")
    result = answer.get(1)
    if answer[0] != 0:
        text = one_line(str(result))[:160]
        refusal = _REFUSALS.get(answer[0])
        raise refusal(text) if refusal else DeviceError(f"the tag refuses ({answer[0]}): {text}")
    return result if isinstance(result, dict) else {}


def _typed(answer: dict[int, Any], label: int, kind: type[_T]) -> _T:
    value = answer.get(label)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DeviceError(f"the tag's answer lacks field {label}, or it has another type")
    return value


def _octets(answer: dict[int, Any], label: int, size: int) -> bytes:
    value = _typed(answer, label, bytes)
    if len(value) != size:
        raise DeviceError(f"field {label} of the tag's answer has {len(value)} bytes, not {size}")
    return value
