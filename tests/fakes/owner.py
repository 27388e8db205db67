# SPDX-License-Identifier: MIT
"""A fleet's owner at a computer: a home, a turned clock, and what kills him at a write."""

import hashlib
import shutil
from pathlib import Path

import pytest

from sealtrail import atomic
from sealtrail.home import Home
from sealtrail.keys import fleet, person, secrets, service
from sealtrail.keys.secrets import Vault
from tests.vectors.chain import START_UTC_S

PASSPHRASE = "correct horse"
DAY_S = 86_400


class StillClock:
    """Stands at *now_s*; `pass_days` turns it."""

    is_simulated = True

    def __init__(self, now_s: int = START_UTC_S) -> None:
        self.now_s = now_s

    def now_ms(self) -> int:
        return self.now_s * 1000

    def pass_days(self, days: int) -> None:
        self.now_s += days * DAY_S


class Killed(BaseException):
    """The process ended here; nothing of ours may catch it."""


class Owner:
    """A home with a fleet. Every property opens it anew, as another command would."""

    def __init__(self, folder: Path, name: str = "home") -> None:
        self.home = Home(folder / name)
        self.clock = StillClock()

    @property
    def vault(self) -> Vault:
        return Vault(self.home)

    def init(self) -> "Owner":
        fleet.init(self.home, self.vault, self.clock, "Example", 10)
        return self

    def with_service(self) -> "Owner":
        service.certify(self.home, self.vault, self.clock)
        return self

    def register(self, name: str, public_key: bytes, **more: object) -> None:
        terms = {"role": "courier", "public_key": public_key, **more}
        person.add(self.home, self.vault, self.clock, name, **terms)

    def files(self) -> dict[str, bytes]:
        """Every file but locks, by its path below the home."""
        return {
            str(path.relative_to(self.home.root)): path.read_bytes()
            for path in self.home.root.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }


def cheap_stretch(passphrase: bytes, log_n: int, salt: bytes) -> bytes:
    """In the place of scrypt, where a test is about something else: a tenth of a second less."""
    return hashlib.sha256(passphrase + bytes((log_n,)) + salt).digest()


@pytest.fixture
def owner(owner_with_scrypt: Owner, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """The owner of a new fleet, whose passphrase is stretched cheaply: in this process only."""
    monkeypatch.setattr(secrets, "_stretch", cheap_stretch)
    shutil.rmtree(owner_with_scrypt.home.root)
    return owner_with_scrypt.init()


@pytest.fixture
def owner_with_scrypt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """The owner of a new fleet, for tests that start other processes."""
    (tmp_path / "p").write_text(PASSPHRASE + "\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    monkeypatch.delenv("SEALTRAIL_BACKUP_PASSPHRASE_FILE", raising=False)
    return Owner(tmp_path).init()


class Writes:
    """Stands before `atomic.write_bytes`: counts, and fails the one it is told to.

    *after*: the write is done first, as if the process was killed behind it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.fail_at = -1
        self.after = False
        self.problem: BaseException = Killed()
        self._write = atomic.write_bytes
        monkeypatch.setattr(atomic, "write_bytes", self)

    def __call__(self, path: Path, data: bytes, mode: int | None = None) -> None:
        place, self.count = self.count, self.count + 1
        if place == self.fail_at and not self.after:
            raise self.problem
        self._write(path, data, mode)
        if place == self.fail_at:
            raise self.problem

    def restart(self, fail_at: int = -1, after: bool = False) -> None:
        self.count, self.fail_at, self.after = 0, fail_at, after
