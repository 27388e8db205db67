# SPDX-License-Identifier: MIT
"""The tag's side of the serial dock: enrolment, clock and the read-only dump.

One request, one answer: the host calls `serve_one(hex)` in the REPL and reads the line
that begins with "ST1". Request: CBOR {0: op, 1: arguments}; answer {0: code, 1: result}.
Only who holds the board gets here; what that means is in docs/threat-model.md.
"""

import hashlib
from binascii import hexlify, unhexlify

from micropython import const

from sealwire import cbor, profile, record

from . import statestore, version
from .board import BoardError
from .clock import SRC_SERIAL, ClockContradiction
from .flashregion import RingError, fault_text

# Operations.
IDENTIFY = const(1)
SELF_TEST = const(2)
ENROL = const(3)
INSTALL = const(4)
CLOCK_SET = const(5)
READ = const(6)
PROFILE = const(7)
ERASE = const(8)
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
FLASH_UNUSABLE = const(12)  # wrong flash map, or a region that is no log of ours

_READ_SIZE_MAX = const(3000)
_MARK = "ST1"
_bench = None


class DockError(Exception):
    """The request is refused; args are (code, text)."""


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
        from . import app

        _bench = Dock(*app.open_parts())
    return _bench


class Dock:
    """Answers dock requests. *parts*: what `app.open_parts` builds."""

    def __init__(self, board, storage, clock, entropy):
        self._board = board
        self._storage = storage
        self._clock = clock
        self._entropy = entropy
        self._ops = {
            IDENTIFY: self._identify,
            SELF_TEST: self._self_test,
            ENROL: self._enrol,
            INSTALL: self._install,
            CLOCK_SET: self._set_clock,
            READ: self._read,
            PROFILE: self._set_profile,
            ERASE: self._erase,
            SEAL: self._seal,
        }

    def serve(self, op: int, args: dict):
        """Runs one operation. Raises DockError, CborError, KeyError, OSError."""
        if op not in self._ops:
            raise DockError(BAD_REQUEST, "unknown operation")
        return self._ops[op](args)

    # ---- reading

    def _identify(self, args):
        certificate = self._storage.state.get(statestore.CERTIFICATE)
        result = {
            1: self._board.unique_id,
            2: self._board.name,
            3: version.VERSION,
            4: 1 if certificate else 0,
            5: self._storage.records.head_seq,
            6: self._storage.records.acknowledged,
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
        from . import app

        if self._storage.journal.unsealed_count:
            try:
                tag = app.App(self._board, self._storage, self._clock, self._entropy)
            except app.NotEnrolled as e:
                raise DockError(NOT_ENROLLED, str(e))
            tag.begin()
            tag.recorder.seal_open_block()
        return {1: self._storage.journal.unsealed_count}

    # ---- enrolment

    def _enrol(self, args):
        host_entropy, serial = args[1], args[2]
        if len(host_entropy) != 32 or not 1 <= len(serial.encode()) <= 32:
            raise DockError(BAD_REQUEST, "entropy or serial")
        self._refuse_if_unreceipted()
        from .signer import SoftwareSigner

        self._storage.state.delete(statestore.CERTIFICATE)
        self._storage.key_slots.erase_all()
        self._storage.key_slots.store_first(self._entropy.seed(host_entropy))
        # A cut here leaves a key without certificate: the tag counts as not enrolled.
        signer = SoftwareSigner(self._storage.key_slots.active()[1], self._entropy)
        payload = cbor.encode(
            {
                1: signer.public_key,
                2: hashlib.sha256(host_entropy).digest(),
                3: self._board.unique_id,
                4: serial,
            }
        )
        protected = record.protected_header(signer.algorithm)
        signature = signer.sign(record.sig_structure_parts(protected, payload))
        return {1: record.envelope(payload, signature, signer.algorithm)}

    def _install(self, args):
        certificate, fleet_key, next_hash, profile_bytes = (args[n] for n in (1, 2, 3, 4))
        if self._storage.state.get(statestore.CERTIFICATE):
            raise DockError(ENROLLED, "enrol first")
        self._check_certificate(certificate, fleet_key)
        profile.parse(profile_bytes)
        access_key = self._entropy.random(32)
        self._storage.format_log()
        state = self._storage.state
        state.wipe_visitors()
        state.put(statestore.FLEET_KEY, fleet_key)
        state.put(statestore.FLEET_NEXT_HASH, next_hash)
        state.put(statestore.PROFILE, profile_bytes)
        state.put(statestore.ACCESS_KEY, access_key)
        # The certificate comes last: with it the tag is enrolled, without it it is not.
        state.put(statestore.CERTIFICATE, certificate)
        return {1: access_key}

    def _check_certificate(self, certificate, fleet_key):
        from .ed25519.sign import verify
        from .signer import SoftwareSigner

        active = self._storage.key_slots.active()
        if active is None:
            raise DockError(NOT_ENROLLED, "no key: enrol first")
        protected, payload, signature = record.parse_envelope(certificate)
        ours = SoftwareSigner(active[1], self._entropy).public_key
        claims = cbor.decode(payload)
        if claims[8][1].get(-2) != ours:
            raise DockError(BAD_CERTIFICATE, "certifies another key")
        if not verify(fleet_key, signature, record.sig_structure_parts(protected, payload)):
            raise DockError(BAD_CERTIFICATE, "signature")

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

    def _erase(self, args):
        if not args.get(1):
            self._refuse_if_unreceipted()
        self._storage.state.delete(statestore.CERTIFICATE)
        self._storage.key_slots.erase_all()
        self._storage.format_log()

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
