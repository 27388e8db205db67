# SPDX-License-Identifier: MIT
"""The courier's phone page: the second client of the tag's protocol (docs/phone.md).

`static/` holds its core as ES modules without DOM, build step or copied libraries. The
modules need nothing but WebCrypto, so node runs them on the shared vectors.
"""
