# SPDX-License-Identifier: MIT
"""Evidence as received, byte for byte, on this computer's disk. Append-only.

    magic line | entry | entry | ...      entry = kind u8 | size u32 | CRC-32 u32 | content

`append` returns only when the records are on the disk (fsync): a sync acknowledges
nothing before. A power cut leaves a torn tail, which the next open drops: nobody was told
that it is there. Records may come in any order (a courier reads one trip, QA reads all);
each seq is kept once, and a second record with the same seq is a fork, and refused.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sealtrail import atomic
from sealtrail.errors import EvidenceRefused, StorageError
from sealtrail.file_lock import try_lock
from sealwire.access import sha256
from sealwire.cbor import CborError
from sealwire.sync import link_of

_MAGIC = b"sealtrail evidence store 1\n"
_HEAD = struct.Struct(">BII")
_CERTIFICATE, _RECORD, _STATEMENT = 1, 2, 3
_CONTENT_SIZE_MAX = 4096
# What can be torn: the largest batch. A fault before it is damage, not a cut.
_TORN_SIZE_MAX = 256 * 1024


class EvidenceStore:
    """The evidence of one enrolment of one tag. One writer at a time, over all processes.

    *certificate* is stored when the file is new, and compared when it is not. With
    *read_only* nothing is locked or repaired. Raises StorageError.
    """

    def __init__(
        self, path: Path, certificate: bytes | None = None, *, read_only: bool = False
    ) -> None:
        self.path = path
        self.certificate = b""
        self.dropped_size = 0  # bytes of a torn tail that this open has dropped
        self._records: dict[int, tuple[int, int]] = {}  # seq: (offset, size)
        self._hashes: dict[int, bytes] = {}
        self._statements: list[bytes] = []
        self._read_only = read_only
        self._lock: int | None = None if read_only else _locked(path)
        try:
            self._file = _opened(path, read_only)
        except OSError as problem:
            self._unlock()
            raise StorageError(f"{path}: cannot be opened: {problem.strerror}") from problem
        try:
            self._load()
            self._take_certificate(certificate)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "EvidenceStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file and the right to write back. Idempotent."""
        self._file.close()
        self._unlock()

    @property
    def record_count(self) -> int:
        """How many records are held."""
        return len(self._records)

    @property
    def record_size(self) -> int:
        """Bytes of all records held."""
        return sum(size for _, size in self._records.values())

    @property
    def head_seq(self) -> int:
        """The highest sequence number held, -1 when there is none."""
        return max(self._records, default=-1)

    def first_missing(self, at_least: int = 0) -> int:
        """The first seq from *at_least* on that is not held: where a sync begins."""
        seq = at_least
        while seq in self._records:
            seq += 1
        return seq

    def prev_hash(self, seq: int) -> bytes | None:
        """What PREV of record *seq* must be; None when that is not known here."""
        if seq == 0:
            return sha256(self.certificate) if self.certificate else None
        return self._hashes.get(seq - 1)

    def append(self, records: Iterable[bytes]) -> int:
        """Keeps records; returns how many were new. All are durable when it returns.

        Raises EvidenceRefused on a fork (another record under a seq that is held) and
        StorageError when the disk refuses; then none of them is kept.
        """
        entries: list[tuple[int, bytes]] = []
        links: list[tuple[int, bytes]] = []
        for record in records:
            seq = _seq_of(record)
            if seq in self._records:
                if self._hashes[seq] != sha256(record):
                    raise EvidenceRefused(
                        f"record {seq}: the tag gives another record than the one held",
                        "This is a fork. Keep both files; have the tag examined.",
                    )
                continue
            entries.append((_RECORD, record))
            links.append((seq, sha256(record)))
        places = self._commit(entries)
        for (seq, record_hash), place in zip(links, places, strict=True):
            self._records[seq] = place
            self._hashes[seq] = record_hash
        return len(links)

    def add_statement(self, signed: bytes) -> None:
        """Keeps one signed statement (attestation, token, receipt, ...), durable on return."""
        if signed not in self._statements:
            self._commit([(_STATEMENT, signed)])
            self._statements.append(signed)

    def records(self) -> Iterator[bytes]:
        """The records in order of their sequence numbers."""
        for seq in sorted(self._records):
            yield self._read(*self._records[seq])

    def statements(self) -> list[bytes]:
        """The statements in the order in which they came."""
        return list(self._statements)

    def export(self, path: Path) -> int:
        """Writes `evidence.seal`, whole or not at all; returns its size.

        Certificate, records by seq, statements: a CBOR sequence (RFC 8742).
        """
        content = b"".join([self.certificate, *self.records(), *self._statements])
        atomic.write_bytes(path, content)
        return len(content)

    def _load(self) -> None:
        content = self._file.read()
        if not content and not self._read_only:
            self._write(_MAGIC)
            return
        if not content.startswith(_MAGIC):
            if self._read_only or not _MAGIC.startswith(content):
                raise StorageError(f"{self.path}: is no evidence store")
            self._drop_tail(0, len(content))  # cut while the file was being made
            self._write(_MAGIC)
            return
        offset = len(_MAGIC)
        while offset < len(content):
            entry = _entry_at(content, offset)
            if entry is None:
                self._drop_tail(offset, len(content))
                return
            kind, start, size = entry
            self._index(kind, start, content[start : start + size])
            offset = start + size

    def _index(self, kind: int, offset: int, content: bytes) -> None:
        if kind == _CERTIFICATE:
            self.certificate = content
        elif kind == _STATEMENT:
            self._statements.append(content)
        else:
            seq = _seq_of(content)
            self._records[seq] = (offset, len(content))
            self._hashes[seq] = sha256(content)

    def _drop_tail(self, offset: int, end: int) -> None:
        if end - offset > _TORN_SIZE_MAX:
            raise StorageError(
                f"{self.path}: damaged at byte {offset}",
                "Keep the file, restore it from a back-up, or sync into a new one.",
            )
        self.dropped_size = end - offset
        if self._read_only:
            return
        try:
            self._file.truncate(offset)
            self._file.seek(offset)
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise StorageError(f"{self.path}: cannot be repaired: {problem.strerror}") from problem

    def _take_certificate(self, certificate: bytes | None) -> None:
        if certificate is None or certificate == self.certificate:
            return
        if self.certificate:
            raise StorageError(f"{self.path}: holds evidence of another enrolment")
        self._commit([(_CERTIFICATE, certificate)])
        self.certificate = certificate

    def _commit(self, entries: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
        """Appends entries; returns (offset, size) of each content. Durable on return."""
        batch = bytearray()
        places = []
        start = self._file.seek(0, os.SEEK_END)
        for kind, content in entries:
            if len(content) > _CONTENT_SIZE_MAX:
                raise StorageError(f"{self.path}: {len(content)} bytes are no evidence")
            batch += _HEAD.pack(kind, len(content), _checksum(kind, content))
            places.append((start + len(batch), len(content)))
            batch += content
        if batch:
            self._write(bytes(batch))
        return places

    def _write(self, batch: bytes) -> None:
        start = self._file.seek(0, os.SEEK_END)
        try:
            done = 0
            while done < len(batch):  # a raw file may take less than all
                done += self._file.write(batch[done:])
            # A power cut before this line leaves a torn tail; after it, all of the batch.
            os.fsync(self._file.fileno())
        except OSError as problem:
            with contextlib.suppress(OSError):
                self._file.truncate(start)
            raise StorageError(
                f"{self.path}: not written: {problem.strerror}",
                "Make room on this disk and repeat; what was acknowledged is safe.",
            ) from problem

    def _read(self, offset: int, size: int) -> bytes:
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except OSError as problem:
            raise StorageError(f"{self.path}: cannot be read: {problem.strerror}") from problem

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _opened(path: Path, read_only: bool) -> BinaryIO:
    flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    # No buffer of ours: what write() took is what truncate() and fsync() see.
    return open(descriptor, "rb" if read_only else "r+b", buffering=0)


def _locked(path: Path) -> int:
    lock_path = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise StorageError(f"{lock_path}: cannot lock: {problem.strerror}") from problem
    if not try_lock(descriptor):
        os.close(descriptor)
        raise StorageError(
            f"{path}: another sealtrail is writing it", "Wait until it has ended; repeat."
        )
    return descriptor


def _checksum(kind: int, content: bytes) -> int:
    return zlib.crc32(content, kind)


def _entry_at(content: bytes, offset: int) -> tuple[int, int, int] | None:
    """(kind, offset of the content, size), or None for what is torn or damaged."""
    if offset + _HEAD.size > len(content):
        return None
    kind, size, checksum = _HEAD.unpack_from(content, offset)
    start = offset + _HEAD.size
    if kind not in (_CERTIFICATE, _RECORD, _STATEMENT) or size > _CONTENT_SIZE_MAX:
        return None
    if start + size > len(content):
        return None
    if _checksum(kind, content[start : start + size]) != checksum:
        return None
    return kind, start, size


def _seq_of(record: bytes) -> int:
    try:
        return int(link_of(record)[0])
    except (CborError, ValueError, IndexError, TypeError):
        raise EvidenceRefused("what came is no record") from None
