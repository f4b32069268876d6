"""What an effect is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ...core.registry import Part

if TYPE_CHECKING:
    import numpy as np

    from ..io import Samples


class Effect(Part):
    """Perturbs speech."""

    package = "twister_loop.audio.effects"
    stretches: ClassVar[bool] = False
    """Whether what is said takes longer or shorter after it."""

    @abstractmethod
    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return other samples, (n_samples,) at 16 kHz; all that is random comes from `rng`."""
