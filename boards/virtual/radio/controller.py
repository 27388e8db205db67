# SPDX-License-Identifier: MIT
"""A virtual BLE controller with finite buffers, paced by connection events.

A packet handed to a real controller is *completed* when a connection event has carried it.
Here `Pace(interval_ms, per_event)` says how many packets an event carries; interval 0 means
at once. The cap of a paced link is per_event * (MTU - 3) bytes every interval.
Only data towards the air is paced: a round trip costs the sender's interval once.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Any, NamedTuple

from bumble import controller as bumble_controller
from bumble import hci
from bumble.core import PhysicalTransport
from bumble.device import Device
from bumble.host import Host

from boards.virtual.radio.air import Advert, Advertiser, Air, advertising_reports, lose_link

ACL_SIZE = 251  # bytes; NimBLE's HCI UART takes no more than 260
ACL_COUNT = 12
_ESTABLISH_S = 0.05
_NOT_ESTABLISHED = 0x3E  # Core 5.4 Vol 1 Part F 2.58


class Pace(NamedTuple):
    """Packets per connection event and the time between events, in ms (0: no pacing)."""

    interval_ms: float = 0.0
    per_event: int = 6


class PacedController(bumble_controller.Controller):
    """One controller on the Air. `is_mute` is set for good when its tag lost power."""

    def __init__(self, name: str, air: Air, pace: Pace, **options: Any) -> None:
        super().__init__(name, link=air, **options)
        self.pace = pace
        self.is_mute = False
        self.on_push_sent: Callable[[int], None] | None = None
        self.le_legacy_advertiser = Advertiser(self)
        # Legacy advertising only: what aioble and most phones still use.
        self.le_features &= ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        self.le_acl_data_packet_length = self.acl_data_packet_length = ACL_SIZE
        self.total_num_le_acl_data_packets = self.total_num_acl_data_packets = ACL_COUNT
        self.supported_max_tx_octets = self.supported_max_rx_octets = ACL_SIZE
        self._waiting: dict[int, collections.deque[hci.HCI_AclDataPacket]] = {}
        self._pumps: dict[int, asyncio.Task[None]] = {}

    # Host to air.

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Takes one packet from the host; completes it at a coming connection event."""
        connection = self.find_connection_by_handle(packet.connection_handle)
        if connection is None or self.is_mute:
            return
        if not self.pace.interval_ms:
            self._carry(connection, [packet])
            return
        handle = connection.handle
        self._waiting.setdefault(handle, collections.deque()).append(packet)
        if handle not in self._pumps:
            self._pumps[handle] = asyncio.create_task(self._pump(connection))

    def _carry(self, connection: Any, packets: list[hci.HCI_AclDataPacket]) -> None:
        for packet in packets:
            connection.assembler.feed_packet(packet)
        self.send_hci_packet(
            hci.HCI_Number_Of_Completed_Packets_Event(
                connection_handles=[connection.handle], num_completed_packets=[len(packets)]
            )
        )

    async def _pump(self, connection: Any) -> None:
        """Runs connection events while packets wait."""
        loop, handle = asyncio.get_running_loop(), connection.handle
        due, waiting = loop.time(), self._waiting[handle]
        try:
            while waiting:
                due = max(due + self.pace.interval_ms / 1000, loop.time())
                await asyncio.sleep(due - loop.time())
                if self.is_mute or self.find_connection_by_handle(handle) is not connection:
                    return  # what waited is lost with the link
                count = min(self.pace.per_event, len(waiting))
                if count:
                    self._carry(connection, [waiting.popleft() for _ in range(count)])
        finally:
            if self._pumps.get(handle) is asyncio.current_task():
                del self._pumps[handle]

    def note_push_sent(self, handle: int) -> None:
        """Told by the Air: a notification or indication of connection *handle* is out."""
        if self.on_push_sent is not None:
            self.on_push_sent(handle)

    # Air to host.

    def on_link_acl_data(
        self, sender_address: hci.Address, transport: PhysicalTransport, data: bytes
    ) -> None:
        """Passes one L2CAP PDU up, in fragments the host's buffers can take."""
        connection = self.le_connections.get(sender_address)
        if connection is None or self.is_mute:
            return
        for offset in range(0, len(data), ACL_SIZE):
            part = data[offset : offset + ACL_SIZE]
            flag = 1 if offset else 2  # continuing, or first, fragment
            self.send_hci_packet(
                hci.HCI_AclDataPacket(connection.handle, flag, 0, len(part), part)
            )

    def on_advertising_pdu(self, pdu: Any) -> None:
        """Reports an advert when scanning, and connects when one was waited for."""
        if not isinstance(pdu, Advert):
            super().on_advertising_pdu(pdu)
            return
        if self.le_scan_enable:
            for report in advertising_reports(pdu, bool(self.le_scan_type)):
                self.send_hci_packet(report)
        pending = self.pending_le_connection
        if pdu.kind == 0 and pending and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)
            asyncio.get_running_loop().call_later(
                _ESTABLISH_S,
                self._check_established,
                self.le_connections.get(pdu.advertiser_address),
            )

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Ends the waiting for an advert, and says so by an event (Core 5.4 Vol 4 E 7.8.13).

        Bumble's own only answers: its host then waits for that event for ever.
        """
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        ended = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)  # after the answer
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def _check_established(self, connection: Any) -> None:
        """Fails a connection whose peer stopped advertising just before it was asked."""
        if connection is None:
            return
        here, there = connection.self_address, connection.peer_address
        if self.find_connection_by_handle(connection.handle) is not connection:
            return  # it has ended already
        links: list[Any] = [
            link
            for other in self.link.controllers
            if other is not self
            for link in other.le_connections.values()
        ]
        if not any(x.self_address == there and x.peer_address == here for x in links):
            self.on_le_disconnected(connection, _NOT_ESTABLISHED)

    def on_le_disconnected(self, connection: Any, reason: int) -> None:
        """Forgets a connection and everything that waited for it."""
        self._waiting.pop(connection.handle, None)
        pump = self._pumps.pop(connection.handle, None)
        if pump is not None and pump is not asyncio.current_task():
            pump.cancel()
        super().on_le_disconnected(connection, reason)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> Any:
        """HCI Reset: a host that booted again has no connections and no adverts."""
        self.le_legacy_advertiser.stop()
        lose_link(self, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        return super().on_hci_reset_command(command)


def new_node(name: str, mac: str, air: Air, pace: Pace) -> tuple[Device, PacedController]:
    """Returns a bumble host and its controller on *air*.

    *mac* ("C0:FF:EE:00:00:02") is its public address, and its random address until the
    host sets another.
    """
    controller = PacedController(
        name, air, pace, public_address=hci.Address(mac, hci.Address.PUBLIC_DEVICE_ADDRESS)
    )
    host = Host()
    host.controller = controller
    address = hci.Address(mac, hci.Address.RANDOM_DEVICE_ADDRESS)
    return Device(name=name, address=address, host=host), controller
