"""What engines compute in."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def resolve_dtype(precision: Precision) -> torch.dtype:
    """What `auto` is on this machine: bfloat16 where the processor computes with it."""
    if precision == "auto":
        fast = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if torch.cuda.is_available()
            else torch.cpu.get_capabilities().get("avx512_bf16", False)
        )
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
