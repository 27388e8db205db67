# SPDX-License-Identifier: MIT
"""`make demo`: a tag without hardware lives through a whole shipment, by the real commands."""
