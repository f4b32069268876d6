"""Interface of text normalizers."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from ...core.artifacts import cache_key
from ...core.errors import ConfigError
from ...core.registry import Part
from ...core.types import Language, Measure
from ..language_names import is_language
from ..normalizer_probes import PROBES


class Normalizer(Part):
    """Normalizer that brings texts to the form in which error rates compare them."""

    package = "twister_loop.text.normalizers"
    probes: ClassVar[Sequence[tuple[Language | None, str]]] = PROBES
    """(language, text) pairs that the digest is computed on; a normalizer may add its own."""
    measure: ClassVar[Measure | None] = None
    """Measure that all sets are read by; None lets the languages of each set decide."""

    @classmethod
    def find_class(cls, name: str) -> type[Self]:
        """Return the class of the normalizer with this name; a language is answered."""
        if name not in (names := cls.list_names()) and is_language(name):
            # People look for the normalizer of their language, and need none.
            raise ConfigError(
                f"there is no normalizer of its own for {name}: `basic`, the default, knows the "
                "numbers and spellings of most languages, so leave `normalizer` out; others are "
                f"{', '.join(sorted({*names} - {'basic'}))}"
            )
        return super().find_class(name)

    @abstractmethod
    def normalize(self, text: str, lang: Language | None) -> str:
        """Return the normalized text, its words separated by single spaces."""

    def languages_keeping_digits(self, langs: Iterable[Language | None]) -> list[Language]:
        """Return those languages in which numbers should be read aloud but stay digits."""
        return []

    def keeping_numbers(self) -> Self:
        """Return the same normalizer with numbers left as they were written."""
        return self

    def digest(self) -> str:
        """Return 8 hex digits that change with the options, the code or the packages in use."""
        # Outputs are hashed, not package versions: most releases normalize alike, and scores of
        # an older version stay comparable then.
        outputs = [self.normalize(text, lang) for lang, text in self.probes]
        fingerprint = json.dumps([cache_key(self), outputs], ensure_ascii=False)
        return hashlib.sha256(fingerprint.encode()).hexdigest()[:8]
