"""A Coqui voice: its folder, the letters it can speak, and how it learns of new ones.

A voice is a folder with `config.json` and `model.pth`, as Coqui's own tools read it; one that is
handed on may have `model.safetensors` instead. Weights are only ever read as plain tensors
(`weights_only`), so a stranger's file runs no code.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import random
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from TTS.config import load_config

from ...core.errors import ConfigError, EngineError

Model: TypeAlias = Any
"""A `GlowTTS` or `Vits`; Coqui's annotations say other things of them than are so."""
Names: TypeAlias = Sequence[str]
CONFIG, WEIGHTS = "config.json", "model.pth"
DOWNLOADED_WEIGHTS = "model_file.pth"
"""What Coqui's own downloader calls the weights."""
PUBLISHED_WEIGHTS = "model.safetensors"
"""The weights of a voice that is handed on."""
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


def normalize_text(text: str) -> str:
    """Bring a text to the form a voice reads: lower case, composed, few marks, single spaces."""
    composed = unicodedata.normalize("NFC", text.lower().translate(MARKS))
    return re.sub(r" (?=[.,?!])", "", " ".join(composed.split()))


def collect_characters(heard: Iterable[str], asked: Iterable[str]) -> str:
    """The characters of the lesson, and what other letters the texts hold, sorted.

    A letter that was never heard has mostly a neighbor that was; a digit or a sign stands for
    a whole word, which a voice that never heard it could only make up.
    """
    known = {each for text in heard for each in text}
    letters = {each for text in asked for each in text if unicodedata.category(each)[0] in "LM"}
    return "".join(sorted(known | letters))


def model_characters(model: Model | None) -> set[str]:
    """The characters that a voice has a place for."""
    return set(model.tokenizer.characters.vocab) if model else set()


def config_characters(config: Any) -> set[str]:
    """The same of a voice that is not loaded."""
    if config.characters is None:
        return set()
    written = (config.characters[each] for each in ("characters", "phonemes", "punctuations"))
    return {each for letters in written for each in letters or ""}


def prepare_text(model: Model, text: str) -> str:
    """A text as the voice reads it; a pause mark that it never learned is read as a space."""
    unknown = dict.fromkeys(map(ord, set(PAUSES) - model_characters(model)), " ")
    return " ".join(normalize_text(text).translate(unknown).split())


def explain_unspeakable(model: Model, text: str) -> str:
    """Why the voice cannot speak a readable text; empty where it can."""
    if not any(each not in PAUSES for each in text):
        return "there is nothing to speak"
    unknown = sorted(set(text) - model_characters(model))
    return f"the voice cannot speak {' '.join(unknown)}" if unknown else ""


def find_weights(place: Path) -> Path:
    """The weights of a voice: the file itself, or the one in a folder."""
    names = (WEIGHTS, DOWNLOADED_WEIGHTS, PUBLISHED_WEIGHTS)
    found = (place / each for each in names if (place / each).is_file())
    return next(found, place / WEIGHTS) if place.is_dir() else place


def read_config(weights: Path) -> Any:
    """What a voice is, from beside its weights. Raises EngineError where that cannot be read."""
    try:
        return load_config(weights.with_name(CONFIG))
    except FileNotFoundError as cause:
        raise EngineError(f"{weights}: no {CONFIG} beside it, to say what voice it is") from cause
    except (OSError, LookupError, ValueError, TypeError, ImportError) as cause:
        raise EngineError(f"{weights}: its {CONFIG} is no Coqui voice's ({cause})") from cause


def read_state(weights: Path) -> dict[str, torch.Tensor]:
    """The tensors of a voice by name. Raises EngineError where they cannot be read."""
    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        loaded = torch.load(weights, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = loaded["model"]
    except pickle.UnpicklingError as cause:
        raise EngineError(f"{weights}: holds more than weights, so it is not read") from cause
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, SafetensorError) as cause:
        raise EngineError(f"{weights}: not a Coqui voice that can be read ({cause})") from cause
    return state


