"""Text corpus of one sentence a line, for synthesis and language models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Language, Utterance
from ._base import Corpus


@dataclass(frozen=True)
class TextFile(Corpus):
    """The lines of a text file, as utterances without audio."""

    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """UTF-8 text. Empty lines and lines that begin with # are ignored."""
    lang: Language | None = None
    """Language of the text (ISO 639-1); None if it is unknown."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield every sentence, with single spaces.

        Raises:
            ConfigError: The file is missing, or not UTF-8.
        """
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as cause:
            raise ConfigError(f"{self.file}: no UTF-8 text ({cause})") from cause
        for number, line in enumerate(lines, 1):
            text = " ".join(line.split())
            if text and not text.startswith("#"):
                # "synthetic", because its speech is yet to be synthesized.
                yield Utterance(
                    id=f"{self.file.name}:{number}", text=text, lang=self.lang, origin="synthetic"
                )
