"""The stage that rescores pseudo-labels with a language model of the text corpus.

Of the n best texts of the champion's beam, the one that the champion and the language model
together find likeliest becomes the label (n-best rescoring: log-linear, with a bonus for length).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Annotated

from ...asr._base import BoundRecognizer
from ...core import schema
from ...core.artifacts import stage
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.ranges import Range
from ...core.types import Alternative, Utterance
from ...text.kneser_ney import KneserNey, split_language_model_units
from ..execution.shards import Cluster, run_in_shards


@dataclass(frozen=True)
class RescoringOptions:
    """Options of n-best rescoring."""

    texts: Annotated[int, Range(2, 100)] = 5
    """Width of the beam, and number of texts that are rescored; 5 is the beam of OpenAI's
    Whisper."""
    weight: Annotated[float, Range(0, 100)] = 0.3
    """Weight of the language model's log-probability beside the champion's."""
    bonus: Annotated[float, Range(-100, 100)] = 0.0
    """Added for each word of a text (each character in unspaced scripts), because a language model
    prefers short texts."""
    order: Annotated[int, Range(1, 10)] = 3
    """Order of the n-gram model."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@stage(version=1)
def rescore(
    options: RescoringOptions,
    labels: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Rescore every pseudo-label; `text_before_rescoring` holds the label where it changed."""
    engine = partial(_rescore, options, texts, champion)
    return run_in_shards(engine, VerifiedManifest(labels.folder), "rescoring", cluster, out)


def _rescore(
    options: RescoringOptions,
    texts: Manifest,
    champion: BoundRecognizer,
    labels: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    beam_search = champion.recognizer.with_beam(options.texts, nbest=options.texts)
    assert beam_search, "the plan was not checked"
    sentences = (split_language_model_units(text.text or "", text.lang) for text in texts)
    language_model = KneserNey(sentences, options.order)
    labels, labels_again = tee(labels)
    # Human speech goes along as lines to skip, so that the engine's windows begin at the same lines
    # after a kill.
    to_decode = (
        label if _is_pseudo_label(label) else replace(label, skip=True) for label in labels_again
    )
    decoded = beam_search.transcribe(champion.checkpoint, to_decode)
    for label, answer in zip(labels, decoded, strict=True):
        # A skipped line comes back as it went in, with whatever alternatives it had.
        alternatives = answer.alternatives if _is_pseudo_label(label) else ()
        yield choose_alternative(options, language_model, label, alternatives)


def choose_alternative(
    options: RescoringOptions,
    language_model: KneserNey,
    label: Utterance,
    alternatives: Sequence[Alternative],
) -> Utterance:
    """Return the label with the likeliest of its alternatives.

    The label is returned as it is if no alternative has a word, or if the likeliest has the same
    words.
    """
    units_by_alternative = {
        alternative: units
        for alternative in alternatives
        if (units := split_language_model_units(alternative.text, label.lang))
    }

    def score(alternative: Alternative) -> float:
        units = units_by_alternative[alternative]
        language_score = options.weight * language_model.logprob(units)
        return alternative.logprob + language_score + options.bonus * len(units)

    if not units_by_alternative:
        return label
    best = max(units_by_alternative, key=score)
    if units_by_alternative[best] == split_language_model_units(label.text or "", label.lang):
        return label
    return replace(label, text=best.text, text_before_rescoring=label.text)


def _is_pseudo_label(utterance: Utterance) -> bool:
    return not utterance.error and utterance.origin == "pseudo"
