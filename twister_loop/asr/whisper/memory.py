"""What training a Whisper takes in memory, by a formula, before it is tried.

Weights, gradients and AdamW's two moments are float32; activations are those of Korthikanti et al.
(arXiv 2205.05198): 34 bytes for each position, layer and unit of width in half precision, where no
matrix of attention is kept. A pass never hears more than `AT_ONCE`, which bounds them. It is an
estimate: allocators keep more, and nobody has held it against a GPU yet.
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
"""What `whisper` can do; the others are estimated, so that one knows whether they would do."""
ACTIVATION_BYTES = 34
"""Of a layer's activations in half precision; those of a decoder's layer, which looks at the audio
too, are half as many again."""
CHECKPOINTED_BYTES = 2
"""Of the input alone, where the rest is computed again."""
TOKENS_PER_SECOND = 8
"""That people speak, in any language."""
LORA_SHARE = 0.01
"""Share of the weights that LoRA adds (rank 32 on queries and values)."""


def count_parameters(config: WhisperConfig) -> int:
    """Of the whole model; the table of tokens counts once."""
    width, inner = config.d_model, config.encoder_ffn_dim
    attention = 4 * width * width + 3 * width  # keys have no bias
    forward = 2 * width * inner + inner + width
    norm = 2 * width
    encoder = config.encoder_layers * (attention + forward + 2 * norm) + norm
    decoder = config.decoder_layers * (2 * attention + forward + 3 * norm) + norm
    ears = 3 * width * (config.num_mel_bins + width) + 2 * width
    places = width * (config.max_source_positions + config.max_target_positions)
    return encoder + decoder + ears + places + config.vocab_size * width


def estimate_memory(config: WhisperConfig, half: bool) -> dict[TrainingMethod, int]:
    """Bytes at the peak of a step, for every way to train."""
    count, precise = count_parameters(config), 1 if half else 2
    cast = 2 * count if half else 0  # autocast keeps the weights in half precision too
    positions = MAX_SECONDS_PER_PASS / POSITION_SECONDS
    tokens = MAX_SECONDS_PER_PASS * TOKENS_PER_SECOND
    units = config.d_model * (
        positions * config.encoder_layers + 1.5 * tokens * config.decoder_layers
    )
    logits = 10 * tokens * config.vocab_size  # float32, their gradient, and half precision
    whole = round(precise * ACTIVATION_BYTES * units + logits)
    layer = ACTIVATION_BYTES * config.d_model * positions
    again = round(precise * (CHECKPOINTED_BYTES * units + layer) + logits)
    adapted = round((2 if half else 4) * count + LORA_SHARE * 16 * count)
    return {
        "whole": 16 * count + cast + whole,
        "checkpointing": 16 * count + cast + again,
        "8-bit optimizer": 10 * count + cast + whole,
        "LoRA": adapted + whole,
        "LoRA and checkpointing": adapted + again,
    }


def preflight_warnings(options: WhisperOptions, base: Checkpoint) -> Iterator[str]:
    """What to know where training as the plan says would not fit; nothing where it would."""
    with load_errors_explained(weights_folder(base)):
        config = WhisperConfig.from_pretrained(weights_folder(base), local_files_only=True)
    ways = estimate_memory(config, resolve_dtype(options.precision) != torch.float32)
    own: TrainingMethod
    if options.lora:
        own = "LoRA and checkpointing" if options.checkpointing else "LoRA"
    else:
        own = "checkpointing" if options.checkpointing else "whole"
    free = available_bytes()
    if ways[own] <= free:
        return
    said = [
        f"{way} {size / 1e9:.1f} GB{'' if way in IMPLEMENTED else ' (not there yet)'}"
        for way, size in ways.items()
        if size <= free and way != own
    ]
    yield (
        f"training needs about {ways[own] / 1e9:.1f} GB of memory at its peak and "
        f"{free / 1e9:.1f} GB are free; what would fit: {', '.join(said) or 'none of the ways'}"
    )


def available_bytes() -> int:
    """Bytes that are free where the model will be; on a processor without what is swapped."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # another system: nothing is known, so nothing is said
        return 1 << 62
    kilobytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(kilobytes)
