"""The stage that filters labels: it keeps some, rejects the rest, and counts both."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, tee
from pathlib import Path
from textwrap import shorten

from ...audio import io as audio
from ...core.artifacts import stage
from ...core.errors import AudioError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest, iter_windows
from ...core.progress import show_progress
from ...core.tallies import Funnel, Tally
from ...core.types import Utterance
from ...data.filters._base import Filter, FilterContext
from ...text.contamination import HeldOutTexts
from ...text.control_tokens import find_control_token
from ...text.normalizers._base import Normalizer
from ..execution.shards import Cluster, run_in_shards

REJECTED = "rejected"
"""Folder, in that of kept utterances, of what was rejected."""
HELD_OUT_TEXT = "held_out_text"
"""Reason why a text that is too near to a held-out one is rejected."""


@stage(version=3)
def filter_utterances(
    filters: Sequence[Filter],
    speech: Manifest,
    human: Manifest | None,
    held_out: Sequence[Manifest],
    context: FilterContext | None = None,
    normalizer: Normalizer | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Keep the utterances that no filter objects to, and human speech without any filter.

    Before any filter sees them, these are dropped, human speech too: what has an error, what is too
    near to a held-out text, and what holds control tokens of Whisper. Each filter sees what those
    before it kept. Human speech is also dropped if it equals a held-out text of few words; a label
    is not, since the recognizer found by itself that somebody says "yes".

    Args:
        filters: In the order in which they are applied.
        speech: What is filtered.
        human: Human transcripts, which no filter doubts.
        held_out: The held-out sets, for their texts.
        context: Models and labels that some filters consult. With it the stage runs in shards and
            resumes after the last whole window; without it, filtering takes seconds.
        normalizer: The plan's, in whose form texts are compared with held-out ones too.
        cluster: Where shards run; None is this process.
        out: Folder of the kept utterances; `rejected/` in it holds the others with the reason.
    """
    # Some thresholds come from the corpus itself, such as the usual rate of characters.
    fitted_filters = [filter_.fit(speech) for filter_ in filters]
    held_out_texts = HeldOutTexts(chain.from_iterable(held_out), normalizer)
    filtered: Iterable[Utterance]
    if context is None:
        verified = VerifiedManifest(speech.folder)
        filtered = (
            first_objection(utterance, fitted_filters)
            for utterance in reject_held_out(verified, held_out_texts)
        )
    else:
        engine = partial(_filter_with_context, fitted_filters, held_out_texts, context)
        verified = VerifiedManifest(speech.folder)
        filtered = run_in_shards(engine, verified, "filtering", cluster, out / "judged")
    human_speech = _filter_transcribed(human, held_out_texts) if human else ()
    manifest = write_kept_and_rejected(chain(filtered, human_speech), out)
    # The answers are in the manifests by now; the folder only served to resume.
    shutil.rmtree(out / "judged", ignore_errors=True)
    return manifest


@stage(version=2)
def filter_transcribed(
    speech: Manifest,
    held_out: Sequence[Manifest],
    normalizer: Normalizer | None = None,
    *,
    out: Path,
) -> Manifest:
    """Keep human transcripts that may be trained on; no filter doubts them.

    Dropped is what cannot be read, what equals a held-out text or is too near to one, and what
    holds control tokens of Whisper.

    Args:
        speech: Speech with human transcripts.
        held_out: The held-out sets, for their texts.
        normalizer: The plan's, in whose form texts are compared with held-out ones too.
        out: Folder of the kept utterances; `rejected/` in it holds the others with the reason.
    """
    held_out_texts = HeldOutTexts(chain.from_iterable(held_out), normalizer)
    return write_kept_and_rejected(_filter_transcribed(speech, held_out_texts), out)


def _filter_transcribed(speech: Manifest, held_out_texts: HeldOutTexts) -> Iterator[Utterance]:
    """Yield human transcripts, marked as rejected if they may not be trained on."""
    lines = show_progress(VerifiedManifest(speech.folder), "checking transcripts", len(speech))
    readable = map(_mark_unreadable, lines)
    for utterance in reject_held_out(readable, held_out_texts, including_short=True):
        yield first_objection(utterance, ())


