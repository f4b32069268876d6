"""Corpus from a manifest of this package or of NeMo, one JSON object a line.

Unknown fields, such as `pnc` or `taskname`, are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...core import schema
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError, ManifestError
from ...core.types import TEXT_ONLY, Language, Utterance
from ._base import Corpus


@dataclass(frozen=True)
class ManifestFile(Corpus):
    """The utterances of a manifest."""

    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """JSON, one utterance a line. Audio paths are absolute, or relative to the file's folder."""
    lang: Language | None = None
    """Language of lines without one (ISO 639-1)."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the utterances in the order of lines, with absolute audio paths.

        Raises:
            ConfigError: The file cannot be read.
            ManifestError: A line is not JSON, or a field has the wrong type.
        """
        try:
            # As bytes: a line with broken UTF-8 is then reported with its number.
            lines = self.file.read_bytes().splitlines()
        except OSError as cause:
            raise ConfigError(f"{self.file}: cannot read the manifest ({cause})") from cause
        for number, line in enumerate(lines, 1):
            try:
                utterance = self._parse_line(number, line)
            except ValueError as cause:
                raise ManifestError(f"{self.file}:{number}: {cause}") from cause
            # A text without audio has the empty path, which must not become the file's folder.
            path = utterance.audio_filepath
            yield replace(
                utterance,
                audio_filepath=path if path == TEXT_ONLY else (self.file.parent / path).absolute(),
                lang=utterance.lang or self.lang,
            )

    def _parse_line(self, number: int, line: bytes) -> Utterance:
        """Parse line `number`, counted from 1. Raises ValueError."""
        row = schema.parse_json(dict[str, object], line)
        # NeMo writes null for fields that an utterance does not have.
        row = {name: content for name, content in row.items() if content is not None}
        row.setdefault("id", f"{self.file.name}:{number}")
        if "source_lang" in row:  # NeMo's name for it in manifests for speech translation
            row.setdefault("lang", row["source_lang"])
        if isinstance(row.get("speaker"), int):
            row["speaker"] = str(row["speaker"])
        return schema.parse_data(Utterance, row)
