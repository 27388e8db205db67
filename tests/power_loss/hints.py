# SPDX-License-Identifier: MIT
"""Cuts every write of the RTC's memory after every byte: a part is the old one, the new one, or
none."""

from tests.fakes.clockwork import FakeRTC
from tests.fakes.nor import Nor

_PARTS = (1, 2)  # journal, record log


class NotingRTC(FakeRTC):
    """Keeps every content there ever was."""

    def __init__(self) -> None:
        super().__init__()
        self.contents = [b""]

    def memory(self, content=None):
        if content is not None:
            self.contents.append(bytes(content))
        return super().memory(content)


def sweep(kit, scenario, tally) -> None:
    """Lets two rings run the workload of *scenario*, then tears each write of their hints."""
    rtc = NotingRTC()
    for part in _PARTS:
        ring = scenario._opened(Nor(scenario.sector_count), kit.RingHint(rtc, part))
        for _ in scenario.workload(ring):
            pass
    for number, (old, new) in enumerate(zip(rtc.contents, rtc.contents[1:], strict=False)):
        for size in range(len(new) + 1):
            for torn in {new[:size] + old[size:], new[:size]}:
                tally.note(f"write {number} byte {size}", _wrong_in(kit, torn, old, new))


def _wrong_in(kit, torn: bytes, old: bytes, new: bytes) -> str | None:
    for part in _PARTS:
        found = _hint(kit, torn, part)
        if found not in (None, _hint(kit, old, part), _hint(kit, new, part)):
            return f"part {part}: {found}"
    return None


def _hint(kit, content: bytes, part: int):
    rtc = FakeRTC()
    rtc.content = content
    return kit.RingHint(rtc, part).load()
