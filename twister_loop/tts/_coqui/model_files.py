"""Coqui models of voices: their files, the characters they can speak, and their random state.

A voice is a folder with `config.json` and `model.pth`, as Coqui's own tools read it; a published
one may have `model.safetensors` instead. Weights are only read as plain tensors
(`weights_only=True`), and a configuration may only name classes of Coqui's own, so a voice from an
unknown source cannot run code.
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
from safetensors.torch import load_file, save_file
from TTS.config import load_config

from ...core.errors import ConfigError, EngineError
from .config_check import check_classes
from .voice_files import CONFIG, NO_CONFIG, NOT_A_VOICE, PUBLISHED_WEIGHTS, WEIGHTS

Model: TypeAlias = Any
"""A `GlowTTS`, `ForwardTTS` or `Vits`. `Any`, because Coqui's own annotations are often wrong."""
Names: TypeAlias = Sequence[str]
"""Names of the rows of an embedding table, in order: characters or speakers."""
PAUSES = "'.,?!"
"""Marks that change how a sentence sounds; others are read as a space, or as one of these."""
# Fewer marks leave more examples of each, and texts of other sources use other quotation marks.
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
    """Return a text as voices read it: lower case, composed, few marks, single spaces.

    >>> normalize_text("  L'ALBA «blu»:  sì…")
    "l'alba blu, sì."
    """
    # NFC, or an accent typed as a combining mark would be a character of its own to the voice.
    composed = unicodedata.normalize("NFC", text.lower().translate(MARKS))
    return re.sub(r" (?=[.,?!])", "", " ".join(composed.split()))


def collect_characters(labels: Iterable[str], texts: Iterable[str]) -> str:
    """Return the characters that a voice needs, sorted: all of the labels, letters of the texts.

    A letter of the texts that no label has gets an untrained row of the embedding; mostly its
    neighbors make up for it. A digit or a sign stands for a whole word, which a voice that was
    never trained on it could only invent, so those of the texts are left out.

    >>> collect_characters(["ab, 7"], ["bc é 8 %"])
    ' ,7abcé'
    """
    trained = {character for label in labels for character in label}
    letters = {
        character
        for text in texts
        for character in text
        # Letters and their combining marks; other scripts need both.
        if unicodedata.category(character)[0] in "LM"
    }
    return "".join(sorted(trained | letters))


def model_characters(model: Model | None) -> set[str]:
    """Return the characters that a model has a row of the embedding for; none without a model."""
    return set(model.tokenizer.characters.vocab) if model else set()


def config_characters(config: Any) -> set[str]:
    """Return the characters of a voice from its configuration, without loading its weights."""
    if config.characters is None:
        return set()
    alphabets = (config.characters[part] for part in ("characters", "phonemes", "punctuations"))
    return {character for alphabet in alphabets for character in alphabet or ""}


def prepare_text(model: Model, text: str) -> str:
    """Return a normalized text; pause marks that the model was not trained on become spaces."""
    unknown = dict.fromkeys(map(ord, set(PAUSES) - model_characters(model)), " ")
    return " ".join(normalize_text(text).translate(unknown).split())


def explain_unspeakable(model: Model, text: str) -> str:
    """Return why the model cannot speak a prepared text; an empty string if it can."""
    if not any(character not in PAUSES for character in text):
        return "there is nothing to speak"
    unknown = sorted(set(text) - model_characters(model))
    return f"the voice cannot speak {' '.join(unknown)}" if unknown else ""


def read_config(weights: Path) -> Any:
    """Return the Coqui configuration that lies beside the weights.

    Raises:
        EngineError: it is missing, cannot be read, or names code that is not Coqui's.
    """
    try:
        # This imports nothing but the class of Coqui's that describes the kind of model.
        config = load_config(weights.with_name(CONFIG))
        _ = config.audio.stats_path  # every voice has audio options
    except FileNotFoundError as cause:
        raise EngineError(f"{weights}: {NO_CONFIG}") from cause
    except Exception as cause:  # Coqui raises almost any class for broken files
        raise EngineError(f"{weights}: {NOT_A_VOICE} ({cause})") from cause
    check_classes(config, weights)
    return config


