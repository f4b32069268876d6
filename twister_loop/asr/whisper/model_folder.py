"""Facts about a Whisper that its configuration tells: sizes, languages, margins, without PyTorch.

`twister check` and the check before a round read them; importing PyTorch would take seconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError, EngineError
from ...core.segments import MAX_WINDOW, timestamp_index
from ...core.types import Checkpoint, Language, Seconds, Utterance

WINDOW_LENGTH: Seconds = MAX_WINDOW
"""Longest audio that Whisper's encoder takes."""
UNTRAINED_MARGIN: Seconds = 5.0
"""Smallest margin for a model that was trained on full windows only. With it, labels by untouched
base weights differ from those in the 30 s window in 3.6 % of the characters (BENCHMARKS.md)."""
CANDIDATE_MARGINS: tuple[Seconds, ...] = (1.0, 2.0, 3.0, 5.0, 10.0)
"""Margins that are tried before labeling, the fastest first."""
NO_TIMESTAMPS = "this Whisper has no timestamps in its vocabulary"
POSITION_SECONDS: Seconds = 0.02
"""Audio per position of the encoder: two frames of 10 ms."""
LONGEST_CLIP: Seconds = WINDOW_LENGTH + POSITION_SECONDS  # durations in manifests are rounded
CONFIG, GENERATION_CONFIG = "config.json", "generation_config.json"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")
FEATURE_FILES = ("preprocessor_config.json", "processor_config.json")
"""Files with the options of the features; transformers 5 writes the second."""
NOT_LOADABLE = "not a Whisper model that can be loaded"
HALF_PRECISION = frozenset({"float16", "bfloat16"})


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of a Whisper, under the names and with the defaults of transformers' `WhisperConfig`.

    >>> ModelSizes(d_model=512, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=2048,
    ...            decoder_ffn_dim=2048).count_parameters()
    72593920
    """

    d_model: int = 384
    encoder_layers: int = 4
    decoder_layers: int = 4
    encoder_ffn_dim: int = 1536
    decoder_ffn_dim: int = 1536
    vocab_size: int = 51865
    num_mel_bins: int = 80
    max_source_positions: int = 1500
    max_target_positions: int = 448

    def count_parameters(self) -> int:
        """Count the parameters; the token embedding counts once, as output layer too."""
        width = self.d_model
        attention = 4 * width * width + 3 * width  # keys have no bias
        layer_norm = 2 * width
        encoder_feed_forward, decoder_feed_forward = (
            2 * width * inner + inner + width
            for inner in (self.encoder_ffn_dim, self.decoder_ffn_dim)
        )
        encoder_layer = attention + encoder_feed_forward + 2 * layer_norm
        decoder_layer = 2 * attention + decoder_feed_forward + 3 * layer_norm
        encoder = self.encoder_layers * encoder_layer + layer_norm
        decoder = self.decoder_layers * decoder_layer + layer_norm
        convolutions = 3 * width * (self.num_mel_bins + width) + 2 * width
        position_embeddings = width * (self.max_source_positions + self.max_target_positions)
        token_embedding = self.vocab_size * width
        return encoder + decoder + convolutions + position_embeddings + token_embedding


@dataclass(frozen=True)
class ModelDescription:
    """A Whisper without its weights: what it can transcribe, and how large it is."""

    sizes: ModelSizes
    languages: frozenset[Language]
    """Languages of its vocabulary; empty for an English-only model."""
    has_timestamps: bool
    """Whether the vocabulary has timestamps, as those of all published models have."""
    dtype: str
    """Number format of the stored weights: float32, float16 or bfloat16."""
    trained_margin: Seconds = UNTRAINED_MARGIN
    """Least margin of silence after a clip; our own training writes it."""

    @property
    def stored_bytes(self) -> int:
        """Return the bytes of the weights as they are stored."""
        return self.sizes.count_parameters() * (2 if self.dtype in HALF_PRECISION else 4)


def describe_folder(folder: Path) -> ModelDescription:
    """Describe the model in a transformers folder.

    Raises:
        EngineError: The folder holds no Whisper, or lacks a file that decoding needs.
    """
    config = _read_config(folder, CONFIG)
    generation_config = _read_config(folder, GENERATION_CONFIG)
    for names in (TOKENIZER_FILES, FEATURE_FILES):
        if not any((folder / name).is_file() for name in names):
            raise EngineError(f"{folder}: {NOT_LOADABLE} (it has no {' or '.join(names)})")
    try:
        # Configurations of before transformers 5 call it `torch_dtype`.
        dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        sizes = ModelSizes(
            **{size.name: int(config.get(size.name, size.default)) for size in fields(ModelSizes)}
        )
        first_timestamp = int(generation_config["no_timestamps_token_id"]) + 1
        return ModelDescription(
            sizes=sizes,
            languages=frozenset(
                name.strip("<|>") for name in generation_config.get("lang_to_id") or ()
            ),
            has_timestamps=sizes.vocab_size > first_timestamp + timestamp_index(WINDOW_LENGTH),
            dtype=dtype,
            trained_margin=float(config.get("trained_margin", UNTRAINED_MARGIN)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        reason = f"{GENERATION_CONFIG} has no {cause}" if isinstance(cause, KeyError) else cause
        raise EngineError(f"{folder}: {NOT_LOADABLE} ({reason})") from cause


def _read_config(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        reason = f"it has no {name}" if isinstance(cause, OSError) else f"{name} is not JSON"
        raise EngineError(f"{folder}: {NOT_LOADABLE} ({reason})") from cause
    if not isinstance(content, dict):
        raise EngineError(f"{folder}: {NOT_LOADABLE} ({name} is no table)")
    return content


def list_weight_files(folder: Path) -> list[Path]:
    """Return the files of a transformers folder that hold weights; large models have several.

    Raises:
        ConfigError: there are none.
    """
    files = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files or not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{folder}: there is no Whisper model here (config.json and model.safetensors)"
        )
    return files


def weights_folder(checkpoint: Checkpoint) -> Path:
    """Return the transformers folder of a checkpoint.

    Raises:
        EngineError: the checkpoint belongs to another engine.
    """
    if checkpoint.engine != "whisper":
        raise EngineError(f"whisper cannot load weights of the engine {checkpoint.engine}")
    return checkpoint.location


def explain_too_long(utterance: Utterance) -> str | None:
    """Return why an utterance is too long to be one clip, or None if it is not."""
    if utterance.duration <= LONGEST_CLIP:
        return None
    return f"{utterance.duration:.1f} s is longer than the 30 s of a clip; cut it at pauses first"
