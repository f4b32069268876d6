"""The model of XTTS: where its weights are, what it can speak, and how it is asked.

Only plain tensors are read from a file (`weights_only`), so a stranger's file runs no code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
from TTS.tts.models.xtts import Xtts

from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import ConfigError, EngineError
from ...core.types import Language

Model: TypeAlias = Any
"""An `Xtts`, which has no types."""
XTTS_SAMPLE_RATE = 24_000
"""Hertz of what it says."""
CONFIG, WEIGHTS, VOCABULARY = MODEL_FILES = ("config.json", "model.pth", "vocab.json")
FINE_TUNING_FILES = ("mel_stats.pth", "dvae.pth")
"""What fine-tuning asks for beside those, as the hub names it: it tells sounds apart."""


class Voice(NamedTuple):
    """What XTTS remembers of a reference."""

    latents: torch.Tensor
    embedding: torch.Tensor


def find_model_folder(model: str, also: Sequence[str] = ()) -> Path:
    """The folder of the weights, a local one or the hub's. Raises ConfigError for none."""
    folder, files = Path(model).expanduser(), [*MODEL_FILES, *also]
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, allow_patterns=files))
        except (HfHubHTTPError, HFValidationError, OSError) as cause:
            raise ConfigError(
                f"xtts: no weights for {model!r}: it is no local folder, and the hub does not give "
                f"it ({str(cause).splitlines()[0]}); bring {', '.join(files)} into a folder and "
                "name it"
            ) from cause
    if missing := [name for name in files if not (folder / name).is_file()]:
        raise ConfigError(f"xtts: {folder} lacks {', '.join(missing)}")
    return folder


def explain_unsupported_language(folder: Path, lang: Language | None) -> str | None:
    """Why a model cannot speak any text in a language, or None."""
    config = XttsConfig()
    config.load_json(str(folder / CONFIG))
    if wrong := _unspoken(config, lang):
        return wrong
    try:  # some languages are brought into another script, by packages of their own
        VoiceBpeTokenizer(str(folder / VOCABULARY)).encode("a", _named(lang or ""))
    except ImportError as cause:
        return f"{cause}, to read {lang!r}: pip install 'coqui-tts[languages]'"
    return None


def _unspoken(config: Any, lang: Language | None) -> str | None:
    if lang is None:
        return "XTTS must be told the language of a text"
    return None if _named(lang) in config.languages else f"XTTS does not speak {lang!r}"


def load_model(folder: Path) -> Model:
    """Raises EngineError where the folder holds no such model."""
    config = XttsConfig()
    try:
        config.load_json(str(folder / CONFIG))
        model = Xtts(config)
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    except Exception as cause:
        raise EngineError(f"{folder}: no XTTS model that can be loaded ({cause})") from cause
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def explain_unspeakable(model: Model, text: str, lang: Language | None) -> str | None:
    """Why a text cannot be spoken, or None."""
    if not text.strip():
        return "there is nothing to speak"
    if wrong := _unspoken(model.config, lang):
        return wrong
    limit = model.tokenizer.char_limits.get(lang, 250)
    if len(text) > limit:
        return f"{len(text)} characters are more than the {limit} that XTTS speaks in {lang!r}"
    return None


def encode_text(model: Model, text: str, lang: Language | None) -> list[int]:
    """What the GPT part reads; nothing for what it does not speak."""
    if explain_unspeakable(model, text, lang):
        return []
    tokens: list[int] = model.tokenizer.encode(text.strip().lower(), _named(lang or ""))
    return tokens


def compute_voice(model: Model, samples: Samples) -> Voice:
    """What the model needs of a clip at 16 kHz, to speak as its speaker does.

    Without the file that Coqui's own way reads, so without FFmpeg.
    """
    waves = torch.from_numpy(np.ascontiguousarray(samples))[None].to(model.device)
    config = model.config
    heard = waves[:, : SAMPLE_RATE * config.max_ref_len]
    length, chunk = config.gpt_cond_len, config.gpt_cond_chunk_len
    return Voice(
        model.get_gpt_cond_latents(waves, SAMPLE_RATE, length=length, chunk_length=chunk),
        model.get_speaker_embedding(heard, SAMPLE_RATE),
    )


def synthesize_samples(
    model: Model, text: str, lang: Language | None, voice: Voice, temperature: float, speed: float
) -> np.ndarray:
    """Samples at `RATE`."""
    config = model.config
    said = model.inference(
        text,
        _named(lang or ""),
        voice.latents,
        voice.embedding,
        temperature=temperature,
        length_penalty=config.length_penalty,
        repetition_penalty=config.repetition_penalty,
        top_k=config.top_k,
        top_p=config.top_p,
        speed=speed,
    )
    return np.asarray(said["wav"], dtype=np.float32)


def _named(lang: Language) -> str:
    return "zh-cn" if lang == "zh" else lang
