# SPDX-License-Identifier: MIT
"""Trip profiles: written by people in TOML, carried by tags in compact CBOR.

A profile says how often to read and what counts as an alarm. The bytes the tag carries
stand in the trip record, so rules cannot be changed afterwards; their SHA-256 is the
profile's name in papers. Shipped profiles lie in profiles/; any path to a .toml works too.

    name = "fridge-2-8"             [[rule]]
    interval_s = 300                id = 1
    burst_interval_s = 0            probe = 0
    shock_threshold_g = 8           above_c = 8.0      (or below_c)
    tilt_deg = 45                   for_min = 10       (or total_min; none: at once)
    tilt_hold_min = 5               hysteresis_c = 0.5
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from sealtrail.errors import UsageError
from sealwire import labels
from sealwire import profile as wire

_FILE_SIZE_MAX = 65_536
_KEYS = {
    *("name", "title", "interval_s", "burst_interval_s", "shock_threshold_g"),
    *("tilt_deg", "tilt_hold_min", "rule"),
}
_RULE_KEYS = {
    *("id", "title", "probe", "above_c", "below_c", "for_min", "total_min", "hysteresis_c"),
}
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class TripProfile:
    """One checked profile: what people read, and the bytes the tag gets."""

    name: str
    title: str
    interval_s: int
    rules: tuple[str, ...]
    cbor: bytes  # what the tag carries
    shock_mg: int  # 0: no shock events
    tilt_deg: int  # 0: no tilt events
    tilt_hold_s: int

    @property
    def limits(self) -> tuple[str, str]:
        """What counts as a shock and as a tilt, in words."""
        shock = f"shock above {self.shock_mg / 1000:g} g" if self.shock_mg else "shocks: not noted"
        hold = f" for {self.tilt_hold_s / 60:g} min" if self.tilt_hold_s else " at once"
        tilt = f"tilt above {self.tilt_deg}°{hold}" if self.tilt_deg else "tilt: not noted"
        return shock, tilt

    @property
    def sha256(self) -> str:
        """The digest that names these rules in records and papers."""
        return hashlib.sha256(self.cbor).hexdigest()


def shipped_names() -> list[str]:
    """The profiles that come with sealtrail."""
    folder = resources.files(__package__) / "profiles"
    return sorted(e.name.removesuffix(".toml") for e in folder.iterdir() if e.name[-5:] == ".toml")


def load(name_or_path: str) -> TripProfile:
    """The profile of that name, or in that .toml file. Raises UsageError."""
    if name_or_path in shipped_names():
        text = (resources.files(__package__) / "profiles" / f"{name_or_path}.toml").read_text()
        return parse(text, name_or_path)
    if not name_or_path.endswith(".toml"):
        if Path(name_or_path).is_file():
            raise UsageError(f"{name_or_path}: is no profile", "Profiles are .toml files.")
        raise UsageError(
            f"no profile '{name_or_path[:60]}'",
            f"Shipped: {', '.join(shipped_names())}; or give a path to a .toml file.",
        )
    return parse(_read_text(Path(name_or_path)), name_or_path)


def parse(text: str, where: str) -> TripProfile:
    """Checks the TOML in *text*. Raises UsageError naming the place and what is wrong."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise UsageError(f"{where}: {problem}") from None
    table = _Table(content, where, _KEYS)
    name = table.text("name", wire.NAME_SIZE_MAX)
    rules = _rules(table)
    interval_s = table.whole("interval_s", 1, 3600)
    try:
        profile = wire.build(
            name,
            interval_s,
            [rule.compact for rule in rules],
            shock_mg=table.scaled("shock_threshold_g", 1000, (0, 16_000)),
            tilt_deg=table.whole("tilt_deg", 0, 180),
            tilt_hold_s=table.scaled("tilt_hold_min", 60, (0, 3600)),
            burst_interval_s=table.whole("burst_interval_s", 0, interval_s, 0),
        )
        encoded = wire.encode(profile)
    except wire.ProfileError as problem:
        raise UsageError(f"{where}: {problem.reason}") from None
    texts = tuple(rule.text for rule in rules)
    return TripProfile(
        name,
        table.text("title", 200, ""),
        interval_s,
        texts,
        encoded,
        profile.shock_mg,
        profile.tilt_deg,
        profile.tilt_hold_s,
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    compact: list[int]
    text: str


class _Table:
    """Reads one TOML table key by key; every error says where it is."""

    def __init__(self, content: Mapping[str, Any], where: str, keys: set[str]) -> None:
        self.content = content
        self.where = where
        unknown = sorted(set(content) - keys)
        if unknown:
            raise UsageError(
                f"{where}: unknown key '{unknown[0][:40]}'", f"Known: {', '.join(sorted(keys))}."
            )

    def text(self, key: str, size_max: int, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if not isinstance(value, str) or not value.isprintable():
            raise UsageError(f"{self.where}: {key} must be a text")
        if len(value.encode()) > size_max or (default is None and not value):
            raise UsageError(f"{self.where}: {key} must have 1 to {size_max} bytes")
        return value

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(f"{self.where}: {key} must be a whole number, {low} to {high}")
        return value

    def scaled(self, key: str, factor: int, limits: tuple[int, int]) -> int:
        """A number times *factor*, exact: nothing is rounded away from what was written."""
        low, high = limits
        value = self.content.get(key)
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        product = Decimal(str(value)) * factor if is_number else Decimal("NaN")
        if not product.is_finite() or product != product.to_integral_value():
            raise UsageError(f"{self.where}: {key} must be a number in steps of 1/{factor}")
        if not low <= product <= high:
            raise UsageError(f"{self.where}: {key} must lie in {low / factor} to {high / factor}")
        return int(product)


def _rules(table: _Table) -> list[_Rule]:
    entries = table.content.get("rule")
    if not isinstance(entries, list) or not 1 <= len(entries) <= wire.RULE_COUNT_MAX:
        raise UsageError(f"{table.where}: needs 1 to {wire.RULE_COUNT_MAX} [[rule]] tables")
    rules = []
    for number, entry in enumerate(entries, 1):
        where = f"{table.where}, rule {number}"
        if not isinstance(entry, dict):
            raise UsageError(f"{where}: must be a table")
        rules.append(_rule(_Table(entry, where, _RULE_KEYS)))
    if len({rule.compact[0] for rule in rules}) != len(rules):
        raise UsageError(f"{table.where}: two rules have the same id")
    return rules


def _rule(table: _Table) -> _Rule:
    side = _one_of(table, "above_c", "below_c", is_needed=True)
    span = _one_of(table, "for_min", "total_min", is_needed=False)
    limit = table.scaled(side, 100, (-20_000, 85_000))
    duration_s = table.scaled(span, 60, (60, 30 * _DAY_S)) if span else 0
    kind = {
        ("above_c", ""): labels.RULE_ABOVE,
        ("below_c", ""): labels.RULE_BELOW,
        ("above_c", "for_min"): labels.RULE_ABOVE_FOR,
        ("below_c", "for_min"): labels.RULE_BELOW_FOR,
        ("above_c", "total_min"): labels.RULE_ABOVE_TOTAL,
        ("below_c", "total_min"): labels.RULE_BELOW_TOTAL,
    }[side, span]
    identifier = table.whole("id", 0, 255)
    probe = table.whole("probe", 0, 3)
    hysteresis = table.scaled("hysteresis_c", 100, (0, 5_000))
    compact = [identifier, probe, kind, limit, duration_s, hysteresis]
    return _Rule(compact, _sentence(compact, side.removesuffix("_c"), span))


def _one_of(table: _Table, first: str, second: str, is_needed: bool) -> str:
    given = [key for key in (first, second) if key in table.content]
    if len(given) > 1 or (is_needed and not given):
        raise UsageError(
            f"{table.where}: needs {'one' if is_needed else 'at most one'} of {first}, {second}"
        )
    return given[0] if given else ""


def _sentence(compact: list[int], side: str, span: str) -> str:
    identifier, probe, _, limit, duration_s, _ = compact
    how = {"": "at once", "for_min": "for {} min", "total_min": "for {} min in total"}[span]
    minutes = f"{duration_s / 60:g}"
    return f"{identifier}: probe {probe} {side} {limit / 100:g} °C {how.format(minutes)}"


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_FILE_SIZE_MAX).decode("utf-8")
    except OSError as problem:
        raise UsageError(f"{path}: cannot read: {problem.strerror}") from problem
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
