"""A data folder of Kaldi: `wav.scp`, and beside it `text`, `segments`, `utt2spk` as they are there.

Kaldi's lists may run commands. None is run here: of `flac -c -d -s FILE |` the file is read, and
what needs another command is set aside, with the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...audio.io import read_duration
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import AudioError, ConfigError, ManifestError
from ...core.types import Language, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, reject, require_folder

_FLAC = re.compile(r"(?:\S*/)?flac\s+(?:-\S+\s+)*(\S+)\s*\|")
_ARCHIVE = re.compile(r".*\.ark:\d+")


@dataclass(frozen=True)
class Kaldi(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    root: Path | None = field(default=None, metadata=NOT_IN_CACHE_KEY)
    """What relative paths of `wav.scp` are relative to; left out, the folder itself."""
    lang: Language | None = None
    labeled: bool = True
    """Whether the texts are given."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError without a `wav.scp`, ManifestError where a line has no value."""
        require_folder(self.folder, "Kaldi's lists")
        recordings = dict(self._table("wav.scp"))
        if not recordings:
            raise ConfigError(f"{self.folder / 'wav.scp'}: missing or empty")
        texts, speakers = dict(self._table("text")), dict(self._table("utt2spk"))
        segments = dict(self._table("segments"))
        found = (
            replace(
                each,
                text=texts.get(each.id),
                speaker=speakers.get(each.id),
                lang=self.lang,
            )
            for each in self._spoken(recordings, segments or {id_: id_ for id_ in recordings})
        )
        yield from log_counts(
            f"kaldi {self.folder.name}", (check_utterance(e, labeled=self.labeled) for e in found)
        )
        if texts and (unspoken := texts.keys() - (segments or recordings).keys()):
            for id_ in sorted(unspoken):
                yield reject(Utterance(id=id_), "no_audio", "a text that wav.scp does not name")

    def _spoken(
        self, recordings: Mapping[str, str], segments: Mapping[str, str]
    ) -> Iterator[Utterance]:
        """Each utterance where it is in its recording; whole files where nothing is cut."""
        for id_, segment in segments.items():
            recording, *times = segment.split()
            bare = Utterance(id=id_)
            if recording not in recordings:
                yield reject(bare, "no_audio", f"wav.scp has no recording {recording!r}")
                continue
            path = self._file(recordings[recording])
            if path is None:
                yield reject(bare, "command", f"{recordings[recording]!r} is not run here")
                continue
            made = replace(bare, audio_filepath=path)
            try:
                yield _cut(made, times) if times else made
            except (ValueError, AudioError) as cause:
                yield reject(made, "bad_segment", f"{segment!r}: {cause}")

    def _file(self, source: str) -> Path | None:
        """The audio file of an entry; None where a command or an archive would make it."""
        if found := _FLAC.fullmatch(source):
            source = found[1]
        elif source.endswith("|") or _ARCHIVE.fullmatch(source):
            return None
        return ((self.root or self.folder) / source).absolute()

    def _table(self, name: str) -> Iterator[tuple[str, str]]:
        """Key and value of every line; nothing where there is no such list."""
        path = self.folder / name
        if not path.is_file():
            return
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            key, _, value = " ".join(line.split()).partition(" ")
            if key and not value and name != "text":
                raise ManifestError(f"{path}:{number}: {key!r} has no value")
            if key:
                yield key, value


def _cut(whole: Utterance, times: list[str]) -> Utterance:
    """A stretch of a recording; an end of -1 is the recording's own."""
    start, end = (float(each) for each in times[:2])
    if end == -1:
        end = read_duration(whole.audio_filepath)
    if not 0 <= start < end:
        raise ValueError("it ends before it begins")
    return replace(whole, offset=start, duration=round(end - start, 6))
