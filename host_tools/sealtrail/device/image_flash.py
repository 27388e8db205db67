# SPDX-License-Identifier: MIT
"""MicroPython and the board's partition table onto a chip, and what must be sure before.

    ask the tag what it holds -> read it, if asked to -> read the chip's own table -> plan
    -> the plan erases the log? only if nothing is lost with it -> erase, write, start

The chip's table decides, not what the tag says of it: what the plan leaves in place (keys
and log of an unchanged map) needs no question.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealtrail.device import flash_plan
from sealtrail.device.chip_image import ChipImage
from sealtrail.device.chip_writer import Chip
from sealtrail.device.dock_link import Dock
from sealtrail.device.dumping import spare_records
from sealtrail.device.flash_map import KEPT_LABELS, FlashMap, by_label, of_tag
from sealtrail.device.partition_table import (
    TABLE_OFFSET,
    TABLE_SIZE,
    Partition,
    TableError,
    decode,
)
from sealtrail.device.raw_repl import Repl
from sealtrail.errors import AccessRefused, DeviceError, UsageError
from sealtrail.home import Home

Progress = Callable[[int, int], None]
_LOG_SIZE_MAX = 16 << 20


@dataclass(frozen=True, slots=True)
class Vetted:
    """What a tag said before its chip is touched.

    *may_forget*: nothing is only there. *dump*: where its records are, None if it holds
    none. *silence*: why it could not be asked, "" if it could.
    """

    may_forget: bool
    dump: Path | None = None
    silence: str = ""


def vet(
    repl: Repl, flash_map: FlashMap, home: Home, *, is_reading: bool, is_log_erased: bool
) -> Vetted:
    """Asks a tag what it holds, and reads it into *home* if *is_reading*.

    A tag without working firmware is no error: flashing is the cure. Raises AccessRefused
    when records would be lost, LinkError, StorageError.
    """
    dock = Dock(repl)
    try:
        is_forgetting = is_log_erased or _is_moved(flash_map, of_tag(repl))
        identity = dock.identify()
    except DeviceError as problem:
        return Vetted(False, silence=problem.message)
    dump = spare_records(dock, home, identity, is_reading=is_reading, is_forgetting=is_forgetting)
    return Vetted(is_forgetting, dump)


def write(
    chip: Chip,
    image: ChipImage,
    vetted: Vetted,
    *,
    is_log_erased: bool,
    progress: Progress = lambda done, total: None,
) -> flash_plan.FlashPlan:
    """Plans and writes; returns what was done. The chip starts MicroPython at the end.

    *is_log_erased*: the user gives up what a tag that cannot be asked may hold. Raises
    AccessRefused before anything is touched, else as `Chip.carry_out`.
    """
    try:
        chip.check_size()
        on_chip = _table(chip)
        plan = flash_plan.make(chip.flash_map, image, on_chip, is_log_erased=is_log_erased)
        if plan.is_forgetting and not vetted.may_forget and not is_log_erased:
            _refuse_unless_blank(chip, on_chip, vetted)
    except (AccessRefused, UsageError):
        chip.start()
        raise
    chip.carry_out(plan, progress)
    return plan


def _is_moved(flash_map: FlashMap, found: tuple[Partition, ...]) -> bool:
    return any(by_label(found, label) != flash_map.partition(label) for label in KEPT_LABELS)


def _table(chip: Chip) -> tuple[Partition, ...]:
    try:
        return decode(chip.read(TABLE_OFFSET, TABLE_SIZE))
    except TableError:
        return ()  # a new chip


def _refuse_unless_blank(chip: Chip, on_chip: tuple[Partition, ...], vetted: Vetted) -> None:
    """A log that was never written, or that an interrupted run has erased, holds nothing."""
    log = by_label(on_chip, "log")
    if log is None:
        return
    content = chip.read(log.offset, min(log.size, _LOG_SIZE_MAX))
    if content.count(0xFF) == len(content):
        return
    raise AccessRefused(
        f"the new map moves this tag's log, and the tag does not say what it holds"
        f" ({vetted.silence or 'its firmware sees another table'})",
        "Flash the firmware that wrote it and add --dump; or give up what it holds with"
        " --erase-log.",
    )
