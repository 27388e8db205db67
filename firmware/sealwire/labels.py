# SPDX-License-Identifier: MIT
"""Numbers of the record format: kinds, payload keys, events, faults, statements.

Mirrors the tables of docs/record-format.md; tests/unit/test_record_format_doc.py fails
when the two differ. Numbers of the access and sync protocols are in `protocol`.
"""

from .compat import const

# Limits in bytes.
RECORD_SIZE_MAX = const(1024)  # a whole record
STATEMENT_SIZE_MAX = const(480)  # a whole statement: fits one long write

# Payload keys of a record.
KIND = const(0)
SEQ = const(1)
PREV = const(2)
UPTIME = const(3)
UTC = const(4)
RUNS = const(5)
EVENTS = const(6)
NONCE = const(7)
NEXT_KEY = const(8)
SEALED_BY_BOOT = const(9)

# Values of KIND. 1 is reserved.
KIND_BLOCK = const(0)
KIND_CHECKPOINT = const(2)
KIND_KEY_EPOCH = const(3)
KIND_CRASH_BLOCK = const(4)
KIND_END = const(5)
KIND_UNSIGNED = const(6)

# Where the UTC interval comes from.
SOURCE_NONE = const(0)
SOURCE_RTC = const(1)
SOURCE_SERIAL = const(2)
SOURCE_TOKEN = const(3)
SOURCE_TICKET = const(4)

# A reading is a temperature in centi-degrees C, or FAULT_BASE + one of the FAULT numbers.
FAULT_BASE = const(1_000_000)
FAULT_OPEN = const(1)
FAULT_SHORT = const(2)
FAULT_OVER_RANGE = const(3)
FAULT_UNDER_RANGE = const(4)
FAULT_NO_ANSWER = const(5)
FAULT_SUPPLY = const(6)
FAULT_NOT_READ = const(7)

# Event codes.
EVENT_BOOT = const(1)
EVENT_LID_OPEN = const(2)
EVENT_LID_CLOSED = const(3)
EVENT_SHOCK = const(4)
EVENT_TILT_START = const(5)
EVENT_TILT_END = const(6)
EVENT_ALARM_START = const(7)
EVENT_ALARM_END = const(8)
EVENT_PROBE_FAULT = const(9)
EVENT_PROBE_OK = const(10)
EVENT_GAP = const(11)
EVENT_BATTERY_LOW = const(12)
EVENT_LOG_FULL = const(13)
EVENT_SELF_TEST = const(14)
EVENT_DEVICE_FAULT = const(15)
EVENT_LOG_FILLING = const(16)
EVENT_RECORDS_LOST = const(17)
EVENT_TRIP = const(30)
EVENT_CONFIG = const(31)
EVENT_TRIP_END = const(32)
EVENT_CLOCK_CONTRADICTION = const(33)
EVENT_FLEET_KEY = const(34)
EVENT_RECEIPT_AHEAD = const(35)
EVENT_RECEIPT_FORK = const(36)
EVENT_CLOCK_RESET = const(37)
EVENT_SESSION = const(40)
EVENT_OFFER = const(41)
EVENT_ACCEPT = const(42)
EVENT_CLOCK_SET = const(43)
EVENT_RECEIPT = const(44)
EVENT_LOCK = const(45)
EVENT_REVOCATION = const(46)
EVENT_COUNTS = const(47)
EVENT_CLAIM = const(48)
EVENT_ALARM_ACK = const(49)
EVENT_TIME_TOKEN = const(50)

# Reasons in ALARM_END.
END_BACK_IN_LIMITS = const(0)
END_PROBE_LOST = const(1)
END_TRIP_ENDED = const(2)

# Keys and kinds of an alarm profile.
PROFILE_VERSION = const(0)
PROFILE_NAME = const(1)
PROFILE_INTERVAL_S = const(2)
PROFILE_RULES = const(3)
PROFILE_SHOCK_MG = const(4)
PROFILE_TILT = const(5)
PROFILE_BURST_INTERVAL_S = const(6)
RULE_ABOVE = const(0)
RULE_BELOW = const(1)
RULE_ABOVE_FOR = const(2)
RULE_BELOW_FOR = const(3)
RULE_ABOVE_TOTAL = const(4)
RULE_BELOW_TOTAL = const(5)

# Statement types: payload key 0 of signed texts that are not records.
STATEMENT_TIME = const(16)
STATEMENT_RECEIPT = const(17)
STATEMENT_ORDER = const(18)
STATEMENT_SERVICE = const(19)
STATEMENT_OFFER = const(20)
STATEMENT_FLEET = const(21)
STATEMENT_ACCEPT = const(22)
STATEMENT_ATTEST = const(23)
STATEMENT_REVOCATION = const(24)
STATEMENT_PERSON = const(25)

# Usage bits of a service key (statement 19, key 4).
USAGE_TIME = const(1)
USAGE_RECEIPT = const(2)
USAGE_ORDER = const(4)
USAGE_PERSON = const(8)

# COSE algorithm numbers (RFC 9053, RFC 9864).
ALG_EDDSA = const(-8)
ALG_ED25519 = const(-19)
ALG_ES256 = const(-7)
ALG_ESP256 = const(-9)
