"""Training data for the tests of voices: a language whose letters are pitches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance

LETTERS = "abdeilnorst"
SAMPLES_PER_LETTER = 2000
"""An eighth of a second."""
NO_CHAMPION: Any = None
"""Stands for the champion, which neural voices do not use."""


def tones(text: str) -> audio.Samples:
    """Return a tone of another pitch for every letter, and silence for a space."""
    seconds = np.arange(SAMPLES_PER_LETTER) / audio.SAMPLE_RATE
    pitches = [200.0 + 90 * LETTERS.find(letter) if letter != " " else 0.0 for letter in text]
    waves = [0.3 * np.sin(2 * np.pi * pitch * seconds) for pitch in pitches]
    return np.concatenate(waves).astype("f4")


def write_labeled_clips(
    folder: Path, clips: int = 24, speaker: str = "ada", first: int = 0
) -> Manifest:
    """Write clips of random sentences of one speaker, numbered from `first` on."""
    rng = np.random.default_rng(first)
    utterances = []
    for number in range(first, first + clips):
        letters = "".join(rng.choice(list(LETTERS), size=rng.integers(9, 14)))
        text = f"{letters[:4].capitalize()} {letters[4:]}."
        path = folder / "audio" / f"{number}.wav"
        # Half a second of silence before the clip, to test that its offset is respected.
        seconds = audio.write(np.concatenate([np.zeros(8000, "f4"), tones(text)]), path)
        utterances.append(
            Utterance(
                id=f"clip-{number}",
                text=text,
                speaker=speaker,
                audio_filepath=path,
                offset=0.5,
                duration=seconds - 0.5,
            )
        )
    return Manifest.write(utterances, folder)


def write_texts(folder: Path, *texts: str) -> Manifest:
    utterances = (Utterance(id=f"text-{n}", text=text) for n, text in enumerate(texts))
    return Manifest.write(utterances, folder)


def read_losses(folder: Path) -> list[tuple[int, float]]:
    """Return step and loss of every step that a training of a voice has recorded."""
    lines = (folder / "training.jsonl").read_text().splitlines()
    return [(record["step"], record["loss"]) for record in map(json.loads, lines)]
