# SPDX-License-Identifier: MIT
"""Brings custody documents to a capture server: each stored once, whatever fails between.

The outbox is the retry: state is committed before and after every step, so a kill at any
point leaves a document that the next run finishes. A document whose answer was lost is
looked for on the server before it is sent again. Evidence goes before the document that
points at it. See outbox.py for the states.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sealtrail.custody.auth import Auth, AuthKind
from sealtrail.custody.capture_client import CaptureClient, NotAllowed, Refused, Unanswered
from sealtrail.custody.document import evidence_path
from sealtrail.custody.outbox import Entry, Outbox, State
from sealtrail.errors import UploadError, UsageError

__all__ = ["Auth", "AuthKind", "Patience", "UploadResult", "resume", "upload"]

_PARTLY_SHOWN_LAGS = 5
_REMARKS = ("recordTime", "captureID", "@context")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one run tries, in seconds.

    *lag_s*: how long after sending a server may still not show an event it has.
    """

    total_s: float = 60.0
    tries: int = 4
    first_wait_s: float = 0.25
    wait_max_s: float = 5.0
    lag_s: float = 3.0
    answer_s: float = 20.0


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of one document."""

    state: State
    server: str
    document_sha256: bytes
    evidence_url: str
    job_url: str | None
    event_count: int
    attempt_count: int
    detail: str


def now_ms() -> int:
    """Unix time in ms; for the outbox's own notes only, never for events."""
    return time.time_ns() // 1_000_000


def upload(
    outbox_path: Path | str,
    server: str,
    document: bytes,
    evidence: bytes,
    auth: Auth | None = None,
    patience: Patience = Patience(),
) -> UploadResult:
    """Queues a document, then tries to have it stored. Returns once it is.

    Raises UploadError with the reason when the server refused it, or could not be reached
    in time; in the second case the document stays in the outbox and a repeat is safe.
    Raises UsageError, and queues nothing, where the document names other evidence.
    """
    check_pair(document, evidence)
    server = server.rstrip("/")
    outbox = Outbox(outbox_path)
    try:
        entry = outbox.queue(server, document, evidence, now_ms())
        with outbox.uploading():
            entry = _Run(outbox, auth or Auth(), patience).finish(outbox.entry(entry.entry_id))
    finally:
        outbox.close()
    if entry.state is not State.STORED:
        raise UploadError(
            f"{server}: {entry.state.value}: {entry.detail}",
            "The document stays in the outbox; correct the cause, then upload again.",
        )
    return _result(entry)


def resume(
    outbox_path: Path | str,
    auth_for: Callable[[str], Auth],
    patience: Patience = Patience(),
) -> list[tuple[UploadResult, UploadError | None]]:
    """Goes on with everything unfinished. The error says why an entry is not stored yet."""
    outbox = Outbox(outbox_path)
    results: list[tuple[UploadResult, UploadError | None]] = []
    try:
        with outbox.uploading():
            for entry in [e for e in outbox.entries() if not e.state.is_final]:
                problem: UploadError | None = None
                try:
                    _Run(outbox, auth_for(entry.server), patience).finish(entry)
                except UploadError as raised:
                    problem = raised
                results.append((_result(outbox.entry(entry.entry_id)), problem))
    finally:
        outbox.close()
    return results


def check_pair(document: bytes, evidence: bytes) -> None:
    """Raises UsageError unless *evidence* is the one that *document* names, by its digest."""
    named = set(_named_evidence(_events(document)))
    if not named:
        raise UsageError(
            "the document names no evidence",
            "One of an open trip names it from the first alarm, shock or lid on: upload it later.",
        )
    path = evidence_path(hashlib.sha256(evidence).digest())
    if not all(one.endswith(path) or one == _ni_name(path) for one in named):
        raise UsageError(
            "this is not the evidence that the document names",
            "Give the evidence file that the document was written from.",
        )


