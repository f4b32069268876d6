"""The languages that texts are written in, by py3langid.

A library and not letters: Czech and Polish, or Spanish and Italian, share a script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from ..core.types import Language, Share
from .language_names import OTHER_CODES

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

NO_LANGUAGE = "zxx"
"""Label of numbers, codes and markup, as of ISO 639."""
MAX_TEXTS = 1000
"""Texts that are looked at: more tell nothing new, and a corpus may have millions."""
LEAST_LETTERS = 12
"""Letters below which a text alone tells no language: a name or "OK" is written alike in many."""
LEAST_TEXTS = 5
"""Texts with so many letters that tell the languages of a list."""
LEAST_PROBABILITY: Share = 0.95
"""Probability from which the language of all texts together counts."""
LEAST_SHARE: Share = 0.25
"""Share of the texts from which a second language is one of the list, and no mistake."""


def identify_languages(
    texts: Iterable[str], candidates: frozenset[Language]
) -> tuple[Language, ...]:
    """Return the languages that texts are written in, the most frequent first.

    Several if each has a quarter of the texts. Then people may switch between them, or they are too
    much alike to be told apart, as Croatian and Serbian are.

    Args:
        texts: Sentences; the first 1,000 are looked at.
        candidates: Languages to choose from, by Whisper's codes.

    Returns:
        The languages; empty if the texts are too few to tell, or in none of those.

    >>> lines = ["Dobrý den, jak se máte?", "Kde je tady nějaké světlo?"] * 3
    >>> identify_languages(lines, frozenset({"cs", "pl"}))
    ('cs',)
    >>> identify_languages(["Ciao"], frozenset({"it"}))
    ()
    """
    # Numbers and codes say nothing of a language.
    telling = [
        text
        for text in islice(texts, MAX_TEXTS)
        if sum(letter.isalpha() for letter in text) >= LEAST_LETTERS
    ]
    if len(telling) < LEAST_TEXTS:
        return ()
    counts = Counter(
        language for text in telling for language in _identify_language(text, candidates)
    )
    frequent = tuple(
        language for language, count in counts.most_common() if count >= LEAST_SHARE * len(telling)
    )
    if len(frequent) > 1:
        return frequent
    # All of them together are far surer than each: of 230 lines of Czech dialogues 24 alone seem to
    # be in some other language.
    return tuple(_identify_language("\n".join(telling), candidates, LEAST_PROBABILITY))


def _identify_language(
    text: str, candidates: frozenset[Language], least: Share = 0.0
) -> Iterator[Language]:
    """Yield the language of a text, unless it has none, or one less probable than `least`."""
    label, probability = _load_identifier(candidates).classify(text)
    if label != NO_LANGUAGE and probability >= least:
        yield OTHER_CODES.get(label, label)


@lru_cache(maxsize=1)
def _load_identifier(candidates: frozenset[Language]) -> LanguageIdentifier:
    """Load the identifier of some languages, which takes a second."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Dialects and ancient languages that no recognizer knows would take their neighbors' texts.
    wanted = candidates | {NO_LANGUAGE}
    identifier.set_languages(
        [label for label in identifier.labels if OTHER_CODES.get(label, label) in wanted]
    )
    return identifier
