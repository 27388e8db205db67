# SPDX-License-Identifier: MIT
"""The custody document: what happened to the shipper, for trading partners, in EPCIS 2.0.

One document per trip, made from verified evidence, its analysis and a custody profile.
Times come from the log, never from this machine. The samples stay in the evidence; events
carry a summary and point at it by digest (RFC 6920). No patient, no chain-of-identity
value, no name of a person and no free text leaves by this way. See docs/epcis-mapping.md.
"""

import base64
from collections.abc import Mapping

from sealtrail.analysis.results import Analysis, Moment, Verdict
from sealtrail.analysis.wording import KEY_UNKNOWN, is_virtual
from sealtrail.custody import epcis, epcis_lint, gs1, sensors
from sealtrail.custody.epcis import EpcisEvent, own
from sealtrail.custody.parties import CustodyProfile, load_profile
from sealtrail.errors import UsageError
from sealtrail.model import CustodyStep, VerifiedEvidence

__all__ = ["build_document", "evidence_path", "load_profile"]

# A server takes 500 events; more of one kind than this are told by their count only.
_OF_ONE_KIND_MAX = 100
_TZ_MAX_MIN = 14 * 60
_KINDS = {"installing": "AssociationEvent", "packing": "AggregationEvent"}
# What happened at the same time is told in this order; sensor reports stand between.
_RANKS = {"installing": 0, "packing": 1, "departing": 2, "arriving": 4, "accepting": 5}
_RANKS["inspecting"] = 6
_RANK_SENSOR = 3
_DISPOSITIONS = {
    Verdict.WITHIN_LIMITS: "conformant",
    Verdict.EXCURSION: "non_conformant",
    Verdict.UNDECIDED: "unknown",
}


def evidence_path(sha256: bytes) -> str:
    """Path of evidence on a server that stores by digest (RFC 6920 section 4)."""
    digest = base64.urlsafe_b64encode(sha256).rstrip(b"=").decode("ascii")
    return f"/.well-known/ni/sha-256/{digest}"


def build_document(
    evidence: VerifiedEvidence,
    analysis: Analysis,
    profile: CustodyProfile,
    created_ms: int,
    revision: int = 0,
) -> bytes:
    """The EPCIS document as bytes; the same arguments give the same bytes.

    *created_ms* is Unix time; an event later than it moves it up, for a host clock that is
    behind. *revision* counts corrected documents for the same evidence. Raises UsageError
    when there is no trip, no calendar time, or the linter finds a fault.
    """
    events = _Builder(evidence, analysis, profile, revision).events()
    latest_ms = max(time_ms for time_ms, _, _ in events)
    ordered = [made for _, _, made in sorted(events, key=lambda item: item[:2])]
    document = epcis.document(ordered, max(created_ms, latest_ms))
    faults = epcis_lint.lint(document)
    if faults:
        raise UsageError(f"custody document: {faults[0]}", "; ".join(faults[1:5]))
    return epcis.encode(document)


