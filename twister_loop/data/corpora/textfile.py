"""Text corpus of one sentence a line, for synthesis and language models."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.types import Language, Utterance
from ._base import Corpus
from ._lines import join_spaces, read_lines
from ._listed import reject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextFile(Corpus):
    """The lines of a text file, as utterances without audio."""

    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """UTF-8 text, or UTF-16 with its mark. Empty lines and lines that begin with # are ignored."""
    lang: Language | None = None
    """Language of the text (ISO 639-1); None if it is unknown."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield every sentence, with single spaces; a line with damaged bytes is rejected.

        Raises:
            ConfigError: The file cannot be read, or is in another encoding.
        """
        comments = 0
        for line in read_lines(self.file):
            text = join_spaces(line.text)
            # "synthetic", because its speech is yet to be synthesized.
            sentence = Utterance(
                id=f"{self.file.name}:{line.number}", text=text, lang=self.lang, origin="synthetic"
            )
            if line.problem:
                objection = f"{self.file}:{line.number}: {line.problem}"
                yield reject(sentence, "bad_line", objection)
            elif text.startswith("#"):
                comments += 1
            elif text:
                yield sentence
        if comments:
            log.info("%s: %d lines that begin with # are ignored", self.file, comments)
