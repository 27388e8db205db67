# SPDX-License-Identifier: MIT
"""What will be written where on a chip: a plan that says it all before anything is touched.

    erase what the new map moves, log first  ->  bootloader, table, app

A region that the chip's table already has in the same place is not touched. A cut while
erasing leaves the old table: the next run plans the same again. A cut while writing leaves
a chip that does not start, but whose ROM still takes a new image.
"""

from dataclasses import dataclass

from sealtrail.device.chip_image import ChipImage
from sealtrail.device.flash_map import KEPT_LABELS, FlashMap, by_label
from sealtrail.device.partition_table import DATA, TABLE_OFFSET, Partition, encode


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that go to *offset*; what lies there is erased first."""

    name: str
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """*erases* in order, then *writes* in order of their offsets."""

    erases: tuple[Partition, ...]
    writes: tuple[Write, ...]

    @property
    def is_forgetting(self) -> bool:
        """Whether it erases where records or keys lie, or overwrites them."""
        return any(part.label in KEPT_LABELS for part in self.erases)


def make(
    flash_map: FlashMap,
    image: ChipImage,
    on_chip: tuple[Partition, ...],
    *,
    is_log_erased: bool = False,
) -> FlashPlan:
    """Plans *image* with the table of *flash_map* for a chip whose table says *on_chip*.

    *on_chip* is empty for a chip without a table. With *is_log_erased* keys and log are
    erased though they stay where they are.
    """
    data = [part for part in flash_map.partitions if part.type == DATA]
    moved = {part.label for part in data if by_label(on_chip, part.label) != part}
    if is_log_erased or moved & set(KEPT_LABELS):
        moved |= set(KEPT_LABELS)  # the one is nothing without the other
    erases = [part for part in data if part.label in moved]
    erases += _left_behind(flash_map, on_chip, erases)
    # The log before what could still tell that it held something; see image_flash.py.
    order = {label: place for place, label in enumerate(KEPT_LABELS)}
    erases.sort(key=lambda part: order.get(part.label, len(order)))
    writes = (
        Write("bootloader", image.bootloader_offset, image.bootloader),
        Write("partition table", TABLE_OFFSET, encode(flash_map.partitions)),
        Write("MicroPython", flash_map.app.offset, image.app),
    )
    return FlashPlan(tuple(erases), writes)


def _left_behind(
    flash_map: FlashMap, on_chip: tuple[Partition, ...], erases: list[Partition]
) -> list[Partition]:
    """Where keys and log lay that the new map does not erase anyway: no secret stays there."""
    return [
        old
        for old in on_chip
        if old.label in KEPT_LABELS
        and old not in flash_map.partitions
        and not any(new.offset <= old.offset and old.end <= new.end for new in erases)
    ]
