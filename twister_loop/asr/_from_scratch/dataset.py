"""Training examples of models that are trained from scratch, their order, and their batches."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...audio.augmentation import load_audio
from ...audio.io import SAMPLE_RATE
from ...core.errors import AudioError, EngineError
from ...core.manifest import Manifest
from ...core.types import Utterance
from .._training.batching import make_length_batches, prefetch
from .architecture import ScratchArchitecture
from .ctc import frames_needed
from .feature_kinds import HOP
from .features import check_samples, extract_features, pad_features
from .loaded_model import LoadedModel, device

log = logging.getLogger(__name__)

MAX_SUBSAMPLING = 4
"""Largest factor by which any of the models reduces the frames of 10 ms."""


@dataclass(frozen=True)
class Example:
    """An utterance and the tokens of its text."""

    utterance: Utterance
    tokens: list[int]
    copy: int
    """Number of the copy, from 1, where the training set has the same utterance several times;
    each copy is augmented differently."""


@dataclass(frozen=True)
class Step:
    """One update of the weights."""

    number: int
    """Number from 1."""
    epoch: int
    """Number from 1."""
    ends_epoch: bool
    batches: list[list[Example]]
    """A single batch: these models do not accumulate gradients."""


@dataclass(frozen=True)
class Batch:
    """Features and labels of some clips."""

    features: torch.Tensor
    """(batch, frames, feature size)"""
    lengths: torch.Tensor
    """(batch,), in frames"""
    texts: list[torch.Tensor]
    """Tokens of every clip, (tokens,)."""


def read_labeled_speech(options: ScratchArchitecture, training_set: Manifest) -> list[Utterance]:
    """Return the utterances that have a text, or no speech, and are short enough; log the rest."""
    labeled, left_out = [], 0
    for utterance in training_set:
        has_label = utterance.speechless or bool((utterance.text or "").strip())
        if has_label and not utterance.error and utterance.duration <= options.longest:
            labeled.append(utterance)
        else:
            left_out += 1
    if left_out:
        log.warning(
            "%d utterances of the training set are left out: without text, or longer than %g s",
            left_out, options.longest,
        )  # fmt: skip
    return labeled


def build_examples(model: LoadedModel, speech: Iterable[Utterance]) -> list[Example]:
    """Return utterances with their tokens; those that cannot be trained on are counted and logged.

    Raises:
        EngineError: no utterance is left.
    """
    examples: list[Example] = []
    copies, left_out = Counter[str](), Counter[str]()
    unknown_symbols = 0
    for utterance in speech:
        text = model.options.normalize_text(utterance.text or "", utterance.lang)
        unknown_symbols += model.tokenizer.count_unknown(text)
        tokens = model.tokenizer.encode(text)
        # From the duration in the manifest: audio is first read when training comes to it.
        frames = utterance.duration * SAMPLE_RATE / HOP
        if not tokens and not utterance.speechless:
            left_out["the text is empty after normalization"] += 1
        # CTC needs a frame for every token, or the loss of the clip is infinite.
        elif MAX_SUBSAMPLING * frames_needed(tokens) > frames:
            left_out["the text is too long for the audio"] += 1
        else:
            copies[utterance.id] += 1
            examples.append(Example(utterance, tokens, copy=copies[utterance.id]))
    if unknown_symbols:
        log.warning(
            "%d characters of the training set are not in the vocabulary and cannot be learned",
            unknown_symbols,
        )
    for reason, count in sorted(left_out.items()):
        log.warning("%d utterances of the training set are left out: %s", count, reason)
    if not examples:
        raise EngineError(
            "the training set has no utterance to train on; a recognizer that is trained from "
            "scratch needs transcribed speech (`human` in the plan), since it cannot pseudo-label "
            "any before its first training"
        )
    return examples


def plan_steps(
    examples: Sequence[Example], batch: int, total_steps: int, seed: int
) -> Iterator[Step]:
    """Yield all steps of a training.

    The order of an epoch depends on the seed and the number of the epoch alone, so that a resumed
    training can repeat it.
    """
    number, epoch = 0, 0
    while number < total_steps:
        epoch += 1
        rng = np.random.default_rng([seed, epoch])
        # `max_steps` may end the training within an epoch.
        batches = make_length_batches(examples, batch, rng)[: total_steps - number]
        for place, group in enumerate(batches, 1):
            number += 1
            yield Step(number, epoch, ends_epoch=place == len(batches), batches=[group])


def load_batches(
    options: ScratchArchitecture, training_set: Manifest, steps: Iterable[Step]
) -> Iterator[tuple[Step, list[Batch]]]:
    """Yield every step with its batch, read in the background; none if no clip can be read."""

    # Augmentation and features are computed in the background too, not only reading.
    def load(step: Step) -> tuple[Step, list[Batch]]:
        batches = (_load_batch(options, training_set, step.epoch, group) for group in step.batches)
        return step, [batch for batch in batches if batch]

    return prefetch(steps, load)


def _load_batch(
    options: ScratchArchitecture, training_set: Manifest, epoch: int, group: Sequence[Example]
) -> Batch | None:
    clips, texts = [], []
    for example in group:
        try:
            augmented = load_audio(training_set, example.utterance, epoch, example.copy)
            samples = check_samples(*augmented)
        except AudioError as error:
            # One bad file must not end a training of days.
            log.warning("skipping %s in training: %s", example.utterance.id, error)
            continue
        clips.append(extract_features(samples, options.features, options.mels))
        # Named, since the label of a clip without speech is an empty list, which has no type.
        texts.append(torch.tensor(example.tokens, dtype=torch.long, device=device()))
    if not clips:
        return None
    features, lengths = pad_features(clips)
    return Batch(features.to(device()), lengths.to(device()), texts)
