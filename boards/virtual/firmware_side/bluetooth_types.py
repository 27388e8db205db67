# SPDX-License-Identifier: MIT
"""Flags, UUIDs and the table of attribute values of the virtual `bluetooth` module.

Source: MicroPython docs/library/bluetooth.rst, gatts_register_services and below.
"""

import binascii
import struct

from micropython import const

FLAG_BROADCAST = const(0x0001)
FLAG_READ = const(0x0002)
FLAG_WRITE_NO_RESPONSE = const(0x0004)
FLAG_WRITE = const(0x0008)
FLAG_NOTIFY = const(0x0010)
FLAG_INDICATE = const(0x0020)
FLAG_AUTHENTICATED_SIGNED_WRITE = const(0x0040)
FLAG_AUX_WRITE = const(0x0100)
FLAG_READ_ENCRYPTED = const(0x0200)
FLAG_READ_AUTHENTICATED = const(0x0400)
FLAG_READ_AUTHORIZED = const(0x0800)
FLAG_WRITE_ENCRYPTED = const(0x1000)
FLAG_WRITE_AUTHENTICATED = const(0x2000)
FLAG_WRITE_AUTHORIZED = const(0x4000)

_EINVAL = const(22)
_VALUE_SIZE = const(20)  # bytes a new attribute holds
_FIRST_HANDLE = const(16)


class UUID:
    """A 16-, 32- or 128-bit UUID; iterates over its bytes, least significant first."""

    def __init__(self, value: int | str | bytes):
        if isinstance(value, int):
            raw = struct.pack("<H", value)
        elif isinstance(value, str):
            raw = bytes(reversed(binascii.unhexlify(value.replace("-", ""))))
        else:
            raw = bytes(value)
        if len(raw) not in (2, 4, 16):
            raise ValueError("invalid UUID")
        self._raw = raw

    def __iter__(self):
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UUID) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        if len(self._raw) == 2:
            return "UUID(0x%04x)" % struct.unpack("<H", self._raw)[0]
        digits = hex_of(bytes(reversed(self._raw)))
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return "UUID('%s')" % "-".join(parts)


def hex_of(raw: bytes) -> str:
    return binascii.hexlify(raw).decode()


def raw_of(value: bytes | str) -> bytes:
    """What an API that takes buffers makes of *value*: bytes("x") fails in MicroPython."""
    return value.encode() if isinstance(value, str) else bytes(value)


class Attribute:
    """A stored value: `append` collects writes until it is read."""

    def __init__(self):
        self.value = b""
        self.size_max = _VALUE_SIZE
        self.append = False


class AttributeTable:
    """Values by handle, as NimBLE numbers them: a declaration and a value a characteristic."""

    def __init__(self):
        self._attributes = {}

    def register(self, services) -> tuple:
        """Replaces everything; returns (rows for the radio, value handles a service)."""
        self._attributes.clear()
        handle, rows, handles = _FIRST_HANDLE, [], []
        for uuid, characteristics in services:
            handle += 1
            service_rows, service_handles = [], []
            for characteristic in characteristics:
                row, handle = self._characteristic(characteristic, handle, service_handles)
                service_rows.append(row)
            rows.append([hex_of(bytes(uuid)), service_rows])
            handles.append(tuple(service_handles))
        return rows, tuple(handles)

    def _characteristic(self, characteristic, handle: int, handles: list) -> tuple:
        """Returns (row for the radio, last handle used)."""
        uuid, flags = characteristic[0], characteristic[1]
        handle += 2  # declaration, value
        handles.append(handle)
        self._attributes[handle] = Attribute()
        row = [handle, hex_of(bytes(uuid)), flags, []]
        if flags & (FLAG_NOTIFY | FLAG_INDICATE):
            handle += 1  # client configuration; the radio keeps it
        for descriptor_uuid, descriptor_flags in characteristic[2] if characteristic[2:] else ():
            handle += 1
            handles.append(handle)
            self._attributes[handle] = Attribute()
            row[3].append([handle, hex_of(bytes(descriptor_uuid)), descriptor_flags])
        return row, handle

    def find(self, handle: int):
        """The attribute, or None."""
        return self._attributes.get(handle)

    def get(self, handle: int) -> Attribute:
        """The attribute; OSError(EINVAL) for a handle that was never given."""
        if handle not in self._attributes:
            raise OSError(_EINVAL)
        return self._attributes[handle]