def read_state(weights: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a voice by name, on the CPU.

    Raises:
        EngineError: the file cannot be read, or contains more than tensors.
    """
    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = checkpoint["model"]
    except pickle.UnpicklingError as cause:
        raise EngineError(
            f"{weights}: contains more than tensors and could run code, so it is not loaded"
        ) from cause
    except Exception as cause:  # a broken pickle raises almost any class
        raise EngineError(f"{weights}: not the weights of a Coqui voice ({cause!r})") from cause
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise EngineError(f"{weights}: not the weights of a Coqui voice (no table of tensors)")
    return state


def load_model(
    weights: Path,
    find_objection: Callable[[Any], str | None],
    build: Callable[[Any], Model],
) -> Model:
    """Load a voice of one kind.

    Args:
        weights: the file with the weights; `config.json` lies beside it.
        find_objection: returns why a configuration is not supported, or None.
        build: makes an untrained model from a configuration.

    Raises:
        EngineError: files are missing or broken.
        ConfigError: the voice is of another kind, or of a kind that is not supported.
    """
    config, state = read_config(weights), read_state(weights)
    if reason := find_objection(config):
        raise ConfigError(f"{weights}: {reason}")
    # `normalize_text` replaces Coqui's cleaners, which differ between languages and versions.
    config.text_cleaner = None
    model = build_model(build, config, weights)
    load_weights(model, state, weights)
    return model


def build_model(build: Callable[[Any], Model], config: Any, weights: Path) -> Model:
    """Return an untrained model from the configuration of a voice.

    Raises:
        EngineError: Coqui cannot build it; the message names the file `weights`.
    """
    try:
        return build(config)
    except Exception as cause:  # as above
        raise EngineError(f"{weights}: its {CONFIG} describes no model ({cause!r})") from cause


def load_weights(model: Model, state: Mapping[str, torch.Tensor], weights: Path) -> None:
    """Load tensors into a model.

    Raises:
        EngineError: names or shapes differ; the message names the file `weights`.
    """
    try:
        model.load_state_dict(state)
    except RuntimeError as cause:
        raise EngineError(f"{weights}: does not fit the {CONFIG} beside it ({cause})") from cause


def extend_model(
    model: Model, characters: str, embedding: str, build: Callable[[Any], Model]
) -> Model:
    """Return the model with rows for more characters; everything else keeps its weights.

    `embedding` is the name of the tensor that has a row for every character.
    """
    before = list(model.tokenizer.characters.vocab)
    new = sorted(set(characters) - set(before))
    if not new:
        return model
    # Their order does not matter: `copy_weights` goes by names.
    model.config.characters.characters = model.tokenizer.characters.characters + "".join(new)
    extended = build(model.config)
    copy_weights(extended, model, {embedding: (before, extended.tokenizer.characters.vocab)})
    return extended


def copy_weights(new: Model, old: Model, tables: Mapping[str, tuple[Names, Names]]) -> None:
    """Copy the weights of one model into another that has more rows in some tables.

    `tables` maps the name of a tensor (rows, size) to the names of its old and of its new rows.
    A row whose name is new keeps its initial values.
    """
    initial, state = new.state_dict(), old.state_dict()
    for table, (old_names, new_names) in tables.items():
        old_rows = {name: row for row, name in enumerate(old_names)}
        # By name, for Coqui sorts its characters: a new one moves the rows of others.
        rows = initial[table].clone()  # (names, size)
        for row, name in enumerate(new_names):
            if name in old_rows:
                rows[row] = state[table][old_rows[name]]
        state[table] = rows
    new.load_state_dict({**initial, **state})


def save_model(model: Model, folder: Path) -> None:
    """Write configuration and weights of a voice; the weights appear last, and complete."""
    model.config.save_json(folder / CONFIG)
    save_weights(model, folder)


def save_weights(model: Model, folder: Path) -> None:
    """Write the weights of a voice as `model.pth`, which appears complete or not at all."""
    scratch = folder / f".{WEIGHTS}"
    # From the CPU, so that a machine without a GPU can load them.
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    with scratch.open("wb") as file:
        torch.save({"model": state}, file)
    # Renaming is atomic, so a kill cannot leave half a file under the final name.
    scratch.replace(folder / WEIGHTS)


def publish_model(model: Model, folder: Path) -> Path:
    """Write a voice in float16 for publication and return the file with its weights.

    That halves its size; synthesis then runs in float32 as before.
    """
    model.config.save_json(folder / CONFIG)
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    # Counters such as num_batches_tracked are integers, and stay so.
    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in state.items()
    }
    save_file(halved, folder / PUBLISHED_WEIGHTS)
    # safetensors creates its files with mode 0600; a published file is for everybody.
    (folder / PUBLISHED_WEIGHTS).chmod(0o644)
    return folder / PUBLISHED_WEIGHTS


@contextmanager
def capture_output(path: Path | None = None) -> Iterator[None]:
    """Send what Coqui prints and logs to a file, or nowhere; restore streams and loggers after.

    Coqui prints to stdout, which belongs to the user of a command line tool.
    """
    loggers = [logging.getLogger(name) for name in ("trainer", "TTS")]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    with (path or Path(os.devnull)).open("a", encoding="utf-8") as file:
        for logger in loggers:
            # Not propagated, or they would also appear in the log of the program.
            logger.handlers, logger.propagate = [logging.StreamHandler(file)], False
            logger.setLevel(logging.INFO)
        try:
            with redirect_stdout(file), redirect_stderr(file):
                yield
        finally:
            for logger, handlers, propagate, level in before:
                logger.handlers, logger.propagate = handlers, propagate
                logger.setLevel(level)


@contextmanager
def fork_random_state(seed: int) -> Iterator[None]:
    """Seed everything that Coqui draws from, and restore the process's random state at the end."""
    before = random.getstate(), np.random.get_state()
    # Of the CPU and of every GPU.
    with torch.random.fork_rng():
        seed_everything(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def derive_seed(name: str) -> int:
    """Return a 32-bit seed that depends on the name alone.

    Python's own `hash` of a string differs between processes.

    >>> derive_seed("text-1")
    1347614237
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and torch, which Coqui draws from."""
    random.seed(seed)
    # NumPy accepts 32 bits only.
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    # Setting the number of threads makes it explicit. Otherwise MKL may use fewer threads for
    # small products, whose sums then round differently, and a resumed training would differ.
    torch.set_num_threads(torch.get_num_threads())
