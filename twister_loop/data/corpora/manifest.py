"""Corpus from a manifest of this package or of NeMo, one JSON object a line.

Unknown fields, such as `pnc` or `taskname`, are ignored.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...audio import io as audio
from ...core import schema
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import AudioError, ManifestError
from ...core.types import TEXT_ONLY, Language, Utterance
from ._base import Corpus
from ._listed import log_counts, reject
from ._locales import language_of_locale
from ._names import FileFinder
from ._tables import (
    FILE_COLUMNS,
    LANG_COLUMNS,
    SPEAKER_COLUMNS,
    TEXT_COLUMNS,
    Row,
    explain_missing,
    plain_name,
    read_json_lines,
)

log = logging.getLogger(__name__)

_OTHER_FIELDS = frozenset(option.name for option in fields(Utterance)) - {
    "audio_filepath", "text", "lang", "speaker", "id", "offset", "duration", "channel", "skip",
}  # fmt: skip
"""Fields of this package's manifests, which other tools may use for something else."""


@dataclass(frozen=True)
class ManifestFile(Corpus):
    """The utterances of a manifest."""

    file: Path = field(metadata=NOT_IN_CACHE_KEY)
    """JSON, one utterance a line. Audio paths are absolute, or relative to the file's folder."""
    lang: Language | None = None
    """Language of lines without one (ISO 639-1)."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the utterances in the order of lines, with absolute audio paths.

        A line without `duration` gets that of its audio. A line that cannot be used is rejected as
        `bad_line`, `no_audio` or `unreadable`.

        Raises:
            ConfigError: The file cannot be read, or is in another encoding.
            ManifestError: No line can be used.
        """
        yield from log_counts(f"manifest {self.file.name}", self._read_lines())

    def explain_missing_text(self) -> str:
        columns = read_json_lines(self.file).columns
        if any(name in TEXT_COLUMNS for name in map(plain_name, columns)):
            return f"{self.file}: no line has a transcript"
        return f"{self.file}: {explain_missing(TEXT_COLUMNS, 'the transcripts', columns)}"

    def _read_lines(self) -> Iterator[Utterance]:
        finder = FileFinder(self.file.parent, audio.SUFFIXES)
        usable, bad_lines = False, list[Utterance]()
        ignored = set[str]()
        for row in read_json_lines(self.file).rows:
            try:
                utterance = self._parse_row(row, ignored)
            except ValueError as cause:
                bad_line = Utterance(id=f"{self.file.name}:{row.line}")
                bad_line = reject(bad_line, "bad_line", f"{self.file}:{row.line}: {cause}")
                # Held back until one line is good: a file without any is no manifest.
                if not usable:
                    bad_lines.append(bad_line)
                else:
                    yield bad_line
                continue
            yield from bad_lines if not usable else ()
            usable = True
            yield self._locate(utterance, row, finder)
        if bad_lines and not usable:
            raise ManifestError(f"{bad_lines[0].objection}; no line of the manifest can be used")
        if ignored:
            names = ", ".join(sorted(ignored))
            log.warning("%s: fields of another form than here are ignored: %s", self.file, names)

    def _parse_row(self, row: Row, ignored: set[str]) -> Utterance:
        """Return the utterance of a line. Raises ValueError.

        Names of fields that have another form here and are left out are added to `ignored`.
        """
        if row.problem:
            raise ValueError(row.problem)
        parsed: dict[str, Any] = {
            "id": row.get(("id",)) or f"{self.file.name}:{row.line}",
            "text": row.get(TEXT_COLUMNS),
            # `source_lang` is NeMo's name for it in manifests for speech translation.
            "lang": language_of_locale(row.get((*LANG_COLUMNS, "source_lang"))) or self.lang,
            "speaker": row.get(SPEAKER_COLUMNS),
            **{name: row.fields.get(name) or 0.0 for name in ("offset", "duration")},
        }
        if name := row.get(("audio_filepath", *FILE_COLUMNS)):
            parsed["audio_filepath"] = name
        elif parsed["text"] is None:
            raise ValueError(explain_missing(FILE_COLUMNS[6:], "the audio file", row.fields))
        if (channel := row.fields.get("channel")) is not None:
            parsed["channel"] = channel
        others = {name: row.fields[name] for name in _OTHER_FIELDS & row.fields.keys()}
        try:
            utterance = schema.parse_data(Utterance, parsed | others)
        except ValueError:
            utterance = schema.parse_data(Utterance, parsed)
            ignored |= others.keys()
        if utterance.speechless:
            if utterance.text:
                raise ValueError(f"speechless is true, but the text is {utterance.text!r}")
            utterance = replace(utterance, text="")
        for name in ("offset", "duration"):
            if not 0 <= (seconds := getattr(utterance, name)) < math.inf:
                raise ValueError(f"{name}: {seconds} is no number of seconds from 0 on")
        return utterance

    def _locate(self, utterance: Utterance, row: Row, finder: FileFinder) -> Utterance:
        """Return the utterance with its file, and with the duration if the line has none."""
        # A text without audio has the empty path, which must not become the file's folder.
        if utterance.audio_filepath == TEXT_ONLY or utterance.rejected_by:
            return utterance
        name = str(utterance.audio_filepath)
        place = f"{self.file}:{row.line}"
        if (path := finder.find(name)) is None:
            return reject(utterance, "no_audio", f"{place}: no file {name!r}")
        utterance = replace(utterance, audio_filepath=path.absolute())
        if utterance.duration or utterance.error:
            return utterance
        try:
            duration = audio.measure_duration(path) - utterance.offset
        except AudioError as cause:
            return reject(utterance, "unreadable", f"{place}: {cause}")
        if duration <= 0:
            return reject(
                utterance, "bad_line", f"{place}: its offset is after the end of {name!r}"
            )
        return replace(utterance, duration=round(duration, 6))
