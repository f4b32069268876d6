"""CTC's loss, and the outputs of networks as arrays for decoding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from . import ctc
from .tokenizer import BLANK


def ctc_loss(
    logprobs: torch.Tensor, frames: torch.Tensor, texts: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return the CTC loss summed over a batch, in nats.

    Args:
        logprobs: (batch, frames, vocabulary).
        frames: of every clip, (batch,).
        texts: tokens of every clip, each (tokens,).
    """
    # Frames first, and all texts in one tensor: so PyTorch's function expects them.
    counts = torch.tensor([len(text) for text in texts], device=logprobs.device)
    return torch.nn.functional.ctc_loss(
        logprobs.transpose(0, 1),
        torch.cat(list(texts)),
        frames,
        counts,
        blank=BLANK,
        reduction="sum",
        # A text that needs more frames than the clip has would make the whole batch infinite.
        zero_infinity=True,
    )


def unpad_logprobs(logprobs: torch.Tensor, frames: torch.Tensor) -> list[ctc.Logprobs]:
    """Return the log-probabilities of every clip without its padding, as float32 on the CPU."""
    return [
        np.asarray(clip[: int(length)].float().cpu())
        for clip, length in zip(logprobs, frames, strict=True)
    ]
