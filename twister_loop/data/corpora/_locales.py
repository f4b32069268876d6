"""Languages by the names that tables and corpora give them."""

from __future__ import annotations

from ...core.types import Language

LANGUAGE_OF_LOCALE = {"zh-HK": "yue", "nan-tw": "zh"}
"""Whisper's languages for some locales; for others it is the part before the hyphen."""


def language_of_locale(locale: str | None) -> Language | None:
    """Return the language of a locale as Whisper spells it; None without one.

    >>> language_of_locale("zh-TW"), language_of_locale("ne-NP"), language_of_locale("pt_BR")
    ('zh', 'ne', 'pt')
    """
    hyphenated = (locale or "").strip().replace("_", "-")
    by_name = {name.lower(): language for name, language in LANGUAGE_OF_LOCALE.items()}
    return by_name.get(hyphenated.lower()) or hyphenated.partition("-")[0].lower() or None
