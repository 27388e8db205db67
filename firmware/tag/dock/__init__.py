# SPDX-License-Identifier: MIT
"""The serial dock: enrolment, clock, dump and the end of a tag's life."""
