"""The stage that filters labels: it keeps some, rejects the rest, and counts both."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, tee
from pathlib import Path

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
from ..execution.shards import Cluster, run_in_shards

REJECTED = "rejected"
"""Folder, in that of kept utterances, of what was rejected."""


@stage(version=2)
def filter_utterances(
    filters: Sequence[Filter],
    speech: Manifest,
    human: Manifest | None,
    held_out: Sequence[Manifest],
    context: FilterContext | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Keep the utterances that no filter objects to, and human speech without any filter.

    Before any filter sees them, these are dropped, human speech too: what has an error, what equals
    or nearly equals a held-out text, and what holds control tokens of Whisper. Each filter sees
    what those before it kept.

    Args:
        filters: In the order in which they are applied.
        speech: What is filtered.
        human: Human transcripts, which no filter doubts.
        held_out: The held-out sets, for their texts.
        context: Models and labels that some filters consult. With it the stage runs in shards and
            resumes after the last whole window; without it, filtering takes seconds.
        cluster: Where shards run; None is this process.
        out: Folder of the kept utterances; `rejected/` in it holds the others with the reason.
    """
    # Some thresholds come from the corpus itself, such as the usual rate of characters.
    fitted_filters = [filter_.fit(speech) for filter_ in filters]
    held_out_texts = HeldOutTexts(utterance for manifest in held_out for utterance in manifest)
    filtered: Iterable[Utterance]
    if context is None:
        filtered = (
            first_objection(utterance, fitted_filters, held_out_texts)
            for utterance in VerifiedManifest(speech.folder)
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


@stage(version=1)
def filter_transcribed(speech: Manifest, held_out: Sequence[Manifest], *, out: Path) -> Manifest:
    """Keep human transcripts that may be trained on; no filter doubts them.

    Dropped is what cannot be read, what equals or nearly equals a held-out text, and what holds
    control tokens of Whisper.

    Args:
        speech: Speech with human transcripts.
        held_out: The held-out sets, for their texts.
        out: Folder of the kept utterances; `rejected/` in it holds the others with the reason.
    """
    held_out_texts = HeldOutTexts(utterance for manifest in held_out for utterance in manifest)
    return write_kept_and_rejected(_filter_transcribed(speech, held_out_texts), out)


def _filter_transcribed(speech: Manifest, held_out_texts: HeldOutTexts) -> Iterator[Utterance]:
    """Yield human transcripts, marked as rejected if they may not be trained on."""
    lines = show_progress(VerifiedManifest(speech.folder), "checking transcripts", len(speech))
    for utterance in lines:
        if not utterance.error:
            # The pool was scanned; here its audio is read for the first time.
            try:
                audio.load_utterance(utterance)
            except AudioError as error:
                utterance = replace(utterance, error=str(error))
        yield first_objection(utterance, (), held_out_texts)


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


def first_objection(
    utterance: Utterance, filters: Sequence[Filter], held_out_texts: HeldOutTexts
) -> Utterance:
    """Return the utterance, marked with the first objection to it if there is one."""
    if utterance.error:
        return replace(utterance, rejected_by="error", objection=utterance.error)
    if held_out_texts.is_near_duplicate(utterance):
        return replace(
            utterance,
            rejected_by="held_out_text",
            objection="equals or nearly equals the text of a held-out set",
        )
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
        first_objection(utterance, (), held_out_texts) for utterance in speech
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
