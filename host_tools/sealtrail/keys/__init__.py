# SPDX-License-Identifier: MIT
"""Keys and what they sign: fleet, certificates, tickets, people; secrets at rest."""
