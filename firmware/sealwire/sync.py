# SPDX-License-Identifier: MIT
"""Both ends of a sync, without I/O: commands in, chunks out, and back again.

The tag streams records from the one asked for, concatenated and cut into frames. It may
send records with seq < acknowledged + credit: credit is absolute, so a lost or repeated
ACK does no harm. The host believes a record only when the next one, or the head in the
MACed reply, names its hash; it acknowledges only what its store has made durable.
docs/sync-protocol.md is normative; its state tables are the two tables below.

    tag    IDLE --sync--> SENDING <--ack-- WAITING        host  IDLE --start--> ASKING
             ^--end------    |  --spent------^                    ASKING --reply--> RECEIVING
                                                                  RECEIVING --complete--> DONE
"""

from .access import seq_of, sha256
from .cbor import CborError, item_size
from .protocol import (
    ACK,
    BAD_STATE,
    CREDIT_DEFAULT,
    CREDIT_MIN,
    NO_SCOPE,
    OK,
    RECORD_SIZE_MAX,
    REFETCH_MAX,
    REPLY_TIMEOUT_MS,
    SILENCE_MS,
    STALL_MS,
    SYNC,
    VALUE_SIZE_MAX,
)

TAG_TABLE = {
    "IDLE": {"sync": "SENDING", "ack": "IDLE"},
    "SENDING": {"sync": "SENDING", "ack": "SENDING", "spent": "WAITING", "end": "IDLE"},
    "WAITING": {"sync": "SENDING", "ack": "SENDING"},
}

HOST_TABLE = {
    "IDLE": {"start": "ASKING"},
    "ASKING": {"silence": "ASKING", "reply": "RECEIVING", "complete": "DONE", "fail": "FAILED"},
    "RECEIVING": {
        "reply": "RECEIVING",
        "silence": "RECEIVING",
        "refetch": "ASKING",
        "complete": "DONE",
        "fail": "FAILED",
    },
    "DONE": {},
    "FAILED": {},
}

# Silent seconds answered with a repeated ACK before SYNC itself is said again.
_ACKS_BEFORE_RESYNC = 2


class SyncError(Exception):
    """A sync that cannot go on. args = (reason, where).

    "stalled" and "gap" are the link's: reconnect and resume. "refused" (where = code),
    "scope" (where = first seq this ticket may read), "gone" (where = first seq that the tag
    still holds), "behind", "fork", "chain", "form"
    (where = seq) are the tag's or somebody else's; repeating does not cure them.
    """


def pack_sync(first_seq: int, credit: int) -> bytes:
    """The arguments of SYNC and of ACK: first sequence number not held, and credit."""
    return first_seq.to_bytes(4, "big") + credit.to_bytes(2, "big")


def parse_sync(args: bytes) -> tuple:
    """(first_seq, credit). Raises SyncError("form", 0) unless *args* has 6 bytes."""
    if len(args) != 6:
        raise SyncError("form", 0)
    return int.from_bytes(args[:4], "big"), int.from_bytes(args[4:], "big")


class TagSync:
    """The tag's end. *read* gives the bytes of one record by its sequence number."""

    def __init__(self, read) -> None:
        self._read = read
        self._buffer = bytearray(VALUE_SIZE_MAX)
        self.state = "IDLE"
        self.is_new = True  # until the first begin()
        self._seq = 0  # the record being sent
        self._end = -1  # the last one to be sent
        self._limit = 0  # the first one not to be sent yet
        self._record = b""
        self._offset = 0  # in _record; the rest of it is still to be sent

    def _go(self, event: str) -> None:
        self.state = TAG_TABLE[self.state][event]

    def begin(self, first_seq: int, credit: int, head_seq: int) -> None:
        """(Re)starts the stream at *first_seq*; it ends with record *head_seq*."""
        self._go("sync")
        self.is_new = False
        self._seq = first_seq
        self._end = head_seq
        self._limit = first_seq + credit
        self._record = b""
        self._offset = 0

    def acknowledge(self, seq: int, credit: int) -> None:
        """Allows records below *seq* + *credit*. What was once allowed stays allowed."""
        self._limit = max(self._limit, seq + credit)
        self._go("ack")

    def next_chunk(self, size_max: int):
        """The next at most *size_max* bytes of the stream, or None when there are none now.

        The chunk is valid until the next call. Raises what *read* raises.
        """
        size_max = min(size_max, len(self._buffer))
        filled = 0
        while self.state == "SENDING" and filled < size_max:
            if self._offset == len(self._record) and not self._load():
                break
            size = min(size_max - filled, len(self._record) - self._offset)
            part = memoryview(self._record)[self._offset : self._offset + size]
            self._buffer[filled : filled + size] = part
            self._offset += size
            filled += size
            if self._offset == len(self._record):
                self._seq += 1
        return memoryview(self._buffer)[:filled] if filled else None

    def _load(self) -> bool:
        """Reads the next record, if there is one and it may be sent."""
        if self._seq > self._end:
            self._go("end")
        elif self._seq >= self._limit:
            self._go("spent")
        else:
            self._record = self._read(self._seq)
            self._offset = 0
            return True
        return False