def _mark_unreadable(utterance: Utterance) -> Utterance:
    """Return the utterance, with an error if its audio cannot be read."""
    # The pool was scanned; the audio of human speech is read here for the first time.
    if not utterance.error:
        try:
            audio.load_utterance(utterance)
        except AudioError as error:
            return replace(utterance, error=str(error))
    return utterance


def reject_held_out(
    utterances: Iterable[Utterance], held_out_texts: HeldOutTexts, *, including_short: bool = False
) -> Iterator[Utterance]:
    """Yield all utterances, those whose texts are too near to a held-out text as rejected.

    Args:
        utterances: Utterances with texts; those with errors or rejected before stay as they are.
        held_out_texts: What may not be trained on.
        including_short: Whether texts that equal one of few words are rejected too.
    """
    utterances, utterances_again = tee(utterances)
    # Many texts are looked up at once, so a second iterator runs behind the first.
    matches = held_out_texts.find_near_duplicates(utterances)
    for utterance, numbers in zip(utterances_again, matches, strict=True):
        if utterance.error or utterance.rejected_by:
            yield utterance
        elif numbers:
            text = held_out_texts.texts[min(numbers)]
            objection = f"too near to the held-out text {shorten(text, 80)!r}"
            yield replace(utterance, rejected_by=HELD_OUT_TEXT, objection=objection)
        elif including_short and held_out_texts.find_equal_short_texts(utterance):
            objection = "equals a held-out text of few words"
            yield replace(utterance, rejected_by=HELD_OUT_TEXT, objection=objection)
        else:
            yield utterance


def write_kept_and_rejected(utterances: Iterable[Utterance], out: Path) -> Manifest:
    """Write kept utterances to `out`, rejected ones to `rejected/`, and the counts of both."""
    kept, rejected = Tally(), defaultdict[str, Tally](Tally)
    kept_manifest, rejected_manifest = Manifest(out), Manifest(out / REJECTED)
    with kept_manifest.open_for_append() as keep, rejected_manifest.open_for_append() as reject:
        for window in iter_windows(utterances):
            keep(utterance for utterance in window if not utterance.rejected_by)
            reject(utterance for utterance in window if utterance.rejected_by)
            for utterance in window:
                if reason := utterance.rejected_by:
                    rejected[reason] = rejected[reason].add(utterance.duration)
                else:
                    kept = kept.add(utterance.duration)
    Funnel(kept, dict(sorted(rejected.items()))).save(out)
    return kept_manifest


def first_objection(utterance: Utterance, filters: Sequence[Filter]) -> Utterance:
    """Return the utterance, marked with the first objection to it if there is one."""
    if utterance.error:
        return replace(utterance, rejected_by="error", objection=utterance.error)
    if utterance.rejected_by:  # by its text, which is looked up before
        return utterance
    if token := find_control_token(utterance.text or ""):
        return replace(
            utterance,
            rejected_by="control_token",
            objection=f"{token} is a control token of Whisper, and no speech",
        )
    for filter_ in filters:
        if objection := filter_.objection(utterance):
            return replace(utterance, rejected_by=filter_.name, objection=objection)
    return utterance


def _filter_with_context(
    filters: Sequence[Filter],
    held_out_texts: HeldOutTexts,
    context: FilterContext,
    speech: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    """Do as `first_objection` for every utterance, where some filters consult a model."""
    filtered: Iterator[Utterance] = (
        first_objection(utterance, ()) for utterance in reject_held_out(speech, held_out_texts)
    )
    for filter_ in filters:
        filtered = _apply_filter(filter_, filtered, context)
    return filtered


def _apply_filter(
    filter_: Filter, filtered: Iterator[Utterance], context: FilterContext
) -> Iterator[Utterance]:
    """Apply one filter; engines skip what is rejected already."""
    filtered, filtered_again = tee(filtered)
    remaining = (
        replace(utterance, skip=True) if utterance.rejected_by else utterance
        for utterance in filtered_again
    )
    objections = filter_.objections(remaining, context)
    for utterance, objection in zip(filtered, objections, strict=True):
        if objection and not utterance.rejected_by:
            yield replace(utterance, rejected_by=filter_.name, objection=objection)
        else:
            yield utterance
