"""Synthetic language slow enough for networks: every letter is a tone of its own, 0.12 s long."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from twister_loop.audio import io as audio
from twister_loop.core.types import Utterance

LETTER_SAMPLES = round(0.12 * audio.SAMPLE_RATE)
TEXTS = ["한글", "소리", "기차", "나무", "바다", "하나 둘", "구름", "달", "저녁", "노래"]


def whistle(text: str, rng: np.random.Generator) -> np.ndarray:
    """Return jamo as pitches between 200 and 3,800 Hz with a little noise; a space is silence."""
    tones = []
    for jamo in unicodedata.normalize("NFD", text):
        pitch = 200 + 3600 * ((ord(jamo) * 37) % 101) / 101
        time = np.arange(LETTER_SAMPLES) / audio.SAMPLE_RATE
        tone = 0.3 * np.sin(2 * np.pi * pitch * time)
        tones.append(np.zeros(LETTER_SAMPLES) if jamo == " " else tone)
    samples = np.concatenate(tones)
    return (samples + rng.normal(0, 0.01, len(samples))).astype(np.float32)


def write_whistles(texts: list[str], folder: Path, seed: int = 0) -> list[Utterance]:
    """Write one clip for every text, and return the utterances."""
    rng, utterances = np.random.default_rng(seed), []
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        duration = audio.write(whistle(text, rng), path)
        utterances.append(
            Utterance(id=str(number), audio_filepath=path, duration=duration, text=text, lang="ko")
        )
    return utterances
