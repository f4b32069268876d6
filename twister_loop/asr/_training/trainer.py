"""Training loop of Whisper and of the models that are trained from scratch.

It can be killed at any moment: started again, it resumes and ends with the same weights.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from ...core import schema
from ...core.errors import EngineError
from ...core.progress import show_progress
from .averaging import EpochAverage
from .batching import TrainingExample
from .checkpointing import (
    delete_resume_state,
    load_resume_state,
    save_resume_state,
    trainable_state,
    truncate_log,
)
from .distributed import all_reduce_gradients, all_reduce_sum, is_main_process
from .early_stopping import EarlyStopping
from .schedule import LinearSchedule

log = logging.getLogger(__name__)

LOG = "training.jsonl"
"""File with one line per step. It holds no times, so that a repeated training writes the same."""

B = TypeVar("B")


class Step(Protocol):
    """One update of the weights, and the examples that it is computed from."""

    @property
    def number(self) -> int:
        """Number from 1."""

    @property
    def epoch(self) -> int:
        """Number from 1."""

    @property
    def ends_epoch(self) -> bool: ...

    @property
    def batches(self) -> Sequence[Sequence[TrainingExample]]: ...


class TrainingOptions(Protocol):
    """Options of a recognizer that the training loop reads."""

    @property
    def average(self) -> int:
        """Number of last epochs whose weights are averaged; 0 and 1 keep the last weights."""

    @property
    def clip(self) -> float:
        """Largest norm of the gradient."""

    @property
    def keep_epochs(self) -> bool:
        """Also write the weights after each epoch."""

    @property
    def save_every(self) -> int:
        """Steps between two resume states."""


@dataclass(frozen=True)
class LogLine:
    """One line of the training log."""

    step: int
    epoch: int
    loss: float
    """Nats per token, averaged over the step."""
    learning_rate: float


def build_adamw(
    model: torch.nn.Module, weight_decay: float, fused: bool | None = None
) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters.

    Only matrices decay: pulling biases and the gains of norms towards zero has no use.
    """
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in trainable if weight.ndim > 1]},
        {"params": [weight for weight in trainable if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=fused)


class Trainer(Generic[B]):
    """A model in training, with its optimizer and everything needed to resume.

    Args:
        name: of the recognizer, for the progress bar.
        model: in training mode; weights that do not require a gradient stay as they are.
        optimizer: over the trainable weights.
        schedule: learning rate of every step.
        epochs: number of epochs that the steps reach, the last of which may be incomplete.
        options: those of the recognizer that the loop reads.
        out: output folder, for the log, the resume state and the weights.
        loss: negative log-likelihood of a batch, in nats, summed over its tokens; differentiable.
        loss_weight: number of tokens of a batch, or the sum of their weights.
        write_weights: writes the model as it is to a folder; used after each epoch.
        average: mean of the weights that is updated after the last epochs.
        early_stopping: evaluates on a development set, and ends the training.
    """

    def __init__(
        self,
        *,
        name: str,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        schedule: LinearSchedule,
        epochs: int,
        options: TrainingOptions,
        out: Path,
        loss: Callable[[B], torch.Tensor],
        loss_weight: Callable[[B], float],
        write_weights: Callable[[Path], None],
        average: EpochAverage | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        self.name, self.model, self.optimizer = name, model, optimizer
        self.schedule, self.epochs, self.options, self.out = schedule, epochs, options, out
        self._loss, self._loss_weight, self._write_weights = loss, loss_weight, write_weights
        self.average, self.early_stopping = average, early_stopping
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.completed_steps = 0

    def run(self, loaded: Iterable[tuple[Step, Sequence[B]]]) -> None:
        """Take the given steps, each with its batches; none if early stopping has ended it.

        Raises:
            EngineError: the loss or the gradient is not finite.
        """
        if self.early_stopping and self.early_stopping.is_over:
            return
        remaining = self.schedule.total_steps - self.completed_steps
        self.out.mkdir(parents=True, exist_ok=True)
        # All processes compute the same loss; one log is enough.
        log_file = self.out / LOG if is_main_process() else Path(os.devnull)
        with log_file.open("a", encoding="utf-8") as lines:
            for step, batches in show_progress(loaded, f"training {self.name}", remaining):
                line = self.update(step, batches)
                lines.write(f"{schema.to_json_line(line)}\n")
                lines.flush()  # so that the log is never behind the resume state
                self.completed_steps = step.number
                # The average and the evaluation come before saving: the state includes them.
                if step.ends_epoch:
                    self._end_epoch(step.epoch)
                evaluated = self._evaluate(step)
                if evaluated or step.ends_epoch or step.number % self.options.save_every == 0:
                    self.save()
                if evaluated and self.early_stopping and self.early_stopping.is_over:
                    log.info(
                        "early stopping: no improvement in %d evaluations",
                        self.early_stopping.patience,
                    )
                    break

    def update(self, step: Step, batches: Sequence[B]) -> LogLine:
        """Change the weights once, from the gradients of all batches of a step."""
        learning_rate = self.schedule.learning_rate(step.number)
        device = self.parameters[0].device
        # Divided by the tokens of the whole step, not batch by batch: every token counts alike, in
        # whichever batch and process it is.
        weight = sum(self._loss_weight(batch) for batch in batches)
        weight, step_loss = all_reduce_sum(weight, device), 0.0
        for batch in batches:
            loss = self._loss(batch) / weight
            loss.backward()
            step_loss += loss.item()
        step_loss = all_reduce_sum(step_loss, device)
        all_reduce_gradients(self.parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip).item()
        if not (math.isfinite(step_loss) and math.isfinite(norm)):
            names = ", ".join(example.utterance.id for batch in step.batches for example in batch)
            # Before the optimizer's step: one bad update would make all weights useless.
            raise EngineError(
                f"{self.out}: the loss is {step_loss} and the norm of the gradient {norm} at step "
                f"{step.number}; lower `learning_rate`, or set `precision: float32` if the "
                f"recognizer has that option, or check the utterances of this step: {names}"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        # Without a readable clip there is no gradient, and the optimizer leaves the weights alone.
        self.optimizer.step()
        self.optimizer.zero_grad()
        # Six digits: the rest differs between machines and would only lengthen the log.
        return LogLine(step.number, step.epoch, round(step_loss, 6), learning_rate)

    def save(self) -> None:
        """Save what is needed to resume after the last completed step."""
        if not is_main_process():
            return
        state = {
            "completed_steps": self.completed_steps,
            "model": trainable_state(self.model),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "random": torch.get_rng_state(),  # dropout goes on with the same draws
            "early_stopping": self.early_stopping.state_dict() if self.early_stopping else None,
        }
        save_resume_state(state, self.out)

    def resume(self) -> None:
        """Restore the state that was saved last, if there is one."""
        if state := load_resume_state(self.out):
            self.model.load_state_dict(state["model"], strict=False)  # frozen weights are missing
            self.optimizer.load_state_dict(state["optimizer"])
            if self.average:
                self.average.load_state_dict(state["average"])
            if self.early_stopping:
                self.early_stopping.load_state_dict(state["early_stopping"])
            self.completed_steps = state["completed_steps"]
            torch.set_rng_state(state["random"])
            total_steps = self.schedule.total_steps
            log.info("resuming after step %d of %d", self.completed_steps, total_steps)
        # Also without a state: a training killed before its first save starts from the beginning.
        if is_main_process():
            truncate_log(self.out / LOG, self.completed_steps)

    def finish(self, write_final_weights: Callable[[], None]) -> None:
        """Choose the final weights, write them, and delete the resume state.

        The best weights are chosen with early stopping, the mean with averaging, else the last.
        """
        if not is_main_process():
            return
        chosen = self.average.mean() if self.average else {}
        if self.early_stopping:
            chosen = self.early_stopping.best_weights
        if chosen:
            self.model.load_state_dict(chosen, strict=False)
        write_final_weights()
        delete_resume_state(self.out)

    def _end_epoch(self, epoch: int) -> None:
        if self.average and epoch > self.epochs - self.options.average:
            self.average.update(trainable_state(self.model))
        if self.options.keep_epochs and is_main_process():
            self._write_weights(self.out / f"epoch-{epoch:02d}")

    def _evaluate(self, step: Step) -> bool:
        """Evaluate on the development set if it is due, and return whether it was."""
        if not (self.early_stopping and self.early_stopping.is_due(step.number, step.ends_epoch)):
            return False
        self.early_stopping.evaluate(step.number, step.epoch, trainable_state(self.model))
        if is_main_process():
            self.early_stopping.write_log(self.out)
        return True
