# SPDX-License-Identifier: MIT
"""A tree of D-Bus objects with properties, as org.freedesktop.DBus.ObjectManager shows it.

`ObjectTree` answers GetManagedObjects, Get, GetAll and Set itself and gives every other
method call to the function registered for (interface, member). Calls run as tasks, so a
slow read of one characteristic stops no other.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from dbus_fast import BusType, DBusError, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus

__all__ = ["Method", "ObjectTree", "Properties", "PropertyAccess", "Variant"]

_log = logging.getLogger("radio.dbus")
_OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
_INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_DAEMON = "org.freedesktop.DBus"

Properties = dict[str, Variant]
# Gets (message, reference of the object), returns (signature, body) or None.
Method = Callable[[Message, Any], Awaitable[tuple[str, list[Any]] | None]]


class _PatientSocket:
    """The bus socket, for which a full buffer means *later* and not *broken*.

    dbus-fast 5.2.0 drops the bus when send() raises BlockingIOError; told that 0 bytes
    went out it waits for the socket. A burst of notifications meets this.
    """

    def __init__(self, bus_socket: socket.socket) -> None:
        self._socket = bus_socket

    def send(self, data: bytes) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def sendmsg(self, *arguments: Any) -> int:
        return self._socket.sendmsg(*arguments)


class ObjectTree:
    """Objects by path; each has interfaces with properties, and a reference for its methods."""

    def __init__(self, errors: Callable[[BaseException], DBusError]) -> None:
        self._errors = errors
        self._objects: dict[str, tuple[dict[str, Properties], Any]] = {}
        self._methods: dict[tuple[str, str], Method] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._bus: MessageBus
        self.on_client_gone: Callable[[str], Awaitable[None]] | None = None

    async def connect(self, bus_name: str) -> None:
        """Takes *bus_name* on the bus of DBUS_SYSTEM_BUS_ADDRESS."""
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        bus: Any = self._bus  # its writer and socket are not public: dbus-fast is pinned
        bus._writer.sock = _PatientSocket(bus._sock)
        self._bus.add_message_handler(self._message)
        await self._bus.call(
            Message(
                destination=_DAEMON,
                path="/org/freedesktop/DBus",
                interface=_DAEMON,
                member="AddMatch",
                signature="s",
                body=["type='signal',member='NameOwnerChanged'"],
            )
        )
        await self._bus.request_name(bus_name)

    async def disconnect(self) -> None:
        """Leaves the bus."""
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    @property
    def is_connected(self) -> bool:
        """Whether the bus is still there."""
        return self._bus.connected

    async def flush(self) -> None:
        """Waits until the bus daemon has taken everything sent so far."""
        await self._bus.call(
            Message(
                destination=_DAEMON,
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus.Peer",
                member="Ping",
            )
        )

    def method(self, interface: str, member: str, function: Method) -> None:
        """Registers *function* for calls of interface.member on any object that has it."""
        self._methods[interface, member] = function

    def __contains__(self, path: str) -> bool:
        return path in self._objects

    def reference(self, path: str) -> Any:
        """What add() got for *path*; KeyError when there is no such object."""
        return self._objects[path][1]

    def add(
        self, path: str, interface: str, properties: Properties, reference: Any = None
    ) -> None:
        """Adds an object and tells everybody."""
        interfaces = {interface: properties}
        self._objects[path] = (interfaces, reference)
        self._signal(
            "/",
            _OBJECT_MANAGER,
            "InterfacesAdded",
            "oa{sa{sv}}",
            [path, {**interfaces, _PROPERTIES: {}}],
        )

    def remove(self, path: str) -> None:
        """Removes an object and tells everybody."""
        interfaces, _ = self._objects.pop(path)
        self._signal("/", _OBJECT_MANAGER, "InterfacesRemoved", "oas", [path, list(interfaces)])

    def set(self, path: str, interface: str, **properties: Variant) -> None:
        """Changes properties, if the object is still there, and tells everybody."""
        if path in self._objects:
            self._objects[path][0][interface].update(properties)
            body = [interface, properties, []]
            self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: Any) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))

    # Calls.

    def _message(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL:
            if message.member == "NameOwnerChanged" and not message.body[2]:
                self._run(self._client_gone(message.body[0]))
            return None
        if message.message_type is MessageType.METHOD_CALL:
            return self._method_call(message)
        return None

    def _method_call(self, message: Message) -> Message | bool | None:
        """Returns the answer, True when a task will give it, None for *unknown method*."""
        if message.member == "GetManagedObjects":
            tree = {path: {**rows, _PROPERTIES: {}} for path, (rows, _) in self._objects.items()}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [tree])
        if message.path not in self._objects and message.interface != _INTROSPECTABLE:
            return Message.new_error(message, _DAEMON + ".Error.UnknownObject", message.path or "")
        if message.interface == _PROPERTIES:
            return self._property(message)
        interfaces, reference = self._objects.get(message.path or "", ({}, None))
        function = self._methods.get((message.interface or "", message.member or ""))
        if function is None or message.interface not in interfaces:
            return None
        self._run(self._call(function, message, reference))
        return True

    def _property(self, message: Message) -> Message:
        interfaces, _ = self._objects[message.path or ""]
        properties = interfaces.get(message.body[0], {})
        if message.member == "GetAll":
            return Message.new_method_return(message, "a{sv}", [properties])
        name = message.body[1]
        if message.member == "Set":
            self.set(message.path or "", message.body[0], **{name: message.body[2]})
            return Message.new_method_return(message)
        if name not in properties:
            return Message.new_error(message, _DAEMON + ".Error.InvalidArgs", f"no {name}")
        return Message.new_method_return(message, "v", [properties[name]])

    async def _call(self, function: Method, message: Message, reference: Any) -> None:
        # A link that drops during a request cancels it: CancelledError, a BaseException.
        try:
            result = await function(message, reference)
            reply = Message.new_method_return(message, *(result or ()))
        except (Exception, asyncio.CancelledError) as reason:
            error = self._errors(reason)
            reply = Message.new_error(message, error.type, error.text)
        self._bus.send(reply)

    async def _client_gone(self, name: str) -> None:
        if self.on_client_gone is not None:
            await self.on_client_gone(name)

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
