# SPDX-License-Identifier: MIT
"""What storing costs the flash: exact counts on simulated NOR, littlefs in the same run.

Geometry: journal of 16 sectors, samples of two probes (12 B), one free mark every 64.
"""

import json

from tests.micropython import run_upy
from tests.paths import REPO

_LITTLEFS = "VfsLfs2, flush after each sample"


def run() -> dict[str, dict[str, object]]:
    """Returns the entries of build/bench.json that begin with `flash.`."""
    script = REPO / "tests" / "bench" / "upy_flash_costs.py"
    costs = json.loads(run_upy(script, timeout_s=300, heap="64M"))
    journal, littlefs, recovery = costs["journal"], costs["littlefs"], costs["recovery"]
    return {
        "flash.journal.erases_per_1000": {
            "value": journal["erases_per_1000"],
            "unit": "erases/1000 samples",
            "goal": "<= 4.1",
            "reference": _LITTLEFS,
            "reference_value": littlefs["erases_per_1000"],
        },
        "flash.journal.write_amplification": {
            "value": journal["write_amplification"],
            "unit": "B programmed/B of sample",
            "goal": "<= 1.4",
            "reference": _LITTLEFS,
            "reference_value": littlefs["write_amplification"],
        },
        "flash.littlefs.erases_per_1000": {
            "value": littlefs["erases_per_1000"],
            "unit": "erases/1000 samples",
            "goal": None,
            "reference": None,
            "reference_value": None,
        },
        "flash.wear.spread": _own(journal["spread"], "erases, most - least worn", "<= 1"),
        "flash.capacity.readings_2mb": _own(costs["readings_2mb"], "readings", ">= 400,000"),
        "flash.recovery.reads": _own(recovery["reads"], "reads, full 2 MB log", "<= 530"),
        "flash.recovery.bytes": _own(recovery["bytes"], "B read", "<= 33,000"),
        "flash.recovery.programs": _own(recovery["programs"], "programs", "<= 4"),
    }


def _own(value: object, unit: str, goal: str) -> dict[str, object]:
    """An entry without a measured reference."""
    return {
        "value": value,
        "unit": unit,
        "goal": goal,
        "reference": None,
        "reference_value": None,
    }
