# SPDX-License-Identifier: MIT
"""What is known once evidence was verified. Frozen; no I/O; no unverified value gets in.

Times are integers in milliseconds. `boot` and `up_ms` are what the tag measured and
signed; UTC is always an interval, because a tag that lost power lost the upper bound.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum


class RecordKind(IntEnum):
    """docs/record-format.md, KIND."""

    BLOCK = 0
    CHECKPOINT = 2
    KEY_EPOCH = 3
    CRASH_BLOCK = 4
    END = 5
    UNSIGNED = 6


class ProbeFault(IntEnum):
    """Why a reading is no temperature. Coded as FAULT_BASE + value in the record."""

    OPEN = 1
    SHORT = 2
    OVER_RANGE = 3
    UNDER_RANGE = 4
    NO_ANSWER = 5
    SUPPLY = 6
    NOT_READ = 7


@dataclass(frozen=True, slots=True)
class UtcInterval:
    """The true time lies in [lo_ms, hi_ms]; hi_ms None: no upper bound is known."""

    lo_ms: int
    hi_ms: int | None

    @property
    def mid_ms(self) -> int:
        """Best single figure for charts and tables: the middle, or the lower bound."""
        return self.lo_ms if self.hi_ms is None else (self.lo_ms + self.hi_ms) // 2

    @property
    def width_ms(self) -> int | None:
        """Uncertainty, None where the upper bound is unknown."""
        return None if self.hi_ms is None else self.hi_ms - self.lo_ms


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one probe: a temperature, or the fault that stood in its place."""

    probe: int
    boot: int
    up_ms: int
    utc: UtcInterval | None
    temp_centi_c: int | None
    fault: ProbeFault | None
    seq: int
    proven: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One event. *content* is the decoded CBOR of docs/record-format.md, "Events"."""

    code: int
    boot: int
    up_ms: int
    utc: UtcInterval | None
    content: object
    seq: int
    proven: bool = True


@dataclass(frozen=True, slots=True)
class TagCertificate:
    """The fleet's word on a tag's key (a CWT)."""

    subject: str
    public_key: bytes
    algorithm: int
    issued_at_s: int
    hardware: str
    firmware: str
    tid: bytes
    fleet_key_name: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """One record whose signature and chain hold (or an unsigned one, marked unproven)."""

    seq: int
    kind: RecordKind
    boot: int
    up_ms: int
    utc: UtcInterval | None
    utc_source: int
    sha256: bytes
    size: int
    proven: bool
    nonce: bytes | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A verified statement that is not a record (types 16 to 25)."""

    type: int
    payload: dict[int, object]
    signer: str
    raw: bytes = field(repr=False)


class Completeness(Enum):
    """Whether the evidence is proved to be all there is."""

    PROVED = "proved"  # an attestation over the head, for a nonce of this trust store
    FOREIGN_NONCE = "foreign nonce"  # attested, but somebody else asked
    STALE = "stale"  # attested head is older than the last head known
    UNPROVED = "unproved"  # no attestation over the head


@dataclass(frozen=True, slots=True)
class Freshness:
    """What the attestation says. Times are the verifier's own, around the exchange."""

    completeness: Completeness
    detail: str
    asked_at_ms: int | None = None
    answered_at_ms: int | None = None
    unsealed_entries: int = 0


@dataclass(frozen=True, slots=True)
class CustodyStep:
    """One handover as the chain tells it. *verdict* in the words of docs/record-format.md.

    *key_note*: why a registration that is there does not count; "" with unknown keys.
    """

    verdict: str
    giver: str | None
    receiver: str | None
    place: str
    seals: tuple[str, ...]
    condition: int
    claimed_utc_s: int
    tz_min: int
    utc: UtcInterval | None
    seq: int
    key_known: bool
    giver_role: str = ""
    receiver_role: str = ""
    key_note: str = ""


@dataclass(frozen=True, slots=True)
class Trip:
    """From arm to end. end_* None: still open when the evidence was taken."""

    number: int
    coi_commitment: bytes
    profile: bytes
    start: Event
    end: Event | None


@dataclass(frozen=True, slots=True)
class VerifiedEvidence:
    """All of one tag's evidence, every rule held. Returned by `verify.verify_evidence`."""

    certificate: TagCertificate
    records: tuple[VerifiedRecord, ...]
    readings: tuple[Reading, ...]
    events: tuple[Event, ...]
    statements: tuple[Statement, ...]
    trips: tuple[Trip, ...]
    custody: tuple[CustodyStep, ...]
    freshness: Freshness
    findings: tuple[str, ...]
    sha256: bytes
    size: int
    raw: bytes = field(repr=False)
