# SPDX-License-Identifier: MIT
"""What a custody document says of sensors: EPCIS sensor reports from analysis results. Pure.

Summaries only; the samples stay in the evidence. Units: UN/CEFACT codes CEL, MIN, K40
(standard gravity), C62 (count).
"""

from collections.abc import Sequence

from sealtrail.analysis.results import Analysis, Excursion, LidOpening, ProbeStats, Shock
from sealtrail.custody import epcis
from sealtrail.custody.epcis import own

Report = dict[str, object]
_AXES = ("x", "y", "z")
_EXCURSIONS_MAX = 20


def lid_reports(lid: LidOpening) -> list[Report]:
    """An opening, and how long where the closing is known. GS1 has no type for a lid."""
    reports = [epcis.alarm(own("LidOpen"))]
    if lid.open_ms is not None:
        reports.append(_length(lid.open_ms, "timeOpen"))
    return reports


def shock_reports(shock: Shock) -> list[Report]:
    """The peak in g, with its axis."""
    component = {"component": _AXES[shock.axis]} if shock.axis in (0, 1, 2) else {}
    return [epcis.alarm("Acceleration", **component, maxValue=_g(shock.peak_mg), uom="K40")]


def excursion_reports(item: Excursion) -> list[Report]:
    """The extreme in degrees C and the time outside."""
    key = "maxValue" if item.rule.kind.is_upper else "minValue"
    extreme = {key: epcis.celsius(item.extreme_centi_c), "uom": "CEL"}
    return [epcis.alarm("Temperature", **extreme), _outside(item)]


def probe_reports(stats: ProbeStats, excursions: Sequence[Excursion]) -> list[Report]:
    """Least, mean and greatest of one probe, then what broke its rules."""
    figures = {
        "minValue": stats.min_centi_c,
        "meanValue": stats.mean_centi_c,
        "maxValue": stats.max_centi_c,
    }
    known = {name: epcis.celsius(value) for name, value in figures.items() if value is not None}
    reports: list[Report] = [{"type": "Temperature", **known, "uom": "CEL"}]
    if excursions:
        reports.append(epcis.alarm("Temperature"))
        reports += [_outside(item) for item in excursions[:_EXCURSIONS_MAX]]
    return reports


def handling_reports(analysis: Analysis) -> list[Report]:
    """How often the lid opened, the shipper was hit or tilted, readings are missing."""
    reports = [
        _count(len(analysis.lids), "lidOpenings"),
        _count(len(analysis.shocks), "shocks"),
        _count(len(analysis.tilts), "tilts"),
        _count(len(analysis.gaps), "spansWithoutValidReadings"),
    ]
    if analysis.shocks:
        peak_mg = max(shock.peak_mg for shock in analysis.shocks)
        reports.append({"type": "Acceleration", "maxValue": _g(peak_mg), "uom": "K40"})
    return reports


def _g(peak_mg: int) -> float:
    return round(peak_mg / 1000, 3)


def _length(length_ms: int, feature: str) -> Report:
    return {
        "type": "Time",
        "value": epcis.minutes(length_ms),
        "uom": "MIN",
        own("feature"): own(feature),
    }


def _outside(item: Excursion) -> Report:
    side = "timeAboveLimit" if item.rule.kind.is_upper else "timeBelowLimit"
    limit = {own("limit"): epcis.celsius(item.rule.limit_centi_c)}
    return {**_length(item.duration_ms, side), **limit}


def _count(number: int, feature: str) -> Report:
    return {"type": "Count", "value": number, "uom": "C62", own("feature"): own(feature)}
