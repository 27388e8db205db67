# SPDX-License-Identifier: MIT
"""Where this computer keeps what it must not lose: the layout of $SEALTRAIL_HOME.

    fleet.pub                  public: one line a fleet key (share it with everybody)
    fleet/fleet.key            the fleet key                      sealed (secrets.py)
    fleet/next.key             its successor; may lie elsewhere   sealed
    fleet/next.hash            the successor's hash, for tags     sealed
    fleet/rotation.redo        a rotation decided, not finished   sealed
    service/KID.key            the service key                    sealed
    me.key                     this home's own person             sealed
    statements/                certificates of service keys, rotations, persons,
                               revocations: public                (shelf.py)
    passphrase.check           opens with the passphrase of all the sealed files
    tags/ST-0001/current       tid of the tag's certificate in force
    tags/ST-0001/<tid>/        certificate.cbor, profile.cbor, access.key (sealed),
                               next_ticket (number of the next ticket, never falls),
                               issued/, revoked.cbor (ticket_ledger.py),
                               fleet_told (rotations the tag has taken)
    tickets/NAME.ticket        tickets and keys of people         sealed
    trust/                     nonces asked, last heads           (trust.py)
                               and tags' keys                     (key_memory.py)
    evidence/                  records as received                (evidence_store.py)
    outbox.sqlite              what still has to be uploaded      (outbox.py)
    archive_outbox.sqlite      what an archive still has to get   (archive_client/)
    carry/, sync.json          what to bring tags; which archive
    archive/                   the archive's own data             (archive/database.py)
    logs/                      details of what went wrong; no secrets
    locks/                     one empty file per thing that has one writer

Folders are made with mode 0700. All paths come from here; nobody else joins names.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from sealtrail.errors import StorageError, UsageError
from sealtrail.file_lock import try_lock

HOME_VARIABLE = "SEALTRAIL_HOME"
_LOCK_WAIT_S = 5.0
_LOCK_POLL_S = 0.05
# A serial names a folder and stands in certificates: no path may be built from it.
_SERIAL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,23}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Home:
    """Paths of one home. Nothing is made before it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def find(cls, named: Path | None = None) -> "Home":
        """*named* (--home), else $SEALTRAIL_HOME, else ~/.local/share/sealtrail."""
        if named is not None:
            return cls(named.expanduser().absolute())
        from_environment = os.environ.get(HOME_VARIABLE, "").strip()
        if from_environment:
            return cls(Path(from_environment).expanduser().absolute())
        return cls(Path.home() / ".local" / "share" / "sealtrail")

    @property
    def fleet_pub(self) -> Path:
        """The public fleet keys, one line each."""
        return self.root / "fleet.pub"

    @property
    def fleet_key(self) -> Path:
        """The fleet key, sealed."""
        return self.root / "fleet" / "fleet.key"

    @property
    def next_fleet_key(self) -> Path:
        """The successor of the fleet key, sealed."""
        return self.root / "fleet" / "next.key"

    @property
    def next_fleet_hash(self) -> Path:
        """SHA-256 of the successor's public key, sealed: what new tags are told."""
        return self.root / "fleet" / "next.hash"

    @property
    def redo(self) -> Path:
        """A rotation that was decided and is not finished, sealed."""
        return self.root / "fleet" / "rotation.redo"

    @property
    def own_key(self) -> Path:
        """The key of the person this home belongs to, sealed."""
        return self.root / "me.key"

    @property
    def statements(self) -> Path:
        """Public statements made or taken in here."""
        return self.root / "statements"

    def service_key(self, kid: bytes) -> Path:
        """The service key with that id, sealed."""
        return self.root / "service" / f"{kid.hex()}.key"

    @property
    def passphrase_check(self) -> Path:
        """A known text under the passphrase of this home."""
        return self.root / "passphrase.check"

    @property
    def tags(self) -> Path:
        """One folder per tag serial."""
        return self.root / "tags"

    @property
    def tickets(self) -> Path:
        """The wallet: one sealed file per ticket."""
        return self.root / "tickets"

    @property
    def trust(self) -> Path:
        """Nonces asked and last heads."""
        return self.root / "trust"

    @property
    def evidence(self) -> Path:
        """Records as received."""
        return self.root / "evidence"

    @property
    def outbox(self) -> Path:
        """The upload queue."""
        return self.root / "outbox.sqlite"

    @property
    def logs(self) -> Path:
        """Details of unexpected failures."""
        return self.root / "logs"

    def tag(self, serial: str) -> Path:
        """The folder of one tag. Raises UsageError for a text that is no serial."""
        return self.tags / checked_serial(serial)

    def ticket(self, name: str) -> Path:
        """The file of one ticket. Raises UsageError for a text that is no plain name."""
        return self.tickets / f"{checked_name(name)}.ticket"

    def make(self, folder: Path) -> Path:
        """Makes *folder* and its parents, readable by the owner only.

        Raises StorageError when that is not possible.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise StorageError(
                f"{folder}: cannot make this folder: {problem.strerror}",
                f"Choose another home with --home or {HOME_VARIABLE}.",
            ) from problem
        return folder

    @contextlib.contextmanager
    def lock(self, what: str, wait_s: float = _LOCK_WAIT_S) -> Iterator[None]:
        """Holds the only right to write *what* ("fleet", a serial) on this computer.

        Waits at most *wait_s*; then raises StorageError. The system drops the lock when
        the process ends, however it ends: no stale lock survives a crash.
        """
        path = self.make(self.root / "locks") / f"{checked_name(what)}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise StorageError(f"{path}: cannot lock: {problem.strerror}") from problem
        try:
            _wait_for_lock(descriptor, what, wait_s)
            yield
        finally:
            os.close(descriptor)


def checked_serial(text: str) -> str:
    """*text* if it is a tag serial (ST-0001). Raises UsageError."""
    if _SERIAL.fullmatch(text) is None:
        raise UsageError(
            f"'{text}' is not a tag serial", "Use capitals, digits and '-', such as ST-0001."
        )
    return text


def checked_name(text: str) -> str:
    """*text* if it is a plain file name of at most 64 characters. Raises UsageError."""
    if _NAME.fullmatch(text) is None:
        raise UsageError(
            f"'{text}' is not a name", "Use letters, digits, '.', '_' and '-', at most 64."
        )
    return text


def _wait_for_lock(descriptor: int, what: str, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while not try_lock(descriptor):
        if time.monotonic() >= deadline_s:
            raise StorageError(
                f"another sealtrail is writing '{what}'", "Wait until it has ended; repeat."
            )
        time.sleep(_LOCK_POLL_S)
