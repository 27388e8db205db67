# SPDX-License-Identifier: MIT
"""What the owner's computer keeps of one tag: certificate, access key, ticket numbers.

Each enrolment has a folder of its own, named by its tid; `current` names the one in
force and is written last. So a power cut while provisioning leaves the old enrolment in
force, or the new one complete; and the keys of old enrolments stay.
"""

from pathlib import Path

from sealtrail import atomic
from sealtrail.errors import AccessRefused, StorageError
from sealtrail.home import Home
from sealtrail.keys.certificate import tid_of
from sealtrail.keys.secrets import Vault

_CERTIFICATE, _PROFILE = "certificate.cbor", "profile.cbor"
_ACCESS_KEY, _NEXT_TICKET, _CURRENT = "access.key", "next_ticket", "current"
_FLEET_TOLD, _ENDED = "fleet_told", "ended"
_TNO_MAX = 0xFFFF_FFFE


class TagFolder:
    """The files of one enrolment of tag *serial*."""

    def __init__(self, home: Home, serial: str, tid: bytes) -> None:
        self.serial = serial
        self.tid = tid
        self._home = home
        self.path = home.tag(serial) / tid.hex()

    @classmethod
    def begin(cls, home: Home, serial: str, certificate: bytes, profile: bytes) -> "TagFolder":
        """Makes the folder of a new enrolment; not in force until `put_in_force`."""
        folder = cls(home, serial, tid_of(certificate))
        home.make(folder.path)
        atomic.write_bytes(folder.path / _CERTIFICATE, certificate)
        atomic.write_bytes(folder.path / _PROFILE, profile)
        return folder

    @classmethod
    def current(cls, home: Home, serial: str) -> "TagFolder":
        """The enrolment in force. Raises AccessRefused when this home has none."""
        path = home.tag(serial) / _CURRENT
        try:
            return cls(home, serial, bytes.fromhex(path.read_text(encoding="ascii").strip()))
        except FileNotFoundError:
            raise AccessRefused(
                f"tag {serial} was not provisioned by this home",
                "Tickets are issued where `sealtrail provision` ran.",
            ) from None
        except (OSError, ValueError) as problem:
            raise StorageError(f"{path}: cannot be read: {problem}") from None

    @property
    def certificate(self) -> bytes:
        """The tag's certificate as issued."""
        return self._read(_CERTIFICATE)

    @property
    def profile(self) -> bytes:
        """The profile given at provisioning, compact CBOR."""
        return self._read(_PROFILE)

    def keep_access_key(self, vault: Vault, access_key: bytes) -> None:
        """Stores the tag's access key and starts its ticket numbers, durable on return."""
        vault.write(self.path / _ACCESS_KEY, access_key, self._label)
        atomic.write_text(self.path / _NEXT_TICKET, "1\n")

    def access_key(self, vault: Vault) -> bytes:
        """The tag's access key, 32 bytes. Raises AccessRefused."""
        return vault.read(self.path / _ACCESS_KEY, self._label)

    def take_ticket_number(self) -> int:
        """The next ticket number. Durable before it is used: none is ever given twice.

        A power cut after this wastes a number. Call it with the tag's lock held.
        """
        text = self._read(_NEXT_TICKET).decode("ascii", "replace").strip()
        if not text.isdecimal() or not 1 <= int(text) <= _TNO_MAX:
            raise StorageError(
                f"{self.path / _NEXT_TICKET}: holds no ticket number",
                "Restore it from a back-up; never guess it, numbers must not repeat.",
            )
        atomic.write_text(self.path / _NEXT_TICKET, f"{int(text) + 1}\n")
        return int(text)

    @property
    def told_rotations(self) -> int:
        """How many rotations of the fleet key, since its certificate, the tag has taken."""
        path = self.path / _FLEET_TOLD
        if not path.exists():
            return 0
        text = self._read(_FLEET_TOLD).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else 0  # told again: that harms nobody

    def note_told_rotations(self, count: int) -> None:
        """Keeps that number, durable on return."""
        atomic.write_text(self.path / _FLEET_TOLD, f"{count}\n")

    @property
    def has_ended(self) -> bool:
        """True once the tag was decommissioned."""
        return (self.path / _ENDED).exists()

    def note_ended(self, farewell_hash: bytes) -> None:
        """Keeps that the tag signed its last record, durable on return."""
        atomic.write_text(self.path / _ENDED, farewell_hash.hex() + "\n")

    def put_in_force(self) -> None:
        """Makes this enrolment the one in force. The last step of provisioning."""
        atomic.write_text(self._home.tag(self.serial) / _CURRENT, self.tid.hex() + "\n")

    @property
    def _label(self) -> str:
        return f"access key {self.tid.hex()}"

    def _read(self, name: str) -> bytes:
        path: Path = self.path / name
        try:
            return path.read_bytes()
        except OSError as problem:
            raise StorageError(
                f"{path}: cannot be read: {problem.strerror}", "Restore it from a back-up."
            ) from None
