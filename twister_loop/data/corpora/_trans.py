"""Reader of `*.trans.txt` files: one line `ID TEXT` for every `ID.flac` beside the file.

LibriSpeech and Zeroth-Korean are laid out so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.types import Utterance
from ._listed import decode_text, reject


def read_trans_files(folder: Path) -> Iterator[Utterance]:
    """Yield every line below a folder, in the order of paths.

    After the lines of a file follow the recordings beside it that no line names, without a text.
    """
    for listing in sorted(folder.rglob("*.trans.txt")):
        chapter, listed_ids = listing.parent, set()
        for number, line in enumerate(listing.read_bytes().splitlines(), 1):
            # Line by line, so that one broken line costs no more than itself.
            text = decode_text(line, "utf-8-sig")
            id_, _, transcript = (text or "").partition(" ")
            if not id_:
                bad_line = Utterance(id=f"{listing.name}:{number}")
                yield reject(bad_line, "bad_line", f"{listing}:{number}: not `ID TEXT` in UTF-8")
                continue
            listed_ids.add(id_)
            audio = (chapter / f"{id_}.flac").absolute()
            yield Utterance(id=id_, audio_filepath=audio, text=" ".join(transcript.split()))
        # Audio without a line must not vanish: as a pool it is as good as the rest.
        for audio in sorted(chapter.glob("*.flac")):
            if audio.stem not in listed_ids:
                yield Utterance(id=audio.stem, audio_filepath=audio.absolute())
