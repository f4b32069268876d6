"""Choice of the error rate that a set is read by.

Words are counted where they are separated by spaces. Where they are not, an utterance would be one
word; and Korean is spaced by style, so both are counted by character.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..core.types import UNSPACED, Language, Measure, Share, Utterance
from ..text import scripts

Unit = Literal["words", "characters"]
"""Unit of a filter's error rate."""
RATE_NAMES: dict[Measure, str] = {
    "words": "word error rate",
    "characters": "character error rate",
    "mixed": "mixed error rate",
}
"""Names of the error rates in sentences."""
ABBREVIATIONS: dict[Measure, str] = {"words": "WER", "characters": "CER", "mixed": "MER"}
"""Names of the error rates in tables and plots."""
MIN_LETTER_SHARE: Share = 0.1
"""Share of letters below which a kind of script does not count, where languages are detected: some
names and acronyms in Latin letters do not make a Japanese text a mixed one."""


def choose_measure(utterances: Iterable[Utterance]) -> Measure:
    """Choose the measure of a set: characters, words, or mixed where the set holds both kinds.

    An utterance with a language is of that language's kind. Those without one are judged by the
    letters of their references together: a kind counts if it has a tenth of them.

    >>> choose_measure([Utterance(id="1", text="今日は", lang="ja")])
    'characters'
    >>> choose_measure([Utterance(id="1", text="我買 iPhone 了", lang=None)])
    'mixed'
    """
    measures = set[Measure]()
    # Letters by whether their script is counted by character.
    letters = {True: 0, False: 0}
    for utterance in utterances:
        if utterance.lang:
            measures.add(choose_measure_of_language(utterance.lang))
            continue
        for script, count in scripts.count_scripts(utterance.text or "").items():
            letters[script in scripts.COUNTED_BY_CHARACTER] += count
    for by_character, count in letters.items():
        if count and count >= MIN_LETTER_SHARE * sum(letters.values()):
            measures.add("characters" if by_character else "words")
    return find_common_measure(measures)


def choose_measure_of_language(lang: Language) -> Measure:
    """Return characters for a language written without spaces and for Korean, else words."""
    return "characters" if lang in UNSPACED or lang == "ko" else "words"


def choose_filter_measure(unit: Unit, text: str, lang: Language | None) -> Measure:
    """Return what a filter counts in an utterance with this text.

    Words are counted as characters where they are not separated by spaces, and in Korean.

    >>> choose_filter_measure("words", "今日は", "ja"), choose_filter_measure("words", "ciao", "it")
    ('characters', 'words')
    """
    if unit == "characters":
        return "characters"
    return choose_measure([Utterance(id="", text=text, lang=lang)])


def find_common_measure(measures: Iterable[Measure]) -> Measure:
    """Return the measure that is sound for all of several sets: their own, or mixed if they differ.

    Errors per word and errors per character do not add up. Without any set it is words.

    >>> find_common_measure(["words", "words"]), find_common_measure(["words", "characters"])
    ('words', 'mixed')
    """
    distinct = set(measures)
    if len(distinct) > 1:
        return "mixed"
    return distinct.pop() if distinct else "words"
