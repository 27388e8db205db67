# SPDX-License-Identifier: MIT
"""Finds what is wrong in an EPCIS document although GS1's JSON Schema accepts it.

Unknown units, wrong check digits, undeclared prefixes, business steps that exclude each
other, sensor facts said twice, corrections that contradict themselves, identifiers that
have no place here (patients). Returns findings; an empty list means clean. Never raises on
any JSON value.
"""

import re
from collections.abc import Callable, Iterator

from sealtrail.custody import gs1

_UNITS = {"CEL", "FAH", "KEL", "SEC", "MIN", "HUR", "K40", "MSK", "C62", "LUX", "DD", "VLT", "P1"}
_BUILT_IN = {"http", "https", "urn", "ni", "data", "gs1", "cbv", "epcis", "rdfs", "owl", "xsd"}
_CURIE = re.compile(r"([A-Za-z][\w.-]*):(?!//)[\w.-]+\Z")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
_NO_PERSISTENT = {"AggregationEvent", "AssociationEvent", "TransactionEvent"}
_EXCLUDING = {
    "receiving": {"arriving", "accepting"},
    "shipping": {"departing", "loading", "staging_outbound"},
}
_VERDICT_STEPS = {"inspecting", "repairing"}
_SAID_ONCE = ("time", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules")
_PATIENT = re.compile(r"/8018/|patient|chain.?of.?identity", re.IGNORECASE)

Json = object


def lint(document: Json) -> list[str]:
    """Everything found, each as one line that names the event."""
    if not isinstance(document, dict):
        return ["document: not an object"]
    declared = _declared(document.get("@context"))
    events = _events(document)
    found = [] if events else ["document: no events"]
    found += _duplicates(events) + _excluding_steps(events)
    for index, event in enumerate(events):
        where = f"event {index + 1} ({event.get('bizStep', event.get('type', '?'))})"
        for check in _EVENT_CHECKS:
            found += [f"{where}: {text}" for text in check(event)]
        found += [f"{where}: {text}" for text in _prefixes(event, declared)]
        if _text(event, "eventTime")[:19] > _text(document, "creationDate")[:19]:
            found.append(f"{where}: happened after the document was made")
    return found


def _declared(context: Json) -> set[str]:
    names = set(_BUILT_IN)
    for entry in context if isinstance(context, list) else [context]:
        if isinstance(entry, dict):
            names |= set(entry)
    return names


def _events(document: dict[str, Json]) -> list[dict[str, Json]]:
    body = document.get("epcisBody")
    rows = body.get("eventList") if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _text(holder: dict[str, Json], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _list(holder: dict[str, Json], key: str) -> list[dict[str, Json]]:
    value = holder.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _walk(value: Json, key: str = "") -> Iterator[tuple[str, Json]]:
    """Every (key, scalar) below, depth first."""
    if isinstance(value, dict):
        for inner_key, inner in value.items():
            yield from _walk(inner, inner_key)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, key)
    else:
        yield key, value


def _duplicates(events: list[dict[str, Json]]) -> list[str]:
    seen: set[str] = set()
    found = []
    for event in events:
        identity = _text(event, "eventID")
        if identity in seen and "errorDeclaration" not in event:
            found.append(f"document: eventID {identity} stands twice")
        seen.add(identity)
    return found


def _excluding_steps(events: list[dict[str, Json]]) -> list[str]:
    steps = {_text(event, "bizStep") for event in events}
    return [
        f"document: bizStep {step} excludes {', '.join(sorted(steps & others))}"
        for step, others in _EXCLUDING.items()
        if step in steps and steps & others
    ]


def _identity(event: dict[str, Json]) -> list[str]:
    found = []
    identity = _text(event, "eventID")
    if not re.match(r"(urn:uuid:[0-9a-f-]{36}|ni:///sha-256;[\w-]+.*)\Z", identity):
        found.append(f"eventID {identity!r} is neither urn:uuid nor ni")
    if not _TIME.match(_text(event, "eventTime")):
        found.append("eventTime has no zone or is no time")
    if not _OFFSET.match(_text(event, "eventTimeZoneOffset")):
        found.append("eventTimeZoneOffset is missing or no offset")
    return found


def _keys(event: dict[str, Json]) -> list[str]:
    found = []
    for _, value in _walk(event):
        if isinstance(value, str) and value.startswith(gs1.ROOT):
            fault = gs1.fault_of(value)
            if fault:
                found.append(fault)
    return found


def _parties(event: dict[str, Json]) -> list[str]:
    found = []
    for name, field in (("sourceList", "source"), ("destinationList", "destination")):
        for row in _list(event, name):
            kind, uri = _text(row, "type"), _text(row, field)
            if not uri.startswith(gs1.ROOT):
                continue
            if kind in ("possessing_party", "owning_party") and not gs1.is_party(uri):
                found.append(f"{name}: {uri} is no party")
            if kind == "location" and not gs1.is_place(uri):
                found.append(f"{name}: {uri} is no place")
    return found


def _dispositions(event: dict[str, Json]) -> list[str]:
    found = []
    if "persistentDisposition" in event and event.get("type") in _NO_PERSISTENT:
        found.append(f"persistentDisposition is not allowed in {event.get('type')}")
    if "ilmd" in event and event.get("action") != "ADD":
        found.append("ilmd is allowed with action ADD only")
    verdict = _text(event, "disposition")
    if verdict in ("conformant", "non_conformant") and event.get("bizStep") not in _VERDICT_STEPS:
        found.append(f"disposition {verdict} is the outcome of an inspection only")
    return found


def _correction(event: dict[str, Json]) -> list[str]:
    declared = event.get("errorDeclaration")
    if not isinstance(declared, dict):
        return []
    corrective = declared.get("correctiveEventIDs")
    if declared.get("reason") == "did_not_occur" and corrective:
        return ["an event that did not occur can't have corrective events"]
    if declared.get("reason") == "incorrect_data" and not corrective:
        return ["incorrect data without a corrective event"]
    return []


def _sensors(event: dict[str, Json]) -> list[str]:
    found = []
    for element in _list(event, "sensorElementList"):
        metadata = element.get("sensorMetadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        if _text(metadata, "startTime") > (_text(metadata, "endTime") or "~"):
            found.append("sensor span ends before it starts")
        for report in _list(element, "sensorReport"):
            found += _report(report)
            twice = [key for key in _SAID_ONCE if key in report and key in metadata]
            found += [f"{key} stands in sensorMetadata and in sensorReport" for key in twice]
    return found


def _report(report: dict[str, Json]) -> list[str]:
    found = []
    unit = report.get("uom")
    if unit is not None and unit not in _UNITS:
        found.append(f"unit {unit!r} is not known")
    figures = [report.get(key) for key in ("minValue", "meanValue", "maxValue")]
    numeric = [n for n in figures if isinstance(n, int | float) and not isinstance(n, bool)]
    if numeric != sorted(numeric):
        found.append("minValue, meanValue, maxValue are not in order")
    has_number = bool(numeric) or isinstance(report.get("value"), int | float)
    if has_number and unit is None:
        found.append(f"sensor report {report.get('type')!r} has figures without a unit")
    if ("percValue" in report) != ("percRank" in report):
        found.append("percValue and percRank belong together")
    return found


def _privacy(event: dict[str, Json]) -> list[str]:
    hits = {
        f"{key}={value}"
        for key, value in _walk(event)
        if isinstance(value, str) and (_PATIENT.search(value) or _PATIENT.search(key))
    }
    return [f"names a patient: {hit[:60]}" for hit in sorted(hits)]


def _prefixes(event: dict[str, Json], declared: set[str]) -> list[str]:
    used: set[str] = set()
    for key in _all_keys(event):
        if match := _CURIE.match(key):
            used.add(match.group(1))
    for key, value in _walk(event):
        is_word = key == "type" or key.split(":")[-1] in ("feature", "uriValue")
        if is_word and isinstance(value, str) and (match := _CURIE.match(value)):
            used.add(match.group(1))
    return [f"prefix {name}: is not declared in @context" for name in sorted(used - declared)]


def _all_keys(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _all_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_keys(inner)


_EVENT_CHECKS: tuple[Callable[[dict[str, Json]], list[str]], ...] = (
    _identity,
    _keys,
    _parties,
    _dispositions,
    _correction,
    _sensors,
    _privacy,
)
