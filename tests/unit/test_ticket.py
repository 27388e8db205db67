# SPDX-License-Identifier: MIT
"""Tickets: their numbers, terms and keys, and the wallet that holds them."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.home import Home
from sealtrail.keys import ticket
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import Wallet, WalletEntry
from sealwire import access, protocol

ACCESS_KEY = bytes(range(32))
NOW_S = 1_790_000_000


class StillClock:
    """A clock that stands."""

    is_simulated = True

    def now_ms(self) -> int:
        return NOW_S * 1000 + 999


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    home = Home(tmp_path / "home")
    folder = TagFolder.begin(home, "ST-0001", b"certificate", b"profile")
    folder.keep_access_key(Vault(home), ACCESS_KEY)
    folder.put_in_force()
    return home


def issue(home: Home, **terms: object) -> WalletEntry:
    given: dict[str, object] = {"role": "courier", "person": "Ann", "trip": 7, **terms}
    return ticket.issue(home, Vault(home), StillClock(), "ST-0001", **given)  # type: ignore[arg-type]


def test_ticket_names_its_holders_key_and_its_trip(home: Home) -> None:
    entry = issue(home)
    terms = access.parse_ticket(entry.ticket)
    public = Ed25519PrivateKey.from_private_bytes(entry.holder_seed).public_key()
    assert terms.holder == hashlib.sha256(public.public_bytes_raw()).digest()[:16]
    assert (terms.role, terms.trip, terms.tno) == (protocol.COURIER, 7, 1)
    assert terms.scope == protocol.ROLE_SCOPE[protocol.COURIER]
    assert (terms.nbf, terms.exp) == (NOW_S - 300, NOW_S + 7 * 86_400)


def test_keys_are_those_the_tag_derives(home: Home) -> None:
    entry = issue(home)
    assert entry.ticket_key == access.ticket_key(ACCESS_KEY, entry.ticket)
    assert entry.visit_key == access.visit_key(ACCESS_KEY, 0)
    assert ACCESS_KEY not in b"".join((entry.ticket, entry.ticket_key, entry.visit_key))


def test_service_ticket_has_no_expiry_and_no_trip(home: Home) -> None:
    terms = issue(home, role="service", trip=0).terms
    assert (terms.exp, terms.trip) == (protocol.NO_EXPIRY, 0)


@pytest.mark.parametrize(
    "terms",
    [
        {"trip": 0},
        {"role": "king"},
        {"days": 0},
        {"days": 367},
        {"trip": -1},
        {"trip": 1 << 32},
        {"person": "a\nb"},
        {"person": "x" * 49},
    ],
)
def test_impossible_terms_take_no_number(home: Home, terms: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        issue(home, **terms)
    assert issue(home).terms.tno == 1


def test_numbers_rise_and_are_never_given_twice(home: Home) -> None:
    assert [issue(home).terms.tno for _ in range(3)] == [1, 2, 3]


def test_name_already_taken_wastes_the_number_and_keeps_the_ticket(home: Home) -> None:
    first = issue(home, name="ann")
    with pytest.raises(UsageError, match="of that name"):
        issue(home, name="ann")
    assert Wallet(home, Vault(home)).get("ann") == first
    assert issue(home).terms.tno == 3


@pytest.mark.parametrize("content", ["", "0\n", "-1\n", "x", "4294967295\n"])
def test_damaged_number_file_is_never_guessed(home: Home, content: str) -> None:
    (TagFolder.current(home, "ST-0001").path / "next_ticket").write_text(content)
    with pytest.raises(StorageError):
        issue(home)


def test_unknown_tag_is_refused(home: Home) -> None:
    with pytest.raises(AccessRefused, match="not provisioned by this home"):
        ticket.issue(home, Vault(home), StillClock(), "ST-0002", role="qa", person="Q")


def test_wallet_gives_back_what_was_put(home: Home) -> None:
    entry = issue(home)
    wallet = Wallet(home, Vault(home))
    assert wallet.get(entry.name) == entry == wallet.choose(None, "ST-0001")
    assert wallet.get(str(home.ticket(entry.name))) == entry


def test_wallet_asks_to_choose_among_several(home: Home) -> None:
    issue(home)
    issue(home, role="qa")
    wallet = Wallet(home, Vault(home))
    with pytest.raises(UsageError, match="several"):
        wallet.choose(None, "ST-0001")
    assert wallet.choose("ST-0001-qa-2", None).role == "qa"


def test_ticket_for_another_tag_is_refused(home: Home) -> None:
    name = issue(home).name
    with pytest.raises(UsageError, match="is for tag"):
        Wallet(home, Vault(home)).choose(name, "ST-0002")
    with pytest.raises(AccessRefused, match="no ticket"):
        Wallet(home, Vault(home)).choose(None, "ST-0002")


def test_ticket_of_a_replaced_enrolment_is_not_chosen(home: Home) -> None:
    issue(home)
    folder = TagFolder.begin(home, "ST-0001", b"new certificate", b"profile")
    folder.keep_access_key(Vault(home), bytes(32))
    folder.put_in_force()
    with pytest.raises(AccessRefused):
        Wallet(home, Vault(home)).choose(None, "ST-0001")
    assert TagFolder.current(home, "ST-0001").access_key(Vault(home)) == bytes(32)


def test_damaged_ticket_file_is_refused(home: Home) -> None:
    path = home.ticket(issue(home).name)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AccessRefused):
        Wallet(home, Vault(home)).get(path.stem)
    path.write_bytes(b"")
    with pytest.raises(StorageError):
        Wallet(home, Vault(home)).get(path.stem)


def test_no_key_shows_in_a_printed_entry(home: Home) -> None:
    entry = issue(home)
    for secret in (entry.ticket_key, entry.visit_key, entry.holder_seed):
        assert secret.hex() not in repr(entry) and repr(secret) not in repr(entry)
