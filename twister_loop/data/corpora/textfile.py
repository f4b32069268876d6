"""Text corpus of one sentence a line, for synthesis and language models."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.types import Language, Utterance
from ._base import Corpus
from ._lines import read_lines
from ._listed import reject
from ._locales import language_of_locale
from ._tables import LANG_COLUMNS, TEXT_COLUMNS, Row, read_table

log = logging.getLogger(__name__)

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
"""Endings, in lower case, of files that are tables and no plain lines."""


@dataclass(frozen=True)
class TextFile(Corpus):
    """The lines of a text file, as utterances without audio."""

    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """UTF-8 text, or UTF-16 with its mark, one sentence a line. Empty lines and lines that begin
    with # are ignored. Of a table (`.csv`, `.tsv`, `.jsonl`) the column `text` is read."""
    lang: Language | None = None
    """Language of the text (ISO 639-1); None if it is unknown."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield every sentence, with single spaces; a line that cannot be read is rejected.

        Raises:
            ConfigError: The file cannot be read, is in another encoding, or is a table without a
                column of texts.
            ManifestError: The file is no table, though its name says so.
        """
        is_table = self.file.suffix.lower() in TABLE_SUFFIXES
        comments = 0
        for row in self._read_table() if is_table else self._read_lines():
            # "synthetic", because its speech is yet to be synthesized.
            sentence = Utterance(
                id=f"{self.file.name}:{row.line}", lang=self.lang, origin="synthetic"
            )
            try:
                if row.problem:
                    raise ValueError(row.problem)
                text, lang = row.get(TEXT_COLUMNS), row.get(LANG_COLUMNS)
            except ValueError as cause:
                yield reject(sentence, "bad_line", f"{self.file}:{row.line}: {cause}")
                continue
            if text and text.startswith("#") and not is_table:
                comments += 1
            elif text:
                yield replace(sentence, text=text, lang=language_of_locale(lang) or self.lang)
        if comments:
            log.info("%s: %d lines that begin with # are ignored", self.file, comments)

    def _read_lines(self) -> Iterator[Row]:
        for line in read_lines(self.file):
            yield Row(line.number, {"text": line.text}, line.problem)

    def _read_table(self) -> Iterator[Row]:
        table = read_table(self.file)
        # Rows of JSON lines are judged one by one, since each has its own keys.
        if table.columns:
            table.require(TEXT_COLUMNS, "the texts")
        return table.rows
