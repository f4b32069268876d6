"""A Glow-TTS voice: its folder, the letters it can speak, and how it learns of new ones.

A voice is a folder with `config.json` and `model.pth`, as Coqui's own tools read it. Weights
are only ever read as plain tensors (`weights_only`), so a stranger's file runs no code.
"""

from __future__ import annotations

import logging
import os
import pickle
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from TTS.config import load_config
from TTS.config.shared_configs import BaseAudioConfig
from TTS.tts.configs.glow_tts_config import GlowTTSConfig
from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.models.glow_tts import GlowTTS

from ..errors import ConfigError, EngineError

Model: TypeAlias = Any
"""A `GlowTTS`; Coqui's annotations say other things of it than are so."""
CONFIG, WEIGHTS = "config.json", "model.pth"
PAUSES = "'.,?!"
"""Marks that change how a sentence sounds; others are read as a space, or as one of these."""
MARKS = str.maketrans(
    {
        **dict.fromkeys('"«»“”„‹›「」『』()[]{}<>_-‐‑–—~|¿¡', " "),
        **dict.fromkeys("’‘`´", "'"),
        **dict.fromkeys(";:、，；：", ","),
        **dict.fromkeys("…。", "."),
        "？": "?",
        "！": "!",
    }
)
EMBEDDING = "encoder.emb.weight"


def spelled(text: str) -> str:
    """Bring a text to the form a voice reads: lower case, composed, few marks, single spaces."""
    composed = unicodedata.normalize("NFC", text.lower().translate(MARKS))
    return re.sub(r" (?=[.,?!])", "", " ".join(composed.split()))


def alphabet(heard: Iterable[str], asked: Iterable[str]) -> str:
    """The characters of the lesson, and what other letters the texts hold, sorted.

    A letter that was never heard has mostly a neighbor that was; a digit or a sign stands for
    a whole word, which a voice that never heard it could only make up.
    """
    known = {each for text in heard for each in text}
    letters = {each for text in asked for each in text if unicodedata.category(each)[0] in "LM"}
    return "".join(sorted(known | letters))


def known(model: Model | None) -> set[str]:
    """The characters that a voice has a place for."""
    return set(model.tokenizer.characters.vocab) if model else set()


def readable(model: Model, text: str) -> str:
    """A text as the voice reads it; a pause mark that it never learned is read as a space."""
    unknown = dict.fromkeys(map(ord, set(PAUSES) - known(model)), " ")
    return " ".join(spelled(text).translate(unknown).split())


def unspeakable(model: Model, text: str) -> str:
    """Why the voice cannot speak a readable text; empty where it can."""
    if not any(each not in PAUSES for each in text):
        return "there is nothing to speak"
    unknown = sorted(set(text) - known(model))
    return f"the voice cannot speak {' '.join(unknown)}" if unknown else ""


def create(rate: int, hidden: int, blocks: int, layers: int, characters: str) -> Model:
    """A new voice, untrained; 64 ms windows every 16 ms at 8 kHz, like that at other rates."""
    hop = 128 * 2 ** int(np.log2(rate / 8000))
    audio = BaseAudioConfig(sample_rate=rate, fft_size=4 * hop, win_length=4 * hop, hop_length=hop)
    encoder = {**GlowTTSConfig().encoder_params, "num_layers": layers}
    config = GlowTTSConfig(
        audio=audio,
        characters=CharactersConfig(characters=characters, punctuations=""),
        hidden_channels_enc=hidden,
        hidden_channels_dec=hidden,
        hidden_channels_dp=hidden,
        num_flow_blocks_dec=blocks,
        num_block_layers=layers,
        encoder_params={**encoder, "hidden_channels_ffn": 4 * hidden},
        test_sentences=[],
    )
    return GlowTTS(config)


def load(weights: Path) -> Model:
    """Read a voice of one speaker that reads letters.

    Raises EngineError where files are missing or broken, ConfigError for other kinds of voice.
    """
    try:
        config: Any = load_config(weights.with_name(CONFIG))
        state = torch.load(weights, map_location="cpu", weights_only=True)["model"]
    except (OSError, LookupError, ValueError, TypeError, ImportError, RuntimeError) as cause:
        raise EngineError(f"{weights}: not a Coqui voice that can be read ({cause})") from cause
    except pickle.UnpicklingError as cause:
        raise EngineError(f"{weights}: holds more than weights, so it is not read") from cause
    for wrong, why in (
        (config.model != "glow_tts", f"is a {config.model}; only glow_tts can be adapted so far"),
        (config.use_phonemes, "speaks phonemes; a voice that reads letters is needed"),
        (config.use_speaker_embedding or config.use_d_vector_file, "has several speakers"),
        (config.audio.stats_path, "needs statistics from a pickle file, which is not read"),
    ):
        if wrong:
            raise ConfigError(f"{weights}: the voice {why}")
    config.text_cleaner = None  # what Coqui would do to a text is done by `spelled`
    config.data_dep_init_steps = 0  # initialized from data it has been; again would undo it
    model = GlowTTS(config)
    try:
        model.load_state_dict(state)
    except RuntimeError as cause:
        raise EngineError(f"{weights}: does not fit its {CONFIG} ({cause})") from cause
    return model


def extend(model: Model, characters: str) -> Model:
    """The same voice with room for more characters; what it knew of the others it still knows."""
    known = model.tokenizer.characters
    new = sorted(set(characters) - set(known.vocab))
    if not new:
        return model
    model.config.characters.characters = known.characters + "".join(new)
    grown = GlowTTS(model.config)
    state = model.state_dict()
    table = grown.state_dict()[EMBEDDING].clone()  # (characters, hidden)
    for row, each in enumerate(grown.tokenizer.characters.vocab):
        if each in known.vocab:
            table[row] = state[EMBEDDING][known.char_to_id(each)]
    grown.load_state_dict({**state, EMBEDDING: table})
    return grown


def save(model: Model, folder: Path) -> None:
    """Write a voice; its weights appear last, and whole."""
    model.config.save_json(folder / CONFIG)
    scratch = folder / f".{WEIGHTS}"
    with scratch.open("wb") as file:
        torch.save({"model": {name: each.cpu() for name, each in model.state_dict().items()}}, file)
    scratch.replace(folder / WEIGHTS)


@contextmanager
def captured(path: Path | None = None) -> Iterator[None]:
    """Send what Coqui prints and logs to a file, or nowhere, and leave the process as it was."""
    loggers = [logging.getLogger(name) for name in ("trainer", "TTS")]
    before = [(each, each.handlers, each.propagate, each.level) for each in loggers]
    with (path or Path(os.devnull)).open("a", encoding="utf-8") as file:
        for each in loggers:
            each.handlers, each.propagate = [logging.StreamHandler(file)], False
            each.setLevel(logging.INFO)
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield
        finally:
            for each, handlers, propagate, level in before:
                each.handlers, each.propagate = handlers, propagate
                each.setLevel(level)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from this seed inside, and leave the process's own random state as it was."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        sow(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def sow(seed: int) -> None:
    """Seed everything that Coqui draws from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    # Said explicitly, or MKL may take fewer threads for small sums, and they end otherwise.
    torch.set_num_threads(torch.get_num_threads())
