# SPDX-License-Identifier: MIT
"""Every number of the access and sync protocols: the one place where they are typed.

docs/access-protocol.md and docs/sync-protocol.md print these tables;
tests/unit/test_access_docs.py fails if a document and this file differ. Sizes are bytes.
"""

from .compat import const

VERSION = const(1)  # of HELLO, CHALLENGE and tickets; the tag accepts this one only (T1)

# GATT. The characteristics differ from the service in the first group only.
SERVICE_UUID = "5ea10001-2c9b-4f6e-9d31-7f0a6b8c4e52"
STATUS_UUID = "5ea10002-2c9b-4f6e-9d31-7f0a6b8c4e52"
CONTROL_UUID = "5ea10003-2c9b-4f6e-9d31-7f0a6b8c4e52"
BULK_UUID = "5ea10004-2c9b-4f6e-9d31-7f0a6b8c4e52"
COMPANY_ID = const(0xFFFF)  # manufacturer data of private adverts; FFFF = no company (SIG)

# First byte of every message.
HELLO = const(0x01)
CHALLENGE = const(0x02)
PROOF = const(0x03)
REFUSE = const(0x0F)
COMMAND = const(0x10)
REPLY = const(0x11)
BULK = const(0x12)

# Commands.
STATUS = const(1)
SYNC = const(2)
ACK = const(3)
ATTEST = const(4)
CHECKPOINT = const(5)
TIME_NONCE = const(6)
TIME_TOKEN = const(7)
TIME_CLAIM = const(8)
RECEIPT = const(9)
SERVICE_CERT = const(10)
OFFER = const(11)
PENDING = const(12)
ACCEPT = const(13)
TRIP = const(14)
CONFIG = const(15)
ROLL = const(16)
ORDER = const(17)
FLEET_NEXT = const(18)
BYE = const(19)
KEYS = const(20)
ALARM_ACK = const(22)
TRIP_END = const(23)

# Failure codes in clear (REFUSE).
OK = const(0x00)
BAD_VERSION = const(0x01)
BAD_FORM = const(0x02)
DOOR = const(0x03)
LOCKED = const(0x04)
BAD_PROOF = const(0x05)
BUSY = const(0x06)
# Sealed, in READY.
REVOKED = const(0x10)
EXPIRED = const(0x11)
WRONG_TRIP = const(0x12)
NOT_YET = const(0x13)
# In clear, the session is closed.
BAD_MAC = const(0x20)
BAD_COUNTER = const(0x21)
# Sealed, the session goes on.
NO_SCOPE = const(0x22)
CLOCK_UNSURE = const(0x23)
RATE = const(0x24)
BAD_STATE = const(0x25)
BAD_SIG = const(0x26)
STALE_HEAD = const(0x27)
NOT_OURS = const(0x28)
AHEAD = const(0x29)
FORK = const(0x2A)
FULL = const(0x2B)
STALE = const(0x2C)
CONTRADICTION = const(0x2D)

# Scope bits of a ticket. Bits 10 and 11 (delegate, find) make a ticket BAD_FORM here.
SCOPE_SYNC = const(1 << 0)
SCOPE_CARRY = const(1 << 1)
SCOPE_CHECKPOINT = const(1 << 2)
SCOPE_HANDOVER = const(1 << 3)
SCOPE_TRIP = const(1 << 4)
SCOPE_CONFIG = const(1 << 5)
SCOPE_ALARM_ACK = const(1 << 6)
SCOPE_CLAIM = const(1 << 7)
SCOPE_ROLL = const(1 << 8)
SCOPE_ORDER = const(1 << 9)
SCOPE_ALL = const(0x03FF)

VIEWER = const(1)
COURIER = const(2)
SITE = const(3)
QA = const(4)
SERVICE = const(5)

# The most a role can have, whatever its ticket says (T3).
ROLE_SCOPE = {
    VIEWER: SCOPE_SYNC | SCOPE_CARRY,
    COURIER: SCOPE_SYNC | SCOPE_CARRY | SCOPE_HANDOVER | SCOPE_ALARM_ACK | SCOPE_CLAIM,
    SITE: SCOPE_ALL & ~(SCOPE_ROLL | SCOPE_ORDER),
    QA: SCOPE_ALL & ~(SCOPE_CONFIG | SCOPE_ROLL | SCOPE_ORDER),
    SERVICE: SCOPE_ALL,
}

