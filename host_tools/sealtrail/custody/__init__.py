# SPDX-License-Identifier: MIT
"""Custody data for partners: EPCIS 2.0 documents, and their safe delivery."""
