"""Lists of telephone prompts (`name: text`), and their division into shares by text.

A list may name sounds that are not speech, or have texts with broken letters or with notes in
brackets. Certain errors are corrected. Other texts are marked with their problem, and never used
as references.
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

from ...audio.io import measure_duration
from ...core.types import Seconds, Share

TextProblem = Literal[
    "not transcribed",
    "not speech",
    "notes in the text",
    "two prompts in one",
    "broken encoding",
    "another text is spoken",
]

_PROMPT_LINE = re.compile(r"([\w/+.#*-]+):(.*)")
_SECOND_NAME = re.compile(r"\s[a-z0-9]+(-[a-z0-9]+)+:\s")
"""Name of another prompt in a text: two entries ran together, and only one of them is spoken."""
_NOTE = re.compile(r"\[.*?]|\(.*?\)|<.*?>")
_LOST_LETTER = re.compile(r"\ufffd|\?(?=\s+[^\W\d_A-ZÀ-Ý])|\?(?=[^\W\d_])")
"""Sign of a lost letter: a question mark inside a sentence, or the replacement character."""
_CERTAIN_WORDS = {"pu?": "può", "sar?": "sarà", "pi?": "più", "cos?": "così", "?": "è"}
"""Italian words that lost their accented letter and can be nothing else, inside a sentence.

Of the words of one letter only "è" is written with an accent.
"""
_TONE = re.compile(r"(?i)un suono (di )?beep( \w+| di errore)?")
"""Text that describes a tone without brackets around it."""
_SPELLING = {"perpiacere": "per piacere", "cassella": "casella", "consolle": "console"}
"""Misspelled Italian words of the lists, which a recognizer should not learn to write."""
_MISSPELLED = re.compile(rf"(?i)\b({'|'.join(_SPELLING)})\b")


@dataclass(frozen=True)
class Prompt:
    """One entry of a list of prompts."""

    name: str
    text: str
    """The spoken text, as far as the list tells: without notes in brackets."""
    problem: TextProblem | None = None
    """Reason why the text is no reference; None if it is one."""


@dataclass(frozen=True)
class PromptRecording:
    """A prompt with its audio."""

    name: str
    audio: Path
    duration: Seconds
    text: str = ""
    """The spoken text; empty if the list has none."""
    listed_text: str = ""
    """The text before its spelling was corrected. It decides the split of the prompt, so that a
    correction moves no prompt from one split to another."""
    problem: TextProblem | None = None
    """Reason why the text is no reference; None if it is one."""


def read_recordings(folder: Path) -> list[PromptRecording]:
    """Read the prompts of a folder with `sounds/NAME.wav` (or `.gsm`) and `texts.txt`.

    Args:
        folder: One set of prompts; without `texts.txt` all of them are "not transcribed".

    Returns:
        Every prompt with audio, sorted by name. Names are in lower case, since audio and list
        differ in it.

    Raises:
        AudioError: A file of audio cannot be read.
    """
    listing = folder / "texts.txt"
    # Bytes that are not UTF-8 become U+FFFD, which marks the prompt as broken.
    content = listing.read_text(encoding="utf-8", errors="replace") if listing.is_file() else ""
    prompts = {prompt.name.lower(): prompt for prompt in parse_prompts(content)}
    sounds = folder / "sounds"
    audio = {
        path.relative_to(sounds).with_suffix("").as_posix().lower(): path
        for path in sorted([*sounds.rglob("*.wav"), *sounds.rglob("*.gsm")])
    }
    recordings = []
    for name in sorted(audio):
        # Audio without an entry can still be a part of a pool.
        prompt = prompts.get(name, Prompt(name, "", "not transcribed"))
        recordings.append(
            PromptRecording(
                name=name,
                audio=audio[name],
                duration=measure_duration(audio[name]),
                text=correct_spelling(prompt.text),
                listed_text=prompt.text,
                problem=prompt.problem,
            )
        )
    return recordings


def parse_prompts(content: str) -> Iterator[Prompt]:
    """Yield the prompts of a list; a line without a name continues the text of the line before.

    >>> list(parse_prompts("one: Press one"))
    [Prompt(name='one', text='Press one', problem=None)]
    """
    prompts: list[tuple[str, list[str]]] = []
    # Some lists begin with a byte order mark. Lines end at \n alone: a text may hold U+2028.
    for line in content.removeprefix("\ufeff").split("\n"):
        if not line.strip() or line.startswith(";"):  # ";" begins a comment
            continue
        if match := _PROMPT_LINE.fullmatch(line):
            prompts.append((match[1], [match[2]]))
        elif prompts:
            prompts[-1][1].append(line)
    for name, lines in prompts:
        yield _checked_prompt(name, " ".join(" ".join(lines).split()))


def correct_spelling(text: str) -> str:
    """Return the text without the misspelled words of the lists.

    >>> correct_spelling("Perpiacere prova ancora")
    'Per piacere prova ancora'
    """

    def correct(match: re.Match[str]) -> str:
        word = _SPELLING[match[0].lower()]
        return word.capitalize() if match[0][0].isupper() else word

    return _MISSPELLED.sub(correct, text)


def comparison_key(text: str) -> str:
    """Return the form by which texts are compared: composed lower case words, single spaces.

    >>> comparison_key("Press  #, please!")
    'press please'
    """
    composed = unicodedata.normalize("NFC", text).lower()
    return " ".join(re.findall(r"[^\W_]+", composed))


def hash_position(content: str) -> float:
    """Return a number in [0, 1), uniform over contents, that depends on the content alone."""
    digest = hashlib.sha256(content.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign_share(text: str, shares: Mapping[str, Share]) -> str:
    """Return the name of the share that a text belongs to, decided by a hash of the text alone.

    So equal texts stay together, and a list that grows moves no text from one share to another.

    Args:
        text: Any text.
        shares: Size of every share, by name; they add up to 1.
    """
    position = hash_position(comparison_key(text))
    bounds = accumulate(shares.values())
    return next(name for name, bound in zip(shares, bounds, strict=True) if position < bound)


def _checked_prompt(name: str, text: str) -> Prompt:
    """Return the prompt with corrected text, and with its problem if there is one."""
    corrected = " ".join(_restore_letters(text.split()))
    spoken = " ".join(_NOTE.sub(" ", corrected).split())
    problem: TextProblem | None = None
    if not comparison_key(spoken) or _TONE.fullmatch(spoken):
        problem = "not speech"
    elif _LOST_LETTER.search(spoken):
        problem = "broken encoding"
    elif _SECOND_NAME.search(spoken):
        problem = "two prompts in one"
    # Last, since a text with a note may have a worse problem.
    elif spoken != corrected:
        problem = "notes in the text"  # a note may be spoken after all, or stand for a sound
    return Prompt(name, spoken, problem)


def _restore_letters(words: list[str]) -> Iterator[str]:
    """Yield the words with the lost letters that are certain."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        # A lower case letter follows, so this is a lost letter and not the end of a question.
        restored = _CERTAIN_WORDS.get(word.lower()) if following[:1].islower() else None
        yield restored or word
