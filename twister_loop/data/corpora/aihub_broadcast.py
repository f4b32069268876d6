"""AI-Hub's broadcast conversations (data set 463), Korean.

Every program is one file `NAME.wav` below `원천데이터`, and its label one file `NAME.json` below
`라벨링데이터`. A label lists `utterance` with `form`, `start`, `end` (seconds) and `speaker_id`.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.ranges import Range
from ...core.types import Seconds, Utterance
from ._base import Corpus
from ._etri import Reading, choose_reading, find_unknown_marks, remove_marks
from ._lines import read_text
from ._listed import check_utterance, log_counts, reject, require_folder

FOLDER_PATTERNS = {"train": "*Training*", "validation": "*Validation*"}
"""Patterns for the folders of a split, which have a number before the name (`1.Training`)."""


@dataclass(frozen=True)
class AihubBroadcast(Corpus):
    """The utterances of one split of the broadcasts, cut from their programs."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder with the unpacked archives, at any depth."""
    split: Literal["train", "validation", "all"] = "all"
    """`train` for folders named `Training`, `validation` for `Validation`, or `all`."""
    reading: Reading = "spelling"
    """Form to keep of dual transcriptions such as `(이십)/(20)`, whose order varies."""
    special: str = "*&#@"
    """Signs that mask names and numbers. Utterances with one of them are rejected."""
    at_least: Annotated[Seconds, Range(0, 3600)] = 0.5
    """Shortest duration in seconds; shorter utterances are rejected. Our own choice, since no
    threshold has been published."""
    at_most: Annotated[Seconds, Range(0, 3600)] = 30.0
    """Longest duration in seconds, Whisper's window; longer utterances are rejected."""
    labeled: bool = True
    """Yield the transcripts; without them the corpus can be a pool."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the utterances, program by program.

        Raises:
            ConfigError: There is no label in the folder or below it.
        """
        require_folder(self.folder, "AI-Hub broadcasts")
        folders = [self.folder] if self.split == "all" else self._find_split_folders()
        # A set, since a folder may lie in another one that also has the split in its name.
        labels = sorted({path for folder in folders for path in folder.rglob("*.json")})
        if not labels:
            raise ConfigError(f"{self.folder}: no label of {self.split} (NAME.json) in it or below")
        recordings = {
            _compose(path.stem): path
            for folder in folders
            for path in folder.rglob("*")
            if path.suffix.lower() == ".wav"
        }
        utterances = (utterance for label in labels for utterance in self._read(label, recordings))
        labeled_names = {_compose(label.stem) for label in labels}
        unlabeled = (
            reject(
                Utterance(id=name, audio_filepath=path.absolute()), "no_label", f"{path}: no label"
            )
            for name, path in sorted(recordings.items())
            if name not in labeled_names
        )
        yield from log_counts(f"aihub_broadcast {self.split}", chain(utterances, unlabeled))

    def _find_split_folders(self) -> list[Path]:
        pattern = FOLDER_PATTERNS[self.split]
        return [path for path in self.folder.rglob(pattern) if path.is_dir()]

    def _read(self, label: Path, recordings: Mapping[str, Path]) -> Iterator[Utterance]:
        """Yield the utterances of a label. `recordings` are by name of the program."""
        path = recordings.get(_compose(label.stem), label.with_suffix(".wav"))
        try:
            document = json.loads(read_text(label, ("utf-8", "cp949")) or "")
            parts = document["utterance"]
            if not isinstance(parts, list):
                raise TypeError("`utterance` is no list")
        except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as cause:
            program = Utterance(id=label.stem, audio_filepath=path)
            yield reject(program, "bad_label", f"{label}: not a label of utterances ({cause!r})")
            return
        for number, part in enumerate(parts):
            utterance = Utterance(
                id=f"{label.stem}-{number:05d}", audio_filepath=path.absolute(), lang="ko"
            )
            yield self._complete(utterance, program=label.stem, part=part)

    def _complete(self, utterance: Utterance, program: str, part: Mapping[str, Any]) -> Utterance:
        """Return the utterance with place, text and speaker from its part of the label."""
        try:
            start, end = float(part["start"]), float(part["end"])
            transcript = str(part.get("form") or part["original_form"])
            speaker = part.get("speaker_id")
            # JSON can spell half a character, which no file can hold.
            f"{transcript}{speaker}".encode()
            if not (math.isfinite(start) and math.isfinite(end)):
                raise ValueError("a time that is no number")
        except (ValueError, KeyError, TypeError) as cause:
            objection = f"{utterance.id}: no start, end and form ({cause!r})"
            return reject(utterance, "bad_label", objection)
        text = choose_reading(transcript, self.reading, spelling_first=False)
        utterance = replace(
            utterance,
            offset=round(start, 3),
            duration=round(max(end - start, 0.0), 3),  # 0 if reversed: then rejected below
            text=remove_marks(text, self.reading),
            # Speakers are numbered anew in every program.
            speaker=f"{program}-{speaker}" if speaker not in (None, "") else None,
        )
        # On the raw transcript: the cleaned text has lost these signs.
        if masked := "".join(sign for sign in self.special if sign in transcript):
            utterance = reject(utterance, "special_characters", f"{masked} in {transcript!r}")
        elif not self.at_least <= utterance.duration <= self.at_most:
            utterance = reject(utterance, "length", f"{utterance.duration:.2f} s")
        elif self.labeled and (marks := find_unknown_marks(text)):
            utterance = reject(utterance, "unknown_mark", f"{marks} in {transcript!r}")
        return check_utterance(utterance, labeled=self.labeled)


def _compose(name: str) -> str:
    """Return a name as it is compared: Macs write Hangul decomposed."""
    return unicodedata.normalize("NFC", name)
