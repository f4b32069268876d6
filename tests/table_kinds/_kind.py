"""A kind of table: its files, the corpus that reads them, and the wanted outcome."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

AUDIO = None
"""Content of a file that is a recording of a tenth of a second."""
REFUSED = None
"""Texts of a kind that is to be refused with one sentence."""


def _record_tone() -> bytes:
    content = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(1_600) * 0.2)
    soundfile.write(content, tone, 16_000, format="WAV", subtype="PCM_16")
    return content.getvalue()


TONE = _record_tone()


@dataclass(frozen=True)
class TableKind:
    """Files of a corpus, with the texts and the rejections that a reader is to give."""

    name: str
    files: Mapping[str, bytes | None]
    """Content by the path in the corpus' folder; None is a recording."""
    texts: Mapping[str, str | None] | None
    """Wanted texts by the name of the recording, or by the line; None: the corpus is refused."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Wanted number of rejected rows by reason."""
    use: str = "audiofolder"
    options: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    """Words that the sentence of a refusal has besides the name of the file."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the files to a folder, and return the corpus as a plan would name it."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = TONE if content is None else content.replace(b"{folder}", bytes(folder))
            path.write_bytes(written)
        option = "file" if self.use in ("manifest", "textfile") else "folder"
        place = folder / next(iter(self.files)) if option == "file" else folder
        return {"use": self.use, option: str(place), **self.options}

    def judge(self, outcome: Mapping[str, Any]) -> str:
        """Return "" if the outcome is the wanted one, else what is wrong with it.

        Args:
            outcome: `texts` and `rejected` of a corpus that was read, or the `error` with its
                `message`, and whether it is `plain`, meant for the user.
        """
        if "error" in outcome:
            if not outcome["plain"]:
                return f"traceback: {outcome['error']}"
            if self.texts is not None:
                return "refused"
            sentence = outcome["message"]
            tables = [
                Path(name).name for name, content in self.files.items() if content is not None
            ]
            if "\n" in sentence or not any(name in sentence for name in tables):
                return "refused without naming the file"
            return "" if self.message in sentence else "refused without saying what to do"
        if self.texts is None:
            return "read, though it is no table"
        # Spaces and line ends within a text are the same to whoever reads it.
        texts = {
            name: " ".join(text.split()) or None if isinstance(text, str) else text
            for name, text in outcome["texts"].items()
        }
        if texts != self.texts:
            return "texts lost or changed without a word"
        if self.rejected != outcome["rejected"]:
            return "rows lost without being counted"
        return ""


def read_outcome(corpus: Any) -> dict[str, Any]:
    """Return what a corpus gives: texts by recording, and the number of rejected rows by reason."""
    texts, rejected = dict[str, str | None](), dict[str, int]()
    try:
        for utterance in corpus.utterances():
            if reason := utterance.rejected_by or (utterance.error and "error"):
                rejected[reason] = rejected.get(reason, 0) + 1
                continue
            stem = unicodedata.normalize("NFC", utterance.audio_filepath.stem)
            texts[stem or utterance.id.rpartition(":")[2]] = utterance.text
    except BaseException as error:
        plain = any(base.__name__ == "TwisterError" for base in type(error).__mro__)
        return {"error": type(error).__name__, "message": str(error), "plain": plain}
    return {"texts": texts, "rejected": rejected}
