"""References that belong to other recordings: how many are found, and how often none is there.

python benchmarks/references.py FOLDER     a table; FOLDER keeps the transcripts of Whisper base

Telephone prompts in three languages, also with noise and in a wrong language, and the same sets
with references that were moved in usual ways. The check is the one of a round.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance
from twister_loop.data.corpora.ivr import Ivr
from twister_loop.evaluation.metrics import count_utterance_errors, sum_counts
from twister_loop.pipeline import reference_check
from twister_loop.text.normalizers.basic import Basic

MODEL = {"use": "whisper", "model": "openai/whisper-base"}
DRAWS = 20
"""Draws of each way of moving references that is random."""


def list_sets(folder: Path) -> Iterator[tuple[str, list[Utterance]]]:
    """Yield sets of prompts by name, clean, noisy, and in a language that is not theirs."""
    italian, french, english = (
        [replace(line, lang=lang) for line in Ivr(lang=lang, split=split).utterances()]
        for lang, split in (("it", "development"), ("fr", "development"), ("it", "retention"))
    )
    english = [replace(line, lang="en") for line in english]
    yield "it", italian
    yield "fr", french[:100]
    yield "en", english
    yield "it, noise at -3 dB", add_noise(italian, -3, folder / "noise")
    yield "it, decoded as en", [replace(line, lang="en") for line in italian]
    yield "en, decoded as it", [replace(line, lang="it") for line in english[:80]]


def add_noise(speech: list[Utterance], snr: float, folder: Path) -> list[Utterance]:
    """Return the speech with white noise, at a ratio of speech to noise in dB."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, noisy = np.random.default_rng(0), []
    for number, line in enumerate(speech):
        samples = audio.load_utterance(line)
        level = float(np.sqrt(np.mean(samples**2) / 10 ** (snr / 10)))
        mixed = samples + level * rng.standard_normal(len(samples)).astype(np.float32)
        path = folder / f"{number}.wav"
        audio.write(mixed / max(1.0, 1.01 * float(np.abs(mixed).max())), path)
        noisy.append(replace(line, audio_filepath=path, offset=0.0, channel=None))
    return noisy


def lose_line(texts: list[str], line: int) -> list[str]:
    """Return the texts without one, so that all behind it move up."""
    return [*texts[:line], *texts[line + 1 :], "a text of another list"]


def shuffle_some(texts: list[str], share: float, rng: random.Random) -> list[str]:
    """Return the texts with a share of them in another order."""
    places = rng.sample(range(len(texts)), round(share * len(texts)))
    moved = list(texts)
    for place, other in zip(places, rng.sample(places, len(places)), strict=True):
        moved[place] = texts[other]
    return moved


def exchange_two(texts: list[str], rng: random.Random) -> list[str]:
    first, second = rng.sample(range(len(texts)), 2)
    moved = list(texts)
    moved[first], moved[second] = texts[second], texts[first]
    return moved


WAYS: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "as they are": lambda texts, rng: texts,
    "moved by one line": lambda texts, rng: texts[1:] + texts[:1],
    "moved by 7 lines": lambda texts, rng: texts[-7:] + texts[:-7],
    "a line lost (30)": lambda texts, rng: lose_line(texts, 30),
    "a line lost (10 from the end)": lambda texts, rng: lose_line(texts, len(texts) - 10),
    "a third shuffled": lambda texts, rng: shuffle_some(texts, 1 / 3, rng),
    "all shuffled": lambda texts, rng: shuffle_some(texts, 1, rng),
    "two exchanged": exchange_two,
}


def check(speech: list[Utterance], references: list[str]) -> str:
    """Return whether the check of a round refuses, warns or says nothing."""
    lines = with_references(speech, references)
    normalizer = Basic()
    warnings: list[Any] = []
    pairs = [
        (normalizer.normalize(line.text or "", line.lang), transcript)
        for line in lines
        for transcript in [normalizer.normalize(line.pred_text or "", line.lang)]
    ]
    transcribed = reference_check.TranscribedSet(
        "set", "words", lines, [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    )
    reference_check.log = SimpleNamespace(warning=lambda *words: warnings.append(words))  # type: ignore[assignment]
    plan: Any = SimpleNamespace(normalizer=normalizer, highest_untouched_error=0.9)
    try:
        reference_check.check_order(transcribed)
    except ConfigError:
        return "moved"
    try:
        reference_check.check_error_rate(plan, transcribed)
    except ConfigError:
        return "error rate"
    return "told" if warnings else "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    recognizer = Recognizer.build(MODEL)
    checkpoint = recognizer.initial_checkpoint()
    sys.stdout.write(
        "| set | utterances | WER % | references | refused: moved | error rate | told | nothing |\n"
        "|---|--:|--:|---|--:|--:|--:|--:|\n"
    )
    for name, speech in list_sets(folder):
        out = folder / name.replace(", ", "-").replace(" ", "_")
        if not (out / "manifest.jsonl").is_file():
            Manifest.write(recognizer.transcribe(checkpoint, speech), out)
        lines = list(Manifest(out))
        texts = [line.text or "" for line in lines]
        print_row(name, lines, "200 random parts as they are", list(check_parts(lines)))
        for way, move in WAYS.items():
            draws = DRAWS if way.split()[-1] in ("shuffled", "exchanged") else 1
            moved = [move(texts, random.Random(seed)) for seed in range(draws)]
            outcomes = [check(lines, references) for references in moved]
            print_row(name, with_references(lines, moved[0]), way, outcomes)


def check_parts(speech: list[Utterance]) -> Iterator[str]:
    """Yield what the check says of random parts of a set, from 5 utterances up."""
    for seed in range(200):
        rng = random.Random(seed)
        part = sorted(rng.sample(range(len(speech)), rng.randint(5, len(speech))))
        lines = [speech[number] for number in part]
        yield check(lines, [line.text or "" for line in lines])


def print_row(name: str, lines: list[Utterance], way: str, outcomes: list[str]) -> None:
    """Print a line of the table; the error rate is that of these references."""
    errors = sum_counts([count_utterance_errors(line, "words") for line in lines])
    kinds = ("moved", "error rate", "told", "nothing")
    counts = " | ".join(str(outcomes.count(kind)) for kind in kinds)
    cells = f"{name} | {len(lines)} | {100 * errors.rate:.1f} | {way} | {counts}"
    sys.stdout.write(f"| {cells} |\n")


def with_references(speech: list[Utterance], references: list[str]) -> list[Utterance]:
    return [replace(line, text=text) for line, text in zip(speech, references, strict=True)]


if __name__ == "__main__":
    main()
