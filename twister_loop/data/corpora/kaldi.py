"""Kaldi data folder: `wav.scp`, and optionally `text`, `segments` and `utt2spk`.

Kaldi's lists may contain commands. None is run here, since a list from elsewhere could run
anything: for `flac -c -d -s FILE |` the file is read, and recordings that need another command are
rejected, with the command.
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
    """The utterances of a Kaldi data folder."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder with `wav.scp` and the other lists."""
    root: Path | None = field(default=None, metadata=NOT_IN_CACHE_KEY)
    """Folder that relative paths in `wav.scp` start from; None for the folder of the lists."""
    lang: Language | None = None
    """Language of all utterances (ISO 639-1); with None the recognizer detects it."""
    labeled: bool = True
    """Yield the texts; without them the corpus can be a pool."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the segments, or whole recordings if there are no segments, in the lists' order.

        At the end follow rejected utterances for texts that no recording belongs to.

        Raises:
            ConfigError: `wav.scp` is missing or empty.
            ManifestError: A line has an id and nothing else.
        """
        require_folder(self.folder, "Kaldi's lists")
        recordings = dict(self._read_table("wav.scp"))
        if not recordings:
            raise ConfigError(f"{self.folder / 'wav.scp'}: missing or empty")
        texts, speakers = dict(self._read_table("text")), dict(self._read_table("utt2spk"))
        # Without segments every recording is one utterance of the same id.
        segments = dict(self._read_table("segments")) or {id_: id_ for id_ in recordings}
        utterances = (
            replace(
                utterance,
                text=texts.get(utterance.id),
                speaker=speakers.get(utterance.id),
                lang=self.lang,
            )
            for utterance in self._locate_segments(recordings, segments)
        )
        checked = (check_utterance(utterance, labeled=self.labeled) for utterance in utterances)
        yield from log_counts(f"kaldi {self.folder.name}", checked)
        if texts:
            for id_ in sorted(texts.keys() - segments.keys()):
                yield reject(
                    Utterance(id=id_),
                    "no_audio",
                    "a text without a recording in wav.scp or segments",
                )

    def _locate_segments(
        self, recordings: Mapping[str, str], segments: Mapping[str, str]
    ) -> Iterator[Utterance]:
        """Yield the audio of each utterance, with its place in the recording if it has times."""
        for id_, segment in segments.items():
            recording, *times = segment.split()
            utterance = Utterance(id=id_)
            if recording not in recordings:
                yield reject(utterance, "no_audio", f"wav.scp has no recording {recording!r}")
                continue
            path = self._find_file(recordings[recording])
            if path is None:
                objection = f"commands and archives are not read: {recordings[recording]!r}"
                yield reject(utterance, "command", objection)
                continue
            utterance = replace(utterance, audio_filepath=path)
            try:
                yield _cut_segment(utterance, times) if times else utterance
            except (ValueError, AudioError) as cause:
                yield reject(utterance, "bad_segment", f"{segment!r}: {cause}")

    def _find_file(self, source: str) -> Path | None:
        """Return the audio file of a line of `wav.scp`; None for a command or an archive."""
        if match := _FLAC.fullmatch(source):
            source = match[1]  # the file that flac would decode
        # Audio in an archive (`raw.ark:17`) would need Kaldi's own reader.
        elif source.endswith("|") or _ARCHIVE.fullmatch(source):
            return None
        return ((self.root or self.folder) / source).absolute()

    def _read_table(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield id and content of every line of a list; nothing if there is no such list."""
        path = self.folder / name
        if not path.is_file():
            return
        # utf-8-sig drops a byte order mark, which would become a part of the first id.
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            id_, _, content = " ".join(line.split()).partition(" ")
            # An empty text is allowed: the utterance is then rejected and counted as `no_text`.
            if id_ and not content and name != "text":
                raise ManifestError(f"{path}:{number}: {id_!r} has no value")
            if id_:
                yield id_, content


def _cut_segment(recording: Utterance, times: list[str]) -> Utterance:
    """Return a segment of a recording. Raises ValueError or AudioError.

    `times` are start and end in seconds; an end of -1 is the end of the recording.
    """
    start, end = (float(time) for time in times[:2])
    if end == -1:
        end = read_duration(recording.audio_filepath)
    if not 0 <= start < end:
        raise ValueError("it ends before it begins")
    return replace(recording, offset=start, duration=round(end - start, 6))
