# SPDX-License-Identifier: MIT
"""The flash map of a board: what board.json says, what a tag has, and how the two differ.

A stock MicroPython table has neither `keys` nor `log`, and no `vfs` either: the interpreter
makes a `vfs` of all that is left at every start. So on a stock tag `vfs` is there, but of
another size.
"""

import ast
from dataclasses import dataclass
from typing import Any

from sealtrail.device.partition_table import APP, DATA, TABLE_OFFSET, TABLE_SIZE, Partition
from sealtrail.device.raw_repl import Repl
from sealtrail.errors import DeviceError, UsageError

SECTOR_SIZE = 4096
APP_ALIGNMENT = 0x10000
# Regions of ours. What the first two hold is lost for ever with them.
KEPT_LABELS = ("log", "keys")
OUR_LABELS = ("vfs", *KEPT_LABELS)
# keys: 2 seed sectors and the state ring; log: 16 journal sectors and the record log.
SIZES_MIN = {"vfs": 640 << 10, "keys": 64 << 10, "log": 1344 << 10}

# Runs on the tag: every partition it knows, one tuple a line.
_LIST_CODE = (
    "from esp32 import Partition\n"
    "for t in (0,1):\n"
    " for p in Partition.find(t): print('PT', tuple(p.info()))"
)


@dataclass(frozen=True, slots=True)
class FlashMap:
    """What board.json says of the flash. *chip* in esptool's words, "" where none is."""

    board: str
    chip: str
    flash_size: int
    partitions: tuple[Partition, ...]

    @property
    def app(self) -> Partition:
        """Where MicroPython goes."""
        return next(p for p in self.partitions if p.type == APP)

    def partition(self, label: str) -> Partition | None:
        """The region of that name."""
        return by_label(self.partitions, label)


def by_label(partitions: tuple[Partition, ...], label: str) -> Partition | None:
    """The first partition named *label*."""
    return next((p for p in partitions if p.label == label), None)


def of_board(board: dict[str, Any]) -> FlashMap:
    """Reads and checks the map of a board.json. Raises UsageError naming what is wrong."""
    name = str(board.get("name", "?"))
    try:
        flash = board["flash"]
        partitions = tuple(
            Partition(str(r["label"]), int(r["type"]), int(r["subtype"]), r["offset"], r["size"])
            for r in flash["regions"]
        )
        made = FlashMap(name, str(board.get("chip", "")), int(flash["size"]), partitions)
    except (KeyError, TypeError, ValueError) as problem:
        raise UsageError(f"board {name}: its flash map cannot be read: {problem!r}") from problem
    faults = faults_of(made)
    if faults:
        raise UsageError(f"board {name}: flash map: {faults[0]}", "Correct its board.json.")
    return made


def faults_of(flash_map: FlashMap) -> list[str]:
    """Everything that is wrong with a map, a line each; empty for a usable one."""
    faults = []
    end = TABLE_OFFSET + TABLE_SIZE
    for part in sorted(flash_map.partitions, key=lambda p: p.offset):
        alignment = APP_ALIGNMENT if part.type == APP else SECTOR_SIZE
        if part.offset % alignment or part.size % SECTOR_SIZE or part.size <= 0:
            faults.append(f"{part} is not aligned to {alignment} B")
        if part.offset < end:
            faults.append(f"{part} overlaps what lies before it")
        end = max(end, part.end)
        if part.end > flash_map.flash_size:
            faults.append(f"{part} ends beyond the flash of {flash_map.flash_size >> 20} MB")
    labels = [part.label for part in flash_map.partitions]
    faults += [f"{label} is there twice" for label in set(labels) if labels.count(label) > 1]
    for label, size_min in SIZES_MIN.items():
        found = flash_map.partition(label)
        if found is None or found.type != DATA:
            faults.append(f"no data partition {label}")
        elif found.size < size_min:
            faults.append(f"{found}: {size_min >> 10} KB is the least")
    if not any(part.type == APP for part in flash_map.partitions):
        faults.append("no app partition")
    return faults


def of_tag(repl: Repl) -> tuple[Partition, ...]:
    """The partitions as a tag's MicroPython knows them. Raises DeviceError without esp32."""
    found = []
    try:
        printed = repl.run(_LIST_CODE)
    except DeviceError as problem:
        if "ImportError" not in problem.message:
            raise
        raise DeviceError("this MicroPython is no ESP32's", "Is it the right port?") from problem
    for line in printed.splitlines():
        if not line.startswith("PT "):
            continue
        try:
            kind, subtype, offset, size, label, is_encrypted = ast.literal_eval(line[3:].strip())
            found.append(Partition(str(label), kind, subtype, offset, size, bool(is_encrypted)))
        except (ValueError, SyntaxError, TypeError):
            raise DeviceError("the tag's list of partitions cannot be read", "Repeat.") from None
    return tuple(found)


def difference(flash_map: FlashMap, found: tuple[Partition, ...]) -> str:
    """How *found* differs from the map where it matters to us; "" if it does not.

    Names the first difference. nvs, phy_init and the app's place are MicroPython's own.
    """
    if not any(by_label(found, label) for label in KEPT_LABELS):
        return "it has MicroPython's stock partition table, without keys and log"
    for label in OUR_LABELS:
        wanted, there = flash_map.partition(label), by_label(found, label)
        if there is None:
            return f"it has no partition {label}"
        if there.is_encrypted:
            return f"its partition {label} is encrypted"
        if wanted and (there.offset, there.size) != (wanted.offset, wanted.size):
            return f"it has {there}; board {flash_map.board} says {wanted}"
    return ""


def check(flash_map: FlashMap, repl: Repl) -> None:
    """Refuses a tag whose flash map is not the board's. Raises UsageError."""
    problem = difference(flash_map, of_tag(repl))
    if problem:
        raise UsageError(
            f"this tag's flash is not laid out for a log: {problem}", _cure(flash_map)
        )


def check_any(repl: Repl) -> None:
    """Refuses a tag without keys and log, whatever its board. Raises UsageError."""
    found = of_tag(repl)
    missing = [label for label in OUR_LABELS if by_label(found, label) is None]
    if missing:
        raise UsageError(
            f"this tag's flash is not laid out for a log: no partition {', '.join(missing)}",
            "`sealtrail flash --board NAME --port PORT --image FILE` writes MicroPython with"
            " the right table.",
        )


def _cure(flash_map: FlashMap) -> str:
    if not flash_map.chip:
        return f"Start board {flash_map.board} afresh: its own map is the right one."
    return (
        f"`sealtrail flash --board {flash_map.board} --port PORT --image FILE` writes"
        " MicroPython with the right table."
    )
