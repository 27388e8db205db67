# SPDX-License-Identifier: MIT
"""Workload of one ring for the sweeps: appends of all sizes, frees, and a ring that is full."""

from binascii import crc32

try:
    from kit import fixed_entropy
    from sweep import attempt
except ImportError:
    from tests.power_loss.kit import fixed_entropy
    from tests.power_loss.sweep import attempt


_contents = {}


def content(index, generation, size):
    """Payload of an entry: tells index and generation.

    A long one has a run of blank-looking bytes, and every other one a forged frame where its
    second slot begins: valid but for its place.
    """
    key = (index, generation, size)
    if key not in _contents:
        head = index.to_bytes(3, "little") + bytes([generation])
        tail = bytes([(index * 37 + k * 11 + generation) & 255 for k in range(8)])
        payload = (head + tail)[:size] + b"\xff" * (size - 12)
        if size >= 40 and index & 2:
            forged = b"\x1cforged entry"
            forged += (crc32(bytes(12) + forged) & 0xFFFFFF).to_bytes(3, "little")
            payload = payload[:13] + forged + payload[13 + len(forged) :]
        _contents[key] = payload
    return _contents[key]


class RingScenario:
    """One ring. *size_of(index)* gives payload sizes; frees lag behind by *lag* entries.

    State: (next, freed, bases): entries from bases[g] on were written in life g + 1.
    """

    on_error = None

    def mend(self, world):
        return world

    def __init__(self, kit, count, size_of, free_every, lag, **geometry):
        self.kit = kit
        self.count = count
        self.size_of = size_of
        self.free_every = free_every
        self.lag = lag
        self.carry_count = geometry.pop("carry_count", 3)
        self.geometry = {
            "sector_count": 4,
            "slot_count": 20,
            "reserve_slots": 3,
            "entry_size_max": 250,
        }
        self.geometry.update(geometry)
        self.sector_count = self.geometry["sector_count"] + 1

    def open(self, device):
        geometry = dict(self.geometry)
        count = geometry.pop("sector_count")
        ring = self.kit.Ring(device, 1, count, entropy=fixed_entropy, **geometry)
        ring.open()
        return ring

    def state_of(self, ring):
        return (ring.next, ring.freed, ())

    def workload(self, ring):
        done = 0
        for index in range(self.count):
            if self.free_every and index % self.free_every == self.free_every - 1:
                self._free(ring, index - self.lag, done)
                done += 1
                yield (ring.next, ring.freed, ())
            for _ in range(40):
                try:
                    self._append(ring, index, done)
                    break
                except self.kit.RingFull:
                    self._free(ring, ring.freed + 2, done)
                    done += 1
                    yield (ring.next, ring.freed, ())
            done += 1
            yield (ring.next, ring.freed, ())

    def _content(self, index, generation):
        """Another life wants other sizes."""
        return content(index, generation, self.size_of(index + generation))

    def _append(self, ring, index, done):
        payload = self._content(index, 0)

        def mark():
            """After an error something else may be written first."""
            if ring.freed < ring.next:
                self._free(ring, ring.freed + 1, done)
            return lambda state: (state[0], max(state[1], ring.freed), state[2])

        got = attempt(self, done, lambda: ring.append(1 + index % 3, payload), mark)
        assert got == index, "index"

    def _free(self, ring, index, done):
        def free():
            try:
                ring.free(index)
            except self.kit.RingFull:
                # No slot for the mark and no sector to gain: free more than that.
                ring.free(ring.next)

        if index > ring.freed:
            attempt(self, done, free)

    def carry_on(self, ring, low, high):
        bases = low[2]
        if ring.next > max(low[0], ring.first):
            # One more than promised came through; it may be of the life before.
            index = ring.next - 1
            theirs = self._content(index, _generation(high[2], index))
            bases = high[2] if ring.read(index)[1] == theirs else bases
        bases += (ring.next,)
        for step in range(self.carry_count):
            if not self._append_next(ring, len(bases)):
                self._free(ring, ring.next, 0)
                yield (ring.next, ring.freed, bases)
                assert self._append_next(ring, len(bases)), "full after all was freed"
            yield (ring.next, ring.freed, bases)
            if step == 1:
                self._free(ring, ring.freed + 1, 0)
                yield (ring.next, ring.freed, bases)

    def _append_next(self, ring, generation):
        index = ring.next
        try:
            ring.append(1 + index % 3, self._content(index, generation))
        except self.kit.RingFull:
            return False
        return True

    def check(self, ring, low, high):
        if not low[0] <= ring.next <= high[0]:
            return f"next {ring.next}, promised {low[0]} to {high[0]}"
        if not low[1] <= ring.freed <= high[1]:
            return f"freed {ring.freed}, promised {low[1]} to {high[1]}"
        if ring.first > ring.freed:
            return f"entries from {ring.freed} overwritten, freed {ring.first}"
        expected = ring.first
        for index, kind, payload in ring.entries(0):
            if index != expected or kind != 1 + index % 3:
                return f"entry {index} where {expected} was due"
            if payload not in (
                self._content(index, _generation(low[2], index)),
                self._content(index, _generation(high[2], index)),
            ):
                return f"payload of {index}"
            expected += 1
        return None if expected == ring.next else f"ends at {expected}, next {ring.next}"


def _generation(bases, index):
    return sum(1 for base in bases if base <= index)
