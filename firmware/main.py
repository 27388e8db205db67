# SPDX-License-Identifier: MIT
"""Entry point of the tag: builds and runs it, or says that it is not provisioned yet."""

import asyncio

from tag import app

try:
    asyncio.run(app.main())
except app.NotEnrolled as e:
    print("sealtrail: not provisioned,", e)
