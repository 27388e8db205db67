# SPDX-License-Identifier: MIT
"""What storing costs the flash: exact counts on simulated NOR, littlefs in the same run.

Geometry: one probe, 64 readings a record, no events. A sample of two probes has 12 bytes, as
the goals for the journal assume; of one probe 9, and both take one slot of 16.
"""

import json

from tests.micropython import run_upy
from tests.paths import REPO

_FOLDER = REPO / "tests" / "bench"
_LITTLEFS = "VfsLfs2, one file, flush after each sample"
_YEARS_SAMPLES = 1_051_200  # two years at one a minute
_FIVE_MINUTES_SAMPLES = 210_240  # two years at one in five minutes
_TEN_YEARS = 5


def run() -> dict[str, dict[str, object]]:
    """Returns the entries of build/bench.json that begin with `flash.`. Takes two minutes."""
    costs = json.loads(run_upy(_FOLDER / "upy_flash_costs.py", timeout_s=300, heap="64M"))
    minute = _years(_YEARS_SAMPLES, 60)
    five = _years(_FIVE_MINUTES_SAMPLES, 300)
    return {
        **_journal(costs["journal"], costs["journal_1_probe"], costs["littlefs"]),
        **_total(minute, five, costs["littlefs"]),
        **_wear(minute),
        "flash.capacity.readings_2mb": _own(costs["readings_2mb"], "readings", ">= 400,000"),
        **_recovery(costs["recovery"]["cold"], costs["recovery"]["warm"]),
    }


def _years(sample_count: int, interval_s: int) -> dict[str, float]:
    """Counts of the tag's own recorder over *sample_count* samples, receipted daily."""
    script = _FOLDER / "upy_flash_years.py"
    said = run_upy(script, str(sample_count), str(interval_s), timeout_s=600, heap="64M")
    counts: dict[str, float] = json.loads(said)
    return counts


def _journal(
    journal: dict[str, float], one_probe: dict[str, float], littlefs: dict[str, float]
) -> dict[str, dict[str, object]]:
    return {
        "flash.journal.erases_per_1000": _against(
            journal["erases_per_1000"],
            "erases/1000 samples",
            "<= 4.1",
            littlefs["erases_per_1000"],
        ),
        "flash.journal.write_amplification": _against(
            journal["write_amplification"],
            "B programmed/B, sample of 12 B",
            "<= 1.4",
            littlefs["write_amplification"],
        ),
        "flash.journal.write_amplification_1_probe": _own(
            one_probe["write_amplification"],
            "B programmed/B, sample of 9 B (floor: 16/9)",
            None,
        ),
        "flash.journal.bytes_per_1000": _against(
            journal["programmed_per_1000"],
            "B programmed/1000 samples",
            None,
            littlefs["programmed_per_1000"],
        ),
        "flash.littlefs.erases_per_1000": _own(
            littlefs["erases_per_1000"], "erases/1000 samples", None
        ),
    }


def _total(
    minute: dict[str, float], five: dict[str, float], littlefs: dict[str, float]
) -> dict[str, dict[str, object]]:
    """Journal, free marks and sealed records together."""
    return {
        "flash.total.erases_per_1000": _against(
            minute["erases_per_1000"],
            "erases/1000 readings, one a minute",
            "<= 6",
            littlefs["erases_per_1000"],
        ),
        "flash.total.bytes_per_reading": _against(
            minute["bytes_per_reading"],
            "B programmed, one a minute",
            None,
            littlefs["programmed_per_1000"] / 1000,
        ),
        "flash.total.erases_per_1000_5min": _own(
            five["erases_per_1000"], "erases/1000 readings, 5 minutes", None
        ),
        "flash.total.bytes_per_reading_5min": _own(
            five["bytes_per_reading"], "B programmed, 5 minutes", None
        ),
    }


def _wear(minute: dict[str, float]) -> dict[str, dict[str, object]]:
    """After two simulated years; no sector change was cut, so a spread above 1 is a fault."""
    spread = max(minute["journal_spread"], minute["record_spread"])
    return {
        "flash.wear.spread": _own(spread, "erases, most - least worn, 2 years", "<= 1"),
        "flash.wear.journal_10_years": _own(
            minute["journal_most"] * _TEN_YEARS, "erases of the most worn sector", "<= 10,000"
        ),
    }


def _recovery(cold: dict[str, int], warm: dict[str, int]) -> dict[str, dict[str, object]]:
    return {
        "flash.recovery.reads": _own(cold["reads"], "reads, full 2 MiB log", "<= 530"),
        "flash.recovery.bytes": _own(cold["bytes"], "B read", "<= 33,000"),
        "flash.recovery.programs": _own(cold["programs"], "programs", "<= 4"),
        "flash.recovery.warm_reads": _own(warm["reads"], "reads, after a reset", "<= 4"),
    }


def _own(value: object, unit: str, goal: str | None) -> dict[str, object]:
    """An entry without a measured reference."""
    return {
        "value": value,
        "unit": unit,
        "goal": goal,
        "reference": None,
        "reference_value": None,
    }


def _against(value: float, unit: str, goal: str | None, littlefs: float) -> dict[str, object]:
    """An entry beside the same workload on littlefs."""
    return {**_own(value, unit, goal), "reference": _LITTLEFS, "reference_value": littlefs}
