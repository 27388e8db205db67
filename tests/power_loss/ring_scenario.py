# SPDX-License-Identifier: MIT
"""Workloads of one ring for the sweeps: appends of all sizes, frees, a full ring, warm starts."""

from binascii import crc32

try:
    import nor
    from kit import fixed_entropy
    from sweep import attempt
except ImportError:
    from tests.fakes import nor
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


class Ledger:
    """What a ring must say, kept beside it: entries lost are those overwritten while unfreed."""

    def __init__(self, ring):
        self.asked = ring.freed
        self.first = ring.first
        self.lost = self.lost_before = ring.lost

    def see(self, ring):
        """Takes up that entries are gone: with what was freed until now."""
        self.lost += max(0, ring.first - max(self.first, self.asked))
        self.first = max(self.first, ring.first)

    def ask(self, ring, index):
        self.see(ring)
        self.asked = max(self.asked, index)

    def agree(self, ring):
        self.see(ring)
        assert ring.lost == self.lost, f"lost {ring.lost}, not {self.lost}"
        assert ring.freed == max(self.asked, self.first), f"freed {ring.freed}"
        assert ring.overwrites or self.lost == self.lost_before, "lost, not overwriting"


class RingScenario:
    """One ring. *size_of(index)* gives payload sizes; frees lag behind by *lag* entries.

    State: (next, freed, bases, lost, first): entries from bases[g] on were written in life
    g + 1.
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
        # Every so many entries one is urgent; 0: none is.
        self.urgent_every = geometry.pop("urgent_every", 0)
        self._late = None
        # The next life begins with a free mark.
        self.frees_first = geometry.pop("frees_first", False)
        # From this entry on the ring overwrites; None: as the geometry says, for ever.
        self.overwrites_from = geometry.pop("overwrites_from", None)
        self.geometry = {
            "sector_count": 4,
            "slot_count": 20,
            "reserve_slots": 3,
            "entry_size_max": 250,
        }
        self.geometry.update(geometry)
        self.sector_count = self.geometry["sector_count"] + 1

    def open(self, device):
        return self._opened(device, None)

    def _opened(self, device, hint):
        geometry = dict(self.geometry)
        count = geometry.pop("sector_count")
        ring = self.kit.Ring(device, 1, count, entropy=fixed_entropy, hint=hint, **geometry)
        ring.open()
        return ring

    def state_of(self, ring):
        return _state(ring, ())

    def workload(self, ring):
        ledger = Ledger(ring)
        done = 0
        for index in range(self.count):
            if self.overwrites_from is not None:
                ring.overwrites = index >= self.overwrites_from
            if self.free_every and index % self.free_every == self.free_every - 1:
                self._free(ring, index - self.lag, done, ledger)
                done += 1
                yield _state(ring, ())
            for _ in range(40):
                try:
                    self._append(ring, index, done, ledger)
                    break
                except self.kit.RingFull:
                    assert not ring.overwrites, "full though overwriting"
                    self._free(ring, ring.freed + 2, done, ledger)
                    done += 1
                    yield _state(ring, ())
            done += 1
            yield _state(ring, ())

    def _content(self, index, generation):
        """Another life wants other sizes."""
        return content(index, generation, self.size_of(index + generation))

    def _is_urgent(self, index):
        return self.urgent_every > 0 and index % self.urgent_every == self.urgent_every - 1

    def _append(self, ring, index, done, ledger):
        payload = self._content(index, 0)
        is_urgent = self._is_urgent(index)

        def mark():
            """After an error something else may be written first."""
            if ring.freed < ring.next:
                step = 0 if ring.overwrites and index & 1 else 1
                self._free(ring, ring.freed + step, done, ledger)
            freed, lost = ring.freed, ring.lost
            return lambda state: (
                state[0],
                max(state[1], freed),
                state[2],
                max(state[3], lost),
                state[4],
            )

        got = attempt(self, done, lambda: ring.append(1 + index % 3, payload, is_urgent), mark)
        assert got == index, "index"
        ledger.agree(ring)
        self._look_at_the_reserve(ring, is_urgent)

    def _look_at_the_reserve(self, ring, is_urgent):
        """An ordinary entry leaves the reserve as it is."""
        reserve = self.geometry.get("reserve_sectors", 0)
        if reserve and not is_urgent and not ring.overwrites:
            held = ring.kept_sectors
            active_first = ring.place_of(ring.next)[2]
            spare = self.geometry["sector_count"] - 1 - held
            spare += 1 if ring.next > max(ring.freed, active_first) else 0
            assert spare >= reserve, f"{spare} sectors left"

    def _free(self, ring, index, done, ledger):
        upto = [index]

        def free():
            try:
                ledger.ask(ring, upto[0])
                ring.free(upto[0])
            except self.kit.RingFull:
                # No slot for the mark and no sector to gain: free more than that.
                upto[0] = ring.next
                ledger.ask(ring, ring.next)
                ring.free(ring.next)

        if index >= ring.freed:
            attempt(self, done, free)
            ledger.agree(ring)

    def carry_on(self, ring, low, high):
        bases = low[2]
        if ring.next > max(low[0], ring.first):
            # One more than promised came through; it may be of the life before.
            index = ring.next - 1
            theirs = self._content(index, _generation(high[2], index))
            bases = high[2] if ring.read(index)[1] == theirs else bases
        bases += (ring.next,)
        ledger = Ledger(ring)
        if not self.carry_count:
            # Nothing is written: what was under way may still appear.
            self._late = high
        if self.frees_first and ring.freed < ring.next:
            self._free(ring, ring.freed + 1, 0, ledger)
            yield _state(ring, bases)
        for step in range(self.carry_count):
            if not self._append_next(ring, len(bases), ledger):
                self._free(ring, ring.next, 0, ledger)
                yield _state(ring, bases)
                assert self._append_next(ring, len(bases), ledger), "full after all was freed"
            yield _state(ring, bases)
            if step == 1:
                self._free(ring, ring.freed + 1, 0, ledger)
                yield _state(ring, bases)

    def _append_next(self, ring, generation, ledger):
        index = ring.next
        try:
            ring.append(1 + index % 3, self._content(index, generation), self._is_urgent(index))
        except self.kit.RingFull:
            return False
        ledger.agree(ring)
        return True

    def check(self, ring, low, high):
        if self._late:
            high, self._late = self._late, None
        wrong = self._check_numbers(ring, low, high)
        if wrong:
            return wrong
        expected = ring.first
        for index, kind, payload in ring.entries(0):
            if index != expected or kind != 1 + index % 3:
                return f"entry {index} where {expected} was due"
            if payload != self._content(
                index, _generation(low[2], index)
            ) and payload != self._content(index, _generation(high[2], index)):
                return f"payload of {index}"
            expected += 1
        return None if expected == ring.next else f"ends at {expected}, next {ring.next}"

    def _check_numbers(self, ring, low, high):
        if not low[0] <= ring.next <= high[0]:
            return f"next {ring.next}, promised {low[0]} to {high[0]}"
        # What an overwriting ring had begun to give up may go later too, and counts then.
        first_max = high[4] + (ring.slot_count if ring.overwrites else 0)
        if not low[4] <= ring.first <= max(first_max, low[1]):
            return f"first {ring.first}, promised {low[4]} to {high[4]}"
        if not low[1] <= ring.freed <= max(high[1], ring.first):
            return f"freed {ring.freed}, promised {low[1]} to {high[1]}"
        if ring.first > ring.freed:
            return f"entries from {ring.freed} overwritten, freed {ring.first}"
        gone = max(0, ring.first - max(low[4], low[1]))
        is_asked_for = ring.first <= high[1] and high[3] == low[3]
        if ring.lost != low[3] + gone and not (is_asked_for and ring.lost == low[3]):
            return f"lost {ring.lost}, promised {low[3]} and {gone}"
        return None


class WarmScenario(RingScenario):
    """As the tag after a reset: every hint of the workload, and some of nobody, at every boot.

    Each is tried on a copy of the flash and must leave ring and flash as a cold start does.
    Then life goes on from the start that cost least.
    """

    def __init__(self, kit, count, size_of, free_every, lag, **geometry):
        super().__init__(kit, count, size_of, free_every, lag, **geometry)
        log_id = int.from_bytes(fixed_entropy(4), "little")
        self.hints = [(log_id ^ 1, 0, 1, 7), (log_id, 99, 3, 0), (log_id, 0, 2, 5)]

    def open(self, device):
        cold = fingerprint(self._opened_copy(device, None))
        best, best_reads = None, 1 << 30
        for hint in self.hints:
            ring = self._opened_copy(device, hint)
            reads = ring.flash._device.reads
            if reads < best_reads:
                best, best_reads = hint, reads
            assert fingerprint(ring) == cold, f"hint {hint}"
        return self._opened(device, Hint(best, self.hints))

    def _opened_copy(self, device, hint):
        copy = nor.Nor(device.sector_count, image=device.memory)
        return self._opened(copy, Hint(hint, []))


class Hint:
    """A hint in memory; what is stored goes on the list of all there ever were."""

    def __init__(self, hint, seen):
        self._hint = hint
        self._seen = seen

    def load(self):
        return self._hint

    def store(self, *hint):
        self._hint = hint
        if hint not in self._seen:
            self._seen.append(hint)


def fingerprint(ring):
    """All that tells two rings apart, the flash included."""
    tail, sectors = ring._tail, ring._map
    return (
        (ring.next, ring.freed, ring.lost, ring.note, ring.log_id, ring.first),
        (tail.slot, tail.suspect_end, tail.is_next_firm),
        (sectors.active, sectors.active_seq, tuple(sectors.learn_all())),
        bytes(ring.flash._device.memory),
    )


def _state(ring, bases):
    return (ring.next, ring.freed, bases, ring.lost, ring.first)


def _generation(bases, index):
    count = 0
    for base in bases:
        count += base <= index
    return count
