"""Labels repaired by the text corpus, where the champion can be made to agree; they say so.

Whole labels: of the texts that the champion's beam holds, one that a language model of the corpus
finds likelier may win (n-best rescoring: log-linear, with a bonus for length).

Single words: one that is no word of the texts, nor of a lexicon, may be a misspelled one of them.
The champion is forced to say the sentence with either: only where it finds the texts' word
likelier, or less likely by no more than the texts are trusted with, is the label repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import tee
from pathlib import Path

from ...asr._base import BoundRecognizer
from ...core import schema
from ...core.artifacts import stage
from ...core.manifest import Manifest
from ...core.types import Alternative, Share, Utterance
from ...text.kneser_ney import KneserNey
from ...text.scripts import UNSPACED
from ...text.spelling import Spellings, lexicon_of, units_of, word_of, words_of
from ..execution.shards import Cluster, run_in_shards

CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)


@dataclass(frozen=True)
class Rescoring:
    """When another text of the champion's beam is taken for the label."""

    texts: int = 5
    """That the beam goes on with, and of which the likeliest by ear and by the corpus together is
    taken; five is the beam of OpenAI's Whisper."""
    weight: float = 0.3
    """What a natural logarithm of the language model counts beside one of the champion."""
    bonus: float = 0.0
    """What every word of a text adds (every character, where no words are told apart): a language
    model prefers short texts."""
    order: int = 3
    """Words that the language model looks at together."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if self.texts < 2 or self.order < 1 or self.weight < 0:
            raise ValueError("texts: 2 at least; order: 1 at least; weight: not below 0")


@dataclass(frozen=True)
class Repair:
    """When a label, or a word of it, is taken for one of the texts'."""

    nbest: Rescoring | None = None
    """How whole labels are weighed anew; null leaves it to single words."""
    similarity: Share | None = 0.78
    """From which on a word may be a misspelled other (Ratcliff and Obershelp's); null repairs no
    single words."""
    trust: float = 0.0
    """How much less likely to the champion the repaired sentence may be, in natural logarithms:
    what a word's being in the texts is worth against the ear. 0 takes only what it prefers."""
    lexicon: Path | None = field(default=None)
    """Words, one a line, that are words although no text has them: they are never repaired."""
    __pydantic_config__ = schema.STRICT

    def __post_init__(self) -> None:
        if self.similarity is not None and not 0 < self.similarity < 1:
            raise ValueError("similarity: between 0 and 1, or null")
        if self.trust < 0:
            raise ValueError("trust: not below 0")
        if not self.nbest and self.similarity is None:
            raise ValueError("nbest or similarity: one of them, or there is nothing to repair by")


@stage(version=1)
def repair(
    options: Repair,
    labels: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Weigh every label anew, then repair at most one word of it; `repaired` tells what it was."""
    known = lexicon_of(options.lexicon)  # here, where it lies; the texts lie in the run
    engine = partial(_repaired, options, known, texts, champion)
    return run_in_shards(engine, labels, "repairing", cluster, out)


def _repaired(
    terms: Repair,
    known: set[str],
    texts: Manifest,
    champion: BoundRecognizer,
    labels: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    repaired = iter(labels)
    if terms.nbest:
        repaired = _rescored(terms.nbest, texts, champion, repaired)
    if terms.similarity is not None:
        words = {word for each in texts for word in words_of(each.text, each.lang)}
        spellings = Spellings(words, known, terms.similarity)
        repaired = _spelled(terms, spellings, champion, repaired)
    return repaired


def _rescored(
    terms: Rescoring, texts: Manifest, champion: BoundRecognizer, labels: Iterator[Utterance]
) -> Iterator[Utterance]:
    searching = champion.recognizer.with_beam(terms.texts, nbest=terms.texts)
    assert searching, "the plan was not checked"
    corpus = KneserNey((units_of(each.text or "", each.lang) for each in texts), terms.order)
    labels, again = tee(labels)
    # A line for every label, so that the champion's windows stay where they are after a kill.
    asked = (each if _is_label(each) else replace(each, error="no label") for each in again)
    heard = searching.transcribe(champion.checkpoint, asked)
    for label, answer in zip(labels, heard, strict=True):
        yield likeliest(terms, corpus, label, answer.alternatives)


def likeliest(
    terms: Rescoring, corpus: KneserNey, label: Utterance, alternatives: Sequence[Alternative]
) -> Utterance:
    """The label as ear and corpus together have it; where they differ by no word, as it was."""
    spoken = {each: units for each in alternatives if (units := units_of(each.text, label.lang))}

    def score(each: Alternative) -> float:
        units = spoken[each]
        return each.logprob + terms.weight * corpus.logprob(units) + terms.bonus * len(units)

    if not spoken:
        return label
    best = max(spoken, key=score)
    if spoken[best] == units_of(label.text or "", label.lang):
        return label
    return replace(label, text=best.text, repaired=label.text)


def _is_label(utterance: Utterance) -> bool:
    return not utterance.error and utterance.origin == "pseudo"


def _spelled(
    terms: Repair, spellings: Spellings, champion: BoundRecognizer, labels: Iterator[Utterance]
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
            yield replace(label, text=text, repaired=label.repaired or label.text)


def _rivals(label: Utterance, spellings: Spellings) -> tuple[Utterance, Utterance]:
    """The label as it is and as it may be meant; nobody is asked where there is no doubt."""
    text = _respelled(label, spellings)
    if text is None:
        silent = replace(label, error="nothing to repair")
        return silent, silent
    return label, replace(label, text=text)


def _respelled(label: Utterance, spellings: Spellings) -> str | None:
    """The label with the word that is most surely misspelled as the texts have it."""
    if not _is_label(label) or label.lang in UNSPACED:
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
