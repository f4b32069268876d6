"""Interface of effects for data augmentation."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ...core.registry import Part

if TYPE_CHECKING:
    import numpy as np

    from ..io import Samples


class Effect(Part):
    """Effect that changes speech at random.

    To add one, put a file with a subclass into this folder:

        @dataclass(frozen=True)
        class Reverse(Effect):
            def apply(self, samples, rng):
                return samples[::-1].copy()
    """

    package = "twister_loop.audio.effects"
    stretches: ClassVar[bool] = False
    """True if the effect changes the duration of speech; times of words are then scaled."""

    @abstractmethod
    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return the changed samples.

        Args:
            samples: float32, (n_samples,), at 16 kHz; they must not be changed in place.
            rng: the only source of random numbers, so that the result is repeatable.

        Returns:
            float32, (n_samples,), at 16 kHz. Values beyond [-1, 1] are clipped afterwards.
        """
