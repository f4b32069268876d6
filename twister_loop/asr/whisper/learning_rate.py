"""Default peak learning rate of Whisper: the larger the model, the smaller the rate.

It is a fiftieth of the rate that the size was trained with (Radford et al., arXiv 2212.04356, the
table of learning rates in the appendix): for base 2e-5, which the comparisons in Italian and French
have (BENCHMARKS.md). The advice of Hugging Face's Whisper fine-tuning event of 2022 is a fortieth.
"""

from __future__ import annotations

from typing import NamedTuple

from transformers import WhisperConfig

from .options import WhisperOptions

FINE_TUNING_DIVISOR = 50
"""Ratio of the learning rate in training from scratch to that in fine-tuning."""
LORA_RATE = 1e-3
"""Rate for adapters, which start at zero: that of PEFT's own examples with Whisper large-v2."""


class ModelSize(NamedTuple):
    """A size of Whisper that OpenAI published."""

    name: str
    pretraining_rate: float
    """Peak learning rate with which OpenAI trained it."""


SIZES = {
    384: ModelSize("tiny", 1.5e-3),
    512: ModelSize("base", 1e-3),
    768: ModelSize("small", 5e-4),
    1024: ModelSize("medium", 2.5e-4),
    1280: ModelSize("large", 2e-4),
}
"""Sizes by the width of the model. The rate of large is that of large-v2 (the first was trained at
1.75e-4); those of large-v3 and turbo, which are as wide, were not published."""


def peak_learning_rate(options: WhisperOptions, config: WhisperConfig) -> tuple[float, str]:
    """Return the learning rate at its peak, and the reason for it in words, for the log."""
    if options.learning_rate is not None:
        return options.learning_rate, "as set in the plan"
    if options.lora:
        return LORA_RATE, "the usual rate for LoRA"
    # By width, because the number of layers differs within a size (turbo, distilled models).
    width = min(SIZES, key=lambda size_width: abs(size_width - config.d_model))
    size = SIZES[width]
    match = "has the width of" if width == config.d_model else "is nearest in width to"
    reason = (
        f"a fiftieth of {size.pretraining_rate:g}, with which Whisper {size.name} was trained; "
        f"this model {match} {size.name}"
    )
    return size.pretraining_rate / FINE_TUNING_DIVISOR, reason
