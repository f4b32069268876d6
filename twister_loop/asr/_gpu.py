"""GPU of this machine and its number formats, found without importing PyTorch."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BFLOAT16_CAPABILITY = 8.0
"""Compute capability from which NVIDIA's GPUs compute in bfloat16 (Ampere)."""
TIMEOUT_SECONDS = 4.0
"""Longest wait for the driver, which may first have to wake a GPU up."""


@dataclass(frozen=True)
class Gpu:
    """NVIDIA GPU that PyTorch would use."""

    free_bytes: int
    """Memory that nothing uses at the moment."""
    has_bfloat16: bool
    """Whether it computes in bfloat16 in hardware."""


@cache
def find_gpu() -> Gpu | None:
    """Return the first GPU that processes may use, or None; GPUs of other makers are not found."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in {"", "-1"}:
        return None
    # The driver's own tool, since PyTorch takes a second to import and its context much memory.
    command = ["nvidia-smi", "--query-gpu=memory.free,compute_cap", "--format=csv,noheader,nounits"]
    if visible:
        command += ["-i", visible.split(",")[0].strip()]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
        ).stdout
        free_mebibytes, capability = answer.splitlines()[0].split(",")
        return Gpu(int(free_mebibytes) << 20, float(capability) >= BFLOAT16_CAPABILITY)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def computes_in_bfloat16() -> bool:
    """Return whether the GPU, or without one the processor, computes in bfloat16 in hardware."""
    if gpu := find_gpu():
        return gpu.has_bfloat16
    try:
        processor = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False
    flags = next((line for line in processor.splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags.split()
