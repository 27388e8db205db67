# SPDX-License-Identifier: MIT
"""The passphrase out of the system's keyring: the real library over a keyring in memory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from sealtrail.errors import AccessRefused
from sealtrail.home import Home
from sealtrail.keys.secrets import PASSPHRASE_VARIABLE, Vault


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that is locked or open."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[(service, username)] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[(service, username)]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    made = MemoryKeyring()
    keyring.set_keyring(made)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "keyring:lab")
    yield made
    keyring.set_keyring(before)


def test_passphrase_comes_from_the_entry_of_that_name(ring: MemoryKeyring, tmp_path: Path) -> None:
    keyring.set_password("sealtrail", "lab", "correct horse")
    keyring.set_password("sealtrail", "other", "wrong horse")
    home = Home(tmp_path / "home")
    Vault(home).write(home.own_key, b"secret", "x")
    assert Vault(home).read(home.own_key, "x") == b"secret"
    assert Vault(home).unlock() == b"correct horse"


def test_missing_entry_and_locked_keyring_are_access_errors(
    ring: MemoryKeyring, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(AccessRefused, match="no such entry"):
        Vault(home).unlock()
    ring.is_locked = True
    with pytest.raises(AccessRefused, match="KeyringLocked"):
        Vault(home).unlock()
    assert not home.root.exists()


def test_computer_without_the_package_says_how(
    ring: MemoryKeyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(AccessRefused, match="not installed"):
        Vault(Home(tmp_path / "home")).unlock()
