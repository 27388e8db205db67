# SPDX-License-Identifier: MIT
"""What the stand-in server demands of a document.

Always: the shape this server relies on. With GS1's JSON Schema (not part of this package)
given as a file, and the `jsonschema` package installed: the whole schema.
"""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sealtrail.errors import UsageError

_TYPES = {
    "AggregationEvent",
    "AssociationEvent",
    "ObjectEvent",
    "TransactionEvent",
    "TransformationEvent",
}
_DEMANDED = ("eventID", "eventTime", "eventTimeZoneOffset")


def shape_fault(document: Any) -> str:
    """What is wrong with the shape; empty when nothing is."""
    if not isinstance(document, dict) or document.get("type") != "EPCISDocument":
        return "not an EPCISDocument"
    if document.get("schemaVersion") not in ("2.0", "2.0.0") or "@context" not in document:
        return "schemaVersion or @context is missing"
    body = document.get("epcisBody")
    events = body.get("eventList") if isinstance(body, dict) else None
    if not isinstance(events, list) or not events:
        return "epcisBody.eventList is missing or empty"
    for index, event in enumerate(events):
        if not isinstance(event, dict) or event.get("type") not in _TYPES:
            return f"event {index + 1}: unknown type"
        missing = [key for key in _DEMANDED if not isinstance(event.get(key), str)]
        if missing:
            return f"event {index + 1}: {missing[0]} is missing"
    return ""


def validator(schema_path: Path | None) -> Callable[[Any], str]:
    """The check of documents, with GS1's schema where its file is given.

    Raises UsageError when the file is unreadable or `jsonschema` is not installed.
    """
    if schema_path is None:
        return shape_fault
    try:
        jsonschema = importlib.import_module("jsonschema")  # optional: only for this option
    except ImportError as problem:
        raise UsageError("--schema needs the package jsonschema") from problem
    try:
        schema = json.loads(schema_path.read_bytes())
    except (OSError, ValueError) as problem:
        raise UsageError(f"{schema_path}: no JSON schema: {problem}") from problem
    checker = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())

    def check(document: Any) -> str:
        fault = next(iter(checker.iter_errors(document)), None)
        if fault is not None:
            return f"{'/'.join(map(str, fault.absolute_path))}: {fault.message}"
        return shape_fault(document)

    return check
