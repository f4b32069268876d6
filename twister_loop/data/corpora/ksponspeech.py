"""KsponSpeech, 969 hours of spontaneous Korean speech, as AI-Hub publishes them.

The audio is headerless PCM (`KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm`), with a text
in cp949 beside each file. The official lists (`train.trn`, `dev.trn`, `eval_clean.trn`,
`eval_other.trn`; UTF-8) have `path :: transcript` in each line. Source: Bang et al., Applied
Sciences 10(19), 2020.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Utterance
from ._base import Corpus
from ._etri import Reading, choose_reading, find_unknown_marks, remove_marks
from ._lines import read_lines, read_text
from ._listed import check_utterance, find_below, log_counts, reject, require_folder

Split = Literal["train", "dev", "eval_clean", "eval_other", "all"]

SPOKEN_PERCENT = {
    **dict.fromkeys(["087797", "215401", "284574", "397184", "581483"], "퍼센트"),
    **dict.fromkeys(["501006", "502173", "542363"], "프로"),
}
"""Spoken form of the percent sign, by file number, in files that do not write it out. The forms
are KoSpeech's, which listened to them."""


@dataclass(frozen=True)
class KsponSpeech(Corpus):
    """One split of KsponSpeech."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder with the unpacked `KsponSpeech_01` ... `_05`, `KsponSpeech_eval` and the folder of
    lists, in it or up to two levels below."""
    split: Split = "train"
    """Name of an official list, or `all`: every file of the five folders with the text beside it,
    which needs no list."""
    reading: Reading = "spelling"
    """Form to keep of dual transcriptions such as `(70%)/(칠 십 퍼센트)`."""
    labeled: bool = True
    """Yield the transcripts; without them the corpus can be a pool."""
    published: ClassVar = {
        "train": 620_000,
        "dev": 2_545,
        "eval_clean": 3_000,
        "eval_other": 3_000,
        "all": 622_545,
    }
    """Sources: OpenSpeech's reader (620,000; 2,545; 6,000 to evaluate), and the hub's card of
    jubang0219/KsponSpeech (3,000 each). `all` is train and dev."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of its list, or of paths for `all`.

        Raises:
            ConfigError: The split is not in the folder.
        """
        require_folder(self.folder, "KsponSpeech")
        utterances = self._read_folders() if self.split == "all" else self._read_list()
        yield from log_counts(f"ksponspeech {self.split}", utterances)

    def _read_list(self) -> Iterator[Utterance]:
        """Yield the utterances of an official list."""
        listing = find_below(self.folder, f"{self.split}.trn")
        if listing is None:
            raise ConfigError(
                f"{self.folder}: no list {self.split}.trn in it or two levels below; unpack "
                "KsponSpeech_scripts.zip there, or take {split: all}, which needs no list"
            )
        parents: dict[str, Path] = {}
        for line in read_lines(listing, ("utf-8", "cp949")):
            if not line.problem and not line.text.strip():
                continue
            path, _, transcript = line.text.partition("::")
            path = path.strip().replace("\\", "/")
            if not transcript.strip() or not path.endswith(".pcm"):
                objection = f"{listing}:{line.number}: not `path :: transcript`"
                yield reject(Utterance(id=f"{listing.name}:{line.number}"), "bad_line", objection)
            else:
                yield self._to_utterance(self._locate(path, parents), transcript)

    def _read_folders(self) -> Iterator[Utterance]:
        """Yield the utterances of the five folders, also those without audio or text."""
        # Each folder on its own: the five archives may be unpacked at different places.
        parts = [find_below(self.folder, f"KsponSpeech_0{number}") for number in range(1, 6)]
        if not any(parts):
            raise ConfigError(f"{self.folder}: no KsponSpeech_01 in it or two levels below")
        for part in filter(None, parts):
            for folder in sorted(part.iterdir()):
                names = {
                    path.stem for path in folder.glob("*.*") if path.suffix in {".pcm", ".txt"}
                }
                for name in sorted(names):
                    yield self._read_pair(folder / f"{name}.pcm")

    def _read_pair(self, audio: Path) -> Utterance:
        """Return the utterance of an audio file and the text beside it."""
        utterance = Utterance(id=audio.stem, audio_filepath=audio)
        text_file = audio.with_suffix(".txt")
        if not text_file.is_file():
            return check_utterance(utterance, labeled=self.labeled)
        # UTF-8 first, as some copies have it: other text is hardly ever valid UTF-8 by chance.
        text = read_text(text_file, ("utf-8", "cp949"))
        if text is None:
            return reject(utterance, "not_cp949", f"{text_file}: neither cp949 nor UTF-8")
        return self._to_utterance(audio, text)

    def _to_utterance(self, audio: Path, transcript: str) -> Utterance:
        """Return the utterance of an audio file with its text by the rules of ETRI."""
        chosen = choose_reading(transcript, self.reading)
        percent = SPOKEN_PERCENT.get(audio.stem.rpartition("_")[2], "퍼센트")
        utterance = Utterance(
            id=audio.stem,
            audio_filepath=audio.absolute(),
            text=remove_marks(chosen, self.reading, percent=percent),
            lang="ko",
        )
        if self.labeled and (marks := find_unknown_marks(chosen)):
            utterance = reject(utterance, "unknown_mark", f"{marks} in {transcript.strip()!r}")
        return check_utterance(utterance, labeled=self.labeled)

    def _locate(self, path: str, parents: dict[str, Path]) -> Path:
        """Return the audio file for a path of a list.

        The first folder of the path may lie deeper than the list has it. `parents` keeps where it
        was found, since a list has 620,000 lines and searching a folder for each takes hours.
        """
        path = path.lstrip("/").removeprefix("./")
        first_folder = Path(path).parts[0]
        # Folders of the archives have plain names; others would be patterns of a search.
        if not re.fullmatch(r"\w[\w-]*", first_folder):
            return self.folder / path
        if first_folder not in parents:
            location = find_below(self.folder, first_folder)
            parents[first_folder] = location.parent if location else self.folder
        return parents[first_folder] / path
