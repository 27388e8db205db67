# SPDX-License-Identifier: MIT
"""Gives a tag its identity over the serial line: the key it makes, the fleet's certificate.

    identify -> self-test -> enrol (the tag makes its key) -> check the proof
      -> certificate kept here -> install (the tag makes its access key) -> kept here
      -> clock -> first ticket -> in force here

A cut before *install* leaves a tag without certificate: provision it again. A cut after
it leaves a certified tag whose access key this home may lack; the tag has no record yet
then, or only ones that `--erase` reads first, so it can be provisioned again too. A tag with
a key and records is given another only with `--erase`, or once it was decommissioned. `current`
is written last: until then the home keeps the enrolment it had.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealtrail.clock import Clock
from sealtrail.device.dock_link import Check, Dock, Identity
from sealtrail.device.dumping import dump_to_home, spare_records
from sealtrail.errors import AccessRefused, DeviceError
from sealtrail.home import Home
from sealtrail.keys import certificate, ticket
from sealtrail.keys.fleet import Fleet
from sealtrail.keys.secrets import Vault
from sealtrail.keys.tag_folder import TagFolder
from sealtrail.keys.wallet import Wallet, WalletEntry
from sealtrail.trip_profiles import TripProfile

# How far this computer's clock may be off (no NTP, hand-set): the tag's bounds get it.
CLOCK_ERROR_MS = 2_000
_EXCHANGE_MS_MIN = 500
FIRST_PERSON = "service bench"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A complete enrolment. *dump* is where the records of the old one went."""

    serial: str
    identity: Identity
    checks: tuple[Check, ...]
    certificate: bytes
    ticket: WalletEntry
    dump: Path | None

    @property
    def tid(self) -> bytes:
        """The id of this enrolment."""
        return certificate.tid_of(self.certificate)


class Provisioner:
    """Runs the steps above with what was opened before the tag is touched."""

    def __init__(self, dock: Dock, home: Home, vault: Vault, fleet: Fleet, clock: Clock) -> None:
        self._dock = dock
        self._home = home
        self._vault = vault
        self._fleet = fleet
        self._clock = clock

    def run(
        self,
        serial: str,
        profile: TripProfile,
        *,
        is_erasing: bool = False,
        is_overwriting: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> Provisioned:
        """Provisions the tag. Durable on both sides on return; the caller resets the tag.

        Raises AccessRefused for a tag with a key and records (unless *is_erasing*: then what
        no archive has is read and kept here first) and for a fleet key out of its days,
        DeviceError for a failed self-test.
        """
        self._refuse_dated_fleet()
        with self._home.lock(serial):
            identity = self._dock.identify()
            checks = self._passed_checks(note)
            dump = self._make_free(identity, is_erasing, note)
            issued = self._certify(identity, serial, note)
            folder = TagFolder.begin(self._home, serial, issued, profile.cbor)
            self._install(folder, issued, profile, note)
            if is_overwriting:  # an enrolment begins with a log that refuses
                self._dock.set_policy(is_overwriting)
            set_clock(self._dock, self._clock)
            first = self._first_ticket(folder)
            folder.put_in_force()
        return Provisioned(serial, identity, checks, issued, first, dump)

    def _make_free(
        self, identity: Identity, is_erasing: bool, note: Callable[[str], None]
    ) -> Path | None:
        if identity.is_decommissioned:
            return self._take_farewell(note)
        if not identity.is_enrolled:
            return None
        note("reading what the tag holds")
        dump = spare_records(
            self._dock,
            self._home,
            identity,
            option="--erase",
            is_reading=is_erasing,
            is_forgetting=True,
        )
        if identity.head_seq >= 0 and not is_erasing:
            raise AccessRefused(
                "this tag has a key, and records signed with it",
                "--erase reads what no archive has into this home, then starts the tag afresh.",
            )
        # What no archive has is durable here: from now on the tag may forget it.
        self._dock.erase(also_unreceipted=dump is not None)
        return dump

    def _take_farewell(self, note: Callable[[str], None]) -> Path:
        """A decommissioned tag gives its log once more, then it may forget it."""
        note("reading the log of its former life")
        dump = dump_to_home(self._dock, self._home)
        self._dock.erase(also_unreceipted=True)
        return dump.path

    def _refuse_dated_fleet(self) -> None:
        """No verifier would believe a certificate issued outside the fleet key's days (R6)."""
        line = self._fleet.line
        today = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date()
        if not line.not_before <= today <= line.not_after:
            raise AccessRefused(
                f"the fleet key is in force from {line.not_before} to {line.not_after}, and this"
                f" computer says {today}",
                "Check its clock; else `sealtrail fleet rotate` puts the next key in force.",
            )

    def _passed_checks(self, note: Callable[[str], None]) -> tuple[Check, ...]:
        note("self-test")
        checks = self._dock.self_test()
        failed = [check for check in checks if not check.is_passed]
        if failed:
            what = "; ".join(f"{check.name}: {check.detail}" for check in failed)
            raise DeviceError(f"the tag fails its self-test: {what}", "Repair it first.")
        return checks

    def _certify(self, identity: Identity, serial: str, note: Callable[[str], None]) -> bytes:
        note("the tag makes its key")
        entropy = secrets.token_bytes(32)
        proof = self._dock.enrol(entropy, serial)
        nonce = hashlib.sha256(entropy).digest()
        public_key = certificate.check_proof(proof, nonce, identity.uid, serial)
        return certificate.issue(
            self._fleet.key,
            serial,
            public_key,
            issued_at_s=self._clock.now_ms() // 1000,
            hardware=identity.board,
            firmware=identity.firmware,
        )

    def _install(
        self, folder: TagFolder, issued: bytes, profile: TripProfile, note: Callable[[str], None]
    ) -> None:
        note("installing certificate and profile")
        access_key = self._dock.install(
            issued, self._fleet.line.key, self._fleet.next_key_hash, profile.cbor
        )
        # A cut between these two lines loses the access key: provision again (see above).
        folder.keep_access_key(self._vault, access_key)

    def _first_ticket(self, folder: TagFolder) -> WalletEntry:
        base = f"{folder.serial}-service"
        is_taken = self._home.ticket(base).exists()  # by the tag's former enrolment
        entry = ticket.make(
            folder,
            self._vault,
            self._clock,
            role="service",
            person=FIRST_PERSON,
            trip=0,
            days=0,
            name=f"{base}-{folder.tid.hex()[:6]}" if is_taken else base,
        )
        Wallet(self._home, self._vault).put(entry)
        return entry


def set_clock(dock: Dock, clock: Clock) -> tuple[int, int]:
    """Tells the tag the time over the serial line; returns the bounds it was given, ms.

    Raises DeviceError when the exchange took so long that the upper bound was wrong.
    """
    start_ms = clock.now_ms()
    dock.identify()  # the first request opens the tag's storage: measured, not timed with it
    sent_ms = clock.now_ms()
    margin_ms = max(_EXCHANGE_MS_MIN, 4 * (sent_ms - start_ms))
    bounds = (sent_ms - CLOCK_ERROR_MS, sent_ms + margin_ms + CLOCK_ERROR_MS)
    dock.set_clock(*bounds)
    if clock.now_ms() - sent_ms > margin_ms:
        raise DeviceError("the tag took too long to set its clock", "Reset it and repeat.")
    return bounds
