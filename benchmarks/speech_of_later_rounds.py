"""Time that a later round saves by copying the speech of a voice that learns nothing.

    python benchmarks/speech_of_later_rounds.py RUN/round-01/voices/kokoro [--texts 64]

Speaks the first texts of a finished round once, and passes them through its channel of the pool: a
first round does both, a later one with the same texts the second alone. Wants a round whose voice
has a channel, so `kokoro` or `espeak`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from twister_loop import load
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint
from twister_loop.pipeline.stages.pool_channel import PoolChannel, pass_through_channel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voice", type=Path, help="folder of the voice in a finished round")
    parser.add_argument("--texts", type=int, default=64, help="texts to speak (default: 64)")
    options = parser.parse_args()
    round_folder = options.voice.parents[1]
    plan = load(round_folder / "plan.yaml")
    synthesizer = next(
        voice.synthesizer for voice in plan.voices if voice.name == options.voice.name
    )
    texts = list(islice(Manifest(round_folder / "texts"), options.texts))
    channel = PoolChannel(options.voice / "channel")
    with tempfile.TemporaryDirectory() as scratch:
        began = time.monotonic()
        spoken = list(
            synthesizer.synthesize(Checkpoint(synthesizer.name), texts, Path(scratch) / "spoken")
        )
        synthesized = time.monotonic()
        in_channel = list(pass_through_channel(channel, spoken, Path(scratch) / "in_channel"))
        passed = time.monotonic()
    seconds = sum(utterance.duration for utterance in in_channel)
    sys.stdout.write(
        f"{len(in_channel)} texts, {seconds:.0f} s of speech\n"
        f"synthesis: {synthesized - began:.1f} s, in the first round alone\n"
        f"channel of the pool: {passed - synthesized:.1f} s, in every round\n"
    )


if __name__ == "__main__":
    main()
