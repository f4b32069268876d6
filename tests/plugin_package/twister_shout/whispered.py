"""Normalizer of its own module, which holds no other part."""

from __future__ import annotations

from dataclasses import dataclass

from twister_loop.parts import Normalizer


@dataclass(frozen=True)
class Whispered(Normalizer):
    """Normalizer that ignores case."""

    def normalize(self, text: str, lang: str | None) -> str:
        return " ".join(text.lower().split())
