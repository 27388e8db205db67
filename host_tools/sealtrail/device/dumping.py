# SPDX-License-Identifier: MIT
"""Records read over the serial line into this home, and what counts as read.

A tag may lose its records only when this home holds every one of them that no archive has
signed for, up to the tag's head: they continue each other by hash, and the last one hashes
to what the tag names as its head. A dump, or a sync by radio, may have brought them.

Files: `evidence/dumps/<tid>-<count>.seal`, whole or not there; count = seq of the head + 1.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sealtrail import atomic
from sealtrail.device.dock_link import Dock, Identity
from sealtrail.errors import AccessRefused, DeviceError, EvidenceRefused, StorageError
from sealtrail.evidence.cbor_strict import CborRefused, item_end
from sealtrail.home import Home
from sealtrail.keys import certificate
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire.access import sha256
from sealwire.cbor import CborError
from sealwire.sync import link_of

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Dump:
    """What was read: the file in this home, its certificate and its records in order.

    *unsealed_count*: readings and events that stayed on the tag, in no record.
    """

    path: Path
    certificate: bytes
    records: tuple[bytes, ...]
    unsealed_count: int


def dump_to_home(dock: Dock, home: Home, progress: Progress = lambda done, total: None) -> Dump:
    """Reads certificate and all records into this home, checked; durable on return.

    The tag first makes records of what its journal holds. Where it cannot (its log is full,
    its key is lost) they stay there, and `unsealed_count` says how many.

    Raises LinkError when the line failed (nothing is kept then), DeviceError when what came
    is not the tag's chain up to its head, StorageError when this disk refuses.
    """
    with contextlib.suppress(DeviceError):
        if dock.identify().unsealed_count:
            dock.seal()
    issued, records = dock.read_all(progress)
    after = dock.identify()
    _check(issued, records, after)
    folder = home.make(home.evidence / "dumps")
    path = folder / f"{certificate.tid_of(issued).hex()}-{after.head_seq + 1}.seal"
    atomic.write_bytes(path, issued + b"".join(records))
    return Dump(path, issued, tuple(records), after.unsealed_count)


def where_held(home: Home, identity: Identity) -> Path | None:
    """The file of this home that holds what no archive has of this tag; None without one.

    What is damaged, or ends before the tag's head, counts as not held.
    """
    if identity.tid is None or not identity.head_hash:
        return None
    tid = identity.tid.hex()
    dump = home.evidence / "dumps" / f"{tid}-{identity.head_seq + 1}.seal"
    if dump.is_file() and _dump_reaches(dump, identity):
        return dump
    stores = sorted(home.evidence.glob(f"*-{tid}.store"))
    return next((path for path in stores if _store_reaches(path, identity)), None)


def spare_records(
    dock: Dock,
    home: Home,
    identity: Identity,
    *,
    is_reading: bool,
    is_forgetting: bool,
    option: str = "--dump",
    progress: Progress = lambda done, total: None,
) -> Path | None:
    """Makes sure that the tag may lose its records; returns where they are, None if no need.

    With *is_forgetting* (its log will be erased) readings that no record covers yet count
    too: the tag seals them first; a decommissioned one has none, but its farewell counts.
    Raises AccessRefused when something would be lost and the user has not said *option*
    (*is_reading*).
    """
    if not identity.is_enrolled:
        return _spare_unreceipted(dock, home, identity, is_reading, option, progress)
    if is_reading and identity.unsealed_count:
        with contextlib.suppress(DeviceError):  # judged by what is left, not by what it says
            dock.seal()
        identity = dock.identify()
    if is_forgetting and identity.unsealed_count:
        raise AccessRefused(
            f"this tag holds {identity.unsealed_count} readings and events that stand in no"
            " record yet",
            "It cannot seal them now; its log may be full: sync and upload it first."
            if is_reading
            else f"Add {option} to seal them and read everything into this home first.",
        )
    return _spare_unreceipted(dock, home, identity, is_reading, option, progress)


def _spare_unreceipted(
    dock: Dock,
    home: Home,
    identity: Identity,
    is_reading: bool,
    option: str,
    progress: Progress,
) -> Path | None:
    if not identity.unreceipted_count:
        return None
    held = where_held(home, identity)
    if held is not None:
        return held
    if not is_reading:
        raise AccessRefused(
            f"this tag holds {identity.unreceipted_count} records that no archive has",
            f"Sync and upload them, or add {option} to read them into this home first.",
        )
    return dump_to_home(dock, home, progress).path


def _check(issued: bytes, records: Sequence[bytes], identity: Identity) -> None:
    """Refuses a dump that is not the tag's chain up to its head. Raises DeviceError."""
    fault = _fault(issued, records)
    if not fault and records and _seq(records[-1]) != identity.head_seq:
        fault = f"it ends at record {_seq(records[-1])}; the tag's last is {identity.head_seq}"
    if not fault and not records and identity.head_seq >= 0:
        fault = "it is empty"
    if not fault and records and sha256(records[-1]) != identity.head_hash:
        fault = "its last record is not the one that the tag names as its head"
    if fault:
        raise DeviceError(f"what was read is not the tag's log: {fault}", "Repeat the dump.")


def _fault(issued: bytes, records: Sequence[bytes]) -> str:
    """What is wrong with records that should continue each other; "" for nothing."""
    expected, prev_hash = None, sha256(issued)
    for place, record in enumerate(records, 1):
        try:
            seq, prev = link_of(record)
        except (CborError, ValueError, IndexError, TypeError):
            return f"what stands at place {place} is no record"
        # The oldest records may be gone from the tag: then nothing says what the first names.
        is_first_held = expected is None and seq > 0
        if not is_first_held and prev != prev_hash:
            return f"record {seq} does not continue the one before it"
        if expected is not None and seq != expected:
            return f"record {seq} stands where {expected} should"
        expected, prev_hash = seq + 1, sha256(record)
    return ""


def _seq(record: bytes) -> int:
    return int(link_of(record)[0])


def _dump_reaches(path: Path, identity: Identity) -> bool:
    try:
        content = path.read_bytes()
        places = [0]
        while places[-1] < len(content):
            places.append(item_end(content, places[-1]))
    except (OSError, CborRefused, IndexError):
        return False
    items = [content[a:b] for a, b in pairwise(places)]
    if len(items) < 2 or _fault(items[0], items[1:]):
        return False
    return (
        _seq(items[1]) <= identity.acknowledged_seq + 1
        and _seq(items[-1]) == identity.head_seq
        and sha256(items[-1]) == identity.head_hash
    )


def _store_reaches(path: Path, identity: Identity) -> bool:
    try:
        with EvidenceStore(path, read_only=True) as store:
            first = identity.acknowledged_seq + 1
            return (
                store.first_missing(first) > identity.head_seq
                and store.prev_hash(identity.head_seq + 1) == identity.head_hash
            )
    except (StorageError, EvidenceRefused):
        return False
