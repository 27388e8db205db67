# SPDX-License-Identifier: MIT
"""The tag's side of the serial dock: enrolment, clock and the read-only dump.

One request, one answer: the host calls `serve_one(hex)` in the REPL and reads the line
that begins with "ST1". Request: CBOR {0: op, 1: arguments}; answer {0: code, 1: result}.
Only who holds the board gets here; what that means is in docs/threat-model.md.
"""

import hashlib
from binascii import hexlify, unhexlify

from micropython import const

from sealwire import cbor, profile

from .. import version
from ..board import BoardError
from ..clock import SRC_SERIAL, ClockContradiction
from ..keys.entropy import EntropyError
from ..store import statestore
from ..store.flashregion import RingError, fault_text
from ..store.ringlog import RingFull
from .codes import (
    BAD_REQUEST,
    CLOCK_SET,
    CONTRADICTION,
    DEVICE_FAILED,
    END,
    ENROL,
    ERASE,
    FLASH_UNUSABLE,
    IDENTIFY,
    INSTALL,
    NO_ENTROPY,
    NOT_ENROLLED,
    OK,
    POLICY,
    PROFILE,
    PURGE,
    READ,
    SEAL,
    SELF_TEST,
    UNRECEIPTED,
    DockError,
)
from .enrolment import Enrolment

_READ_SIZE_MAX = const(3000)
_MARK = "ST1"
_bench = None


def serve_one(request_hex: str) -> None:
    """Prints the answer to one request as `ST1 <hex>`. Never raises on bad input."""
    code, result = OK, None
    try:
        request = cbor.decode(unhexlify(request_hex), max_size=4096)
        result = _opened().serve(request[0], request.get(1, {}))
    except DockError as e:
        code, result = e.args
    except (ValueError, KeyError, TypeError, cbor.CborError) as e:
        code, result = BAD_REQUEST, repr(e)
    except EntropyError as e:
        code, result = NO_ENTROPY, "random source: %s" % e.args[0]
    except RingFull:
        code, result = DEVICE_FAILED, "the log is full"
    except OSError as e:
        code, result = DEVICE_FAILED, repr(e)
    except BoardError as e:
        code, result = FLASH_UNUSABLE, str(e)
    except RingError as e:
        code, result = FLASH_UNUSABLE, fault_text(e)
    answer = {0: code} if result is None else {0: code, 1: result}
    print(_MARK, hexlify(cbor.encode(answer)).decode())


def _opened():
    """The bench of this REPL session; built at the first request, not at import."""
    global _bench
    if _bench is None:
        from .. import app

        _bench = Dock(*app.open_parts())
    return _bench


