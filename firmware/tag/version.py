# SPDX-License-Identifier: MIT
"""The firmware's version: in the certificate, in every BOOT event, in Device Information."""

VERSION = "0.1.0"
