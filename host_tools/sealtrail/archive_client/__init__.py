# SPDX-License-Identifier: MIT
"""The archive's other end: what `sync`, the gateway and the phone page's server use of it."""
