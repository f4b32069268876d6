"""The text corpus made fit to be spoken: cleaned, each text once, none that is held out; chosen."""

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
from pathlib import Path

import numpy as np

from ...core import schema
from ...core.artifacts import stage
from ...core.manifest import Manifest
from ...core.types import Utterance
from ...data.filters._base import Filter
from ...text import scripts
from ...text.contamination import HeldOutTexts
from ...text.normalizers.basic import Basic
from .filtering import with_first_objection, write_kept_and_rejected

MARKUP = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
"""Tags of HTML and of subtitles."""
LINK = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")
BULLET = re.compile(r"^(?:[-–—•*·>#]+\s+)+")
JOINERS = "\u200c\u200d"
"""Marks without width that are spelling in Persian and in the scripts of India."""


@dataclass(frozen=True)
class TextSelection:
    """Which texts are spoken, where there are more than anybody will listen to."""

    texts: int | None = None
    """So many; all if that is null."""
    rare: float = 0.0
    """How much texts of rare words are preferred: a text one standard deviation rarer than the
    mean is e to the power of this as likely to be chosen."""
    unlike: float = 0.0
    """The same for texts unlike what was heard in the pool (cross-entropy under the words of the
    pool less that under those of the texts; Moore and Lewis, 2010, the other way round)."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if self.texts is not None and self.texts < 1:
            raise ValueError("texts: 1 at least")
        if self.texts is None and (self.rare or self.unlike):
            raise ValueError("rare, unlike: say how many `texts` are to be chosen")


@stage(version=1)
def select_texts(
    filters: Sequence[Filter],
    choice: TextSelection,
    texts: Manifest,
    held_out: Sequence[Manifest],
    labels: Manifest | None = None,
    seed: int = 0,
    *,
    out: Path,
) -> Manifest:
    """Clean every text and keep it once; what is nearly held out, or objected to, is rejected.

    Of what is left so many are chosen as the plan wants, by the labels of the pool and the seed.
    """
    near = HeldOutTexts(each for manifest in held_out for each in manifest)
    informed = [each.fitted_to(texts) for each in filters]

    def cleaned() -> Iterator[Utterance]:
        for each in _distinct(replace(text, text=clean(text.text or "")) for text in texts):
            yield each if each.rejected_by else with_first_objection(each, informed, near)

    if choice.texts is None:
        return write_kept_and_rejected(cleaned(), out)
    kept = [each for each in cleaned() if not each.rejected_by]
    chosen = _chosen(choice, kept, labels or (), seed)

    def divided() -> Iterator[Utterance]:
        for each in cleaned():
            if not each.rejected_by and each.id not in chosen:
                why = f"one of {len(kept) - len(chosen)} that were not drawn"
                each = replace(each, rejected_by="not_chosen", objection=why)
            yield each

    return write_kept_and_rejected(divided(), out)


def clean(text: str) -> str:
    """One line in composed Unicode, without markup, links, bullets and marks that nobody sees."""
    text = unicodedata.normalize("NFC", html.unescape(text))
    text = LINK.sub(" ", MARKUP.sub(" ", text))
    seen = (
        " " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each
        for each in text
        if unicodedata.category(each) not in {"Cf", "Co", "Cs"} or each in JOINERS
    )
    return BULLET.sub("", " ".join("".join(seen).split()))


def _distinct(texts: Iterable[Utterance]) -> Iterator[Utterance]:
    """Each text once, whatever its case and punctuation; what has lost letters is no text."""
    seen = set[bytes]()
    for each in texts:
        form = Basic(numbers=False).normalize(each.text or "", each.lang)
        key = hashlib.blake2b(f"{each.lang} {form}".encode(), digest_size=8).digest()
        if each.rejected_by or each.error:
            yield each
        elif not form:
            yield replace(each, rejected_by="empty", objection="nothing that could be spoken")
        elif "\ufffd" in (each.text or ""):
            why = "letters were lost in its encoding"
            yield replace(each, rejected_by="broken", objection=why)
        elif key in seen:
            yield replace(each, rejected_by="duplicate", objection="the same words again")
        else:
            seen.add(key)
            yield each


def _chosen(
    choice: TextSelection, texts: Sequence[Utterance], labels: Iterable[Utterance], seed: int
) -> set[str]:
    """Drawn without replacement by their weights (Efraimidis and Spirakis, 2006)."""
    said = [_words(each) for each in texts]
    own = Counter(word for words in said for word in words)
    pool = Counter(word for each in labels for word in _words(each))
    vocabulary = len(own.keys() | pool.keys()) or 1
    rare = [_surprise(words, own, vocabulary) for words in said]
    strange = [_surprise(words, pool, vocabulary) for words in said]
    unlike = [one - other for one, other in zip(strange, rare, strict=True)]
    weights = choice.rare * _standard(rare) + choice.unlike * _standard(unlike)  # logarithms
    rng = random.Random(seed)
    order = {
        each.id: weight - math.log(-math.log(rng.uniform(1e-12, 1 - 1e-12)))
        for each, weight in zip(texts, weights, strict=True)
    }
    return set(sorted(order, key=lambda id_: -order[id_])[: choice.texts])


def _words(utterance: Utterance) -> list[str]:
    """Words, or characters where none are told apart."""
    form = Basic().normalize(utterance.text or "", utterance.lang)
    return list(form.replace(" ", "")) if utterance.lang in scripts.UNSPACED else form.split()


def _surprise(words: Sequence[str], counts: Counter[str], vocabulary: int) -> float:
    """Nats a word under smoothed frequencies."""
    total = counts.total() + vocabulary
    return sum(-math.log((counts[each] + 1) / total) for each in words) / max(len(words), 1)


def _standard(values: Sequence[float]) -> np.ndarray:
    """Zero mean and a standard deviation of one, (texts,)."""
    found = np.asarray(values)
    return (found - found.mean()) / (found.std() or 1.0) if len(found) else found
