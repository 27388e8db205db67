# SPDX-License-Identifier: MIT
"""What a visitor does with a tag: sync, attest, hand over, start and end trips.

What arrives is checked by session keys and record links; what is *believed* about a
shipment is decided by `verify`, from the evidence alone. docs/access-protocol.md,
docs/sync-protocol.md.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from sealtrail.errors import EvidenceRefused, LinkError, SealtrailError, UsageError
from sealtrail.radio.evidence_store import EvidenceStore
from sealtrail.radio.key_check import check_attestation
from sealtrail.radio.key_memory import KeyMemory
from sealtrail.radio.link import Link
from sealtrail.radio.refusals import refusal_of
from sealtrail.radio.visitor_session import Head, VisitorSession, VisitorTicket
from sealwire import access, cbor, frames, labels, protocol, record, statement
from sealwire.envelope import RecordError
from sealwire.sync import HostSync, SyncError

__all__ = ["Attestation", "DockNote", "Head", "SyncProgress", "Visitor", "VisitorTicket"]

# Records collected before one fsync: a quarter of the window.
_BATCH_COUNT = protocol.CREDIT_DEFAULT // 4
_STARTS_MAX = 4  # a trip's first record, then what the tag overwrites meanwhile
_QUIET_S = 0.05  # nothing more is on its way: store what there is


@dataclass(frozen=True, slots=True)
class Attestation:
    """A type 23 statement as received, and what it says. Its signature is for `verify`."""

    signed: bytes
    head: Head
    unsealed_count: int


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a sync is. *record_count* and *size* count what this sync has stored."""

    next_seq: int
    head_seq: int
    record_count: int
    size: int


@dataclass(frozen=True, slots=True)
class DockNote:
    """What the signer of an offer or accept saw. *place* <= 48 B, <= 4 *seals* of <= 24 B."""

    place: str
    utc_s: int
    tz_min: int = 0
    seals: tuple[str, ...] = ()
    condition: int = 0  # 0: nothing to remark


ProgressCallback = Callable[[SyncProgress], None]


