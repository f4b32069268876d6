"""Text of unknown origin, made safe to print."""

from __future__ import annotations

import logging
import unicodedata


def printable(text: str) -> str:
    r"""Return a text without characters that control a terminal; line ends and tabs stay.

    Names in a run that somebody else made could otherwise recolor, overwrite or hide what a
    command prints. Such characters are shown as Python writes them.

    >>> printable("dev\x1b[31m")
    'dev\\x1b[31m'
    """
    return "".join(map(_printable_character, text)) if not text.isprintable() else text


def _printable_character(character: str) -> str:
    # Cc: escape sequences begin with one. Cs: a lone surrogate cannot be written at all. The last
    # are marks that reverse the direction of the text after them.
    is_control = unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t"
    is_override = character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return ascii(character)[1:-1] if is_control or is_override else character


class PrintableFormatter(logging.Formatter):
    """Formatter of log lines that passes their messages through `printable`."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
