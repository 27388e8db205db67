# SPDX-License-Identifier: MIT
"""Which trip the tag is on: arming and ending one so that a power cut cannot halve it.

A stage byte in the state store brackets the signed event. A cut between the two leaves
STARTING or ENDING, and the next boot goes on: the record log decides whether the event is
still to be written. The visitor had no answer yet, so going on is always right.
"""

from micropython import const

from sealwire import cbor, labels

from ..store import statestore
from ..store.ringlog import RingFull

_STARTING = const(0)
_OPEN = const(1)
_ENDING = const(2)
_CLOSED = const(3)

# Keys of the stored map.
_NUMBER = const(1)
_REQUEST = const(2)
_FROM_SEQ = const(3)
_STAGE = const(4)
_SINCE_SEQ = const(5)  # head + 1 when the stage was stored: where its event will stand


class Trip:
    """The open trip, or the last one."""

    def __init__(self, state, recorder):
        self._state = state
        self._recorder = recorder
        self.on_change = None  # set by app: called after a start and after an end
        self.before_end = None  # set by app: lets the alarm engine close its alarms
        self.number = 0  # highest number ever armed; numbers only rise (T8)
        self.from_seq = 0  # first record of this trip
        self.is_open = False
        self._request = b""
        self._stage = _CLOSED
        self._since_seq = 0

    def resume(self) -> None:
        """Takes the trip up after boot, and completes a start or an end that was cut."""
        stored = self._state.get(statestore.TRIP)
        if stored is None:
            return
        fields = cbor.decode(stored)
        self.number = fields[_NUMBER]
        self.from_seq = fields[_FROM_SEQ]
        self._request = fields[_REQUEST]
        self._since_seq = fields[_SINCE_SEQ]
        self._stage = fields[_STAGE]
        self.is_open = self._stage in (_STARTING, _OPEN, _ENDING)
        try:
            if self._stage == _STARTING:
                self._finish_start()
            elif self._stage == _ENDING:
                self._finish_end()
        except (RingFull, OSError):
            # Not even the reserve has room, or flash failed: the trip goes on, the log with
            # it, and the next boot or visitor tries again.
            pass

    @property
    def profile(self):
        """The trip's profile in compact CBOR, None before the first trip."""
        return cbor.decode(self._request)[3] if self._request else None

    def is_begun(self, request: bytes) -> bool:
        """Whether this very request was begun and its event could not be kept: ask again."""
        return self._stage == _STARTING and not self.is_open and request == self._request

    def start(self, request: bytes) -> int:
        """Arms the tag. *request*: canonical CBOR {1: number, 2: commitment, 3: profile}.

        The caller has checked the form and that the number rises, or `is_begun`. Returns
        the head's seq after the sealed trip event. Raises RingFull or OSError if it could
        not be kept: then the same request may come again, and a boot completes it.
        """
        if self.is_begun(request):
            self._finish_start()
            return self._recorder.head()[0]
        # The trip begins at a record of its own (T9 reads from there on).
        self._recorder.seal_open_block(True)
        self.number = cbor.decode(request)[1]
        self.from_seq = self._recorder.head()[0] + 1
        self._request = bytes(request)
        self._store(_STARTING)
        # A cut here: the trip is armed without its event; resume() writes it.
        self._finish_start()
        return self._recorder.head()[0]

    def end(self) -> int:
        """Ends the open trip. Returns the head's seq after the sealed end event."""
        self._store(_ENDING)
        # A cut here: resume() writes the event and closes.
        self._finish_end()
        return self._recorder.head()[0]

    def _finish_start(self):
        if not self._is_logged(labels.EVENT_TRIP):
            self._recorder.custody_event(labels.EVENT_TRIP, self._request)
        self._store(_OPEN)
        self.is_open = True
        self._changed()

    def _finish_end(self):
        # Rules that are in alarm close with the trip (reason 2) before its end is sealed.
        if self.before_end:
            self.before_end()
        if not self._is_logged(labels.EVENT_TRIP_END):
            self._recorder.custody_event(labels.EVENT_TRIP_END, [self.number])
        self._store(_CLOSED)
        self.is_open = False
        self._changed()

    def _is_logged(self, code) -> bool:
        """Whether this trip's event already stands in a record: decided from flash."""
        return self._recorder.has_event(code, self._since_seq)

    def _store(self, stage):
        if stage in (_STARTING, _ENDING):
            self._since_seq = self._recorder.head()[0] + 1
        fields = {
            _NUMBER: self.number,
            _REQUEST: self._request,
            _FROM_SEQ: self.from_seq,
            _STAGE: stage,
            _SINCE_SEQ: self._since_seq,
        }
        self._state.put(statestore.TRIP, cbor.encode(fields))
        self._stage = stage

    def _changed(self):
        if self.on_change:
            self.on_change()
