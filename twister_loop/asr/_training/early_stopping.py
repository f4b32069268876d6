"""Early stopping: evaluate on a development set during training, and keep the best weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...core import schema
from ...core.types import UNITS, Measure

log = logging.getLogger(__name__)

LOG = "stopping.jsonl"
"""File with one line per evaluation."""


@dataclass(frozen=True)
class Evaluation:
    """Errors on the development set with the weights after a step."""

    step: int
    epoch: int
    errors: int
    """Errors by the measure of the set."""
    of: int
    """Words, or characters, of all references."""
    measure: Measure = "words"

    @property
    def error_rate(self) -> float:
        """Return errors per token of the references; an empty set counts as one token."""
        return self.errors / max(self.of, 1)


@dataclass
class EarlyStopping:
    """Evaluations of one training so far, and the weights of the best."""

    set_name: str
    """Name of the development set, for the log."""
    patience: int
    """Evaluations without improvement after which training ends."""
    every: int | None
    """Steps between evaluations; None evaluates after each epoch."""
    total_steps: int
    count_errors: Callable[[], tuple[int, int]]
    """Function that transcribes the development set with the current weights; it returns the
    number of errors and the length of the references."""
    measure: Measure = "words"
    """Measure of the set, for the log."""
    evaluations: list[Evaluation] = field(default_factory=list)
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    """Trainable weights at the best evaluation, on the CPU; empty before the first."""

    def is_due(self, step: int, ends_epoch: bool) -> bool:
        """Return whether to evaluate after this step; the last step is always evaluated."""
        # The last weights are candidates too, whether or not the interval ends there.
        is_regular = step % self.every == 0 if self.every else ends_epoch
        return step == self.total_steps or is_regular

    @property
    def is_over(self) -> bool:
        """Return whether the last `patience` evaluations brought no improvement."""
        if not self.evaluations:
            return False
        return len(self.evaluations) - 1 - self._best_index() >= self.patience

    def evaluate(self, step: int, epoch: int, weights: Mapping[str, torch.Tensor]) -> None:
        """Count errors on the development set, and copy the weights if they are the best so far."""
        evaluation = Evaluation(step, epoch, *self.count_errors(), self.measure)
        self.evaluations.append(evaluation)
        best = self.evaluations[self._best_index()]
        if evaluation is best:
            # On the CPU: a GPU that is full of activations has no room for a second set.
            self.best_weights = {name: weight.clone().cpu() for name, weight in weights.items()}
        verdict = "best so far" if evaluation is best else f"step {best.step} is still the best"
        log.info(
            "step %d: %d errors in %d %s of %s (%.2f %%), %s",
            step, evaluation.errors, evaluation.of, UNITS[self.measure], self.set_name,
            100 * evaluation.error_rate, verdict,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to continue after a restart."""
        evaluations = [asdict(evaluation) for evaluation in self.evaluations]
        return {"evaluations": evaluations, "best_weights": self.best_weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.evaluations = [Evaluation(**fields) for fields in state["evaluations"]]
        self.best_weights = state["best_weights"]

    def write_log(self, out: Path) -> None:
        """Write all evaluations to `stopping.jsonl`, one line each."""
        # All of them, not only the last: after a kill the file may be ahead of the resumed state.
        lines = "".join(f"{schema.to_json_line(evaluation)}\n" for evaluation in self.evaluations)
        (out / LOG).write_text(lines, encoding="utf-8")

    def _best_index(self) -> int:
        # The first of equals: an evaluation that only draws level is no improvement, so training
        # on a plateau ends, and the weights that were trained less are kept.
        rates = [evaluation.error_rate for evaluation in self.evaluations]
        return rates.index(min(rates))
