"""Attention of Whisper's decoder in transformers, with keys and values that beams share.

It computes what `sdpa` of transformers does, and adds two things. Several rows of a batch, the
hypotheses of one clip, attend to one copy of that clip's audio. And the weights of a few heads can
be recorded, without those of all layers being kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "twister_shared_sdpa"
"""Name by which transformers finds this attention."""

Head = tuple[int, int]
"""Layer of the decoder, and attention head in it."""


class AttentionRecorder:
    """Attention of some heads to the audio, in one pass of the decoder."""

    def __init__(self, heads: Collection[Head]) -> None:
        self._heads = list(heads)
        self._weights: dict[Head, torch.Tensor] = {}

    def record(self, layer: int, query: torch.Tensor, key: torch.Tensor, scaling: float) -> None:
        """Store the weights of the layer's heads; query and key: (batch, heads, length, width)."""
        for recorded_layer, head in self._heads:
            if recorded_layer == layer:
                scores = (query[:, head] @ key[:, head].mT) * scaling
                self._weights[layer, head] = scores.softmax(-1)

    def stack(self) -> torch.Tensor:
        """Return the weights, (batch, heads, tokens, positions), in the order of the heads."""
        return torch.stack([self._weights[head] for head in self._heads], dim=1)


# A variable of the thread and not of the model, which the threads share.
_RECORDER: ContextVar[AttentionRecorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording_attention(heads: Collection[Head]) -> Iterator[AttentionRecorder]:
    """Record the attention of these heads to the audio in this thread's pass of the decoder."""
    recorder = AttentionRecorder(heads)
    token = _RECORDER.set(recorder)
    try:
        yield recorder
    finally:
        _RECORDER.reset(token)


def shared_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float = 1.0,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Compute attention, an attention function of transformers.

    Args:
        module: layer of attention.
        query: (rows, heads, tokens, width); rows of a clip follow each other, equally many a clip.
        key: (clips, heads, length, width); as many clips as rows where nothing is shared.
        value: like `key`.
        attention_mask: None where every token attends to all positions.
        scaling: factor of the scores.
        options: others of transformers, such as dropout in training.

    Returns:
        (rows, tokens, heads, width), and no weights.
    """
    recorder = _RECORDER.get()
    if recorder and getattr(module, "is_decoder", False) and not getattr(module, "is_causal", True):
        recorder.record(int(module.layer_idx), query, key, scaling)  # type: ignore[arg-type]
    rows, heads, tokens, width = query.shape
    if tokens > 1 or attention_mask is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    # One token a row. The rows of a clip become queries of one attention, so that nothing is
    # copied. By products of matrices: for a single query, torch's kernel for the CPU takes nine
    # times as long in bfloat16.
    grouped = query.view(len(key), rows // len(key), heads, width).transpose(1, 2)
    weights = (grouped @ key.mT * scaling).softmax(-1, dtype=torch.float32).to(value.dtype)
    return (weights @ value).transpose(1, 2).reshape(rows, 1, heads, width), None


AttentionInterface.register(NAME, shared_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
