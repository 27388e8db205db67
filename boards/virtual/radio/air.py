# SPDX-License-Identifier: MIT
"""The air between the controllers: bumble's LocalLink with what tests of a tag need.

Stock bumble 0.0.236 lacks, and this adds: the scan response, advertising intervals in HCI
units, non-connectable adverts, the true source address of a packet (else links by public
address never agree on an MTU), a connection that fails when the tag stopped advertising
meanwhile, and the report that a notification left the controller.
"""

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from bumble import controller as bumble_controller
from bumble import hci, ll
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

if TYPE_CHECKING:
    from boards.virtual.radio.controller import PacedController

_HCI_ADVERT_UNIT_S = 0.625e-3
_ADVERT_INTERVAL_MIN = 0x20  # 20 ms, Core 5.4 Vol 6 Part B 4.4.2.2.1
_ATT_CHANNEL = 4
_ATT_PUSHES = (0x1B, 0x1D)  # Handle Value Notification, Indication


class Air(LocalLink):
    """Carries packets between controllers; every one of them is a PacedController."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def send_acl_data(
        self,
        sender_controller: bumble_controller.Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Delivers one whole L2CAP PDU, or loses it when the peer is gone."""
        connection = sender_controller.le_connections.get(destination_address)
        if connection is None:
            return
        if _is_push(data):
            sender_controller.note_push_sent(connection.handle)  # type: ignore[attr-defined]
        receiver = self.find_le_controller(destination_address)
        if receiver is not None:
            asyncio.get_running_loop().call_soon(
                receiver.on_link_acl_data, connection.self_address, transport, data
            )

    def send_ll_control_pdu(
        self,
        sender_address: hci.Address,
        receiver_address: hci.Address,
        packet: ll.ControlPdu,
    ) -> None:
        """Delivers a link layer control PDU; bumble calls this by keyword."""
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)


def _is_push(pdu: bytes) -> bool:
    """Whether an L2CAP *pdu* is an ATT notification or indication."""
    return (
        len(pdu) > 4
        and int.from_bytes(pdu[2:4], "little") == _ATT_CHANNEL
        and pdu[4] in _ATT_PUSHES
    )


@dataclasses.dataclass
class Advert(ll.AdvInd):
    """An advertising PDU that carries its scan response and its type along."""

    scan_response: bytes = b""
    kind: int = 0  # HCI advertising type: 0 connectable, 2 scannable, 3 neither


class Advertiser(bumble_controller.LegacyAdvertiser):
    """Legacy advertising at the interval asked for, of every type."""

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        interval = max(self.advertising_interval_min, _ADVERT_INTERVAL_MIN)
        self.timer_handle = asyncio.get_running_loop().call_later(
            interval * _HCI_ADVERT_UNIT_S, self._on_timer_fired
        )

    def send_advertising_data(self) -> None:
        """Sends one advertising event to every scanner."""
        if self.enabled:
            self.controller.send_advertising_pdu(
                Advert(
                    advertiser_address=self.address,
                    data=bytes(self.advertising_data),
                    scan_response=bytes(self.scan_response_data),
                    kind=int(self.advertising_type),
                )
            )


def advertising_reports(advert: Advert, is_active_scan: bool) -> list[hci.HCI_Packet]:
    """Returns the HCI reports a scanning controller makes of *advert*."""
    parts = [(advert.kind, advert.data)]
    if is_active_scan and advert.kind in (0, 2):
        parts.append((4, advert.scan_response))
    return [_report(advert.advertiser_address, kind, data) for kind, data in parts]


def _report(address: hci.Address, kind: int, data: bytes) -> hci.HCI_Packet:
    event = hci.HCI_LE_Advertising_Report_Event
    return event(
        [
            event.Report(
                event_type=event.EventType(kind),
                address_type=hci.AddressType(address.address_type),
                address=address,
                data=data,
                rssi=RSSI_DBM,
            )
        ]
    )


RSSI_DBM = -50  # every tag is heard at this strength


def lose_link(controller: "PacedController", reason: int) -> None:
    """Ends every connection of *controller* at both ends, as a supervision timeout does."""
    for connection in list(controller.le_connections.values()):
        peer = controller.link.find_le_controller(connection.peer_address)
        controller.on_le_disconnected(connection, reason)
        for other in list(peer.le_connections.values()) if peer else []:
            if other.peer_address == connection.self_address:
                peer.on_le_disconnected(other, reason)  # type: ignore[union-attr]
