# SPDX-License-Identifier: MIT
"""Which tags may be written over, and which keep their log: asked, read, or refused."""

import hashlib
import os
from pathlib import Path

import cbor2
import pytest

from sealtrail.device import dumping, flash_map, image_flash
from sealtrail.device.dock_link import Dock, FlashUnusable
from sealtrail.device.flash_map import by_label
from sealtrail.device.image_flash import Vetted
from sealtrail.device.partition_table import Partition, decode, encode
from sealtrail.errors import AccessRefused, DeviceError, LinkError, SealtrailError, UsageError
from sealtrail.home import Home
from sealtrail.keys.certificate import tid_of
from sealtrail.radio.evidence_store import EvidenceStore
from tests.fakes.esp_image import table
from tests.unit.repl_tag import DockTag, chained
from tests.unit.test_chip_writer import IMAGE, MAP, RUNTIME_VFS, FakeChip

STOCK = (*decode(table()), RUNTIME_VFS)
OLD_LOG = Partition("log", 1, 6, 0x300000, 0x100000)
CERTIFICATE = cbor2.dumps(cbor2.CBORTag(18, [b"\xa1\x01\x27", {}, b"tag", bytes(64)]))
MOVED = (*(p for p in MAP.partitions if p.label != "log"), OLD_LOG)


class TagOnMap(DockTag):
    """A provisioned DockTag that also lists its partitions; *said*: what it prints instead."""

    def __init__(self, partitions: tuple[Partition, ...] = MAP.partitions) -> None:
        super().__init__()
        self.partitions = partitions
        self.certificate = CERTIFICATE
        self.said: str | None = None

    def hold(self, count: int) -> "TagOnMap":
        assert self.certificate
        self.records = chained(self.certificate, count)
        return self

    def run(self, code: str, timeout_s: float = 10) -> str:
        if "Partition.find" in code:
            return "".join(
                f"PT {(p.type, p.subtype, p.offset, p.size, p.label, p.is_encrypted)}\r\n"
                for p in self.partitions
            )
        if self.said is not None:
            return self.said
        return super().run(code, timeout_s)


class BareTag(TagOnMap):
    """MicroPython without our firmware."""

    def run(self, code: str, timeout_s: float = 10) -> str:
        if "Partition.find" in code:
            return super().run(code, timeout_s)
        raise DeviceError("the tag reports: ImportError: no module named 'tag'")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def vet(
    tag: TagOnMap, home: Home, *, is_reading: bool = False, is_log_erased: bool = False
) -> Vetted:
    return image_flash.vet(tag, MAP, home, is_reading=is_reading, is_log_erased=is_log_erased)


def dumps(home: Home) -> list[Path]:
    return sorted((home.evidence / "dumps").glob("*"))


def one_line_refusal(run: object) -> AccessRefused:
    with pytest.raises(AccessRefused) as caught:
        run()  # type: ignore[operator]
    assert caught.value.exit_code == 5 and caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


# ---- the flash map of a tag


def test_stock_table_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError) as caught:
        flash_map.check(MAP, TagOnMap(STOCK))
    assert "MicroPython's stock partition table, without keys and log" in caught.value.message
    assert "sealtrail flash --board esp32_devkitc --port PORT --image FILE" in caught.value.hint


def test_every_difference_of_a_map_is_named() -> None:
    there, wanted = "log at 0x300000, 1024 KB", "log at 0x2b0000, 1344 KB"
    cases = {
        f"it has {there}; board esp32_devkitc says {wanted}": MOVED,
        "it has no partition keys": tuple(p for p in MAP.partitions if p.label != "keys"),
        "its partition log is encrypted": tuple(
            Partition(p.label, p.type, p.subtype, p.offset, p.size, p.label == "log")
            for p in MAP.partitions
        ),
    }
    for says, partitions in cases.items():
        with pytest.raises(UsageError) as caught:
            flash_map.check(MAP, TagOnMap(partitions))
        assert caught.value.message.endswith(says)
    flash_map.check(MAP, TagOnMap())


def test_provision_refuses_a_tag_without_keys_and_log() -> None:
    with pytest.raises(UsageError, match="no partition log, keys") as caught:
        flash_map.check_any(TagOnMap(STOCK))
    assert "--image FILE" in caught.value.hint
    flash_map.check_any(TagOnMap())


