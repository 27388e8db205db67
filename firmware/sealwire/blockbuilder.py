# SPDX-License-Identifier: MIT
"""Gathers readings and events of one block and writes a record's payload.

Runs. A run holds readings of one probe at even distances: reading i is at t0 + i * dt.
A sample (all probes at one instant) joins the run in progress while there is a whole
number of milliseconds dt that puts every reading of the run within 1 s of its real
instant; else, or when the number of probes changes, each probe begins a new run. So the
block keeps, per run, the interval [dt_lo, dt_hi] of distances that still fit, and decides
at the seal: the mean distance, rounded to whole seconds where that fits.

Memory. Everything is made in the constructor, except one buffer per probe on the first
sample that has it. `add_sample` then allocates nothing while its integers are small.
KNOWN LIMIT: integers outside +-2**30 live on the heap of an ESP32, so from 12.4 days of
uptime on each call costs the blocks of `up_ms - base`; the collector gets them back.
"""

from . import cbor, labels
from .compat import const
from .envelope import RecordError

PROBE_COUNT_MAX = const(4)
RUN_COUNT_MAX = const(32)  # per block, all probes alike
EVENT_COUNT_MAX = const(64)  # per block
TOLERANCE_MS = const(1000)  # of a reading's computed instant
SPAN_MAX_MS = const(0x3FFF_FFFF)  # from the first to the last entry of a block

BLOCK_FULL = "block full"
NO_PROBES = "number of probes out of range"

# Worst cases in bytes; test_blockbuilder compares them with real encodings.
_FIXED_SIZE = const(202)  # envelope 76, payload without RUNS and EVENTS 118, their heads 8
_RUN_SIZE = const(23)  # array, probe, t0_ms 5, dt_ms 5, count 3, first 5, deltas' head 3
_DELTA_SIZE = const(3)
_EVENT_SIZE = const(8)  # array, t_ms 5, code 2


