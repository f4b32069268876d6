"""Text files of a folder: which of them look like lists of sentences, in which script."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ...asr.whisper.published import LANGUAGES
from ...audio.io import SUFFIXES
from ...core.errors import TwisterError
from ...core.types import Language
from ...data.corpora._lines import read_lines
from ...data.corpora._tables import FILE_COLUMNS, TEXT_COLUMNS, plain_name, read_table
from ...text import scripts
from ...text.language_identification import identify_languages
from .transcripts import Documents

MIN_SENTENCES = 5
"""Fewer lines are rather a note than a text corpus."""
MAX_MEDIAN_LETTERS = 300
"""Letters of the median line above which lines are paragraphs: nobody says them in one breath."""
MIN_LETTER_SHARE = 0.5
"""Share of letters and their marks in a text without spaces; lists of numbers have less."""
MAX_LINES = 20_000
"""Lines that are looked at; those of a larger file are estimated from its size."""
NOTES = re.compile(
    r"(readme|license|licence|copying|changelog|notes?|requirements|index|attribution)\b", re.I
)
"""Names of files about the data."""
LANGUAGE_OF_SCRIPT: dict[str, Language] = {
    # Of Whisper's languages, and of several the one that most people write.
    **{names: lang for lang, names in scripts.SCRIPTS.items() if " " not in names},
    "GREEK": "el",
    "HEBREW": "he",
}
for shared in ("CYRILLIC", "ARABIC", "DEVANAGARI", "BENGALI", "CJK"):
    del LANGUAGE_OF_SCRIPT[shared]
"""Languages by the scripts that only they, of Whisper's languages, are commonly written in."""


@dataclass(frozen=True)
class SentenceList:
    """Text file that looks like one sentence a line."""

    path: Path
    sentences: int
    words: int
    script: str
    """Script of most letters, as Unicode names it, such as LATIN."""
    language: Language | None
    """Language of the script, if only one is written in it."""
    languages: tuple[Language, ...] = ()
    """Languages of the sentences, the most frequent first; empty if they are not known."""


def find_sentence_lists(
    documents: Documents, ignored: Collection[Path]
) -> tuple[list[SentenceList], list[str]]:
    """Return the text files and tables that look like sentences, and remarks on those that do not.

    Args:
        documents: Files of the folder.
        ignored: Tables and text files with transcripts.
    """
    lists, remarks = list[SentenceList](), list[str]()
    for path in (*documents.texts, *documents.tables):
        # `.lab` files are transcripts or times of one recording, never a corpus.
        if path in ignored or NOTES.match(path.stem) or path.suffix.lower() == ".lab":
            continue
        try:
            lines = _read_texts(path) if path in documents.tables else _read_plain(path)
        except TwisterError as error:
            remarks.append(str(error))
            continue
        if not lines:
            continue
        if objection := _find_objection(lines):
            remarks.append(f"{path}: no list of sentences: {objection}")
        else:
            lists.append(_describe(path, lines))
    return lists, remarks


def guess_script(texts: Iterable[str]) -> str | None:
    """Return the script that has most letters of some texts; None without letters.

    >>> guess_script(["Guten Tag", "안녕"])
    'LATIN'
    """
    letters = sum((scripts.count_scripts(text) for text in texts), Counter[str]())
    # The most frequent one: a few foreign names do not change what a text is written in.
    return max(letters, key=lambda script: letters[script]) if letters else None


def guess_language(texts: Iterable[str]) -> Language | None:
    """Return the language of texts if their script tells it: Korean, Thai, Greek ...

    >>> guess_language(["안녕하세요"]), guess_language(["今日は"]), guess_language(["ciao"])
    ('ko', 'ja', None)
    """
    letters = sum((scripts.count_scripts(text) for text in texts), Counter[str]())
    # Japanese has Han characters too, and Chinese has no kana.
    if letters["HIRAGANA"] + letters["KATAKANA"] > 0.1 * letters.total():
        return "ja"
    script = max(letters, key=lambda name: letters[name]) if letters else ""
    return "zh" if script == "CJK" else LANGUAGE_OF_SCRIPT.get(script)


def list_languages(texts: Sequence[str]) -> tuple[Language, ...]:
    """Return the languages of texts by their script, or else by their words.

    >>> list_languages(["안녕하세요"]), list_languages(["ciao"])
    (('ko',), ())
    """
    by_script = guess_language(texts)
    return (by_script,) if by_script else identify_languages(texts, LANGUAGES)


def _read_plain(path: Path) -> list[str]:
    lines = list[str]()
    for line in read_lines(path):
        text = line.text.strip()
        # As `textfile` reads it.
        if text and not text.startswith("#"):
            lines.append(text)
    return lines


def _read_texts(path: Path) -> list[str]:
    """Return the texts of a table that names no recordings; none if it has no such column."""
    table = read_table(path)
    names = {plain_name(name) for name in table.columns}
    if names.isdisjoint(TEXT_COLUMNS) or not names.isdisjoint(FILE_COLUMNS):
        return []
    texts = list[str]()
    # Rows that cannot be read are counted when a round lists them.
    for row in table.rows:
        try:
            texts += filter(None, [row.get(TEXT_COLUMNS)])
        except ValueError:
            continue
    return texts


def _find_objection(lines: list[str]) -> str | None:
    """Return why lines do not look like sentences; None if they do."""
    if len(lines) < MIN_SENTENCES:
        return f"{len(lines)} lines are fewer than {MIN_SENTENCES}"
    # The beginning tells: a text corpus may have gigabytes, and its lines are alike.
    sample = lines[:MAX_LINES]
    names = sum(Path(line.split()[-1]).suffix.lower() in SUFFIXES for line in sample)
    if names > len(sample) / 2:
        return "its lines are names of recordings"
    characters = "".join(line for line in sample[:1000]).replace(" ", "")
    # Marks too: the vowels of Hindi or Thai are none of Unicode's letters.
    letters = sum(unicodedata.category(character)[0] in "LM" for character in characters)
    if letters < MIN_LETTER_SHARE * len(characters):
        return "more than half of its characters are no letters"
    # In scripts without spaces a sentence is one word.
    by_word = guess_script(sample[:1000]) not in scripts.COUNTED_BY_CHARACTER
    if by_word and median(len(line.split()) for line in sample) < 2:
        return "its lines are single words; if they matter, name them with --terms"
    if (length := median(map(len, sample))) > MAX_MEDIAN_LETTERS:
        return (
            f"its lines have {length:.0f} characters; write one sentence a line to have them said"
        )
    return None


def _describe(path: Path, lines: list[str]) -> SentenceList:
    sample = lines[:MAX_LINES]
    words = sum(len(line.split()) for line in sample)
    return SentenceList(
        path=path,
        sentences=len(lines),
        words=round(words * len(lines) / len(sample)),
        script=guess_script(sample) or "",
        language=guess_language(sample),
        languages=list_languages(sample),
    )