@pytest.mark.parametrize("line", ["PT (1,2", "PT 7", "PT (1, 2, 3)", "PT ('a',)", "PT [()]"])
def test_list_of_partitions_that_cannot_be_read_is_an_error(line: str) -> None:
    class Odd:
        def run(self, code: str, timeout_s: float = 10) -> str:
            return line

    with pytest.raises(DeviceError, match="cannot be read"):
        flash_map.of_tag(Odd())


def test_micropython_of_another_chip_is_said_to_be_one() -> None:
    class NoEsp:
        def run(self, code: str, timeout_s: float = 10) -> str:
            raise DeviceError("the tag reports: ImportError: no module named 'esp32'")

    with pytest.raises(DeviceError, match="no ESP32's"):
        flash_map.of_tag(NoEsp())


# ---- asked before


def test_tag_with_unreceipted_records_is_refused_and_says_how_many(home: Home) -> None:
    said = one_line_refusal(lambda: vet(TagOnMap().hold(3), home))
    assert "holds 3 records that no archive has" in said.message and "--dump" in said.hint


def test_dump_reads_them_first_and_then_it_may_go_on(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(5)
    vetted = vet(tag, home, is_reading=True)
    assert vetted.may_forget and vetted.dump == dumps(home)[0]
    assert tag.certificate
    assert vetted.dump.read_bytes() == tag.certificate + b"".join(tag.records)
    # Held now: the next run needs no --dump and reads nothing.
    tag.asked.clear()
    assert vet(tag, home) == vetted and 6 not in tag.asked


def test_farewell_of_a_decommissioned_tag_is_not_erased_unread(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(4)
    tag.is_ended = True
    tag.acknowledged = 2  # all but the farewell
    said = one_line_refusal(lambda: vet(tag, home))
    assert "holds 1 records that no archive has" in said.message and "--dump" in said.hint
    vetted = vet(tag, home, is_reading=True)
    assert vetted.may_forget and vetted.dump == dumps(home)[0]
    assert vet(tag, home) == vetted
    tag.acknowledged = 3
    assert vet(tag, home) == Vetted(may_forget=True)


def test_unsealed_readings_count_only_when_the_log_goes(home: Home) -> None:
    tag = TagOnMap()
    tag.unsealed_count = 7
    assert vet(tag, home) == Vetted(may_forget=False)  # the log stays: nothing is lost
    for moved in (TagOnMap(MOVED), tag):
        moved.unsealed_count = 7
        said = one_line_refusal(lambda moved=moved: vet(moved, home, is_log_erased=moved is tag))
        assert "7 readings and events that stand in no record" in said.message


def test_dump_seals_them_and_reads_the_new_record_too(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(2)
    tag.unsealed_count = 7
    vetted = vet(tag, home, is_reading=True)
    assert vetted.dump and vetted.dump.name.endswith("-3.seal") and tag.unsealed_count == 0


def test_tag_whose_full_log_cannot_seal_is_refused_even_with_dump(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(2)
    tag.unsealed_count, tag.is_full = 7, True
    said = one_line_refusal(lambda: vet(tag, home, is_reading=True))
    assert "may be full: sync and upload" in said.hint


def test_receipted_tag_may_forget_without_dump(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(4)
    tag.acknowledged = 3
    assert vet(tag, home) == Vetted(may_forget=True)


def test_unprovisioned_tag_may_forget(home: Home) -> None:
    tag = TagOnMap(MOVED)
    tag.certificate = None
    assert vet(tag, home).may_forget


def test_tag_without_firmware_or_with_an_unusable_log_is_silent_not_an_error(home: Home) -> None:
    assert "ImportError" in vet(BareTag(STOCK), home).silence
    tag = TagOnMap()
    tag.said = "ST1 " + cbor2.dumps({0: 12, 1: "log, records: the log was ..."}).hex()
    assert "cannot use its flash: log, records" in vet(tag, home).silence


def test_unusable_flash_has_a_class_and_a_cure_of_its_own() -> None:
    tag = TagOnMap()
    tag.said = "ST1 " + cbor2.dumps({0: 12, 1: "keys, state: foreign"}).hex()
    with pytest.raises(FlashUnusable) as caught:
        Dock(tag).identify()
    assert "--image FILE" in caught.value.hint and "--erase-log" in caught.value.hint


# ---- what counts as read


@pytest.mark.parametrize(
    "damage", ["drop_last", "drop_first", "flip", "swap", "none_left", "junk"]
)
def test_dump_that_is_not_the_chain_up_to_the_head_is_refused(damage: str, home: Home) -> None:
    class Lying(TagOnMap):
        def _serve(self, op: int, args: dict) -> dict:
            answer = super()._serve(op, args)
            if op == 6:
                answer[1][1] = self.lie(args[1], list(answer[1][1]))
            return answer

        def lie(self, seq: int, piece: list[bytes]) -> list[bytes]:
            if damage == "drop_first" and seq == 0:
                return piece[1:]
            if damage == "flip" and seq == 2:
                return [piece[0][:-1] + b"\x01", *piece[1:]]
            if damage == "swap":
                return piece[::-1]
            if damage == "junk" and seq == 2:
                return [b"\xd2\x84junk"] * 2
            if damage == "drop_last" and seq + len(piece) == 6:
                return [*piece[:-1], piece[0]]
            return [] if damage == "none_left" else piece

    tag = Lying(MOVED)
    tag.hold(6)
    with pytest.raises(DeviceError):
        vet(tag, home, is_reading=True)
    assert dumps(home) == []


def test_last_record_that_is_not_the_tags_head_is_refused(home: Home) -> None:
    class Forked(TagOnMap):
        def _serve(self, op: int, args: dict) -> dict:
            answer = super()._serve(op, args)
            if op == 1:
                answer[1][10] = bytes(32)
            return answer

    tag = Forked(MOVED)
    tag.hold(3)
    with pytest.raises(DeviceError, match="is not the one that the tag names as its head"):
        vet(tag, home, is_reading=True)
    assert dumps(home) == []


def test_records_whose_numbers_jump_are_refused_though_they_hash_well(home: Home) -> None:
    tag = TagOnMap(MOVED)
    prev = CERTIFICATE
    for seq in (0, 5, 2):
        fields = {0: 0, 1: seq, 2: hashlib.sha256(prev).digest(), 3: [1, 5]}
        payload = cbor2.dumps(fields, canonical=True)
        content = [b"\xa1\x01\x27", {}, payload, bytes(64)]
        tag.records.append(prev := cbor2.dumps(cbor2.CBORTag(18, content)))
    with pytest.raises(DeviceError, match="record 5 stands where 1 should"):
        vet(tag, home, is_reading=True)
    assert dumps(home) == []


@pytest.mark.parametrize(
    ("count", "says"), [(3, "it ends at record 2; the tag's last is 9"), (0, "it is empty")]
)
def test_dump_that_ends_before_the_head_that_the_tag_names_is_refused(
    count: int, says: str, home: Home
) -> None:
    class Ahead(TagOnMap):
        def _serve(self, op: int, args: dict) -> dict:
            answer = super()._serve(op, args)
            if op == 1:
                answer[1][5] = 9
            return answer

    tag = Ahead(MOVED)
    tag.hold(count)
    with pytest.raises(DeviceError, match=says):
        vet(tag, home, is_reading=True)
    assert dumps(home) == []


def test_interrupted_dump_keeps_nothing_and_the_next_one_is_whole(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(9)
    tag.fail_at, tag.fail_after = 6, True
    with pytest.raises(SealtrailError):
        vet(tag, home, is_reading=True)
    assert dumps(home) == []
    tag.fail_at = None
    assert vet(tag, home, is_reading=True).dump == dumps(home)[0]


def test_tag_that_lost_its_oldest_receipted_records_is_read_from_the_first_it_has(
    home: Home,
) -> None:
    tag = TagOnMap(MOVED).hold(9)
    tag.first_seq, tag.acknowledged = 4, 5
    vetted = vet(tag, home, is_reading=True)
    assert vetted.dump and tag.certificate
    assert vetted.dump.read_bytes() == tag.certificate + b"".join(tag.records[4:])
    assert vet(tag, home) == vetted
    # Of what it does not hold there, an archive must have signed all.
    tag.acknowledged = 2
    one_line_refusal(lambda: vet(tag, home))


def test_damaged_or_shorter_dump_does_not_count(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(4)
    vetted = vet(tag, home, is_reading=True)
    assert vetted.dump
    whole = vetted.dump.read_bytes()
    for bad in (whole[:-1], whole[:-70], b"", b"\xff" * 300, whole[:20] + b"x" + whole[21:]):
        vetted.dump.write_bytes(bad)
        one_line_refusal(lambda: vet(tag, home))
    # Whole and chained, but its last record is not the tag's: a fork.
    fork = bytearray(tag.records[-1])
    fork[-1] ^= 1
    vetted.dump.write_bytes(CERTIFICATE + b"".join(tag.records[:-1]) + bytes(fork))
    one_line_refusal(lambda: vet(tag, home))
    vetted.dump.write_bytes(whole)
    assert vet(tag, home) == vetted
    tag.hold(5)
    one_line_refusal(lambda: vet(tag, home))


def test_complete_sync_by_radio_counts_as_read(home: Home) -> None:
    tag = TagOnMap(MOVED).hold(6)
    assert tag.certificate
    home.make(home.evidence)
    path = home.evidence / f"ST-0001-{tid_of(tag.certificate).hex()}.store"
    with EvidenceStore(path, tag.certificate) as store:
        store.append(tag.records[:5])
    one_line_refusal(lambda: vet(tag, home))
    path.unlink()
    with EvidenceStore(path, tag.certificate) as store:
        store.append(tag.records[2:])  # a courier's: it begins with the trip
    one_line_refusal(lambda: vet(tag, home))
    with EvidenceStore(path, tag.certificate) as store:
        store.append(tag.records[:2])
    assert vet(tag, home) == Vetted(True, path)
    # Another chain of the same length is not it.
    tag.records[-1] = chained(tag.certificate, 1, [*tag.records[:4], os.urandom(90)])[-1]
    one_line_refusal(lambda: vet(tag, home))


def test_dump_command_says_what_stays_on_a_tag_that_cannot_seal(home: Home) -> None:
    tag = TagOnMap().hold(2)
    tag.unsealed_count, tag.is_full = 3, True
    assert dumping.dump_to_home(Dock(tag), home).unsealed_count == 3


def test_disk_that_refuses_the_dump_stops_it(home: Home) -> None:
    home.make(home.evidence)
    (home.evidence / "dumps").write_text("a file where the folder should be")
    with pytest.raises(SealtrailError) as caught:
        vet(TagOnMap(MOVED).hold(2), home, is_reading=True)
    assert caught.value.exit_code == 6


# ---- written


def write(fake: FakeChip, vetted: Vetted, is_log_erased: bool = False) -> list[str]:
    plan = image_flash.write(fake.chip, IMAGE, vetted, is_log_erased=is_log_erased)
    return [part.label for part in plan.erases]


SILENT = Vetted(False, silence="nothing answers")


def test_new_chip_is_written_whole(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path, fill=b"\xff")
    assert write(fake, SILENT)[:3] == ["log", "keys", "nvs"]
    assert decode(fake.flash[0x8000:0x9000]) == MAP.partitions


def test_silent_tag_with_our_map_keeps_log_and_keys(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, encode(MAP.partitions))
    log = fake.region("log")
    assert write(fake, SILENT) == []
    assert fake.region("log") == log


def test_silent_tag_whose_log_would_go_is_refused_and_started_again(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, encode(MOVED))
    before = fake.flash
    said = one_line_refusal(lambda: write(fake, SILENT))
    assert "(nothing answers)" in said.message and "--erase-log" in said.hint
    assert fake.flash == before
    assert fake.calls[-1][9] == "hard-reset"  # the tag records on


def test_silent_tag_with_a_blank_log_is_written(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, encode(MOVED))
    fake.put(OLD_LOG.offset, b"\xff" * OLD_LOG.size)
    assert write(fake, SILENT) == ["log", "keys"]


def test_what_the_user_gives_up_is_erased(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, encode(MOVED))
    assert write(fake, SILENT, is_log_erased=True) == ["log", "keys"]
    assert fake.region("log").count(0xFF) == len(fake.region("log"))


def test_asked_tag_loses_its_log_only_when_it_was_asked_for_that(tmp_path: Path) -> None:
    fake = FakeChip(tmp_path)
    fake.put(0x8000, encode(MOVED))
    # It said that its map stays; the chip says another thing: the chip is believed.
    said = one_line_refusal(lambda: write(fake, Vetted(may_forget=False)))
    assert "sees another table" in said.message
    assert write(fake, Vetted(may_forget=True)) == ["log", "keys"]


def test_run_cut_at_every_step_is_completed_by_the_same_run(tmp_path: Path) -> None:
    for command in ("erase-region", "write-flash"):
        fake = FakeChip(tmp_path)
        fake.put(0x8000, table())
        fake.fail(command, "The chip stopped responding.")
        with pytest.raises(LinkError):
            write(fake, SILENT)
        (tmp_path / "fail").unlink()
        write(fake, SILENT)
        assert decode(fake.flash[0x8000:0x9000]) == MAP.partitions
        for label in ("vfs", "keys", "log"):
            assert fake.region(label).count(0xFF) == len(fake.region(label)), command


def test_map_keeps_every_label_that_it_speaks_of() -> None:
    for label in flash_map.OUR_LABELS:
        assert by_label(MAP.partitions, label)
