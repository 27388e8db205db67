# SPDX-License-Identifier: MIT
"""What a person types: one module a group of commands; parse, call, print."""
