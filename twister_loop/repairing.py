"""Labels repaired with words of the text corpus, where the champion can be made to agree.

A word of a label that is no word of the texts, nor of a lexicon, may be a misspelled one of them.
The champion is forced to say the sentence with either: only where it finds the texts' word
likelier, or less likely by no more than the texts are trusted with, is the label repaired; and it
says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import tee
from pathlib import Path

from . import schema
from .artifact import stage
from .lexicon import Spellings, lexicon_of, word_of, words_of
from .manifest import Manifest
from .parts import Listener
from .records import Share, Utterance
from .scripts import UNSPACED
from .shards import Cluster, spread

CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)


@dataclass(frozen=True)
class Repair:
    """When a label's word is taken for one of the texts'."""

    similarity: Share = 0.78
    """From which on a word may be a misspelled other (Ratcliff and Obershelp's)."""
    trust: float = 0.0
    """How much less likely to the champion the repaired sentence may be, in natural logarithms:
    what a word's being in the texts is worth against the ear. 0 takes only what it prefers."""
    lexicon: Path | None = field(default=None)
    """Words, one a line, that are words although no text has them: they are never repaired."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if not 0 < self.similarity < 1 or self.trust < 0:
            raise ValueError("similarity: between 0 and 1; trust: not below 0")


@stage(version=1)
def repair(
    terms: Repair,
    labels: Manifest,
    texts: Manifest,
    champion: Listener,
    *,
    over: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Repair at most one word of every label; `repaired` then tells what the label was."""
    words = {word for each in texts for word in words_of(each.text, each.lang)}
    spellings = Spellings(words, lexicon_of(terms.lexicon), terms.similarity)
    return spread(partial(_repaired, terms, spellings, champion), labels, "repairing", over, out)


def _repaired(
    terms: Repair,
    spellings: Spellings,
    champion: Listener,
    labels: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    # Two lines for every label, so that the champion's windows stay where they are after a kill.
    labels, again = tee(labels)
    scores = champion.score(rival for each in again for rival in _rivals(each, spellings))
    for label in labels:
        before, after = next(scores), next(scores)
        text = _respelled(label, spellings)
        if text is None or before is None or after is None or before - after > terms.trust:
            yield label
        else:
            yield replace(label, text=text, repaired=label.text)


def _rivals(label: Utterance, spellings: Spellings) -> tuple[Utterance, Utterance]:
    """The label as it is and as it may be meant; nobody is asked where there is no doubt."""
    text = _respelled(label, spellings)
    if text is None:
        silent = replace(label, error="nothing to repair")
        return silent, silent
    return label, replace(label, text=text)


def _respelled(label: Utterance, spellings: Spellings) -> str | None:
    """The label with the word that is most surely misspelled as the texts have it."""
    if label.error or label.origin != "pseudo" or label.lang in UNSPACED:
        return None
    tokens = (label.text or "").split()
    found = [
        (near[1], place, near[0])
        for place, token in enumerate(tokens)
        if (near := spellings.of(word_of(token, label.lang)))
    ]
    if not found:
        return None
    _, place, word = max(found, key=lambda each: (each[0], -each[1]))
    core = CORE.search(tokens[place])
    spelled = word.capitalize() if core and core[0][0].isupper() else word
    tokens[place] = CORE.sub(lambda _: spelled, tokens[place], count=1)
    return " ".join(tokens)
