"""Fine-tuning of Whisper: its loss, its weights and their precision; the loop is shared."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import WhisperForConditionalGeneration

from ...core.errors import EngineError
from ...core.manifest import Manifest
from ...core.types import Checkpoint, ErrorCount, Utterance
from ...evaluation import metrics
from ...evaluation.measures import choose_measure
from .._precision import resolve_dtype
from .._training import distributed
from .._training.averaging import RunningMean
from .._training.batching import steps_per_epoch
from .._training.checkpointing import trainable_state
from .._training.determinism import deterministic_algorithms
from .._training.early_stopping import EarlyStopping
from .._training.schedule import LinearSchedule
from .._training.trainer import Trainer, build_adamw
from . import transcription
from .dataset import IGNORE_INDEX, Batch, Step, plan_steps, prefetch_batches
from .labels import build_examples
from .learning_rate import peak_learning_rate
from .lora import add_lora_adapters
from .model import Whisper
from .model_folder import NO_TIMESTAMPS, UNTRAINED_MARGIN, weights_folder
from .options import WhisperOptions

log = logging.getLogger(__name__)


def train(
    options: WhisperOptions,
    start: Checkpoint,
    training_set: Manifest,
    out: Path,
    seed: int,
    early_stopping_speech: Manifest | None = None,
) -> Checkpoint:
    """Fine-tune `start` on the training set, and write a transformers folder to `out`.

    Args:
        options: those of the recognizer; with several `processes` each calls this function again.
        start: the checkpoint to begin with.
        training_set: labeled speech.
        out: output folder; a training that was killed there is resumed.
        seed: of the order of the clips, of their margins and of dropout.
        early_stopping_speech: the development set that the option `stop` names, if there is one.

    Raises:
        EngineError: the loss is not finite, memory is full, or no utterance can be used.
    """
    # Each of the processes calls this function again, and then trains below.
    if options.processes > 1 and not distributed.is_distributed():
        arguments = (options, start, training_set, out, seed, early_stopping_speech)
        distributed.launch(train, arguments, processes=options.processes, out=out)
        return Checkpoint("whisper", out)
    # The caller's random state is restored at the end: training draws for itself alone.
    with torch.random.fork_rng(), deterministic_algorithms():
        torch.manual_seed(seed)
        # Weights that learn are float32, or small updates would be lost to rounding; under LoRA
        # the model itself is frozen, and may take half of the memory.
        dtype = resolve_dtype(options.precision) if options.lora else torch.float32
        whisper = Whisper.load(weights_folder(start), dtype)
        margin = whisper.effective_margin(UNTRAINED_MARGIN)
        if options.timestamps and not whisper.has_timestamps:
            log.warning("%s: the labels of this training have none", NO_TIMESTAMPS)
            options = replace(options, timestamps=0.0)
        labeled = build_examples(whisper, training_set, margin, options.batch)
        if any(example.utterance.speechless for example in labeled):
            allow_empty_texts(whisper)
        epoch_steps = steps_per_epoch(len(labeled), options.batch, options.accumulate)
        total_steps = options.count_epochs(epoch_steps) * epoch_steps
        total_steps = min(total_steps, options.max_steps or total_steps)
        log.info("training on %d utterances for %d steps", len(labeled), total_steps)
        trainer = build_trainer(
            options,
            whisper,
            out,
            total_steps=total_steps,
            epochs=math.ceil(total_steps / epoch_steps),
        )
        if options.stop:
            assert early_stopping_speech, f"no speech of the development set {options.stop.set}"
            trainer.early_stopping = build_early_stopping(
                options, whisper, early_stopping_speech, total_steps
            )
        trainer.resume()
        remaining = (
            step
            for step in plan_steps(labeled, options, total_steps, seed)
            if step.number > trainer.completed_steps
        )
        try:
            trainer.run(prefetch_batches(whisper, training_set, shard_steps(remaining), options))
        except torch.OutOfMemoryError as cause:
            raise EngineError(
                f"{out}: out of memory; use a smaller `batch` and a larger `accumulate`, or set "
                "`checkpointing: true`"
            ) from cause
        trainer.finish(lambda: write_final_weights(options, whisper, start, out))
    return Checkpoint("whisper", out)


def allow_empty_texts(whisper: Whisper) -> None:
    """Let decoding write an empty text: take the end from the tokens that may not come first.

    Whisper was not trained to end without a text, so its configuration forbids it, and a clip
    without speech gets some word. A model that learned it keeps the permission in
    `generation_config.json`, which other tools read too.
    """
    config = whisper.generation_config
    forbidden = [
        token for token in config.begin_suppress_tokens or [] if token != whisper.end_token
    ]
    config.begin_suppress_tokens = forbidden or None


def build_trainer(
    options: WhisperOptions, whisper: Whisper, out: Path, *, total_steps: int, epochs: int
) -> Trainer[Batch]:
    """Return a trainer of the loaded model, which is changed in place: adapted, frozen, ..."""
    model = whisper.model.train()
    # The option `spec_augment` masks features by a generator of its own, which resuming repeats.
    model.config.apply_spec_augment = False
    if options.checkpointing:
        # The reentrant kind gives no gradients if the inputs of a layer need none, as with a frozen
        # encoder or with adapters.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if options.lora:
        add_lora_adapters(model, options.lora, options.freeze_encoder)
    elif options.freeze_encoder:
        model.model.encoder.requires_grad_(False)
    peak, reason = peak_learning_rate(options, whisper.config)
    log.info("peak learning rate %g: %s", peak, reason)
    dtype = resolve_dtype(options.precision)
    return Trainer(
        name="whisper",
        model=model,
        # Fused: one pass over all weights. The models trained from scratch keep PyTorch's default,
        # since the two round differently.
        optimizer=build_adamw(model, options.weight_decay, fused=True),
        schedule=LinearSchedule(peak, options.warmup, total_steps),
        epochs=epochs,
        options=options,
        out=out,
        loss=lambda batch: compute_loss(whisper, batch, dtype),
        loss_weight=lambda batch: float(token_weights(batch).sum()),
        write_weights=lambda folder: write_weights(options, whisper, model, folder),
        average=RunningMean() if options.average else None,
    )


def build_early_stopping(
    options: WhisperOptions, whisper: Whisper, speech: Manifest, total_steps: int
) -> EarlyStopping:
    """Return early stopping on the development set that the option `stop` names."""
    assert options.stop
    return EarlyStopping(
        set_name=options.stop.set,
        patience=options.stop.patience,
        every=options.stop.every,
        total_steps=total_steps,
        count_errors=lambda: count_errors(options, whisper, speech),
        measure=choose_measure(speech),
    )


def shard_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield every step with this process's share of its batches, and their margins."""
    for step in steps:
        batches, margins = distributed.shard(step.batches), distributed.shard(step.margins)
        yield replace(step, batches=list(batches), margins=list(margins))


