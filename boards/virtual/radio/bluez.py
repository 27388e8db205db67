# SPDX-License-Identifier: MIT
"""org.bluez on a private system bus, backed by a bumble central on the Air.

Unmodified bleak and unmodified Chromium talk to it as to bluetoothd. Central role only,
one adapter (hci0). As in bluetoothd, Connect returns when the link is up and
ServicesResolved follows; a device not heard for 30 s and not connected is forgotten.

KNOWN LIMIT: no pairing beyond a stub, no AcquireNotify/AcquireWrite, RSSI stays after a scan.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any

from bumble import core, hci
from bumble.device import Connection, Device
from dbus_fast import Message, Variant

from boards.virtual.radio import bluez_names as names
from boards.virtual.radio.bluez_advert import (
    address_text,
    heard_properties,
    new_device_properties,
)
from boards.virtual.radio.bluez_gatt import GattObjects
from boards.virtual.radio.bluez_names import ADAPTER, ADAPTER_PATH, DEVICE, bluez_error, error_of
from boards.virtual.radio.object_tree import ObjectTree, Properties

_log = logging.getLogger("radio.bluez")
_CONNECT_TIMEOUT_S = 20
_CANCEL_TRIES = 20
_CANCEL_PAUSE_S = 0.05
_FORGET_S = 30.0  # BlueZ main.conf, TemporaryTimeout


@dataclass
class RemoteDevice:
    """One advertiser. `connection` is set by Connect and cleared by the disconnection.

    `wanted_by` is the client whose Connect is under way, "" when there is none.
    """

    path: str
    address: hci.Address
    heard_s: float
    connection: Connection | None = None
    wanted_by: str = ""
    gatt_paths: list[str] = field(default_factory=list)


class BlueZ:
    """Owns the name org.bluez once start() returned."""

    def __init__(self, central: Device) -> None:
        self._central = central
        self._tree = ObjectTree(error_of)
        self._gatt = GattObjects(self._tree)
        self._scanners: set[str] = set()
        self._devices: dict[str, RemoteDevice] = {}
        self._connecting = asyncio.Lock()  # a controller makes one connection at a time
        self._attempted: RemoteDevice | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Puts adapter and methods on the bus."""
        for interface, functions in (
            (ADAPTER, (self.StartDiscovery, self.StopDiscovery, self.SetDiscoveryFilter)),
            (ADAPTER, (self.RemoveDevice, self.GetDiscoveryFilters)),
            (DEVICE, (self.Connect, self.Disconnect, self.Pair, self.CancelPairing)),
            (names.AGENT_MANAGER, (self.RegisterAgent, self.UnregisterAgent)),
            (names.AGENT_MANAGER, (self.RequestDefaultAgent,)),
        ):
            for function in functions:
                self._tree.method(interface, function.__name__, function)
        self._tree.on_client_gone = self._client_gone
        self._central.on("advertisement", self._heard)
        await self._tree.connect(names.BUS_NAME)
        self._tree.add("/org/bluez", names.AGENT_MANAGER, {})
        address = str(self._central.random_address).split("/")[0]
        self._tree.add(ADAPTER_PATH, ADAPTER, _adapter_properties(address))

    # Adapter1. Methods have D-Bus's names and get (message, reference).

    async def StartDiscovery(self, message: Message, _: Any) -> None:
        if message.sender in self._scanners:
            raise bluez_error("InProgress", "Operation already in progress")
        self._scanners.add(message.sender or "")
        if len(self._scanners) == 1:
            self._forget_old()
            await self._central.start_scanning()
            self._tree.set(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", True))

    async def StopDiscovery(self, message: Message, _: Any) -> None:
        if message.sender not in self._scanners:
            raise bluez_error("Failed", "No discovery started")
        await self._stop_scan(message.sender or "")

    async def _stop_scan(self, client: str) -> None:
        self._scanners.discard(client)
        if not self._scanners:
            await self._central.stop_scanning()
            self._tree.set(ADAPTER_PATH, ADAPTER, Discovering=Variant("b", False))

    async def SetDiscoveryFilter(self, message: Message, _: Any) -> None:
        pass  # everything is reported: clients filter for themselves, too

    async def GetDiscoveryFilters(self, message: Message, _: Any) -> tuple[str, list[Any]]:
        return "as", [["UUIDs", "Transport", "DuplicateData"]]

    async def RemoveDevice(self, message: Message, _: Any) -> None:
        device = self._devices.get(message.body[0])
        if device is None:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        await self.Disconnect(message, device)
        self._forget(device)

    async def RegisterAgent(self, message: Message, _: Any) -> None:
        pass  # there is no pairing, so no agent is ever asked

    UnregisterAgent = RequestDefaultAgent = RegisterAgent

    def _heard(self, advertisement: Any) -> None:
        path = f"{ADAPTER_PATH}/dev_{address_text(advertisement).replace(':', '_')}"
        now_s = asyncio.get_running_loop().time()
        device = self._devices.get(path)
        if device is not None:
            device.heard_s = now_s
            if device.connection is None:
                device.address = advertisement.address  # the same bits may change their kind
            self._tree.set(path, DEVICE, **heard_properties(advertisement))
            return
        self._forget_old()
        device = self._devices[path] = RemoteDevice(path, advertisement.address, now_s)
        self._tree.add(path, DEVICE, new_device_properties(advertisement), device)

    def _forget_old(self) -> None:
        """Private tags change addresses; what is silent must not pile up."""
        now_s = asyncio.get_running_loop().time()
        for device in list(self._devices.values()):
            if device.connection is None and now_s - device.heard_s > _FORGET_S:
                self._forget(device)

    def _forget(self, device: RemoteDevice) -> None:
        if self._devices.get(device.path) is device:
            del self._devices[device.path]
            self._tree.remove(device.path)

    # Device1.

    async def Connect(self, message: Message, device: RemoteDevice) -> None:
        if device.wanted_by:
            raise bluez_error("InProgress", "Operation already in progress")
        device.wanted_by = message.sender or "?"
        try:
            async with self._connecting:
                self._attempted = device
                try:
                    await self._connect(device)
                finally:
                    self._attempted = None
        finally:
            device.wanted_by = ""

    async def _connect(self, device: RemoteDevice) -> None:
        if device.connection is not None:
            return
        if not device.wanted_by:
            raise bluez_error("Failed", "le-connection-abort-by-local")
        try:
            connection = await self._central.connect(
                device.address, transport=core.PhysicalTransport.LE, timeout=_CONNECT_TIMEOUT_S
            )
        except (core.ConnectionError, core.TimeoutError, TimeoutError) as reason:
            raise bluez_error("Failed", "le-connection-abort-by-local") from reason
        if self._central.lookup_connection(connection.handle) is not connection:
            # Lost before anybody could listen for the loss: its event will not come again.
            raise bluez_error("Failed", "le-connection-abort-by-remote")
        if not device.wanted_by:
            await connection.disconnect()
            raise bluez_error("Failed", "le-connection-abort-by-local")
        self._up(device, connection)

    def _up(self, device: RemoteDevice, connection: Connection) -> None:
        """Tells everybody of a new link, and starts to look for its services."""
        device.connection = connection
        connection.on(connection.EVENT_DISCONNECTION, lambda reason: self._gone(device, reason))
        self._tree.set(device.path, DEVICE, Connected=Variant("b", True))
        task = asyncio.create_task(self._resolve(device, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, device: RemoteDevice, connection: Connection) -> None:
        try:
            device.gatt_paths = await self._gatt.discover(device.path, connection)
        except (core.BaseBumbleError, TimeoutError, asyncio.CancelledError) as reason:
            # A client waits for services or for the end of the link: give it one of the two.
            _log.warning("no services of %s: %r", device.path, reason)
            if device.connection is connection:
                await connection.disconnect()
            return
        if device.connection is connection:
            self._tree.set(device.path, DEVICE, ServicesResolved=Variant("b", True))
        else:
            self._gatt.remove(device.gatt_paths)

    def _gone(self, device: RemoteDevice, reason: int) -> None:
        _log.info("disconnected %s reason %s", device.path, reason)
        device.connection = None
        device.heard_s = asyncio.get_running_loop().time()
        self._gatt.remove(device.gatt_paths)
        device.gatt_paths = []
        self._tree.set(device.path, DEVICE, ServicesResolved=Variant("b", False))
        self._tree.set(device.path, DEVICE, Connected=Variant("b", False))

    async def Disconnect(self, message: Message, device: RemoteDevice) -> None:
        if device.connection is not None:
            await device.connection.disconnect()
        else:
            await self._stop_connecting(device)

    async def _stop_connecting(self, device: RemoteDevice) -> None:
        """Ends a Connect under way, as bluetoothd does: it would hold up everybody else's."""
        sender, device.wanted_by = device.wanted_by, ""
        if not sender or self._attempted is not device:
            return
        for _ in range(_CANCEL_TRIES):  # a cancel may come before the command it is for
            if self._attempted is not device:
                return
            with contextlib.suppress(hci.HCI_Error):  # just connected: _connect ends that
                await self._central.send_sync_command(
                    hci.HCI_LE_Create_Connection_Cancel_Command()
                )
            await asyncio.sleep(_CANCEL_PAUSE_S)

    async def Pair(self, message: Message, device: RemoteDevice) -> None:
        raise bluez_error("AuthenticationRejected", "this radio does not pair")

    async def CancelPairing(self, message: Message, device: RemoteDevice) -> None:
        pass

    async def _client_gone(self, client: str) -> None:
        """A client left the bus: scan, Connect and subscriptions end, as in bluetoothd."""
        if client in self._scanners:
            await self._stop_scan(client)
        for device in [d for d in self._devices.values() if d.wanted_by == client]:
            await self._stop_connecting(device)
        await self._gatt.client_gone(client)


def _adapter_properties(address: str) -> Properties:
    yes, no = Variant("b", True), Variant("b", False)
    return {
        "Address": Variant("s", address),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "sealtrail-radio"),
        "Alias": Variant("s", "sealtrail-radio"),
        "Class": Variant("u", 0),
        "Powered": yes,
        "PowerState": Variant("s", "on"),
        "Discoverable": no,
        "DiscoverableTimeout": Variant("u", 0),
        "Pairable": no,
        "PairableTimeout": Variant("u", 0),
        "Discovering": no,
        "UUIDs": Variant("as", []),
        "Modalias": Variant("s", "usb:v1D6Bp0246d0537"),
        "Roles": Variant("as", ["central"]),
    }
