"""Toy language in which every letter is a pitch: speech without models, learned in milliseconds.

With it the whole loop runs, and improves, in tests and on a laptop without torch.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..core.errors import AudioError
from ..core.manifest import Manifest
from ..core.types import Hertz
from . import io as audio
from .augmentation import load_audio

log = logging.getLogger(__name__)

LETTERS = "abcdefghijklmnopqrstuvwxyz "
SAMPLES_PER_LETTER = 800
"""Duration of a letter: 50 ms at 16 kHz, which resolves pitches to 20 Hz."""
MAX_PITCH_ERROR: Hertz = 15.0
"""A pitch that is farther than this from every letter's counts as unknown. Letters are 60 Hz
apart, and the measured pitch is at most 10 Hz off."""

Codebook = Mapping[str, Hertz]
"""Pitch of each letter."""


def standard_codebook(letters: str = LETTERS) -> Codebook:
    """Return the pitches with which everybody in the toy world speaks these letters."""
    # From 400 to 1960 Hz, so that a telephone line passes all of them.
    return {letter: 400.0 + 60 * LETTERS.index(letter) for letter in letters}


def synthesize(text: str, codebook: Codebook) -> audio.Samples:
    """Return the text as tones, (n_samples,) at 16 kHz; letters without a pitch are left out."""
    time = np.arange(SAMPLES_PER_LETTER) / audio.SAMPLE_RATE
    tones = [np.sin(2 * np.pi * codebook[letter] * time) for letter in text if letter in codebook]
    if not tones:
        return np.zeros(SAMPLES_PER_LETTER, np.float32)
    return (0.5 * np.concatenate(tones)).astype(np.float32)


def detect_pitches(samples: audio.Samples) -> list[Hertz]:
    """Return the loudest frequency in the time of each letter, to the nearest 20 Hz."""
    # The end of a cut recording may be a part of a letter.
    whole = samples[: len(samples) // SAMPLES_PER_LETTER * SAMPLES_PER_LETTER]
    slots = whole.reshape(-1, SAMPLES_PER_LETTER)  # (n_letters, SAMPLES_PER_LETTER)
    loudest = np.abs(np.fft.rfft(slots)).argmax(axis=1)  # (n_letters,)
    return [float(bin_ * audio.SAMPLE_RATE / SAMPLES_PER_LETTER) for bin_ in loudest]


def transcribe(samples: audio.Samples, codebook: Codebook) -> tuple[str, float]:
    """Return the text, and the natural logarithm of the share of letters with a known pitch.

    >>> transcribe(synthesize("a rose", standard_codebook()), standard_codebook())
    ('a rose', 0.0)
    """
    text, sure_letters = "", 0
    pitches = detect_pitches(samples)
    for pitch in pitches:
        letter = min(codebook, key=lambda candidate: abs(codebook[candidate] - pitch))
        text += letter
        sure_letters += abs(codebook[letter] - pitch) < MAX_PITCH_ERROR
    # Not below a tenth of a letter: the logarithm of 0 is not a number that JSON can hold.
    share = max(sure_letters, 0.1) / max(len(pitches), 1)
    return text, round(float(np.log(share)), 4)


def train(codebook: Codebook, training_set: Manifest) -> Codebook:
    """Return the codebook with the median pitch of every letter in the training texts."""
    observed: dict[str, list[Hertz]] = defaultdict(list)
    for utterance in training_set:
        try:
            _, samples = load_audio(training_set, utterance, epoch=1)
        except AudioError as error:
            log.warning("skipping %s in training: %s", utterance.id, error)
            continue
        # A pseudo-label may be longer or shorter than the speech.
        for letter, pitch in zip(utterance.text or "", detect_pitches(samples), strict=False):
            observed[letter].append(pitch)
    # The median, because some letters of pseudo-labels are wrong.
    learned = {letter: float(np.median(pitches)) for letter, pitches in observed.items()}
    return {**codebook, **learned}


def average(codebooks: Sequence[Codebook]) -> Codebook:
    """Return the mean pitch of every letter that all codebooks have.

    >>> average([{"a": 400.0, "b": 460.0}, {"a": 420.0}])
    {'a': 410.0}
    """
    shared = [letter for letter in codebooks[0] if all(letter in book for book in codebooks)]
    return {letter: float(np.mean([book[letter] for book in codebooks])) for letter in shared}


def save(codebook: Codebook, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codebook.json").write_text(json.dumps(dict(codebook)))


def load(folder: Path) -> Codebook:
    codebook: Codebook = json.loads((folder / "codebook.json").read_text())
    return codebook
