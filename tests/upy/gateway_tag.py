# SPDX-License-Identifier: MIT
"""access_ble_tag.py as one of many tags: its own certificate and access key from a file.

Environment: ST_ENROLMENT (a file: access key, 32 B, then the certificate), and ST_RECORDS.
"""

import os
import sys

_REPO = sys.argv[1].rsplit("/", 3)[0]
sys.path.append(_REPO + "/firmware")

import access_tag_parts

with open(os.getenv("ST_ENROLMENT"), "rb") as file:
    access_tag_parts.ACCESS_KEY = file.read(32)
    access_tag_parts.CERTIFICATE = file.read()

import access_ble_tag  # noqa: F401  runs until it is killed
