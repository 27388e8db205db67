# SPDX-License-Identifier: MIT
"""What the stand-in server keeps: captures and evidence, as files.

    DIR/captures/0000000001-4f2a91.json   one job with the events it stored, one atomic write
    DIR/evidence/<base64url digest>       evidence, byte for byte

One file per capture makes "rollback" true: after a power cut a capture is there whole or
not at all. The index of events is read back from these files at start.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from pathlib import Path
from typing import Any

from sealtrail import atomic
from sealtrail.custody.epcis import timestamp
from sealtrail.errors import StorageError

Event = dict[str, Any]
Problem = dict[str, Any]


class CaptureStore:
    """Captures and events of one folder. Calls block for a disk flush; thread-safe.

    Raises StorageError when the folder can't be used or holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self._captures = folder / "captures"
        self._evidence = folder / "evidence"
        self._lock = threading.Lock()
        self._jobs: dict[str, dict[str, Any]] = {}
        self._events: dict[str, tuple[Event, float]] = {}
        try:
            self._captures.mkdir(parents=True, exist_ok=True)
            self._evidence.mkdir(parents=True, exist_ok=True)
            for path in sorted(self._captures.glob("*.json")):
                self._index(json.loads(path.read_bytes()), stored_at_s=0.0)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise StorageError(f"{folder}: not a folder of this server: {problem}") from problem

    @property
    def event_count(self) -> int:
        """How many different events are stored."""
        return len(self._events)

    def capture(self, events: list[Event], behaviour: str) -> dict[str, Any]:
        """Stores the events, or what *behaviour* allows of them; returns the job."""
        with self._lock:
            now = timestamp(time.time_ns() // 1_000_000)
            fresh, problems = self._split(events, now)
            kept = [] if problems and behaviour == "rollback" else fresh
            job = {
                "captureID": f"{len(self._jobs) + 1:010}-{secrets.token_hex(3)}",
                "createdAt": now,
                "finishedAt": now,
                "running": False,
                "success": not problems,
                "captureErrorBehaviour": behaviour,
                "errors": problems,
            }
            content = {"job": job, "events": kept}
            path = self._captures / f"{job['captureID']}.json"
            # A cut before: nothing was captured, and the sender has no answer. After: all.
            atomic.write_bytes(path, json.dumps(content, ensure_ascii=False).encode())
            self._index(content, time.monotonic())
            return job

    def _split(self, events: list[Event], now: str) -> tuple[list[Event], list[Problem]]:
        fresh: list[Event] = []
        problems: list[Problem] = []
        seen: set[str] = set()
        for event in events:
            identity = event["eventID"]
            is_known = identity in self._events or identity in seen
            if is_known and "errorDeclaration" not in event:
                problems.append(
                    {
                        "type": "epcisException:ValidationException",
                        "title": "eventID is already captured",
                        "status": 409,
                        "instance": identity,
                    }
                )
            else:
                fresh.append({**event, "recordTime": now})
            seen.add(identity)
        return fresh, problems

    def _index(self, content: dict[str, Any], stored_at_s: float) -> None:
        self._jobs[content["job"]["captureID"]] = content["job"]
        for event in content["events"]:
            self._events[event["eventID"]] = (event, stored_at_s)

    def job(self, capture_id: str) -> dict[str, Any] | None:
        """A capture job, None when unknown."""
        return self._jobs.get(capture_id)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, oldest first."""
        return list(self._jobs.values())

    def event(self, identity: str, lag_s: float = 0.0) -> Event | None:
        """A stored event; one younger than *lag_s* is not shown yet."""
        found = self._events.get(identity)
        if found is None or (found[1] and time.monotonic() - found[1] < lag_s):
            return None
        return found[0]

    def evidence_path(self, digest: str) -> Path | None:
        """The file of a base64url SHA-256 digest, None when it is no such digest."""
        try:
            raw = base64.urlsafe_b64decode(digest + "=")
        except ValueError:
            return None
        canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        return self._evidence / digest if len(raw) == 32 and canonical == digest else None

    def put_evidence(self, digest: str, content: bytes) -> str:
        """Keeps evidence: "created", "exists", or "mismatch" when it has another digest."""
        path = self.evidence_path(digest)
        actual = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        if path is None or actual.decode() != digest:
            return "mismatch"
        with self._lock:
            if path.exists():
                return "exists"
            atomic.write_bytes(path, content)
        return "created"
