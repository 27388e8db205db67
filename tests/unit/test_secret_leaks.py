# SPDX-License-Identifier: MIT
"""No secret leaves its sealed file: not in arguments, environment, output, logs or files.

A whole run of the key commands, in processes of its own, watched through /proc while it
lasts. What is looked for is what the run made: every key, seed and passphrase, raw, in hex
and in base64.
"""

import base64
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.backup_files import label_of
from sealtrail.keys.secrets import MAGIC, Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import Wallet
from tests.fakes.command_line import PATHS

PASSPHRASE, BACKUP_PASSPHRASE = b"correct horse battery", b"staple of the other safe"
SALT_TEXT = "patient 4711"
RUN = (
    "fleet init Example",
    "service cert",
    "person add Ann --role courier --me",
    "ticket issue --tag ST-0001 --role courier --name Bob --trip 7",
    "ticket issue --tag ST-0001 --role qa --name QA --me",
    "ticket show",
    "trip start --trip 7 --coi - --ticket ST-0001-qa-2 --wait 1",
    "fleet rotate -v",
    "service rotate --withdraw -v",
    "person show --json",
    "service show --json",
    "fleet show --json",
    "fleet backup out.backup -v",
    "--home other fleet restore out.backup --json",
    "provision --port /dev/null --serial ST-0002",
    "fleet rotate --years 99",
    "fleet init Again",
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


class Watched:
    """Runs commands and keeps all that others on this computer could have seen of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = bytearray()
        self.codes: list[int] = []
        (folder / "p").write_bytes(PASSPHRASE + b"\n")
        (folder / "bp").write_bytes(BACKUP_PASSPHRASE + b"\n")

    def run(self, words: str) -> int:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": PATHS,
            "SEALTRAIL_HOME": str(self.folder / "home"),
            "SEALTRAIL_PASSPHRASE_FILE": str(self.folder / "p"),
            "SEALTRAIL_BACKUP_PASSPHRASE_FILE": str(self.folder / "bp"),
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "sealtrail", *words.split()],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdin and process.stdout
        process.stdin.write(SALT_TEXT.encode() + b"\n")
        process.stdin.close()
        while process.poll() is None:
            self._look(process.pid)
            time.sleep(0.005)
        self.seen += process.stdout.read()
        process.stdout.close()
        return process.returncode

    def _look(self, pid: int) -> None:
        for name in ("cmdline", "environ"):
            try:
                self.seen += Path(f"/proc/{pid}/{name}").read_bytes()
            except (OSError, ProcessLookupError):
                return

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name not in {"p", "bp"}
        }


def secrets_of(home: Home) -> dict[str, bytes]:
    """Every secret of the home, in the clear."""
    from pathlib import PurePosixPath

    vault = Vault(home)
    found = {"passphrase": PASSPHRASE, "back-up's": BACKUP_PASSPHRASE}
    for path in home.root.rglob("*"):
        if path.is_file() and path.read_bytes().startswith(MAGIC):
            label = label_of(PurePosixPath(path.relative_to(home.root).as_posix()))
            if label not in {None, "ticket", fleet.NEXT_HASH_LABEL}:
                found[str(path)] = vault.read(path, str(label))
    wallet = Wallet(home, vault)
    for entry in map(wallet.get, wallet.names()):
        for slot in ("ticket_key", "visit_key", "holder_seed"):
            found[f"{entry.name} {slot}"] = getattr(entry, slot)
    return {name: secret for name, secret in found.items() if secret}


def forms(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:-4]]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    made = Watched(tmp_path_factory.mktemp("run"))
    assert made.run(RUN[0]) == 0
    home = Home(made.folder / "home")
    folder = TagFolder.begin(home, "ST-0001", b"certificate", b"profile")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(made.folder / "p"))
        folder.keep_access_key(Vault(home), bytes(range(100, 132)))
    folder.put_in_force()
    made.codes = [made.run(words) for words in RUN[1:]]
    return made


@pytest.fixture(autouse=True)
def passphrase(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(watched.folder / "p"))


def test_run_did_what_it_was_to_do(watched: Watched) -> None:
    failed = [words for words, code in zip(RUN[1:], watched.codes, strict=True) if code]
    assert [words.split()[0] for words in failed] == ["trip", "provision", "fleet", "fleet"]
    assert b"sealtrail\0fleet\0rotate" in watched.seen  # /proc was really read
    assert len(secrets_of(Home(watched.folder / "home"))) >= 12


def test_no_secret_in_arguments_environment_or_output(watched: Watched) -> None:
    for name, secret in secrets_of(Home(watched.folder / "home")).items():
        assert not [form for form in forms(secret) if form in watched.seen], name
    assert SALT_TEXT.encode() not in watched.seen


def test_no_secret_in_any_file_of_the_run(watched: Watched) -> None:
    everything = watched.files()
    assert {"out.backup", "home/fleet/fleet.key", "other/fleet/fleet.key"} <= set(everything)
    for name, secret in secrets_of(Home(watched.folder / "home")).items():
        for form in forms(secret):
            assert not [at for at, raw in everything.items() if form in raw], name


def test_secret_files_are_for_their_owner_only(watched: Watched) -> None:
    for path in watched.folder.rglob("*"):
        if path.is_file() and path.read_bytes()[:10] in {MAGIC[:10], b"SEALTRAIL-"}:
            assert path.stat().st_mode & 0o077 == 0, path


def test_error_details_hold_no_secret(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealtrail import cli

    def failing(*_: object) -> None:
        raise KeyError("unexpected")

    monkeypatch.setattr(fleet, "opened_line", failing)
    home = watched.folder / "home"
    assert cli.main(["--home", str(home), "service", "cert", "-q"]) == 6
    (details,) = (home / "logs").iterdir()
    text = details.read_bytes()
    assert b"KeyError" in text
    for name, secret in secrets_of(Home(home)).items():
        assert not [form for form in forms(secret) if form in text], name
