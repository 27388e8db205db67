# SPDX-License-Identifier: MIT
"""Both ends of a sync in memory, with a pipe that drops, repeats and cuts. Both interpreters.

Time is a number that only this file turns. A command the pipe drops was a write without
response that the tag's queue lost; a bulk frame it drops was lost by the carrier.
"""

import hashlib

from sealwire.frames import Sealer
from sealwire.protocol import ACK, BULK, COMMAND, OK, REPLY, SYNC
from sealwire.sync import HostSync, SyncError, TagSync, parse_sync

CERTIFICATE = b"certificate of a tag that is not there"
_STEPS_MAX = 20_000
_STEP_MS = 5
RANDOM_CUTS = 500


def head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes((major << 5 | value,))
    if value < 256:
        return bytes((major << 5 | 24, value))
    return bytes((major << 5 | 25,)) + value.to_bytes(2, "big")


def make_record(seq: int, prev_hash: bytes, size: int) -> bytes:
    """A record of the right shape, padded in its RUNS to about *size*; its signature is none."""
    filling = bytes([(seq * 7 + index) & 0xFF for index in range(max(0, size - 130))])
    payload = b"\xa4\x00\x00\x01" + head(0, seq) + b"\x02\x58\x20" + prev_hash
    payload += b"\x05" + head(2, len(filling)) + filling
    payload = head(2, len(payload)) + payload
    return b"\xd2\x84\x43\xa1\x01\x27\xa0" + payload + b"\x58\x40" + bytes(64)


def make_chain(count: int, size_of=None) -> list:
    records = []
    prev_hash = hashlib.sha256(CERTIFICATE).digest()
    for seq in range(count):
        record = make_record(seq, prev_hash, size_of(seq) if size_of else 213)
        prev_hash = hashlib.sha256(record).digest()
        records.append(record)
    return records


class FakeTag:
    """A tag's sync half: commands in, replies and bulk frames out, through real frames."""

    def __init__(self, records: list, chunk_size: int):
        self.records = records
        self.chunk_size = chunk_size
        self.sync = TagSync(self.read)
        self.visitor = Sealer(bytes(32), bytes(16))
        self.sealer = Sealer(bytes(32), bytes(range(16)))
        self.frame = 0
        self.read_count = 0
        self.highest_read = -1
        self.limit = 0

    def read(self, seq: int) -> bytes:
        assert seq < self.limit, "record %d was sent without credit" % seq
        self.read_count += 1
        self.highest_read = max(self.highest_read, seq)
        return self.records[seq]

    def command(self, frame: bytes):
        number, body = self.visitor.open(COMMAND, frame)
        first_seq, credit = parse_sync(body[1:])
        if body[0] == ACK:
            self.limit = max(self.limit, first_seq + credit)
            self.sync.acknowledge(first_seq, credit)
            return None
        self.limit = first_seq + credit
        head_seq = len(self.records) - 1
        self.sync.begin(first_seq, credit, head_seq)
        last = self.records[-1] if self.records else CERTIFICATE
        content = (head_seq & 0xFFFFFFFF).to_bytes(4, "big") + hashlib.sha256(last).digest()
        return self.sealer.seal(REPLY, number, bytes((SYNC, OK)) + content)

    def bulk(self):
        chunk = self.sync.next_chunk(self.chunk_size)
        if chunk is None:
            return None
        self.frame += 1
        return self.sealer.seal_bulk(self.frame - 1, chunk)


class Pipe:
    """What goes wrong on the way. Each hook sees a running number and says what arrives."""

    def __init__(self):
        self.command_count = 0
        self.frame_count = 0

    def command(self, frame: bytes) -> list:
        self.command_count += 1
        return [frame]

    def out(self, frame: bytes) -> list:
        self.frame_count += 1
        return [frame]


class LossyPipe(Pipe):
    """Drops commands and frames by a small generator of its own; repeats some commands."""

    def __init__(self, seed: int, command_loss: int, frame_loss: int):
        super().__init__()
        self.state = seed
        self.command_loss = command_loss
        self.frame_loss = frame_loss

    def _percent(self) -> int:
        self.state = (self.state * 1103515245 + 12345) & 0x3FFFFFFF
        return (self.state >> 8) % 100

    def command(self, frame: bytes) -> list:
        self.command_count += 1
        draw = self._percent()
        if draw < self.command_loss:
            return []
        return [frame, frame] if draw < 2 * self.command_loss else [frame]

    def out(self, frame: bytes) -> list:
        self.frame_count += 1
        return [] if self._percent() < self.frame_loss else [frame]


class LinkCut(Exception):
    """The link is gone, with everything that was on its way."""


class CutPipe(Pipe):
    """Cuts the link at the *limit*-th frame from the tag."""

    def __init__(self, limit: int):
        super().__init__()
        self.limit = limit

    def out(self, frame: bytes) -> list:
        self.frame_count += 1
        if self.frame_count > self.limit:
            raise LinkCut
        return [frame]


