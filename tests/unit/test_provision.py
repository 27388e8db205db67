# SPDX-License-Identifier: MIT
"""Provisioning: what a tag and this home hold after it, and after a cut at every step."""

import hashlib
from pathlib import Path

import cbor2
import pytest

from sealtrail import trip_profiles as profiles
from sealtrail.clock import HostClock
from sealtrail.device.dock_link import Dock
from sealtrail.device.provision import Provisioned, Provisioner, set_clock
from sealtrail.errors import AccessRefused, DeviceError, SealtrailError
from sealtrail.home import Home
from sealtrail.keys import certificate, fleet
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import Wallet
from tests.unit.repl_tag import DockTag, chained


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    home = Home(tmp_path / "home")
    fleet.init(home, Vault(home), HostClock(), "Example", 10)
    return home


def provision(home: Home, tag: DockTag, is_erasing: bool = False) -> Provisioned:
    vault = Vault(home)
    steps = Provisioner(Dock(tag), home, vault, fleet.load(home, vault), HostClock())
    return steps.run("ST-0001", profiles.load("ln2-dry-shipper"), is_erasing=is_erasing)


def assert_complete(home: Home, tag: DockTag) -> None:
    folder = TagFolder.current(home, "ST-0001")
    assert folder.certificate == tag.certificate
    assert folder.access_key(Vault(home)) == tag.access_key
    assert Wallet(home, Vault(home)).choose(None, "ST-0001").tid == folder.tid


def test_provisioned_tag_and_home_agree(home: Home) -> None:
    tag = DockTag()
    made = provision(home, tag)
    assert_complete(home, tag)
    payload = cbor2.loads(cbor2.loads(made.certificate).value[2])
    assert payload[8][1][-2] == tag.key.public_key().public_bytes_raw()
    assert payload[2] == "ST-0001"
    assert made.tid == hashlib.sha256(made.certificate).digest()[:8]
    assert made.ticket.name == "ST-0001-service" and made.ticket.role == "service"


def test_clock_bounds_hold_the_true_time(home: Home) -> None:
    tag = DockTag()
    before_ms = HostClock().now_ms()
    provision(home, tag)
    assert tag.clock and tag.clock[0] <= before_ms + 30_000 and tag.clock[0] >= before_ms - 2_000
    assert tag.clock[1] > HostClock().now_ms()
    assert tag.clock[1] - tag.clock[0] < 10_000


def test_clock_set_that_took_too_long_is_an_error(home: Home) -> None:
    class SlowClock(HostClock):
        asked = 0

        def now_ms(self) -> int:
            self.asked += 1
            return 1_790_000_000_000 + (0, 10, 20_000)[self.asked - 1]

    with pytest.raises(DeviceError, match="too long"):
        set_clock(Dock(DockTag()), SlowClock())


def test_access_key_and_holder_key_lie_sealed(home: Home) -> None:
    tag = DockTag()
    made = provision(home, tag)
    stored = b"".join(path.read_bytes() for path in home.root.rglob("*") if path.is_file())
    for secret in (tag.access_key, made.ticket.holder_seed, made.ticket.ticket_key):
        assert secret not in stored


