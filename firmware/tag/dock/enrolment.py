# SPDX-License-Identifier: MIT
"""The two ends of an enrolment at the serial dock: identity given, identity taken.

    create_key   the tag makes its key and proves that it has it
    install      certificate, fleet keys, profile; the tag makes its access key: enrolled
    end          farewell, then no secret is left (decommission.py); records stay readable
    purge        records and certificate go too

A certificate makes a tag enrolled: it is written last and deleted first.
"""

import hashlib

from micropython import const

from sealwire import cbor, profile, record

from ..keys.entropy import EntropyError
from ..keys.keyepoch import KeyEpoch, certified_key
from ..keys.keyroll import is_lost_at_boot
from ..keys.keystore import KeyStoreError, open_key_store
from ..store import statestore
from . import decommission
from .codes import (
    BAD_CERTIFICATE,
    BAD_REQUEST,
    DEVICE_FAILED,
    ENROLLED,
    HEAD_DIFFERS,
    KEY_LOST,
    NOT_ENDED,
    NOT_ENROLLED,
    UNRECEIPTED,
    DockError,
)

_KEY_SIZE = const(32)
_SERIAL_SIZE_MAX = const(32)
# Claims of a tag certificate, all of them (record-format.md, "Tag certificate").
_SUBJECT, _ISSUED_AT, _CONFIRMATION, _HARDWARE, _FIRMWARE = 2, 6, 8, -70001, -70002
_CLAIMS = {_SUBJECT, _ISSUED_AT, _CONFIRMATION, _HARDWARE, _FIRMWARE}

_NO_KEY = (NOT_ENROLLED, "no key of this certificate: enrol first")
_OTHER_KEY = (BAD_CERTIFICATE, "certifies another key")

# State of the signing key, as IDENTIFY tells it.
KEY_NONE = const(0)
KEY_SOUND = const(1)
KEY_LOST_STATE = const(2)


