"""At which rate Whisper learns, where nobody says: the larger the model, the slower.

A fortieth of the rate it was trained with (Radford et al., arXiv 2212.04356, the table of learning
rates in the appendix), the advice of Hugging Face's Whisper fine-tuning event of 2022; the 6.25e-6
with which Whisper's authors said there that they fine-tuned on LibriSpeech is that of medium.
"""

from __future__ import annotations

from typing import NamedTuple

from transformers import WhisperConfig

from .options import WhisperOptions

FINER = 40
"""Times smaller than in training from nothing."""
LORA = 1e-3
"""For adapters, which begin as nothing: as in PEFT's own examples with Whisper large-v2."""


class Size(NamedTuple):
    name: str
    trained_at: float
    """The peak of its learning rate."""


SIZES = {
    384: Size("tiny", 1.5e-3),
    512: Size("base", 1e-3),
    768: Size("small", 5e-4),
    1024: Size("medium", 2.5e-4),
    1280: Size("large", 2e-4),
}
"""By width. Of large it is the rate of large-v2 (the first was trained at 1.75e-4); those of
large-v3 and turbo, which are as wide, were not published."""


def learning_rate(options: WhisperOptions, config: WhisperConfig) -> tuple[float, str]:
    """The rate at its peak, and in words why that one."""
    if options.learning_rate is not None:
        return options.learning_rate, "as the plan says"
    if options.lora:
        return LORA, "usual for LoRA"
    width = min(SIZES, key=lambda each: abs(each - config.d_model))
    size = SIZES[width]
    like = "as wide as" if width == config.d_model else "nearest in width to"
    why = f"a fortieth of {size.trained_at:g}, at which Whisper {size.name} was trained"
    return size.trained_at / FINER, f"{why}; this model is {like} that"
