"""Deterministic arithmetic, so that a resumed training ends with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Use PyTorch's deterministic algorithms and a fixed number of threads inside the block.

    The settings from before are restored at the end, except for the number of threads.
    """
    settings: Any = torch.utils.deterministic
    was_enabled = torch.are_deterministic_algorithms_enabled()
    filled_memory = settings.fill_uninitialized_memory
    # Otherwise gradients of embedding tables (the decoder's positions) are summed in the order in
    # which threads arrive. A warning, not an error: CTC's gradient has no fixed order on a GPU.
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False  # it costs time and changes no number here
    # MKL may take fewer threads for small sums unless the number has been set explicitly.
    torch.set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_enabled)
        settings.fill_uninitialized_memory = filled_memory
