"""What voices learn from in tests: a language whose letters are pitches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance

LETTERS = "abdeilnorst"
NO_CHAMPION: Any = None
"""The champion, whom these voices ask nothing."""


def tones(text: str) -> audio.Samples:
    """An eighth of a second of another pitch for every letter; a pause for a space."""
    time_ = np.arange(2000) / audio.SAMPLE_RATE
    pitches = [200.0 + 90 * LETTERS.find(each) if each != " " else 0.0 for each in text]
    return np.concatenate([0.3 * np.sin(2 * np.pi * each * time_) for each in pitches]).astype("f4")


def write_labeled_clips(
    folder: Path, clips: int = 24, speaker: str = "ada", first: int = 0
) -> Manifest:
    rng = np.random.default_rng(first)
    made = []
    for number in range(first, first + clips):
        letters = "".join(rng.choice(list(LETTERS), size=rng.integers(9, 14)))
        text = f"{letters[:4].capitalize()} {letters[4:]}."
        path = folder / "audio" / f"{number}.wav"
        # Behind half a second that does not belong to it, to see that the offset is kept.
        seconds = audio.write(np.concatenate([np.zeros(8000, "f4"), tones(text)]), path)
        stretch = {"audio_filepath": path, "offset": 0.5, "duration": seconds - 0.5}
        made.append(Utterance(id=f"clip-{number}", text=text, speaker=speaker, **stretch))
    return Manifest.write(made, folder)


def write_texts(folder: Path, *texts: str) -> Manifest:
    made = (Utterance(id=f"text-{at}", text=text) for at, text in enumerate(texts))
    return Manifest.write(made, folder)


def read_losses(folder: Path) -> list[tuple[int, float]]:
    lines = (folder / "training.jsonl").read_text().splitlines()
    return [(each["step"], each["loss"]) for each in map(json.loads, lines)]
