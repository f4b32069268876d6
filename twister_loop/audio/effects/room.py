"""Reverberation: a measured impulse response, or a simulated room.

Both keep the loudness and the duration; the reverberation after the end is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Span
from ..io import Samples
from ._audiomentations import apply_transform, draw_recording, find_folder_errors, match_loudness
from ._base import Effect

MAX_REFLECTIONS = 8
"""Number of reflections that the image source method follows (Allen and Berkley, 1979)."""


@dataclass(frozen=True)
class Room(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    responses: Path | None = None
    """Folder with impulse responses as audio; without it, rooms of the size of a small office are
    simulated."""
    absorption: Annotated[tuple[float, float], Span(above=0, high=1)] = (0.1, 0.5)
    """Absorption coefficient of the walls of simulated rooms, drawn between these two: from bare
    concrete to carpets and sofas."""
    distance: Annotated[tuple[float, float], Span(above=0, high=100)] = (0.3, 2.0)
    """Distance from the mouth to the microphone in simulated rooms, in meters, drawn between these
    two."""

    def validation_errors(self) -> Iterator[str]:
        if self.responses is None and find_spec("pyroomacoustics") is None:
            yield "simulated rooms need pyroomacoustics: pip install 'twister-loop[augment]'"
        yield from find_folder_errors("responses", self.responses)

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        if self.responses:
            transform = audiomentations.ApplyImpulseResponse(
                draw_recording(self.responses, rng), p=1.0
            )
        else:
            transform = audiomentations.RoomSimulator(
                min_absorption_value=self.absorption[0],
                max_absorption_value=self.absorption[1],
                min_mic_distance=self.distance[0],
                max_mic_distance=self.distance[1],
                max_order=MAX_REFLECTIONS,
                # Its rays come from a generator that cannot be seeded.
                use_ray_tracing=False,
                leave_length_unchanged=True,
                p=1.0,
            )
        # Impulse responses are recorded at any level; loudness is the business of `gain`.
        return match_loudness(apply_transform(transform, samples, rng), samples)
