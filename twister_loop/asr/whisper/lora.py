"""Low-rank adapters (Hu et al., arXiv 2106.09685), to train a large Whisper in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import WhisperForConditionalGeneration

if TYPE_CHECKING:
    from peft.tuners.lora import LoraModel


def add_lora_adapters(
    model: WhisperForConditionalGeneration, rank: int, decoder_only: bool
) -> LoraModel:
    """Freeze the model and add trainable adapters to its queries and values, in place.

    Args:
        model: changed in place.
        rank: inner width of the adapters; they are scaled by 2.
        decoder_only: add none to the encoder.

    Returns:
        A wrapper, whose `merge_and_unload` adds the adapters to the weights, in place too.
    """
    # Imported here: peft is an optional dependency, and only this option needs it.
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    side = "decoder" if decoder_only else "(encoder|decoder)"
    # Queries and values, as in the paper, in self-attention and cross-attention.
    target_modules = rf"model\.{side}\..*\.(q_proj|v_proj)"
    # Twice the rank: the adapters' scale, alpha / rank, and so the learning rate that fits, stays
    # the same for every rank.
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=target_modules)
    return LoraModel(model, {"default": config}, "default")
