# SPDX-License-Identifier: MIT
"""Brings what is due to the archive, and takes home what is to be carried to tags.

The archive says what it holds; only what it lacks is sent. A receipt is kept for the tag
only if its signature holds and it names a record that lies here too (R4).
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sealtrail.archive_client.client import ArchiveClient, ArchiveLater
from sealtrail.archive_client.outbox import ArchiveOutbox, Due
from sealtrail.archive_client.pouch import PouchShelf, Row
from sealtrail.clock import Clock
from sealtrail.errors import AccessRefused, EvidenceRefused, LinkError, StorageError
from sealtrail.evidence.certificate import FleetKey
from sealtrail.evidence.cose import VerifyingKey
from sealtrail.evidence.refusal import Refusal
from sealtrail.evidence.statements import (
    RECEIPT,
    SERVICE,
    TIME,
    RawStatement,
    judge_fleet,
    read_statement,
    service_kid,
)
from sealtrail.home import Home
from sealtrail.radio.evidence_store import EvidenceStore
from sealwire import protocol
from sealwire.sync import link_of

_UPLOAD_SIZE = 4 << 20  # half of what the archive takes
_STATEMENTS_MAX = 500  # the newest; older ones came with earlier uploads
_CARRIED_OPS = (protocol.FLEET_NEXT, protocol.SERVICE_CERT, protocol.RECEIPT)
_USAGES = {TIME: 1, RECEIPT: 2}
_TIME_KEYS = {TIME: 3, RECEIPT: 4}  # where each says when it was signed


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one tag's evidence. *problem* "": the archive holds all of it."""

    serial: str
    tid: bytes
    new_count: int
    head_seq: int
    receipt_seq: int | None
    problem: str = ""
    is_refused: bool = False


class Courier:
    """Delivers for one home to one archive. *fleet*: the keys that certify service keys."""

    def __init__(
        self, home: Home, clock: Clock, client: ArchiveClient, fleet: Sequence[FleetKey]
    ) -> None:
        self._home = home
        self._clock = clock
        self._client = client
        self._fleet = fleet
        self._pouches = PouchShelf(home)

    def flush(self, outbox: ArchiveOutbox) -> list[Delivered]:
        """Tries everything that is due for this archive; never raises for one tag's failure.

        After the first sign of no network the rest is left for another time.
        """
        done: list[Delivered] = []
        for due in outbox.waiting(self._client.url):
            if due.state != "due":
                continue
            try:
                delivered = self._deliver(due)
            except (LinkError, AccessRefused) as problem:
                outbox.note(due, problem.message)
                done.append(_failed(due, problem.message))
                break
            except (EvidenceRefused, StorageError) as problem:
                outbox.note(due, problem.message)
                done.append(_failed(due, problem.message))
                continue
            if delivered.is_refused:
                outbox.note(due, delivered.problem, "refused")
            else:
                outbox.done(due)
            done.append(delivered)
        return done

    def _deliver(self, due: Due) -> Delivered:
        path = self._home.evidence / due.store
        with contextlib.closing(EvidenceStore(path, read_only=True)) as store:
            held = self._client.put(store.certificate)
            new_count, problem = 0, ""
            for body in _uploads(store, held):
                held = self._client.put(body)
                new_count += _number(held, "new")
                if "refused" in held:
                    problem = _refusal_text(held["refused"])
                    break
            self.refill(due.tid, store)
        return Delivered(
            due.serial,
            due.tid,
            new_count,
            _number(held, "head"),
            held.get("receipt_seq"),
            problem,
            bool(problem),
        )

    def refill(self, tid: bytes, store: EvidenceStore) -> None:
        """Takes home what the archive has for a tag, and tokens for its open nonces."""
        carried = self._client.carry(tid)
        pouch = self._pouches.load(tid)
        if carried is not None:
            pouch = pouch.refilled(checked_rows(carried, tid, store, self._fleet))
        for nonce in pouch.live_nonces(self._clock.now_ms()):
            with contextlib.suppress(AccessRefused):  # the archive gives out no time
                token = self._client.time_token(tid, nonce)
                pouch = pouch.with_token(nonce, protocol.TIME_TOKEN, token)
        self._pouches.save(tid, pouch)