def _ni_name(path: str) -> str:
    return "ni:///sha-256;" + path.rsplit("/", 1)[1]


def _named_evidence(content: object) -> Iterator[str]:
    """Every address and digest of evidence in parsed JSON; the parser bounded the depth.

    A trip without a reading has no rawData; the digest at its inspection names it then.
    """
    if isinstance(content, list):
        for one in content:
            yield from _named_evidence(one)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key == "rawData" or key.endswith(":evidenceDigest"):
                yield str(value)
            else:
                yield from _named_evidence(value)


def event_ids(document: bytes) -> list[str]:
    """The identities in a document. Raises UsageError when it is no EPCIS document."""
    return [str(event["eventID"]) for event in _events(document)]


def _events(document: bytes) -> list[dict[str, object]]:
    try:
        content = json.loads(document)
        events = content["epcisBody"]["eventList"]
        if not events or not all(isinstance(event["eventID"], str) for event in events):
            raise KeyError("eventID")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UsageError("not an EPCIS document with events that have an eventID") from problem
    return list(events)


def _result(entry: Entry) -> UploadResult:
    return UploadResult(
        state=entry.state,
        server=entry.server,
        document_sha256=entry.sha256,
        evidence_url=entry.server + evidence_path(entry.evidence_sha256),
        job_url=entry.job_url,
        event_count=len(_events(entry.document)),
        attempt_count=entry.attempt_count,
        detail=entry.detail,
    )