@pytest.mark.parametrize("op", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("after", [False, True])
def test_cut_at_every_step_leaves_a_tag_that_can_be_provisioned(
    home: Home, op: int, after: bool
) -> None:
    tag = DockTag(fail_at=op)
    tag.fail_after = after
    with pytest.raises(SealtrailError):
        provision(home, tag)
    with pytest.raises(AccessRefused):
        TagFolder.current(home, "ST-0001")
    tag.fail_at = None
    provision(home, tag)
    assert_complete(home, tag)


def test_cut_of_a_second_provisioning_keeps_the_first_in_force(home: Home) -> None:
    tag = DockTag()
    first = provision(home, tag)
    tag.fail_at = 3
    with pytest.raises(SealtrailError):
        provision(home, tag)
    assert TagFolder.current(home, "ST-0001").tid == first.tid
    tag.fail_at = None
    second = provision(home, tag)
    assert_complete(home, tag)
    assert second.tid != first.tid and second.ticket.name != first.ticket.name


def test_failed_self_test_stops_before_the_key(home: Home) -> None:
    tag = DockTag()
    tag.checks.append(["probe 0", 0, "open"])
    with pytest.raises(DeviceError, match="probe 0: open"):
        provision(home, tag)
    assert 3 not in tag.asked


def test_tag_without_its_key_gets_no_certificate(home: Home) -> None:
    tag = DockTag()
    tag.wrong_key = True
    with pytest.raises(DeviceError, match="does not hold the key"):
        provision(home, tag)
    assert 4 not in tag.asked


def test_replayed_proof_gets_no_certificate(home: Home) -> None:
    tag = DockTag()
    tag.proof_nonce = bytes(32)
    with pytest.raises(DeviceError, match="another request"):
        provision(home, tag)


def test_records_no_archive_has_are_never_erased_unread(home: Home) -> None:
    tag = DockTag()
    provision(home, tag)
    assert tag.certificate
    tag.records = chained(tag.certificate, 3)
    with pytest.raises(AccessRefused, match="3 records"):
        provision(home, tag)
    assert len(tag.records) == 3


def test_erase_reads_the_records_first(home: Home) -> None:
    tag = DockTag()
    first = provision(home, tag)
    tag.records = records = chained(first.certificate, 3)
    again = provision(home, tag, is_erasing=True)
    assert again.dump and again.dump.read_bytes() == first.certificate + b"".join(records)
    assert tag.records == []
    assert_complete(home, tag)


def test_erase_whose_reading_fails_erases_nothing(home: Home) -> None:
    tag = DockTag()
    provision(home, tag)
    assert tag.certificate
    tag.records = chained(tag.certificate, 1)
    tag.fail_at = 6
    with pytest.raises(SealtrailError):
        provision(home, tag, is_erasing=True)
    assert tag.records and 8 not in tag.asked


def test_a_tag_with_key_and_records_is_refused_without_erase_also_when_receipted(
    home: Home,
) -> None:
    tag = DockTag()
    provision(home, tag)
    assert tag.certificate
    tag.records, tag.acknowledged = chained(tag.certificate, 1), 0
    with pytest.raises(AccessRefused, match="has a key"):
        provision(home, tag)
    assert tag.certificate and 8 not in tag.asked
    provision(home, tag, is_erasing=True)
    assert_complete(home, tag)


def test_a_decommissioned_tag_is_read_once_more_and_gets_a_new_life(home: Home) -> None:
    tag = DockTag()
    first = provision(home, tag)
    records = chained(first.certificate, 1, chained(first.certificate, 2), kind=5)
    tag.records = records
    tag.is_ended = True
    second = provision(home, tag)
    assert second.dump and second.dump.read_bytes() == first.certificate + b"".join(records)
    assert second.tid != first.tid
    assert_complete(home, tag)


@pytest.mark.parametrize("years", [-1, 11])
def test_a_fleet_key_out_of_its_days_certifies_nothing(home: Home, years: int) -> None:
    class OtherYear(HostClock):
        def now_ms(self) -> int:
            return super().now_ms() + years * 366 * 86_400_000

    tag, vault = DockTag(), Vault(home)
    steps = Provisioner(Dock(tag), home, vault, fleet.load(home, vault), OtherYear())
    with pytest.raises(AccessRefused, match="fleet key is in force from"):
        steps.run("ST-0001", profiles.load("ln2-dry-shipper"))
    assert tag.asked == []


class Saying:
    """A tag that prints one fixed thing."""

    def __init__(self, printed: str) -> None:
        self.printed = printed

    def run(self, code: str, timeout_s: float = 10) -> str:
        return self.printed


def hexed(value: object) -> str:
    return "ST1 " + cbor2.dumps(value).hex()


@pytest.mark.parametrize(
    "printed",
    ["", "hello", "ST1", "ST1 zz", "ST1 ff", "ST1 " + "81" * 3000, hexed(7), hexed({0: 0}),
     hexed({0: "x"}), hexed({0: 0, 1: [1]}), hexed({0: 99, 1: "what"}), hexed({0: 4, 1: b"\xff"}),
     hexed({0: 0, 1: {1: 5, 2: "v", 3: "1", 4: 1, 5: 1, 6: 1}})],
)  # fmt: skip
def test_every_odd_answer_is_a_device_error(printed: str) -> None:
    with pytest.raises(DeviceError):
        Dock(Saying(printed)).identify()


def test_an_answer_that_lost_its_mark_is_not_quoted() -> None:
    answer = hexed({0: 0, 1: {1: b"\xa7" * 32}}).replace("ST1", "S\x001")
    with pytest.raises(DeviceError) as caught:
        Dock(Saying(answer)).install(b"", b"", b"", b"")
    assert "a7a7" not in str(caught.value) and "..." in str(caught.value)


IDENTITY = {1: b"u", 2: "v", 3: "1", 4: 1, 5: 3, 6: 1, 7: bytes(8), 10: bytes(32)}


@pytest.mark.parametrize("label", [7, 10])
@pytest.mark.parametrize("size", [1, 7, 33, 5_000])
def test_an_id_or_a_hash_of_another_length_goes_nowhere(label: int, size: int) -> None:
    """The tag's id becomes a file's name: a long one must not reach the disk."""
    assert Dock(Saying(hexed({0: 0, 1: IDENTITY}))).identify().tid == bytes(8)
    with pytest.raises(DeviceError, match=f"{size} bytes"):
        Dock(Saying(hexed({0: 0, 1: IDENTITY | {label: b"x" * size}}))).identify()
    with pytest.raises(DeviceError, match=f"{size} bytes"):
        Dock(Saying(hexed({0: 0, 1: {1: 4, 2: b"x" * size}}))).end(None)


def test_refusals_have_their_own_class() -> None:
    with pytest.raises(AccessRefused, match="no archive"):
        Dock(Saying(hexed({0: 2, 1: "5 records are in no archive"}))).erase(False)
    with pytest.raises(DeviceError, match="not provisioned"):
        Dock(Saying(hexed({0: 3}))).read_all()
    with pytest.raises(DeviceError, match="makes no key: random source"):
        Dock(Saying(hexed({0: 8, 1: "random source: repetition"}))).enrol(bytes(32), "x")
    with pytest.raises(DeviceError, match="something else"):
        Dock(Saying(hexed({0: 9, 1: "the newest record is 7"}))).end((6, bytes(32)))
    with pytest.raises(AccessRefused, match="no key is left"):
        Dock(Saying(hexed({0: 10, 1: "no key is left"}))).end(None)
    with pytest.raises(AccessRefused, match="keeps its log"):
        Dock(Saying(hexed({0: 11, 1: "decommission it first"}))).purge(bytes(32))


def test_dump_of_an_empty_log_is_the_certificate_alone(home: Home) -> None:
    tag = DockTag()
    made = provision(home, tag)
    assert Dock(tag).read_all() == (made.certificate, [])


def test_tid_of_the_folder_is_the_certificates(home: Home) -> None:
    provision(home, tag := DockTag())
    assert tag.certificate
    folder = TagFolder.current(home, "ST-0001")
    assert folder.path.name == certificate.tid_of(tag.certificate).hex()