def compute_loss(whisper: Whisper, batch: Batch, dtype: torch.dtype) -> torch.Tensor:
    """Return the weighted sum of the negative log-likelihoods of all tokens to learn, in nats."""
    is_learned = batch.labels != IGNORE_INDEX
    device = whisper.device.type
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        encoded = whisper.encode(batch.features)
        hidden = whisper.model.model.decoder(
            input_ids=batch.inputs, encoder_hidden_states=encoded, use_cache=False
        ).last_hidden_state
        # Only positions that are learned are projected: the logits of all (over 50,000 tokens)
        # take more memory than anything else.
        logits = whisper.model.proj_out(hidden[is_learned])  # (tokens to learn, vocabulary)
    losses = cross_entropy(logits.float(), batch.labels[is_learned], reduction="none")
    return (losses * token_weights(batch)).sum()


def token_weights(batch: Batch) -> torch.Tensor:
    """Return the weight of every token to learn, (tokens to learn,)."""
    return batch.loss_weights.repeat_interleave((batch.labels != IGNORE_INDEX).sum(1))


def count_errors(options: WhisperOptions, whisper: Whisper, speech: Manifest) -> tuple[int, int]:
    """Return the errors on a development set with the current weights, and its length.

    Both are counted by the measure of the set. With several processes each transcribes its share,
    and all return the sum.
    """
    own_share: list[Utterance] = list(distributed.shard(list(speech)))
    saved = _as_if_saved(options, whisper)
    total, measure = ErrorCount(), choose_measure(speech)
    for utterance in transcription.transcribe(options, saved, own_share):
        total += metrics.count_utterance_errors(utterance, measure)
    errors = distributed.all_reduce_sum(total.errors, whisper.device)
    length = distributed.all_reduce_sum(total.length, whisper.device)
    return round(errors), round(length)


def write_final_weights(
    options: WhisperOptions, whisper: Whisper, start: Checkpoint, out: Path
) -> None:
    """Write the trained model, with its adapters merged."""
    model = merge_adapters(options, whisper, start) if options.lora else whisper.model
    write_weights(options, whisper, model, out)


def write_weights(
    options: WhisperOptions, whisper: Whisper, model: WhisperForConditionalGeneration, folder: Path
) -> None:
    """Write the model as it is, with its processor, in the format of transformers."""
    model.config.trained_margin = min(options.margins[0], UNTRAINED_MARGIN)
    # Adapters are merged into a model of its own, which has not learned to write empty texts.
    model.generation_config = whisper.generation_config
    model.save_pretrained(folder)
    whisper.processor.save_pretrained(folder)


def merge_adapters(
    options: WhisperOptions, whisper: Whisper, start: Checkpoint
) -> WhisperForConditionalGeneration:
    """Return the model at the start with the trained adapters added to its weights, in float32.

    The start is loaded again: the frozen weights may have been rounded for training.
    """
    adapters = trainable_state(whisper.model)
    model = Whisper.load(weights_folder(start), torch.float32).model
    adapted = add_lora_adapters(model, options.lora, options.freeze_encoder)
    model.load_state_dict(adapters, strict=False)
    adapted.merge_and_unload()
    return model


def _as_if_saved(options: WhisperOptions, whisper: Whisper) -> Whisper:
    """Return a copy that transcribes as the weights would after saving and loading.

    So the errors are those that the gates would count: same precision, same least margin. A copy,
    because training goes on in float32 with the original.
    """
    model = copy.deepcopy(whisper.model).to(resolve_dtype(options.precision)).eval()
    model.config.trained_margin = min(options.margins[0], UNTRAINED_MARGIN)
    return replace(whisper, model=model, config=model.config)
