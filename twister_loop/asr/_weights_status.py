"""Report on where pretrained weights are, found without downloading or converting them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsStatus:
    """Where pretrained weights are, found without downloading or converting them."""

    model: str
    """Name or folder, as a plan names it; of an engine without pretrained weights, the engine."""
    source: str
    """Description for people: `the folder /models/base`, `the hub`, `the packages ...`."""
    size: int | None = None
    """Bytes of the weights; None if they are not known."""
    parameters: int | None = None
    """Number of parameters; None if it is not known."""
    folder: Path | None = None
    """Folder that they can be read from now; None if they must be fetched or converted first."""
    problem: str | None = None
    """Reason why they cannot be had, with the remedies; None if they can."""