class _Run:
    """One run over one document: steps until it is final, or patience ends."""

    def __init__(self, outbox: Outbox, auth: Auth, patience: Patience) -> None:
        self.outbox = outbox
        self.auth = auth
        self.patience = patience
        self.deadline_s = time.monotonic() + patience.total_s
        self.failures = 0
        self.wait_s = patience.first_wait_s

    def finish(self, entry: Entry) -> Entry:
        """Brings the entry as far as it goes. Raises UploadError while it is not final."""
        with CaptureClient(entry.server, self.auth, self.patience.answer_s) as client:
            while not entry.state.is_final:
                try:
                    entry = self._tried(client, entry)
                except Unanswered as problem:
                    entry = self._noted(entry, problem)
                    self._failed(entry, problem)
                except UploadError as problem:
                    self._noted(entry, problem)
                    raise
        return entry

    def _tried(self, client: CaptureClient, entry: Entry) -> Entry:
        try:
            return self._step(client, entry)
        except Refused as problem:
            return self._refused(client, entry, problem)

    def _noted(self, before: Entry, problem: UploadError) -> Entry:
        """Keeps why a step failed, and counts it as a try unless sending has counted it."""
        now = self.outbox.entry(before.entry_id)
        is_uncounted = now.attempt_count == before.attempt_count
        return self.outbox.note_failure(now, problem.message, is_attempt=is_uncounted)

    def _step(self, client: CaptureClient, entry: Entry) -> Entry:
        if entry.state is State.QUEUED:
            return self._send(client, entry)
        if entry.state is State.MAYBE:
            return self._look(client, entry)
        return self._poll(client, entry)

    def _send(self, client: CaptureClient, entry: Entry) -> Entry:
        limits = client.limits()
        count, size = len(_events(entry.document)), len(entry.document)
        if count > limits.event_count or size > limits.size:
            return self._note(
                entry,
                State.REJECTED,
                f"{count} events in {size} bytes; the server takes {limits.event_count} events "
                f"in {limits.size} bytes",
            )
        evidence = self.outbox.evidence(entry.evidence_sha256)
        client.put_evidence(evidence_path(entry.evidence_sha256), evidence)
        # A cut before this line: nothing was sent. After it: the server may have it.
        entry = self.outbox.note(entry, State.MAYBE, now_ms(), is_attempt=True)
        try:
            location = client.post(entry.document)
        except NotAllowed:
            self._note(entry, State.QUEUED, "access refused")
            raise
        return self.outbox.note(entry, State.SENT, now_ms(), job_url=location)

    def _look(self, client: CaptureClient, entry: Entry) -> Entry:
        """Asks for every event of a document that may or may not have arrived."""
        waited_ms = now_ms() - entry.updated_ms
        events = _events(entry.document)
        found = [client.event(str(event["eventID"])) for event in events]
        if all(found):
            return self._compared(entry, events, found)
        # The server may show an event some seconds later than it stored it; one that shows
        # some of them already is likely still busy with the others.
        lag_ms = self.patience.lag_s * 1000 * (_PARTLY_SHOWN_LAGS if any(found) else 1)
        if waited_ms < lag_ms:
            self._pause(min(self.wait_s, self.patience.lag_s))
            return entry
        if any(found):
            return self._note(
                entry, State.UNKNOWN, "the server has some of the events but not all of them"
            )
        return self._note(entry, State.QUEUED, "not on the server; to be sent again")

    def _poll(self, client: CaptureClient, entry: Entry) -> Entry:
        job = client.job(entry.job_url or "")
        if job is None:
            return self._settled(client, entry, State.UNKNOWN, "the server lost the capture job")
        if job.is_running:
            self._pause(self.wait_s)
            self.wait_s = min(self.wait_s * 2, self.patience.wait_max_s)
            return entry
        if job.is_success:
            return self._note(entry, State.STORED, "stored")
        return self._settled(client, entry, State.REJECTED, job.problems or "capture failed")

    def _settled(self, client: CaptureClient, entry: Entry, state: State, detail: str) -> Entry:
        """A capture that failed because all of it is there already has not failed."""
        events = _events(entry.document)
        try:
            found = [client.event(str(event["eventID"])) for event in events]
        except Refused:
            found = []  # a server without event queries: its own word stands
        if found and all(found):
            return self._compared(entry, events, found)
        return self._note(entry, state, detail)

    def _compared(
        self,
        entry: Entry,
        events: list[dict[str, object]],
        found: list[dict[str, object] | None],
    ) -> Entry:
        for event, stored in zip(events, found, strict=True):
            if stored is None or _bare(event) != _bare(stored):
                detail = f"the server holds event {event['eventID']} with other content"
                return self._note(entry, State.UNKNOWN, detail)
        return self._note(entry, State.STORED, "found on the server")

    def _refused(self, client: CaptureClient, entry: Entry, problem: Refused) -> Entry:
        before = self.outbox.entry(entry.entry_id)
        if before.state is State.MAYBE and entry.state is State.MAYBE:
            # We only asked; a server without event queries can't tell us.
            raise UploadError(
                f"{entry.server}: can't be asked whether it has the document: {problem.message}",
                "Ask the server's operator for the event identities before sending again.",
            ) from problem
        return self._settled(client, before, State.REJECTED, problem.message)

    def _note(self, entry: Entry, state: State, detail: str) -> Entry:
        return self.outbox.note(entry, state, now_ms(), detail=detail, job_url=entry.job_url)

    def _failed(self, entry: Entry, problem: Unanswered) -> None:
        self.failures += 1
        if self.failures >= self.patience.tries:
            raise UploadError(
                f"{problem.message}; the document stays in the outbox ({entry.state.value})",
                "Nothing is lost: run the upload again later.",
            ) from problem
        wait_s = self.wait_s if problem.wait_s is None else problem.wait_s
        self._pause(min(wait_s, self.patience.wait_max_s))
        self.wait_s = min(self.wait_s * 2, self.patience.wait_max_s)

    def _pause(self, wait_s: float) -> None:
        if time.monotonic() + wait_s > self.deadline_s:
            raise UploadError(
                "the server has not finished in time; the document stays in the outbox",
                "Nothing is lost: run the upload again later.",
            )
        time.sleep(wait_s)


def _bare(event: dict[str, object]) -> dict[str, object]:
    """An event without what a server may add to it."""
    return {key: value for key, value in event.items() if key not in _REMARKS}
