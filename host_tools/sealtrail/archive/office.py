# SPDX-License-Identifier: MIT
"""The ticket office: which tickets a holder has, with their keys, and the newest state in each.

Tickets are issued by `sealtrail ticket issue` in the same home; the ledger beside each
tag's access key says which. Keys are derived when they are asked for and kept nowhere.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sealtrail.archive.holdings import Holdings
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.home import Home, checked_serial
from sealtrail.keys import revocation, ticket
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.ticket_ledger import Issued, RevocationState, TicketLedger
from sealtrail.keys.wallet import ROLES
from sealwire import access

_ROLE_NAMES = {number: name for name, number in ROLES.items()}


@dataclass(frozen=True, slots=True)
class HeldTicket:
    """A live ticket of a holder, with what its holder needs to use it."""

    folder: TagFolder
    issued: Issued
    state: RevocationState


class TicketOffice:
    """The office of one home. *vault* None: it has no keys, and nobody gets a ticket."""

    def __init__(self, home: Home, vault: Vault | None, clock: Clock, holdings: Holdings) -> None:
        self._home = home
        self._vault = vault
        self._clock = clock
        self._holdings = holdings

    def serials(self) -> list[str]:
        """The tags this home has provisioned."""
        return sorted(path.parent.name for path in self._home.tags.glob("*/current"))

    def live(self, holder: bytes) -> list[HeldTicket]:
        """The live tickets of *holder* (16 B), one for each tag, role and trip: the newest."""
        found: dict[tuple[str, int, int], HeldTicket] = {}
        for serial in self.serials():
            for one in self._live_of(serial):
                terms = one.issued.terms
                if terms.holder == holder:
                    found[serial, terms.role, terms.trip] = one
        return list(found.values())

    def tids(self, holder: bytes) -> set[bytes]:
        """The tags for which *holder* has a live ticket."""
        return {one.folder.tid for one in self.live(holder)}

    def tickets(self, holder: bytes, tid: bytes | None = None) -> list[dict[str, Any]]:
        """The tickets of docs/archive.md 1.4; one with an old state is replaced first."""
        if self._vault is None:
            return []
        mine = [one for one in self.live(holder) if tid in (None, one.folder.tid)]
        return [self._shown(self._renewed(one)) for one in mine]

    def _live_of(self, serial: str) -> Iterator[HeldTicket]:
        with contextlib.suppress(AccessRefused, UsageError):
            folder = TagFolder.current(self._home, checked_serial(serial))
            revocation.refuse_if_revoked(self._home, serial, folder.tid)
            if folder.has_ended:
                return
            ledger = TicketLedger(folder)
            state, now_s = ledger.state, self._clock.now_ms() // 1000
            for one in ledger.issued():
                if one.terms.exp >= now_s and not state.is_dead(one.terms.tno):
                    yield HeldTicket(folder, one, state)

    def _renewed(self, held: HeldTicket) -> HeldTicket:
        """The same terms under the next number with the newest state, if it has an older one."""
        if held.issued.terms.rev >= held.state.rev or self._vault is None:
            return held
        with self._home.lock(held.folder.serial):
            state = TicketLedger(held.folder).state
            if state.is_dead(held.issued.terms.tno):
                return held  # revoked meanwhile; the next request does not show it
            issued = ticket.renewed(held.folder, held.issued, state)
        return HeldTicket(held.folder, issued, state)

    def _shown(self, held: HeldTicket) -> dict[str, Any]:
        assert self._vault is not None
        terms, folder = held.issued.terms, held.folder
        key = folder.access_key(self._vault)
        floors = held.state.doors(self._holdings.confirmed_floor(folder.tid))
        role = _ROLE_NAMES[terms.role]
        return {
            "name": f"{folder.serial}-{role}-{terms.tno}",
            "serial": folder.serial,
            "tid": folder.tid.hex(),
            "certificate": folder.certificate.hex(),
            "person": held.issued.person,
            "role": role,
            "number": terms.tno,
            "trip": terms.trip,
            "nbf_s": terms.nbf,
            "exp_s": terms.exp,
            "ticket": held.issued.packed.hex(),
            "ticket_key": access.ticket_key(key, held.issued.packed).hex(),
            "visit_keys": [access.visit_key(key, floor).hex() for floor in floors],
        }
