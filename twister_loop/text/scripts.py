"""Unicode scripts of languages, and the units that error rates count in them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Set
from functools import lru_cache
from typing import Literal

from ..core.types import UNSPACED, Language

HangulUnit = Literal["word", "syllable"]

_SINGLE = (
    r"\u3005\u3007\u3040-\u30ff\u31f0-\u31ff"  # repetition, zero, kana
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    # Thai and Lao; Myanmar with its extensions; Khmer; Tai Le and New Tai Lue; Tai Tham; Balinese;
    # Javanese; Tai Viet (Unicode, chapters 16 and 17). Digits stay together like all numbers.
    r"\u0e01-\u0e4e\u0e80-\u0ecf\u0edc-\u0eff\u1000-\u103f\u104c-\u108f\u109a-\u109f\ua9e0-\ua9ef"
    r"\uaa60-\uaa7f\u1780-\u17dd\u1950-\u197f\u1980-\u19cf\u1a20-\u1a7f\u1aa0-\u1aad"
    r"\u1b00-\u1b4f\ua980-\ua9cf\uaa80-\uaadf"
)
# Jamo and composed syllables.
_SYLLABLES = r"\u1100-\u11ff\uac00-\ud7ff"
_UNIT = {
    "word": re.compile(rf"[{_SINGLE}]|[^\s{_SINGLE}]+"),
    "syllable": re.compile(rf"[{_SINGLE}{_SYLLABLES}]|[^\s{_SINGLE}{_SYLLABLES}]+"),
}

SCRIPTS: dict[Language, str] = {
    **dict.fromkeys(["zh", "yue"], "CJK"),
    "ja": "CJK HIRAGANA KATAKANA",
    "ko": "HANGUL",
    **dict.fromkeys("ba be bg kk mk mn ru tg tt uk".split(), "CYRILLIC"),
    "sr": "CYRILLIC LATIN",
    **dict.fromkeys("ar fa ps sd ur".split(), "ARABIC"),
    **dict.fromkeys(["he", "yi"], "HEBREW"),
    **dict.fromkeys("hi mr ne sa".split(), "DEVANAGARI"),
    **dict.fromkeys(["as", "bn"], "BENGALI"),
    "am": "ETHIOPIC",
    "bo": "TIBETAN",
    "el": "GREEK",
    "gu": "GUJARATI",
    "hy": "ARMENIAN",
    "ka": "GEORGIAN",
    "km": "KHMER",
    "kn": "KANNADA",
    "lo": "LAO",
    "ml": "MALAYALAM",
    "my": "MYANMAR",
    "pa": "GURMUKHI",
    "si": "SINHALA",
    "ta": "TAMIL",
    "te": "TELUGU",
    "th": "THAI",
}
"""Scripts of a language, as Unicode names them; a language that is not here is written in LATIN."""


def split_units(text: str, hangul: HangulUnit = "word") -> list[str]:
    """Return the units of the mixed error rate: characters of unspaced scripts, all else by word.

    Unspaced are Han, kana, Thai, Lao, Khmer, Myanmar and their relatives. A character is a code
    point, as in the character error rate.

    >>> split_units("我買 iPhone 了"), split_units("ไป Bangkok")
    (['我', '買', 'iPhone', '了'], ['ไ', 'ป', 'Bangkok'])

    Args:
        text: Normalized text.
        hangul: Count Korean by `word` or by `syllable`.
    """
    return _UNIT[hangul].findall(text)


COUNTED_BY_CHARACTER = frozenset(
    script for lang in (*UNSPACED, "ko") for script in SCRIPTS[lang].split()
)
"""Scripts whose characters are counted as errors: those without spaces, and Hangul, whose spaces
differ by style."""


def count_scripts(text: str) -> Counter[str]:
    """Count the letters of a text by script.

    >>> count_scripts("OK, 今日")
    Counter({'LATIN': 2, 'CJK': 2})
    """
    return _count_scripts(unicodedata.normalize("NFKC", text))


def count_foreign_letters(
    reference: str, hypothesis: str, lang: Language | None
) -> tuple[int, int]:
    """Count letters of the hypothesis that are of an unexpected script, and all its letters.

    Expected are the scripts of the language and those of the reference, so a foreign name that
    was really spoken does not count. Without language and reference every script is expected.
    """
    expected = set(_count_scripts(reference))
    if lang:
        expected |= set(SCRIPTS.get(lang, "LATIN").split())
    letters = _count_scripts(hypothesis)
    foreign = sum(count for script, count in letters.items() if expected and script not in expected)
    return foreign, letters.total()


def count_letters_by_foreign_script(
    text: str, lang: Language | None, allowed: Iterable[str] = ()
) -> tuple[Counter[str], int]:
    """Count letters by script for scripts that are not the language's, and all letters.

    Args:
        text: Text as written; it is brought to NFKC, so full-width Latin counts as Latin.
        lang: Language of the text; None counts as written in LATIN.
        allowed: Scripts to ignore besides those of the language.
    """
    letters = _count_scripts(unicodedata.normalize("NFKC", text))
    expected = {*allowed, *SCRIPTS.get(lang or "", "LATIN").split()}
    foreign = Counter({script: n for script, n in letters.items() if script not in expected})
    return foreign, letters.total()


def is_mostly_unknown(text: str, langs: Iterable[Language], alphabet: Set[str]) -> bool:
    """Return whether most letters are neither in the alphabet nor of the languages' scripts."""
    expected = {script for lang in langs for script in SCRIPTS.get(lang, "LATIN").split()}
    unknown = _count_scripts("".join(letter for letter in text if letter not in alphabet))
    foreign = sum(count for script, count in unknown.items() if script not in expected)
    return 2 * foreign > _count_scripts(text).total()


def check_script(script: str) -> None:
    """Raise ValueError if the script is none of those that languages are written in."""
    scripts = {"LATIN", *(script for names in SCRIPTS.values() for script in names.split())}
    if script not in scripts:
        raise ValueError(f"unknown script {script!r}; known scripts: {', '.join(sorted(scripts))}")


def _count_scripts(text: str) -> Counter[str]:
    return Counter(script for letter in text if (script := _script(letter)))


# Unicode names are slow to look up, and texts repeat the same letters.
@lru_cache(maxsize=1 << 16)
def _script(letter: str) -> str | None:
    """Return the first word of a letter's Unicode name; None for anything but a letter."""
    if not letter.isalpha():
        return None
    first_word = re.split("[ -]", unicodedata.name(letter, "UNKNOWN"))[0]
    # MODIFIER LETTER APOSTROPHE (Ukrainian, for example) is used with every script.
    if first_word == "MODIFIER":
        return None
    # IDEOGRAPHIC ITERATION MARK and the like belong with the Han characters.
    return "CJK" if first_word == "IDEOGRAPHIC" else first_word
