"""Fine-tuning: a plain loop that can be killed at any moment, and goes on to the same weights."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ...core import schema
from ...core.artifacts import read_json
from ...core.errors import EngineError
from ...core.manifest import Manifest
from ...core.progress import progress
from ...core.types import Checkpoint
from .._precision import resolve_dtype
from . import distributed as together
from . import memory
from .dataset import IGNORED, Batch, Step, examples, loaded, steps, steps_per_epoch
from .early_stopping import Watch
from .learning_rate import learning_rate
from .lora import adapt
from .model import UNTRAINED_MARGIN, Whisper, folder_of
from .options import WhisperOptions
from .weights import weight_files

log = logging.getLogger(__name__)

LOG = "training.jsonl"
"""A line for every step; it holds no times, so it repeats itself exactly."""


@dataclass(frozen=True)
class Line:
    """One line of the log."""

    step: int
    epoch: int
    loss: float
    """Nats for a token, averaged over the step."""
    learning_rate: float


def train(
    options: WhisperOptions,
    start: Checkpoint,
    lesson: Manifest,
    out: Path,
    seed: int,
    watched: Manifest | None = None,
) -> Checkpoint:
    """Fine-tune `start` on the lesson, and leave a transformers folder in `out`.

    Raises:
        EngineError: the loss is not finite, memory is full, or there is nothing to learn from.
    """
    if options.processes > 1 and not together.joined():
        together.launch(options, out, start, lesson, out, seed, watched)
        return Checkpoint("whisper", out)
    with torch.random.fork_rng(), repeatable():
        torch.manual_seed(seed)
        frozen = resolve_dtype(options.precision) if options.lora else torch.float32
        whisper = Whisper.load(folder_of(start), frozen)
        margin = whisper.effective_margin(UNTRAINED_MARGIN)
        if options.timestamps:
            _ = whisper.first_timestamp  # says so where it has none
        taught = examples(whisper, lesson, margin, options.batch)
        in_epoch = steps_per_epoch(len(taught), options.batch, options.accumulate)
        total = min(options.epochs * in_epoch, options.max_steps or options.epochs * in_epoch)
        log.info("%d utterances, %d steps of training", len(taught), total)
        todo = steps(taught, options, total, seed)
        trainer = Trainer(options, whisper, out, total, epochs=math.ceil(total / in_epoch))
        if options.stop:
            assert watched, f"the speech of {options.stop.set}"
            trainer.watch = Watch(options, options.stop, watched, total)
        trainer.resume()
        try:
            trainer.run(lesson, todo)
        except torch.OutOfMemoryError as cause:
            raise EngineError(
                f"{out}: out of memory; take a smaller `batch` and more `accumulate`"
            ) from cause
        trainer.finish(start)
    return Checkpoint("whisper", out)


def weights_of(batch: Batch) -> torch.Tensor:
    """(tokens to learn,): how much each counts."""
    return batch.weights.repeat_interleave((batch.labels != IGNORED).sum(1))


@contextmanager
def repeatable() -> Iterator[None]:
    """Have sums end alike every time, so that a resumed training ends in the same bytes.

    Gradients of tables (the decoder's positions) are else summed in the order in which threads
    arrive; and unless the number of threads is said, MKL may take fewer for small sums.
    """
    settings: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled()
    filling = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False  # costs time, and changes nothing here
    torch.set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = filling


def disk(options: WhisperOptions, base: Checkpoint) -> int:
    """Bytes at the peak: the weights, and two states for going on, one being written."""
    stored = sum(path.stat().st_size for path in weight_files(folder_of(base)))
    dtype = read_json(folder_of(base) / "config.json").get("dtype", "float32")
    weights = stored * (2 if dtype in {"float16", "bfloat16"} else 1)
    learned = weights * (memory.ADAPTED if options.lora else 1)
    copies = 4 if options.average or options.stop else 3  # AdamW's two moments are among them
    state = round(learned * copies)
    kept = weights * options.epochs if options.keep_epochs else 0
    return weights + 2 * state + kept


class Trainer:
    """The weights on their way, and all that is needed to go on with them."""

    def __init__(
        self, options: WhisperOptions, whisper: Whisper, out: Path, total: int, epochs: int
    ) -> None:
        self.options, self.whisper, self.out = options, whisper, out
        self.total, self.epochs = total, epochs
        self.model = whisper.model.train()
        self.model.config.apply_spec_augment = False
        if options.checkpointing:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        if options.lora:
            adapt(self.model, options.lora, options.freeze_encoder)
        elif options.freeze_encoder:
            self.model.model.encoder.requires_grad_(False)
        self.learned = [each for each in self.model.parameters() if each.requires_grad]
        matrices: dict[str, Any] = {"params": [each for each in self.learned if each.ndim > 1]}
        others = {"params": [each for each in self.learned if each.ndim <= 1], "weight_decay": 0.0}
        decay = options.weight_decay
        self.optimizer = torch.optim.AdamW([matrices, others], weight_decay=decay, fused=True)
        self.rate, why = learning_rate(options, whisper.config)
        """At its peak."""
        log.info("learning rate %g at its peak: %s", self.rate, why)
        self.done = 0
        """Steps."""
        self.average: dict[str, torch.Tensor] = {}
        self.averaged = 0
        """Epochs."""
        self.watch: Watch | None = None
        self.dtype = resolve_dtype(options.precision)

    @property
    def state_file(self) -> Path:
        return self.out / "resume" / "state.pt"

    def run(self, lesson: Manifest, todo: Iterator[Step]) -> None:
        """Take the steps that are left, unless it is over."""
        if self.watch and self.watch.over:
            return
        left = together.share(step for step in todo if step.number > self.done)
        read = loaded(self.whisper, lesson, left, self.options)
        shown = progress(read, "training whisper", self.total - self.done)
        self.out.mkdir(parents=True, exist_ok=True)
        place = self.out / LOG if together.is_first() else Path(os.devnull)
        with place.open("a", encoding="utf-8") as lines:
            for step, batches in shown:
                line = Line(step.number, step.epoch, *self.take(step, batches))
                lines.write(f"{schema.to_json_line(line)}\n")
                lines.flush()
                self.done = step.number
                if step.ends_epoch and step.epoch > self.epochs - self.options.average:
                    self._average()
                if step.ends_epoch and self.options.keep_epochs:
                    self._write(self.out / f"epoch-{step.epoch:02d}")
                looked = self._look(step)
                if looked or step.ends_epoch or step.number % self.options.save_every == 0:
                    self.save()
                if looked and self.watch and self.watch.over:
                    log.info("no better for %d looks: it ends here", self.watch.terms.patience)
                    break

    def _look(self, step: Step) -> bool:
        """Try what was learned on the development set, where one is watched and it is time."""
        if not (self.watch and self.watch.due(step.number, step.ends_epoch)):
            return False
        self.watch.look(step.number, step.epoch, self.whisper, self.weights())
        if together.is_first():
            self.watch.note(self.out)
        return True

    def take(self, step: Step, batches: Sequence[Batch]) -> tuple[float, float]:
        """One update; gives the loss and the learning rate."""
        rate = self.learning_rate(step.number)
        device = self.whisper.device
        weight = sum(float(weights_of(batch).sum()) for batch in batches)
        weight, total = together.summed(weight, device), 0.0
        for batch in batches:
            loss = self.loss(batch) / weight
            loss.backward()
            total += loss.item()
        total = together.summed(total, device)
        together.add_up(self.learned)
        norm = torch.nn.utils.clip_grad_norm_(self.learned, self.options.clip)
        if not (math.isfinite(total) and math.isfinite(norm.item())):
            heard = ", ".join(each.utterance.id for group in step.batches for each in group)
            raise EngineError(
                f"{self.out}: loss {total}, gradient {norm.item()} at step {step.number}; lower "
                "`learning_rate`, or set `precision: float32`, or look at what was learned there: "
                f"{heard}"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return round(total, 6), rate

    def loss(self, batch: Batch) -> torch.Tensor:
        """Weighted sum of the negative log-probabilities of all tokens that are to be learned."""
        chosen = batch.labels != IGNORED
        device = self.whisper.device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            encoded = self.whisper.encode(batch.features)
            hidden = self.model.model.decoder(
                input_ids=batch.inputs, encoder_hidden_states=encoded, use_cache=False
            ).last_hidden_state
            logits = self.model.proj_out(hidden[chosen])  # (tokens to learn, vocabulary)
        each = cross_entropy(logits.float(), batch.labels[chosen], reduction="none")
        return (each * weights_of(batch)).sum()

    def learning_rate(self, number: int) -> float:
        """Rises linearly while it warms up, then falls linearly, almost to nothing."""
        warm = math.ceil(self.options.warmup * self.total)
        if number <= warm:
            return self.rate * number / warm
        return self.rate * (self.total - number + 1) / (self.total - warm + 1)

    def save(self) -> None:
        """Keep what is needed to go on from here; whole or not at all."""
        if not together.is_first():
            return
        state = {
            "done": self.done,
            "model": self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "averaged": self.averaged,
            "random": torch.get_rng_state(),
            "watch": self.watch.state() if self.watch else None,
        }
        scratch = self.state_file.with_name(".state.pt")
        scratch.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, scratch)
        scratch.replace(self.state_file)

    def resume(self) -> None:
        """Go on from what was kept last, if there is such."""
        if self.state_file.is_file():
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.averaged = state["average"], state["averaged"]
            self.done = state["done"]
            torch.set_rng_state(state["random"])
            if self.watch:
                self.watch.go_on(state["watch"])
            log.info("goes on after step %d of %d", self.done, self.total)
        if (self.out / LOG).is_file() and together.is_first():
            lines = (self.out / LOG).read_text(encoding="utf-8").splitlines(keepends=True)
            (self.out / LOG).write_text("".join(lines[: self.done]), encoding="utf-8")

    def finish(self, start: Checkpoint) -> None:
        """Write the model as transformers does, and drop what was kept for going on."""
        if not together.is_first():
            return
        if chosen := self.watch.best if self.watch else self.average:
            self.model.load_state_dict(chosen, strict=False)
        if self.options.lora:
            self._merge(start)
        if self.options.interpolate < 1:
            before = Whisper.load(folder_of(start), torch.float32).model
            # Not by name: the table of tokens goes by two, and would be moved twice.
            pairs = zip(self.model.parameters(), before.parameters(), strict=True)
            with torch.no_grad():
                for weight, old in pairs:
                    weight.lerp_(old.to(weight), 1 - self.options.interpolate)
        self._write(self.out)
        shutil.rmtree(self.out / "resume", ignore_errors=True)

    def _write(self, folder: Path) -> None:
        """The weights as they are, as transformers keeps them."""
        if together.is_first():
            self.model.config.trained_margin = min(self.options.margins[0], UNTRAINED_MARGIN)
            self.model.save_pretrained(folder)
            self.whisper.processor.save_pretrained(folder)

    def weights(self) -> dict[str, torch.Tensor]:
        """Those that learn, by name."""
        named = self.model.named_parameters()
        return {name: weight.detach() for name, weight in named if weight.requires_grad}

    def _average(self) -> None:
        """Move the mean of the epochs' weights towards those of this one."""
        self.averaged += 1
        for name, weight in self.weights().items():
            mean = self.average.setdefault(name, weight.clone().cpu())
            mean += (weight.cpu() - mean) / self.averaged

    def _merge(self, start: Checkpoint) -> None:
        """Add the adapters to the weights at the start, which may have been rounded meanwhile."""
        learned = self.weights()
        self.model = Whisper.load(folder_of(start), torch.float32).model
        adapted = adapt(self.model, self.options.lora, self.options.freeze_encoder)
        self.model.load_state_dict(learned, strict=False)
        adapted.merge_and_unload()
