# SPDX-License-Identifier: MIT
"""Names and errors of org.bluez, as doc/*-api.txt of BlueZ 5 gives them."""

import asyncio
import logging

from bumble import att, core
from bumble.core import UUID
from dbus_fast import DBusError

BUS_NAME = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
AGENT_MANAGER = "org.bluez.AgentManager1"
ADAPTER_PATH = "/org/bluez/hci0"

_log = logging.getLogger("radio.bluez")
_ATT_NAMES = {
    0x02: "NotPermitted",
    0x03: "NotPermitted",
    0x05: "NotAuthorized",
    0x06: "NotSupported",
    0x07: "InvalidOffset",
    0x0D: "InvalidValueLength",
}


def bluez_error(name: str, text: str = "") -> DBusError:
    """Returns org.bluez.Error.*name*."""
    return DBusError("org.bluez.Error." + name, text)


def error_of(reason: BaseException) -> DBusError:
    """Returns what bluetoothd would answer for *reason*; an unexpected one is logged."""
    if isinstance(reason, DBusError):
        return reason
    if isinstance(reason, att.ATT_Error):
        code = int(reason.error_code)
        if code in _ATT_NAMES:
            return bluez_error(_ATT_NAMES[code])
        return bluez_error("Failed", f"Operation failed with ATT error: 0x{code:02x}")
    if not isinstance(reason, core.BaseBumbleError | TimeoutError | asyncio.CancelledError):
        _log.error("unexpected", exc_info=reason)
    return bluez_error("Failed", repr(reason))


def uuid_text(uuid: UUID) -> str:
    """Returns the 128-bit text form, in lower case as BlueZ has it."""
    raw = uuid.to_bytes()
    if len(raw) == 16:
        return str(uuid.to_hex_str("-")).lower()
    return f"{int.from_bytes(raw, 'little'):08x}-0000-1000-8000-00805f9b34fb"
