"""Filters; a module may define several, since each entry point names its class."""

from __future__ import annotations

from dataclasses import dataclass

from twister_loop import Utterance
from twister_loop.parts import Filter


@dataclass(frozen=True)
class Shouting(Filter):
    """Drops utterances with too many marks."""

    at_most: int = 3
    """Largest number of marks."""

    def objection(self, utterance: Utterance) -> str | None:
        from .marks import MARKS

        count = sum((utterance.text or "").count(mark) for mark in MARKS)
        return None if count <= self.at_most else f"{count} marks, more than {self.at_most}"


@dataclass(frozen=True)
class Unnamed(Filter):
    """Filter that no entry point names, so that plans cannot use it."""

    def objection(self, utterance: Utterance) -> str | None:
        return None
