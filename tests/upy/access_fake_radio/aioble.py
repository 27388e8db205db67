# SPDX-License-Identifier: MIT
"""An aioble without radio that does the wrong things the real one does.

A full notification buffer raises ENOMEM; what is in it at a disconnect is lost; one queue
of ten holds all writes and drops the oldest; written() does not notice a disconnect;
disconnected() that times out cancels the task that notes disconnects.
`air` is the test's handle: connect, write, take notifications, disconnect.
"""

import asyncio

_BUFFER_MAX = 12
_QUEUE_MAX = 10


class DeviceDisconnectedError(Exception):
    pass


class GattError(Exception):
    pass


class Air:
    def __init__(self):
        self.settings = {}
        self.adverts = []
        self.characteristics = {}
        self.incoming = asyncio.Event()
        self.connection = None
        self.queue = []
        self.queue_event = asyncio.Event()
        self.buffer = []
        self.received = []
        self.enomem_count = 0
        self.is_frozen = False  # nothing leaves the buffer

    def connect(self, mtu=247):
        self.connection = DeviceConnection(mtu)
        self.buffer = []
        self.incoming.set()
        return self.connection

    def write(self, content, connection=None):
        self.queue.append((connection or self.connection, content))
        self.queue = self.queue[-_QUEUE_MAX:]
        self.queue_event.set()

    def take(self, count=6):
        """One connection event: *count* notifications reach the visitor."""
        if not self.is_frozen:
            self.received += self.buffer[:count]
            self.buffer = self.buffer[count:]

    def lose_link(self):
        self.buffer = []
        self.connection.lose()


air = Air()


def config(**settings):
    air.settings.update(settings)


class Service:
    def __init__(self, uuid):
        self.uuid = uuid


class Characteristic:
    def __init__(self, service, uuid, initial=None, **flags):
        self.uuid = uuid
        self.value = initial
        air.characteristics[uuid.value] = self

    def write(self, content):
        self.value = content

    def notify(self, connection, content):
        if connection.handle is None:
            raise TypeError("can't convert NoneType to int")
        if connection.is_lost:
            raise OSError(107)
        if len(air.buffer) >= _BUFFER_MAX:
            air.enomem_count += 1
            raise OSError(12)
        size_max = (connection.mtu or 23) - 3
        assert len(content) <= size_max, "the stack would cut this silently"
        air.buffer.append((self.uuid.value, bytes(content)))


class BufferedCharacteristic(Characteristic):
    def __init__(self, *args, max_len=20, **flags):
        super().__init__(*args, **flags)
        assert max_len == 512

    async def written(self):
        while not air.queue:
            air.queue_event.clear()
            await air.queue_event.wait()
        return air.queue.pop(0)


def register_services(*services):
    pass


async def advertise(interval_us, adv_data=None, resp_data=None, timeout_ms=None):
    assert len(adv_data) <= 31 and len(resp_data) <= 31
    air.adverts.append((bytes(adv_data), bytes(resp_data)))
    await asyncio.wait_for_ms(air.incoming.wait(), timeout_ms)
    air.incoming.clear()
    return air.connection


class _Timeout:
    def __init__(self, connection, timeout_ms):
        self.connection = connection
        self.timeout_ms = timeout_ms
        self.reason = None

    def __enter__(self):
        self.task = asyncio.current_task()
        self.connection.waits.append(self)
        self.timer = asyncio.create_task(self.run())

    async def run(self):
        await asyncio.sleep_ms(self.timeout_ms)
        self.end(asyncio.TimeoutError)

    def end(self, reason):
        if self.reason is None:
            self.reason = reason
            self.task.cancel()

    def __exit__(self, kind, value, trace):
        self.connection.waits.remove(self)
        if self.timer is not asyncio.current_task():
            self.timer.cancel()
        if self.reason:
            raise self.reason()


class DeviceConnection:
    def __init__(self, mtu):
        self.mtu = mtu
        self.handle = 1
        self.is_lost = False
        self.waits = []
        self.gone = asyncio.Event()
        self.task = asyncio.create_task(self.notice())

    def lose(self):
        self.is_lost = True
        self.gone.set()

    async def notice(self):
        await self.gone.wait()
        self.handle = None
        for wait in self.waits:
            wait.end(DeviceDisconnectedError)

    def is_connected(self):
        return self.handle is not None

    def timeout(self, timeout_ms):
        return _Timeout(self, timeout_ms)

    async def disconnected(self, timeout_ms=None):
        # A timeout cancels `task`: MicroPython passes the cancel on.
        await asyncio.wait_for_ms(self.task, timeout_ms)

    async def disconnect(self, timeout_ms=2000):
        if self.is_connected():
            air.lose_link()
            await self.disconnected(timeout_ms)
