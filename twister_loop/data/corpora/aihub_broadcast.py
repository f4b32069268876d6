"""AI-Hub's broadcast conversations (data set 463): whole programs, and a JSON of their utterances.

`NAME.wav` lies under `원천데이터` and `NAME.json` under `라벨링데이터`, each in folders of its own;
a label lists `utterance` with `form`, `start`, `end` (seconds) and `speaker_id`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Seconds, Utterance
from ._base import Corpus
from ._etri import Reading, choose_reading, find_unknown_marks, remove_marks
from ._listed import check_utterance, log_counts, reject, require_folder

FOLDERS = {"train": "*Training*", "validation": "*Validation*", "all": "."}


@dataclass(frozen=True)
class AihubBroadcast(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """What was unpacked, in whatever depth."""
    split: Literal["train", "validation", "all"] = "all"
    """`Training` or `Validation`, as their folders are named."""
    reading: Reading = "spelling"
    """Of `(이십)/(20)`: as spelled, or as pronounced. The order is not always this one."""
    special: str = "*&#@"
    """Signs that make an utterance no use: names and numbers are hidden behind them."""
    at_least: Seconds = 0.5
    """What is shorter is set aside; ours, as nobody published one."""
    at_most: Seconds = 30.0
    """What is longer is set aside; what Whisper hears at once."""
    labeled: bool = True
    """Whether the transcripts are given."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where there is no label at all."""
        require_folder(self.folder, "AI-Hub broadcasts")
        homes = [self.folder] if self.split == "all" else self._homes()
        labels = sorted({each for home in homes for each in home.rglob("*.json")})
        if not labels:
            raise ConfigError(f"{self.folder}: no label of {self.split} (NAME.json) in it or below")
        audio = {path.stem: path for home in homes for path in home.rglob("*.wav")}
        found = (each for path in labels for each in self._program(path, audio))
        yield from log_counts(f"aihub_broadcast {self.split}", found)

    def _homes(self) -> list[Path]:
        return [each for each in self.folder.rglob(FOLDERS[self.split]) if each.is_dir()]

    def _program(self, label: Path, audio: Mapping[str, Path]) -> Iterator[Utterance]:
        path = audio.get(label.stem, label.with_suffix(".wav"))
        try:
            document = json.loads(label.read_text(encoding="utf-8-sig"))
            parts = document["utterance"]
        except (ValueError, KeyError, TypeError) as cause:
            bare = Utterance(id=label.stem, audio_filepath=path)
            yield reject(bare, "bad_label", f"{label}: not a label of utterances ({cause!r})")
            return
        for number, part in enumerate(parts):
            yield self._utterance(f"{label.stem}-{number:05d}", label.stem, path, part)

    def _utterance(self, id_: str, program: str, path: Path, part: Mapping[str, Any]) -> Utterance:
        bare = Utterance(id=id_, audio_filepath=path.absolute(), lang="ko")
        try:
            start, end = float(part["start"]), float(part["end"])
            said = str(part.get("form") or part["original_form"])
            speaker = part.get("speaker_id")
        except (ValueError, KeyError, TypeError) as cause:
            return reject(bare, "bad_label", f"{id_}: no start, end and form ({cause!r})")
        raw = choose_reading(said, self.reading, spelling_first=False)
        made = Utterance(
            id=id_,
            audio_filepath=bare.audio_filepath,
            offset=round(start, 3),
            duration=round(max(end - start, 0.0), 3),
            text=remove_marks(raw, self.reading),
            lang="ko",
            speaker=f"{program}-{speaker}" if speaker else None,
        )
        if hidden := "".join(sign for sign in self.special if sign in said):
            made = reject(made, "special_characters", f"{hidden} in {said!r}")
        elif not self.at_least <= made.duration <= self.at_most:
            made = reject(made, "length", f"{made.duration:.2f} s")
        elif self.labeled and (marks := find_unknown_marks(raw)):
            made = reject(made, "unknown_mark", f"{marks} in {said!r}")
        return check_utterance(made, labeled=self.labeled)
