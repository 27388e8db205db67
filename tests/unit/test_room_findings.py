# SPDX-License-Identifier: MIT
"""What evidence says of a log without room: refused readings, lost records, silent boots."""

from dataclasses import replace

import pytest

from sealtrail.analysis.analyse import analyse
from sealtrail.analysis.results import GapKind, Verdict
from sealtrail.errors import VerifyError
from sealtrail.evidence.verify import verify_evidence
from sealtrail.model import Event, VerifiedEvidence
from sealtrail.report import tables
from sealtrail.report.event_text import event_text
from sealwire import labels
from tests.fakes.evidence_samples import HOUR_MS, MINUTE_MS, QUIET, shipment
from tests.unit.test_verify_vectors import VectorTrust
from tests.vectors.chain import FLEET_PUB, NONCE, Chain


def with_refusals(counts: tuple[int, int, int], resume_late_ms: int = 40) -> VerifiedEvidence:
    """A quiet trip that lacks an hour's readings: counts told before it, at both its ends."""
    evidence = shipment(QUIET)
    trip_ms = evidence.trips[0].start.up_ms
    boot = evidence.trips[0].start.boot
    since_ms = trip_ms + 5 * HOUR_MS
    left = tuple(r for r in evidence.readings if not 0 <= r.up_ms - since_ms < HOUR_MS)
    first = next(r for r in left if r.up_ms >= since_ms + HOUR_MS)
    places = (trip_ms - MINUTE_MS, since_ms + 20, first.up_ms + resume_late_ms)
    told = tuple(
        Event(labels.EVENT_LOG_FULL, boot, up_ms, None, [count], 2)
        for up_ms, count in zip(places, counts, strict=True)
    )
    return replace(evidence, readings=left, events=evidence.events + told)


def test_a_span_in_which_the_log_refused_readings_is_named_with_their_number():
    found = analyse(with_refusals((100, 101, 112)))
    (gap,) = found.gaps
    assert (gap.kind, gap.refused_count) == (GapKind.REFUSED, 12)
    assert found.verdict is Verdict.UNDECIDED
    assert any("log full, readings refused (12 in all)" in text for text in found.reasons)
    (row,) = tables.gaps(found).rows
    assert "log full, readings refused (12)" in " ".join(row)


def test_a_report_said_twice_counts_once_and_other_trips_do_not_count():
    found = analyse(with_refusals((100, 100, 100)))
    assert [(gap.kind, gap.refused_count) for gap in found.gaps] == [(GapKind.MISSED, 0)]


def test_what_no_span_shows_is_a_finding():
    found = analyse(with_refusals((0, 0, 3), resume_late_ms=2 * HOUR_MS))
    assert [gap.kind for gap in found.gaps] == [GapKind.MISSED]
    assert any("refused 3 entries outside" in text for text in found.findings)


def trust() -> VectorTrust:
    return VectorTrust({"fleet_pub": FLEET_PUB, "nonces": [NONCE.hex()], "known_head": None})


def test_findings_name_refused_readings_lost_records_and_boots_without_a_record():
    chain = Chain()
    chain.add(samples=[[-19000]])
    chain.add(events=[(labels.EVENT_LOG_FULL, [7])], boot=3)
    chain.add(events=[(labels.EVENT_LOG_FULL, [9]), (labels.EVENT_RECORDS_LOST, [5])])
    chain.add(samples=[[-19000]], boot=21)
    chain.attest()
    findings = verify_evidence(chain.evidence(), trust()).findings
    assert any("refused 9 readings or events" in text for text in findings)
    assert any("overwritten 5 records" in text and "holds them" in text for text in findings)
    assert "boot 2, boots 4 to 20 left no record" in findings


def test_a_chain_without_any_of_it_has_no_such_finding():
    chain = Chain()
    chain.add(samples=[[-19000]])
    chain.attest()
    assert verify_evidence(chain.evidence(), trust()).findings == ()


@pytest.mark.parametrize("is_told", [False, True])
def test_evidence_that_begins_behind_record_0_is_refused_and_names_the_loss_if_it_is_told(
    is_told: bool,
):
    chain = Chain()
    for _ in range(4):
        chain.add(samples=[[-19000]])
    chain.add(events=[(labels.EVENT_RECORDS_LOST, [2])] if is_told else [(2, None)])
    chain.attest()
    del chain.records[:2]
    with pytest.raises(VerifyError) as refused:
        verify_evidence(chain.evidence(), trust())
    assert (refused.value.rule, refused.value.index) == ("R8", 1)
    assert ("overwrote 2 before any archive had them" in refused.value.detail) == is_told


@pytest.mark.parametrize(
    ("code", "content", "text"),
    [
        (13, [1234], "1,234 readings or events refused"),
        (16, [812], "Memory 81 % full"),
        (17, [5], "5 records overwritten"),
    ],
)
def test_each_event_has_its_words(code: int, content: list[int], text: str):
    assert text in event_text(Event(code, 1, 0, None, content, 0))