def explain_unfit(config: Any, kind: str) -> str | None:
    """Why a voice cannot be gone on with here; None where it can."""
    for wrong, why in (
        (config.model != kind, f"is a {config.model}, not a {kind}"),
        (config.use_phonemes, "speaks phonemes; one that reads letters is needed"),
        (config.audio.stats_path, "needs statistics from a pickle file, which is not read"),
    ):
        if wrong:
            return f"the voice {why}"
    return None


def load_model(
    weights: Path, unfit: Callable[[Any], str | None], build: Callable[[Any], Model]
) -> Model:
    """A voice of one kind; `unfit` says why a configuration is none that can be gone on with.

    Raises EngineError where files are missing or broken, ConfigError for other voices.
    """
    config, state = read_config(weights), read_state(weights)
    if why := unfit(config):
        raise ConfigError(f"{weights}: {why}")
    config.text_cleaner = None  # what Coqui would do to a text is done by `spelled`
    model = build(config)
    try:
        model.load_state_dict(state)
    except RuntimeError as cause:
        raise EngineError(f"{weights}: does not fit its {CONFIG} ({cause})") from cause
    return model


def extend_model(
    model: Model, characters: str, letters: str, build: Callable[[Any], Model]
) -> Model:
    """The same voice with room for more characters; what it knew of the others it still knows.

    `letters` is the name of the weights that have a row for every character.
    """
    before = list(model.tokenizer.characters.vocab)
    new = sorted(set(characters) - set(before))
    if not new:
        return model
    model.config.characters.characters = model.tokenizer.characters.characters + "".join(new)
    grown = build(model.config)
    copy_weights(grown, model, {letters: (before, grown.tokenizer.characters.vocab)})
    return grown


def copy_weights(new: Model, old: Model, tables: Mapping[str, tuple[Names, Names]]) -> None:
    """Give a voice what another knows.

    `tables` are the weights that have a row for every name: by the names of the rows that there
    were, and of those that there are. A row that is new stays as it was drawn.
    """
    begun, state = new.state_dict(), old.state_dict()
    for table, (before, now) in tables.items():
        places = {name: row for row, name in enumerate(before)}
        rows = begun[table].clone()  # (names, size)
        for row, name in enumerate(now):
            if name in places:
                rows[row] = state[table][places[name]]
        state[table] = rows
    new.load_state_dict({**begun, **state})


def save_model(model: Model, folder: Path) -> None:
    """Write a voice; its weights appear last, and whole."""
    model.config.save_json(folder / CONFIG)
    save_weights(model, folder)


def save_weights(model: Model, folder: Path) -> None:
    scratch = folder / f".{WEIGHTS}"
    with scratch.open("wb") as file:
        torch.save({"model": {name: each.cpu() for name, each in model.state_dict().items()}}, file)
    scratch.replace(folder / WEIGHTS)


def publish_model(model: Model, folder: Path) -> Path:
    """Write a voice to be handed on, at half the size: float16, which speaks the same."""
    model.config.save_json(folder / CONFIG)
    state = {name: each.cpu() for name, each in model.state_dict().items()}
    half = {name: each.half() if each.is_floating_point() else each for name, each in state.items()}
    save_file({name: each.contiguous() for name, each in half.items()}, folder / PUBLISHED_WEIGHTS)
    (folder / PUBLISHED_WEIGHTS).chmod(0o644)  # safetensors keeps it to the owner
    return folder / PUBLISHED_WEIGHTS


@contextmanager
def capture_output(path: Path | None = None) -> Iterator[None]:
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
def fork_random_state(seed: int) -> Iterator[None]:
    """Draw from this seed inside, and leave the process's own random state as it was."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        seed_everything(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def derive_seed(name: str) -> int:
    """The same number for the same name, everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def seed_everything(seed: int) -> None:
    """Seed everything that Coqui draws from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    # Said explicitly, or MKL may take fewer threads for small sums, and they end otherwise.
    torch.set_num_threads(torch.get_num_threads())
