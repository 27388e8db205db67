# SPDX-License-Identifier: MIT
"""A local stand-in for an EPCIS 2.0 capture server and an evidence store.

For demonstrations and tests: real files, real HTTP, the standard's answers. It claims
conformance with GS1's published interface for /capture and /events/{id} only, and is not
made for the open network: no TLS, one process, loopback by default.
"""
