# SPDX-License-Identifier: MIT
"""How the judges say no, before anybody knows which item they were looking at."""


class Refusal(Exception):
    """Rule and fixed reason of docs/record-format.md section 9.1, and words for a person."""

    def __init__(self, rule: str, reason: str, detail: str = "") -> None:
        super().__init__(rule, reason, detail)
        self.rule = rule
        self.reason = reason
        self.detail = detail
