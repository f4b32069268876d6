"""Kaldi data folder: `wav.scp`, and optionally `text`, `segments` and `utt2spk`.

Kaldi's lists may contain commands. None is run here, since a list from elsewhere could run
anything: for `flac -c -d -s FILE |` the file is read, and recordings that need another command are
rejected, with the command.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from ...audio.io import SUFFIXES, measure_duration
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import AudioError, ConfigError, ManifestError
from ...core.types import Language, Utterance
from ._base import Corpus
from ._lines import join_spaces, read_lines
from ._listed import check_utterance, log_counts, reject, require_folder
from ._names import FileFinder

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

        At the end follow rejected utterances for recordings without a segment, texts without a
        recording, and lines that cannot be used.

        Raises:
            ConfigError: `wav.scp` is missing or empty, or a list is in another encoding.
            ManifestError: No line of a list can be used.
        """
        require_folder(self.folder, "Kaldi's lists")
        rejected_lines = list[Utterance]()
        recordings, texts, speakers, segments = (
            self._read_table(name, rejected_lines)
            for name in ("wav.scp", "text", "utt2spk", "segments")
        )
        if not recordings:
            raise ConfigError(f"{self.folder / 'wav.scp'}: missing or empty")
        unused = set(recordings)
        # Without segments every recording is one utterance of the same id.
        segments = segments or {id_: id_ for id_ in recordings}
        unused -= {segment.split()[0] for segment in segments.values()}
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
        left_over = (
            reject(Utterance(id=id_), "no_segment", "a recording that no line of segments names")
            for id_ in sorted(unused)
        )
        without_audio = (
            reject(
                Utterance(id=id_), "no_audio", "a text without a recording in wav.scp or segments"
            )
            for id_ in sorted(texts.keys() - segments.keys())
        )
        everything = chain(checked, left_over, without_audio, rejected_lines)
        yield from log_counts(f"kaldi {self.folder.name}", everything)

    def _locate_segments(
        self, recordings: Mapping[str, str], segments: Mapping[str, str]
    ) -> Iterator[Utterance]:
        """Yield the audio of each utterance, with its place in the recording if it has times."""
        finder = FileFinder(self.root or self.folder, SUFFIXES)
        for id_, segment in segments.items():
            recording, *times = segment.split()
            utterance = Utterance(id=id_)
            if recording not in recordings:
                yield reject(utterance, "no_audio", f"wav.scp has no recording {recording!r}")
                continue
            path = self._find_file(recordings[recording], finder)
            if path is None:
                objection = f"commands and archives are not read: {recordings[recording]!r}"
                yield reject(utterance, "command", objection)
                continue
            utterance = replace(utterance, audio_filepath=path)
            try:
                yield _cut_segment(utterance, times) if times else utterance
            except (ValueError, AudioError) as cause:
                yield reject(utterance, "bad_segment", f"{segment!r}: {cause}")

    def _find_file(self, source: str, finder: FileFinder) -> Path | None:
        """Return the audio file of a line of `wav.scp`; None for a command or an archive."""
        if match := _FLAC.fullmatch(source):
            source = match[1]  # the file that flac would decode
        # Audio in an archive (`raw.ark:17`) would need Kaldi's own reader.
        elif source.endswith("|") or _ARCHIVE.fullmatch(source):
            return None
        return (finder.find(source) or (self.root or self.folder) / source).absolute()

    def _read_table(self, name: str, rejected: list[Utterance]) -> dict[str, str]:
        """Return the content of every line of a list by its id; nothing if there is no such list.

        Lines that cannot be used are added to `rejected`.

        Raises:
            ManifestError: No line can be used.
        """
        path, table = self.folder / name, dict[str, str]()
        problems = list[str]()
        for line in read_lines(path) if path.is_file() else ():
            id_, _, content = line.text.strip().replace("\t", " ").partition(" ")
            content = join_spaces(content) if name != "wav.scp" else content.strip()
            if line.problem:
                problems.append(f"{path}:{line.number}: {line.problem}")
            # An empty text is allowed: the utterance is then rejected and counted as `no_text`.
            elif id_ and not content and name != "text":
                problems.append(f"{path}:{line.number}: {id_!r} has no value")
            elif id_ in table:
                problems.append(f"{path}:{line.number}: {id_!r} has a line already")
            elif id_:
                table[id_] = content
        if problems and not table:
            raise ManifestError(f"{problems[0]}; no line of the list can be used")
        rejected += (reject(Utterance(id=text), "bad_line", text) for text in problems)
        return table


def _cut_segment(recording: Utterance, times: list[str]) -> Utterance:
    """Return a segment of a recording. Raises ValueError or AudioError.

    `times` are start and end in seconds; an end of -1 is the end of the recording.
    """
    if len(times) < 2:
        raise ValueError("a start without an end")
    start, end = (float(time) for time in times[:2])
    if end == -1:
        end = measure_duration(recording.audio_filepath)
    if not 0 <= start < end < math.inf:
        raise ValueError("it ends before it begins, or never")
    return replace(recording, offset=start, duration=round(end - start, 6))
