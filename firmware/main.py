# SPDX-License-Identifier: MIT
"""Entry point of the tag: builds and runs it, or says in one line why it cannot."""

import asyncio

from tag import app
from tag.board import BoardError
from tag.store.flashregion import RingError, fault_text

try:
    asyncio.run(app.main())
except app.NotEnrolled as e:
    print("sealtrail: not provisioned,", e)
except BoardError as e:
    print("sealtrail: cannot run,", e)
except RingError as e:
    # The serial dock stays reachable and says the same; nothing was written.
    print("sealtrail: cannot run,", fault_text(e))
