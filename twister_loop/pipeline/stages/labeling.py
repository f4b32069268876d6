"""Stages that transcribe and align speech with the champion, and the trial of faster decoders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, tee
from pathlib import Path
from typing import Annotated, Literal

from ...asr._base import Recognizer
from ...core import schema
from ...core.artifacts import not_in_cache_key, stage
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest, iter_windows
from ...core.ranges import Range
from ...core.types import Checkpoint, Utterance
from ...data.filters._base import Filter
from ...evaluation import metrics
from ...evaluation.trials import DecoderAttempt, DecoderTrial
from ..execution.shards import Cluster, run_in_shards
from ..run_folder import round_number


@dataclass(frozen=True)
class LabelOptions:
    """Options of pseudo-labeling, and of the trial that a faster decoder must pass."""

    clips: Annotated[int, Range(1, 1000000)] = 48
    """Number of clips in the trial, drawn from the pool; the same for every seed of the plan."""
    at_most: Annotated[float, Range(0, 100)] = 0.05
    """Highest character error rate against the reference decoder that passes. Untouched Whisper
    base with 5 s of padding came to 0.036 against 30 s on telephone prompts, and to 0.015 on
    another draw of them."""
    relabel: Literal["all", "new"] = not_in_cache_key("all")
    """`all`: a later round transcribes the whole pool again. `new`: only the utterances whose label
    was rejected before; the others keep their label, with the round that made it."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@stage(version=1)
def transcribe(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    speech: Manifest,
    earlier_labels: Manifest | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Transcribe every utterance; the transcript becomes `text` if there is none.

    Args:
        recognizer: The decoder.
        checkpoint: The weights it decodes with.
        speech: What to transcribe.
        earlier_labels: Filtered labels of an earlier round; its pseudo-labels are carried over
            instead of being made again.
        cluster: Where shards run; None is this process.
        out: Folder of the manifest.
    """
    engine = partial(_transcribe, recognizer, checkpoint)
    if earlier_labels is not None:
        engine = partial(_transcribe_new, recognizer, checkpoint, earlier_labels)
    verified = VerifiedManifest(speech.folder)
    return run_in_shards(engine, verified, "transcribing", cluster, out)


@stage(version=1)
def align(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    speech: Manifest,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Find the start and end of each word of every text; utterances without a text are kept."""
    engine = partial(_align, recognizer, checkpoint)
    return run_in_shards(engine, VerifiedManifest(speech.folder), "aligning", cluster, out)


@stage(version=1)
def try_decoders(
    candidates: Sequence[Recognizer],
    reference: Recognizer,
    checkpoint: Checkpoint,
    pool: Manifest,
    filters: Sequence[Filter],
    options: LabelOptions,
    seed: int,
    *,
    out: Path,
) -> DecoderTrial:
    """Try decoders, fastest first, until one's CER against the reference is within the limit.

    Only clips whose reference transcript passes the filters are compared: a label that is dropped
    anyway may differ.
    """
    clips = VerifiedManifest(pool.folder).draw(options.clips, seed)
    reference_labels = Manifest.write(
        _transcribe(reference, checkpoint, clips, out), out / "reference"
    )
    fitted_filters = [filter_.fit(reference_labels) for filter_ in filters]
    reference_texts = {
        label.id: (label.pred_text or "").strip()
        for label in reference_labels
        if not label.error and not any(filter_.objection(label) for filter_ in fitted_filters)
    }
    attempts: list[DecoderAttempt] = []
    for number, candidate in enumerate(candidates):
        transcribed = Manifest.write(candidate.transcribe(checkpoint, clips), out / str(number))
        pairs = [
            (reference_texts[utterance.id], (utterance.pred_text or "").strip())
            for utterance in transcribed
            if utterance.id in reference_texts
        ]
        identical = sum(reference_text == text for reference_text, text in pairs)
        errors = metrics.sum_counts([metrics.count_character_errors(*pair) for pair in pairs])
        attempts.append(DecoderAttempt(candidate.decoding_description(), identical, errors))
        trial = DecoderTrial(
            reference=reference.decoding_description(),
            clips=len(reference_texts),
            limit=options.at_most,
            attempts=tuple(attempts),
        )
        # Decoders come fastest first, so the first that passes is the one to take.
        if trial.chosen is not None:
            break
    return trial.save(out)


def _transcribe(
    recognizer: Recognizer, checkpoint: Checkpoint, speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    for utterance in recognizer.transcribe(checkpoint, _refuse_long(recognizer, speech)):
        if utterance.text is None:
            yield replace(utterance, text=utterance.pred_text, origin="pseudo")
        else:
            yield utterance


def _refuse_long(recognizer: Recognizer, speech: Iterable[Utterance]) -> Iterator[Utterance]:
    """Mark what is too long to be trained on with an error; a scan cuts it if `at_most` says so."""
    longest = recognizer.longest_clip
    for utterance in speech:
        if longest is None or utterance.duration <= longest or utterance.error:
            yield utterance
        else:
            reason = f"{utterance.duration:.1f} s is longer than a label of at most {longest:.0f} s"
            yield replace(utterance, error=f"{reason}; set scan.at_most to that or less")


def _transcribe_new(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    earlier_labels: Manifest,
    speech: Iterable[Utterance],
    out: Path,
) -> Iterator[Utterance]:
    """Carry earlier labels over and transcribe the rest; no model is loaded if there is no rest."""
    offsets = {
        label.id: offset
        for offset, label in earlier_labels.iter_with_offsets()
        if label.origin == "pseudo"
    }
    earlier_round = round_number(earlier_labels.folder.parent)
    remaining_windows = iter_windows(speech)
    with earlier_labels.random_access() as label_at:

        def carry_over(utterance: Utterance) -> Utterance:
            if utterance.error:  # the file is no longer the one that the label belongs to
                return utterance
            label = label_at(offsets[utterance.id])
            return replace(
                label,
                audio_filepath=utterance.audio_filepath,
                offset=utterance.offset,
                speaker=utterance.speaker,
                bandwidth=utterance.bandwidth,
                dnsmos=utterance.dnsmos,
                labeled_in=label.labeled_in or earlier_round,
            )

        for window in remaining_windows:
            if any(utterance.id not in offsets for utterance in window):
                break
            yield from map(carry_over, window)
        else:
            return
        rest, rest_again = tee(chain(window, chain.from_iterable(remaining_windows)))
        # Labeled utterances go along as lines to skip, so that the engine's windows begin at the
        # same lines after a kill.
        to_transcribe = (
            replace(utterance, skip=True) if utterance.id in offsets else utterance
            for utterance in rest_again
        )
        transcribed = _transcribe(recognizer, checkpoint, to_transcribe, out)
        for utterance, answer in zip(rest, transcribed, strict=True):
            yield carry_over(utterance) if utterance.id in offsets else answer


def _align(
    recognizer: Recognizer, checkpoint: Checkpoint, speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    return recognizer.align(checkpoint, speech)