class BlockBuilder:
    """Content of one record in the making. Records stay within *max_size* bytes."""

    def __init__(self, max_size: int = labels.RECORD_SIZE_MAX) -> None:
        self._space = max_size - _FIXED_SIZE
        self._deltas = [None] * PROBE_COUNT_MAX  # bytearray per probe, made when first used
        self._delta_size = [0] * PROBE_COUNT_MAX
        self._last = [0] * PROBE_COUNT_MAX
        # Per run, probes share them: instants relative to _base_ms.
        self._run_t0 = [0] * RUN_COUNT_MAX
        self._run_span = [0] * RUN_COUNT_MAX  # first to last reading, ms
        self._run_count = [0] * RUN_COUNT_MAX
        self._run_probes = [0] * RUN_COUNT_MAX
        self._run_dt_lo = [0] * RUN_COUNT_MAX
        self._run_dt_hi = [0] * RUN_COUNT_MAX
        # Run r's first reading of probe p is at index r * PROBE_COUNT_MAX + p.
        self._run_first = [0] * (RUN_COUNT_MAX * PROBE_COUNT_MAX)
        self._run_delta_at = [0] * (RUN_COUNT_MAX * PROBE_COUNT_MAX)
        self._event_t = [0] * EVENT_COUNT_MAX
        self._event_code = [0] * EVENT_COUNT_MAX
        self._event_end = [0] * EVENT_COUNT_MAX  # where its data ends in _event_data
        self._event_data = cbor.Writer(bytearray(max_size))
        self._out = cbor.Writer(bytearray(max_size))
        self.clear()

    def clear(self) -> None:
        """Forgets everything gathered; keeps the buffers."""
        self._base_ms = 0
        self._end_ms = 0  # of the latest entry, relative to _base_ms
        self._used = 0  # bytes of runs and events, worst case
        self._runs = 0
        self._events = 0
        self._event_data.size = 0
        self.sample_count = 0
        for probe in range(PROBE_COUNT_MAX):
            self._delta_size[probe] = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a sample nor an event."""
        return self._runs == 0 and self._events == 0

    @property
    def event_count(self) -> int:
        """Events gathered."""
        return self._events

    def fits_sample(self, up_ms: int, values: tuple) -> bool:
        """Whether `add_sample` with these arguments surely succeeds."""
        # As if every probe began a new run: at most 23 bytes a probe too careful.
        return (
            self._runs < RUN_COUNT_MAX
            and self._used + len(values) * _RUN_SIZE <= self._space
            and self._is_near(up_ms)
        )

    def fits_event(self, up_ms: int, code: int, data: object = None) -> bool:
        """Whether `add_event` with these arguments surely succeeds."""
        size = 0
        if isinstance(data, (bytes, bytearray, memoryview)):
            size = len(data)
        elif data is not None:
            size = len(cbor.encode(data))
        return (
            self._events < EVENT_COUNT_MAX
            and self._used + _EVENT_SIZE + size <= self._space
            and self._is_near(up_ms)
        )

    def _is_near(self, up_ms: int) -> bool:
        return self.is_empty or abs(up_ms - self._base_ms) <= SPAN_MAX_MS

    def add_sample(self, up_ms: int, values: tuple) -> None:
        """Adds one sample: for each probe centi-degrees C, or FAULT_BASE + fault.

        Raises RecordError when it does not fit or the number of values is not 1 to
        PROBE_COUNT_MAX; nothing is added then.
        """
        count = len(values)
        if not 0 < count <= PROBE_COUNT_MAX:
            raise RecordError(NO_PROBES)
        at_ms = self._relative(up_ms)
        run = self._runs - 1
        if run < 0 or self._run_probes[run] != count or not self._join(run, at_ms, values):
            self._begin_run(at_ms, values)
        for probe in range(count):
            self._last[probe] = values[probe]
        self._end_ms = max(self._end_ms, at_ms)
        self.sample_count += 1

    def _relative(self, up_ms: int) -> int:
        """The instant relative to the block's first entry.

        An interrupt's event may overtake a sample that was begun before it, so entries
        need not be in order of time.
        """
        if self._runs == 0 and self._events == 0:
            self._base_ms = up_ms
            return 0
        at_ms = up_ms - self._base_ms
        if not -SPAN_MAX_MS <= at_ms <= SPAN_MAX_MS:
            raise RecordError(BLOCK_FULL)
        return at_ms

    def _join(self, run: int, at_ms: int, values: tuple) -> bool:
        """Adds the sample to *run* if an even distance allows it."""
        index = self._run_count[run]
        span_ms = at_ms - self._run_t0[run]
        # |index * dt - span| <= tolerance, for every reading so far.
        lo = (span_ms - TOLERANCE_MS + index - 1) // index
        hi = (span_ms + TOLERANCE_MS) // index
        lo = max(lo, self._run_dt_lo[run])
        hi = min(hi, self._run_dt_hi[run])
        if lo > hi:
            return False
        need = 0
        for probe in range(len(values)):
            need += _zigzag_size(values[probe] - self._last[probe])
        if self._used + need > self._space:
            raise RecordError(BLOCK_FULL)
        for probe in range(len(values)):
            self._put_delta(probe, values[probe] - self._last[probe])
        self._used += need
        self._run_dt_lo[run] = lo
        self._run_dt_hi[run] = hi
        self._run_span[run] = span_ms
        self._run_count[run] = index + 1
        return True

    def _put_delta(self, probe: int, delta: int) -> None:
        coded = delta << 1 if delta >= 0 else -(delta << 1) - 1
        deltas = self._deltas[probe]
        size = self._delta_size[probe]
        while coded >= 0x80:
            deltas[size] = coded & 0x7F | 0x80
            size += 1
            coded >>= 7
        deltas[size] = coded
        self._delta_size[probe] = size + 1

    def _begin_run(self, at_ms: int, values: tuple) -> None:
        count = len(values)
        run = self._runs
        if run >= RUN_COUNT_MAX or self._used + count * _RUN_SIZE > self._space:
            raise RecordError(BLOCK_FULL)
        for probe in range(count):
            if self._deltas[probe] is None:
                self._deltas[probe] = bytearray(self._space)
            at = run * PROBE_COUNT_MAX + probe
            self._run_first[at] = values[probe]
            self._run_delta_at[at] = self._delta_size[probe]
        self._run_t0[run] = at_ms
        self._run_span[run] = 0
        self._run_count[run] = 1
        self._run_probes[run] = count
        self._run_dt_lo[run] = 1
        self._run_dt_hi[run] = SPAN_MAX_MS
        self._runs = run + 1
        self._used += count * _RUN_SIZE

    def add_event(self, up_ms: int, code: int, data: object = None) -> None:
        """Adds one event. *data*: None, CBOR bytes as they are, or a value to encode.

        A bytes object is taken as CBOR already; a byte string as data is given encoded.
        Raises RecordError when it does not fit, CborError when *data* cannot be encoded;
        nothing is added then.
        """
        at_ms = self._relative(up_ms)
        writer = self._event_data
        start = writer.size
        if self._events >= EVENT_COUNT_MAX:
            raise RecordError(BLOCK_FULL)
        try:
            if isinstance(data, (bytes, bytearray, memoryview)):
                writer.raw(data)
            elif data is not None:
                writer.value(data)
        except cbor.CborError as error:
            writer.size = start
            if error.reason == cbor.BUFFER_FULL:
                raise RecordError(BLOCK_FULL)
            raise
        if self._used + _EVENT_SIZE + writer.size - start > self._space:
            writer.size = start
            raise RecordError(BLOCK_FULL)
        self._event_t[self._events] = at_ms
        self._event_code[self._events] = code
        self._event_end[self._events] = writer.size
        self._events += 1
        self._used += _EVENT_SIZE + writer.size - start
        self._end_ms = max(self._end_ms, at_ms)

    def payload(
        self,
        kind: int,
        seq: int,
        prev_hash: bytes,
        boot: int,
        up_ms: int,
        utc: tuple | None = None,
        nonce: bytes | None = None,
        next_key: bytes | None = None,
        sealed_by_boot: int | None = None,
    ) -> bytes:
        """The payload of a record with this content, sealed at *up_ms* of *boot*.

        UPTIME becomes *up_ms*, or the latest entry's instant where that is later. *utc*:
        None or (lo_s, source, width_s or None). Leaves the content in place: `clear` it
        once the record is durable.
        """
        end_ms = 0
        if not self.is_empty:
            end_ms = max(up_ms - self._base_ms, self._end_ms)
            up_ms = self._base_ms + end_ms
        out = self._out
        out.size = 0
        optional = (utc, self._runs or None, self._events or None, nonce, next_key, sealed_by_boot)
        count = 4
        for field in optional:
            if field is not None:
                count += 1
        out.map(count)
        _put_start(out, kind, seq, prev_hash, boot, up_ms)
        if utc is not None:
            _put_utc(out, utc)
        if self._runs:
            self._put_runs(out, end_ms)
        if self._events:
            self._put_events(out, end_ms)
        if nonce is not None:
            out.uint(labels.NONCE)
            out.bstr(nonce)
        if next_key is not None:
            out.uint(labels.NEXT_KEY)
            out.bstr(next_key)
        if sealed_by_boot is not None:
            out.uint(labels.SEALED_BY_BOOT)
            out.uint(sealed_by_boot)
        return out.content()

    def _put_runs(self, out: cbor.Writer, end_ms: int) -> None:
        total = 0
        for run in range(self._runs):
            total += self._run_probes[run]
        out.uint(labels.RUNS)
        out.array(total)
        for run in range(self._runs):
            for probe in range(self._run_probes[run]):
                self._put_run(out, run, probe, end_ms)

    def _put_run(self, out: cbor.Writer, run: int, probe: int, end_ms: int) -> None:
        at = run * PROBE_COUNT_MAX + probe
        start = self._run_delta_at[at]
        end = self._delta_size[probe]
        for later in range(run + 1, self._runs):
            # The next run that has this probe begins where this one's deltas end.
            if probe < self._run_probes[later]:
                end = self._run_delta_at[later * PROBE_COUNT_MAX + probe]
                break
        out.array(6)
        out.uint(probe)
        out.int(self._run_t0[run] - end_ms)
        out.uint(self._distance_ms(run))
        out.uint(self._run_count[run])
        out.int(self._run_first[at])
        out.bstr(memoryview(self._deltas[probe])[start:end])

    def _distance_ms(self, run: int) -> int:
        """dt of a run: 0 for one reading, else the mean, in whole seconds where that fits."""
        steps = self._run_count[run] - 1
        if steps == 0:
            return 0
        lo = self._run_dt_lo[run]
        hi = self._run_dt_hi[run]
        mean_ms = (self._run_span[run] + steps // 2) // steps
        whole_ms = (mean_ms + 500) // 1000 * 1000
        if lo <= whole_ms <= hi:
            return whole_ms
        return min(max(mean_ms, lo), hi)

    def _put_events(self, out: cbor.Writer, end_ms: int) -> None:
        out.uint(labels.EVENTS)
        out.array(self._events)
        content = memoryview(self._event_data.buffer)
        start = 0
        for event in range(self._events):
            end = self._event_end[event]
            out.array(3 if end > start else 2)
            out.int(self._event_t[event] - end_ms)
            out.uint(self._event_code[event])
            out.raw(content[start:end])
            start = end


def _zigzag_size(delta: int) -> int:
    if -64 <= delta < 64:
        return 1
    return 2 if -8192 <= delta < 8192 else _DELTA_SIZE


def _put_start(
    out: cbor.Writer, kind: int, seq: int, prev_hash: bytes, boot: int, up_ms: int
) -> None:
    out.uint(labels.KIND)
    out.uint(kind)
    out.uint(labels.SEQ)
    out.uint(seq)
    out.uint(labels.PREV)
    out.bstr(prev_hash)
    out.uint(labels.UPTIME)
    out.array(2)
    out.uint(boot)
    out.uint(up_ms)


def _put_utc(out: cbor.Writer, utc: tuple) -> None:
    lo_s, source, width_s = utc
    out.uint(labels.UTC)
    out.array(2 if width_s is None else 3)
    out.uint(lo_s)
    out.uint(source)
    if width_s is not None:
        out.uint(width_s)
