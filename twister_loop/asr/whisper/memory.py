"""Estimate of the memory that training a Whisper takes, for a warning before a run.

Weights, gradients and AdamW's two moments are float32. Activations are those of Korthikanti et al.
(arXiv 2205.05198): 34 bytes per position, layer and unit of width in half precision, if no matrix
of attention is stored. A forward pass takes at most `MAX_SECONDS_PER_PASS` of audio, which bounds
them. Allocators hold more than this estimate, and it has not been compared with a GPU yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from transformers import WhisperConfig

from ...core.types import Checkpoint
from .._precision import resolve_dtype
from .dataset import MAX_SECONDS_PER_PASS
from .model import POSITION_SECONDS, load_errors_explained, weights_folder
from .options import WhisperOptions

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


def count_parameters(config: WhisperConfig) -> int:
    """Count the parameters of a model; the token embedding counts once, as output layer too."""
    width, inner_width = config.d_model, config.encoder_ffn_dim
    attention = 4 * width * width + 3 * width  # keys have no bias
    feed_forward = 2 * width * inner_width + inner_width + width
    layer_norm = 2 * width
    encoder_layer = attention + feed_forward + 2 * layer_norm
    decoder_layer = 2 * attention + feed_forward + 3 * layer_norm
    encoder = config.encoder_layers * encoder_layer + layer_norm
    decoder = config.decoder_layers * decoder_layer + layer_norm
    convolutions = 3 * width * (config.num_mel_bins + width) + 2 * width
    position_embeddings = width * (config.max_source_positions + config.max_target_positions)
    token_embedding = config.vocab_size * width
    return encoder + decoder + convolutions + position_embeddings + token_embedding


def estimate_memory(config: WhisperConfig, half: bool) -> dict[TrainingMethod, int]:
    """Estimate the bytes at the peak of a training step, for every method.

    Args:
        config: sizes of the model.
        half: whether it computes in bfloat16.
    """
    parameters = count_parameters(config)
    bytes_factor = 1 if half else 2
    half_copy = 2 * parameters if half else 0  # autocast stores the weights in bfloat16 too
    positions = MAX_SECONDS_PER_PASS / POSITION_SECONDS
    tokens = MAX_SECONDS_PER_PASS * TOKENS_PER_SECOND
    units = config.d_model * (
        positions * config.encoder_layers + 1.5 * tokens * config.decoder_layers
    )
    logits = 10 * tokens * config.vocab_size  # float32, their gradient, and bfloat16
    all_activations = round(bytes_factor * ACTIVATION_BYTES * units + logits)
    # The layer whose gradient is being computed has all of its activations.
    one_layer = ACTIVATION_BYTES * config.d_model * positions
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
    folder = weights_folder(start)
    with load_errors_explained(folder):
        config = WhisperConfig.from_pretrained(folder, local_files_only=True)
    needed_bytes = estimate_memory(config, half=resolve_dtype(options.precision) != torch.float32)
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


def available_bytes() -> int:
    """Return the free memory of the GPU, or of the system without one, in bytes."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux: without a figure, no warning
        return UNKNOWN
    # MemAvailable, not MemFree: the page cache can be given back, swap would be too slow.
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(kilobytes)