class HostSync:
    """The host's end. Times are milliseconds of any clock that only goes forward.

    The caller sends what take_command() gives, feeds replies and bulk chunks in the order
    in which they arrived, makes take_records() durable and then calls stored().
    """

    def __init__(
        self, next_seq: int, prev_hash, credit: int = CREDIT_DEFAULT, next_frame: int = 0
    ) -> None:
        """Asks from *next_seq*, whose PREV must be *prev_hash* (None: not known).

        *next_frame*: the bulk frame that comes next, where this session had a sync before.
        """
        self.state = "IDLE"
        self.next_seq = next_seq  # first record not confirmed
        self.head_seq = -1
        self.head_hash = b""
        self.refetch_count = 0
        self._prev_hash = prev_hash  # of record next_seq - 1
        self._credit = max(CREDIT_MIN, credit)
        self._asked_seq = next_seq  # `from` of the last SYNC
        self._stream = bytearray()  # bytes that do not make up a record yet
        self._stream_seq = next_seq  # the record that must come next in the stream
        self._pending = None  # record next_seq: whole, but not confirmed yet
        self._pending_hash = b""
        self._confirmed = []
        self.next_frame = next_frame  # bulk frame numbers go on over re-fetches
        self._acked_seq = next_seq
        self._durable_seq = next_seq
        self._command = None
        self._tries = 0  # re-fetches since the last confirmed record
        self._silent_count = 0
        self._heard_ms = 0
        self._progress_ms = 0

    @property
    def is_done(self) -> bool:
        """True once every record up to the head was confirmed and taken."""
        return self.state == "DONE" and not self._confirmed

    @property
    def ready_count(self) -> int:
        """How many confirmed records take_records() would give."""
        return len(self._confirmed)

    def start(self, now_ms: int) -> None:
        """Begins: the first command is SYNC."""
        self._go("start")
        self._progress_ms = now_ms
        self._ask(now_ms)

    def take_command(self) -> tuple | None:
        """(op, args) to be sent now, or None."""
        command, self._command = self._command, None
        return command

    def take_records(self) -> list:
        """The records confirmed since the last call, in order, byte for byte."""
        records, self._confirmed = self._confirmed, []
        return records

    def stored(self) -> None:
        """Everything taken so far is durable: only now may it be acknowledged."""
        self._durable_seq = self.next_seq - len(self._confirmed)
        is_due = self._durable_seq - self._acked_seq >= self._credit // 2
        # Never due right after a SYNC, which says the same: _ask() sets _acked_seq.
        if is_due or self.is_done:
            self._acknowledge()

    def on_reply(self, code: int, content: bytes, now_ms: int) -> None:
        """The answer to the last SYNC: what follows it is a new stream. Raises SyncError."""
        if self.state == "DONE":
            return
        if code == NO_SCOPE and len(content) == 4:
            self._fail("scope", seq_of(content))
        if code == BAD_STATE and len(content) == 4 and seq_of(content) > self.next_seq:
            self._fail("gone", seq_of(content))
        if code != OK:
            self._fail("refused", code)
        if len(content) != 36:
            self._fail("form", self.next_seq)
        self.head_seq = seq_of(content[:4])
        self.head_hash = bytes(content[4:])
        self._restart(now_ms)
        if self.head_seq + 1 < self.next_seq:
            self._fail("behind", self.head_seq)
        if self.head_seq + 1 > self.next_seq:
            self._go("reply")
        elif self._prev_hash is not None and self._prev_hash != self.head_hash:
            self._fail("fork", self.head_seq)
        else:
            self._go("complete")

    def on_bulk(self, number: int, chunk, now_ms: int) -> None:
        """One bulk frame, decrypted. Raises SyncError when asking again is of no use."""
        if number < self.next_frame:
            return  # Said twice by the carrier; never by the tag.
        is_gap = number > self.next_frame
        self.next_frame = number + 1
        if self.state != "RECEIVING":
            return  # The rest of a stream that was given up.
        self._heard_ms = self._progress_ms = now_ms
        self._silent_count = 0
        if is_gap:
            self._refetch("gap", now_ms)
            return
        self._stream += chunk
        reason = self._split()
        if reason:
            self._refetch(reason, now_ms)

    def tick(self, now_ms: int) -> None:
        """Call at least once a second. Raises SyncError("stalled", seq) after 10 s."""
        if self.state not in ("ASKING", "RECEIVING"):
            return
        if now_ms - self._progress_ms >= STALL_MS:
            self._fail("stalled", self.next_seq)
        limit_ms = REPLY_TIMEOUT_MS if self.state == "ASKING" else SILENCE_MS
        if now_ms - self._heard_ms < limit_ms:
            return
        self._go("silence")
        self._heard_ms = now_ms
        self._silent_count += 1
        if self.state == "RECEIVING" and self._silent_count <= _ACKS_BEFORE_RESYNC:
            self._acknowledge()  # The credit may have been lost on its way.
        elif self.state == "RECEIVING":
            self._refetch("gap", now_ms)  # The end of the stream may have been lost.
        else:
            self._ask(now_ms)

    def _go(self, event: str) -> None:
        self.state = HOST_TABLE[self.state][event]

    def _fail(self, reason: str, where: int) -> None:
        self._go("fail")
        raise SyncError(reason, where)

    def _ask(self, now_ms: int) -> None:
        self._asked_seq = self.next_seq
        self._acked_seq = self.next_seq
        self._command = (SYNC, pack_sync(self.next_seq, self._credit))
        self._heard_ms = now_ms

    def _acknowledge(self) -> None:
        self._acked_seq = self._durable_seq
        self._command = (ACK, pack_sync(self._durable_seq, self._credit))

    def _restart(self, now_ms: int) -> None:
        self._stream = bytearray()
        self._stream_seq = self._asked_seq
        self._pending = None
        self._silent_count = 0
        self._heard_ms = now_ms

    def _refetch(self, reason: str, now_ms: int) -> None:
        """Asks again from the first record not confirmed, but not for ever."""
        self._tries += 1
        self.refetch_count += 1
        if self._tries > REFETCH_MAX:
            self._fail(reason, self.next_seq)
        self._go("refetch")
        self._restart(now_ms)
        self._ask(now_ms)

    def _split(self):
        """Takes whole records off the stream. Returns why it is broken, or None."""
        offset = 0
        reason = None
        while self.state == "RECEIVING" and reason is None:
            try:
                size = item_size(self._stream, offset, RECORD_SIZE_MAX)
            except CborError:
                reason = "form"
                break
            if size is None:
                break
            reason = self._accept(bytes(self._stream[offset : offset + size]))
            offset += size
        if offset:
            self._stream = self._stream[offset:]
        return reason

    def _accept(self, record: bytes):
        """Takes one record. Returns why it does not fit, or None."""
        try:
            seq, prev_hash = link_of(record)
        except (CborError, ValueError, IndexError, TypeError):
            return "form"
        if seq != self._stream_seq:
            return "form"
        self._stream_seq += 1
        if seq < self.next_seq:
            return None  # Confirmed before this stream was asked for.
        if self._pending is not None:
            if prev_hash != self._pending_hash:
                return "chain"
            self._confirm()
        elif self._prev_hash is not None and prev_hash != self._prev_hash:
            return "chain"
        self._pending = record
        self._pending_hash = sha256(record)
        if seq == self.head_seq:
            if self._pending_hash != self.head_hash:
                return "chain"
            self._confirm()
            self._go("complete")
        return None

    def _confirm(self) -> None:
        self._confirmed.append(self._pending)
        self._prev_hash = self._pending_hash
        self._pending = None
        self.next_seq += 1
        self._tries = 0


