"""Alignment of 30 s clips: speed of the time warping, and of all, and memory by `decode_batch`.

python benchmarks/alignment.py [CLIPS] [--batches 1 8 32]

Italian telephone prompts of the development set are joined to clips of nearly 30 s, with their
texts. One thread and float32; each size of batch runs in a process of its own, whose peak of memory
is told.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.asr.whisper.time_warping import warp
from twister_loop.audio import io as audio
from twister_loop.data.corpora._base import Corpus

CLIP_SECONDS = 30.0
POSITIONS = 1500
"""Positions of the encoder in 30 s."""


def join_prompts(count: int, folder: Path) -> Iterator[Utterance]:
    """Yield clips of nearly 30 s with their texts, in an order that the seed 0 decides."""
    prompts = [
        prompt
        for prompt in Corpus.build({"use": "ivr", "split": "development"}).utterances()
        if prompt.text and not prompt.should_skip and prompt.duration < CLIP_SECONDS
    ]
    rng = random.Random(0)
    for number in range(count):
        clips, texts = list[np.ndarray](), list[str]()
        for prompt in rng.sample(prompts, len(prompts)):
            samples = audio.load_utterance(prompt)
            if sum(map(len, clips)) + len(samples) <= CLIP_SECONDS * audio.SAMPLE_RATE:
                clips.append(samples)
                texts.append(prompt.text or "")
        joined = np.concatenate(clips)
        path = folder / f"{number}.wav"
        audio.write(joined, path)
        yield replace(
            prompts[0],
            id=str(number),
            audio_filepath=path,
            offset=0.0,
            duration=len(joined) / audio.SAMPLE_RATE,
            text=" ".join(texts),
            lang="it",
        )


def align(count: int, batch: int) -> None:
    """Align clips in this process, and write speed and peak memory as a row."""
    with tempfile.TemporaryDirectory() as folder:
        speech = list(join_prompts(count, Path(folder)))
        recognizer = Recognizer.build(
            {"use": "whisper", "precision": "float32", "decode_batch": batch}
        )
        began = time.process_time()
        aligned = list(recognizer.align(recognizer.initial_checkpoint(), speech))
        seconds = time.process_time() - began
    duration = sum(utterance.duration for utterance in aligned)
    words = sum(len(utterance.words) for utterance in aligned)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"| {batch} | {words} | {seconds:.1f} | {duration / seconds:.1f} x | {megabytes:.0f} |\n"
    )


def time_warping() -> None:
    """Write the speed of the time warping beside that of transformers."""
    sys.stdout.write("| tokens | ours, ms | x real time | transformers, ms |\n|---|---|---|---|\n")
    for tokens in (60, 150, 400):
        costs = np.random.default_rng(tokens).normal(size=(tokens, POSITIONS))
        seconds = {}
        for name, function in (("ours", warp), ("transformers", _dynamic_time_warping)):
            function(costs)  # the first call compiles what is compiled
            began = time.process_time()
            function(costs)
            seconds[name] = time.process_time() - began
        sys.stdout.write(
            f"| {tokens} | {1000 * seconds['ours']:.1f} | {CLIP_SECONDS / seconds['ours']:.0f} | "
            f"{1000 * seconds['transformers']:.1f} |\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="?", type=int, default=32)
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 8, 32])
    parser.add_argument("--only", type=int, help="align with this batch in this process")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only:
        align(options.clips, options.only)
        return
    time_warping()
    sys.stdout.write(f"\n{options.clips} clips\n\n")
    sys.stdout.write("| decode_batch | words | CPU s | speed | peak MiB |\n|---|---|---|---|---|\n")
    for batch in options.batches:
        sys.stdout.flush()
        command = [sys.executable, __file__, str(options.clips), "--only", str(batch)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
