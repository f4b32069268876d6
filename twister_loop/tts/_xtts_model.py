"""The model of XTTS: where its weights are, what it can speak, and how it is asked.

Only plain tensors are read from a file (`weights_only`), so a stranger's file runs no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts

from ..audio import SAMPLE_RATE, Samples
from ..errors import ConfigError, EngineError
from ..records import Language

Model: TypeAlias = Any
"""An `Xtts`, which has no types."""
RATE = 24_000
"""Hertz of what it says."""
FILES = ("config.json", "model.pth", "vocab.json")


class Voice(NamedTuple):
    """What XTTS remembers of a reference."""

    latents: torch.Tensor
    embedding: torch.Tensor


def find(model: str) -> Path:
    """The folder of the weights, a local one or the hub's. Raises ConfigError for none."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, allow_patterns=list(FILES)))
        except (HfHubHTTPError, HFValidationError, OSError) as cause:
            raise ConfigError(
                f"xtts: no weights for {model!r}: it is no local folder, and the hub does not give "
                f"it ({str(cause).splitlines()[0]}); bring {', '.join(FILES)} into a folder and "
                "name it"
            ) from cause
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise ConfigError(f"xtts: {folder} lacks {', '.join(missing)}")
    return folder


def load(folder: Path) -> Model:
    """Raises EngineError where the folder holds no such model."""
    config = XttsConfig()
    try:
        config.load_json(str(folder / "config.json"))
        model = Xtts(config)
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    except Exception as cause:
        raise EngineError(f"{folder}: no XTTS model that can be loaded ({cause})") from cause
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def unspeakable(model: Model, text: str, lang: Language | None) -> str | None:
    """Why a text cannot be spoken, or None."""
    if not text.strip():
        return "there is nothing to speak"
    if lang is None:
        return "XTTS must be told the language of a text"
    if _named(lang) not in model.config.languages:
        return f"XTTS does not speak {lang!r}"
    limit = model.tokenizer.char_limits.get(lang, 250)
    if len(text) > limit:
        return f"{len(text)} characters are more than the {limit} that XTTS speaks in {lang!r}"
    return None


def voice_of(model: Model, samples: Samples) -> Voice:
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


def speak(
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
