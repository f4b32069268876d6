"""KsponSpeech: 969 hours of spontaneous Korean, as AI-Hub gives them out.

Headerless PCM beside texts in cp949 (`KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm`),
and the official lists (`train.trn`, `dev.trn`, `eval_clean.trn`, `eval_other.trn`; UTF-8) with
`path :: transcript` in each line. Source: Bang et al., Applied Sciences 10(19), 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Utterance
from ._base import Corpus
from ._etri import Reading, choose_reading, find_unknown_marks, remove_marks
from ._listed import check_utterance, decode_text, find_below, log_counts, reject, require_folder

Split = Literal["train", "dev", "eval_clean", "eval_other", "all"]

PERCENT = {
    **dict.fromkeys(["087797", "215401", "284574", "397184", "581483"], "퍼센트"),
    **dict.fromkeys(["501006", "502173", "542363"], "프로"),
}
"""How the percent sign sounds in the files that do not write it out, by KoSpeech; heard there."""


@dataclass(frozen=True)
class KsponSpeech(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """What was unpacked: `KsponSpeech_01` ... `_05`, `KsponSpeech_eval` and the folder with the
    lists, in it or a level or two below."""
    split: Split = "train"
    """An official list; or `all`, which needs none: every file of the five folders, with the
    texts that lie beside them."""
    reading: Reading = "spelling"
    """Of `(70%)/(칠 십 퍼센트)`: as spelled, or as pronounced."""
    labeled: bool = True
    """Whether the transcripts are given; without them it can be a pool."""
    published: ClassVar = {
        "train": 620_000,
        "dev": 2_545,
        "eval_clean": 3_000,
        "eval_other": 3_000,
        "all": 622_545,
    }
    """As OpenSpeech's reader has them (620,000; 2,545; 6,000 to evaluate), and the hub's card of
    jubang0219/KsponSpeech (3,000 each); `all` is train and dev."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the split is not there."""
        require_folder(self.folder, "KsponSpeech")
        found = self._all() if self.split == "all" else self._listed()
        yield from log_counts(f"ksponspeech {self.split}", found)

    def _listed(self) -> Iterator[Utterance]:
        listing = find_below(self.folder, f"{self.split}.trn")
        if listing is None:
            raise ConfigError(
                f"{self.folder}: no list {self.split}.trn in it or two levels below; unpack "
                "KsponSpeech_scripts.zip there, or take {split: all}, which needs no list"
            )
        homes: dict[str, Path] = {}
        for number, line in enumerate(listing.read_bytes().splitlines(), 1):
            text = decode_text(line, "utf-8-sig", "cp949")
            name, _, said = (text or "").partition(" :: ")
            if text is None or not said.strip() or not name.strip().endswith(".pcm"):
                why = f"{listing.name}:{number}: not `path :: transcript`"
                yield reject(Utterance(id=f"{listing.name}:{number}"), "bad_line", why)
            else:
                yield self._utterance(self._there(name.strip(), homes), said)

    def _all(self) -> Iterator[Utterance]:
        parts = [find_below(self.folder, f"KsponSpeech_0{number}") for number in range(1, 6)]
        if not any(parts):
            raise ConfigError(f"{self.folder}: no KsponSpeech_01 in it or two levels below")
        for part in filter(None, parts):
            for folder in sorted(part.iterdir()):
                names = {
                    each.stem for each in folder.glob("*.*") if each.suffix in {".pcm", ".txt"}
                }
                for name in sorted(names):
                    yield self._read(folder / f"{name}.pcm")

    def _read(self, audio: Path) -> Utterance:
        """A file with the text beside it."""
        beside = audio.with_suffix(".txt")
        if not beside.is_file():
            return check_utterance(
                Utterance(id=audio.stem, audio_filepath=audio), labeled=self.labeled
            )
        # Text in UTF-8, as some copies have it, is hardly ever valid as something else.
        text = decode_text(beside.read_bytes(), "utf-8-sig", "cp949")
        if text is None:
            bare = Utterance(id=audio.stem, audio_filepath=audio)
            return reject(bare, "not_cp949", f"{beside}: neither cp949 nor UTF-8")
        return self._utterance(audio, text)

    def _utterance(self, audio: Path, said: str) -> Utterance:
        raw = choose_reading(said, self.reading)
        percent = PERCENT.get(audio.stem.rpartition("_")[2], "퍼센트")
        text = remove_marks(raw, self.reading, percent=percent)
        made = Utterance(id=audio.stem, audio_filepath=audio.absolute(), text=text, lang="ko")
        if self.labeled and (marks := find_unknown_marks(raw)):
            made = reject(made, "unknown_mark", f"{marks} in {said.strip()!r}")
        return check_utterance(made, labeled=self.labeled)

    def _there(self, name: str, homes: dict[str, Path]) -> Path:
        """Where a path of a list is; its first folder may lie deeper than the list says."""
        first = Path(name).parts[0]
        if first not in homes:
            found = find_below(self.folder, first)
            homes[first] = found.parent if found else self.folder
        return homes[first] / name
