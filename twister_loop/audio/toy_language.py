"""A toy language in which every letter is a pitch: speech without models, learning in milliseconds.

It lets the whole loop run, and improve, in tests and on a laptop with no torch installed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.manifest import Manifest
from ..core.types import Hertz
from . import io as audio
from .augmentation import load_audio

LETTERS = "abcdefghijklmnopqrstuvwxyz "
SAMPLES_PER_LETTER = 800
"""Samples a letter: 50 ms at 16 kHz."""

Codebook = Mapping[str, Hertz]


def standard_codebook(letters: str = LETTERS) -> Codebook:
    """The pitches that everybody in the toy world speaks."""
    return {letter: 400.0 + 60 * LETTERS.index(letter) for letter in letters}


def synthesize(text: str, codebook: Codebook) -> audio.Samples:
    time = np.arange(SAMPLES_PER_LETTER) / audio.SAMPLE_RATE
    tones = [np.sin(2 * np.pi * codebook[letter] * time) for letter in text if letter in codebook]
    return (0.5 * np.concatenate(tones)).astype(np.float32) if tones else np.zeros(SAMPLES_PER_LETTER, np.float32)


def detect_pitches(samples: audio.Samples) -> list[Hertz]:
    """The loudest frequency of every slot, to the nearest 20 Hz."""
    slots = samples[: len(samples) // SAMPLES_PER_LETTER * SAMPLES_PER_LETTER].reshape(-1, SAMPLES_PER_LETTER)  # (n_letters, SLOT)
    loudest = np.abs(np.fft.rfft(slots)).argmax(axis=1)  # (n_letters,)
    return [float(bin_ * audio.SAMPLE_RATE / SAMPLES_PER_LETTER) for bin_ in loudest]


def transcribe(samples: audio.Samples, codebook: Codebook) -> tuple[str, float]:
    """The text, and the logarithm of the share of letters whose pitch is really known."""
    text, sure = "", 0
    heard = detect_pitches(samples)
    for pitch in heard:
        letter = min(codebook, key=lambda known: abs(codebook[known] - pitch))
        text += letter
        sure += abs(codebook[letter] - pitch) < 15
    return text, round(float(np.log(max(sure, 0.1) / max(len(heard), 1))), 4)


def train(codebook: Codebook, training_set: Manifest) -> Codebook:
    """The codebook, with the median pitch of every letter that the lesson spells out."""
    seen: dict[str, list[Hertz]] = defaultdict(list)
    for utterance in training_set:
        for letter, pitch in zip(
            utterance.text or "", detect_pitches(load_audio(training_set, utterance, 1)[1]), strict=False
        ):
            seen[letter].append(pitch)
    return {**codebook, **{letter: float(np.median(heard)) for letter, heard in seen.items()}}


def save(codebook: Codebook, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codebook.json").write_text(json.dumps(dict(codebook)))


def load(folder: Path) -> Codebook:
    codebook: Codebook = json.loads((folder / "codebook.json").read_text())
    return codebook