class _Builder:
    """Collects (time, rank, event); the rank orders what happened at the same time."""

    def __init__(
        self,
        evidence: VerifiedEvidence,
        analysis: Analysis,
        profile: CustodyProfile,
        revision: int,
    ) -> None:
        if analysis.trip is None or analysis.start is None:
            raise UsageError("the evidence holds no trip: there is no custody to tell")
        if not analysis.has_utc_axis:
            raise UsageError(
                "the tag never knew the calendar time: no custody document can be made",
                "Set the tag's clock (sealtrail clock) before the next trip.",
            )
        self.evidence, self.analysis, self.profile = evidence, analysis, profile
        self.trip, self.start, self.end = analysis.trip, analysis.start, analysis.end
        self.revision = revision
        self.tag = gs1.giai(profile.company_prefix, evidence.certificate.subject)
        self.raw_data = profile.evidence_base + evidence_path(evidence.sha256)
        self.rules = f"{profile.rules_base}/sha-256/" + (
            analysis.profile.sha256.hex() if analysis.profile else "unreadable"
        )
        self.steps = [step for step in analysis.custody if _is_transfer(step)]
        self.counts: dict[str, int] = {}
        self.made: list[tuple[int, int, EpcisEvent]] = []

    def events(self) -> list[tuple[int, int, EpcisEvent]]:
        self._assemble()
        self._depart()
        for number, step in enumerate(self.steps):
            self._accept(step, number)
        self._sensor_events()
        if self.end is not None:
            self._arrive(self.end)
            self._inspect(self.end)
        return self.made

    def _add(
        self, what: str, number: int, when: tuple[int, int], fields: Mapping[str, object]
    ) -> None:
        """Adds one event; *when* is (Unix ms, minutes east of UTC)."""
        kind = _KINDS.get(what, "ObjectEvent")
        identity = epcis.event_id(
            self.tag, self.evidence.sha256.hex(), what, str(number), str(self.revision)
        )
        made = epcis.event(kind, identity, *when, fields)
        if self.profile.shipment is not None and kind != "AssociationEvent":
            made["bizTransactionList"] = [
                {"type": "desadv", "bizTransaction": self.profile.shipment}
            ]
        if is_virtual(self.evidence.certificate):
            made[own("simulated")] = True
        self.made.append((when[0], _RANKS.get(what, _RANK_SENSOR), made))

    def _assemble(self) -> None:
        """The tag goes onto the shipper and the therapy into it: both hold from the arming."""
        when = (self.start.axis_ms, 0)
        common = {
            "parentID": self.profile.shipper,
            "action": "ADD",
            "readPoint": epcis.at(self.profile.sender_place),
            "bizLocation": epcis.at(self.profile.sender_site),
        }
        tag = {"childEPCs": [self.tag], "bizStep": "installing"}
        self._add("installing", 0, when, {**common, **tag})
        therapy = {
            "childEPCs": [self.profile.therapy],
            "bizStep": "packing",
            "disposition": "container_closed",
        }
        self._add("packing", 0, when, {**common, **therapy})

    def _shipper_event(self, step: str, disposition: str, **fields: object) -> dict[str, object]:
        return {
            "epcList": [self.profile.shipper],
            "action": "OBSERVE",
            "bizStep": step,
            "disposition": disposition,
            **fields,
        }

    def _to_receiver(self) -> list[dict[str, str]] | None:
        return epcis.destinations(
            ("possessing_party", self.profile.receiver), ("location", self.profile.receiver_site)
        )

    def _depart(self) -> None:
        when = self._when(self.steps[0]) if self.steps else (self.start.axis_ms, 0)
        fields = self._shipper_event(
            "departing",
            "in_transit",
            readPoint=epcis.at(self.profile.sender_place),
            sourceList=epcis.sources(
                ("possessing_party", self.profile.sender), ("location", self.profile.sender_site)
            ),
            destinationList=self._to_receiver(),
        )
        self._add("departing", 0, when, fields)

    def _accept(self, step: CustodyStep, number: int) -> None:
        is_last = self.end is not None and number > 0 and number == len(self.steps) - 1
        giver = self._party(step.giver, self.profile.sender if number == 0 else None)
        receiver = self._party(step.receiver, self.profile.receiver if is_last else None)
        fields = self._shipper_event(
            "accepting",
            "in_progress" if is_last else "in_transit",
            readPoint=epcis.at(self._place(step, number == 0, is_last)),
            sourceList=None if step.giver is None else epcis.sources(("possessing_party", giver)),
            destinationList=epcis.destinations(("possessing_party", receiver)),
        )
        fields[own("handover")] = step.verdict
        if not step.key_known:
            fields[own("signerKey")] = KEY_UNKNOWN
        self._add("accepting", number, self._when(step), fields)

    def _when(self, step: CustodyStep) -> tuple[int, int]:
        """When the log says it was; the signer's own claim is shown, never relied on."""
        tz_min = step.tz_min if abs(step.tz_min) <= _TZ_MAX_MIN else 0
        if step.utc is not None:
            return step.utc.mid_ms, tz_min
        same_record = [at for at, event in self.analysis.events if event.seq == step.seq]
        return (same_record[-1] if same_record else self.start).axis_ms, tz_min

    def _party(self, name: str | None, by_position: str | None) -> str:
        known = self.profile.persons.get(name) if name is not None else None
        return known or by_position or self.profile.carrier

    def _place(self, step: CustodyStep, is_first: bool, is_last: bool) -> str | None:
        known = self.profile.places.get(step.place)
        if known is None and is_first:
            return self.profile.sender_place
        if known is None and is_last:
            return self.profile.receiver_place
        return known

    def _sensor_events(self) -> None:
        for lid in self.analysis.lids[:_OF_ONE_KIND_MAX]:
            self._sense("lid", lid.start, "container_open", sensors.lid_reports(lid))
        for shock in self.analysis.shocks[:_OF_ONE_KIND_MAX]:
            self._sense("shock", shock.at, "in_transit", sensors.shock_reports(shock))
        for item in self.analysis.excursions[:_OF_ONE_KIND_MAX]:
            reports = sensors.excursion_reports(item)
            self._sense("excursion", item.start, "in_transit", reports)

    def _sense(
        self, what: str, at: Moment, disposition: str, reports: list[dict[str, object]]
    ) -> None:
        metadata = {"time": epcis.timestamp(at.axis_ms), **self._origin()}
        element = epcis.sensor_element(metadata, reports)
        fields = self._shipper_event(
            "sensor_reporting", disposition, sensorElementList=[element], **_uncertainty(at)
        )
        number = self.counts[what] = self.counts.get(what, -1) + 1
        self._add(what, number, (at.axis_ms, 0), fields)

    def _origin(self) -> dict[str, object]:
        return {"deviceID": self.tag, "rawData": self.raw_data, "bizRules": self.rules}

    def _arrive(self, end: Moment) -> None:
        when = self._when(self.steps[-1]) if len(self.steps) > 1 else (end.axis_ms, 0)
        fields = self._shipper_event(
            "arriving",
            "in_progress",
            readPoint=epcis.at(self.profile.receiver_place),
            bizLocation=epcis.at(self.profile.receiver_site),
            destinationList=self._to_receiver(),
        )
        self._add("arriving", 0, when, fields)

    def _inspect(self, end: Moment) -> None:
        disposition = _DISPOSITIONS[self.analysis.verdict]
        fields = {
            "epcList": [self.profile.therapy],
            "action": "OBSERVE",
            "bizStep": "inspecting",
            "disposition": disposition,
            "persistentDisposition": None if disposition == "unknown" else {"set": [disposition]},
            "readPoint": epcis.at(self.profile.receiver_place),
            "bizLocation": epcis.at(self.profile.receiver_site),
            "sensorElementList": self._summary(end),
            own("evidenceDigest"): "ni:///sha-256;" + self.raw_data.rsplit("/", 1)[1],
            own("completeness"): self.evidence.freshness.completeness.value,
            own("temperatureVerdict"): self.analysis.verdict.value,
            **_uncertainty(end),
        }
        self._add("inspecting", 0, (end.axis_ms, 0), fields)

    def _summary(self, end: Moment) -> list[dict[str, object]]:
        span = {
            "startTime": epcis.timestamp(min(self.start.axis_ms, end.axis_ms)),
            "endTime": epcis.timestamp(end.axis_ms),
            **self._origin(),
            "dataProcessingMethod": epcis.SUMMARY_METHOD,
        }
        elements = []
        for stats in self.analysis.probes:
            if stats.valid_count:
                excursions = [e for e in self.analysis.excursions if e.rule.probe == stats.probe]
                reports = sensors.probe_reports(stats, excursions)
                elements.append(epcis.sensor_element({**span, own("probe"): stats.probe}, reports))
        return [*elements, epcis.sensor_element(span, sensors.handling_reports(self.analysis))]


def _is_transfer(step: CustodyStep) -> bool:
    """Whether somebody else holds the shipper after this step."""
    return step.receiver is not None and step.verdict != "bad signature"


def _uncertainty(at: Moment) -> dict[str, object]:
    if at.utc is None:
        return {own("timeSource"): "order of entries only"}
    if at.utc.hi_ms is None:
        return {own("notBefore"): epcis.timestamp(at.utc.lo_ms)}
    return {
        own("notBefore"): epcis.timestamp(at.utc.lo_ms),
        own("notAfter"): epcis.timestamp(at.utc.hi_ms),
    }
