# SPDX-License-Identifier: MIT
"""A tag's services as bumble attributes whose values stay on the tag.

The radio holds no value: every read and write of a remote is asked of the tag, which
answers after its interrupt handler has run, as NimBLE does on an ESP32. bumble's server
checks no permissions, so they are checked here.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from bumble import att
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service
from bumble.gatt_server import Server

_READ = 0x0002
_WRITE = 0x000C  # with or without response
_READ_ENCRYPTED = 0x0200
_WRITE_ENCRYPTED = 0x1000

ReadFromTag = Callable[[Connection, int], Awaitable[bytes]]
WriteToTag = Callable[[Connection, int, bytes], Awaitable[None]]


def register_services(
    device: Device, frame: bytes, read: ReadFromTag, write: WriteToTag
) -> dict[int, Characteristic[bytes]]:
    """Replaces the services of *device* by those of a SERVICES frame.

    Returns the characteristics by the tag's value handles.
    """
    asked = json.loads(frame)
    device.name = asked["name"]
    mtu, device.gatt_server = device.gatt_server.max_mtu, Server(device)
    device.gatt_server.max_mtu = mtu
    device.add_default_services()
    found: dict[int, Characteristic[bytes]] = {}
    for service_uuid, rows in asked["services"]:
        characteristics = []
        for handle, uuid, flags, descriptors in rows:
            found[handle] = Characteristic(
                _uuid(uuid),
                Characteristic.Properties(flags & 0xFF),
                _permissions(flags),
                _value(handle, flags, read, write),
                [_descriptor(row, read, write) for row in descriptors],
            )
            characteristics.append(found[handle])
        device.add_service(Service(_uuid(service_uuid), characteristics))
    return found


def _uuid(little_endian_hex: str) -> UUID:
    return UUID.from_bytes(bytes.fromhex(little_endian_hex))


def _descriptor(row: Any, read: ReadFromTag, write: WriteToTag) -> Descriptor:
    handle, uuid, flags = row
    return Descriptor(_uuid(uuid), _permissions(flags), _value(handle, flags, read, write))


def _permissions(flags: int) -> att.Attribute.Permissions:
    kinds = att.Attribute.Permissions
    permissions = kinds(0)
    for flag, permission in (
        (_READ, kinds.READABLE),
        (_WRITE, kinds.WRITEABLE),
        (_READ_ENCRYPTED, kinds.READ_REQUIRES_ENCRYPTION),
        (_WRITE_ENCRYPTED, kinds.WRITE_REQUIRES_ENCRYPTION),
    ):
        if flags & flag:
            permissions |= permission
    return permissions


def _value(
    handle: int, flags: int, read: ReadFromTag, write: WriteToTag
) -> CharacteristicValue[bytes]:
    async def read_value(connection: Connection) -> bytes:
        if not flags & _READ:
            raise att.ATT_Error(att.ATT_READ_NOT_PERMITTED_ERROR)
        return await read(connection, handle)

    async def write_value(connection: Connection, value: bytes) -> None:
        if not flags & _WRITE:
            raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)
        await write(connection, handle, bytes(value))

    return CharacteristicValue(read=read_value, write=write_value)
