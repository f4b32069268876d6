"""Estimates of the memory and the disk that training a Whisper takes, for the check before a run.

Weights, gradients and AdamW's two moments are float32. Activations are those of Korthikanti et al.
(arXiv 2205.05198): 34 bytes per position, layer and unit of width in half precision, if no matrix
of attention is stored. A forward pass takes at most `MAX_SECONDS_PER_PASS` of audio, which bounds
them. Allocators hold more than this estimate, and it has not been compared with a GPU yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ...core.types import Checkpoint, Seconds
from .._gpu import computes_in_bfloat16, find_gpu
from .model_folder import HALF_PRECISION, POSITION_SECONDS, ModelSizes, list_weight_files
from .options import WhisperOptions
from .published import describe_model

TrainingMethod = Literal[
    "whole", "checkpointing", "8-bit optimizer", "LoRA", "LoRA and checkpointing"
]
IMPLEMENTED: tuple[TrainingMethod, ...] = (
    "whole",
    "checkpointing",
    "LoRA",
    "LoRA and checkpointing",
)
"""Methods that `whisper` has. The others are estimated to show whether they would help."""
MAX_SECONDS_PER_PASS: Seconds = 90.0
"""Audio in one forward pass of training, margins included: 8 clips of 8 s, or 2 of 30 s. It bounds
the memory of activations; a larger batch is cut into several passes."""
ACTIVATION_BYTES = 34
"""Bytes per unit of an encoder layer's activations in half precision. Those of a decoder layer,
which also attends to the audio, are half as many again."""
CHECKPOINTED_BYTES = 2
"""Bytes per unit of a layer's input, which is all that is stored with checkpointing."""
TOKENS_PER_SECOND = 8
"""Tokens per second of speech, in any language."""
LORA_SHARE = 0.01
"""Size of the adapters relative to the model (rank 32 on queries and values)."""
UNKNOWN = 1 << 62
"""Bytes of free memory where the system does not tell: enough for every model."""


def estimate_memory(sizes: ModelSizes, half: bool) -> dict[TrainingMethod, int]:
    """Estimate the bytes at the peak of a training step, for every method.

    Args:
        sizes: those of the model.
        half: whether it computes in bfloat16.
    """
    parameters = sizes.count_parameters()
    bytes_factor = 1 if half else 2
    half_copy = 2 * parameters if half else 0  # autocast stores the weights in bfloat16 too
    positions = MAX_SECONDS_PER_PASS / POSITION_SECONDS
    tokens = MAX_SECONDS_PER_PASS * TOKENS_PER_SECOND
    units = sizes.d_model * (positions * sizes.encoder_layers + 1.5 * tokens * sizes.decoder_layers)
    logits = 10 * tokens * sizes.vocab_size  # float32, their gradient, and bfloat16
    all_activations = round(bytes_factor * ACTIVATION_BYTES * units + logits)
    # The layer whose gradient is being computed has all of its activations.
    one_layer = ACTIVATION_BYTES * sizes.d_model * positions
    checkpointed = round(bytes_factor * (CHECKPOINTED_BYTES * units + one_layer) + logits)
    # 16 bytes per trained parameter: weight, gradient and two moments in float32. An 8-bit
    # optimizer stores each moment in one byte.
    lora_weights = round((2 if half else 4) * parameters + LORA_SHARE * 16 * parameters)
    return {
        "whole": 16 * parameters + half_copy + all_activations,
        "checkpointing": 16 * parameters + half_copy + checkpointed,
        "8-bit optimizer": 10 * parameters + half_copy + all_activations,
        "LoRA": lora_weights + all_activations,
        "LoRA and checkpointing": lora_weights + checkpointed,
    }


def estimate_training(
    options: WhisperOptions, start: Checkpoint
) -> tuple[TrainingMethod, dict[TrainingMethod, int]]:
    """Return the method that the options describe, and the bytes that each method needs."""
    half = options.precision == "bfloat16" or (
        options.precision == "auto" and computes_in_bfloat16()
    )
    needed_bytes = estimate_memory(describe_model(start).sizes, half)
    method: TrainingMethod
    if options.lora:
        method = "LoRA and checkpointing" if options.checkpointing else "LoRA"
    else:
        method = "checkpointing" if options.checkpointing else "whole"
    return method, needed_bytes


def preflight_warnings(options: WhisperOptions, start: Checkpoint) -> Iterator[str]:
    """Yield a warning with remedies if the training that the options describe may not fit."""
    method, needed_bytes = estimate_training(options, start)
    free_bytes = available_bytes()
    if needed_bytes[method] <= free_bytes:
        return
    remedies = [
        f"{remedy} ({needed / 1e9:.1f} GB{'' if remedy in IMPLEMENTED else ', not implemented'})"
        for remedy, needed in needed_bytes.items()
        if needed <= free_bytes and remedy != method
    ]
    yield (
        f"training needs about {needed_bytes[method] / 1e9:.1f} GB of memory at its peak, and "
        f"{free_bytes / 1e9:.1f} GB are free; what would fit: "
        f"{', '.join(remedies) or 'none of the methods for this model, so choose a smaller one'}"
    )


def disk_bytes_needed(options: WhisperOptions, start: Checkpoint, trainings: int = 1) -> int:
    """Estimate the bytes that training writes at its peak.

    These are the weights of all trainings, and two resume states while one is being replaced by the
    next, or the mean of the weights after the last training.
    """
    description = describe_model(start)
    # A folder may hold less or more than its configuration says, and is measured.
    stored = (
        sum(path.stat().st_size for path in list_weight_files(start.location))
        if start.location.parts
        else description.stored_bytes
    )
    weights = stored * (2 if description.dtype in HALF_PRECISION else 1)  # trained in float32
    trained = weights * (LORA_SHARE if options.lora else 1)
    # The weights and AdamW's two moments, and the average or the best weights.
    copies = 4 if options.average or options.stop else 3
    resume_state = round(trained * copies)
    most_epochs = options.count_epochs(updates_per_epoch=1)
    epochs = weights * most_epochs if options.keep_epochs else 0
    return trainings * (weights + epochs) + max(2 * resume_state, weights)


def available_bytes() -> int:
    """Return the free memory of the GPU, or of the system without one, in bytes."""
    if gpu := find_gpu():
        return gpu.free_bytes
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux: without a figure, no warning
        return UNKNOWN
    # MemAvailable, not MemFree: the page cache can be given back, swap would be too slow.
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(kilobytes)
