# SPDX-License-Identifier: MIT
"""One archive, all its parts built together: what the HTTP interface and the commands call."""

import contextlib
from pathlib import Path
from typing import Any

from sealtrail.archive.clients import PERSON_ROLES, Client, Clients
from sealtrail.archive.database import Database
from sealtrail.archive.holdings import Holdings
from sealtrail.archive.office import TicketOffice
from sealtrail.archive.sequence import Refused
from sealtrail.archive.service_desk import ServiceDesk
from sealtrail.archive.store import EvidenceArchive, Taken
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.evidence.certificate import judge_certificate
from sealtrail.evidence.chain import ChainJudge
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import SERVICE, service_kid
from sealtrail.home import Home
from sealtrail.keys import person, rotation
from sealtrail.keys.secrets import Vault
from sealtrail.keys.shelf import Shelf
from sealwire import protocol

_FLEET_TYPE, _SERVICE_TYPE, _RECEIPT_TYPE = 21, 19, 17


def database_path(home: Home) -> Path:
    """Where an archive's data lies in its home."""
    return home.root / "archive" / "archive.sqlite"


class Archive:
    """The archive of one home. *vault* None: it stores evidence and signs nothing."""

    def __init__(self, home: Home, vault: Vault | None, clock: Clock) -> None:
        path = database_path(home)
        if not path.exists():
            raise UsageError(
                f"{home.root}: there is no archive here", "`sealtrail archive init` makes it."
            )
        self._home = home
        self._vault = vault
        self._clock = clock
        self.database = Database(path)
        self.clients = Clients(self.database, clock)
        self.holdings = Holdings(self.database, home)
        self.evidence = EvidenceArchive(self.database, home, clock)
        self.desk = ServiceDesk(self.database, home, vault, clock)
        self.office = TicketOffice(home, vault, clock, self.holdings)

    @classmethod
    def init(cls, home: Home, clock: Clock) -> "Archive":
        """Makes the archive's file where there is none; durable on return."""
        if not home.fleet_pub.exists():
            raise UsageError(
                f"{home.fleet_pub}: no public fleet key here", "Copy the fleet's fleet.pub there."
            )
        path = database_path(home)
        home.make(path.parent)
        Database(path).close()
        return cls(home, None, clock)

    def close(self) -> None:
        """Closes the file. Nothing is lost without it."""
        self.database.close()

    def take(self, body: bytes, client: str) -> tuple[Taken, dict[str, Any]]:
        """Takes an upload in; returns what became of it and what is held now."""
        taken = self.evidence.take(body, client, lambda tag, judge: self._receipt(tag.tid, judge))
        held = self.held(taken.tid)
        assert held is not None
        return taken, held

    def held(self, tid: bytes) -> dict[str, Any] | None:
        """The object *held* of docs/archive.md 1.1; None for an unknown tag."""
        held = self.holdings.held(tid)
        if held is not None:
            held["receipt_withheld"] = self.desk.why_withheld(held)
        return held

    def carry(self, tid: bytes, holder: bytes | None) -> dict[str, Any] | None:
        """What a visitor should bring that tag; None for an unknown tag."""
        certificate = self._certificate(tid)
        if certificate is None:
            return None
        with self.evidence.chains.locked(tid):
            judge = self._judge(tid, certificate)
            self._receipt(tid, judge)  # the service key may be another one now
        receipt = self.holdings.newest_receipt(tid)
        due: list[tuple[int, int, bytes]] = [
            (protocol.FLEET_NEXT, _FLEET_TYPE, one.raw)
            for one in rotation.outstanding(self._home, certificate)
        ]
        certificates = Shelf(self._home).all(SERVICE)
        signers = [x for x in certificates if receipt is not None and service_kid(x) == receipt[2]]
        vouching = {one.raw: None for one in (*signers[-1:], *certificates[-1:])}
        due += [(protocol.SERVICE_CERT, _SERVICE_TYPE, raw) for raw in vouching]
        if receipt is not None:
            due.append((protocol.RECEIPT, _RECEIPT_TYPE, receipt[1]))
        rows = [{"op": op, "type": kind, "statement": raw.hex()} for op, kind, raw in due]
        tickets = [] if holder is None else self.office.tickets(holder, tid)
        return {"tid": tid.hex(), "statements": rows, "tickets": tickets}

    def seal(self, tid: bytes) -> bytes | None:
        """`evidence.seal` of one tag; None for an unknown one."""
        certificate = self.holdings.certificate(tid)
        if certificate is None:
            return None
        with self.evidence.chains.locked(tid):
            judge = self._judge(tid, certificate)
            return self.holdings.evidence(tid, judge, self.evidence.trust.fleet_keys())

    def enrol(self, client: Client, public_key: bytes, proof: bytes) -> Client:
        """Binds a client to its key and registers its name with it, where that is possible."""
        bound = self.clients.set_key(client, public_key, proof)
        if self._vault is not None:
            # Without a service key for it verifiers show the key's fingerprint.
            with contextlib.suppress(AccessRefused, UsageError):
                person.add(
                    self._home,
                    self._vault,
                    self._clock,
                    client.name,
                    role=PERSON_ROLES[client.role],
                    public_key=public_key,
                )
        return bound

    def _receipt(self, tid: bytes, judge: ChainJudge) -> None:
        self.desk.receipt_for(tid, judge)

    def _certificate(self, tid: bytes) -> bytes | None:
        """From the evidence, else from this home's own provisioning."""
        found = self.holdings.certificate(tid)
        if found is not None:
            return found
        paths = list(self._home.tags.glob(f"*/{tid.hex()}/certificate.cbor"))
        return paths[0].read_bytes() if paths else None

    def _judge(self, tid: bytes, certificate: bytes) -> ChainJudge:
        try:
            _, key = judge_certificate(certificate, self.evidence.trust.fleet_keys())
        except Refusal as refusal:
            raise UsageError(
                f"tag {tid.hex()}: its certificate does not hold any more ({refusal.reason})",
                "Check that fleet.pub is the fleet's newest.",
            ) from None
        return self.evidence.chains.load(tid, certificate, key)


def refused_json(refused: Refused) -> dict[str, Any]:
    """`refused` of docs/archive.md 1.1."""
    names = ("index", "seq", "rule", "reason", "detail")
    return {name: getattr(refused, name) for name in names}
