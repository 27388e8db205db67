# SPDX-License-Identifier: MIT
"""Back-up and restore: after the home is lost, everything works again, or nothing was done."""

import hashlib
import os
import resource
import shutil
from pathlib import Path

import pytest

from sealtrail import trip_profiles as profiles
from sealtrail.device.dock_link import Dock
from sealtrail.device.provision import Provisioner
from sealtrail.errors import AccessRefused, StorageError, UsageError
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import verify_evidence
from sealtrail.home import Home
from sealtrail.keys import backup, coi, fleet, person, redo, rotation, ticket
from sealtrail.keys.public_key import own_key
from sealtrail.keys.secrets import MAGIC, Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import Wallet, WalletEntry
from sealtrail.model import Completeness
from sealtrail.radio.visit import visitor_for
from sealwire import access
from tests.fakes.handovers import ANN, hand_over, tag_chain
from tests.fakes.owner import PASSPHRASE, Killed, Owner, Writes, owner, owner_with_scrypt
from tests.unit.repl_tag import DockTag

__all__ = ["owner", "owner_with_scrypt"]


def provision(owner: Owner, tag: DockTag, serial: str = "ST-0001") -> WalletEntry:
    vault = owner.vault
    steps = Provisioner(Dock(tag), owner.home, vault, fleet.load(owner.home, vault), owner.clock)
    return steps.run(serial, profiles.load("ln2-dry-shipper")).ticket


def issue(owner: Owner, **more: object) -> WalletEntry:
    terms = {"role": "courier", "person": "Ann", "trip": 7, **more}
    return ticket.issue(owner.home, owner.vault, owner.clock, "ST-0001", **terms)


@pytest.fixture
def tag(owner: Owner) -> DockTag:
    """A provisioned tag; the home then has one of everything."""
    made = DockTag()
    owner.with_service()
    provision(owner, made)
    issue(owner)
    own_key(owner.home, owner.vault)
    coi.commit(owner.home, owner.vault, "patient 7", None)
    owner.register("Ann", ANN.public)
    (owner.home.make(owner.home.evidence) / "ST-0001-x.store").write_bytes(b"records")
    (owner.home.make(owner.home.logs) / "error.txt").write_text("x")
    return made


def save(owner: Owner, file: Path, **more: object) -> backup.BackedUp:
    return backup.backup(owner.home, owner.vault, owner.clock, file, **more)


def restored(owner: Owner, file: Path, passphrase: str = PASSPHRASE) -> Owner:
    """The owner at a new computer, with the back-up only."""
    new = Owner(owner.home.root.parent, "new")
    new.clock.now_s = owner.clock.now_s
    backup.restore(new.home, file, passphrase.encode)
    return new


def secrets_of(owner: Owner) -> list[bytes]:
    """Every secret of a home, in the clear."""
    vault, home = owner.vault, owner.home
    folder = TagFolder.current(home, "ST-0001")
    entries = [Wallet(home, vault).get(name) for name in Wallet(home, vault).names()]
    keys = [
        fleet.load(home, vault).key.private_bytes_raw(),
        own_key(home, vault).private_bytes_raw(),
    ]
    keys.append(vault.read(home.next_fleet_key, fleet.NEXT_LABEL))
    keys.append(folder.access_key(vault))
    for entry in entries:
        keys += [entry.ticket_key, entry.visit_key, entry.holder_seed]
    return keys