class Visitor(VisitorSession):
    """One holder's sessions with one tag. `connect` first; then what the ticket allows."""

    refetch_count = 0  # stretches of the stream that were asked for again
    gone_count = 0  # records that neither the tag nor the store holds any more

    def __init__(
        self,
        ticket: VisitorTicket,
        link: Link,
        *,
        random: Callable[[int], bytes] = os.urandom,
        monotonic_s: Callable[[], float] = time.monotonic,
        key_memory: KeyMemory | None = None,
    ) -> None:
        super().__init__(ticket, link, random=random, monotonic_s=monotonic_s)
        # Without a home's: what is learned of the tag's keys ends with the program.
        self._key_memory = key_memory or KeyMemory()

    # ---- sync

    async def sync(
        self, store: EvidenceStore, progress: ProgressCallback | None = None
    ) -> SyncProgress:
        """Brings *store* up to the tag's head. What it returns for is on the disk.

        Raises LinkError when the link stalls or breaks (connect again and call again),
        EvidenceRefused when the tag's records do not continue what is held.
        """
        first_seq = store.first_missing()
        gone_count = 0
        for _ in range(_STARTS_MAX):
            try:
                return await self._sync_from(first_seq, store, progress)
            except SyncError as problem:
                reason, where = problem.args
                if reason not in ("scope", "gone"):
                    raise _sync_failure(reason, where) from problem
            # What came before it failed is kept.
            first_seq = store.first_missing(first_seq)
            if reason == "gone":
                # Overwritten on the tag: what is not here either will never come.
                gone_count += _count_missing(store, first_seq, where)
                self.gone_count = gone_count
            # T9: a trip's ticket reads that trip's records only. The tag says from where.
            first_seq = store.first_missing(where)
        raise LinkError("the tag overwrites records faster than they come", "Go nearer, repeat.")

    async def _sync_from(
        self, first_seq: int, store: EvidenceStore, progress: ProgressCallback | None
    ) -> SyncProgress:
        host = HostSync(first_seq, store.prev_hash(first_seq), next_frame=self._next_frame)
        done = SyncProgress(first_seq, -1, 0, 0)
        sync_number = 0
        host.start(self._now_ms())
        try:
            while not host.is_done:
                host.tick(self._now_ms())
                sync_number = await self._say_for(host, sync_number)
                is_quiet = not await self._feed(host, sync_number)
                # Kept before anything is said that tells the tag what is held.
                is_due = is_quiet or host.state != "RECEIVING"
                if host.ready_count and (is_due or host.ready_count >= _BATCH_COUNT):
                    done = self._keep(host, store, done)
                    if progress is not None:
                        progress(done)
            host.stored()
            await self._say_for(host, sync_number)  # the last ACK
        except (LinkError, SyncError):
            if host.ready_count:  # confirmed, and dear on a bad link
                self._keep(host, store, done)
            raise
        finally:
            self._next_frame = host.next_frame
            self.refetch_count += host.refetch_count
        self.head = Head(host.head_seq, host.head_hash)
        return SyncProgress(host.next_seq, host.head_seq, done.record_count, done.size)

    async def _say_for(self, host: HostSync, sync_number: int) -> int:
        """Sends what *host* wants sent; returns the number of the last SYNC."""
        command = host.take_command()
        if command is None:
            return sync_number
        number = await self._say(*command)
        return number if command[0] == protocol.SYNC else sync_number

    async def _feed(self, host: HostSync, sync_number: int) -> bool:
        """Gives *host* what has arrived. False if nothing came for a moment."""
        inbound = await self.link.receive(_QUIET_S)
        if inbound is None:
            return False
        if inbound.is_bulk:
            if self._from_tag is None:
                raise LinkError("no session with the tag")
            try:
                number, chunk = self._from_tag.open_bulk(inbound.content)
            except frames.FrameError:
                return True
            host.on_bulk(number, chunk, self._now_ms())
        elif inbound.content and inbound.content[0] in (protocol.REPLY, protocol.REFUSE):
            number, body = self._opened(inbound.content)
            if number == sync_number:
                host.on_reply(body[1], body[2:], self._now_ms())
        return True

    def _keep(self, host: HostSync, store: EvidenceStore, done: SyncProgress) -> SyncProgress:
        records = host.take_records()
        store.append(records)
        # Only now, when they are on the disk, may the tag hear of it.
        host.stored()
        return SyncProgress(
            host.next_seq,
            host.head_seq,
            done.record_count + len(records),
            done.size + sum(map(len, records)),
        )

    def _now_ms(self) -> int:
        return int(self._monotonic_s() * 1000)

    async def attest(self, nonce: bytes) -> Attestation:
        """Has the tag sign its head together with *nonce* (16 bytes)."""
        signed = await self.command(protocol.ATTEST, nonce)
        try:
            kind, fields, *_ = statement.parse_statement(signed)
        except RecordError as problem:
            raise EvidenceRefused(f"attestation: {problem}") from problem
        if kind != labels.STATEMENT_ATTEST or fields[1] != self.ticket.tid or fields[4] != nonce:
            raise EvidenceRefused("the attestation is not for this tag and this nonce")
        self.head = Head(fields[2], fields[3])
        return Attestation(signed, self.head, fields[7])

    async def _judge_signature(self, attestation: Attestation) -> None:
        """H5: a head that goes into a custody statement is one the tag's key signed."""
        chain = self._key_memory.load(self.ticket.certificate)
        await check_attestation(chain, attestation.signed, attestation.head.seq, self._ask_keys)
        self._key_memory.save(chain)

    async def _ask_keys(self, from_seq: int) -> bytes:
        return await self.command(protocol.KEYS, from_seq.to_bytes(4, "big"))

    # ---- trips and custody

    async def trip_start(self, number: int, commitment: bytes, profile: bytes) -> None:
        """Arms the tag: trip number, CoI commitment (32 bytes), profile in compact CBOR."""
        await self.command(protocol.TRIP, cbor.encode({1: number, 2: commitment, 3: profile}))
        self.trip = number

    async def trip_end(self) -> None:
        """Ends the open trip; the tickets of that trip are dead from now on."""
        await self.command(protocol.TRIP_END)
        self.trip = 0

    async def status(self) -> int:
        """The tag's head seq, -1 when there is no record."""
        return access.seq_of(await self.command(protocol.STATUS))

    async def offer(self, note: DockNote, receiver: bytes | None = None) -> bytes:
        """Signs an offer over the tag's present head and leaves it there; returns it.

        *receiver*: the public key (32 bytes) of whom alone it is for, if that is known.
        """
        signed = await self._custody(labels.STATEMENT_OFFER, note, receiver, None)
        await self.command(protocol.OFFER, signed)
        return signed

    async def pending(self) -> bytes | None:
        """The offer that waits at the tag, as it was signed; None if there is none."""
        code, content = await self.ask(protocol.PENDING)
        if code == protocol.BAD_STATE:
            return None
        if code != protocol.OK:
            raise refusal_of(code)
        return content

    async def accept(self, note: DockNote) -> bytes:
        """Signs that the box was taken over, naming the offer that waits; returns it.

        Without an offer it says so too: taken without giver. Raises DeviceError when the
        tag refuses, AccessRefused when the ticket does not allow it.
        """
        offer = await self.pending()
        offer_hash = None if offer is None else access.sha256(offer)
        signed = await self._custody(labels.STATEMENT_ACCEPT, note, None, offer_hash)
        await self.command(protocol.ACCEPT, signed)
        return signed

    async def _custody(
        self, kind: int, note: DockNote, receiver: bytes | None, offer_hash: bytes | None
    ) -> bytes:
        # H5: the head comes from an attestation made now, not from what was read earlier.
        attestation = await self.attest(self._random(protocol.NONCE_SIZE))
        await self._judge_signature(attestation)
        head = attestation.head
        key = self.ticket.holder_key
        try:
            payload = statement.custody_payload(
                kind,
                self.ticket.tid,
                head.seq,
                head.record_hash,
                self.trip,
                note.utc_s,
                note.tz_min,
                note.place,
                list(note.seals),
                key.public_key().public_bytes_raw(),
                note.condition,
                receiver,
                offer_hash,
            )
        except RecordError as problem:
            raise UsageError(
                f"this cannot be signed: {problem}",
                "A place has at most 48 bytes; at most 4 seals of 24 bytes each.",
            ) from problem
        parts = record.sig_structure_parts(statement.protected_of(), payload)
        return statement.statement(payload, key.sign(b"".join(map(bytes, parts))))


def _count_missing(store: EvidenceStore, first_seq: int, end_seq: int) -> int:
    """How many records from *first_seq*, which is missing, to before *end_seq* are not held."""
    count = 0
    while first_seq < end_seq:
        count += 1
        first_seq = store.first_missing(first_seq + 1)
    return count


def _sync_failure(reason: str, where: int) -> SealtrailError:
    """The host's error for a SyncError."""
    if reason == "refused":
        return refusal_of(where)
    if reason in ("gap", "stalled"):
        return LinkError(
            f"the sync stalled at record {where}", "Go nearer and repeat; it resumes."
        )
    if reason == "behind":
        return EvidenceRefused(
            f"the tag's log ends at record {where}, before what is held here",
            "It was set back, or it is another tag. Have it examined.",
        )
    if reason == "fork":
        return EvidenceRefused(
            f"record {where} of the tag is not the record held here",
            "This is a fork. Keep both; have the tag examined.",
        )
    return EvidenceRefused(
        f"record {where} does not continue the chain ({reason})",
        "Read the tag by its serial dock: `sealtrail dump`.",
    )
