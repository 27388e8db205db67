# SPDX-License-Identifier: MIT
"""Key store with P-256 keys in an ATECC608 secure element (rules K2 and K3, for a chip).

Two slots of the chip take turns. Nothing outside the chip says which is in force: it is the one
whose public key the newest key-epoch record names, or the certificate before the first roll.

    create    [ new   ]  [ waste ]
    begin     [ old   ]  [ new   ]    GenKey in the free slot; then the key-epoch record is sealed
    finish    [ waste ]  [ new   ]    GenKey over the old key: nobody ever sees what it made

*waste* is a key whose public half was never used: GenKey is how this chip forgets. A cut at
any command leaves the slot being written with its old key, its new key or nothing usable; in
none of these states do both slots, or neither, hold the key that the log names.
"""

import hashlib

from sealwire import labels

from ..drivers.atecc608 import STATUS_ECC_FAULT, STATUS_EXECUTION, ChipError, ChipRefusal
from .keystore import KeyStoreError

# Updatable P-256 keys of a Trust&GO part, and of ours (docs/secure-element.md).
_SLOTS = (2, 3)
_EIO = 5
_HALF_SIZE = 32
_ORDER = b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff" + (
    b"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"
)
_HALF_ORDER = b"\x7f\xff\xff\xff\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff" + (
    b"\xde\x73\x7d\x56\xd3\x8b\xcf\x42\x79\xdc\xe5\x61\x7e\x31\x92\xa8"
)
# Configuration zone: lock bytes, and for each of our slots what must be so (see config_fault).
_LOCK_VALUE_AT, _LOCK_CONFIG_AT, _SLOT_LOCKED_AT = 86, 87, 88
_SLOT_CONFIG_AT, _KEY_CONFIG_AT = 20, 96
_SLOT_MASK, _SLOT_WANTED = 0x6083, 0x2081  # GenKey, no PrivWrite; secret, signs digests, not
_KEY_MASK, _KEY_WANTED = 0x109F, 0x0013  # its own messages; P-256 private, public half given


class ChipKeys:
    """Keys in *chip*, a drivers.atecc608.ATECC608. Everything may raise ChipError (OSError)."""

    algorithm = labels.ALG_ES256

    def __init__(self, chip):
        self._chip = chip
        self._signer = None  # of the key in force
        self._begun = None  # slot of the next key
        self._points = {}  # public key, compressed: x and y
        self.waste_fault = ""  # why an old key may still be in the chip: the next boot tries

    def create(self, host_bytes) -> bytes:
        """Makes the key of the first epoch; returns its public key, 33 bytes.

        *host_bytes* are not used: the chip takes its randomness from itself alone. Raises
        KeyStoreError if a key is in force, or if the chip is not configured for this.
        """
        if self._signer is not None:
            raise KeyStoreError("a key is there")
        fault = config_fault(self._chip.config())
        if fault:
            raise KeyStoreError(fault)
        public_key = self._make(_SLOTS[0])
        # A cut here leaves a key that no certificate names, and maybe an earlier enrolment's.
        self._waste(_SLOTS[1])
        self._signer = ChipSigner(self, public_key, _SLOTS[0])
        return public_key

    def holds(self, public_key) -> bool:
        """Whether a slot holds *public_key*; True while the chip is silent.

        Changes nothing, where `recover` writes the other slot.
        """
        try:
            points = [self._point(slot) for slot in _SLOTS]
        except ChipError:
            return True  # a chip that is silent is not a lost key
        return any(point and compressed(point) == public_key for point in points)

    def recover(self, newest_public_key):
        """The signer of *newest_public_key* (K3), or None if the chip does not hold that key.

        Must be the newest key of the chain: the other slot's key is destroyed. While the chip
        is silent the signer is one that finds its slot later, and raises ChipError until then.
        None as argument: the key that `create` has made since this object was built.
        """
        if newest_public_key is None:
            return self._signer
        self._begun = None
        newest_public_key = bytes(newest_public_key)
        if self._signer is not None:
            self._signer.wipe()
        self._signer = signer = ChipSigner(self, newest_public_key, None)
        try:
            if not signer.find():
                self._signer = None
        except ChipError as e:
            self.waste_fault = e.args[1]
        return self._signer

    def slot_of(self, public_key: bytes):
        """The slot that holds *public_key*, or None; then the other slot holds waste.

        Raises ChipError while the chip is silent. A cut inside: call it again.
        """
        for slot in _SLOTS:
            if self._public_key(slot) == public_key:
                self._keep_points(public_key)
                # Whatever a cut left in the other slot: an old key, a begun one, half of one.
                self._waste(_other(slot))
                return slot
        return None

    def begin(self, epoch: int) -> bytes:
        """K2 step 1: makes the next key beside the one in force; its public key."""
        if self._signer is None:
            raise KeyStoreError("no key")
        free = _other(self._signer.slot())
        self._begun = None
        self._keep_points(self._signer.public_key)
        public_key = self._make(free)
        self._begun = free, public_key
        return public_key

    def finish(self):
        """K2 steps 3 and 4, once the key-epoch record is durable and verified: the signer.

        A chip that fails here does not raise: the begun key is in force by its record, and
        `waste_fault` says that the old one may live until the next boot or roll.
        """
        if self._begun is None:
            raise KeyStoreError("nothing begun")
        slot, public_key = self._begun
        self._begun = None
        self._signer.wipe()
        self._signer = ChipSigner(self, public_key, slot)
        self._keep_points(public_key)
        # A cut here leaves the old key in its slot: `recover` destroys it.
        self._waste(_other(slot))
        return self._signer

    def erase_all(self) -> None:
        """Destroys every key, the one in force last. A cut inside: call it again."""
        last = self._signer.slot_or_none() if self._signer else None
        last = _SLOTS[1] if last is None else last
        if self._signer is not None:
            self._signer.wipe()
        self._signer = self._begun = None
        self._points.clear()
        self._chip.generate_key(_other(last))
        self._chip.generate_key(last)

    def sign(self, slot: int, parts: tuple) -> bytes:
        """r and s, 64 bytes, s in the lower half: one signature, one encoding."""
        return low_s(self._chip.sign(slot, _digest(parts)))

    def verify(self, public_key, signature, parts) -> bool:
        """Whether *signature* over *parts* holds under *public_key*, one of this chip's.

        Raises KeyStoreError for a key that was never seen here.
        """
        point = self._points.get(bytes(public_key))
        if point is None:
            raise KeyStoreError("not a key of this chip")
        is_low = bytes(signature[_HALF_SIZE:]) <= _HALF_ORDER
        return is_low and self._chip.verify(point, _digest(parts), bytes(signature))

    def _make(self, slot):
        return self._remember(self._chip.generate_key(slot))

    def _public_key(self, slot):
        """Its compressed public key, or None if the slot holds nothing usable."""
        point = self._point(slot)
        return None if point is None else self._remember(point)

    def _point(self, slot):
        try:
            return self._chip.public_key(slot)
        except ChipRefusal as e:
            if e.status in (STATUS_ECC_FAULT, STATUS_EXECUTION):
                return None
            raise

    def _remember(self, point):
        public_key = compressed(point)
        self._points[public_key] = point
        return public_key

    def _keep_points(self, public_key):
        self._points = {public_key: self._points[public_key]}

    def _waste(self, slot):
        self.waste_fault = ""
        try:
            self._chip.generate_key(slot)
        except ChipError as e:
            self.waste_fault = e.args[1]


