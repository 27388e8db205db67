# SPDX-License-Identifier: MIT
"""The archive: evidence store, ticket office, holder of the service key. docs/archive.md."""
