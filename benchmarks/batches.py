"""Transcripts in batches of several sizes: the share that differs from a clip decoded alone.

python benchmarks/batches.py [CLIPS] [--precision float32] [--sizes 1 2 8 16] [--modes NAME ...]

Telephone prompts in Italian, English and French, of up to 15 s, in turns, so that neighbors differ
in length and language. The language of every second clip is detected.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.data.corpora._base import Corpus

MODES: Mapping[str, Mapping[str, Any]] = {
    "greedy": {},
    "beam of 5": {"beam": 5},
    "sampled at 0.6": {"temperature": 0.6},
}
MAX_SECONDS = 15.0


def load_prompts(count: int) -> list[Utterance]:
    """Return equally many prompts of each language, in an order that the seed 0 decides."""
    prompts: list[Utterance] = []
    for lang, split in (("it", "pool"), ("en", "retention"), ("fr", "pool")):
        spec = {"use": "ivr", "split": split, "lang": "fr" if lang == "fr" else "it"}
        usable = [
            replace(prompt, id=f"{lang}-{prompt.id}", lang=lang)
            for prompt in Corpus.build(spec).utterances()
            if not prompt.should_skip and prompt.duration <= MAX_SECONDS
        ]
        prompts += random.Random(0).sample(usable, min(len(usable), count // 3 + 1))
    random.Random(0).shuffle(prompts)
    return [
        replace(prompt, lang=prompt.lang if number % 2 else None)
        for number, prompt in enumerate(prompts[:count])
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="?", type=int, default=200)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--sizes", nargs="*", type=int, default=[1, 2, 8, 16])
    parser.add_argument("--modes", nargs="*", choices=list(MODES), default=list(MODES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    prompts = load_prompts(options.clips)
    sys.stdout.write(f"{len(prompts)} clips, {options.precision}\n\n")
    sys.stdout.write("| decoding | batch | texts that differ | languages | confidences | CPU s |\n")
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for mode in options.modes:
        alone: list[Utterance] = []
        for size in options.sizes:
            recognizer = Recognizer.build(
                {
                    "use": "whisper",
                    "precision": options.precision,
                    "decode_batch": size,
                    **MODES[mode],
                }
            )
            began = time.process_time()
            transcribed = list(recognizer.transcribe(recognizer.initial_checkpoint(), prompts))
            seconds = time.process_time() - began
            alone = alone or transcribed
            differing = {
                name: sum(
                    getattr(utterance, name) != getattr(reference, name)
                    for utterance, reference in zip(transcribed, alone, strict=True)
                )
                for name in ("pred_text", "lang", "confidence")
            }
            counts = " | ".join(str(count) for count in differing.values())
            sys.stdout.write(f"| {mode} | {size} | {counts} | {seconds:.0f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
