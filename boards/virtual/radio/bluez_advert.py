# SPDX-License-Identifier: MIT
"""Device1 properties from what a scan heard."""

from typing import Any

from bumble.core import AdvertisingData
from dbus_fast import Variant

from boards.virtual.radio.bluez_names import ADAPTER_PATH, uuid_text

_SERVICE_LISTS = (
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_SERVICE_DATA = (
    AdvertisingData.SERVICE_DATA_16_BIT_UUID,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID,
)


def heard_properties(advertisement: Any) -> dict[str, Variant]:
    """Returns the properties that one advertisement (with its scan response) sets.

    AdvertisingFlags is always one byte: Chromium dies of an empty one.
    """
    fields = advertisement.data
    uuids = [uuid_text(u) for kind in _SERVICE_LISTS for row in fields.get_all(kind) for u in row]
    makers = fields.get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA)
    services = [row for kind in _SERVICE_DATA for row in fields.get_all(kind)]
    flags = fields.get(AdvertisingData.FLAGS)
    kind = "random" if advertisement.address.is_random else "public"
    properties = {
        "AddressType": Variant("s", kind),
        "RSSI": Variant("n", advertisement.rssi),
        "ManufacturerData": Variant("a{qv}", {k: Variant("ay", bytes(v)) for k, v in makers}),
        "ServiceData": Variant(
            "a{sv}", {uuid_text(u): Variant("ay", bytes(v)) for u, v in services}
        ),
        "UUIDs": Variant("as", list(dict.fromkeys(uuids))),
        "AdvertisingFlags": Variant("ay", bytes([int(flags or 0) & 0xFF])),
    }
    name = fields.get(AdvertisingData.COMPLETE_LOCAL_NAME) or fields.get(
        AdvertisingData.SHORTENED_LOCAL_NAME
    )
    if name:
        properties |= {"Name": Variant("s", name), "Alias": Variant("s", name)}
    return properties


def new_device_properties(advertisement: Any) -> dict[str, Variant]:
    """Returns all properties of a device heard for the first time."""
    address = address_text(advertisement)
    no = Variant("b", False)
    return {
        "Address": Variant("s", address),
        "Alias": Variant("s", address.replace(":", "-")),
        "Adapter": Variant("o", ADAPTER_PATH),
        "Paired": no,
        "Bonded": no,
        "Trusted": no,
        "Blocked": no,
        "LegacyPairing": no,
        "Connected": no,
        "ServicesResolved": no,
        **heard_properties(advertisement),
    }


def address_text(advertisement: Any) -> str:
    """Returns "C0:FF:EE:00:00:02"."""
    return str(advertisement.address).split("/")[0]
