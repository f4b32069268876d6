"""How surely the same recording is told from another: telephone prompts, perturbed and paired.

python benchmarks/fingerprints.py          (fetches the prompts the first time)
python benchmarks/fingerprints.py short    prompts of 0.7 to 1.25 s, words of the pools too
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import soundfile

from twister_loop.audio import fingerprint
from twister_loop.audio import io as audio
from twister_loop.core.types import Utterance
from twister_loop.data.corpora.ivr import Ivr, Split

PERTURBED = 150
"""Prompts."""
GAIN = 0.2
CODECS = {
    "8 kHz": (8_000, "WAV", "PCM_16"),
    "44.1 kHz": (44_100, "FLAC", "PCM_16"),
    "mu-law": (8_000, "WAV", "ULAW"),
    "Vorbis": (16_000, "OGG", "VORBIS"),
    "MP3": (16_000, "MP3", "MPEG_LAYER_III"),
    "GSM": (8_000, "WAV", "GSM610"),
}
SPLITS: tuple[Split, ...] = ("development", "test", "retention")
WORDS: tuple[Split, ...] = ("pool", "second_speaker", *SPLITS)
SHORTEST = 1.0
"""Seconds."""
SHORT = 0.7, 1.25
"""Seconds, from and to."""


def through(utterance: Utterance, rate: int, form: str, codec: str, path: Path) -> Utterance:
    """The same recording, quieter, at another rate and in another codec."""
    samples = audio.resample(GAIN * audio.load_utterance(utterance), audio.SAMPLE_RATE, rate)
    soundfile.write(path, samples, rate, format=form, subtype=codec)
    return replace(utterance, audio_filepath=path, offset=0.0, duration=audio.read_duration(path))


def main() -> None:
    short = sys.argv[1:] == ["short"]
    every = (
        each for split in (WORDS if short else SPLITS) for each in Ivr(split=split).utterances()
    )
    shortest, longest = SHORT if short else (SHORTEST, float("inf"))
    speech = [each for each in every if shortest <= each.duration < longest]
    began = time.perf_counter()
    prints = [fingerprint.read_fingerprint(each) for each in speech]
    speed = sum(each.duration for each in speech) / (time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as folder:
        for name, (rate, form, codec) in CODECS.items():
            path = Path(folder) / f"clip.{form.lower()}"
            worst = max(
                fingerprint.bit_error_rate(
                    known, fingerprint.read_fingerprint(through(each, rate, form, codec, path))
                )
                for each, known in itertools.islice(zip(speech, prints, strict=True), PERTURBED)
            )
            sys.stdout.write(f"{name:9} differs in {worst:.2f} of the bits at most\n")
    pairs = [
        (one, two)
        for one, two in itertools.combinations(range(len(speech)), 2)
        if abs(speech[one].duration - speech[two].duration) < fingerprint.MAX_LENGTH_DIFFERENCE
    ]
    differ = sorted(fingerprint.bit_error_rate(prints[one], prints[two]) for one, two in pairs)
    sys.stdout.write(
        f"{len(pairs)} pairs of different recordings: the closest {differ[0]:.2f}, "
        f"{sum(each < fingerprint.MAX_BIT_ERRORS for each in differ)} under {fingerprint.MAX_BIT_ERRORS}, "
        f"{sum(each < fingerprint.MAX_BIT_ERRORS_SHORT for each in differ)} under "
        f"{fingerprint.MAX_BIT_ERRORS_SHORT}; {len(speech)} prompts read {speed:.0f} x real time\n"
    )


if __name__ == "__main__":
    main()
