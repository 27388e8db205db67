# SPDX-License-Identifier: MIT
"""Clients of the archive and how often they may ask; the commands on them."""

import json
import stat
from pathlib import Path

import pytest

from sealtrail import cli
from sealtrail.archive.clients import Clients
from sealtrail.archive.database import Database
from sealtrail.archive.limits import RateLimit
from sealtrail.errors import UsageError
from tests.archive.parts import database
from tests.fakes.command_line import home, refused
from tests.fakes.owner import StillClock
from tests.vectors.chain import COURIER

__all__ = ["database", "home"]


@pytest.fixture
def clients(database: Database) -> Clients:
    return Clients(database, StillClock())


def test_a_token_opens_for_its_client_until_it_is_revoked(clients: Clients):
    token = clients.add("dock-3", "gateway")
    assert clients.by_token(token).name == "dock-3"
    assert clients.by_token(token + "x") is None
    clients.revoke("dock-3")
    clients.revoke("dock-3")
    assert clients.by_token(token) is None
    with pytest.raises(UsageError, match="there is or was"):
        clients.add("dock-3", "gateway")


def test_a_client_for_a_person_has_that_persons_holder_id(clients: Clients):
    clients.add("ann", "phone", COURIER.public)
    assert len(clients.find("ann").holder) == 16
    assert clients.find("nobody") is None


@pytest.mark.parametrize(
    ("name", "role"), [("", "qa"), ("a b", "qa"), ("../x", "qa"), ("a", "boss")]
)
def test_names_and_roles_that_are_none_are_refused(clients: Clients, name: str, role: str):
    with pytest.raises(UsageError):
        clients.add(name, role)


def test_a_bucket_gives_its_burst_then_its_rate():
    now = [0.0]
    limit = RateLimit(burst=3, per_s=2, monotonic_s=lambda: now[0])
    assert [limit.wait_s("a") for _ in range(4)] == [0, 0, 0, 1]
    assert limit.wait_s("b") == 0
    now[0] = 0.5
    assert [limit.wait_s("a") for _ in range(2)] == [0, 1]
    now[0] = 1000.0
    assert [limit.wait_s("a") for _ in range(4)] == [0, 0, 0, 1]
    assert limit.is_spent("a") and not limit.is_spent("c")


def test_buckets_do_not_grow_without_end():
    limit = RateLimit(burst=1, per_s=1)
    for number in range(10_050):
        limit.wait_s(str(number))
    assert len(limit._buckets) == 10_000


# ---- commands


def prepared(home: Path) -> None:
    assert cli.main(["fleet", "init", "Example"]) == 0
    assert cli.main(["archive", "init", "--clock-error-ms", "500"]) == 0


def test_the_commands_make_show_and_end_a_client(home: Path, capsys: pytest.CaptureFixture[str]):
    prepared(home)
    capsys.readouterr()
    assert cli.main(["archive", "client", "add", "dock-3", "--role", "gateway", "--json"]) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    assert cli.main(["archive", "client", "list", "--json"]) == 0
    said = capsys.readouterr().out
    assert "dock-3" in said and token not in said
    assert cli.main(["archive", "client", "revoke", "dock-3"]) == 0
    assert cli.main(["archive", "show", "--json"]) == 0
    capsys.readouterr()
    path = home / "archive" / "archive.sqlite"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


WRONG = [
    (("archive", "show"), 2, "no archive here"),
    (("archive", "init"), 2, "no public fleet key"),
    (("archive", "serve"), 2, "holds no keys"),
    (("archive", "serve", "--host", "0.0.0.0"), 2, "plain HTTP"),
    (("archive", "serve", "--cert", "x.pem"), 2, "belong together"),
    (("archive", "serve", "--sealed"), 2, "no archive here"),
    (("archive", "push"), 2, "no archive is named"),
    (("archive", "use", "ftp://x", "--token-file", "p"), 2, "not the address"),
    (("archive", "use", "https://x", "--token-file", "none"), 2, "not readable"),
]


@pytest.mark.parametrize(("words", "code", "what"), WRONG)
def test_wrong_use_is_one_line(home: Path, capsys, words: tuple[str, ...], code: int, what: str):
    got, line = refused(capsys, *words)
    assert (got, what in line) == (code, True), line


def test_a_certificate_that_is_none_is_one_line(home: Path, capsys, tmp_path: Path):
    prepared(home)
    capsys.readouterr()
    (tmp_path / "c.pem").write_text("no certificate")
    words = ("archive", "serve", "--port", "0", "--sealed", "--cert", "c.pem", "--key", "c.pem")
    code, line = refused(capsys, *words)
    assert code == 2 and "not a certificate" in line
    code, line = refused(capsys, "archive", "client", "add", "x", "--role", "boss")
    assert code == 2 and "gateway" in line
    code, line = refused(capsys, "archive", "init", "--clock-error-ms", "0")
    assert code == 2 and "ms" in line
