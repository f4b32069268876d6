"""The stage that rescores pseudo-labels with a language model of the text corpus.

Of the n best texts of the labeler's beams, the one that the labeler and the language model together
find likeliest becomes the label (n-best rescoring: log-linear, with a bonus for length). There are
two beams: a plain one, and one after a prompt of frequent words of the text corpus.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
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
from ...core.types import UNSPACED, Alternative, Language, Utterance
from ...text.key_terms import TermFinder
from ...text.kneser_ney import KneserNey, split_language_model_units
from ...text.nbest import (
    Units,
    average_posteriors,
    find_plausible,
    find_spelling,
    log_posteriors,
)
from ...text.script_neutral import is_unspaced
from ..execution.shards import Cluster, LineSource, run_in_shards

log = logging.getLogger(__name__)

TERM_BONUS = 2.0
"""Added to the score of a text for each word of a key term (each character in unspaced scripts),
as a natural logarithm. The boost of Moonshine's guide to domains. Of 66 occurrences of words that
no text has, 45 were in Italian labels without terms, 50 with 2, and 51 with 4 or 8; errors on 522
other words were 67, 69 and 69 (BENCHMARKS.md, key terms)."""


@dataclass(frozen=True)
class RescoringOptions:
    """Options of n-best rescoring."""

    texts: Annotated[int, Range(2, 100)] = 5
    """Width of a beam, and number of its texts that are rescored; 5 is the beam of OpenAI's
    Whisper."""
    prompt_words: Annotated[int, Range(0, 1000)] = 40
    """Number of the most frequent words of the text corpus in the prompt of the second beam; 0 for
    no second beam, in half of the time. Of the words of Italian and French telephone prompts 16.7
    and 23.6 % were wrong with the plain beam, 16.4 and 22.8 % with both."""
    weight: Annotated[float, Range(0, 100)] = 0.3
    """Weight of the language model's log-probability beside the labeler's."""
    bonus: Annotated[float, Range(-100, 100)] = 0.0
    """Added for each word of a text (each character in unspaced scripts), because a language model
    prefers short texts."""
    order: Annotated[int, Range(1, 10)] = 3
    """Order of the n-gram model."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@stage(version=2)
