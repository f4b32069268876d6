"""Precision of the engines, by the names that plans use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "float32", "bfloat16"]
ComputeType = Literal[
    "auto",
    "float32",
    "float16",
    "bfloat16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
]
"""Precision of computing with CTranslate2."""


def resolve_dtype(precision: Precision) -> torch.dtype:
    """Return the data type of a precision on this machine.

    `auto` is bfloat16 if the GPU, or without one the processor, computes with it in hardware;
    else float32.

    >>> resolve_dtype("bfloat16")
    torch.bfloat16
    """
    import torch  # takes a second, and options name precisions without computing

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


# Not with `_gpu.find_gpu`: a build of PyTorch for processors computes there beside any GPU.
def find_device() -> Literal["cuda", "cpu"]:
    """Return the kind of device that engines compute on in this process."""
    import torch  # takes a second, see above

    return "cuda" if torch.cuda.is_available() else "cpu"
