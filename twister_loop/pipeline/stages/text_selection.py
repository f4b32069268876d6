"""The stage that selects texts: cleaned, each once, none held out, as many as wanted."""

from __future__ import annotations

import hashlib
import html
import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np

from ...core import schema
from ...core.artifacts import stage
from ...core.manifest import Manifest
from ...core.ranges import Count, Range
from ...core.types import UNSPACED, Language, Utterance
from ...data.filters._base import Filter
from ...text.contamination import HeldOutTexts
from ...text.key_terms import TermFinder
from ...text.normalizers._base import Normalizer
from ...text.normalizers.basic import Basic
from .filtering import first_objection, reject_held_out, write_kept_and_rejected

MARKUP = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
"""Tags of HTML and of subtitles."""
LINK = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")
BULLET = re.compile(r"^(?:[-–—•*·>#]+\s+)+")
JOINERS = "\u200c\u200d"
"""Marks without width that belong to the spelling of Persian and of Indian scripts."""


TERM_PREFERENCE = 2.0
"""A text with a key term is e to the power of this (7.4 times) as likely to be drawn as the same
text without."""


@dataclass(frozen=True)
class TextSelection:
    """Options for a text corpus that is larger than what is to be synthesized."""

    texts: Count | None = None
    """Number of texts to draw; null takes all."""
    rare: Annotated[float, Range(-100, 100)] = 0.0
    """Preference for texts of rare words: a text one standard deviation rarer than the mean is e to
    the power of this as likely to be drawn."""
    unlike: Annotated[float, Range(-100, 100)] = 0.0
    """The same for texts unlike the pseudo-labels of the pool: cross-entropy under the words of the
    pool less that under the words of the texts (Moore and Lewis, 2010, the other way round)."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if self.texts is None and (self.rare or self.unlike):
            raise ValueError("rare, unlike: say with `texts` how many are to be drawn")


@stage(version=2)
def select_texts(
    filters: Sequence[Filter],
    selection: TextSelection,
    texts: Manifest,
    held_out: Sequence[Manifest],
    labels: Manifest | None = None,
    seed: int = 0,
    normalizer: Normalizer | None = None,
    key_terms: Sequence[str] | None = None,
    *,
    out: Path,
) -> Manifest:
    """Clean every text, keep it once, reject what is held out, and draw as many as wanted.

    Held out is what is too near to a held-out text, or equals one of few words.

    Args:
        filters: Filters of texts, in the order in which they are applied.
        selection: How many texts to draw, and which are preferred.
        texts: The text corpus.
        held_out: The held-out sets, for their texts.
        labels: Pseudo-labels of the pool, for `selection.unlike`.
        seed: Decides which texts are drawn.
        normalizer: The plan's, in whose form texts are compared with held-out ones too.
        key_terms: Words and phrases that are preferred in texts, if some are drawn.
        out: Folder of the selected texts; `rejected/` in it holds the others with the reason.
    """
    held_out_texts = HeldOutTexts(chain.from_iterable(held_out), normalizer)
    fitted_filters = [filter_.fit(texts) for filter_ in filters]

    def filtered() -> Iterator[Utterance]:
        cleaned = (replace(text, text=clean(text.text or "")) for text in texts)
        for text in reject_held_out(_distinct(cleaned), held_out_texts, including_short=True):
            yield text if text.rejected_by else first_objection(text, fitted_filters)

    if selection.texts is None:
        return write_kept_and_rejected(filtered(), out)
    candidates = [text for text in filtered() if not text.rejected_by]
    drawn_ids = _draw(selection, candidates, labels or (), key_terms or (), seed)
    left_over = len(candidates) - len(drawn_ids)

    def drawn_or_rejected() -> Iterator[Utterance]:
        # A second pass over the corpus costs less than to hold all of it in memory.
        for text in filtered():
            if not text.rejected_by and text.id not in drawn_ids:
                reason = f"one of {left_over} that were not drawn"
                text = replace(text, rejected_by="not_chosen", objection=reason)
            yield text

    return write_kept_and_rejected(drawn_or_rejected(), out)


def clean(text: str) -> str:
    r"""Return one line of NFC text without markup, links, bullets and invisible marks.

    >>> clean("- <b>Press</b>  one &amp; wait\n")
    'Press one & wait'
    """
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = LINK.sub(" ", MARKUP.sub(" ", text))
    visible = (
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in text
        if unicodedata.category(letter) not in {"Cf", "Co", "Cs"} or letter in JOINERS
    )
    return BULLET.sub("", " ".join("".join(visible).split()))


def _distinct(texts: Iterable[Utterance]) -> Iterator[Utterance]:
    """Mark empty, broken and repeated texts as rejected; case and punctuation do not matter."""
    seen_keys = set[bytes]()
    for text in texts:
        form = Basic(numbers=False).normalize(text.text or "", text.lang)
        # Eight bytes of a digest instead of the text: ten million texts fit in memory.
        key = hashlib.blake2b(f"{text.lang} {form}".encode(), digest_size=8).digest()
        if text.rejected_by or text.error:
            yield text
        elif not form:
            yield replace(text, rejected_by="empty", objection="nothing that could be spoken")
        elif "\ufffd" in (text.text or ""):
            reason = "letters were lost in its encoding"
            yield replace(text, rejected_by="broken", objection=reason)
        elif key in seen_keys:
            yield replace(text, rejected_by="duplicate", objection="the same words again")
        else:
            seen_keys.add(key)
            yield text


def _draw(
    selection: TextSelection,
    texts: Sequence[Utterance],
    labels: Iterable[Utterance],
    key_terms: Sequence[str],
    seed: int,
) -> set[str]:
    """Return ids drawn without replacement by weight (Efraimidis and Spirakis, 2006)."""
    words_of_texts = [_words(text) for text in texts]
    text_counts = Counter(word for words in words_of_texts for word in words)
    pool_counts = Counter(word for label in labels for word in _words(label))
    # Both models share one vocabulary, or their cross-entropies could not be subtracted.
    vocabulary = len(text_counts.keys() | pool_counts.keys()) or 1
    rarity = [_cross_entropy(words, text_counts, vocabulary) for words in words_of_texts]
    under_pool = [_cross_entropy(words, pool_counts, vocabulary) for words in words_of_texts]
    unlikeness = [pool - own for pool, own in zip(under_pool, rarity, strict=True)]
    log_weights = selection.rare * _standardize(rarity) + selection.unlike * _standardize(
        unlikeness
    )
    term_finder = TermFinder(key_terms, _split_words)
    # One is enough: a text that is a list of terms is no better speech.
    has_term = [
        bool(term_finder.find(words, text.lang))
        for text, words in zip(texts, words_of_texts, strict=True)
    ]
    log_weights = log_weights + TERM_PREFERENCE * np.asarray(has_term, dtype=float)
    rng = random.Random(seed)
    # Sorting by weight plus Gumbel noise draws without replacement; the bounds keep log finite.
    keys = {
        text.id: weight - math.log(-math.log(rng.uniform(1e-12, 1 - 1e-12)))
        for text, weight in zip(texts, log_weights, strict=True)
    }
    return set(sorted(keys, key=lambda id_: -keys[id_])[: selection.texts])


def _words(utterance: Utterance) -> list[str]:
    return _split_words(utterance.text or "", utterance.lang)


def _split_words(text: str, lang: Language | None) -> list[str]:
    """Return normalized words, or characters for unspaced scripts."""
    form = Basic().normalize(text, lang)
    return list(form.replace(" ", "")) if lang in UNSPACED else form.split()


def _cross_entropy(words: Sequence[str], counts: Counter[str], vocabulary: int) -> float:
    """Return nats per word under add-one smoothed word frequencies."""
    total = counts.total() + vocabulary
    return sum(-math.log((counts[word] + 1) / total) for word in words) / max(len(words), 1)


def _standardize(numbers: Sequence[float]) -> np.ndarray:
    """Return the numbers with zero mean and unit standard deviation, shape (texts,)."""
    array = np.asarray(numbers)
    return (array - array.mean()) / (array.std() or 1.0) if len(array) else array
