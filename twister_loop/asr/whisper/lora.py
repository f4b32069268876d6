"""Low-rank adapters: a large Whisper learns in little memory (Hu et al., arXiv 2106.09685)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import WhisperForConditionalGeneration

if TYPE_CHECKING:
    from peft.tuners.lora import LoraModel


def add_lora_adapters(
    model: WhisperForConditionalGeneration, rank: int, decoder_only: bool
) -> LoraModel:
    """Freeze the model, and put adapters to its queries and values, in place; they alone learn.

    `merge_and_unload` of what is returned adds them to the weights, in place too.
    """
    from peft import LoraConfig  # an extra of its own
    from peft.tuners.lora import LoraModel

    part = "decoder" if decoder_only else "(encoder|decoder)"
    where = rf"model\.{part}\..*\.(q_proj|v_proj)"
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=where)
    return LoraModel(model, {"default": config}, "default")
