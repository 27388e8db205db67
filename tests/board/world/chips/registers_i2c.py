# SPDX-License-Identifier: MIT
"""256 registers that keep what is written to them. For MicroPython."""


class RegistersI2c:
    def __init__(self, address):
        self.address = address
        self._registers = bytearray(range(256))

    def read(self, register, size):
        return self._registers[register : register + size]

    def write(self, register, content):
        self._registers[register : register + len(content)] = content


def make(wiring, environment, pin):
    return RegistersI2c(wiring["address"])
