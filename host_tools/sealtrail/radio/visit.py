# SPDX-License-Identifier: MIT
"""A visit as a command makes it: ticket from the wallet, link by bleak, session, goodbye."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bleak import BleakScanner
from bleak.exc import BleakError

from sealtrail.errors import LinkError, one_line
from sealtrail.home import Home
from sealtrail.keys.wallet import WalletEntry
from sealtrail.radio.key_memory import HomeKeyMemory, KeyMemory
from sealtrail.radio.link import AdvertFilter, BleakLink
from sealtrail.radio.visitor import Visitor, VisitorTicket
from sealwire import protocol

_BTHOME_UUID = "0000fcd2-0000-1000-8000-00805f9b34fb"
_BTHOME_PLAIN = 0x40  # version 2, not encrypted
_BTHOME_PROBLEM = 0x26
# Bytes of the other objects of an open advert: battery, temperature, opening, moving.
_BTHOME_SIZES = {0x01: 1, 0x02: 2, 0x11: 1, 0x22: 1}


@dataclass(frozen=True, slots=True)
class SeenTag:
    """One tag on the air. *serial* "": no ticket here is for it. *rssi_dbm* 0: not told."""

    serial: str
    name: str
    rssi_dbm: int
    is_private: bool
    has_problem: bool | None = None  # None: not told, as on a trip


@contextlib.asynccontextmanager
async def open_visit(entry: WalletEntry, scan_s: float, home: Home) -> AsyncIterator[Visitor]:
    """Finds the ticket's tag and opens a session; says goodbye at the end.

    What it learns of the tag's keys is kept in *home*.

    Raises LinkError when the tag is not found within *scan_s*, AccessRefused when it
    refuses the ticket.
    """
    visitor = visitor_for(entry, scan_s, HomeKeyMemory(home, entry.tid))
    try:
        await visitor.connect()
        yield visitor
    finally:
        await visitor.close()


def visitor_for(
    entry: WalletEntry,
    scan_s: float,
    key_memory: KeyMemory | None = None,
    link: BleakLink | None = None,
) -> Visitor:
    """A visitor that is not connected yet; by *link*, else by one that scans itself."""
    ticket = VisitorTicket(
        tid=entry.tid,
        certificate=entry.certificate,
        ticket=entry.ticket,
        ticket_key=entry.ticket_key,
        visit_keys=(entry.visit_key,),
        holder_key=entry.holder_key,
    )
    own = link or BleakLink(AdvertFilter(ticket.visit_keys), scan_s)
    return Visitor(ticket, own, key_memory=key_memory)


async def scan(entries: Sequence[WalletEntry], scan_s: float) -> list[SeenTag]:
    """All Sealtrail tags heard within *scan_s*, nearest first. Raises LinkError."""
    filters = [(entry.serial, AdvertFilter((entry.visit_key,))) for entry in entries]
    try:
        async with asyncio.timeout(scan_s + 10):
            heard = await BleakScanner.discover(timeout=scan_s, return_adv=True)
    except (BleakError, TimeoutError, OSError, EOFError) as problem:
        raise LinkError(
            f"no radio: {one_line(str(problem) or type(problem).__name__)}",
            "Is Bluetooth switched on?",
        ) from problem
    seen = []
    for device, advert in heard.values():
        serial = next((s for s, known in filters if known.matches(device, advert)), "")
        if serial or protocol.SERVICE_UUID in advert.service_uuids:
            name = one_line(advert.local_name or "")
            is_private = protocol.COMPANY_ID in advert.manufacturer_data
            flag = has_problem(advert.service_data)
            seen.append(SeenTag(serial, name, advert.rssi or 0, is_private, flag))
    return sorted(seen, key=lambda tag: (-tag.rssi_dbm, tag.name))


def has_problem(service_data: Mapping[str, bytes]) -> bool | None:
    """The problem flag of an open advert (BTHome v2); None where there is none."""
    content = service_data.get(_BTHOME_UUID, b"")
    if not content or content[0] != _BTHOME_PLAIN:
        return None
    at = 1
    while at + 1 < len(content):
        number = content[at]
        if number == _BTHOME_PROBLEM:
            return bool(content[at + 1])
        if number not in _BTHOME_SIZES:
            return None
        at += 1 + _BTHOME_SIZES[number]
    return None
