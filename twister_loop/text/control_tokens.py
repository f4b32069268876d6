"""Control tokens of Whisper that stand in a text, such as `<|endoftext|>` in a scraped corpus."""

from __future__ import annotations

import re

# By their form and not by a list: vocabularies differ in their languages, tasks and timestamps.
CONTROL_TOKEN = re.compile(r"<\|[^<>|\s]{1,40}\|>")
"""Spelling of all control tokens: languages, tasks, timestamps, marks of beginning and end."""


def find_control_token(text: str) -> str | None:
    """Return the first control token that a text spells, or None.

    >>> find_control_token("hello<|0.00|>"), find_control_token("a < b | c > d")
    ('<|0.00|>', None)
    """
    match = CONTROL_TOKEN.search(text)
    return match.group() if match else None
