"""A text corpus: one sentence a line, nobody has spoken it yet."""

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
    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """UTF-8; empty lines and lines that begin with # are passed over."""
    lang: Language | None = None

    def utterances(self) -> Iterator[Utterance]:
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as cause:
            raise ConfigError(f"{self.file}: no UTF-8 text ({cause})") from cause
        for number, line in enumerate(lines, 1):
            text = " ".join(line.split())
            if text and not text.startswith("#"):
                yield Utterance(
                    id=f"{self.file.name}:{number}", text=text, lang=self.lang, origin="synthetic"
                )