def test_everything_comes_back_but_locks_logs_and_evidence(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    made = save(owner, tmp_path / "b")
    new = restored(owner, tmp_path / "b")
    left_out = {"logs/error.txt", "evidence/ST-0001-x.store"}
    assert set(owner.files()) - set(new.files()) == left_out
    assert set(new.files()) <= set(owner.files())
    assert secrets_of(new) == secrets_of(owner)
    assert made.secret_count >= 9 and made.has_successor


def test_evidence_goes_along_when_asked(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    save(owner, tmp_path / "b", with_evidence=True)
    assert restored(owner, tmp_path / "b").files()["evidence/ST-0001-x.store"] == b"records"


def test_lost_home_works_again_end_to_end(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    chain = hand_over(tag_chain(owner))
    nonce = TrustStore(owner.home).new_nonce(chain.tid, owner.clock.now_ms())
    chain.attest(nonce)
    save(owner, tmp_path / "b")
    new = restored(owner, tmp_path / "b")
    shutil.rmtree(owner.home.root)
    # Verification: fleet.pub, the nonces asked and the persons are back.
    found = verify_evidence(chain.evidence(), TrustStore(new.home))
    assert found.freshness.completeness is Completeness.PROVED
    assert found.custody[0].receiver == "Ann"
    # Tickets: an old one still opens the tag, a new one is derived from the same access key.
    entry = issue(new, role="qa", person="QA", trip=0)
    assert entry.ticket_key == access.ticket_key(tag.access_key, entry.ticket)
    assert visitor_for(Wallet(new.home, new.vault).get("ST-0001-courier-2"), 1)
    # Provisioning another tag, and all that the keys are for.
    assert provision(new, DockTag(), "ST-0002").serial == "ST-0002"
    person.add(new.home, new.vault, new.clock, "Bob", role="courier", public_key=bytes(32))
    rotation.rotate(new.home, new.vault, new.clock, 10)


def test_ticket_number_is_never_given_twice_after_a_restore(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    save(owner, tmp_path / "b")
    given = [issue(owner).terms.tno for _ in range(3)]  # after the back-up
    new = restored(owner, tmp_path / "b")
    assert issue(new).terms.tno > max(given)


def test_without_successor_the_home_provisions_and_rotates_with_the_other_safe(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    assert not save(owner, tmp_path / "b", with_successor=False).has_successor
    safe = tmp_path / "safe.key"
    shutil.copy(owner.home.next_fleet_key, safe)
    new = restored(owner, tmp_path / "b")
    assert not new.home.next_fleet_key.exists()
    provision(new, DockTag(), "ST-0002")
    with pytest.raises(AccessRefused, match="successor key is not here"):
        rotation.rotate(new.home, new.vault, new.clock, 10)
    rotation.rotate(new.home, new.vault, new.clock, 10, safe)


def test_own_passphrase_helps_who_forgot_the_homes(
    owner: Owner, tag: DockTag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, tmp_path / "b", passphrase=b"battery staple")
    with pytest.raises(AccessRefused, match="wrong passphrase"):
        restored(owner, tmp_path / "b")
    before = secrets_of(owner)
    (tmp_path / "p").write_text("a new passphrase\n")
    new = restored(owner, tmp_path / "b", "battery staple")
    assert secrets_of(new) == before


def test_passphrase_of_the_home_goes_on_after_a_restore(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    save(owner, tmp_path / "b")
    before = secrets_of(owner)
    (tmp_path / "p").write_text("something else\n")
    new = restored(owner, tmp_path / "b")
    with pytest.raises(AccessRefused, match="wrong passphrase"):
        secrets_of(new)
    (tmp_path / "p").write_text(PASSPHRASE + "\n")
    assert secrets_of(new) == before


def test_lost_access_keys_orphan_no_evidence(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    evidence = hand_over(tag_chain(owner)).evidence()
    shutil.copy(owner.home.fleet_pub, tmp_path / "fleet.pub")
    shutil.rmtree(owner.home.root)  # all of it, and no back-up
    reader = TrustStore(Home(tmp_path / "reader"), tmp_path / "fleet.pub")
    assert len(verify_evidence(evidence, reader).records) == 5


def test_home_that_is_not_empty_is_left_alone(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    save(owner, tmp_path / "b")
    before = owner.files()
    with pytest.raises(UsageError, match="home is not empty"):
        backup.restore(owner.home, tmp_path / "b", PASSPHRASE.encode)
    assert owner.files() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not empty"):
        backup.restore(Home(tmp_path / "file"), tmp_path / "b", PASSPHRASE.encode)


def test_empty_folder_or_one_with_locks_only_counts_as_empty(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    save(owner, tmp_path / "b")
    new = Owner(tmp_path, "new")
    with new.home.lock("fleet"):
        pass
    assert "fleet.pub" in restored(owner, tmp_path / "b").files()


def nothing_left(tmp_path: Path) -> bool:
    return not [path for path in tmp_path.iterdir() if "new" in path.name]


@pytest.mark.parametrize("place", [0, 5, 19, 25, 60, 100, 1000, -40, -1])
def test_every_changed_byte_is_damage_and_restores_nothing(
    owner: Owner, tag: DockTag, tmp_path: Path, place: int
) -> None:
    save(owner, tmp_path / "b")
    raw = bytearray((tmp_path / "b").read_bytes())
    raw[place] ^= 1
    (tmp_path / "b").write_bytes(raw)
    with pytest.raises(UsageError, match=r"damaged|no back-up"):
        restored(owner, tmp_path / "b")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("size", [0, 10, 19, 50, 500, -1])
def test_cut_file_restores_nothing(owner: Owner, tag: DockTag, tmp_path: Path, size: int) -> None:
    save(owner, tmp_path / "b")
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:size])
    with pytest.raises(UsageError):
        restored(owner, tmp_path / "b")
    assert nothing_left(tmp_path)


def test_altered_file_with_a_good_checksum_is_refused(
    owner: Owner, tag: DockTag, tmp_path: Path
) -> None:
    save(owner, tmp_path / "b")
    raw = bytearray((tmp_path / "b").read_bytes()[:-32])
    raw[-1] ^= 1
    (tmp_path / "b").write_bytes(raw + hashlib.sha256(raw).digest())
    with pytest.raises(AccessRefused, match="wrong passphrase, or the file was changed"):
        restored(owner, tmp_path / "b")
    assert nothing_left(tmp_path)


def test_wrong_passphrase_restores_nothing(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    save(owner, tmp_path / "b")
    with pytest.raises(AccessRefused, match="wrong passphrase"):
        restored(owner, tmp_path / "b", "wrong horse")
    assert nothing_left(tmp_path)


def test_sealed_secret_in_the_place_of_a_back_up_is_refused(owner: Owner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no back-up"):
        restored(owner, owner.home.fleet_key)
    with pytest.raises(UsageError, match="cannot read"):
        restored(owner, tmp_path / "missing")


def test_restore_killed_at_every_write_leaves_no_home_and_can_be_repeated(
    owner: Owner, tag: DockTag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, tmp_path / "b")
    writes = Writes(monkeypatch)
    restored(owner, tmp_path / "b")
    total = writes.count
    shutil.rmtree(tmp_path / "new")
    # kill -9 runs no cleaning up: what lies beside the place of the home stays.
    remove = shutil.rmtree
    monkeypatch.setattr("sealtrail.keys.backup.shutil.rmtree", keep_staged(remove))
    for place in range(total):
        writes.restart(place)
        with pytest.raises(Killed):
            restored(owner, tmp_path / "b")
        assert not (tmp_path / "new").exists()
    monkeypatch.setattr("sealtrail.keys.backup.shutil.rmtree", remove)
    writes.restart()
    assert secrets_of(restored(owner, tmp_path / "b")) == secrets_of(owner)
    assert {path.name for path in tmp_path.iterdir()} == {"p", "b", "home", "new"}


def keep_staged(remove):  # type: ignore[no-untyped-def]
    import sys

    def rmtree(path: Path, ignore_errors: bool = False) -> None:
        if not isinstance(sys.exc_info()[1], Killed):
            remove(path, ignore_errors=ignore_errors)

    return rmtree


def test_full_disk_writes_no_back_up(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    (owner.home.evidence / "big.store").write_bytes(os.urandom(3 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(StorageError, match="not written"):
            save(owner, tmp_path / "b", with_evidence=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {path.name for path in tmp_path.iterdir()} == {"p", "home"}


def test_full_disk_restores_nothing(
    owner: Owner, tag: DockTag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(owner, tmp_path / "b")
    writes = Writes(monkeypatch)
    writes.restart(4)
    writes.problem = StorageError("not written: No space left on device")
    with pytest.raises(StorageError):
        restored(owner, tmp_path / "b")
    assert nothing_left(tmp_path)


def test_back_up_into_the_home_itself_or_over_a_folder_is_refused(
    owner: Owner, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="lies in the home"):
        save(owner, owner.home.root / "b")
    with pytest.raises(UsageError, match="a folder"):
        save(owner, tmp_path)
    with pytest.raises(StorageError):
        save(owner, tmp_path / "none" / "b")


def test_back_up_holds_no_secret_in_the_clear(owner: Owner, tag: DockTag, tmp_path: Path) -> None:
    save(owner, tmp_path / "b")
    raw = (tmp_path / "b").read_bytes()
    assert not [
        secret for secret in secrets_of(owner) if secret in raw or secret.hex().encode() in raw
    ]
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_every_sealed_file_of_a_home_has_its_label(owner: Owner, tag: DockTag) -> None:
    sealed = [at for at, raw in owner.files().items() if raw.startswith(MAGIC)]
    from pathlib import PurePosixPath

    from sealtrail.keys.backup_files import label_of

    unknown = [at for at in sealed if label_of(PurePosixPath(at)) is None]
    assert unknown == ["passphrase.check"]


def test_sealed_file_of_an_unknown_kind_stops_the_back_up(owner: Owner, tmp_path: Path) -> None:
    owner.vault.write(owner.home.root / "new-kind.key", b"secret", "new kind")
    with pytest.raises(StorageError, match="cannot back this file up"):
        save(owner, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_cut_rotation_is_completed_before_it_is_backed_up(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Writes(monkeypatch)
    writes.restart(3)
    with pytest.raises(Killed):
        rotation.rotate(owner.home, owner.vault, owner.clock, 10)
    writes.restart()
    save(owner, tmp_path / "b")
    new = restored(owner, tmp_path / "b")
    assert not redo.is_open(new.home)
    assert len(fleet.read_lines(new.home.fleet_pub)) == 2 and fleet.load(new.home, new.vault)


def test_back_up_that_names_files_outside_the_home_is_refused(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import PurePosixPath

    rows = [(PurePosixPath("../stolen"), None)]
    monkeypatch.setattr(backup, "chosen_files", lambda *_: rows)
    monkeypatch.setattr(backup, "_content", lambda *_: b"x")
    save(owner, tmp_path / "b")
    with pytest.raises(UsageError, match="cannot be"):
        restored(owner, tmp_path / "b")
    assert nothing_left(tmp_path) and not (tmp_path / "stolen").exists()


def test_vault_of_a_given_passphrase_asks_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path / "h")
    Vault(home, passphrase=b"given by the back-up").write(home.own_key, b"x" * 32, "person key")
    with pytest.raises(AccessRefused):
        Vault(home, passphrase=b"another").read(home.own_key, "person key")