class Dock:
    """Answers dock requests. *parts*: what `app.open_parts` builds."""

    def __init__(self, board, storage, clock, entropy):
        self._board = board
        self._storage = storage
        self._clock = clock
        self._entropy = entropy
        self._enrolment = Enrolment(board, storage, clock, entropy, self._open_tag)
        self._ops = {
            IDENTIFY: self._identify,
            SELF_TEST: self._self_test,
            ENROL: self._enrol,
            INSTALL: self._install,
            CLOCK_SET: self._set_clock,
            READ: self._read,
            PROFILE: self._set_profile,
            ERASE: self._erase,
            POLICY: self._set_policy,
            END: self._end,
            PURGE: self._purge,
            SEAL: self._seal,
        }

    def serve(self, op: int, args: dict):
        """Runs one operation. Raises DockError, CborError, KeyError, OSError."""
        if op not in self._ops:
            raise DockError(BAD_REQUEST, "unknown operation")
        return self._ops[op](args)

    # ---- reading

    def _identify(self, args):
        certificate = self._enrolment.certificate
        is_ended = self._enrolment.is_ended
        result = {
            1: self._board.unique_id,
            2: self._board.name,
            3: version.VERSION,
            4: 1 if certificate and not is_ended else 0,
            5: self._storage.records.head_seq,
            6: self._storage.records.acknowledged,
            8: self._enrolment.key_state(),
            9: 1 if is_ended else 0,
            11: self._storage.journal.unsealed_count,
        }
        if self._storage.records.head_seq >= 0:
            result[10] = self._storage.records.head_hash
        if certificate:
            result[7] = hashlib.sha256(certificate).digest()[:8]
        return result

    def _self_test(self, args):
        from . import selftest

        checks = selftest.run(self._board, self._storage, self._entropy)
        return {1: [[name, 1 if passed else 0, detail] for name, passed, detail in checks]}

    def _read(self, args):
        certificate = self._storage.state.get(statestore.CERTIFICATE)
        if certificate is None:
            raise DockError(NOT_ENROLLED, "no certificate")
        records = []
        size = 0
        # The oldest may be overwritten: they were receipted.
        first = seq = max(args[1], self._storage.records.first_seq)
        size_max = min(args[2], _READ_SIZE_MAX)
        while seq <= self._storage.records.head_seq:
            one = self._storage.records.read(seq)
            if records and size + len(one) > size_max:
                break
            records.append(one)
            size += len(one)
            seq += 1
        return {1: records, 2: self._storage.records.head_seq, 3: certificate, 4: first}

    def _seal(self, args):
        """Makes a boot of this session: what the journal holds becomes records.

        A cut inside is a cut during a boot.
        """
        if self._storage.journal.unsealed_count:
            tag = self._open_tag()
            tag.begin()
            tag.recorder.seal_open_block(True)
        return {1: self._storage.journal.unsealed_count}

    def _open_tag(self):
        """The tag as a boot builds it. Raises DockError if there is none to run."""
        from .. import app

        if self._enrolment.certificate is None:
            raise DockError(NOT_ENROLLED, "no certificate")
        try:
            return app.App(self._board, self._storage, self._clock, self._entropy)
        except app.NotEnrolled as e:
            raise DockError(NOT_ENROLLED, str(e))

    # ---- life: enrolment, settings, end

    def _enrol(self, args):
        return {1: self._enrolment.create_key(args[1], args[2])}

    def _install(self, args):
        return {1: self._enrolment.install(args[1], args[2], args[3], args[4])}

    def _end(self, args):
        self._enrolment.end(args.get(1), args.get(2))
        return {1: self._storage.records.head_seq, 2: self._storage.records.head_hash}

    def _purge(self, args):
        self._enrolment.purge(args[1])

    def _set_clock(self, args):
        try:
            self._clock.narrow(args[1], args[2], SRC_SERIAL)
        except ClockContradiction:
            raise DockError(CONTRADICTION, "outside what the tag knows of the time")
        lo_ms = self._clock.bounds_ms()[0]
        self._storage.state.put(statestore.CLOCK, lo_ms.to_bytes(8, "big"))

    def _set_profile(self, args):
        profile.parse(args[1])
        self._storage.state.put(statestore.PROFILE, args[1])

    def _set_policy(self, args):
        """What a full log does: 0 refuses new readings, 1 gives up the oldest records."""
        if self._enrolment.certificate is None:
            raise DockError(NOT_ENROLLED, "no certificate")
        if args[1] not in (0, 1):
            raise DockError(BAD_REQUEST, "policy")
        # In force from the next boot on; the boot that runs now belongs to the dock.
        self._storage.state.put(statestore.FULL_POLICY, bytes((args[1],)))

    def _erase(self, args):
        if not args.get(1):
            self._refuse_if_unreceipted()
        self._enrolment.erase()

    def _refuse_if_unreceipted(self):
        records = self._storage.records
        if self._storage.state.get(statestore.CERTIFICATE) is None:
            return
        unsealed_count = self._storage.journal.unsealed_count
        if unsealed_count:
            raise DockError(
                UNRECEIPTED, "%d readings and events are in no record" % unsealed_count
            )
        if records.head_seq > records.acknowledged:
            count = records.head_seq - records.acknowledged
            raise DockError(UNRECEIPTED, "%d records are in no archive" % count)
