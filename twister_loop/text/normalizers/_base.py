"""What a normalizer is to the rest of the house."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from ...core.artifacts import cache_key
from ...core.registry import Part
from ...core.types import Language
from ..normalizer_probes import PROBES


class Normalizer(Part):
    """Brings texts to the form in which they are compared."""

    home = "twister_loop.text.normalizers"
    probes: ClassVar[Sequence[tuple[Language | None, str]]] = PROBES
    """What the digest looks at; a normalizer that does more has more of them."""

    @abstractmethod
    def normalize(self, text: str, lang: Language | None) -> str:
        """Words separated by single spaces."""

    def keeping_numbers(self) -> Self:
        """The same, but numbers keep the form in which they were written."""
        return self

    def digest(self) -> str:
        """Of its options and of what it makes of `probes`: it changes with its packages too."""
        made = [self.normalize(text, lang) for lang, text in self.probes]
        known = json.dumps([cache_key(self), made], ensure_ascii=False)
        return hashlib.sha256(known.encode()).hexdigest()[:8]
