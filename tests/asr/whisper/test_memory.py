"""Estimate of the memory that training takes."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.asr.whisper.builders import build_trainable
from twister_loop.core.types import Checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("layers", "width"), [(4, 384), (6, 512), (12, 768), (24, 1024), (32, 1280)]
)
def test_memory_is_estimated_from_the_size(layers: int, width: int) -> None:
    """The sizes of OpenAI, from tiny to large, on a device that takes no memory."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    from twister_loop.asr.whisper.memory import estimate_memory
    from twister_loop.asr.whisper.model_folder import ModelSizes

    config = WhisperConfig(
        d_model=width, encoder_layers=layers, decoder_layers=layers, vocab_size=51865,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        encoder_attention_heads=width // 64, decoder_attention_heads=width // 64,
    )  # fmt: skip
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
    sizes = ModelSizes(**{size.name: getattr(config, size.name) for size in fields(ModelSizes)})
    parameters = sizes.count_parameters()
    assert parameters == sum(parameter.numel() for parameter in model.model.parameters())
    half, full = (estimate_memory(sizes, is_half) for is_half in (True, False))
    assert half["whole"] > half["8-bit optimizer"] > half["LoRA and checkpointing"]
    assert half["whole"] > half["checkpointing"] > 16 * parameters
    assert full["whole"] > half["whole"]


def test_a_training_that_does_not_fit_is_warned_of_with_methods_that_would(
    untimed_whisper: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.asr.whisper import memory

    assert list(build_trainable().preflight_warnings(untimed_whisper)) == []
    monkeypatch.setattr(memory, "available_bytes", lambda: 20_000_000)
    [warning] = build_trainable().preflight_warnings(untimed_whisper)
    assert "are free; what would fit: checkpointing" in warning
    assert list(build_trainable(checkpointing=True).preflight_warnings(untimed_whisper)) == []
    monkeypatch.setattr(memory, "available_bytes", lambda: 1_000)
    [warning] = build_trainable().preflight_warnings(untimed_whisper)
    assert "none of the methods" in warning
