# SPDX-License-Identifier: MIT
"""Ends a tag's life at the dock: a signed farewell, no secret left, the log kept or erased.

    what no archive has is read into this home -> END: the tag seals its farewell and erases
    its keys -> everything is read again, farewell included -> PURGE, if asked: log erased

Each step can be repeated: a tag that was cut goes on at its next start, and a tag that has
ended answers END with its farewell. Evidence is on this disk before the tag may forget it.
"""

from collections.abc import Callable

from sealtrail.device.dock_link import KEY_LOST, Dock, Identity
from sealtrail.device.dumping import Dump, Progress, dump_to_home, spare_records
from sealtrail.errors import AccessRefused, DeviceError
from sealtrail.home import Home
from sealwire.access import sha256


def end(
    dock: Dock,
    home: Home,
    *,
    is_reading: bool,
    note: Callable[[str], None] = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Dump:
    """Decommissions the tag and reads its whole log, the farewell last, into this home.

    *is_reading*: the user agrees that records which no archive has are read first; without,
    such a tag is refused. Raises AccessRefused for it and for a tag whose key is lost,
    DeviceError for one that is not provisioned.
    """
    identity = dock.identify()
    if not identity.is_decommissioned:
        _farewell(dock, home, identity, is_reading, note)
    note("reading the farewell")
    dump = dump_to_home(dock, home, progress)
    if not dump.records:
        raise DeviceError("the tag has ended, but gives no record", "Repeat the command.")
    return dump


def purge(dock: Dock, dump: Dump) -> None:
    """Has the tag erase its log; *dump*, of `end`, proves that its farewell was read."""
    dock.purge(sha256(dump.records[-1]))


def _farewell(
    dock: Dock, home: Home, identity: Identity, is_reading: bool, note: Callable[[str], None]
) -> None:
    if not identity.is_enrolled:
        raise DeviceError("this tag is not provisioned", "There is nothing to decommission.")
    if identity.key == KEY_LOST:
        raise AccessRefused(
            "this tag has lost its key and can sign no farewell",
            "Read it with `sealtrail dump`, revoke it with `sealtrail revoke`; `sealtrail"
            " provision --erase` gives it a new life.",
        )
    note("reading what no archive has")
    held = spare_records(dock, home, identity, is_reading=is_reading, is_forgetting=True)
    note("the tag signs its farewell and erases its keys")
    now = dock.identify()
    if held is not None and now.head_seq >= 0:
        dock.end((now.head_seq, now.head_hash))
    else:
        dock.end(None)
