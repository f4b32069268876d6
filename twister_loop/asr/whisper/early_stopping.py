"""Ending a training early: what is learned is tried on a development set, and the best is kept."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...core import schema
from ...core.manifest import Manifest
from ...core.types import ErrorCount
from ...evaluation import metrics
from .._precision import resolve_dtype
from . import distributed as together
from . import transcription
from .model import UNTRAINED_MARGIN, Whisper
from .options import EarlyStoppingOptions, WhisperOptions

log = logging.getLogger(__name__)

LOG = "stopping.jsonl"
"""A line for every look at the development set."""


@dataclass(frozen=True)
class Look:
    """What the weights after a step made of the development set."""

    step: int
    epoch: int
    errors: int
    """Words, or characters where none are told apart, as `metrics.apart` counts them."""
    of: int

    @property
    def rate(self) -> float:
        return self.errors / max(self.of, 1)


class Watch:
    """All looks of a training, and the weights of the best."""

    def __init__(self, options: WhisperOptions, terms: EarlyStoppingOptions, speech: Manifest, total: int) -> None:
        self.options, self.terms, self.speech, self.total = options, terms, speech, total
        self.looks: list[Look] = []
        self.best: dict[str, torch.Tensor] = {}

    def due(self, step: int, ends_epoch: bool) -> bool:
        every = self.terms.every
        return step == self.total or (step % every == 0 if every else ends_epoch)

    @property
    def over(self) -> bool:
        """Whether the last looks, as many as the patience, were no better than one before."""
        if not self.looks:
            return False
        return len(self.looks) - 1 - self._best_place() >= self.terms.patience

    def look(
        self, step: int, epoch: int, whisper: Whisper, weights: Mapping[str, torch.Tensor]
    ) -> None:
        """Hear the development set with the weights as they are, as they would be measured."""
        own = together.part(list(self.speech))
        heard = transcription.hear(self.options, _as_measured(self.options, whisper), own)
        found = sum((metrics.count_utterance_errors(each, "words") for each in heard), ErrorCount())
        errors, of = (
            together.summed(each, whisper.device) for each in (found.errors, found.length)
        )
        self.looks.append(look := Look(step, epoch, round(errors), round(of)))
        if better := self._best_place() == len(self.looks) - 1:
            self.best = {name: weight.clone().cpu() for name, weight in weights.items()}
        best = self.looks[self._best_place()].step
        log.info(
            f"after step {step}: {look.errors} errors of {look.of} ({look.rate:.2%}) on "
            f"{self.terms.set}; "
            + ("the best so far" if better else f"step {best} is still the best")
        )

    def state(self) -> dict[str, Any]:
        """What is needed to go on."""
        return {"looks": [asdict(each) for each in self.looks], "best": self.best}

    def go_on(self, state: Mapping[str, Any]) -> None:
        self.looks, self.best = [Look(**each) for each in state["looks"]], state["best"]

    def note(self, out: Path) -> None:
        """Write all looks down, a line each."""
        lines = "".join(f"{schema.to_json_line(each)}\n" for each in self.looks)
        (out / LOG).write_text(lines, encoding="utf-8")

    def _best_place(self) -> int:
        """Of the first look with the fewest errors: what only draws level is no gain."""
        return min(range(len(self.looks)), key=lambda place: self.looks[place].rate)


def _as_measured(options: WhisperOptions, whisper: Whisper) -> Whisper:
    """A copy that hears what the weights would hear once they are written and loaded again."""
    model = copy.deepcopy(whisper.model).to(resolve_dtype(options.precision)).eval()
    model.config.trained_margin = min(options.margins[0], UNTRAINED_MARGIN)
    return replace(whisper, model=model, config=model.config)