# The scope each command needs; 0 = any proved ticket. An op not in here is BAD_STATE.
OP_SCOPE = {
    STATUS: 0,
    SYNC: SCOPE_SYNC,
    ACK: SCOPE_SYNC,
    ATTEST: SCOPE_SYNC,
    CHECKPOINT: SCOPE_CHECKPOINT,
    TIME_NONCE: SCOPE_CARRY,
    TIME_TOKEN: SCOPE_CARRY,
    TIME_CLAIM: SCOPE_CLAIM,
    RECEIPT: SCOPE_CARRY,
    SERVICE_CERT: SCOPE_CARRY,
    OFFER: SCOPE_HANDOVER,
    PENDING: SCOPE_HANDOVER,
    ACCEPT: SCOPE_HANDOVER,
    TRIP: SCOPE_TRIP,
    CONFIG: SCOPE_CONFIG,
    ROLL: SCOPE_ROLL,
    ORDER: SCOPE_ORDER,
    FLEET_NEXT: SCOPE_CARRY,
    BYE: 0,
    KEYS: SCOPE_SYNC,
    ALARM_ACK: SCOPE_ALARM_ACK,
    TRIP_END: SCOPE_TRIP,
}
# Commands that answer CLOCK_UNSURE while the tag's clock is unsure (T6). TRIP_END is not
# one: ending a trip must be possible in a box whose clock was lost.
NEEDS_SURE_CLOCK = (TRIP, CONFIG, ROLL, ORDER)
# What still works once the log is more than 950 permille full (D8); all else answers FULL.
# Custody and receipts have a reserve; a receipt may first need the key that it is signed by.
WORKS_WHEN_FULL = (
    STATUS,
    SYNC,
    ACK,
    ATTEST,
    TIME_NONCE,
    RECEIPT,
    SERVICE_CERT,
    OFFER,
    PENDING,
    ACCEPT,
    ROLL,
    ORDER,
    FLEET_NEXT,
    BYE,
    KEYS,
    TRIP_END,
)

# Bits of READY's third byte. The others are zero.
READY_CLOCK_SURE = const(1 << 0)  # the ticket is sure not to have expired (T6)
READY_ALARM = const(1 << 1)  # a rule of the profile is broken now
READY_FILLING = const(1 << 2)  # 800 permille of the log wait for a receipt
READY_REFUSING = const(1 << 3)  # the log is full: readings are refused
READY_KEY_LOST = const(1 << 4)  # the signing key is lost: records prove nothing

NO_EXPIRY = const(0xFFFFFFFF)  # `exp` of a service ticket

# Limits (docs/access-protocol.md, "Limits").
NONCE_SIZE = const(16)
PROOF_SIZE = const(16)
DOOR_SIZE = const(8)
MAC_SIZE = const(8)
HELLO_SIZE = const(132)
CHALLENGE_SIZE = const(34)
INNER_SIZE = const(106)
TICKET_SIZE = const(44)  # without revocations, 4 B each
REVOKED_COUNT_MAX = const(8)
MESSAGE_SIZE_MAX = const(512)  # one long write; also the largest control message back
STATEMENT_SIZE_MAX = const(480)
RECORD_SIZE_MAX = const(1024)
BAD_DOORS_MAX = const(3)
ANONYMOUS_LINK_MS = const(10_000)
IDLE_SESSION_MS = const(60_000)
FAILURES_BEFORE_LOCK = const(5)
LOCK_WAIT_FIRST_S = const(30)
LOCK_WAIT_MAX_S = const(900)
LOCK_ROWS_MAX = const(8)
LOCK_WRITES_BURST = const(32)  # flash writes caused by failures; then 32 a day
KEYS_END = const(0xFFFFFFFF)  # `next` of a KEYS answer: nothing is left
KEYS_SCAN_MAX = const(64)  # records one KEYS looks at
OFFER_HEAD_AGE_MAX = const(16)  # a handover names one of the last 16 records (H2)
ADVERT_ID_COUNT = const(256)
ADVERT_ID_SIZE = const(8)
ADVERT_ID_MS = const(900_000)

# Sync (docs/sync-protocol.md, "Limits").
BULK_HEAD_SIZE = const(4)  # type and frame number
ATT_HEAD_SIZE = const(3)
MTU_DEFAULT = const(23)
VALUE_SIZE_MAX = const(512)  # of a notification, whatever the MTU
BULK_FRAMES_MAX = const(0xFFFFFF)
CREDIT_DEFAULT = const(64)  # records
CREDIT_MIN = const(2)  # a record is confirmed by the one after it
REPLY_TIMEOUT_MS = const(3_000)  # then a command is said again
SILENCE_MS = const(1_000)  # then the last ACK is said again
STALL_MS = const(10_000)  # without a record: give the link up
REFETCH_MAX = const(3)  # times one record is asked for again


def name_of(number: int, names: str) -> str:
    """The name of *number* among the space-separated constant *names*, else its hex form."""
    for name in names.split():
        if globals().get(name) == number:
            return name
    return "0x%02x" % number


CODE_NAMES = (
    "BAD_VERSION BAD_FORM DOOR LOCKED BAD_PROOF BUSY REVOKED EXPIRED WRONG_TRIP NOT_YET"
    " BAD_MAC BAD_COUNTER NO_SCOPE CLOCK_UNSURE RATE BAD_STATE BAD_SIG STALE_HEAD NOT_OURS"
    " AHEAD FORK FULL STALE CONTRADICTION"
)
OP_NAMES = (
    "STATUS SYNC ACK ATTEST CHECKPOINT TIME_NONCE TIME_TOKEN TIME_CLAIM RECEIPT SERVICE_CERT"
    " OFFER PENDING ACCEPT TRIP CONFIG ROLL ORDER FLEET_NEXT BYE KEYS ALARM_ACK TRIP_END"
)
