"""Languages as people write them: English names, locales and other codes, for a hint in errors."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from ..core.schema_errors import find_nearest_name

OTHER_CODES = {
    "cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "ji": "yi", "jv": "jw", "mo": "ro",
    "nb": "no", "pes": "fa", "prs": "fa",
}  # fmt: skip
"""Codes for languages that Whisper calls by another: ISO 639 in other years, or single dialects."""


@lru_cache(maxsize=256)
def suggest_language(language: str, known: frozenset[str]) -> str:
    """Return a hint for a language that a model does not know, from the codes that it knows.

    >>> suggest_language("Korean", frozenset({"ko", "zh"}))
    "did you mean 'ko'?"
    >>> suggest_language("zh-TW", frozenset({"ko", "zh"}))
    "did you mean 'zh'?"
    >>> suggest_language("tlh", frozenset({"ko", "zh"}))
    'it has: ko, zh'
    """
    name = language.strip().lower().replace("_", "-")
    code = name.partition("-")[0]
    candidates = (name, code, OTHER_CODES.get(code), _code_of_name(name, known))
    found_code = next((candidate for candidate in candidates if candidate in known), None)
    return f"did you mean {found_code!r}?" if found_code else f"it has: {', '.join(sorted(known))}"


def find_language_code(name: str) -> str | None:
    """Return the code of a language by its English name, as a folder may be called; else None.

    >>> find_language_code("Italian"), find_language_code("calls")
    ('it', None)
    """
    return _codes_by_name().get(name.strip().lower())


def is_language(name: str) -> bool:
    """Return whether a name is that of a language in English, or its code.

    >>> is_language("french"), is_language("fr"), is_language("basic")
    (True, True, False)
    """
    return name.strip().lower() in {*_codes_by_name(), *_codes_by_name().values()}


def suggest_language_code(language: str) -> str | None:
    """Return the code that was probably meant; None for a code, and "" if nothing is like it.

    >>> [suggest_language_code(language) for language in ("it", "Italian", "ko-KR")]
    [None, 'it', 'ko']
    """
    codes = {*_codes_by_name().values()}
    if language in codes:
        return None
    code = language.strip().lower().replace("_", "-").partition("-")[0]
    return find_language_code(language) or (code if code in codes else "")


@lru_cache(maxsize=1)
def _codes_by_name() -> dict[str, str]:
    from babel import Locale  # loads tables of names, only when they are needed

    names = {str(english).lower(): code for code, english in Locale("en").languages.items()}
    return {english: OTHER_CODES.get(code, code) for english, code in names.items()}


def _code_of_name(name: str, known: Collection[str]) -> str | None:
    """Return the code of a language by its English name, even if it is misspelled a little."""
    by_name = _codes_by_name()
    nearest = find_nearest_name(name, [english for english in by_name if by_name[english] in known])
    return by_name[nearest] if nearest else None
