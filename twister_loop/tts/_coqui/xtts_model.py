"""Coqui's XTTS v2: its files, the languages it speaks, and inference.

Weights are only read as plain tensors (`weights_only=True`), so a file from an unknown source
cannot run code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
from TTS.tts.models.xtts import Xtts

from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import EngineError
from ...core.types import Language
from .config_check import check_classes
from .xtts_files import CONFIG, VOCABULARY, WEIGHTS

Model: TypeAlias = Any
"""An `Xtts`, which has no type annotations."""
XTTS_SAMPLE_RATE = 24_000
"""Hertz of its output."""
LANGUAGE_MARK = re.compile(r"\[[a-z]{2}(?:-[a-z]{2})?\]", re.IGNORECASE)
"""Spelling of the marks of languages in XTTS' vocabulary: `[it]`, `[zh-cn]`."""
DEFAULT_CHARACTER_LIMIT = 250
"""Most characters of a text in a language without a limit of its own; Coqui's own default."""


class ReferenceVoice(NamedTuple):
    """Voice of a reference clip, as the model is conditioned on it."""

    latents: torch.Tensor
    """Input of the GPT part."""
    embedding: torch.Tensor
    """Input of the decoder."""


def explain_unsupported_language(folder: Path, lang: Language | None) -> str | None:
    """Return why a model cannot speak texts in a language, or None if it can."""
    config = XttsConfig()
    try:
        config.load_json(str(folder / CONFIG))
    except Exception as cause:  # Coqui raises almost any class for broken files
        return f"{folder / CONFIG} cannot be read ({cause})"
    if reason := _explain_unknown_language(config, lang):
        return reason
    # Some languages are transliterated, by packages that are only imported for the first text.
    try:
        VoiceBpeTokenizer(str(folder / VOCABULARY)).encode("a", _xtts_language(lang or ""))
    except ImportError as cause:
        return f"{cause}, to read {lang!r}: pip install 'coqui-tts[languages]'"
    return None


def _explain_unknown_language(config: Any, lang: Language | None) -> str | None:
    if lang is None:
        return "XTTS needs the language of a text (`lang`)"
    return None if _xtts_language(lang) in config.languages else f"XTTS does not speak {lang!r}"


def load_model(folder: Path) -> Model:
    """Load a model onto the GPU if there is one.

    Raises:
        EngineError: the folder does not contain a model that can be loaded.
    """
    config = XttsConfig()
    try:
        config.load_json(str(folder / CONFIG))
        check_classes(config, folder / WEIGHTS)
        model = Xtts(config)
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
    except Exception as cause:  # Coqui raises almost any class for broken files
        raise EngineError(f"{folder}: no XTTS model that can be loaded ({cause})") from cause
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def explain_unspeakable(model: Model, text: str, lang: Language | None) -> str | None:
    """Return why a text cannot be spoken, or None if it can."""
    if not text.strip():
        return "there is nothing to speak"
    if reason := _explain_unknown_language(model.config, lang):
        return reason
    # Its tokenizer takes the name of a language in brackets for a mark, wherever it stands.
    if mark := LANGUAGE_MARK.search(text):
        return f"{mark[0]} would become a mark of the language, which is not spoken"
    # Coqui only warns about longer texts, and may cut off their speech.
    limit = model.tokenizer.char_limits.get(lang, DEFAULT_CHARACTER_LIMIT)
    if len(text) > limit:
        return f"{len(text)} characters are more than the {limit} that XTTS speaks in {lang!r}"
    return None


def encode_text(model: Model, text: str, lang: Language | None) -> list[int]:
    """Return the token ids that the GPT part reads; none for a text that cannot be spoken."""
    if explain_unspeakable(model, text, lang):
        return []
    token_ids: list[int] = model.tokenizer.encode(text.strip().lower(), _xtts_language(lang or ""))
    return token_ids


def compute_voice(model: Model, samples: Samples) -> ReferenceVoice:
    """Return the voice of a reference clip, given its samples (n_samples,) at 16 kHz.

    Coqui's own method reads a file, with torchaudio and thus FFmpeg; this one does not.
    """
    waveform = torch.from_numpy(np.ascontiguousarray(samples))[None].to(model.device)
    config = model.config
    reference = waveform[:, : SAMPLE_RATE * config.max_ref_len]
    # `get_gpt_cond_latents` limits the length of the clip itself, `get_speaker_embedding` does not.
    latents = model.get_gpt_cond_latents(
        waveform, SAMPLE_RATE, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
    )
    return ReferenceVoice(latents, model.get_speaker_embedding(reference, SAMPLE_RATE))


def synthesize_samples(
    model: Model,
    text: str,
    lang: Language | None,
    voice: ReferenceVoice,
    temperature: float,
    speed: float,
) -> np.ndarray:
    """Return float32 samples (n_samples,) at `XTTS_SAMPLE_RATE`."""
    config = model.config
    output = model.inference(
        text,
        _xtts_language(lang or ""),
        voice.latents,
        voice.embedding,
        temperature=temperature,
        length_penalty=config.length_penalty,
        repetition_penalty=config.repetition_penalty,
        top_k=config.top_k,
        top_p=config.top_p,
        speed=speed,
    )
    return np.asarray(output["wav"], dtype=np.float32)


def _xtts_language(lang: Language) -> str:
    """Return the code that XTTS has for a language."""
    return "zh-cn" if lang == "zh" else lang
