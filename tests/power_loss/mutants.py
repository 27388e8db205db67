# SPDX-License-Identifier: MIT
"""Copies of the storage code with one guard removed: the sweeps must notice each of them.

`python -m tests.power_loss.mutants` prints the table of docs/power-loss.md.
"""

import importlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.paths import FIRMWARE
from tests.power_loss.kit import Kit
from tests.power_loss.suite import run
from tests.power_loss.sweep import Tally

_STORES = ("ringlog", "journal", "recordlog", "statestore", "keyslots", "rtcmemory")
_MODULES = (*_STORES, "ringframe", "ringscan", "ringstage", "ringread", "ringopen", "ringtail")
_MODULES += ("sectormap", "flashregion")


@dataclass(frozen=True)
class Mutant:
    """*old* becomes *new* in *module*; *scenario* (of SCENARIOS) sees the difference.

    *also*: a second change, (module, old, new), where one guard stands in two places.
    """

    name: str
    module: str
    old: str
    new: str
    scenario: str
    also: tuple[str, str, str] | None = None


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Kit]:
    """The classes under test with *mutant* applied, in a package of their own."""
    with tempfile.TemporaryDirectory() as folder:
        name = "mutant_" + re.sub(r"\W", "_", mutant.name)
        package = Path(folder) / name
        package.mkdir()
        (package / "__init__.py").touch()
        for module in _MODULES:
            shutil.copy(FIRMWARE / "tag" / "store" / f"{module}.py", package)
        for module, old, new in filter(
            None, ((mutant.module, mutant.old, mutant.new), mutant.also)
        ):
            path = package / f"{module}.py"
            source = path.read_text()
            if source.count(old) != 1:
                raise AssertionError(f"{mutant.name}: {source.count(old)} places to change")
            path.write_text(source.replace(old, new))
        sys.path.insert(0, folder)
        try:
            importlib.invalidate_caches()
            yield Kit(*(importlib.import_module(f"{name}.{store}") for store in _STORES))
        finally:
            sys.path.remove(folder)
            for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
                del sys.modules[loaded]


