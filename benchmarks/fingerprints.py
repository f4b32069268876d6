"""Fingerprints: bit error rates of copies of a recording, and of different recordings.

python benchmarks/fingerprints.py          (fetches the telephone prompts the first time)
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

COPIED_PROMPTS = 150
GAIN = 0.2
CODECS = {
    "8 kHz": (8_000, "WAV", "PCM_16"),
    "44.1 kHz": (44_100, "FLAC", "PCM_16"),
    "mu-law": (8_000, "WAV", "ULAW"),
    "Vorbis": (16_000, "OGG", "VORBIS"),
    "MP3": (16_000, "MP3", "MPEG_LAYER_III"),
    "GSM": (8_000, "WAV", "GSM610"),
}
"""Sample rate, file format and codec of each kind of copy."""
SENTENCES: tuple[Split, ...] = ("development", "test", "retention")
ALL_PROMPTS: tuple[Split, ...] = ("pool", "second_speaker", *SENTENCES)
MIN_SECONDS = 1.0
SHORT_SECONDS = 0.7, 1.25
"""Shortest and longest of the short prompts."""


def write_copy(utterance: Utterance, rate: int, form: str, codec: str, path: Path) -> Utterance:
    """Write a quieter copy of a recording at another rate and in another codec."""
    samples = audio.resample(GAIN * audio.load_utterance(utterance), audio.SAMPLE_RATE, rate)
    soundfile.write(path, samples, rate, format=form, subtype=codec)
    return replace(utterance, audio_filepath=path, offset=0.0, duration=audio.read_duration(path))


def load_prompts(short: bool) -> list[Utterance]:
    """Return the prompts of the lengths to compare."""
    shortest, longest = SHORT_SECONDS if short else (MIN_SECONDS, float("inf"))
    return [
        prompt
        for split in (ALL_PROMPTS if short else SENTENCES)
        for prompt in Ivr(split=split).utterances()
        if shortest <= prompt.duration < longest
    ]


def report_copies(prompts: list[Utterance], prints: list[fingerprint.Fingerprint]) -> None:
    """Print the largest bit error rate between a prompt and its copy, for every codec."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (rate, form, codec) in CODECS.items():
            path = Path(folder) / f"clip.{form.lower()}"
            worst = 0.0
            for prompt, print_ in itertools.islice(
                zip(prompts, prints, strict=True), COPIED_PROMPTS
            ):
                copy = write_copy(prompt, rate, form, codec, path)
                copy_print = fingerprint.read_fingerprint(copy)
                worst = max(worst, fingerprint.bit_error_rate(print_, copy_print))
            sys.stdout.write(f"{name:9} differs in {worst:.2f} of the bits at most\n")


def main() -> None:
    prompts = load_prompts(short=sys.argv[1:] == ["short"])
    began = time.perf_counter()
    prints = [fingerprint.read_fingerprint(prompt) for prompt in prompts]
    speed = sum(prompt.duration for prompt in prompts) / (time.perf_counter() - began)
    report_copies(prompts, prints)
    # Recordings whose lengths differ more are never compared by a scan.
    rates = sorted(
        fingerprint.bit_error_rate(prints[first], prints[second])
        for first, second in itertools.combinations(range(len(prompts)), 2)
        if abs(prompts[first].duration - prompts[second].duration)
        < fingerprint.MAX_LENGTH_DIFFERENCE
    )
    under_limits = ", ".join(
        f"{sum(rate < limit for rate in rates)} under {limit}"
        for limit in (fingerprint.MAX_BIT_ERRORS, fingerprint.MAX_BIT_ERRORS_SHORT)
    )
    sys.stdout.write(
        f"{len(rates)} pairs of different recordings: the closest {rates[0]:.2f}, {under_limits}; "
        f"{len(prompts)} prompts read {speed:.0f} x real time\n"
    )


if __name__ == "__main__":
    main()
