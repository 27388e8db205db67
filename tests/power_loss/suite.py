# SPDX-License-Identifier: MIT
"""The sweeps by name: which scenario, which kind of fault, how long a workload."""

from collections.abc import Callable

from tests.power_loss import hints, sweep
from tests.power_loss.kit import Kit
from tests.power_loss.pair_scenario import PairScenario
from tests.power_loss.ring_scenario import RingScenario, WarmScenario
from tests.power_loss.scenarios import KeyScenario, StateScenario
from tests.power_loss.sweep import Tally


def small(index: int) -> int:
    return 12 if index % 3 else 9


def mixed(index: int) -> int:
    return (12, 9, 40, 12, 250, 17, 0, 100)[index % 8]


def pages(index: int) -> int:
    return (12, 700, 9, 300)[index % 4]


def _ring(kit: Kit, count: int, size_of: Callable[[int], int], every: int, lag: int, **geometry):
    return RingScenario(kit, count, size_of, every, lag, **geometry)


def _warm(kit: Kit, count: int, size_of: Callable[[int], int], every: int, lag: int, **geometry):
    return WarmScenario(kit, count, size_of, every, lag, **geometry)


# Overwriting: sometimes a receipt comes in time, mostly not.
_OVERWRITING = {"overwrites": True}
_URGENT = {"reserve_sectors": 1, "urgent_every": 6}
# Wide sectors: entries of several flash pages.
_WIDE = {"slot_count": 94, "entry_size_max": 700, "sector_count": 3, "carry_count": 6}

