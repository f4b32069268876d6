"""Mean of the weights of several trainings of Whisper, moved towards the untouched weights.

The mean of trainings that began at the same pretrained weights is often better than each of them
and decodes at the price of one (model soups, arXiv 2203.05482); moved towards the weights at the
beginning, it forgets less of what they could do (WiSE-FT, arXiv 2109.01903). Whisper has no batch
norm, so there are no statistics to compute again: its parameters are all that is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ...core.errors import EngineError
from ...core.types import Checkpoint, Seconds
from .._training.averaging import ExactMean
from .model import Whisper
from .model_folder import weights_folder
from .published import describe_model


def average_weights(
    trained: Sequence[Checkpoint], untouched: Checkpoint, interpolate: float, out: Path
) -> Checkpoint:
    """Write the mean of trained weights, moved towards untouched ones, to a transformers folder.

    Args:
        trained: trainings on one training set, so that all have the same special tokens.
        untouched: weights that the run began with.
        interpolate: share of the way from the untouched weights (0) to the mean (1), above 0.
        out: folder for the weights, float32.

    Raises:
        EngineError: the models differ in size, or a folder holds no Whisper.
    """
    if interpolate < 1 and describe_model(untouched).sizes != describe_model(trained[0]).sizes:
        raise EngineError(
            f"{weights_folder(trained[0])} has weights of other sizes than the untouched model "
            f"{weights_folder(untouched)}, so nothing lies between them; set `interpolate: 1`, "
            "or name the model in `asr` that the run began with"
        )
    mean = ExactMean()
    margins = [_add(mean, checkpoint) for checkpoint in trained]
    if interpolate < 1:
        # So that the trained weights make up `interpolate` of the whole.
        _add(mean, untouched, share=len(trained) * (1 - interpolate) / interpolate)
    whisper = _load(trained[0])
    # The mean can be decoded with a margin that all of them have learned.
    whisper.model.config.trained_margin = max(margins)
    return save_mean(whisper, mean, out)


def save_mean(whisper: Whisper, mean: ExactMean, out: Path) -> Checkpoint:
    """Write a mean of weights to a transformers folder, all else as in `whisper`."""
    whisper.model.load_state_dict(mean.mean(), strict=False)  # the second name of tied weights
    # What decoding may write, such as an empty text, is in there; saving the model leaves it out.
    whisper.model.generation_config = whisper.generation_config
    whisper.model.save_pretrained(out)
    whisper.processor.save_pretrained(out)
    return Checkpoint("whisper", out)


def _add(mean: ExactMean, checkpoint: Checkpoint, share: float = 1.0) -> Seconds:
    """Add the weights of a checkpoint to a mean, and return its least margin."""
    # One model at a time: with the sums this takes the memory of a training, and no more.
    whisper = _load(checkpoint)
    # Parameters and not the file's tensors: a tied weight is listed once.
    mean.update(dict(whisper.model.named_parameters()), share)
    return whisper.effective_margin(0)


def _load(checkpoint: Checkpoint) -> Whisper:
    return Whisper.load(weights_folder(checkpoint), torch.float32)
