"""Reader of `*.trans.txt` files: one line `ID TEXT` for every `ID.flac` beside the file.

LibriSpeech and Zeroth-Korean are laid out so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.types import Utterance
from ._lines import join_spaces, read_lines
from ._listed import reject


def read_trans_files(folder: Path) -> Iterator[Utterance]:
    """Yield every line below a folder, in the order of paths.

    After the lines of a file follow the recordings beside it that no line names, without a text.
    """
    for listing in sorted(folder.rglob("*.trans.txt")):
        chapter, listed_ids = listing.parent, set()
        for line in read_lines(listing, any_damage=True):
            if not line.problem and not line.text.strip():
                continue
            id_, _, transcript = join_spaces(line.text).partition(" ")
            if not id_:
                bad_line = Utterance(id=f"{listing.name}:{line.number}")
                objection = f"{listing}:{line.number}: not `ID TEXT` in UTF-8"
                yield reject(bad_line, "bad_line", objection)
                continue
            listed_ids.add(id_)
            audio = (chapter / f"{id_}.flac").absolute()
            yield Utterance(id=id_, audio_filepath=audio, text=transcript)
        # Audio without a line must not vanish: as a pool it is as good as the rest.
        for audio in sorted(chapter.glob("*.flac")):
            if audio.stem not in listed_ids:
                yield Utterance(id=audio.stem, audio_filepath=audio.absolute())
