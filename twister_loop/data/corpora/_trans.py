"""Audio with a `*.trans.txt` in every folder: `ID TEXT` a line, `ID.flac` beside it.

The layout is LibriSpeech's; Zeroth-Korean has it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.types import Utterance
from ._listed import decode_text, reject


def read_trans_files(folder: Path) -> Iterator[Utterance]:
    """Every line, and every recording that no line names, in the order of paths."""
    for listing in sorted(folder.rglob("*.trans.txt")):
        at, named = listing.parent, set()
        for number, line in enumerate(listing.read_bytes().splitlines(), 1):
            text = decode_text(line, "utf-8-sig")
            name, _, said = (text or "").partition(" ")
            if not name:
                bare = Utterance(id=f"{listing.name}:{number}")
                yield reject(bare, "bad_line", f"{listing}:{number}: not `ID TEXT` in UTF-8")
                continue
            named.add(name)
            audio = (at / f"{name}.flac").absolute()
            yield Utterance(id=name, audio_filepath=audio, text=" ".join(said.split()))
        for audio in sorted(at.glob("*.flac")):
            if audio.stem not in named:
                yield Utterance(id=audio.stem, audio_filepath=audio.absolute())