class RoughPipe(LossyPipe):
    """Cuts at a random frame of both ways; before that drops, repeats and swaps some."""

    def __init__(self, seed: int, limit_max: int):
        super().__init__(seed, 5, 2)
        self._percent()
        self.limit = (self._percent() * 100 + self._percent()) % limit_max
        self.held_back = None

    def command(self, frame: bytes) -> list:
        self._count()
        return super().command(frame)

    def out(self, frame: bytes) -> list:
        self._count()
        if frame[0] != BULK:
            return super().out(frame)
        if self.held_back is not None:
            frames, self.held_back = [frame, self.held_back], None
            return frames
        draw = self._percent()
        if draw < 2:
            self.held_back = frame  # comes after the next one
            return []
        return [frame, frame] if draw < 5 else super().out(frame)

    def _count(self):
        self.limit -= 1
        if self.limit < 0:
            raise LinkCut


class Store:
    """Keeps records in order; counts those it was given twice or too late."""

    def __init__(self):
        self.records = []

    @property
    def last_hash(self) -> bytes:
        return hashlib.sha256(self.records[-1] if self.records else CERTIFICATE).digest()


def run_link(tag: FakeTag, store: Store, pipe: Pipe, credit: int = 8) -> HostSync:
    """One connection from SYNC to the end. Raises LinkCut or SyncError."""
    host = HostSync(len(store.records), store.last_hash, credit)
    sealer = Sealer(bytes(32), bytes(16))
    tag_sealer = Sealer(bytes(32), bytes(range(16)))
    now_ms = number = sync_number = 0
    host.start(now_ms)
    for _ in range(_STEPS_MAX):
        now_ms += _STEP_MS
        host.tick(now_ms)
        command = host.take_command()
        if command:
            number += 1
            sync_number = number if command[0] == SYNC else sync_number
            frame = sealer.seal(COMMAND, number, bytes((command[0],)) + command[1])
            for arrived in pipe.command(frame):
                reply = tag.command(arrived)
                for answer in pipe.out(reply) if reply else []:
                    answered, body = tag_sealer.open(REPLY, answer)
                    if answered == sync_number:
                        host.on_reply(body[1], body[2:], now_ms)
        frame = tag.bulk()
        for arrived in pipe.out(frame) if frame else []:
            assert arrived[0] == BULK
            frame_number, chunk = tag_sealer.open_bulk(arrived)
            host.on_bulk(frame_number, chunk, now_ms)
        store.records += host.take_records()
        host.stored()
        if host.is_done:
            return host
    raise AssertionError("the sync did not end")


def cut_at_every_frame(count: int, chunk_size: int) -> int:
    """Cuts after 0, 1, 2 ... frames, resumes, and looks at what is held. Returns the cuts."""
    chain = make_chain(count)
    total_size = sum([len(record) for record in chain])
    frame_count = (total_size + chunk_size - 1) // chunk_size + 1
    for limit in range(frame_count + 8):
        store = Store()
        try:
            run_link(FakeTag(chain, chunk_size), store, CutPipe(limit))
        except LinkCut:
            assert store.records == chain[: len(store.records)]
        run_link(FakeTag(chain, chunk_size), store, Pipe())
        assert store.records == chain
    return frame_count + 8


def lossy_runs(count: int, seeds: int) -> int:
    """Loses 10 % of the commands and 2 % of the frames, reconnecting where the end gives up."""
    chain = make_chain(count, lambda seq: 140 + seq * 37 % 700)
    reconnect_count = 0
    for seed in range(seeds):
        store = Store()
        for attempt in range(50):
            try:
                pipe = LossyPipe(seed * 100 + attempt, 10, 2)
                run_link(FakeTag(chain, 240), store, pipe)
                break
            except SyncError as error:
                assert error.args[0] in ("gap", "stalled"), error.args
                reconnect_count += 1
        assert store.records == chain
    return reconnect_count


def random_cuts(count: int, seed: int = 1) -> int:
    """Cuts at least *count* links at random frames, resuming each time. Returns the cuts.

    A record lost, doubled or out of order, and a sync without an end, are AssertionErrors.
    """
    chain = make_chain(24, lambda seq: 140 + seq * 37 % 300)
    cut_count = run = 0
    while cut_count < count:
        store = Store()
        chunk_size = (16, 178, 240, 508)[run % 4]
        run += 1
        for attempt in range(400):
            pipe = RoughPipe(seed * 7919 + run * 401 + attempt, 150 if chunk_size == 16 else 24)
            try:
                run_link(FakeTag(chain, chunk_size), store, pipe)
                break
            except LinkCut:
                cut_count += 1
            except SyncError as error:
                assert error.args[0] in ("gap", "stalled"), error.args
            assert store.records == chain[: len(store.records)]
        assert store.records == chain, "%d of %d records" % (len(store.records), len(chain))
    return cut_count


def main() -> None:
    every = cut_at_every_frame(12, 16) + cut_at_every_frame(30, 240)
    print("cuts", every + random_cuts(RANDOM_CUTS))
    print("reconnects", lossy_runs(40, 12))
    print("done")


if __name__ == "__main__":
    main()
