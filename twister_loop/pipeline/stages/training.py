"""The stages that fine-tune a recognizer, and average its trainings: they make the candidate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...asr._base import Recognizer
from ...audio.augmentation import Augmentation, AugmentedDataset
from ...core.artifacts import stage
from ...core.errors import ConfigError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.types import Checkpoint
from ...evaluation.outcomes import HeldOutSet
from .evaluation import check_held_out_files


@stage(version=2)
def fine_tune(
    recognizer: Recognizer,
    start: Checkpoint,
    training_set: Manifest,
    seed: int,
    augmentation: Augmentation | None = None,
    early_stopping_speech: Manifest | None = None,
    *,
    out: Path,
) -> Checkpoint:
    """Fine-tune a recognizer.

    Args:
        recognizer: The engine with its training options.
        start: The weights to start from.
        training_set: Transcribed speech.
        seed: Decides every random draw.
        augmentation: Effects that are drawn anew whenever an utterance is read; None for none.
        early_stopping_speech: The development set on which training may end early.
        out: Folder of the new weights.

    Raises:
        ConfigError: The training set is empty.
        StaleError: A file of the early-stopping set changed since it was listed.
    """
    if not len(training_set):
        raise ConfigError(
            f"{training_set.path}: there is nothing to train on, because every utterance was "
            "rejected; the rejected/ folders of this round give the reasons"
        )
    if early_stopping_speech:
        name = recognizer.early_stopping_set or "stop"
        check_held_out_files({name: HeldOutSet("development", early_stopping_speech)})
    folder = training_set.folder
    dataset = (
        AugmentedDataset(folder, augmentation, seed) if augmentation else VerifiedManifest(folder)
    )
    return recognizer.train(start, dataset, out, seed, early_stopping_speech).save(out)


@stage(version=1)
def average_weights(
    recognizer: Recognizer,
    trained: Sequence[Checkpoint],
    untouched: Checkpoint,
    interpolate: float,
    *,
    out: Path,
) -> Checkpoint:
    """Average the weights of several trainings, and move them towards the untouched weights.

    Args:
        recognizer: The engine of the weights.
        trained: Trainings from one start on one training set, one or more.
        untouched: The weights that the run began with.
        interpolate: Share of the way from the untouched weights (0) to the mean (1).
        out: Folder of the new weights.
    """
    return recognizer.average_weights(trained, untouched, interpolate, out).save(out)
