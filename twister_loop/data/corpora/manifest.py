"""A manifest that is there already, ours or NeMo's: one JSON object a line.

Fields that mean nothing here, such as `pnc` or `taskname`, are passed over.
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
    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """JSON, one utterance a line; audio paths are absolute or relative to the file."""
    lang: Language | None = None
    """Of lines that do not say."""

    def utterances(self) -> Iterator[Utterance]:
        try:
            lines = self.file.read_bytes().splitlines()
        except OSError as cause:
            raise ConfigError(f"{self.file}: no manifest that can be read ({cause})") from cause
        for number, line in enumerate(lines, 1):
            try:
                row = schema.parse_json(dict[str, object], line)
                row = {name: value for name, value in row.items() if value is not None}
                row.setdefault("id", f"{self.file.name}:{number}")
                if "source_lang" in row:  # NeMo's, where what is heard may be translated
                    row.setdefault("lang", row["source_lang"])
                if isinstance(row.get("speaker"), int):
                    row["speaker"] = str(row["speaker"])
                utterance = schema.parse_data(Utterance, row)
            except ValueError as cause:
                raise ManifestError(f"{self.file}:{number}: {cause}") from cause
            path = utterance.audio_filepath
            yield replace(
                utterance,
                audio_filepath=path if path == TEXT_ONLY else (self.file.parent / path).absolute(),
                lang=utterance.lang or self.lang,
            )
