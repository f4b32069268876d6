"""Background noise: own recordings, or generated noise of any color."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Span
from ..io import Samples
from ._audiomentations import apply_transform, draw_recording, find_folder_errors
from ._base import Effect


@dataclass(frozen=True)
class Noise(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    recordings: Path | None = None
    """Folder with recordings of noise, such as MUSAN or one's own rooms; without it, noise is
    generated. A recording that is shorter than the speech is repeated."""
    snr: Annotated[tuple[float, float], Span(-100, 100)] = (10.0, 40.0)
    """Signal-to-noise ratio in decibels, drawn between these two."""
    color: Annotated[tuple[float, float], Span(-30, 30)] = (-6.0, 0.0)
    """Slope of generated noise in decibels an octave, drawn between these two: from brown (-6) over
    pink (-3) to white (0)."""

    def validation_errors(self) -> Iterator[str]:
        return find_folder_errors("recordings", self.recordings)

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        low, high = self.snr
        if self.recordings:
            transform = audiomentations.AddBackgroundNoise(
                draw_recording(self.recordings, rng), min_snr_db=low, max_snr_db=high, p=1.0
            )
        else:
            dark, bright = self.color
            # White noise alone would sound like no room or street.
            transform = audiomentations.AddColorNoise(
                min_snr_db=low, max_snr_db=high, min_f_decay=dark, max_f_decay=bright, p=1.0
            )
        return apply_transform(transform, samples, rng)
