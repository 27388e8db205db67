# SPDX-License-Identifier: MIT
"""What runs on a tag: one duty per module, objects built in main.py and passed in."""
