"""Reading a list of prompts (`name: text`), and dividing it by what is said.

A list may name what is not speech, or give a text in broken letters or with notes in brackets:
what is certain is mended, the rest is marked with a doubt, and is never a reference.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import Literal

from ...audio.io import duration_of
from ...core.types import Seconds, Share

TextProblem = Literal[
    "not transcribed", "not speech", "notes in the text", "two prompts in one", "broken encoding"
]

_HEAD = re.compile(r"([\w/+.#*-]+):(.*)")
_INSIDE = re.compile(r"\s[a-z0-9]+(-[a-z0-9]+)+:\s")
"""The name of another prompt: two entries ran together, and only one of them is spoken."""
_NOTE = re.compile(r"\[.*?]|\(.*?\)|<.*?>")
_BROKEN = re.compile(r"\ufffd|\?(?=\s+[^\W\d_A-ZÀ-Ý])|\?(?=[^\W\d_])")
"""A letter that was lost: a question mark inside a sentence, or the replacement character."""
_CERTAIN = {"pu?": "può", "sar?": "sarà", "pi?": "più", "cos?": "così", "?": "è"}
"""Italian words that lost their accented letter and can be nothing else, inside a sentence.

Of the words of one letter only "è" is written with an accent.
"""


@dataclass(frozen=True)
class Prompt:
    """One entry of a list."""

    name: str
    text: str
    """What is said, as far as it is known: without notes in brackets."""
    problem: TextProblem | None = None
    """Why the text is no reference."""


@dataclass(frozen=True)
class Recording:
    """A prompt with its audio."""

    name: str
    audio: Path
    duration: Seconds
    text: str = ""
    """Empty where the list has none."""
    problem: TextProblem | None = None


def read_recordings(folder: Path) -> list[Recording]:
    """Bring `sounds/NAME.wav` and `texts.txt` together, by names in small letters, sorted.

    A text without audio is left out. Raises AudioError where a file cannot be read.
    """
    listed = folder / "texts.txt"
    lines = listed.read_text(encoding="utf-8", errors="replace") if listed.is_file() else ""
    prompts = {prompt.name.lower(): prompt for prompt in parse_prompts(lines)}
    sounds = folder / "sounds"
    audio = {
        each.relative_to(sounds).with_suffix("").as_posix().lower(): each
        for each in sounds.rglob("*.wav")
    }
    found = []
    for name in sorted(audio):
        prompt = prompts.get(name, Prompt(name, "", "not transcribed"))
        duration = duration_of(audio[name])
        found.append(Recording(name, audio[name], duration, prompt.text, prompt.problem))
    return found


def parse_prompts(text: str) -> Iterator[Prompt]:
    """Read a list; a line that names no prompt goes on with the text of the one before."""
    entries: list[tuple[str, list[str]]] = []
    for line in text.removeprefix("\ufeff").splitlines():
        if not line.strip() or line.startswith(";"):
            continue
        if head := _HEAD.fullmatch(line):
            entries.append((head[1], [head[2]]))
        elif entries:
            entries[-1][1].append(line)
    for name, lines in entries:
        yield _checked(name, " ".join(" ".join(lines).split()))


def comparison_key(text: str) -> str:
    """The text as it is compared: composed small letters and digits, single spaces."""
    composed = unicodedata.normalize("NFC", text).lower()
    return " ".join(re.findall(r"[^\W_]+", composed))


def assign_share(text: str, shares: Mapping[str, Share]) -> str:
    """The share that a text falls into, decided by its key alone.

    So equal texts stay together, and a list that grows moves no text from one share to another.
    """
    number = int.from_bytes(hashlib.sha256(comparison_key(text).encode()).digest()[:8], "big") / 2**64
    bounds = accumulate(shares.values())
    return next(name for name, bound in zip(shares, bounds, strict=True) if number < bound)


def _checked(name: str, text: str) -> Prompt:
    mended = " ".join(_mended(text.split()))
    said = " ".join(_NOTE.sub(" ", mended).split())
    if not comparison_key(said):
        return Prompt(name, said, "not speech")
    if _BROKEN.search(said):
        return Prompt(name, said, "broken encoding")
    if _INSIDE.search(said):
        return Prompt(name, said, "two prompts in one")
    return Prompt(name, said, None if said == mended else "notes in the text")


def _mended(words: list[str]) -> Iterator[str]:
    """Put back the letters that are certain: a small letter follows, so no question ends here."""
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        lost = _CERTAIN.get(word.lower()) if after[:1].islower() else None
        yield lost if lost else word
