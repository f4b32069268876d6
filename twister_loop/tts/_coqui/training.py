"""Training of a Coqui voice: the order of its batches, and Coqui's trainer without side effects.

Every step draws its batch and its noise from the seed and its own number alone. A training that
was killed therefore resumes from its last checkpoint with the numbers of an undisturbed one.
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
"""Steps between two lines of the log."""
CHECKPOINT = "checkpoint.pth"
COOLDOWN_SHARE = 0.3
"""Share of the steps, at the end, in which the learning rate falls to zero."""


def learning_rate_factor(step: int, steps: int) -> float:
    """Return the factor of the learning rate at a step: 1, and falling linearly at the end.

    Constant with a linear cooldown (arXiv 2405.18392). Unlike a cosine it does not depend on the
    number of steps until the cooldown, so a training that is given more steps before then repeats
    nothing.

    >>> [learning_rate_factor(step, steps=100) for step in (0, 70, 85)]
    [1.0, 1.0, 0.5]
    """
    return min(1.0, (steps - step) / (COOLDOWN_SHARE * steps))


def iterate_batches(clip_count: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Yield batches of clip indices without end; every clip comes once in an epoch.

    Clips are expected in order of length. The batches of an epoch hold clips of like length,
    which saves padding, but each epoch composes them differently.
    """
    for epoch in count():
        rng = random.Random(f"{seed} {epoch}")
        # Noise of up to two batches mixes neighbors and keeps like lengths together.
        order = sorted(range(clip_count), key=lambda index: index + rng.uniform(0, 2 * batch_size))
        parts = max(1, clip_count // batch_size)
        batches = [
            order[clip_count * part // parts : clip_count * (part + 1) // parts]
            for part in range(parts)
        ]
        rng.shuffle(batches)
        yield from batches


@dataclass(frozen=True)
class EpochLoader:
    """The one epoch that Coqui's trainer sees: all batches that are still to come."""

    dataset: Any
    """Coqui's data set, in order of length."""
    steps: Sequence[tuple[int, Sequence[int]]]
    """Number of every remaining step, and the indices of its clips."""
    seed: int

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Any]:
        for step, indices in self.steps:
            # Data sets draw as well, XTTS its prompts for one.
            seed_everything(derive_seed(f"{self.seed} {step}"))
            yield self.dataset.collate_fn([self.dataset[index] for index in indices])


class IsolatedTrainer(Trainer):
    """Coqui's trainer without its side effects on the process.

    The original runs git for the name of a branch, changes limits and environment of the process,
    adds log handlers, copies the running script, and exits the process when something fails.
    """

    def __init__(
        self, model: Model, dataset: Any, folder: Path, seed: int, monitor: LossMonitor
    ) -> None:
        checkpoint = folder / CHECKPOINT
        args = TrainerArgs(
            # Coqui then writes into this folder, and not into a new one with the date.
            continue_path=str(folder),
            restore_path=str(checkpoint) if checkpoint.exists() else "",
        )
        super().__init__(
            args,
            model.config,
            model=model,
            # Instead of TensorBoard; the loss is recorded by the monitor.
            dashboard_logger=DummyLogger(),
            # Coqui would parse the arguments of the running program.
            parse_command_line_args=False,
        )
        self.dataset, self.seed, self.monitor = dataset, seed, monitor
        self.steps = 0

    def train(self, steps: int) -> None:
        """Train up to step `steps`, from the step of the checkpoint on."""
        batches = iterate_batches(len(self.dataset), int(self.config.batch_size), self.seed)
        remaining = list(islice(enumerate(batches), self.total_steps_done, steps))
        self.steps = steps
        self.train_loader = cast(Any, EpochLoader(self.dataset, remaining, self.seed))
        # Not `fit`, which catches every error and exits the process.
        self._fit()

    def optimize(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any], float]:
        """Perform one step, seeded by its number, and check its loss before it can be saved.

        A model with a discriminator has two optimizers; then Coqui calls this twice a step, for
        the discriminator first.
        """
        step, optimizer_index = self.total_steps_done, kwargs.get("optimizer_idx")
        seed_everything(derive_seed(f"{self.seed} {step}"))
        # Set here and not by a scheduler, whose state a checkpoint would have to carry.
        for optimizer, peak in zip(self.optimizer, self.get_lr(), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = peak * learning_rate_factor(step, self.steps)
        outputs, losses, seconds = super().optimize(*args, **kwargs)
        # There is no loss while the normalization layers are initialized from data.
        loss = losses.get("loss" if optimizer_index is None else f"loss_{optimizer_index}")
        if optimizer_index is not None and optimizer_index + 1 < len(self.optimizer):
            self.monitor.check_loss(step, loss)
        else:
            self.monitor(step, loss)
        return outputs, losses, seconds

    def save_checkpoint(self) -> None:
        """Save the state of the last step alone; the file is replaced as a whole."""
        scratch = self.output_path / f".{CHECKPOINT}"
        save_model(
            self.config,
            self.model,
            scratch,
            current_step=self.total_steps_done,
            epoch=0,
            optimizer=self.optimizer,
        )
        # A kill while it is written leaves the last checkpoint intact.
        scratch.replace(self.output_path / CHECKPOINT)

    # Each of the following replaces a method of Coqui's trainer that has one of the side effects.

    @staticmethod
    def init_training(args: Any, coqpit_overrides: Any, config: Any = None) -> tuple[Any, Any]:
        # The original prepares the output folder and copies the configuration.
        return config, {}

    @staticmethod
    def setup_training_environment(args: Any, config: Any, gpu: Any) -> tuple[bool, int]:
        # One GPU at most: for several, Coqui expects to be started once a GPU by its own launcher.
        return torch.cuda.is_available(), min(1, torch.cuda.device_count())

    def _setup_logger_config(self, log_file: str) -> None: ...

    def save_training_script(self) -> None: ...

    def save_best_model(self) -> None: ...

    def update_training_dashboard_logger(self, batch: Any = None, outputs: Any = None) -> None: ...


def train_model(
    model: Model, dataset: Any, resume: Path, seed: int, steps: int, monitor: LossMonitor
) -> None:
    """Train a model in place up to step `steps`, from the checkpoint in `resume` if there is one.

    Raises:
        EngineError: the loss is not a number, or the trainer fails.
    """
    config = model.config
    # One epoch, number 0, holds all steps. Coqui would otherwise synthesize test sentences in it.
    config.epochs, config.run_eval = 1, False
    config.test_delay_epochs = 1
    try:
        trainer = IsolatedTrainer(model, dataset, resume, seed=seed, monitor=monitor)
    except Exception as cause:  # a broken checkpoint raises almost any class
        raise EngineError(
            f"{resume}: the training of the voice cannot be set up or resumed from here "
            f"({cause!r}); delete this folder to begin it again"
        ) from cause
    monitor.resume_at(trainer.total_steps_done)
    try:
        trainer.train(steps)
    # Coqui raises it for a loss of NaN, and torch for a lack of memory.
    except RuntimeError as cause:
        raise EngineError(
            f"training the voice failed at step {trainer.total_steps_done}: {cause}; see "
            f"{resume.with_name('train.log')}; if it is about NaN, try a smaller learning_rate"
        ) from cause


class LossMonitor:
    """Records the loss of every step, shows the progress, and stops when the loss is not a number.

    Create it before output is captured: its progress bar stays on the terminal of that moment.
    """

    def __init__(self, notes: Path, steps: int) -> None:
        self.notes, self.steps = notes, steps
        # One more than steps, for the first `next` only opens the bar.
        self.bar = show_progress(range(steps + 1), "training the voice", total=steps)
        next(self.bar)
        self.first_step_and_time: tuple[int, float] | None = None

    def resume_at(self, step: int) -> None:
        """Delete the recorded losses of steps that will be repeated."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        earlier = [f"{line}\n" for line in lines if json.loads(line)["step"] < step]
        self.notes.write_text("".join(earlier))
        if step:
            log.info("resuming the training of the voice after step %d of %d", step, self.steps)
        for _ in range(step):
            next(self.bar, None)

    def __call__(self, step: int, loss: float | None) -> None:
        """Record the loss of a step, None if it has none.

        Raises:
            EngineError: the loss is not a number.
        """
        next(self.bar, None)
        self.check_loss(step, loss)
        if loss is None:
            return
        with self.notes.open("a") as notes:
            notes.write(json.dumps({"step": step, "loss": round(loss, 4)}) + "\n")
        self.first_step_and_time = self.first_step_and_time or (step, time.monotonic())
        first_step, began = self.first_step_and_time
        if step > first_step and step % LOG_EVERY == 0:
            seconds_per_step = (time.monotonic() - began) / (step - first_step)
            log.info(
                "training the voice: step %d of %d, loss %.3f, %.0f min remaining",
                step,
                self.steps,
                loss,
                seconds_per_step * (self.steps - step) / 60,
            )

    def check_loss(self, step: int, loss: float | None) -> None:
        """Raise EngineError if the loss is infinite or not a number."""
        if loss is not None and not math.isfinite(loss):
            raise EngineError(
                f"training the voice failed at step {step}: the loss is {loss}; try a smaller "
                "learning_rate, and look for clips with a wrong label among the filtered labels"
            )
