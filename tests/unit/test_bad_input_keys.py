# SPDX-License-Identifier: MIT
"""Bad input to the commands on keys: one line, the right code, nothing half-written."""

import time
from pathlib import Path

import pytest

from sealtrail import cli
from sealtrail.home import Home
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from tests.fakes.command_line import home, refused

__all__ = ["home"]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        ("fleet rotate", 5, "no fleet key here. `sealtrail fleet init NAME`"),
        ("fleet rotate --years 31", 2, "1 to 30 years"),
        ("fleet backup b", 5, "no fleet key here"),
        ("fleet backup", 2, "Missing argument"),
        ("fleet restore missing", 2, "missing: cannot read"),
        ("fleet restore empty.seal", 2, "is no back-up"),
        ("fleet restore folder", 2, "cannot read: Is a directory"),
        ("service cert", 5, "no fleet key here"),
        ("service cert --usage king", 2, "no usage 'king'"),
        ("service cert --usage ,", 2, "is for something"),
        ("service cert --days 0", 2, "--days 0"),
        ("service rotate", 5, "no fleet key here"),
        ("person add Ann --role courier", 2, "whose key"),
        ("person add Ann --role courier --me --ticket x", 2, "whose key"),
        ("person add Ann --role courier --key missing", 2, "cannot read"),
        ("person add Ann --role courier --key empty.seal", 2, "no Ed25519 public key"),
        ("person add Ann --role king --me", 2, "no role 'king'"),
        ("person add Ann --role qa --me --since soon", 2, "is no day"),
        ("person add Ann --role qa --me --since 0001-01-01", 5, "no service key"),
        ("person add Ann --role qa --ticket nope", 5, "no ticket 'nope'"),
        ("person add Ann --role qa --me", 5, "no service key here"),
        ("ticket issue --tag ST-1 --role qa --name A --me --holder x", 2, "exclude each other"),
        ("ticket issue --tag ST-1 --role qa --name A --holder x", 2, "x: cannot read"),
        ("decommission --port nowhere", 4, "no such port"),
        ("decommission --port empty.seal", 2, "is no serial port"),
    ],
)
def test_bad_input_is_one_line_with_its_code(
    words: str, code: int, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = files(tmp_path)
    found, line = refused(capsys, *words.split())
    assert found == code and part in line
    left = {path.name for path in files(tmp_path) - before}
    assert left <= {"passphrase.check", "me.key"}


@pytest.fixture
def fleet(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fleet", "init", "A", "-q"]) == 0
    assert cli.main(["service", "cert", "-q"]) == 0


COMMANDS = (
    "fleet rotate",
    "fleet backup b",
    "service cert",
    "service rotate",
    "person add Ann --role qa --me",
    "ticket issue --tag ST-0001 --role qa --name Q",
    "revoke ST-0001 --reason x --yes --evidence e.seal",
)


def tag_folder(home: Path) -> None:
    at = Home(home)
    folder = TagFolder.begin(at, "ST-0001", b"certificate", b"profile")
    folder.keep_access_key(Vault(at), bytes(32))
    folder.put_in_force()


@pytest.mark.parametrize("words", COMMANDS[:-1])
@pytest.mark.parametrize("passphrase", ["wrong horse", ""])
def test_wrong_or_missing_passphrase_is_five_and_changes_nothing(
    fleet: None,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: str,
    passphrase: str,
) -> None:
    tag_folder(home)
    (tmp_path / "p").write_text(passphrase + "\n")
    before = {path: path.read_bytes() for path in files(tmp_path)}
    code, line = refused(capsys, *words.split())
    part = "wrong passphrase" if passphrase else "the first line is empty"
    assert code == 5 and part in line and "horse" not in line
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


@pytest.mark.parametrize("words", COMMANDS[:-1])
def test_damaged_key_file_is_named(
    fleet: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    tag_folder(home)
    assert cli.main(["person", "add", "Ann", "--role", "qa", "--me", "-q"]) == 0
    for path in home.rglob("*.key"):
        path.write_bytes(path.read_bytes()[:60])
    code, line = refused(capsys, *words.split())
    assert code == 6 and ".key: not a sealed sealtrail file" in line
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("service-0001.cbor", "service show"),
        ("service-0001.cbor", "service rotate"),
        ("person-0001.cbor", "person show"),
        ("person-0001.cbor", "person add Bob --role qa --me"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\xd2\x84", b"hello"])
def test_damaged_statement_is_named(
    fleet: None,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    words: str,
    content: bytes,
) -> None:
    assert cli.main(["person", "add", "Ann", "--role", "qa", "--me", "-q"]) == 0
    (home / "statements" / file).write_bytes(content)
    code, line = refused(capsys, *words.split())
    assert code == 6 and f"{file}: is no statement" in line


def test_statement_in_the_place_of_another_kind_is_named(
    fleet: None, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "statements/person-0001.cbor").write_bytes(
        (home / "statements/service-0001.cbor").read_bytes()
    )
    code, line = refused(capsys, "person", "show")
    assert code == 6 and "is another statement" in line


def turn(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setenv("SEALTRAIL_CLOCK_OFFSET_S", str(days * 86_400))


@pytest.mark.parametrize(
    "words", ["service cert", "service rotate", "provision --port nowhere --serial ST-1"]
)
def test_fleet_key_behind_its_last_day_is_five(
    fleet: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
) -> None:
    turn(monkeypatch, 366 * 11)
    code = cli.main(words.split())
    line = capsys.readouterr().err.splitlines()[-1]
    if words.startswith("provision"):  # the port is looked for first
        assert code == 4
    else:
        assert code == 5 and "may sign from" in line and "fleet rotate" in line


def test_expired_service_certificate_is_five_and_says_the_cure(
    fleet: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turn(monkeypatch, 400)
    assert cli.main(["person", "add", "Ann", "--role", "qa", "--me"]) == 5
    line = capsys.readouterr().err.splitlines()[-1]
    assert "not in force now" in line and "service cert" in line


def test_ticket_is_issued_though_nobody_can_be_registered(
    fleet: None, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tag_folder(home)
    turn(monkeypatch, 400)
    words = "ticket issue --tag ST-0001 --role qa --name Q --json"
    assert cli.main(words.split()) == 0
    said = capsys.readouterr()
    assert '"person": null' in said.out and "Q is not registered" in said.err


def test_holder_with_his_own_key_is_registered_with_his_ticket(
    fleet: None, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tag_folder(home)
    (tmp_path / "ann.pub").write_text("11" * 32)
    words = "ticket issue --tag ST-0001 --role qa --name Ann --holder ann.pub --as ann"
    assert cli.main([*words.split(), "-q"]) == 0
    assert cli.main(["person", "show", "--json"]) == 0
    assert '"name": "Ann"' in (said := capsys.readouterr().out) and "11" * 32 in said
    code, line = refused(capsys, "status", "--ticket", "ann")
    assert code == 5 and "holder's key is not on this computer" in line
    assert (
        cli.main(
            [
                "ticket",
                "issue",
                "--tag",
                "ST-0001",
                "--role",
                "qa",
                "--name",
                "Me",
                "--me",
                "--as",
                "me",
                "-q",
            ]
        )
        == 0
    )
    code, line = refused(capsys, "status", "--ticket", "me", "--wait", "1")
    assert code == 4  # the key is here; only the radio is not


@pytest.fixture(autouse=True)
def no_radio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")


def test_restore_into_a_home_in_use_is_two(
    fleet: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fleet", "backup", "b", "-q"]) == 0
    code, line = refused(capsys, "fleet", "restore", "b")
    assert code == 2 and "home is not empty" in line


def test_back_up_with_its_own_passphrase_comes_back_with_a_new_one(
    fleet: None,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bp").write_text("battery staple\n")
    monkeypatch.setenv("SEALTRAIL_BACKUP_PASSPHRASE_FILE", str(tmp_path / "bp"))
    assert cli.main(["fleet", "backup", "b", "-q"]) == 0
    monkeypatch.delenv("SEALTRAIL_BACKUP_PASSPHRASE_FILE")
    code, line = refused(capsys, "--home", "h2", "fleet", "restore", "b")
    assert code == 5 and "wrong passphrase" in line and not Path("h2").exists()
    monkeypatch.setenv("SEALTRAIL_BACKUP_PASSPHRASE_FILE", str(tmp_path / "bp"))
    (tmp_path / "p").write_text("short\n")
    code, line = refused(capsys, "--home", "h2", "fleet", "restore", "b")
    assert code == 2 and "shorter than" in line and not Path("h2").exists()
    (tmp_path / "p").write_text("a new passphrase\n")
    assert cli.main(["--home", "h2", "fleet", "restore", "b", "-q"]) == 0
    assert cli.main(["--home", "h2", "fleet", "rotate", "-q"]) == 0


def test_keys_story_by_the_command_line(
    fleet: None, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        "person add Ann --role courier --me",
        "fleet rotate",
        "service show",
        "service rotate --withdraw",
        "person show",
        "fleet show",
        "fleet backup b",
    ):
        begun = time.monotonic()
        assert cli.main(words.split()) == 0, words
        said = capsys.readouterr()
        assert said.err == "" and said.out, words
        assert time.monotonic() - begun < 60
