# SPDX-License-Identifier: MIT
"""The tag on the air: adverts, one link at a time, three characteristics, over aioble.

    advertise --connect--> serve --bye, idle, bad frame, link lost--> advertise

`control` carries handshake, commands and answers, `bulk` the records; what they mean is
`session`'s business. This module knows what the stack does wrong (docs/sync-protocol.md,
"The stack"): notify() raises ENOMEM when the stack's buffers are full and loses all of
them at a disconnect; written() does not notice a disconnect; writes of a dead link stay in
the one queue of ten; an MTU that was never exchanged is None.
Nothing here is waited for by the log (rule D1).
"""

import asyncio
import errno

import aioble
import bluetooth
from micropython import const

from sealwire import access, frames, protocol

from .. import faults
from . import adverts

_ADVERT_INTERVAL_US = const(250_000)
_OPEN_REFRESH_MS = const(60_000)  # how old a value in an open advert may be
_MTU = const(247)  # one link-layer packet of 251 bytes
_GAP_NAME = "Sealtrail"  # the same for all tags: the name in the advert is the tag's

_NOTIFY_WAIT_FIRST_MS = const(5)
_NOTIFY_WAIT_MAX_MS = const(20)  # below a connection interval of 30 ms: buffers never run dry
_NOTIFY_TRIES_MAX = const(500)  # about 10 s
_FAREWELL_MS = const(500)  # an answer in the queue would be lost with the link
_DISCONNECT_MS = const(2_000)
_RADIO_PAUSE_MS = const(5_000)
_ADDRESS_RANDOM = const(1)  # addr_mode: random static

# `status`, byte 1.
STATE_DEPOT = const(1)
STATE_TRIP = const(2)
_BATTERY_UNKNOWN = const(0xFF)
FILL_REFUSING = const(5)  # byte 3, in place of the quarters: readings are refused


class _Link:
    """One connection and what belongs to it."""

    def __init__(self, connection, session):
        self.connection = connection
        self.session = session
        # Held while one message or frame goes out, so that an answer never overtakes the
        # stream that was before it, nor the new stream the answer (sync-protocol.md).
        self.air = asyncio.Lock()
        self.has_work = asyncio.Event()  # set by the reader, cleared by the pump

    def value_size(self) -> int:
        """Bytes of one notification on this link, now."""
        mtu = self.connection.mtu or protocol.MTU_DEFAULT
        return min(mtu - protocol.ATT_HEAD_SIZE, protocol.VALUE_SIZE_MAX)