def checked_rows(
    carried: dict[str, Any], tid: bytes, store: EvidenceStore, fleet: Sequence[FleetKey]
) -> tuple[Row, ...]:
    """What is worth carrying; a receipt only if it holds and its record lies in *store*.

    Raises EvidenceRefused for a receipt that contradicts what is held here.
    """
    rows: list[Row] = []
    services: list[RawStatement] = []
    for op, statement in _read(carried):
        if op not in _CARRIED_OPS:
            continue
        if statement.type == SERVICE:
            services.append(statement)
        if statement.type == RECEIPT and not _is_good(statement, tid, store, services, fleet):
            continue
        rows.append((op, statement.type, statement.raw))
    return tuple(rows)


def _read(carried: dict[str, Any]) -> Iterator[tuple[int, RawStatement]]:
    rows = carried.get("statements")
    for row in rows if isinstance(rows, list) else ():
        try:
            yield int(row["op"]), read_statement(bytes.fromhex(row["statement"]))
        except (Refusal, KeyError, TypeError, ValueError):
            raise ArchiveLater("what the archive gives out to carry is not understood") from None


def _is_good(
    receipt: RawStatement,
    tid: bytes,
    store: EvidenceStore,
    services: Iterable[RawStatement],
    fleet: Sequence[FleetKey],
) -> bool:
    if receipt.octets(1) != tid:
        return False
    here = store.prev_hash(receipt.number(2) + 1)
    if here is not None and here != receipt.octets(3):
        raise EvidenceRefused(
            f"the archive has receipted another record {receipt.number(2)} than the one here",
            "This is a fork. Keep both; have the tag examined.",
        )
    return any(vouches(one, receipt, fleet) for one in services)


def vouches(service: RawStatement, said: RawStatement, fleet: Sequence[FleetKey]) -> bool:
    """R18 for a receipt or time token *said*: by the key of *service*, allowed and in force."""
    at_s = said.number(_TIME_KEYS[said.type]) // 1000
    if service_kid(service) != said.kid or not service.number(4) & _USAGES[said.type]:
        return False
    if not service.number(2) <= at_s <= service.number(3):
        return False
    try:
        judge_fleet(service, fleet)
    except Refusal:
        return False
    return VerifyingKey(service.octets(1)).holds(said.envelope)


def _uploads(store: EvidenceStore, held: dict[str, Any]) -> Iterator[bytes]:
    """Bodies with what the archive lacks; statements behind the last records."""
    body = bytearray(store.certificate)
    for record in _lacking(store, held):
        if len(body) + len(record) > _UPLOAD_SIZE:
            yield bytes(body)
            body = bytearray(store.certificate)
        body += record
    for statement in store.statements()[-_STATEMENTS_MAX:]:
        body += statement
    if len(body) > len(store.certificate):
        yield bytes(body)


def _lacking(store: EvidenceStore, held: dict[str, Any]) -> Iterator[bytes]:
    head = _number(held, "head")
    ours = store.prev_hash(head + 1) if head >= 0 else None
    # Another record of that number: let the archive see all of ours, and name the fork.
    is_other = ours is not None and ours.hex() != held.get("head_hash")
    loose = [] if is_other else held.get("loose", [])
    for record in store.records():
        seq = int(link_of(record)[0])
        is_there = seq <= head or any(first <= seq <= last for first, last in loose)
        # The last one goes in any case: where it differs, that is a fork, too.
        if is_other or not is_there or seq == store.head_seq:
            yield record


def _failed(due: Due, problem: str) -> Delivered:
    return Delivered(due.serial, due.tid, 0, -1, None, problem)


def _number(held: dict[str, Any], name: str) -> int:
    value = held.get(name)
    if type(value) is not int:
        raise ArchiveLater("the archive's answer is not understood")
    return value


def _refusal_text(refused: Any) -> str:
    if not isinstance(refused, dict):
        raise ArchiveLater("the archive's answer is not understood")
    return (
        f"the archive refuses record {refused.get('seq')}: {refused.get('reason')}"
        f" ({refused.get('rule')})"
    )
