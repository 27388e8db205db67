# SPDX-License-Identifier: MIT
"""The GATT half of the org.bluez facade: services, characteristics, descriptors.

A service found on a connection becomes D-Bus objects under its device; reads, writes and
subscriptions on them become ATT requests. What is removed stays unknown for good: a late
call gets UnknownObject, as from bluetoothd.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bumble.device import Connection, Peer
from dbus_fast import Message, Variant

from boards.virtual.radio import bluez_names as names
from boards.virtual.radio.bluez_names import CHARACTERISTIC, DESCRIPTOR, bluez_error, uuid_text
from boards.virtual.radio.object_tree import ObjectTree

_T = TypeVar("_T")
_MTU_WANTED = 517  # BlueZ main.conf, ExchangeMTU
_GENERIC_ACCESS = "00001800"
_WRITE_WITH_RESPONSE = 0x08
_FLAGS = {
    "broadcast": 0x01,
    "read": 0x02,
    "write-without-response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
}


@dataclass
class Attribute:
    """A characteristic or descriptor: where it lives and who listens to it."""

    connection: Connection
    proxy: Any
    mtu: int
    listeners: set[str] = field(default_factory=set)
    on_value: Callable[[bytes], None] | None = None

    @property
    def properties(self) -> int:
        """GATT property bits; a descriptor is written with a response."""
        return int(getattr(self.proxy, "properties", _WRITE_WITH_RESPONSE))

    async def ask(self, request: Awaitable[_T]) -> _T:
        """Runs an ATT request that ends with the connection."""
        connection = self.connection
        if connection.device.lookup_connection(connection.handle) is not connection:
            asyncio.ensure_future(request).cancel()
            raise bluez_error("Failed", "Not connected")
        return await connection.cancel_on_disconnection(request)


class GattObjects:
    """GATT objects of all connected devices on one tree."""

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._listening: dict[str, Attribute] = {}
        for interface in (CHARACTERISTIC, DESCRIPTOR):
            tree.method(interface, "ReadValue", self.ReadValue)
            tree.method(interface, "WriteValue", self.WriteValue)
        tree.method(CHARACTERISTIC, "StartNotify", self.StartNotify)
        tree.method(CHARACTERISTIC, "StopNotify", self.StopNotify)

    async def discover(self, device_path: str, connection: Connection) -> list[str]:
        """Agrees on an MTU, finds all services, returns the paths of the new objects."""
        peer = Peer(connection)
        await peer.request_mtu(_MTU_WANTED)
        await peer.discover_all()  # type: ignore[no-untyped-call]
        paths: list[str] = []
        for service in peer.services:
            uuid = uuid_text(service.uuid)
            if uuid.startswith(_GENERIC_ACCESS):
                continue  # bluetoothd keeps it for itself
            path = f"{device_path}/service{service.handle:04x}"
            paths.append(path)
            self._tree.add(
                path,
                names.SERVICE,
                {
                    "UUID": Variant("s", uuid),
                    "Device": Variant("o", device_path),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                },
            )
            for proxy in service.characteristics:
                paths += self._add_characteristic(path, peer, proxy)
        return paths

    def _add_characteristic(self, service_path: str, peer: Peer, proxy: Any) -> list[str]:
        path = f"{service_path}/char{proxy.handle:04x}"
        attribute = Attribute(peer.connection, proxy, peer.gatt_client.mtu)
        bits = int(proxy.properties)
        properties = {
            "UUID": Variant("s", uuid_text(proxy.uuid)),
            "Service": Variant("o", service_path),
            "Value": Variant("ay", b""),
            "Notifying": Variant("b", False),
            "Flags": Variant("as", [flag for flag, bit in _FLAGS.items() if bits & bit]),
            "MTU": Variant("q", attribute.mtu),
        }
        self._tree.add(path, CHARACTERISTIC, properties, attribute)
        paths = [path]
        for descriptor in proxy.descriptors:
            paths.append(f"{path}/desc{descriptor.handle:04x}")
            properties = {
                "UUID": Variant("s", uuid_text(descriptor.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
            }
            reference = Attribute(peer.connection, descriptor, attribute.mtu)
            self._tree.add(paths[-1], DESCRIPTOR, properties, reference)
        return paths

    def remove(self, paths: list[str]) -> None:
        """Takes the objects of a lost connection off the bus, leaves first."""
        for path in reversed(paths):
            self._listening.pop(path, None)
            self._tree.remove(path)

    # GattCharacteristic1 and GattDescriptor1. Methods have D-Bus's names.

    async def ReadValue(self, message: Message, attribute: Attribute) -> tuple[str, list[Any]]:
        value = bytes(await attribute.ask(attribute.proxy.read_value()))
        offset = message.body[0].get("offset")
        return "ay", [value[offset.value if offset else 0 :]]

    async def WriteValue(self, message: Message, attribute: Attribute) -> None:
        value, options = bytes(message.body[0]), message.body[1]
        kind = options.get("type")
        with_response = (
            kind.value != "command" if kind else bool(attribute.properties & _WRITE_WITH_RESPONSE)
        )
        if not with_response and len(value) > attribute.mtu - 3:
            raise bluez_error("Failed", "Failed to initiate write")
        await attribute.ask(attribute.proxy.write_value(value, with_response=with_response))

    async def StartNotify(self, message: Message, attribute: Attribute) -> None:
        path = message.path or ""
        attribute.listeners.add(message.sender or "")
        if len(attribute.listeners) > 1:
            return
        self._listening[path] = attribute
        attribute.on_value = lambda value: self._tree.set(
            path, CHARACTERISTIC, Value=Variant("ay", bytes(value))
        )
        await attribute.ask(attribute.proxy.subscribe(attribute.on_value))
        self._tree.set(path, CHARACTERISTIC, Notifying=Variant("b", True))

    async def StopNotify(self, message: Message, attribute: Attribute) -> None:
        await self._stop(message.path or "", message.sender or "")

    async def client_gone(self, client: str) -> None:
        """Ends the subscriptions of a client that left the bus."""
        for path in [p for p, a in self._listening.items() if client in a.listeners]:
            await self._stop(path, client)

    async def _stop(self, path: str, client: str) -> None:
        attribute = self._listening.get(path)
        if attribute is None:
            return
        attribute.listeners.discard(client)
        if attribute.listeners:
            return
        del self._listening[path]
        self._tree.set(path, CHARACTERISTIC, Notifying=Variant("b", False))
        await attribute.ask(attribute.proxy.unsubscribe(attribute.on_value))
