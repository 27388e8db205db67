# SPDX-License-Identifier: MIT
"""Judges vector files with sealwire, on either interpreter.

micropython wire_vectors.py SUITE FILE...    prints one line a file: name, verdict
"""

import json
import sys

from sealwire import alarm, cbor, profile, record, statement


def _bytes(text):
    return bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))


def _cbor(vector):
    source = _bytes(vector["input"])
    value = cbor.decode(source)
    size = cbor.item_size(source)
    if cbor.encode(value) != source or size != len(source):
        return "encoded otherwise"
    return "ok"


def _record(vector):
    source = _bytes(vector["input"])
    parsed = record.parse_record(source)
    if record.head_of(source) != (parsed.seq, parsed.kind):
        return "head differs"
    return "ok"


def _statement(vector):
    source = _bytes(vector["input"])
    kind, payload, kid, protected, encoded, signature = statement.parse_statement(source)
    fields = {key: payload[key] for key in payload if key != 0}
    if statement.statement_payload(kind, fields) != encoded:
        return "encoded otherwise"
    sealed = record.seal_envelope(protected, encoded, signature, len(source))
    if protected == statement.protected_of(kid):
        sealed = statement.statement(encoded, signature, kid)
    return "ok" if sealed == source else "sealed otherwise"


def _profile(vector):
    source = _bytes(vector["input"])
    return "ok" if profile.encode(profile.parse(source)) == source else "encoded otherwise"


def _alarm(vector):
    engine = alarm.AlarmEngine(profile.parse(_bytes(vector["profile"])))
    seen = []
    for up_ms, values in vector["samples"]:
        for code, content in engine.sample(up_ms, values):
            seen.append([up_ms, code, content])
    if vector["end_trip_ms"] is not None:
        for code, content in engine.end_trip(vector["end_trip_ms"]):
            seen.append([vector["end_trip_ms"], code, content])
    return "ok" if seen == vector["events"] else "events " + str(seen)


JUDGES = {
    "cbor": _cbor,
    "record": _record,
    "statement": _statement,
    "profile": _profile,
    "alarm": _alarm,
}


def verdict(suite, vector):
    """ "ok", or the reason. Anything but our own errors escapes: that is a bug."""
    try:
        return JUDGES[suite](vector)
    except (cbor.CborError, record.RecordError, profile.ProfileError) as error:
        return error.reason


if __name__ == "__main__":
    for path in sys.argv[2:]:
        with open(path) as file:
            loaded = json.load(file)
        print("%s\t%s" % (loaded["name"], verdict(sys.argv[1], loaded)))