class GattService:
    """Offers *session_factory()* to one visitor after another.

    *ids*: AdvertIds. *condition* has `is_private` (a trip is open), `live()` -> adverts.Live
    `fill_permille` and `is_refusing`. *note_fault(code, text)* takes what went wrong. *model* and
    *version* are texts of Device Information; a serial number is not said by air.
    """

    def __init__(self, session_factory, ids, condition, uptime, note_fault, model, version):
        self._session_factory = session_factory
        self._ids = ids
        self._condition = condition
        self._uptime = uptime
        self._note_fault = note_fault
        self._model = model
        self._version = version
        self._address_id = None  # the id that came with the present address
        self._ending = None
        self.is_connected = False

    async def run(self) -> None:
        """Never returns. A radio that fails is noted and tried again; the log goes on."""
        aioble.config(mtu=_MTU, gap_name=_GAP_NAME)
        self._register()
        while True:
            try:
                connection = await self._advertise()
                if connection is not None:
                    await self._serve(connection)
            except OSError as error:
                self._note_fault(faults.RADIO, "radio: %s" % error)
                await asyncio.sleep_ms(_RADIO_PAUSE_MS)

    def _register(self):
        # Built here and not in __init__: a capturing characteristic starts a task.
        service = aioble.Service(bluetooth.UUID(protocol.SERVICE_UUID))
        self._status = aioble.Characteristic(
            service, bluetooth.UUID(protocol.STATUS_UUID), read=True
        )
        self._control = aioble.BufferedCharacteristic(
            service,
            bluetooth.UUID(protocol.CONTROL_UUID),
            write=True,
            write_no_response=True,
            notify=True,
            capture=True,
            max_len=protocol.MESSAGE_SIZE_MAX,
        )
        self._bulk = aioble.Characteristic(
            service, bluetooth.UUID(protocol.BULK_UUID), notify=True
        )
        device = aioble.Service(bluetooth.UUID(0x180A))
        for number, text in (
            (0x2A29, "Sealtrail"),
            (0x2A24, self._model),
            (0x2A26, self._version),
        ):
            aioble.Characteristic(device, bluetooth.UUID(number), read=True, initial=text.encode())
        battery = aioble.Service(bluetooth.UUID(0x180F))
        self._battery = aioble.Characteristic(battery, bluetooth.UUID(0x2A19), read=True)
        aioble.register_services(service, device, battery)

    # ---- between visitors

    async def _advertise(self):
        """The next visitor's connection, or None when the advert has to be made anew."""
        identifier = self._ids.current()
        live = self._condition.live()
        is_private = self._condition.is_private
        self._show(live, is_private)
        if is_private:
            advert, response = adverts.private_advert(identifier)
            timeout_ms = self._ids.left_ms()
        else:
            advert, response = adverts.open_advert(live, access.advert_name(identifier))
            timeout_ms = min(_OPEN_REFRESH_MS, self._ids.left_ms())
        self._choose_address(identifier, is_private)
        try:
            return await aioble.advertise(
                _ADVERT_INTERVAL_US, adv_data=advert, resp_data=response, timeout_ms=timeout_ms
            )
        except asyncio.TimeoutError:
            return None

    def _show(self, live, is_private):
        """Writes what `status` and Battery answer; nothing secret (no head, no trip number)."""
        battery_pct = _BATTERY_UNKNOWN if live.battery_pct is None else live.battery_pct
        state = STATE_TRIP if is_private else STATE_DEPOT
        quarters = min(4, self._condition.fill_permille // 250)
        if self._condition.is_refusing and not is_private:
            quarters = FILL_REFUSING
        self._status.write(bytes((protocol.VERSION, state, battery_pct, quarters)))
        if live.battery_pct is not None:
            self._battery.write(bytes((live.battery_pct,)))

    def _choose_address(self, identifier, is_private):
        """A new random address together with each new id; in the depot, the one there is.

        NimBLE draws a random static address at each such call while it does not advertise.
        KNOWN LIMIT: not tried on a board; what a stack refuses is left as it is.
        """
        if self._address_id is not None and (not is_private or self._address_id == identifier):
            return
        self._address_id = identifier
        try:
            aioble.config(addr_mode=_ADDRESS_RANDOM)
        except (OSError, ValueError):
            pass

    # ---- a visitor

    async def _serve(self, connection):
        """Runs one link to its end. A misbehaving visitor is no fault of the tag."""
        link = _Link(connection, self._session_factory())
        self.is_connected = True
        pump = asyncio.create_task(self._pump(link))
        try:
            await self._read(link)
        except (aioble.DeviceDisconnectedError, aioble.GattError, asyncio.TimeoutError):
            pass  # Normal: the visitor resumes from the first record it does not hold.
        except Exception as error:
            # Flash, or a fault of ours: it ends this visit and nothing else.
            self._note_fault(faults.SESSION, "session: %r" % error)
        finally:
            pump.cancel()
            self.is_connected = False
        await self._drop(connection)

    async def _read(self, link):
        opened_ms = self._uptime.now_ms()
        # A timeout that begins after the disconnect would run to its end: ask before each.
        while link.connection.is_connected() and not link.session.is_closed:
            timeout_ms = protocol.IDLE_SESSION_MS
            if not link.session.is_open:
                since_ms = self._uptime.now_ms() - opened_ms
                timeout_ms = protocol.ANONYMOUS_LINK_MS - since_ms
                if timeout_ms <= 0:
                    return
            # written() alone does not notice a disconnect; this timeout does.
            with link.connection.timeout(timeout_ms):
                writer, message = await self._control.written()
            if writer is not link.connection:
                continue  # What a visitor before this one left in the queue.
            if not await self._answer(link, bytes(message)):
                return

    async def _answer(self, link, message) -> bool:
        """Has the session take one message and sends its answer. False: the link is gone."""
        async with link.air:
            answer = link.session.receive(message)
            if answer is not None:
                for value in frames.split_message(answer, link.value_size()):
                    if not await self._notify(link.connection, self._control, value):
                        return False
        link.has_work.set()
        return True

    async def _pump(self, link):
        """Sends bulk frames while the session has any; rests while it has none."""
        while True:
            await link.has_work.wait()
            link.has_work.clear()
            try:
                while await self._send_bulk(link):
                    await asyncio.sleep_ms(0)  # readings, buttons and commands come between
            except Exception as error:
                # The stream ends; the visitor hears nothing more and asks again.
                self._note_fault(faults.SESSION, "stream: %r" % error)

    async def _send_bulk(self, link) -> bool:
        async with link.air:
            frame = link.session.next_bulk(link.value_size())
            return frame is not None and await self._notify(link.connection, self._bulk, frame)

    async def _notify(self, connection, characteristic, value) -> bool:
        """Queues one notification; waits for room, up to 10 s. False: the link is gone."""
        wait_ms = _NOTIFY_WAIT_FIRST_MS
        for _ in range(_NOTIFY_TRIES_MAX):
            # Without a handle notify() would raise TypeError.
            if not connection.is_connected():
                return False
            try:
                characteristic.notify(connection, value)
                return True
            except OSError as error:
                # ENOTCONN comes first after a disconnect, before aioble has noticed it.
                if error.errno != errno.ENOMEM:
                    return False
            await asyncio.sleep_ms(wait_ms)
            wait_ms = min(2 * wait_ms, _NOTIFY_WAIT_MAX_MS)
        return False

    async def _drop(self, connection):
        """Ends the link: first lets what is queued reach the visitor."""
        if await self._has_ended(connection, _FAREWELL_MS):
            return
        # In a task of its own, without a timeout: see _has_ended. A link whose visitor is
        # out of reach ends with its supervision timeout, and the task with it.
        self._ending = asyncio.create_task(connection.disconnect(timeout_ms=None))
        if not await self._has_ended(connection, _DISCONNECT_MS):
            self._note_fault(faults.RADIO, "disconnect: no end in %d ms" % _DISCONNECT_MS)

    async def _has_ended(self, connection, timeout_ms) -> bool:
        """Waits for the end of the link, *timeout_ms* at most.

        Not by disconnected(timeout_ms): its timeout cancels the task in which aioble notes
        the end of the link (MicroPython passes a cancel on to the task that is waited for).
        The connection then counts as connected for ever, and the next disconnect() raises
        CancelledError: no Exception, it would end every task of the tag.
        """
        if not connection.is_connected():
            return True
        try:
            with connection.timeout(timeout_ms):
                await asyncio.Event().wait()  # never set: one of the two ends it
        except aioble.DeviceDisconnectedError:
            return True
        except asyncio.TimeoutError:
            return False
