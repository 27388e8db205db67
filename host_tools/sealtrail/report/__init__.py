# SPDX-License-Identifier: MIT
"""The report quality assurance signs: PDF, CSV and JSON from the same figures."""
