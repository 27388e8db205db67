# SPDX-License-Identifier: MIT
"""The home: layout, locks, sealed secrets, clock."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sealtrail.clock import OFFSET_VARIABLE, HostClock
from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.home import Home, checked_serial
from sealtrail.keys import secrets
from sealtrail.keys.secrets import PASSPHRASE_VARIABLE, Vault
from tests.paths import REPO


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def vault_with(home: Home, *answers: str) -> Vault:
    """A vault whose owner types *answers*, one after another."""
    typed = iter(answers)
    return Vault(home, lambda text: next(typed))


@pytest.fixture(autouse=True)
def no_passphrase_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
    monkeypatch.delenv(OFFSET_VARIABLE, raising=False)


def test_home_is_found_by_option_before_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALTRAIL_HOME", "/from/variable")
    assert Home.find(Path("/from/option")).root == Path("/from/option")
    assert Home.find().root == Path("/from/variable")


@pytest.mark.parametrize("text", ["", "../x", "st-1", "A/B", "-A", "A" * 25, "A\n"])
def test_text_that_could_leave_the_folder_is_no_serial(text: str) -> None:
    with pytest.raises(UsageError):
        checked_serial(text)


def test_secret_comes_back_with_the_same_passphrase(home: Home) -> None:
    path = home.root / "a.key"
    vault_with(home, "correct horse", "correct horse").write(path, b"secret", "x")
    assert vault_with(home, "correct horse").read(path, "x") == b"secret"
    assert b"secret" not in path.read_bytes()


def test_secret_file_is_for_its_owner_only(home: Home) -> None:
    path = home.root / "a.key"
    vault_with(home, "correct horse", "correct horse").write(path, b"secret", "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_wrong_passphrase_is_refused(home: Home) -> None:
    path = home.root / "a.key"
    vault_with(home, "correct horse", "correct horse").write(path, b"secret", "x")
    with pytest.raises(AccessRefused, match="wrong passphrase"):
        vault_with(home, "wrong horse").read(path, "x")


def test_second_key_cannot_get_a_mistyped_passphrase(home: Home) -> None:
    vault_with(home, "correct horse", "correct horse").write(home.root / "a", b"s", "x")
    with pytest.raises(AccessRefused):
        vault_with(home, "corect horse").write(home.root / "b", b"s", "x")
    assert not (home.root / "b").exists()


def test_new_passphrase_is_asked_twice_and_must_agree(home: Home) -> None:
    with pytest.raises(UsageError, match="differ"):
        vault_with(home, "correct horse", "other horse").unlock()


def test_short_new_passphrase_is_refused(home: Home) -> None:
    with pytest.raises(UsageError, match="shorter"):
        vault_with(home, "short", "short").unlock()


def test_secret_in_the_place_of_another_is_refused(home: Home) -> None:
    path = home.root / "a.key"
    vault = vault_with(home, "correct horse", "correct horse")
    vault.write(path, b"secret", "fleet key")
    with pytest.raises(AccessRefused):
        vault.read(path, "next fleet key")


@pytest.mark.parametrize("place", [0, 19, 20, 25, 40, 60, -1])
def test_changed_secret_file_is_refused(place: int) -> None:
    sealed = bytearray(secrets.seal(b"secret", b"correct horse", "x"))
    sealed[place] ^= 1
    with pytest.raises((AccessRefused, StorageError)):
        secrets.unseal(bytes(sealed), b"correct horse", "x", "file")


def test_costly_parameters_in_a_file_are_refused_before_any_work() -> None:
    sealed = bytearray(secrets.seal(b"secret", b"correct horse", "x"))
    sealed[19] = 40
    with pytest.raises(StorageError):
        secrets.unseal(bytes(sealed), b"correct horse", "x", "file")


def test_truncated_secret_file_is_a_storage_error() -> None:
    sealed = secrets.seal(b"", b"correct horse", "x")
    for size in range(0, len(sealed), 7):
        with pytest.raises(StorageError):
            secrets.unseal(sealed[:size], b"correct horse", "x", "file")


def test_passphrase_is_the_first_line_of_the_named_file(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p").write_bytes(b"correct horse\r\nsecond line\n")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, str(tmp_path / "p"))
    assert Vault(home).unlock() == b"correct horse"


def test_passphrase_comes_through_an_open_descriptor(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"correct horse\n")
    os.close(writing)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, f"fd:{reading}")
    vault = Vault(home)
    assert vault.unlock() == b"correct horse"
    assert vault.unlock() == b"correct horse"  # the descriptor is read once only


@pytest.mark.parametrize("source", ["/no/such/file", "fd:x", "fd:-1", "fd:987"])
def test_unreadable_passphrase_file_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, source)
    with pytest.raises(AccessRefused):
        Vault(home).unlock()


def test_nobody_to_ask_is_an_access_error(home: Home) -> None:
    with pytest.raises(AccessRefused, match="nobody to ask"):
        Vault(home).unlock()


def test_second_writer_is_refused_and_first_ones_end_frees_the_lock(home: Home) -> None:
    with (
        home.lock("ST-0001"),
        pytest.raises(StorageError, match="another sealtrail"),
        home.lock("ST-0001", wait_s=0.1),
    ):
        pass
    with home.lock("ST-0001", wait_s=0.1), home.lock("ST-0002", wait_s=0.1):
        pass


def test_lock_of_a_killed_process_does_not_stay(home: Home) -> None:
    code = (
        "import sys, os; from pathlib import Path; from sealtrail.home import Home\n"
        "l = Home(Path(sys.argv[1])).lock('x'); l.__enter__(); os.kill(os.getpid(), 9)"
    )
    paths = os.pathsep.join(str(REPO / name) for name in ("host_tools", "firmware"))
    subprocess.run(
        [sys.executable, "-c", code, str(home.root)],
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    with home.lock("x", wait_s=0.1):
        pass


def test_home_in_a_place_that_cannot_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Home(tmp_path / "file" / "home").make(tmp_path / "file" / "home")


@pytest.mark.parametrize("text", ["soon", "1e400", "nan", "2000000000"])
def test_unusable_clock_offset_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        HostClock.from_environment({OFFSET_VARIABLE: text})


def test_turned_clock_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    clock = HostClock.from_environment({OFFSET_VARIABLE: "86400.250"})
    assert clock.is_simulated
    assert abs(clock.now_ms() - HostClock().now_ms() - 86_400_250) < 5_000
    assert capsys.readouterr().err == "sealtrail: simulated clock, +86400.2 s\n"
    assert not HostClock.from_environment({}).is_simulated
