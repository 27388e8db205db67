# SPDX-License-Identifier: MIT
"""The tag's signing key over its life: made, kept, rolled, erased; who vouches for it."""
