"""How a Coqui voice is trained: the order of its clips, and Coqui's trainer, well-behaved.

Every step draws its batch and its noise from the seed and its own number alone, so a training
that was killed goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

import torch
from trainer import Trainer, TrainerArgs
from trainer.io import save_model
from trainer.logging import DummyLogger

from ...core.errors import EngineError
from ...core.progress import show_progress
from .model_files import Model, derive_seed, seed_everything

log = logging.getLogger(__name__)

LOG_EVERY = 100
"""Steps."""
CHECKPOINT = "checkpoint.pth"
COOLDOWN_SHARE = 0.3
"""The share of the steps, the last ones, in which the learning rate goes down to nothing."""


def learning_rate_factor(step: int, steps: int) -> float:
    """The share of the learning rate that a step takes: all of it, at the end ever less.

    Constant and then down in a line (arXiv 2405.18392): a training that is given more steps
    before it cools repeats nothing.
    """
    return min(1.0, (steps - step) / (COOLDOWN_SHARE * steps))


def iterate_batches(clips: int, size: int, seed: int) -> Iterator[list[int]]:
    """Yield batches for ever; places are in order of length, so like lengths go together.

    Every clip comes once in an epoch; which ones go together differs from epoch to epoch.
    """
    for epoch in count():
        rng = random.Random(f"{seed} {epoch}")
        order = sorted(range(clips), key=lambda place: place + rng.uniform(0, 2 * size))
        parts = max(1, clips // size)
        cuts = [order[clips * at // parts : clips * (at + 1) // parts] for at in range(parts)]
        rng.shuffle(cuts)
        yield from cuts


@dataclass(frozen=True)
class EpochLoader:
    """What the trainer takes for one epoch: all batches that are still to come."""

    dataset: Any
    """Coqui's, in order of length."""
    order: Sequence[tuple[int, Sequence[int]]]
    """The number of every step, and the places of its clips."""
    seed: int

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        for step, places in self.order:
            seed_everything(derive_seed(f"{self.seed} {step}"))
            yield self.dataset.collate_fn([self.dataset[place] for place in places])


class IsolatedTrainer(Trainer):
    """Coqui's trainer without what it does to the process that it runs in.

    As it comes it asks git for a branch, changes limits and environment of the process, adds
    log handlers, copies the running script, and exits the process when something fails.
    """

    def __init__(
        self,
        model: Model,
        dataset: Any,
        folder: Path,
        seed: int,
        watch: LossMonitor,
    ) -> None:
        begun = folder / CHECKPOINT
        args = TrainerArgs(
            continue_path=str(folder), restore_path=str(begun) if begun.exists() else ""
        )
        super().__init__(
            args,
            model.config,
            model=model,
            dashboard_logger=DummyLogger(),
            parse_command_line_args=False,
        )
        self.dataset, self.seed, self.watch = dataset, seed, watch
        self.steps = 0

    def train(self, steps: int) -> None:
        """Train up to this step, from the one that the checkpoint was left at."""
        order = iterate_batches(len(self.dataset), int(self.config.batch_size), self.seed)
        to_come = list(islice(enumerate(order), self.total_steps_done, steps))
        self.steps = steps
        self.train_loader = cast(Any, EpochLoader(self.dataset, to_come, self.seed))
        self._fit()

    def optimize(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any], float]:
        """One step, drawing from its own seed, whose loss is looked at before it is kept.

        Where a voice has a discriminator, that takes its step first, and this is called twice.
        """
        step, which = self.total_steps_done, kwargs.get("optimizer_idx")
        seed_everything(derive_seed(f"{self.seed} {step}"))
        for optimizer, highest in zip(self.optimizer, self.get_lr(), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = highest * learning_rate_factor(step, self.steps)
        outputs, losses, seconds = super().optimize(*args, **kwargs)
        # There is no loss while the normalization layers are initialized from data.
        loss = losses.get("loss" if which is None else f"loss_{which}")
        if which is not None and which + 1 < len(self.optimizer):
            self.watch.check_loss(step, loss)
        else:
            self.watch(step, loss)
        return outputs, losses, seconds

    def save_checkpoint(self) -> None:
        """Keep the last state alone, and replace it whole."""
        scratch = self.output_path / f".{CHECKPOINT}"
        save_model(
            self.config,
            self.model,
            scratch,
            current_step=self.total_steps_done,
            epoch=0,
            optimizer=self.optimizer,
        )
        scratch.replace(self.output_path / CHECKPOINT)

    @staticmethod
    def init_training(args: Any, coqpit_overrides: Any, config: Any = None) -> tuple[Any, Any]:
        return config, {}

    @staticmethod
    def setup_training_environment(args: Any, config: Any, gpu: Any) -> tuple[bool, int]:
        return torch.cuda.is_available(), min(1, torch.cuda.device_count())

    def _setup_logger_config(self, log_file: str) -> None: ...

    def save_training_script(self) -> None: ...

    def save_best_model(self) -> None: ...

    def update_training_dashboard_logger(self, batch: Any = None, outputs: Any = None) -> None: ...


def train_model(
    model: Model, dataset: Any, resume: Path, seed: int, steps: int, watch: LossMonitor
) -> None:
    """Train a voice up to so many steps, from where `resume` was left.

    Raises EngineError where the loss is not a number or the trainer fails.
    """
    config = model.config
    config.epochs, config.run_eval = 1, False
    config.test_delay_epochs = 1  # there is one epoch, number 0: nothing is spoken in it
    trainer = IsolatedTrainer(model, dataset, resume, seed, watch)
    watch.resume_at(trainer.total_steps_done)
    try:
        trainer.train(steps)
    except RuntimeError as cause:
        raise EngineError(
            f"training the voice failed at step {trainer.total_steps_done}: {cause}; see "
            f"{resume.with_name('train.log')}; against NaN try a smaller learning_rate"
        ) from cause


class LossMonitor:
    """Notes the loss of every step, shows how far it is, and stops what has gone wrong.

    Made before output is captured, for its progress bar keeps the terminal it was made on.
    """

    def __init__(self, notes: Path, steps: int) -> None:
        self.notes, self.steps = notes, steps
        self.bar = show_progress(range(steps + 1), "training the voice", total=steps)
        next(self.bar)
        self.began: tuple[int, float] | None = None

    def resume_at(self, step: int) -> None:
        """Forget what was noted of steps that will be repeated."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        kept = [f"{each}\n" for each in lines if json.loads(each)["step"] < step]
        self.notes.write_text("".join(kept))
        for _ in range(step):
            next(self.bar, None)

    def __call__(self, step: int, loss: float | None) -> None:
        """Note a step. Raises EngineError when the loss is not a number."""
        next(self.bar, None)
        self.check_loss(step, loss)
        if loss is None:
            return
        with self.notes.open("a") as notes:
            notes.write(json.dumps({"step": step, "loss": round(loss, 4)}) + "\n")
        first, began = self.began = self.began or (step, time.monotonic())
        if step > first and step % LOG_EVERY == 0:
            left = (time.monotonic() - began) / (step - first) * (self.steps - step) / 60
            log.info("step %d of %d, loss %.3f, %.0f min left", step, self.steps, loss, left)

    def check_loss(self, step: int, loss: float | None) -> None:
        """Raise EngineError when the loss is not a number."""
        if loss is not None and not math.isfinite(loss):
            raise EngineError(
                f"training the voice went wrong at step {step}: the loss is {loss}; "
                "try a smaller learning_rate, and look for odd clips in the lesson"
            )
