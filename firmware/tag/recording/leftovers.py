# SPDX-License-Identifier: MIT
"""What the journal holds unsealed: what of it is worth a record, and what may wait for one.

A boot's first entries (BOOT, CLOCK_SET) alone need no record: the step in the boot numbers
says as much. So a boot loop fills no record log (docs/full-log.md, section 5).
"""

from micropython import const

from sealwire import labels

from ..store.journal import BOOT_ENTRY, SAMPLE_ENTRY

# Leftovers of earlier boots up to this much wait for this boot's first regular seal.
_WAITING_ENTRIES_MAX = const(64)
_WAITING_SECTORS_MAX = const(4)
_OPENING_EVENTS = (labels.EVENT_BOOT, labels.EVENT_CLOCK_SET)
# What must not wait. Custody is sealed directly; older firmware put it into the journal.
_CUSTODY_EVENTS = (
    labels.EVENT_TRIP,
    labels.EVENT_TRIP_END,
    labels.EVENT_OFFER,
    labels.EVENT_ACCEPT,
    labels.EVENT_RECEIPT,
    labels.EVENT_FLEET_KEY,
)


def look_through(journal, see) -> tuple:
    """(is worth a record, is due now); calls *see(entry)* with what it looks at."""
    if journal.kept_sectors > _WAITING_SECTORS_MAX:
        return True, True
    is_worth = False
    for count, entry in enumerate(journal.entries()):
        see(entry)
        if not _is_opening(entry):
            is_worth = True
            if count >= _WAITING_ENTRIES_MAX or entry.code in _CUSTODY_EVENTS:
                return True, True
    return is_worth, False


def worth_sealing(journal, own_boot: int):
    """Yields the unsealed entries that are worth a record, in order, each with its boot.

    What opens a boot counts only if more of that boot follows, or the boot is *own_boot*.
    """
    held = []
    boot = 0  # whose entries are being yielded
    for entry in journal.entries():
        if entry.kind == BOOT_ENTRY:
            continue
        if held and held[0].boot != entry.boot:
            held = []
        if entry.boot != boot and _is_opening(entry):
            held.append(entry)
            continue
        boot = entry.boot
        for one in held:
            yield one
        held = []
        yield entry
    if held and held[0].boot == own_boot:
        for one in held:
            yield one


def _is_opening(entry) -> bool:
    if entry.kind == BOOT_ENTRY:
        return True
    return entry.kind != SAMPLE_ENTRY and entry.code in _OPENING_EVENTS
