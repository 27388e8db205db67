# SPDX-License-Identifier: MIT
"""A tag's recorder on a RAM flash, with a real Ed25519 key: for tests of what it seals."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tag.clock import Clock
from tag.recording.recorder import Recorder
from tag.store.storage import Storage
from tests.fakes.clockwork import FakeRTC, FakeUptime
from tests.fakes.nor import Nor

CERTIFICATE = b"certificate of the tests"
SEED = bytes(range(32))
SECTOR_SIZE = 4096


class HostSigner:
    """The Signer seam, with the host's library behind it."""

    algorithm = -8

    def __init__(self, seed: bytes = SEED):
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, parts):
        return self._key.sign(b"".join(bytes(part) for part in parts))


class TagParts:
    """Everything a recorder needs; `reboot` keeps the flash and forgets the rest."""

    def __init__(self, log_sectors: int = 24, keys_sectors: int = 8):
        self.log = Nor(log_sectors)
        self.keys = Nor(keys_sectors)
        self.rtc = FakeRTC()
        self.faults: list[tuple[int, str]] = []
        self.reboot()

    def reboot(self) -> Recorder:
        """Power off and on: new RAM, the same flash."""
        self.uptime = FakeUptime()
        self.clock = Clock(self.uptime, 500, self.rtc)
        self.storage = Storage(self.keys, self.log)
        self.storage.open()
        self.recorder = Recorder(
            self.storage.journal,
            self.storage.records,
            HostSigner(),
            self.clock,
            self.uptime,
            lambda code, text: self.faults.append((code, text)),
            CERTIFICATE,
            self.storage.state,
        )
        return self.recorder