def rescore(
    options: RescoringOptions,
    labels: Manifest,
    texts: Manifest,
    labeler: BoundRecognizer,
    key_terms: Sequence[str] | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Rescore every pseudo-label; `text_before_rescoring` holds the label where it changed.

    Key terms are texts of the language model too, and preferred.

    Args:
        options: The plan's.
        labels: Pseudo-labels; human speech among them stays as it is.
        texts: The text corpus, without held-out texts.
        labeler: The decoder of the pseudo-labels, with its weights.
        key_terms: Words and phrases of the plan.
        cluster: Where shards run; None is this process.
        out: Folder of the manifest.
    """
    beam_search = labeler.recognizer.with_beam(options.texts, nbest=options.texts)
    assert beam_search, "the plan was not checked"
    log.info("rescoring with %s: %s", beam_search.name, beam_search.decoding_description())
    source: LineSource = VerifiedManifest(labels.folder)
    unprompted = out / "unprompted"
    prompt = make_prompt(texts, options.prompt_words)
    if prompt:
        # First all clips without the prompt and then all with it, so that one model at a time is in
        # memory.
        languages = _list_languages(texts)
        decode = partial(_decode, BoundRecognizer(beam_search, labeler.checkpoint), languages)
        if not unprompted.is_dir():
            # Renamed when it is whole: of a manifest that may be in progress, resuming repeats the
            # last window.
            scratch = unprompted.with_name(f".{unprompted.name}")
            scratch.mkdir(exist_ok=True)
            run_in_shards(decode, source, "decoding n best texts", cluster, scratch)
            scratch.rename(unprompted)
        source = Manifest(unprompted)
        prompted = beam_search.with_prompt(prompt)
        assert prompted, "the plan was not checked"
        beam_search = prompted
        log.info("rescoring with a second beam after the prompt %r", prompt)
    elif options.prompt_words:
        log.info("rescoring without a prompt: no text is written with spaces between words")
    bound = BoundRecognizer(beam_search, labeler.checkpoint)
    engine = partial(_rescore, options, texts, bound, bool(prompt), key_terms or ())
    manifest = run_in_shards(engine, source, "rescoring", cluster, out)
    # It only served to resume.
    shutil.rmtree(unprompted, ignore_errors=True)
    return manifest


def make_prompt(texts: Iterable[Utterance], count: int) -> str:
    """Return the most frequent words of texts, the most frequent first.

    Texts without spaces between words have no words here, and single characters are no prompt.

    >>> texts = [Utterance(id="1", text="Press two."), Utterance(id="2", text="press one")]
    >>> make_prompt(texts, 2)
    'press two'
    """
    frequencies = Counter(
        word
        for text in texts
        if text.text and text.lang not in UNSPACED and not is_unspaced(text.text)
        for word in split_language_model_units(text.text, text.lang)
    )
    return " ".join(word for word, _ in frequencies.most_common(count))


def _decode(
    beam_search: BoundRecognizer,
    languages: frozenset[Language | None],
    labels: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    """Yield pseudo-labels in these languages with the n best texts of the beam as `alternatives`.

    Other labels are yielded without any, and stay as they are.
    """
    labels, labels_again = tee(labels)
    # Human speech goes along as lines to skip, so that the engine's windows begin at the same lines
    # after a kill.
    to_decode = (
        label if _is_rescored(label, languages) else replace(label, skip=True)
        for label in labels_again
    )
    for label, decoded in zip(labels, beam_search.transcribe(to_decode), strict=True):
        # A skipped line comes back as it went in, with whatever alternatives it had.
        alternatives = decoded.alternatives if _is_rescored(label, languages) else ()
        yield replace(label, alternatives=alternatives)


def _rescore(
    options: RescoringOptions,
    texts: Manifest,
    beam_search: BoundRecognizer,
    is_prompted: bool,
    key_terms: Sequence[str],
    labels: Iterable[Utterance],
    out: Path,
) -> Iterator[Utterance]:
    sentences = [split_language_model_units(text.text or "", text.lang) for text in texts]
    term_finder = TermFinder(key_terms, split_language_model_units)
    for lang in dict.fromkeys(text.lang for text in texts):
        # Else a term that no text has would be an unknown word.
        sentences += map(list, term_finder.split_terms(lang))
    language_model = KneserNey(sentences, options.order)
    labels, labels_again = tee(labels)
    decoded_again = _decode(beam_search, _list_languages(texts), labels_again, out)
    for label, decoded in zip(labels, decoded_again, strict=True):
        lists: list[Sequence[Alternative]] = [decoded.alternatives]
        if is_prompted:
            lists = [label.alternatives, find_plausible(decoded.alternatives, label.alternatives)]
            label = replace(label, alternatives=())
        yield choose_text(options, language_model, term_finder, label, lists)


def choose_text(
    options: RescoringOptions,
    language_model: KneserNey,
    term_finder: TermFinder,
    label: Utterance,
    lists: Sequence[Sequence[Alternative]],
) -> Utterance:
    """Return the label with the likeliest text of n-best lists.

    The label is returned as it is if no text has a word, or if the likeliest has the same words.

    Args:
        options: The plan's.
        language_model: Model of the text corpus.
        term_finder: Finder of the plan's key terms.
        label: The label.
        lists: N-best lists of one or more beams. A spelling is taken from the first that has it.
    """
    posteriors = average_posteriors(
        [log_posteriors(alternatives, label.lang) for alternatives in lists]
    )

    def score(units: Units) -> float:
        language_score = options.weight * language_model.logprob(units)
        # By unit, like the probability of a text, so that a phrase weighs more than its first word.
        in_terms = sum(end - start for start, end in term_finder.find(units, label.lang))
        bonus = options.bonus * len(units) + TERM_BONUS * in_terms
        return posteriors[units] + language_score + bonus

    best = max(posteriors, key=score, default=())
    if not best or best == tuple(split_language_model_units(label.text or "", label.lang)):
        return label
    spelling = find_spelling(best, lists, label.lang)
    return replace(label, text=spelling, text_before_rescoring=label.text)


def _list_languages(texts: Iterable[Utterance]) -> frozenset[Language | None]:
    return frozenset(text.lang for text in texts)


def _is_rescored(label: Utterance, languages: frozenset[Language | None]) -> bool:
    """Return whether a label was made by a recognizer, in a language that the texts have."""
    # To the model of another language all words are unknown, and the shortest text would win.
    in_language = label.lang is None or not languages.isdisjoint({label.lang, None})
    return not label.error and label.origin == "pseudo" and in_language
