# SPDX-License-Identifier: MIT
"""What a visitor remembers of a tag's keys: trust/TID.keys in his home, one file a tag.

    {"version": 1, "keys": [[seq, key], ...]}      deterministic CBOR, public

So the next visit asks for newer keys only, and an old key of the tag, stolen with what it was
kept in, is no use against this home again. Only what was verified is kept here.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cbor2

from sealtrail import atomic
from sealtrail.errors import EvidenceRefused, StorageError
from sealtrail.home import Home
from sealtrail.radio.key_chain import KeyChain, KnownKey, NotLinked
from sealwire import labels, record
from sealwire.envelope import RecordError

_KEY_SIZES = (32, 33)


class KeyMemory:
    """Of one visitor, as long as the program runs."""

    def __init__(self) -> None:
        self._known: tuple[KnownKey, ...] = ()

    def load(self, certificate: bytes) -> KeyChain:
        """The chain as far as it is remembered."""
        return KeyChain(certificate, self._known)

    def save(self, chain: KeyChain) -> None:
        """Remembers a verified chain."""
        self._known = chain.known


class HomeKeyMemory(KeyMemory):
    """Of one enrolment (*tid*), in *home*. Raises StorageError."""

    def __init__(self, home: Home, tid: bytes) -> None:
        super().__init__()
        self._home = home
        self._tid = tid

    @property
    def _path(self) -> Path:
        return self._home.trust / f"{self._tid.hex()}.keys"

    def load(self, certificate: bytes) -> KeyChain:
        """The chain as far as this home knows it."""
        return KeyChain(certificate, _read(self._path))

    def save(self, chain: KeyChain) -> None:
        """Keeps *chain*, durable on return, unless another command knew more meanwhile."""
        with self._home.lock("trust"):
            known = _read(self._path)
            if len(chain.known) <= len(known):
                return
            self._home.make(self._home.trust)
            rows = [[one.seq, one.key] for one in chain.known]
            content = cbor2.dumps({"version": 1, "keys": rows}, canonical=True)
            # A cut before this leaves the file as it was: the keys are asked for again.
            atomic.write_bytes(self._path, content)

    def learn(self, certificate: bytes, records: Iterable[bytes]) -> None:
        """Takes over the keys that stand in *records*, in order, as far as they lead on."""
        chain = self.load(certificate)
        try:
            for one in records:
                seq, kind = record.head_of(one)
                if kind == labels.KIND_KEY_EPOCH and seq > chain.newest_seq:
                    chain.take(one)
        except (NotLinked, EvidenceRefused, RecordError):
            pass  # What came before stands; whether the evidence holds is said by `verify`.
        self.save(chain)


def _read(path: Path) -> tuple[KnownKey, ...]:
    try:
        content: Any = cbor2.loads(path.read_bytes())
        if content["version"] != 1:
            raise ValueError("version")
        known = tuple(KnownKey(seq, key) for seq, key in content["keys"])
    except FileNotFoundError:
        return ()
    except OSError as problem:
        raise StorageError(f"{path}: cannot be read: {problem.strerror}") from problem
    except (cbor2.CBORDecodeError, ValueError, TypeError, KeyError):
        raise _damaged(path) from None
    last_seq = -1
    for one in known:
        is_sound = type(one.seq) is int and one.seq > last_seq and isinstance(one.key, bytes)
        if not is_sound or len(one.key) not in _KEY_SIZES:
            raise _damaged(path)
        last_seq = one.seq
    return known


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"{path}: is damaged", "Remove it: the tag is asked for its keys again at the next visit."
    )
