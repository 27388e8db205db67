# SPDX-License-Identifier: MIT
"""Writes every vector of this folder, the same bytes each time.

    python tests/vectors/make_vectors.py [DIRECTORY]

Keys are fixed (chain.py), there is no clock and no chance. test_record_format_vectors
checks that the files in the repository are what this program writes.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

_HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(_HERE.parents[1]), str(_HERE.parents[1] / "firmware")]

from tests.vectors import (
    cases_alarm,
    cases_cbor,
    cases_evidence,
    cases_evidence_chain,
    cases_evidence_people,
    cases_evidence_statements,
    cases_profile,
    cases_record,
    cases_statement,
)

SUITES = ("cbor", "record", "statement", "profile", "alarm", "evidence")


def _simple(name: str, comment: str, source: str | bytes, expect: str) -> dict[str, object]:
    given = source if isinstance(source, str) else source.hex()
    return {"name": name, "comment": comment, "expect": expect, "input": given}


def vectors() -> Iterator[tuple[str, dict[str, object]]]:
    """Every vector with the suite it belongs to."""
    for name, (comment, given, expect) in cases_cbor.CASES.items():
        yield "cbor", _simple(name, comment, given, expect)
    for name, (comment, made, expect) in cases_record.cases().items():
        yield "record", _simple(name, comment, made, expect)
    for name, (comment, made, expect) in cases_statement.cases().items():
        yield "statement", _simple(name, comment, made, expect)
    for name, (comment, given, expect) in cases_profile.CASES.items():
        yield "profile", _simple(name, comment, given, expect)
    for vector in cases_alarm.vectors():
        yield "alarm", vector
    # They register their cases.
    assert cases_evidence_chain and cases_evidence_statements and cases_evidence_people
    for vector in cases_evidence.vectors():
        yield "evidence", vector


def write(root: Path) -> int:
    """Replaces the vectors below *root* and returns how many there are."""
    count = 0
    for suite in SUITES:
        (root / suite).mkdir(parents=True, exist_ok=True)
        for old in (root / suite).glob("*.json"):
            old.unlink()
    for suite, vector in vectors():
        text = json.dumps(vector, indent=1, ensure_ascii=True) + "\n"
        (root / suite / f"{vector['name']}.json").write_text(text)
        count += 1
    return count


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else _HERE), "vectors")
