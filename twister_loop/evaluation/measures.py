"""Choice of the error rate that a set is read by.

Words are counted where they are separated by spaces. Where they are not, an utterance would be one
word; and Korean is spaced by style, so both are counted by character.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..core.types import UNSPACED, Language, Measure, Share, Utterance
from ..text import scripts

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
