"""Leaks and legitimate neighbors of held-out speech, for tests and `benchmarks/leaks.py`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twister_loop.audio import io as audio
from twister_loop.audio.io import Samples


class TextCase(NamedTuple):
    """Held-out text and a text for training."""

    kind: str
    lang: str
    held_out: str
    text: str


def _read_cases(leaked: str) -> list[TextCase]:
    with Path(__file__).with_name("leaked_texts.tsv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return [
            TextCase(row["kind"], row["lang"], row["held out"], row["text"])
            for row in rows
            if row["leaked"] == leaked
        ]


LEAKED_TEXTS = _read_cases("yes")
"""Texts that must not be trained on."""
NEIGHBOR_TEXTS = _read_cases("no")
"""Texts that must stay."""


class Copy(NamedTuple):
    """Kind of copy of a recording."""

    change: Callable[[Samples], Samples]
    rate: int = audio.SAMPLE_RATE
    codec: tuple[str, str] = ("WAV", "PCM_16")
    """Format and subtype, as libsndfile calls them."""


def change_tempo(samples: Samples, factor: float) -> Samples:
    """Return samples `factor` times as fast at the same pitch (synchronized overlap-add)."""
    frame, hop, search = 800, 400, 160
    window = np.hanning(frame)
    count = int((len(samples) - frame - search) / (hop * factor))
    output, expected = np.zeros(count * hop + frame), 0
    for number in range(count):
        begin = max(0, round(number * hop * factor) - search // 2)
        if number:
            # The place that goes on best from where the last frame ended.
            tail = samples[expected : expected + frame // 2]
            region = samples[begin : begin + len(tail) + search]
            begin += int(np.correlate(region, tail, "valid").argmax())
        output[number * hop : number * hop + frame] += window * samples[begin : begin + frame]
        expected = begin + hop
    return output.astype(np.float32)


def change_speed(samples: Samples, factor: float) -> Samples:
    """Return samples as a tape would play that runs `factor` times as fast."""
    return audio.resample(samples, round(audio.SAMPLE_RATE * factor), audio.SAMPLE_RATE)


def pad(samples: Samples, before: float, after: float) -> Samples:
    """Return samples with seconds of silence around them."""
    silence = (np.zeros(round(seconds * audio.SAMPLE_RATE)) for seconds in (before, after))
    return np.concatenate([next(silence), samples, next(silence)]).astype(np.float32)


COPIES: Mapping[str, Copy] = {
    "the same": Copy(lambda samples: samples),
    "a fifth of the level": Copy(lambda samples: 0.2 * samples),
    "inverted": Copy(lambda samples: -samples),
    "0.2 s of silence around": Copy(lambda samples: pad(samples, 0.2, 0.2)),
    "2 s of silence before": Copy(lambda samples: pad(samples, 2, 0)),
    "first half": Copy(lambda samples: samples[: len(samples) // 2]),
    "second half": Copy(lambda samples: samples[len(samples) // 2 :]),
    "middle half": Copy(lambda samples: samples[len(samples) // 4 : 3 * len(samples) // 4]),
    "10 % faster": Copy(lambda samples: change_speed(samples, 1.1)),
    "4.5 % slower": Copy(lambda samples: change_speed(samples, 0.955)),
    "10 % slower": Copy(lambda samples: change_speed(samples, 0.9)),
    "tempo + 10 %": Copy(lambda samples: change_tempo(samples, 1.1)),
    "tempo + 6 %": Copy(lambda samples: change_tempo(samples, 1.06)),
    "tempo - 10 %": Copy(lambda samples: change_tempo(samples, 0.9)),
    "8 kHz, half": Copy(lambda samples: 0.3 * samples[: len(samples) // 2], 8_000),
    "8 kHz": Copy(lambda samples: samples, 8_000),
    "44.1 kHz FLAC": Copy(lambda samples: samples, 44_100, ("FLAC", "PCM_16")),
    "mu-law": Copy(lambda samples: 0.3 * samples, 8_000, ("WAV", "ULAW")),
    "Vorbis": Copy(lambda samples: 0.3 * samples, 16_000, ("OGG", "VORBIS")),
    "MP3": Copy(lambda samples: 0.3 * samples, 16_000, ("MP3", "MPEG_LAYER_III")),
    "GSM": Copy(lambda samples: 0.3 * samples, 8_000, ("WAV", "GSM610")),
}
"""Copies of a recording that must not be trained on; within a longer one they are tried too."""