class Enrolment:
    """*open_tag()* builds the tag as a boot would (app.App); raises DockError."""

    def __init__(self, board, storage, clock, entropy, open_tag):
        self._board = board
        self._storage = storage
        self._clock = clock
        self._entropy = entropy
        self._open_tag = open_tag
        self._keys = open_key_store(board, storage, entropy)

    @property
    def certificate(self):
        """The tag's certificate, also of a decommissioned tag; None without one."""
        return self._storage.state.get(statestore.CERTIFICATE)

    @property
    def is_ended(self) -> bool:
        """Whether the tag is decommissioned: the newest record is its farewell."""
        return decommission.is_ended(self._storage.records)

    # ---- beginning

    def create_key(self, host_bytes, serial: str) -> bytes:
        """Makes the key of a new enrolment; returns the proof of possession (COSE_Sign1).

        Raises DockError (there is a certificate; no contribution of the host), EntropyError.
        """
        self._refuse_if_certified()
        if len(host_bytes) != _KEY_SIZE or not 1 <= len(serial.encode()) <= _SERIAL_SIZE_MAX:
            raise DockError(BAD_REQUEST, "host entropy or serial")
        self._need_entropy()
        self._storage.state.put(statestore.SERIAL, serial.encode())
        self._keys.erase_all()
        # A cut from here on leaves a key without certificate: the tag is not enrolled.
        self._create(host_bytes)
        return self._proof(host_bytes, serial)

    def _need_entropy(self):
        """Raises EntropyError unless the source, with the radio on, passes its test now."""
        self._board.enable_entropy()
        if self._entropy.test():
            raise EntropyError(self._entropy.fault)

    def _create(self, host_bytes):
        try:
            self._keys.create(host_bytes)
        except ValueError as e:
            raise DockError(BAD_REQUEST, str(e))
        except KeyStoreError as e:
            raise DockError(DEVICE_FAILED, e.args[0])

    def _proof(self, host_bytes, serial) -> bytes:
        signer = self._keys.recover(None)
        fields = {
            1: signer.public_key,
            2: hashlib.sha256(host_bytes).digest(),
            3: self._board.unique_id,
            4: serial,
        }
        payload = cbor.encode(fields)
        parts = record.sig_structure_parts(record.protected_header(signer.algorithm), payload)
        signature = signer.sign(parts)
        # What does not verify here would make a certificate for a key that nobody can use.
        if not self._keys.verify(signer.public_key, signature, parts):
            raise DockError(DEVICE_FAILED, "the tag's own signature does not verify")
        return record.envelope(payload, signature, signer.algorithm)

    def _refuse_if_certified(self):
        if self.certificate is None:
            return
        if self.is_ended:
            raise DockError(UNRECEIPTED, "the farewell of its last enrolment is still here")
        raise DockError(ENROLLED, "it has a key and a certificate")

    def install(self, certificate, fleet_key, next_hash, profile_bytes) -> bytes:
        """Enrols the tag; returns the access key it made, the only time that it is told.

        Raises DockError, profile.ProfileError, EntropyError; then nothing is installed.
        """
        if self.certificate is not None:
            raise DockError(ENROLLED, "enrol first")
        if len(fleet_key) != _KEY_SIZE or len(next_hash) != _KEY_SIZE:
            raise DockError(BAD_REQUEST, "fleet key or hash")
        self._check_certificate(certificate, fleet_key)
        profile.parse(profile_bytes)
        # Anew: a reset since ENROL has turned the radio off, and nothing else is mixed in here.
        self._need_entropy()
        access_key = self._entropy.random(_KEY_SIZE)
        self._storage.format_log()
        state = self._storage.state
        state.wipe_visitors()
        state.put(statestore.FLEET_KEY, fleet_key)
        state.put(statestore.FLEET_NEXT_HASH, next_hash)
        state.put(statestore.PROFILE, profile_bytes)
        state.put(statestore.ACCESS_KEY, access_key)
        # The certificate comes last: with it the tag is enrolled, without it it is not.
        state.put(statestore.CERTIFICATE, certificate)
        return access_key

    def _check_certificate(self, certificate, fleet_key):
        why = self._fault_of(certificate, fleet_key)
        if why:
            raise DockError(BAD_CERTIFICATE, why)
        made = self._keys.recover(None)
        # By its public key: after a reset a chip does not know which key ENROL made.
        signer = self._keys.recover(certified_key(certificate))
        if signer is None:
            raise DockError(*_NO_KEY if made is None else _OTHER_KEY)
        # A chip may be silent now: no certificate is installed for a key that cannot sign.
        signer.sign((certificate,))
        signer.wipe()

    def _fault_of(self, certificate, fleet_key) -> str:
        from ..ed25519.sign import verify

        protected, payload, signature = record.parse_envelope(certificate)
        claims = cbor.decode(payload)
        if not isinstance(claims, dict) or set(claims) != _CLAIMS:
            return "not the claims of a tag certificate"
        serial = self._storage.state.get(statestore.SERIAL)
        if serial is None or claims[_SUBJECT] != serial.decode():
            return "for another tag"
        if claims[_HARDWARE] != self._board.name:
            return "for another board"
        hi_ms = self._clock.bounds_ms()[1]
        if hi_ms is not None and claims[_ISSUED_AT] * 1000 > hi_ms:
            return "issued in the future"
        if not verify(fleet_key, signature, record.sig_structure_parts(protected, payload)):
            return "signature"
        return ""

    # ---- end

    def end(self, head_seq, head_hash) -> None:
        """Decommissions the tag (K5), once every record is receipted or held by the host.

        *head_seq*, *head_hash*: what the host says is the newest record that it has; None:
        receipts alone decide. Idempotent. Raises DockError, RingFull, OSError.
        """
        if self.certificate is None:
            raise DockError(NOT_ENROLLED, "no certificate")
        if self.is_ended:
            decommission.complete(self._storage, self._keys)
            return
        self._check_held(head_seq, head_hash)
        tag = self._open_tag()
        if tag.key_roll.is_lost:
            raise DockError(KEY_LOST, "no key is left to sign a farewell")
        tag.begin()
        try:
            up_ms = tag.uptime.now_ms()
            decommission.end(self._storage, tag.keys, tag.recorder, up_ms, tag.clock.utc())
        except KeyStoreError as e:
            raise DockError(DEVICE_FAILED, e.args[0])

    def _check_held(self, head_seq, head_hash):
        records = self._storage.records
        if head_seq is None:
            if records.head_seq > records.acknowledged:
                count = records.head_seq - records.acknowledged
                raise DockError(UNRECEIPTED, "%d records are in no archive" % count)
        elif (head_seq, head_hash) != (records.head_seq, records.head_hash):
            raise DockError(HEAD_DIFFERS, "the newest record is %d" % records.head_seq)

    def purge(self, farewell_hash) -> None:
        """Erases the log of a decommissioned tag, for a host that has read its farewell."""
        if self.certificate is None or not self.is_ended:
            raise DockError(NOT_ENDED, "decommission it first")
        if farewell_hash != self._storage.records.head_hash:
            raise DockError(HEAD_DIFFERS, "this is not the farewell")
        decommission.complete(self._storage, self._keys)
        decommission.purge(self._storage)

    def erase(self) -> None:
        """Forgets everything: certificate, keys, state, log. The caller has the permission.

        A cut inside leaves a tag without certificate, to be enrolled or erased again.
        """
        self._storage.state.delete(statestore.CERTIFICATE)
        self._keys.erase_all()
        decommission.purge(self._storage)

    # ---- looking

    def key_state(self) -> int:
        """KEY_NONE, KEY_SOUND or KEY_LOST_STATE, as the next boot will find it."""
        certificate = self.certificate
        if certificate is None or self.is_ended:
            return KEY_NONE
        records = self._storage.records
        epoch = KeyEpoch(self._storage.state, records, certified_key(certificate))
        return KEY_LOST_STATE if is_lost_at_boot(self._keys, epoch, records) else KEY_SOUND
