# SPDX-License-Identifier: MIT
"""Decommissioning seen from the host: what is on this disk before the tag forgets it."""

from pathlib import Path

import pytest

from sealtrail.device import decommission
from sealtrail.device.dock_link import Dock
from sealtrail.errors import AccessRefused, DeviceError, SealtrailError
from sealtrail.home import Home
from tests.unit.repl_tag import DockTag, chained

CERTIFICATE = b"\xd2\x84\x43\xa1\x01\x27\xa0\x41\xa0\x58\x40" + bytes(64)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def tag() -> DockTag:
    made = DockTag()
    made.certificate, made.records = CERTIFICATE, chained(CERTIFICATE, 3)
    return made


def end(tag: DockTag, home: Home, is_reading: bool = True) -> decommission.Dump:
    return decommission.end(Dock(tag), home, is_reading=is_reading)


def test_the_farewell_is_read_into_the_home_and_the_log_stays(tag: DockTag, home: Home) -> None:
    dump = end(tag, home)
    assert len(dump.records) == 4
    assert dump.path.read_bytes() == CERTIFICATE + b"".join(tag.records)
    assert tag.is_ended and len(tag.records) == 4


def test_records_no_archive_has_are_read_first_or_the_tag_is_refused(
    tag: DockTag, home: Home
) -> None:
    with pytest.raises(AccessRefused, match="3 records that no archive has"):
        end(tag, home, is_reading=False)
    assert not tag.is_ended
    end(tag, home)
    # The dump that entitles to the end came before it.
    assert tag.asked.index(6) < tag.asked.index(10)


def test_a_receipted_tag_needs_no_dump_first(tag: DockTag, home: Home) -> None:
    tag.acknowledged = 2
    dump = end(tag, home, is_reading=False)
    assert tag.asked.index(10) < tag.asked.index(6) and len(dump.records) == 4


def test_readings_in_no_record_are_sealed_before_the_end(tag: DockTag, home: Home) -> None:
    tag.unsealed_count = 5
    assert len(end(tag, home).records) == 5


@pytest.mark.parametrize("op", [1, 6, 10])
@pytest.mark.parametrize("after", [False, True])
def test_a_cut_anywhere_is_cured_by_the_same_command(
    tag: DockTag, home: Home, op: int, after: bool
) -> None:
    tag.fail_at, tag.fail_after = op, after
    with pytest.raises(SealtrailError):
        end(tag, home)
    assert len(tag.records) >= 3 and tag.certificate
    tag.fail_at = None
    dump = end(tag, home)
    assert dump.path.read_bytes() == CERTIFICATE + b"".join(tag.records)
    assert len(tag.records) == 4


def test_purge_needs_the_farewell_and_leaves_nothing(tag: DockTag, home: Home) -> None:
    dump = end(tag, home)
    other = decommission.Dump(dump.path, CERTIFICATE, dump.records[:-1], 0)
    with pytest.raises(DeviceError, match="something else"):
        decommission.purge(Dock(tag), other)
    assert tag.records
    decommission.purge(Dock(tag), dump)
    assert tag.records == [] and tag.certificate is None


def test_a_living_tag_is_not_purged(tag: DockTag, home: Home) -> None:
    with pytest.raises(AccessRefused, match="keeps its log"):
        Dock(tag).purge(bytes(32))
    assert len(tag.records) == 3


def test_a_tag_without_its_key_cannot_say_farewell(tag: DockTag, home: Home) -> None:
    tag.is_key_lost = True
    with pytest.raises(AccessRefused, match="lost its key"):
        end(tag, home)
    assert 10 not in tag.asked and len(tag.records) == 3


def test_a_tag_that_is_not_provisioned_has_nothing_to_end(home: Home) -> None:
    with pytest.raises(DeviceError, match="not provisioned"):
        end(DockTag(), home)