def link_of(record: bytes) -> tuple:
    """(seq, prev_hash) of a record, without reading the rest. Raises CborError, ValueError.

    A record is D2 84, protected, {}, payload; a payload begins 0: kind, 1: seq, 2: PREV.
    """
    if record[:2] != b"\xd2\x84":
        raise ValueError("no COSE_Sign1")
    offset = 2
    for _ in range(2):
        offset += item_size(record, offset)
    major_2 = record[offset]
    offset += {0x58: 2, 0x59: 3}.get(major_2, 1)  # head of the payload's byte string
    if record[offset] >> 5 != 5 or record[offset + 1] != 0:
        raise ValueError("no record payload")
    offset += 2 + item_size(record, offset + 2)
    if record[offset] != 1:
        raise ValueError("no SEQ")
    size = item_size(record, offset + 1)
    seq = _uint_of(record[offset + 1 : offset + 1 + size])
    offset += 1 + size
    if record[offset : offset + 3] != b"\x02\x58\x20":
        raise ValueError("no PREV")
    return seq, bytes(record[offset + 3 : offset + 35])


def _uint_of(item: bytes) -> int:
    if item[0] >> 5 != 0:
        raise ValueError("SEQ is no unsigned integer")
    return item[0] if len(item) == 1 else int.from_bytes(item[1:], "big")
