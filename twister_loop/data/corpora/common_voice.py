"""Mozilla Common Voice, one language of an unpacked release (Ardila et al., LREC 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...audio import io as audio
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Language, Seconds, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, reject, require_folder
from ._locales import language_of_locale
from ._names import FileFinder
from ._tables import Row, Table, read_table


@dataclass(frozen=True)
class CommonVoice(Corpus):
    """One list of Common Voice."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder of one language, such as `cv-corpus-17.0-2024-03-15/ko`, with lists and `clips`."""
    split: str = "train"
    """Name of a list: train, dev, test, validated, other, invalidated."""
    lang: Language | None = None
    """Language as Whisper names it (ISO 639-1); None reads it from the column `locale`."""
    labeled: bool = True
    """Yield the sentences; without them the corpus can be a pool."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the list in its order.

        Raises:
            ConfigError: The list is missing, in another encoding, or lacks a column.
        """
        listing = require_folder(self.folder, "Common Voice") / f"{self.split}.tsv"
        if not listing.is_file():
            lists = ", ".join(sorted(path.stem for path in self.folder.glob("*.tsv"))) or "none"
            raise ConfigError(f"{listing}: no such list; there are: {lists}")
        table = _read_list(listing, ("path",), ("sentence",))
        durations = dict(self._read_durations())
        finder = FileFinder(self.folder / "clips", audio.SUFFIXES)
        utterances = (self._to_utterance(row, listing, finder, durations) for row in table.rows)
        yield from log_counts(f"common_voice {self.split}", utterances)

    def _to_utterance(
        self, row: Row, listing: Path, finder: FileFinder, durations: Mapping[str, Seconds]
    ) -> Utterance:
        place = f"{listing}:{row.line}"
        if row.problem or (path := row.get(("path",))) is None:
            objection = f"{place}: {row.problem or 'no path of a clip'}"
            return reject(Utterance(id=f"{listing.name}:{row.line}"), "bad_row", objection)
        # Older releases leave the suffix out.
        name = path if path.endswith(".mp3") else f"{path}.mp3"
        audio_file = finder.find(name) or self.folder / "clips" / name
        utterance = Utterance(
            id=name,
            audio_filepath=audio_file.absolute(),
            duration=durations.get(name, 0.0),  # 0: `check_utterance` reads it from the file
            text=row.get(("sentence",)),
            lang=self.lang or language_of_locale(row.get(("locale",))),
            speaker=row.get(("client_id",)),  # a pseudonym
        )
        return check_utterance(utterance, labeled=self.labeled)

    def _read_durations(self) -> Iterator[tuple[str, Seconds]]:
        """Yield the duration of each clip by its name; older releases have no such list."""
        listing = self.folder / "clip_durations.tsv"
        if listing.is_file():
            for row in _read_list(listing, ("clip",), ("duration[ms]",)).rows:
                name, duration = row.get(("clip",)), row.get(("duration[ms]",))
                # Without a number it is measured.
                if name and duration and duration.isdecimal():
                    yield name, int(duration) / 1000


def _read_list(listing: Path, *required: Sequence[str]) -> Table:
    """Open a list. Raises ConfigError if it lacks a required column."""
    # The lists do not quote: a quotation mark is a part of a sentence.
    table = read_table(listing, "\t", quoted=False)
    for columns in required:
        table.require(columns, f"the {columns[0]}")
    return table
