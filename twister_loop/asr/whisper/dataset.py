"""Training data of Whisper: the steps of a training, and their clips and labels as tensors."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from ...audio.augmentation import load_audio
from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import AudioError
from ...core.manifest import Manifest
from ...core.types import Seconds
from .._training.batching import make_length_batches, prefetch, steps_per_epoch
from .._training.spec_augment import mask_features
from .labels import Example, decoder_tokens
from .memory import MAX_SECONDS_PER_PASS
from .model import Whisper
from .model_folder import POSITION_SECONDS, WINDOW_LENGTH
from .options import WhisperOptions

log = logging.getLogger(__name__)

SAMPLES_PER_FRAME = 160
"""Hop of the log-mel features: 10 ms at 16 kHz."""
POSITIONS_MULTIPLE = 25
"""The encoder's length is a multiple of this (0.5 s), so that batches share their shapes, for which
kernels are prepared once."""
IGNORE_INDEX = -100
"""Label of positions that have no loss (the prompt, padding), as in PyTorch's cross entropy."""


@dataclass(frozen=True)
class Step:
    """One update of the weights, and the examples that it is computed from."""

    number: int
    """Number from 1."""
    epoch: int
    """Number from 1."""
    ends_epoch: bool
    batches: list[list[Example]]
    """As many as gradients are accumulated over; fewer in the last step of an epoch."""
    margins: list[Seconds]
    """Silence after the clips of each batch, drawn anew for every batch."""
    seed: tuple[int, int] = (0, 0)
    """Seed of the masks of SpecAugment: the seed of the training, and the step."""


class Batch(NamedTuple):
    """Tensors of one forward pass, on the device of the model."""

    features: torch.Tensor
    """Log-mel features, (batch, mels, frames), in the precision of the model."""
    inputs: torch.Tensor
    """Input tokens of the decoder, int64 (batch, tokens), padded with the end token."""
    labels: torch.Tensor
    """Next token at every position, int64 (batch, tokens), or `IGNORE_INDEX`."""
    loss_weights: torch.Tensor
    """Weight of each token in the loss, float32 (batch,), by the origin of the utterance."""


def plan_steps(
    examples: Sequence[Example], options: WhisperOptions, total_steps: int, seed: int
) -> Iterator[Step]:
    """Yield all steps of a training.

    The order of an epoch depends only on the seed and on the epoch's number, so a training that
    was killed resumes with the same steps.
    """
    epoch_steps = steps_per_epoch(len(examples), options.batch, options.accumulate)
    for number in range(1, total_steps + 1):
        step_of_epoch = (number - 1) % epoch_steps
        epoch = (number - 1) // epoch_steps + 1
        if step_of_epoch == 0:
            rng = np.random.default_rng([seed, epoch])
            # A generator of its own: `timestamps` or `previous_text` leave the order as it is.
            epoch_examples = _draw_label_forms(examples, options, [seed, epoch, 1])
            epoch_batches = iter(make_length_batches(epoch_examples, options.batch, rng))
        batches = list(islice(epoch_batches, options.accumulate))
        yield Step(
            number=number,
            epoch=epoch,
            ends_epoch=number == total_steps or step_of_epoch + 1 == epoch_steps,
            batches=batches,
            # One margin a batch: all clips of a batch are padded to the same length.
            margins=[_draw_margin(options, rng) for _ in batches],
            seed=(seed, number),
        )


def prefetch_batches(
    whisper: Whisper, training_set: Manifest, steps: Iterable[Step], options: WhisperOptions
) -> Iterator[tuple[Step, list[Batch]]]:
    """Yield every step with its batches, which are loaded while the step before is computed.

    A step may have more batches here than in the plan, since long ones are split into passes, or
    fewer, if no clip of a pass can be read.
    """

    def load(step: Step) -> tuple[Step, list[Batch]]:
        # A generator for each step, so that a resumed training draws the same masks.
        rng = np.random.default_rng(step.seed)
        batches = (
            collate(
                whisper,
                load_examples(training_set, step.epoch, pass_examples),
                margin=margin,
                options=options,
                rng=rng,
            )
            for examples, margin in zip(step.batches, step.margins, strict=True)
            for pass_examples in split_into_passes(examples, margin)
        )
        return step, [batch for batch in batches if batch is not None]

    return prefetch(steps, load)


def split_into_passes(examples: Sequence[Example], margin: Seconds) -> Iterator[Sequence[Example]]:
    """Split a batch of long clips into forward passes that fit into memory.

    Their gradients are summed, so the update is the same.
    """
    # Every clip of a pass takes as much memory as the longest.
    longest = max(example.utterance.duration for example in examples) + margin
    pass_size = max(1, int(MAX_SECONDS_PER_PASS / min(longest, WINDOW_LENGTH)))
    for first in range(0, len(examples), pass_size):
        yield examples[first : first + pass_size]


