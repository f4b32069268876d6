"""Meanings that people give to names of folders and tables: `dev`, `test-other`, `italian`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ...asr.whisper.published import LANGUAGES
from ...core.types import Language
from ...data.corpora._locales import language_of_locale
from ...text.language_names import find_language_code

Role = Literal["development", "test", "human"]

ROLE_OF_WORD: dict[str, Role] = {
    **dict.fromkeys("dev devel development val valid validation tuning".split(), "development"),
    **dict.fromkeys("test tests testing heldout eval evaluation".split(), "test"),
    **dict.fromkeys("train training".split(), "human"),
}
"""Roles by the words that names of folders, tables and splits are made of."""
ENGLISH_WORDS = frozenset("am as be da de he hi is it la lo me my no or si so to".split()) - {
    "da", "de", "it",
}  # fmt: skip
"""Codes of languages that are words too: a folder called `my` is hardly Burmese."""
_LOCALE = re.compile(r"[a-z]{2,3}([-_][a-z]{2,4})?", re.I)


def find_role(names: Iterable[str]) -> tuple[Role, str] | None:
    """Return the role that the first telling name has, and that name; None if none tells.

    >>> find_role(["a.wav", "dev-clean"]), find_role(["devices"])
    (('development', 'dev-clean'), None)
    """
    for name in names:
        # By whole words, or `latest` would be a test and `devices` a development set.
        for word in re.findall(r"[a-z]+", name.lower()):
            if role := ROLE_OF_WORD.get(word):
                return role, name
    return None


def find_language(names: Iterable[str]) -> Language | None:
    """Return the language that the first telling name means; None if none tells.

    >>> find_language(["calls", "Italian"]), find_language(["pt_BR"]), find_language(["my"])
    ('it', 'pt', None)
    """
    for name in names:
        if _LOCALE.fullmatch(name) and name.lower() not in ENGLISH_WORDS:
            code = language_of_locale(name)
        else:
            code = find_language_code(name)
        # Locales of languages that Whisper lacks would only be refused later.
        if code in LANGUAGES:
            return code
    return None


@lru_cache(maxsize=10_000)  # of a folder with a million files in it
def describe_place(place: Path, folder: Path) -> tuple[tuple[Role, str] | None, Language | None]:
    """Return the role, with the name that tells it, and the language of what lies in a place.

    Args:
        place: A folder below `folder`, or that itself.
        folder: The folder that the user named.
    """
    # The nearest folder first: `test/train/` holds what somebody calls training data.
    names = list(reversed(place.relative_to(folder).parts))
    return find_role(names), find_language(names)


def iter_names(path: Path, folder: Path, *, stem: bool = False) -> Iterator[str]:
    """Yield the names of the folders that lead to a file, the nearest one first.

    Args:
        path: A file in the folder or below.
        folder: The folder, whose own name says nothing: it is what the user calls all of it.
        stem: Yield the file's own name first, without its ending.
    """
    if stem:
        yield path.stem
    yield from reversed(path.relative_to(folder).parts[:-1])
