# SPDX-License-Identifier: MIT
"""Words and shapes of GS1 EPCIS 2.0 in JSON-LD. Knows nothing of tags or evidence.

Source: EPCIS 2.0 and CBV 2.0 (GS1, 2022). Documents are written by one deterministic
encoder: same events, same bytes. See docs/epcis-mapping.md.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sealtrail.analysis.wording import offset_text
from sealtrail.errors import UsageError

PREFIX = "sealtrail"
NAMESPACE = "https://ns.sealtrail.example/epcis/"
GS1_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SUMMARY_METHOD = "https://ns.sealtrail.example/methods/summary-v1"
_ID_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE + "event")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EpcisEvent = dict[str, object]


def event_id(*parts: str) -> str:
    """A URN that depends on *parts* only, so that building again gives the same identity."""
    return f"urn:uuid:{uuid.uuid5(_ID_SPACE, '|'.join(parts))}"


def timestamp(unix_ms: int) -> str:
    """ "2026-11-16T08:00:00.000Z". Raises UsageError outside the calendar."""
    try:
        at = _EPOCH + timedelta(milliseconds=unix_ms)
    except OverflowError as problem:
        raise UsageError(f"time {unix_ms} ms is outside the calendar") from problem
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(
    kind: str, identity: str, unix_ms: int, tz_min: int, fields: Mapping[str, object]
) -> EpcisEvent:
    """An event; fields that are None are left out, the others keep their order."""
    made: EpcisEvent = {
        "type": kind,
        "eventID": identity,
        "eventTime": timestamp(unix_ms),
        "eventTimeZoneOffset": offset_text(tz_min),
    }
    made.update({key: value for key, value in fields.items() if value is not None})
    return made


def own(name: str) -> str:
    """The name of a field or word of our own namespace."""
    return f"{PREFIX}:{name}"


def at(uri: str | None) -> dict[str, str] | None:
    """A readPoint or bizLocation."""
    return None if uri is None else {"id": uri}


def sources(*entries: tuple[str, str | None]) -> list[dict[str, str]] | None:
    """A sourceList of (type, URI); entries without URI are left out."""
    return [{"type": kind, "source": uri} for kind, uri in entries if uri] or None


def destinations(*entries: tuple[str, str | None]) -> list[dict[str, str]] | None:
    """A destinationList of (type, URI); entries without URI are left out."""
    return [{"type": kind, "destination": uri} for kind, uri in entries if uri] or None


def alarm(kind: str, **fields: object) -> dict[str, object]:
    """A sensor report that says: this limit was broken."""
    return {"type": kind, "exception": "ALARM_CONDITION", "booleanValue": True, **fields}


def celsius(temp_centi_c: float) -> float:
    """Degrees C for a report, 2 decimals as logged."""
    return round(temp_centi_c / 100, 2)


def minutes(length_ms: int) -> float:
    """Minutes for a report, 2 decimals."""
    return round(length_ms / 60_000, 2)


def sensor_element(
    metadata: Mapping[str, object], reports: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """One entry of a sensorElementList."""
    return {"sensorMetadata": dict(metadata), "sensorReport": [dict(report) for report in reports]}


def document(events: Iterable[EpcisEvent], created_ms: int) -> dict[str, object]:
    """An EPCISDocument around the events, in the order given."""
    return {
        "@context": [GS1_CONTEXT, {PREFIX: NAMESPACE}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": timestamp(created_ms),
        "epcisBody": {"eventList": list(events)},
    }


def encode(content: Mapping[str, object]) -> bytes:
    """The document's bytes: UTF-8, order as built, one line end."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
