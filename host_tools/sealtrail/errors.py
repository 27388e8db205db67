# SPDX-License-Identifier: MIT
"""Everything that may go wrong, as one tree. Each class knows its exit code.

    SealtrailError                       exit code (design: docs/cli.md, "Exit codes")
    ├── EvidenceRefused             1    a rule of the record format is broken
    │   └── VerifyError                  names the rule and the first bad record
    ├── UsageError                  2    wrong arguments, unreadable or empty input
    │   └── UnreadableEvidence           the file is empty, or ends inside an item
    ├── Incomplete                  3    valid, but not proved complete
    ├── LinkError                   4    device, radio or network failed; safe to repeat
    │   ├── TagAbsent                    nothing of the tag was heard on the air
    │   ├── DeviceError                  the tag answered, and said no
    │   └── UploadError                  the capture server refused or did not answer
    ├── AccessRefused               5    ticket, door or right refused
    └── StorageError                6    this machine could not keep something

A traceback shown to a user is a bug: `cli.main` turns each of these into one line.
"""


class SealtrailError(Exception):
    """Base of all. *message* says what and where; *hint* what to do next."""

    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class EvidenceRefused(SealtrailError):
    """The evidence is not to be believed."""

    exit_code = 1


class VerifyError(EvidenceRefused):
    """A numbered rule of docs/record-format.md is broken.

    *rule* is its number as text ("R5"), *reason* its fixed short reason, *index* the
    0-based place of the item in the sequence (0 is the certificate), *seq* the record's
    sequence number where there is one.
    """

    def __init__(self, rule: str, reason: str, index: int, seq: int | None, detail: str) -> None:
        where = "certificate" if index == 0 else f"item {index}"
        if seq is not None:
            where = f"record {seq}"
        super().__init__(f"{where}: {reason} ({rule}): {detail}")
        self.rule = rule
        self.reason = reason
        self.index = index
        self.seq = seq
        self.detail = detail


class UsageError(SealtrailError):
    """The command or its input cannot be used as it is."""

    exit_code = 2


class UnreadableEvidence(UsageError):
    """The evidence is not all there (rule R1): empty, or cut inside item *index*."""

    def __init__(self, reason: str, index: int) -> None:
        place = "" if index == 0 else f": it ends inside item {index}"
        super().__init__(f"{reason}{place} (R1)", "Sync or copy it again.")
        self.rule = "R1"
        self.reason = reason
        self.index = index


class Incomplete(SealtrailError):
    """What is there is valid; that it is all cannot be proved."""

    exit_code = 3


class LinkError(SealtrailError):
    """A device, a radio link or a network failed. Repeating is safe."""

    exit_code = 4


class TagAbsent(LinkError):
    """The tag was looked for as long as was asked, and not heard."""


class DeviceError(LinkError):
    """The tag answered and reported a failure of its own."""


class UploadError(LinkError):
    """The capture server refused, or its answer never came."""


class AccessRefused(SealtrailError):
    """The tag, or this machine, does not allow it. *code* is the tag's failure code."""

    exit_code = 5

    def __init__(self, message: str, hint: str = "", code: int | None = None) -> None:
        super().__init__(message, hint)
        self.code = code


class StorageError(SealtrailError):
    """This machine could not write or read what it must keep."""

    exit_code = 6


def one_line(text: str) -> str:
    """*text* without line ends and control characters: a tag or a file may have said it."""
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else "?" for c in joined)
