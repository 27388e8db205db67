# SPDX-License-Identifier: MIT
"""All readings of the report as CSV: one line each, one header line, UTF-8, CRLF (RFC 4180).

Columns: utc_lo, utc_hi (ISO 8601; empty: not known), boot, up_ms, probe, temp_c (empty for a
fault), fault (empty for a temperature), seq (record that holds it), proven (0: not signed),
simulated (1: of a virtual tag or with a simulated clock; the same in every line).
"""

import csv
import io

from sealtrail.custody.epcis import timestamp
from sealtrail.model import Reading, UtcInterval
from sealtrail.report.content import ReportModel

COLUMNS = (
    "utc_lo",
    "utc_hi",
    "boot",
    "up_ms",
    "probe",
    "temp_c",
    "fault",
    "seq",
    "proven",
    "simulated",
)


def render_csv(model: ReportModel) -> bytes:
    """The readings of the analysed trip in order of time, then probe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for sample in model.analysis.samples:
        for probe in sorted(sample.readings):
            writer.writerow((*_row(sample.readings[probe]), int(model.is_simulated)))
    return text.getvalue().encode("utf-8")


def _row(reading: Reading) -> tuple[str | int, ...]:
    utc_lo, utc_hi = _bounds(reading.utc)
    temp = "" if reading.temp_centi_c is None else f"{reading.temp_centi_c / 100:.2f}"
    fault = "" if reading.fault is None else reading.fault.name.lower()
    return (
        utc_lo,
        utc_hi,
        reading.boot,
        reading.up_ms,
        reading.probe,
        temp,
        fault,
        reading.seq,
        int(reading.proven),
    )


def _bounds(utc: UtcInterval | None) -> tuple[str, str]:
    if utc is None:
        return "", ""
    return timestamp(utc.lo_ms), "" if utc.hi_ms is None else timestamp(utc.hi_ms)
