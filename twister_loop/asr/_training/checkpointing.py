"""Resume state of a training: everything needed to continue after a kill with the same numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ...core.errors import EngineError

FOLDER = "resume"
"""Folder of the resume state inside the output folder; it is deleted when training is complete."""
FILE = "state.pt"


def trainable_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights that training changes, by name, without copying them.

    These are the parameters that require a gradient and the persistent buffers, such as the
    statistics of batch norms. Frozen weights are left out: they can be read from the start again,
    and with LoRA they are nearly all. A weight tied to two names is returned under the first.
    """
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    # Others are constants that the model computes itself, such as sinusoidal positions.
    persistent = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in persistent}
    return {name: weight.detach() for name, weight in {**trained, **buffers}.items()}


def save_resume_state(state: dict[str, Any], out: Path) -> None:
    """Write the state into the output folder, completely or not at all."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    # A kill while writing leaves the state before it intact: the rename is atomic.
    partial = folder / f".{FILE}"
    torch.save(state, partial)
    partial.replace(folder / FILE)


def load_resume_state(out: Path) -> dict[str, Any] | None:
    """Return the state that was saved last, on the CPU, or None if there is none.

    Raises:
        EngineError: the file is damaged, or contains more than tensors and plain data.
    """
    file = out / FOLDER / FILE
    if not file.is_file():
        return None
    # On the CPU: loading copies the weights to the model's device, which needs no second set there.
    # `weights_only`: a file cannot run code while it is read.
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as cause:  # a broken pickle raises almost any class
        raise EngineError(
            f"{file}: not a state to resume the training from ({cause!r}); delete {file.parent} "
            "to begin the training again"
        ) from cause
    return state


def delete_resume_state(out: Path) -> None:
    """Delete the folder with the resume state."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def truncate_log(file: Path, steps: int) -> None:
    """Cut a log with one line per step after so many steps.

    Steps after the last saved state are run again, and would appear twice.
    """
    if file.is_file():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:steps]), encoding="utf-8")