MUTANTS = (
    Mutant(
        "last write not made firm",
        "ringopen",
        "        flash.program(self.sector, offset, memoryview(self.buffer)[offset:end])\n",
        "        pass\n",
        "ring",
    ),
    Mutant(
        "header not made firm",
        "ringopen",
        "        offset, end = 0, HEADER_SIZE\n",
        "        offset, end = 0, 0\n",
        "ring",
    ),
    Mutant(
        "traces not zeroed",
        "ringtail",
        "        if self.suspect_end == self.slot:\n            return\n",
        "        self.slot = self.suspect_end\n        return\n",
        "ring",
    ),
    Mutant(
        "blank slots trusted",
        "ringtail",
        "min(ringframe.page_end_slot(scan.used), self._slot_count)",
        "scan.used",
        "ring",
    ),
    Mutant(
        "reach of a torn entry not read",
        "ringscan",
        "slot + max(count, 1))",
        "slot + 1)",
        "ring, many pages",
    ),
    Mutant(
        "head of a torn entry zeroed first",
        "flashregion",
        """            page_start = max(start, (end - 1) // PAGE_SIZE * PAGE_SIZE)
            self.program(sector, page_start, memoryview(_ZEROS)[: end - page_start])
            end = page_start
""",
        """            page_end = min(end, (start // PAGE_SIZE + 1) * PAGE_SIZE)
            self.program(sector, start, memoryview(_ZEROS)[: page_end - start])
            start = page_end
""",
        "ring, many pages, twice",
    ),
    Mutant(
        "half-open next sector trusted",
        "ringtail",
        "        self.is_next_firm = is_next_firm\n",
        "        self.is_next_firm = True\n",
        "ring, mixed sizes",
    ),
    Mutant(
        "header not invalidated before the erase",
        "ringtail",
        "        self._flash.zero(sector, 0, HEADER_SIZE)\n        self._flash.erase",
        "        self._flash.erase",
        "ring",
    ),
    Mutant(
        "sector not erased",
        "ringtail",
        "        self._flash.erase(sector)\n",
        "",
        "ring",
    ),
    Mutant(
        "unfreed entries overwritten",
        "sectormap",
        "return self._first_of(2 + spared) <= freed",
        "return True",
        "ring, full",
    ),
    Mutant(
        "frames not checked", "ringframe", "return crc & 0xFFFFFF == stored", "return True", "ring"
    ),
    Mutant(
        "frames not bound to their place",
        "ringframe",
        "return struct.pack(_PLACE_FMT, log_id, sector_seq, slot)",
        "return bytes(12)",
        "ring, mixed sizes",
        ("ringstage", "self._buffer[_SLOT_FIELD] = slot\n", "self._buffer[:12] = bytes(12)\n"),
    ),
    Mutant(
        "header not checked",
        "ringframe",
        " or crc != crc32(memoryview(buffer)[: HEADER_SIZE - 4])",
        "",
        "ring",
    ),
    Mutant(
        "freed not raised to what is left",
        "ringlog",
        "self.freed = self._noted = max(scan.freed, self.first)",
        "self.freed = self._noted = scan.freed",
        "ring, no reserve",
    ),
    Mutant(
        "free marks not copied into headers",
        "ringlog",
        "(self.sector_count, seq, self.next, freed,",
        "(self.sector_count, seq, self.next, 0,",
        "ring",
    ),
    Mutant(
        "no free mark in a header when slots are out",
        "ringlog",
        "        elif self._map.is_next_below(index):",
        "        elif False:",
        "ring, no reserve",
    ),
    Mutant(
        "stale sectors kept",
        "ringscan",
        "if seq == 0 or seq != newest_seq - age or self.firsts[sector] > following:",
        "if self.firsts[sector] > following:",
        "ring",
    ),
    Mutant(
        "failed program forgotten",
        "ringtail",
        "        self.suspect_end = self.slot + count\n        self._flash.program",
        "        self._flash.program",
        "ring, errors",
    ),
    Mutant(
        "failed sector change forgotten",
        "ringtail",
        "        sector = self._map.next_sector()\n        self.is_next_firm = False\n",
        "        sector = self._map.next_sector()\n",
        "ring, mixed sizes, errors",
    ),
    Mutant(
        "entries given up still shown",
        "ringlog",
        "        self._map.drop_next()\n",
        "",
        "ring, errors",
    ),
    Mutant(
        "failed free taken for a durable one",
        "ringlog",
        "if index <= self._noted:",
        "if index <= self.freed:",
        "ring, overwriting, errors",
    ),
    Mutant(
        "reserve open to every entry",
        "ringlog",
        "0 if is_urgent else self._reserve_sectors",
        "0",
        "ring, urgent entries",
    ),
    Mutant(
        "sector of an urgent entry open to every entry",
        "ringlog",
        "if is_reserve_begun or count",
        "if count",
        "ring, urgent entries",
    ),
    Mutant(
        "loss not counted",
        "ringlog",
        "        self.lost += max(0, self.first - before)\n",
        "",
        "ring, overwriting",
    ),
    Mutant(
        "loss counted with what was freed",
        "ringlog",
        "        before = max(freed, self.first)\n",
        "        before = self.first\n",
        "ring, overwriting",
    ),
    Mutant(
        "loss before a cut not counted",
        "ringlog",
        "self.lost = scan.lost + self.freed - scan.freed",
        "self.lost = scan.lost",
        "ring, overwriting",
    ),
    Mutant(
        "loss not repeated in headers",
        "ringlog",
        "self.log_id, self.lost, self.note)",
        "self.log_id, 0, self.note)",
        "ring, overwriting",
    ),
    Mutant(
        "loss not repeated in marks",
        "ringlog",
        '            struct.pack_into("<I", self._mark, _LOST_AT, self.lost)\n',
        "",
        "ring, overwriting, mixed sizes",
    ),
    Mutant(
        "loss not made firm",
        "ringlog",
        "            self._tail.zero_next_header()\n",
        "            pass\n",
        "ring, overwriting, left alone",
    ),
    Mutant(
        "hint believed though the sector is another",
        "ringopen",
        "fields is None or (fields[0], fields[1], fields[4]) != (sector_count, seq, log_id):",
        "fields is None:",
        "ring, warm",
    ),
    Mutant(
        "hint believed though it has a successor",
        "ringopen",
        "if old is None or (old[0], old[1], old[4]) != expected:",
        "if old is None:",
        "ring, warm",
    ),
    Mutant(
        "hint believed though the next header is torn",
        "ringopen",
        "        if old is None or (old[0], old[1], old[4]) != expected:\n"
        "            return None\n"
        "        firsts[following] = old[2]\n",
        "        if old and old[1] > seq:\n            return None\n"
        "        firsts[following] = old[2] if old else fields[2]\n",
        "ring, warm",
    ),
    Mutant(
        "hint of the first lap believed though the next header is torn",
        "ringopen",
        " or not ringframe.is_blank_header(header):",
        ":",
        "ring, warm",
    ),
    Mutant(
        "torn hint believed",
        "rtcmemory",
        '    if _checksum(part, content) != struct.unpack_from("<I", memory, end)[0]:\n'
        "        return None\n",
        "",
        "hints, torn",
    ),
    Mutant(
        "boot not repeated in headers",
        "ringlog",
        "self.log_id, self.lost, self.note)",
        "self.log_id, self.lost, 0)",
        "journal and record log",
    ),
    Mutant(
        "journal not freed by the record",
        "recordlog",
        "    journal.free(journal_next)\n",
        "",
        "journal and record log",
    ),
    Mutant(
        "journal freed without asking the record",
        "recordlog",
        "    journal.free(journal_next)\n",
        "    journal.free(journal.next)\n",
        "journal and record log",
    ),
    Mutant(
        "state freed before it is copied",
        "statestore",
        "        end = ring.place_of(ring.freed)[3]\n        for index, kind, payload in "
        "ring.entries(ring.freed, end):",
        "        start, end = ring.freed, ring.place_of(ring.freed)[3]\n        ring.free(end)\n"
        "        for index, kind, payload in ring.entries(start, end):",
        "state store",
    ),
    Mutant(
        "state not copied",
        "statestore",
        "                living[payload[0]] = ring.append(_PUT, payload)\n",
        "                pass\n",
        "state store",
    ),
    Mutant(
        "old state read",
        "statestore",
        "                    indexes[payload[0]] = index\n",
        "                    indexes.setdefault(payload[0], index)\n",
        "state store",
    ),
    Mutant(
        "two finished seeds kept",
        "keyslots",
        "        self._erase_lower()\n        return self.active()",
        "        return self.active()",
        "key slots",
    ),
    Mutant(
        "torn seed kept",
        "keyslots",
        "                    self._erase(slot)  # torn\n",
        "                    pass\n",
        "key slots",
    ),
    Mutant(
        "begun seed always taken",
        "keyslots",
        "elif is_done or public_key_of(seed) == newest_public_key:",
        "else:\n                self._mark_done(slot)\n            if False:",
        "key slots",
    ),
    Mutant(
        "begun seed never taken",
        "keyslots",
        "elif is_done or public_key_of(seed) == newest_public_key:",
        "elif is_done:",
        "key slots",
    ),
    Mutant(
        "seed not zeroed before its erase",
        "keyslots",
        "        self._device.writeblocks(self._sectors[slot], _ZEROS, 0)\n",
        "",
        "key slots",
    ),
    Mutant(
        "blank-looking slot not erased",
        "keyslots",
        "        self._erase(slot)\n        frame = bytearray",
        "        frame = bytearray",
        "key slots, twice",
    ),
    Mutant(
        "done mark not made firm",
        "keyslots",
        "            elif is_done or public_key_of(seed) == newest_public_key:\n"
        "                # Also if it is done: the same bits again make weak ones firm.\n",
        "            elif is_done:\n                pass\n"
        "            elif public_key_of(seed) == newest_public_key:\n",
        "key slots, first seed",
    ),
)


def main() -> None:
    from tests.fakes import micropython_on_cpython

    micropython_on_cpython.install()
    print("| guard removed | sweep | bad states |\n|---|---|---|")
    for mutant in MUTANTS:
        tally = Tally()
        with mutated(mutant) as kit:
            run(mutant.scenario, kit, tally, stride=1)
        print(f"| {mutant.name} | {mutant.scenario} | {tally.bad} of {tally.states} |", flush=True)


if __name__ == "__main__":
    main()
