# SPDX-License-Identifier: MIT
"""The fleet key and its public line."""

import base64
import os
from pathlib import Path

import pytest

from sealtrail.clock import HostClock
from sealtrail.errors import AccessRefused, UsageError
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.secrets import Vault


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    return Home(tmp_path / "home")


def init(home: Home, name: str = "Example Cells", years: int = 10) -> fleet.FleetLine:
    return fleet.init(home, Vault(home), HostClock(), name, years)


def test_public_line_has_five_parts_and_reads_back(home: Home) -> None:
    line = init(home)
    text = home.fleet_pub.read_text()
    kind, key, since, until, name = text.rstrip("\n").split(" ", 4)
    assert (kind, name, int(until[:4]) - int(since[:4])) == ("ed25519", "Example Cells", 10)
    assert len(base64.b64decode(key)) == 32
    assert fleet.read_lines(home.fleet_pub) == [line]


def test_loaded_fleet_signs_with_the_public_key(home: Home) -> None:
    line = init(home)
    opened = fleet.load(home, Vault(home))
    assert opened.key.public_key().public_bytes_raw() == line.key
    assert len(opened.next_key_hash) == 32


def test_second_init_changes_nothing(home: Home) -> None:
    init(home)
    before = {path: path.read_bytes() for path in home.root.rglob("*.*") if path.is_file()}
    with pytest.raises(UsageError, match="has a fleet"):
        init(home)
    assert before == {p: p.read_bytes() for p in home.root.rglob("*.*") if p.is_file()}


def test_init_cut_before_the_public_line_goes_on_with_the_same_keys(home: Home) -> None:
    line = init(home)
    os.unlink(home.fleet_pub)
    assert init(home).key == line.key


def test_missing_fleet_is_refused(home: Home) -> None:
    with pytest.raises(AccessRefused, match="no fleet key"):
        fleet.load(home, Vault(home))


def test_public_file_of_another_fleet_is_refused(home: Home) -> None:
    init(home)
    other = base64.b64encode(bytes(32)).decode()
    home.fleet_pub.write_text(f"ed25519 {other} 2026-01-01 2030-01-01 Other\n")
    with pytest.raises(AccessRefused, match="public half"):
        fleet.load(home, Vault(home))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n# only a comment\n",
        "rsa AAAA 2026-01-01 2030-01-01 X",
        "ed25519 AAAA 2026-01-01 2030-01-01 X",
        f"ed25519 {'A' * 43}= 2026-13-01 2030-01-01 X",
        f"ed25519 {'A' * 43}= 2031-01-01 2030-01-01 X",
        f"ed25519 {'A' * 43}= 2026-01-01 2030-01-01",
        f"ed25519 {'!' * 44} 2026-01-01 2030-01-01 X",
        "\x00\x01",
    ],
)
def test_unreadable_fleet_pub_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fleet.pub"
    path.write_text(text)
    with pytest.raises(UsageError):
        fleet.read_lines(path)


def test_binary_or_missing_fleet_pub_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    for name in ("b", "missing", "."):
        with pytest.raises(UsageError):
            fleet.read_lines(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "years"), [("", 10), ("a\nb", 10), ("x" * 65, 10), ("x", 0), ("x", 99)]
)
def test_bad_name_or_age_makes_no_key(home: Home, name: str, years: int) -> None:
    with pytest.raises(UsageError):
        init(home, name, years)
    assert not home.fleet_key.exists()
