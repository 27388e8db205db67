# SPDX-License-Identifier: MIT
"""Peers, connections and timeouts of the aioble stand-in."""

import asyncio

import bluetooth


class DeviceDisconnectedError(Exception):
    """The connection ended inside `with connection.timeout()`."""


class Device:
    """A peer's address: six bytes or "aa:bb:..."."""

    def __init__(self, addr_type, addr):
        self.addr_type = addr_type
        if isinstance(addr, str):
            addr = bytes(int(part, 16) for part in addr.split(":"))
        self.addr = bytes(addr)
        self._connection = None

    def __eq__(self, other):
        return self.addr_type == other.addr_type and self.addr == other.addr

    def __hash__(self):
        return hash((self.addr_type, self.addr))

    def addr_hex(self):
        return ":".join(f"{part:02x}" for part in self.addr)

    def __str__(self):
        kind = "ADDR_RANDOM" if self.addr_type else "ADDR_PUBLIC"
        state = ", CONNECTED" if self._connection else ""
        return f"Device({kind}, {self.addr_hex()}{state})"


class Timeout:
    """A block that ends after *timeout_ms* (None: never) or with *connection* (if not None).

    As aioble's, it does not notice a connection that ended before the block began.
    """

    def __init__(self, connection, timeout_ms):
        self._connection, self._timeout_ms = connection, timeout_ms
        self._reason = self._timer = self._task = None

    def end(self, reason):
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    async def _run_timer(self):
        await asyncio.sleep_ms(self._timeout_ms)
        self._timer = None
        self.end(asyncio.TimeoutError)

    def __enter__(self):
        self._task = asyncio.current_task()
        if self._connection:
            self._connection._blocks.append(self)
        if self._timeout_ms:
            self._timer = asyncio.create_task(self._run_timer())
        return self

    def __exit__(self, kind, value, trace):
        if self._connection and self in self._connection._blocks:
            self._connection._blocks.remove(self)
        if self._timer:
            self._timer.cancel()
        if self._reason and kind is asyncio.CancelledError:
            raise self._reason()


class DeviceConnection:
    """One connection. `mtu` is None until it was exchanged."""

    def __init__(self, device, handle):
        self.device = device
        device._connection = self
        self.mtu = None
        self._conn_handle = handle
        self._blocks = []
        self._ended = asyncio.Event()

    def _end(self):
        # As a task: interrupt handlers cancel nobody.
        self._ending = asyncio.create_task(self._end_blocks())

    async def _end_blocks(self):
        self._conn_handle = self.device._connection = None
        self._ended.set()
        for block in list(self._blocks):
            block.end(DeviceDisconnectedError)

    def is_connected(self):
        return self._conn_handle is not None

    def timeout(self, timeout_ms):
        """A block that raises asyncio.TimeoutError or DeviceDisconnectedError."""
        return Timeout(self, timeout_ms)

    async def disconnected(self, timeout_ms=None):
        """Waits for the end of the connection, whoever ends it."""
        with Timeout(None, timeout_ms):
            await self._ended.wait()

    async def disconnect(self, timeout_ms=2000):
        """Ends the connection and waits until it has ended."""
        if self._conn_handle is not None:
            bluetooth.BLE().gap_disconnect(self._conn_handle)
            await self.disconnected(timeout_ms)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, value, trace):
        await self.disconnect()
