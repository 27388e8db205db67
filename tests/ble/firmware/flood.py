# SPDX-License-Identifier: MIT
"""Test tag without asyncio: notifies as fast as the queue takes it, and counts.

A write of u16 N to COMMAND sends N notifications `u32 number, 240 B`, retrying on ENOMEM;
handlers run inside time.sleep_ms. Then it prints how many were queued and what failed.
"""

import struct
import time

import bluetooth

ENOMEM = 12


def uuid(number):
    return bluetooth.UUID(f"7b1e{number:04x}-3c5a-4a8e-9f10-aabbccddeeff")


class Flood:
    def __init__(self):
        self.ble = bluetooth.BLE()
        self.ble.config(mtu=247)
        self.ble.active(True)
        self.ble.irq(self.interrupt)
        self.connection = None
        self.wanted = 0
        rows = ((uuid(2), bluetooth.FLAG_WRITE), (uuid(3), bluetooth.FLAG_NOTIFY))
        ((_, self.stream),) = self.ble.gatts_register_services(((uuid(1), rows),))

    def interrupt(self, event, event_data):
        if event == 1:
            self.connection = event_data[0]
        elif event == 2:
            self.connection = None
            self.advertise()
        elif event == 3:
            self.wanted = struct.unpack("<H", self.ble.gatts_read(event_data[1])[:2])[0]

    def advertise(self):
        self.ble.gap_advertise(50_000, adv_data=b"\x02\x01\x06\x06\x09FLOOD")

    def flood(self):
        queued = full = 0
        failed, connection = None, self.connection
        while queued < self.wanted and failed is None:
            try:
                self.ble.gatts_notify(
                    connection, self.stream, struct.pack("<I", queued) + bytes(240)
                )
                queued += 1
            except OSError as e:
                if e.errno == ENOMEM:
                    full += 1
                    time.sleep_ms(1)
                else:
                    failed = e.errno
        self.wanted = 0
        print("FLOOD", queued, full, failed)

    def run(self):
        self.advertise()
        while True:
            time.sleep_ms(5)
            if self.wanted and self.connection is not None:
                self.flood()


Flood().run()
