# SPDX-License-Identifier: MIT
"""Entry point of the tag: builds and runs it, or says in one line why it cannot."""

import asyncio

from tag import app
from tag.board import BoardError
from tag.ringlog import RingError

try:
    asyncio.run(app.main())
except app.NotEnrolled as e:
    print("sealtrail: not provisioned,", e)
except (BoardError, RingError) as e:
    # The serial dock stays reachable: it reads what can be read, and formats when asked.
    print("sealtrail: cannot run,", e)
