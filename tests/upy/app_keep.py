# SPDX-License-Identifier: MIT
"""A task of the tag that fails, or is cancelled by a library, starts again; the others go on."""

import asyncio

from tag.app import App


class Tag:
    """What App._keep needs of an App."""

    def __init__(self):
        self.faults = []

    def note_fault(self, code, text):
        self.faults.append((code, text))


async def main():
    tag, lives, beats = Tag(), [], []

    async def radio():
        lives.append(1)
        if len(lives) == 1:
            raise asyncio.CancelledError
        if len(lives) == 2:
            raise OSError(5)
        await asyncio.sleep(60)

    async def sampler():
        for _ in range(40):
            beats.append(1)
            await asyncio.sleep_ms(100)

    keep = asyncio.create_task(App._keep(tag, "radio", radio))
    await sampler()
    assert len(lives) == 3, lives
    assert len(beats) == 40
    assert [text.split("(")[0] for _, text in tag.faults] == [
        "radio CancelledError",
        "radio OSError",
    ], tag.faults
    keep.cancel()
    print("ok")


asyncio.run(main())
