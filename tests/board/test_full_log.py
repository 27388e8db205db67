# SPDX-License-Identifier: MIT
"""A whole virtual tag whose small log fills up: it refuses aloud, keeps custody, goes on."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boards import BOARDS, load_board
from sealtrail import trip_profiles as profiles
from sealtrail.analysis.analyse import analyse
from sealtrail.analysis.results import GapKind
from sealtrail.clock import HostClock
from sealtrail.device import flasher
from sealtrail.device.dock_link import Dock
from sealtrail.device.firmware_build import build
from sealtrail.device.provision import Provisioner
from sealtrail.device.raw_repl import RawRepl
from sealtrail.errors import VerifyError
from sealtrail.evidence.trust import TrustStore
from sealtrail.evidence.verify import verify_evidence
from sealtrail.home import Home
from sealtrail.keys import fleet
from sealtrail.keys.secrets import Vault
from sealwire import cbor, labels, profile
from sealwire.record import parse_record
from tests.board.bench import Bench, bench
from tests.paths import REPO

LOG_SECTORS = 28  # journal 16, record log 12, of which 2 are reserve
INTERVAL_S = 10
DAY_S = 86_400
RULES = profile.encode(profile.build("e2e", INTERVAL_S, [[1, 0, 0, 5000, 0, 100]]))
TRIP = cbor.encode({1: 1, 2: bytes(32), 3: RULES})
_TAG = "from tag.dock import serve as dock\nd = dock._opened()\nt = d._open_tag()\nt.begin()\n"


@dataclass
class Rig:
    """One enrolled tag with a short log, and what was read from it."""

    board: Bench
    home: Home
    held: dict[int, bytes]
    certificate: bytes = b""

    def at_the_dock(self, code: str = "") -> str:
        """Stops the tag, runs *code* in its REPL, reads its records, starts it again."""
        with RawRepl(self.board.control.tty) as repl:
            said = repl.run(code, 60) if code else ""
            self.certificate, records = Dock(repl).read_all()
            for raw in records:
                assert self.held.setdefault(parse_record(raw).seq, raw) == raw
        return said

    def live(self, seconds: float) -> None:
        self.board.control.advance(seconds)

    def events(self, code: int) -> list[Any]:
        records = [parse_record(self.held[seq]) for seq in sorted(self.held)]
        return [event[2] for one in records for event in one.events if event[1] == code]

    def evidence(self) -> bytes:
        return self.certificate + b"".join(self.held[seq] for seq in sorted(self.held))


def small_board(folder: Path) -> Path:
    """A checkout whose only board is the virtual one with a short log."""
    board = load_board("virtual")
    (log,) = [one for one in board["flash"]["regions"] if one["label"] == "log"]
    log["size"] = LOG_SECTORS * 4096
    place = folder / "boards" / "small" / "board.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(board))
    (folder / "firmware").symlink_to(REPO / "firmware")
    return place


@pytest.fixture
def rig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Rig]:
    (tmp_path / "p").write_text("correct horse\n")
    monkeypatch.setenv("SEALTRAIL_PASSPHRASE_FILE", str(tmp_path / "p"))
    home = Home(tmp_path / "home")
    vault = Vault(home)
    fleet.init(home, vault, HostClock(), "Example", 10)
    place = small_board(tmp_path)
    world = ["--board", str(place), "--aioble", str(BOARDS / "virtual" / "aioble_standin")]
    world += ["--scenario", str(BOARDS / "virtual" / "scenarios" / "ln2_five_days.csv")]
    with bench(tmp_path / "run", *world) as board:
        with RawRepl(board.control.tty) as repl:
            flasher.flash(repl, build(tmp_path, "small"), lambda done, total: None)
            steps = Provisioner(Dock(repl), home, vault, fleet.load(home, vault), HostClock())
            steps.run(
                "ST-0001",
                profiles.load("ln2-dry-shipper"),
                is_overwriting=getattr(request, "param", False),
            )
        rig = Rig(board, home, {})
        rig.at_the_dock(_TAG + f"t.trip.start(bytes.fromhex('{TRIP.hex()}'))")
        yield rig


def test_a_tag_that_fills_up_refuses_aloud_keeps_custody_and_goes_on_once_freed(rig: Rig):
    rig.live(DAY_S)
    said = rig.at_the_dock(
        _TAG + "r = t.recorder\n"
        "print(r.is_refusing, r.refused_count, r.is_tight, t.has_problem)\n"
        "t.trip.end()\n"
        "print(r.head()[0], r.unsealed_count, r.is_refusing)"
    )
    first, second = said.split("\n")[-3:-1] if said.endswith("\n") else said.split("\n")[-2:]
    is_refusing, refused, is_tight, has_problem = first.split()
    assert (is_refusing, is_tight, has_problem) == ("True", "True", "True")
    assert second.split()[2] == "True"
    assert rig.events(labels.EVENT_TRIP_END) == [[1]]
    assert rig.events(labels.EVENT_LOG_FULL) == [[1]]
    (filling,) = rig.events(labels.EVENT_LOG_FILLING)
    assert 800 <= filling[0] < 950
    assert int(refused) > 500

    # A receipt, as issue 5 will bring it.
    rig.at_the_dock("from tag.dock import serve as dock\nl = dock._opened()._storage.records\n"
                    "l.acknowledge(l.head_seq)")  # fmt: skip
    rig.live(2 * 3600)
    rig.at_the_dock(_TAG + "t.recorder.seal_open_block()")
    counts = [count for (count,) in rig.events(labels.EVENT_LOG_FULL)]
    assert counts == sorted(counts) and counts[0] == 1
    assert counts[-1] >= int(refused)

    verified = verify_evidence(rig.evidence(), TrustStore(rig.home))
    assert any(f"refused {counts[-1]:,} readings" in text for text in verified.findings)
    found = analyse(verified)
    (gap,) = [gap for gap in found.gaps if gap.kind is GapKind.REFUSED]
    # What was refused after the last report of the trip is told behind it.
    assert gap.refused_count >= 1 and gap.duration_ms
    taken = sum(reading.probe == 0 for reading in verified.readings)
    assert taken > 6_000


@pytest.mark.long
@pytest.mark.parametrize("rig", [True], indirect=True)
def test_a_tag_that_overwrites_takes_every_reading_and_tells_what_is_lost(rig: Rig):
    early = dict(rig.held)
    rig.held.clear()
    rig.live(1.5 * DAY_S)
    said = rig.at_the_dock(
        _TAG + "r = t.records = d._storage.records\n"
        "print(r.first_seq, r.lost, r.overwrites, t.recorder.refused_count, t.recorder.is_tight)"
    )
    first_seq, lost, overwrites, refused, is_tight = said.split("\n")[-2].split()
    assert int(first_seq) == int(lost) > 0
    assert (overwrites, refused, is_tight) == ("True", "0", "False")
    told = [count for (count,) in rig.events(labels.EVENT_RECORDS_LOST)]
    assert told == sorted(told) and 0 < told[-1] <= int(lost)
    assert min(rig.held) == int(first_seq) and early
    hashes = {seq: hashlib.sha256(raw).digest() for seq, raw in rig.held.items()}
    for seq in sorted(rig.held)[1:]:
        assert parse_record(rig.held[seq]).prev == hashes[seq - 1]
    with pytest.raises(VerifyError, match=r"R8.*overwrote \d+ before any archive"):
        verify_evidence(rig.evidence(), TrustStore(rig.home))