def load_examples(
    training_set: Manifest, epoch: int, examples: Sequence[Example]
) -> list[tuple[Example, Samples]]:
    """Load the clips of examples, augmented for this epoch if the training set is.

    Clips that cannot be read are left out, with a warning.

    Returns:
        Examples, whose times are those of the augmented audio, with samples, float32 (samples,).
    """
    loaded = []
    for example in examples:
        try:
            utterance, samples = load_audio(training_set, example.utterance, epoch, example.copy)
            bounds = _find_speech_bounds(example, samples)
            example = replace(example, utterance=utterance, speech_bounds=bounds)
            loaded.append((example, samples))
        except AudioError as error:
            # A training of hours does not end because one file was deleted or damaged meanwhile.
            log.warning("skipping %s in training: %s", example.utterance.id, error)
    return loaded


def _find_speech_bounds(example: Example, samples: Samples) -> tuple[Seconds, Seconds] | None:
    """Return where the speech of a clip begins and ends, if its label wants that and lacks it."""
    utterance = example.utterance
    has_times = utterance.pieces or utterance.words or utterance.speechless
    if not example.with_timestamps or has_times:
        return None
    # Imported here, because most trainings need no voice activity detection.
    from ...audio.vad import find_bounds

    return find_bounds(samples)


def collate(
    whisper: Whisper,
    loaded: Sequence[tuple[Example, Samples]],
    *,
    margin: Seconds,
    options: WhisperOptions,
    rng: np.random.Generator,
) -> Batch | None:
    """Return the tensors of a batch, or None for an empty one.

    Args:
        whisper: the model, whose feature extractor and tokenizer are used.
        loaded: examples with their samples, float32 (samples,) at 16 kHz.
        margin: silence after the longest clip, in seconds.
        options: for SpecAugment and the weights of the loss.
        rng: draws the masks of SpecAugment.
    """
    if not loaded:
        return None
    clips, inputs, labels, loss_weights = [], [], [], []
    for example, samples in loaded:
        clips.append(samples)
        prompt, tokens = decoder_tokens(whisper, example)
        inputs.append([*prompt, *tokens])
        # The label of a position is the token after it. The prompt is given, not learned, except
        # that its last position predicts the first token of the text.
        ignored = [IGNORE_INDEX] * (len(prompt) - 1)
        labels.append([*ignored, *tokens, whisper.end_token])
        loss_weights.append(options.loss_weights.get(example.utterance.origin, 1.0))
    features = whisper.extract_features(clips, batch_context(clips, margin))
    if options.spec_augment:
        # Masks lie within the clips: the margin is silence anyway.
        features = mask_features(features, [len(clip) // SAMPLES_PER_FRAME for clip in clips], rng)
    return Batch(
        features=features,
        # Padding comes after the text, where causal attention ignores it: any token would do.
        inputs=_pad(inputs, whisper.end_token).to(whisper.device),
        labels=_pad(labels, IGNORE_INDEX).to(whisper.device),
        loss_weights=torch.tensor(loss_weights, device=whisper.device),
    )


def batch_context(clips: Sequence[Samples], margin: Seconds) -> Seconds:
    """Return the length of audio that the encoder gets of every clip of a batch in training.

    It is that of the longest clip and the margin. Decoding gives each clip a context of its own.

    >>> batch_context([np.zeros(16_000), np.zeros(20_000)], margin=1.0)
    2.5
    """
    longest = max(map(len, clips)) / SAMPLE_RATE + margin
    return math.ceil(longest / POSITION_SECONDS / POSITIONS_MULTIPLE) * (
        POSITIONS_MULTIPLE * POSITION_SECONDS
    )


def _draw_label_forms(
    examples: Sequence[Example], options: WhisperOptions, seed: Sequence[int]
) -> list[Example]:
    """Draw which labels have timestamps, and which prompts previous text, in one epoch."""
    if not (options.timestamps or options.previous_text):
        return list(examples)
    draws = np.random.default_rng(seed).random((len(examples), 2))
    return [
        replace(
            example,
            with_timestamps=bool(example.sentence_tokens) and first < options.timestamps,
            with_previous_text=bool(example.previous_text_tokens)
            and second < options.previous_text,
        )
        for example, (first, second) in zip(examples, draws.tolist(), strict=True)
    ]


def _draw_margin(options: WhisperOptions, rng: np.random.Generator) -> Seconds:
    """Draw a margin from the range of the options, or now and then the full window."""
    is_full_window = rng.random() < options.full_windows
    return WINDOW_LENGTH if is_full_window else float(rng.uniform(*options.margins))


def _pad(rows: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
    """Return the rows as one tensor, int64 (batch, longest row)."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows])
