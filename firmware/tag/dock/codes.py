# SPDX-License-Identifier: MIT
"""Numbers of the serial dock: docs/access-protocol.md, "Serial dock". Mirrored by the host."""

from micropython import const

# Operations.
IDENTIFY = const(1)
SELF_TEST = const(2)
ENROL = const(3)
INSTALL = const(4)
CLOCK_SET = const(5)
READ = const(6)
PROFILE = const(7)
ERASE = const(8)
POLICY = const(9)
END = const(10)
PURGE = const(11)
SEAL = const(15)

# Answer codes.
OK = const(0)
BAD_REQUEST = const(1)
UNRECEIPTED = const(2)  # records no archive has: dump them first
NOT_ENROLLED = const(3)
DEVICE_FAILED = const(4)
BAD_CERTIFICATE = const(5)
CONTRADICTION = const(6)
ENROLLED = const(7)
NO_ENTROPY = const(8)
HEAD_DIFFERS = const(9)
KEY_LOST = const(10)
NOT_ENDED = const(11)
FLASH_UNUSABLE = const(12)  # wrong flash map, or a region that is no log of ours


class DockError(Exception):
    """The request is refused; args are (code, text)."""
