# SPDX-License-Identifier: MIT
"""Test tag on the `bluetooth` module alone: one characteristic for each thing to look at.

A write to CONTROL is a command: b"mode N" sets the address mode, b"bye" ends the link,
b"notify N" sends N bytes, b"indicate N" indicates them, b"deny N" refuses reads of SECRET,
b"slow N" keeps the handler busy for N ms.
"""

import asyncio
import time

import bluetooth

NAME = b"PLAIN"
MTU = 517


def uuid(number):
    return bluetooth.UUID(f"7b1e{number:04x}-3c5a-4a8e-9f10-aabbccddeeff")


class Tag:
    def __init__(self):
        self.ble = ble = bluetooth.BLE()
        ble.config(mtu=MTU, gap_name=NAME)
        ble.active(True)
        ble.irq(self.interrupt)
        self.denied = 0
        self.reads = 0
        self.ended = asyncio.Event()
        write, read = bluetooth.FLAG_WRITE, bluetooth.FLAG_READ
        user_description = (bluetooth.UUID(0x2901), read)
        rows = (
            (uuid(2), write | bluetooth.FLAG_WRITE_NO_RESPONSE),  # CONTROL
            (uuid(3), read | bluetooth.FLAG_NOTIFY, (user_description,)),  # NOTES
            (uuid(4), bluetooth.FLAG_INDICATE),  # INDICATIONS
            (uuid(5), read | write),  # STORE, 400 bytes
            (uuid(6), read),  # SECRET
        )
        ((self.control, self.notes, described, self.told, self.store, self.secret),) = (
            ble.gatts_register_services(((uuid(1), rows),))
        )
        ble.gatts_set_buffer(self.store, 400)
        ble.gatts_write(described, b"what happens")
        ble.gatts_write(self.secret, b"hidden")

    def interrupt(self, event, event_data):
        if event == 1:
            self.connection = event_data[0]
        elif event == 2:
            self.ended.set()
        elif event == 3 and event_data[1] == self.control:
            self.obey(bytes(self.ble.gatts_read(self.control)).split())
        elif event == 4 and event_data[1] == self.secret:
            self.reads += 1
            return self.denied
        elif event == 20:
            print("indicated", event_data[2])
        return None

    def obey(self, words):
        number = int(words[1]) if len(words) > 1 else 0
        if words[0] == b"mode":
            self.ble.config(addr_mode=number)
        elif words[0] == b"deny":
            self.denied = number
        elif words[0] == b"notify":
            self.ble.gatts_notify(self.connection, self.notes, bytes(number))
        elif words[0] == b"indicate":
            self.ble.gatts_indicate(self.connection, self.told, bytes(number))
        elif words[0] == b"slow":
            time.sleep_ms(number)
        elif words[0] == b"bye":
            self.ble.gap_disconnect(self.connection)

    async def run(self):
        service = b"\x11\x07" + bytes(uuid(1))
        response = bytes((len(NAME) + 1, 9)) + NAME + b"\x05\xff" + b"\xff\xffid"
        while True:
            self.ble.gap_advertise(50_000, adv_data=b"\x02\x01\x06" + service, resp_data=response)
            await self.ended.wait()
            self.ended.clear()


asyncio.run(Tag().run())