class ChipSigner:
    """Signs with one key of *keys*. The key itself is where nobody gets at it."""

    algorithm = labels.ALG_ES256

    def __init__(self, keys: ChipKeys, public_key: bytes, slot):
        self._keys = keys
        self._slot = slot
        self.public_key = public_key

    def sign(self, parts: tuple) -> bytes:
        """Returns r and s of the message whose buffers are *parts*, 64 bytes; about 0.1 s.

        Raises ChipError (OSError): nothing was signed, and another time may be better.
        """
        slot = self.slot()
        return self._keys.sign(slot, parts)

    def find(self) -> bool:
        """Looks for its slot; whether there is one. Raises ChipError."""
        self._slot = self._keys.slot_of(self.public_key)
        return self._slot is not None

    def slot(self) -> int:
        """Its slot, looked for if the chip was silent at the boot. Raises ChipError."""
        if self._keys is None:
            raise ChipError(_EIO, "this key is gone")
        if self._slot is None and not self.find():
            raise ChipError(_EIO, "no slot holds the key")
        return self._slot

    def slot_or_none(self):
        """Its slot as far as it is known, without asking the chip."""
        return self._slot

    def wipe(self):
        """This signer signs no more: its slot is about to hold another key."""
        self._keys = None


def compressed(point: bytes) -> bytes:
    """The public key x, y as 33 bytes (SEC 1 section 2.3.3): 02 or 03 by y's last bit, then x."""
    return bytes((2 | point[63] & 1,)) + bytes(point[:_HALF_SIZE])


def low_s(signature: bytes) -> bytes:
    """The one of the two equivalent signatures whose s is at most half the order."""
    s = bytes(signature[_HALF_SIZE:])
    if s <= _HALF_ORDER:
        return signature
    lower = int.from_bytes(_ORDER, "big") - int.from_bytes(s, "big")
    return bytes(signature[:_HALF_SIZE]) + lower.to_bytes(_HALF_SIZE, "big")


def config_fault(config: bytes) -> str:
    """What in the 128 bytes of a configuration zone forbids a key of ours; "" if nothing."""
    if config[_LOCK_CONFIG_AT] or config[_LOCK_VALUE_AT]:
        return "secure element not locked"
    for slot in _SLOTS:
        slot_config = _word(config, _SLOT_CONFIG_AT + 2 * slot)
        key_config = _word(config, _KEY_CONFIG_AT + 2 * slot)
        is_ours = slot_config & _SLOT_MASK == _SLOT_WANTED
        is_ours = is_ours and key_config & _KEY_MASK == _KEY_WANTED
        if not is_ours or not _word(config, _SLOT_LOCKED_AT) >> slot & 1:
            return "secure element's slot %d is not for signing keys" % slot
    return ""


def _word(config, at):
    return config[at] | config[at + 1] << 8


def _other(slot):
    return _SLOTS[0] if slot == _SLOTS[1] else _SLOTS[1]


def _digest(parts) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
