"""Training of models that start from random weights, or continue from a checkpoint.

A training that is killed and resumed ends with the same bytes on a CPU; on a GPU the gradient of
CTC is summed in no fixed order.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import torch

from ...core.errors import EngineError
from ...core.manifest import Manifest
from ...core.types import Checkpoint, Utterance
from .._training.averaging import ExactMean
from .._training.batching import steps_per_epoch
from .._training.determinism import deterministic_algorithms
from .._training.schedule import LinearSchedule
from .._training.trainer import Trainer, build_adamw
from .architecture import ScratchArchitecture
from .dataset import Batch, build_examples, load_batches, plan_steps, read_labeled_speech
from .loaded_model import LoadedModel, device, load
from .tokenizer import Tokenizer

log = logging.getLogger(__name__)


def train(
    options: ScratchArchitecture, start: Checkpoint, training_set: Manifest, out: Path, seed: int
) -> Checkpoint:
    """Train on the training set, and write the weights and the vocabulary to `out`.

    Args:
        options: those of the recognizer; a trained `start` overrules its architecture.
        start: an untrained checkpoint, or one that this recognizer has trained.
        training_set: labeled speech.
        out: output folder; a training that was killed there is resumed.
        seed: of the order of the clips and of dropout; the weights are drawn from `options.seed`.

    Raises:
        EngineError: the loss is not finite, memory is full, or no utterance can be used.
    """
    # The caller's random state is restored at the end: training draws for itself alone.
    with torch.random.fork_rng(), deterministic_algorithms():
        # An untrained start has neither vocabulary nor weights; both come from the training set.
        model = load(options, start)
        speech = read_labeled_speech(model.options if model else options, training_set)
        if model is None:
            model = initialize(options, speech)
        torch.manual_seed(seed)
        # The architecture of a trained start overrules that of the plan.
        options = model.options
        examples = build_examples(model, speech)
        epoch_steps = steps_per_epoch(len(examples), options.batch)
        total_steps = options.epochs * epoch_steps
        total_steps = min(total_steps, options.max_steps or total_steps)
        size = sum(weight.numel() for weight in model.network.parameters())
        log.info(
            "training on %d utterances for %d steps: vocabulary of %d tokens, %.2f M parameters",
            len(examples), total_steps, len(model.tokenizer), size / 1e6,
        )  # fmt: skip
        trainer = build_trainer(
            model, out, total_steps, epochs=math.ceil(total_steps / epoch_steps)
        )
        trainer.resume()
        steps = plan_steps(examples, options.batch, total_steps, seed)
        remaining = (step for step in steps if step.number > trainer.completed_steps)
        try:
            trainer.run(load_batches(options, training_set, remaining))
        except torch.OutOfMemoryError as cause:
            raise EngineError(f"{out}: out of memory; use a smaller `batch`") from cause
        trainer.finish(lambda: options.save(model.network, model.tokenizer, out))
    return Checkpoint(options.name, out)


def initialize(options: ScratchArchitecture, speech: Iterable[Utterance]) -> LoadedModel:
    """Return a model with random weights, and the vocabulary of some labeled speech."""
    texts = [options.normalize_text(clip.text or "", clip.lang) for clip in speech]
    tokenizer = Tokenizer.train(options.unit, texts, options.subwords)
    # A seed of its own: the weights at the start are part of the checkpoint that a round begins
    # with, and do not change with the seed of the round.
    torch.manual_seed(options.seed)
    network = options.build_network(len(tokenizer)).to(device())
    return LoadedModel(options, tokenizer, network)


def build_trainer(model: LoadedModel, out: Path, total_steps: int, epochs: int) -> Trainer[Batch]:
    """Return a trainer of the model, which is put in training mode."""
    options, network = model.options, model.network.train()
    return Trainer(
        name=options.name,
        model=network,
        optimizer=build_adamw(network, options.weight_decay),
        schedule=LinearSchedule(options.learning_rate, options.warmup, total_steps),
        epochs=epochs,
        options=options,
        out=out,
        loss=lambda batch: options.compute_loss(
            network, batch.features, batch.lengths, batch.texts
        ),
        loss_weight=lambda batch: sum(map(len, batch.texts)),
        write_weights=lambda folder: options.save(network, model.tokenizer, folder),
        # The mean of one epoch would only be a copy of the last weights.
        average=ExactMean() if options.average > 1 else None,
    )
