# SPDX-License-Identifier: MIT
"""Two flash sectors for the seeds of the tag's signing key, one epoch each (access K2, K3).

    sector   magic 4 | epoch u32 | seed 32 | CRC-32 | zeros 4     done mark 16 B at offset 64

    store_first      [ new, done ]  [            ]
    begin            [ old, done ]  [ new        ]   then the key-epoch record is sealed
    finish           [ old, done ]  [ new, done  ]   then the old slot is zeroed and erased

A cut at any step leaves a state from which `recover` makes exactly one seed the active one:
the one whose public key the newest key-epoch record (or the certificate) names.
"""

import struct
from binascii import crc32

from micropython import const

_SEED_SIZE = const(32)
_FRAME_SIZE = const(48)
_CRC_AT = const(40)
_DONE_AT = const(64)
_DONE_SIZE = const(16)
_READ_SIZE = const(80)
_MAGIC = b"SK\x01\x00"
_DONE = b"\x5a" * _DONE_SIZE
_BLANK = b"\xff" * _READ_SIZE
_ZEROS = bytes(_READ_SIZE)
_IOCTL_ERASE = const(6)
# A slot that does not read whole is erased: not for one reading at a sagging supply.
_READ_TRIES = const(3)


class KeySlotError(Exception):
    """The step does not fit the state of the slots; args are (reason,)."""


class KeySlots:
    """Seeds in *sector_a* and *sector_b* of *device*. Never shows a seed except in `active`."""

    def __init__(self, device, sector_a: int, sector_b: int):
        self._device = device
        self._sectors = (sector_a, sector_b)

    def active(self) -> tuple | None:
        """Returns (epoch, seed) of the newest finished slot, or None. After `recover`."""
        best = None
        for slot in (0, 1):
            is_done, epoch, seed = self._read(slot)
            if is_done and (best is None or epoch > best[0]):
                best = (epoch, seed)
        return best

    def store_first(self, seed: bytes) -> None:
        """Commits the seed of epoch 0. Raises KeySlotError if there is one already.

        A cut inside leaves no active seed, or this one.
        """
        if self.active() is not None:
            raise KeySlotError("a seed is there")
        self._erase(1)
        self._write(0, 0, seed)
        self._mark_done(0)

    def begin(self, epoch: int, seed: bytes) -> None:
        """Commits the next epoch's seed beside the active one, not yet active (K2 step 1)."""
        active = self.active()
        if active is None or epoch <= active[0]:
            raise KeySlotError("no active seed below this epoch")
        self._write(1 - self._slot_of(active[0]), epoch, seed)

    def finish(self) -> None:
        """Makes the seed of `begin` active and erases the old one (K2 steps 3 and 4).

        The caller has the key-epoch record durable and verified.
        """
        old = self.active()
        if old is None:
            raise KeySlotError("no active seed")
        old_slot = self._slot_of(old[0])
        is_done, epoch, _ = self._read(1 - old_slot)
        if epoch is None or is_done:
            raise KeySlotError("nothing begun")
        self._mark_done(1 - old_slot)
        # A cut here leaves two finished slots: `recover` erases the lower epoch.
        self._erase(old_slot)

    def recover(self, newest_public_key: bytes | None, public_key_of) -> tuple | None:
        """Completes or takes back what a cut left (K3); returns `active`. Idempotent.

        *newest_public_key*: of the newest key-epoch record, else of the certificate, else
        None. *public_key_of(seed)* derives. Call after the record log has recovered.
        """
        for slot in (0, 1):
            is_done, epoch, seed = self._read(slot)
            if epoch is None:
                if not self._is_blank(slot):
                    self._erase(slot)  # torn
            elif is_done or public_key_of(seed) == newest_public_key:
                # Also if it is done: the same bits again make weak ones firm.
                self._mark_done(slot)
            else:
                self._erase(slot)
        self._erase_lower()
        return self.active()

    def expected(self, newest_public_key: bytes, public_key_of) -> bytes | None:
        """The seed that `recover` will make the active one, or None. Changes nothing."""
        best = None
        for slot in (0, 1):
            is_done, epoch, seed = self._read(slot)
            if epoch is None or (best is not None and epoch < best[0]):
                continue
            if is_done or public_key_of(seed) == newest_public_key:
                best = (epoch, seed)
        return best[1] if best else None

    def erase_all(self) -> None:
        """Zeroes and erases both slots, the active one last. A cut inside: call it again."""
        active = self.active()
        last = 0 if active is None else self._slot_of(active[0])
        self._erase(1 - last)
        self._erase(last)

    def _erase_lower(self):
        done = [s for s in (0, 1) if self._read(s)[0]]
        if len(done) == 2:
            self._erase(0 if self._read(0)[1] < self._read(1)[1] else 1)

    def _slot_of(self, epoch):
        return 0 if self._read(0)[1] == epoch else 1

    def _read(self, slot):
        """Returns (is done, epoch, seed); epoch and seed are None if there is no whole frame."""
        for _ in range(_READ_TRIES):
            buffer = self._bytes(slot)
            if _is_whole(buffer):
                is_done = buffer[_DONE_AT:] == _DONE
                return is_done, struct.unpack_from("<I", buffer, 4)[0], bytes(buffer[8:_CRC_AT])
            if buffer == _BLANK:
                break
        return False, None, None

    def _bytes(self, slot):
        buffer = bytearray(_READ_SIZE)
        self._device.readblocks(self._sectors[slot], buffer, 0)
        return buffer

    def _is_blank(self, slot):
        return self._bytes(slot) == _BLANK

    def _write(self, slot, epoch, seed):
        """Erases the slot, then commits a frame. Erased always: it may only look blank."""
        if len(seed) != _SEED_SIZE:
            raise ValueError("seed")
        self._erase(slot)
        frame = bytearray(_FRAME_SIZE)
        struct.pack_into("<4sI32s", frame, 0, _MAGIC, epoch, seed)
        struct.pack_into("<I", frame, _CRC_AT, crc32(memoryview(frame)[:_CRC_AT]))
        self._device.writeblocks(self._sectors[slot], frame, 0)

    def _mark_done(self, slot):
        self._device.writeblocks(self._sectors[slot], _DONE, _DONE_AT)

    def _erase(self, slot):
        """Zeroes, then erases: a torn or weak erase must not bring a seed back."""
        self._device.writeblocks(self._sectors[slot], _ZEROS, 0)
        self._device.ioctl(_IOCTL_ERASE, self._sectors[slot])


def _is_whole(buffer) -> bool:
    frame = memoryview(buffer)[:_CRC_AT]
    return buffer[:4] == _MAGIC and struct.unpack_from("<I", buffer, _CRC_AT)[0] == crc32(frame)