# name -> (kind of sweep, scenario of a kit, length of the workload)
SCENARIOS: dict[str, tuple[str, Callable[[Kit], object]]] = {
    "ring": ("cut", lambda kit: _ring(kit, 110, small, 5, 12)),
    "ring, mixed sizes": ("cut", lambda kit: _ring(kit, 90, mixed, 4, 6, carry_count=2)),
    "ring, many pages": ("cut", lambda kit: _ring(kit, 28, pages, 2, 1, **_WIDE)),
    "ring, full": ("cut", lambda kit: _ring(kit, 100, small, 0, 0, sector_count=3)),
    "ring, no reserve": (
        "cut",
        lambda kit: _ring(kit, 90, small, 0, 0, reserve_slots=0, sector_count=3),
    ),
    "ring, full, mixed sizes": ("cut", lambda kit: _ring(kit, 70, mixed, 0, 0)),
    "ring, overwriting": (
        "cut",
        lambda kit: _ring(kit, 100, small, 13, 38, sector_count=3, **_OVERWRITING),
    ),
    "ring, overwriting, mixed sizes": (
        "cut",
        lambda kit: _ring(kit, 60, mixed, 0, 0, carry_count=2, frees_first=True, **_OVERWRITING),
    ),
    "ring, overwriting, left alone": (
        "cut",
        lambda kit: _ring(kit, 75, small, 0, 0, carry_count=0, sector_count=3, **_OVERWRITING),
    ),
    "ring, told to overwrite when full": (
        "cut",
        lambda kit: _ring(
            kit, 75, small, 0, 0, overwrites_from=52, reserve_slots=1, sector_count=3
        ),
    ),
    "ring, urgent entries": ("cut", lambda kit: _ring(kit, 110, small, 0, 0, **_URGENT)),
    "ring, warm": ("cut", lambda kit: _warm(kit, 75, small, 5, 12, sector_count=3)),
    "ring, warm, overwriting": (
        "cut",
        lambda kit: _warm(kit, 85, small, 0, 0, sector_count=3, **_OVERWRITING),
    ),
    "journal and record log": ("cut", lambda kit: PairScenario(kit, 100)),
    "record log, overwriting": ("cut", lambda kit: PairScenario(kit, 90, overwrites=True)),
    "state store": ("cut", lambda kit: StateScenario(kit, 90)),
    "key slots": ("cut", KeyScenario),
    "key slots, first seed": ("cut", lambda kit: KeyScenario(kit, has_rolls=False)),
    "hints, torn": ("rtc", lambda kit: _ring(kit, 60, small, 5, 12)),
    "ring, twice": ("twice", lambda kit: _ring(kit, 60, small, 5, 12)),
    "ring, mixed sizes, twice": ("twice", lambda kit: _ring(kit, 40, mixed, 4, 6)),
    "ring, many pages, twice": ("twice", lambda kit: _ring(kit, 6, pages, 2, 1, **_WIDE)),
    "ring, no reserve, twice": (
        "twice",
        lambda kit: _ring(kit, 75, small, 0, 0, reserve_slots=0),
    ),
    "ring, overwriting, twice": (
        "twice",
        lambda kit: _ring(kit, 90, small, 17, 55, carry_count=5, **_OVERWRITING),
    ),
    "ring, urgent entries, twice": (
        "twice",
        lambda kit: _ring(kit, 80, small, 0, 0, **_URGENT),
    ),
    "ring, warm, twice": (
        "twice",
        lambda kit: _warm(kit, 50, small, 5, 12, carry_count=2, sector_count=3),
    ),
    "journal and record log, twice": ("twice", lambda kit: PairScenario(kit, 30)),
    "record log, overwriting, twice": (
        "twice",
        lambda kit: PairScenario(kit, 50, overwrites=True),
    ),
    "state store, twice": ("twice", lambda kit: StateScenario(kit, 60)),
    "key slots, twice": ("twice", KeyScenario),
    "ring, errors": ("error", lambda kit: _ring(kit, 70, small, 5, 12, sector_count=3)),
    "ring, mixed sizes, errors": ("error", lambda kit: _ring(kit, 60, mixed, 4, 6)),
    "ring, no reserve, errors": (
        "error",
        lambda kit: _ring(kit, 70, small, 0, 0, reserve_slots=0, sector_count=3),
    ),
    "ring, overwriting, errors": (
        "error",
        lambda kit: _ring(kit, 80, small, 13, 38, sector_count=3, **_OVERWRITING),
    ),
    "ring, urgent entries, errors": (
        "error",
        lambda kit: _ring(kit, 80, small, 0, 0, **_URGENT),
    ),
    "ring, warm, errors": ("error", lambda kit: _warm(kit, 50, small, 5, 12)),
    "journal and record log, errors": ("error", lambda kit: PairScenario(kit, 50)),
    "record log, overwriting, errors": (
        "error",
        lambda kit: PairScenario(kit, 45, overwrites=True),
    ),
    "state store, errors": ("error", lambda kit: StateScenario(kit, 40)),
    "key slots, errors": ("error", KeyScenario),
}

# Second cuts: every fault at the first, the stable ones and one metastable at the second.
_FIRST = ("none", "half", "random", "weak", "ghost", "late", "zeros", "last half")
_SECOND = ("none", "half", "ghost", "zeros")


def run(name: str, kit: Kit, tally: Tally, stop_at_bad: bool = False, stride: int = 3) -> None:
    """Runs the sweep *name* of SCENARIOS on *kit*; every state goes into *tally*.

    A sweep with two cuts takes every *stride*-th operation for the first of them.
    """
    try:
        _run(name, kit, tally, stop_at_bad, stride)
    except Exception as e:  # a mutant may not even get through the uncut workload
        tally.note("workload", repr(e))


def _run(name, kit, tally, stop_at_bad, stride):
    kind, make = SCENARIOS[name]
    scenario = make(kit)
    if kind == "cut":
        sweep.sweep(scenario, tally, stop_at_bad)
    elif kind == "rtc":
        hints.sweep(kit, scenario, tally)
    elif kind == "error":
        sweep.sweep_errors(scenario, tally, stop_at_bad)
    else:
        sweep.sweep_twice(
            scenario, tally, lambda number: number % stride == 0, _FIRST, _SECOND, stop_at_bad
        )
