# SPDX-License-Identifier: MIT
"""A whole tag on a RAM flash, with its dock and a fleet: for scripts about the life of keys."""

import os

from nor import Nor

from sealwire import cbor, profile, record
from tag.app import App
from tag.clock import Clock
from tag.dock import codes as dockcodes
from tag.dock import serve as dock
from tag.ed25519.sign import SigningKey
from tag.keys.entropy import Entropy
from tag.store.storage import Storage

KEYS_SECTORS = 10
LOG_SECTORS = 24
BOARD_NAME = "bench"
SERIAL = "ST-0001"
RULES = profile.encode(profile.build("test", 60, [(1, 0, 0, -15000, 0, 0)], 0, 0, 0))
TRIP = cbor.encode({1: 7, 2: bytes(32), 3: RULES})
NOW_S = 1_795_000_000


class Uptime:
    def __init__(self):
        self.value_ms = 1000

    def now_ms(self):
        return self.value_ms

    def advance(self, ms):
        self.value_ms += ms


class Probe:
    def read(self):
        return -15000, 0


class Board:
    """What App and dock need of a board, without hardware."""

    name = BOARD_NAME
    unique_id = b"\x01\x02\x03"
    drift_ppm = 500
    battery_low_mv = 3000

    def __init__(self):
        self.led = []
        self.is_entropy_on = False

    def secure_element(self):
        return None

    def enable_entropy(self):
        self.is_entropy_on = True

    def probes(self):
        return [Probe()]

    def accelerometer(self):
        return None

    def lid(self):
        return None

    def reset_cause(self):
        return 1

    def set_led(self, is_on):
        self.led.append(is_on)


class Fleet:
    """Signs certificates; *seed* makes it always the same one."""

    def __init__(self, seed=bytes(range(32))):
        self.key = SigningKey(seed)

    def certificate(self, public_key, serial=SERIAL, board=BOARD_NAME, issued_s=NOW_S):
        claims = {
            2: serial,
            6: issued_s,
            8: {1: {1: 1, -1: 6, -2: public_key}},
            -70001: board,
            -70002: "0.1.0",
        }
        return self.signed(claims)

    def signed(self, claims):
        payload = cbor.encode(claims)
        parts = record.sig_structure_parts(record.protected_header(-8), payload)
        return record.envelope(payload, bytes(self.key.sign(parts, None)))


class Bench:
    """One tag's flash over its lives. `dock()` and `app()` are a boot each."""

    def __init__(self, keys_image=None, log_image=None, random_source=os.urandom):
        self.keys = Nor(KEYS_SECTORS, keys_image)
        self.log = Nor(LOG_SECTORS, log_image)
        self.board = Board()
        self.fleet = Fleet()
        self.random_source = random_source
        self.access_key = None

    def parts(self):
        storage = Storage(self.keys, self.log)
        storage.open()
        clock = Clock(Uptime(), 500)
        return self.board, storage, clock, Entropy(self.random_source, self.board.unique_id)

    def dock(self):
        return dock.Dock(*self.parts())

    def app(self):
        app = App(*self.parts())
        app.begin()
        return app

    def enrol(self):
        """Enrols the tag; returns its certificate."""
        bench = self.dock()
        proof = bench.serve(dockcodes.ENROL, {1: os.urandom(32), 2: SERIAL})[1]
        public_key = cbor.decode(record.parse_envelope(proof)[1])[1]
        certificate = self.fleet.certificate(public_key)
        content = {1: certificate, 2: self.fleet.key.public_key, 3: bytes(32), 4: RULES}
        self.access_key = bench.serve(dockcodes.INSTALL, content)[1]
        return certificate


def refusal(act, *args):
    """The code and text with which the dock refuses; ("done", result) if it does not."""
    try:
        return "done", act(*args)
    except dockcodes.DockError as e:
        return e.args
