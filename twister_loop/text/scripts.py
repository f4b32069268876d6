"""Scripts: which letters belong to which language, and what counts as one unit in each."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Set
from functools import lru_cache
from typing import Literal

from ..core.types import Language

HangulUnit = Literal["word", "syllable"]

_SINGLE = (
    r"\u3005\u3007\u3040-\u30ff\u31f0-\u31ff"  # repetition, zero, kana
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_SYLLABLES = r"\u1100-\u11ff\uac00-\ud7ff"
_UNIT = {
    "word": re.compile(rf"[{_SINGLE}]|[^\s{_SINGLE}]+"),
    "syllable": re.compile(rf"[{_SINGLE}{_SYLLABLES}]|[^\s{_SINGLE}{_SYLLABLES}]+"),
}

UNSPACED = frozenset("zh yue ja th lo km my".split())
"""Languages that are written without spaces between words."""

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
"""As Unicode names them; a language that is not here is written in LATIN."""


def split_units(text: str, hangul: HangulUnit = "word") -> list[str]:
    """What the mixed error rate counts: Han characters and kana singly, all else by word."""
    return _UNIT[hangul].findall(text)


def count_foreign_letters(reference: str, heard: str, lang: Language | None) -> tuple[int, int]:
    """Letters heard in scripts that nobody expects, and all letters heard.

    To expect are the scripts of the language and of the reference, so that a foreign name which
    was really said is no confusion. Where both are unknown, anything goes.
    """
    expected = set(_scripts(reference))
    if lang:
        expected |= set(SCRIPTS.get(lang, "LATIN").split())
    found = _scripts(heard)
    strange = sum(count for script, count in found.items() if expected and script not in expected)
    return strange, found.total()


def count_letters_by_foreign_script(
    text: str, lang: Language | None, also: Iterable[str] = ()
) -> tuple[Counter[str], int]:
    """Letters of scripts that the language is not written in, by script, and all letters."""
    found = _scripts(unicodedata.normalize("NFKC", text))
    expected = {*also, *SCRIPTS.get(lang or "", "LATIN").split()}
    strange = Counter({script: n for script, n in found.items() if script not in expected})
    return strange, found.total()


def is_mostly_unknown(text: str, langs: Iterable[Language], known: Set[str]) -> bool:
    """Whether most of its letters are not known, and of no script that such languages have."""
    also = {script for lang in langs for script in SCRIPTS.get(lang, "LATIN").split()}
    unknown = _scripts("".join(each for each in text if each not in known))
    strange = sum(count for script, count in unknown.items() if script not in also)
    return 2 * strange > _scripts(text).total()


def check_script(script: str) -> None:
    """Raises ValueError where Unicode knows no letters of such a script."""
    known = {"LATIN", *(each for names in SCRIPTS.values() for each in names.split())}
    if script not in known:
        raise ValueError(f"no script is called {script!r}; there are: {', '.join(sorted(known))}")


def _scripts(text: str) -> Counter[str]:
    return Counter(script for letter in text if (script := _script(letter)))


@lru_cache(maxsize=1 << 16)
def _script(letter: str) -> str | None:
    """The first word of a letter's Unicode name; None for what is no letter."""
    if not letter.isalpha():
        return None
    first = re.split("[ -]", unicodedata.name(letter, "UNKNOWN"))[0]
    if first == "MODIFIER":  # the apostrophe of Ukrainian, for one, is of every script
        return None
    return "CJK" if first == "IDEOGRAPHIC" else first
