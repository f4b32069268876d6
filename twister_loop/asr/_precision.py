"""Precision of the engines that compute with PyTorch."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def resolve_dtype(precision: Precision) -> torch.dtype:
    """Return the data type of a precision on this machine.

    `auto` is bfloat16 if the GPU, or without one the processor, computes with it in hardware;
    else float32.

    >>> resolve_dtype("bfloat16")
    torch.bfloat16
    """
    if precision == "auto":
        # Emulated bfloat16 is slower than float32, so only hardware support counts. Never float16:
        # its range is too small for training without scaling the loss.
        has_bfloat16 = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if torch.cuda.is_available()
            else torch.cpu.get_capabilities().get("avx512_bf16", False)
        )
        return torch.bfloat16 if has_bfloat16 else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
