"""Averages of weights on the CPU: of the last epochs of a training, and of several trainings.

The two classes round differently. For epochs each recognizer keeps the one it has always used, so
that a training repeated today ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

Weights = Mapping[str, torch.Tensor]


class EpochAverage(Protocol):
    """Mean of the weights of several epochs."""

    def update(self, weights: Weights) -> None:
        """Add the weights after one more epoch."""

    def mean(self) -> dict[str, torch.Tensor]:
        """Return the mean by parameter name; empty before the first update."""

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to continue after a restart."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class RunningMean:
    """Mean in the weights' own precision: one copy of the weights, for large models."""

    def __init__(self) -> None:
        self._means: dict[str, torch.Tensor] = {}
        self._epochs = 0

    def update(self, weights: Weights) -> None:
        self._epochs += 1
        for name, weight in weights.items():
            # In place, by steps that become smaller: no epoch's weights are held beside the mean.
            mean = self._means.setdefault(name, weight.clone().cpu())
            mean += (weight.cpu() - mean) / self._epochs

    def mean(self) -> dict[str, torch.Tensor]:
        return self._means

    def state_dict(self) -> dict[str, Any]:
        return {"means": self._means, "epochs": self._epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._means, self._epochs = state["means"], state["epochs"]


class ExactMean:
    """Mean of sums in float64, rounded once: two copies of the weights.

    Integer buffers, such as the number of batches that a batch norm has seen, are cut to integers.
    """

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._dtypes: dict[str, torch.dtype] = {}
        self._total = 0.0

    def update(self, weights: Weights, share: float = 1.0) -> None:
        """Add weights, which count `share` times as much as others."""
        self._total += share
        for name, weight in weights.items():
            self._dtypes.setdefault(name, weight.dtype)
            # float64 holds a sum of float32 numbers exactly unless they differ by a factor of some
            # 2 ** 26, so the mean does not depend on the order of the epochs.
            addend = share * weight.detach().cpu().double()
            if name in self._sums:
                self._sums[name] += addend  # in place: sums are the largest tensors here
            else:
                self._sums[name] = addend

    def mean(self) -> dict[str, torch.Tensor]:
        return {
            name: (total / self._total).to(self._dtypes[name]) for name, total in self._sums.items()
        }

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self._sums, "dtypes": self._dtypes, "epochs": self._total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sums, self._dtypes = state["sums"], state["dtypes"]
        self._total = state["epochs"]
