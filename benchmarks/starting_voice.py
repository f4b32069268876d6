"""Train a voice for long on what a finished round has: its lesson, and what its splices said.

python benchmarks/starting_voice.py RUN FOLDER --steps 5000      (RUN: of configs/ivr.yaml)

Nothing but the pool's pseudo-labels is learned from: spliced sentences are their words in another
order. Killed, it goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import logging
from itertools import chain
from pathlib import Path

from twister_loop.ledger import Ledger
from twister_loop.manifest import Manifest
from twister_loop.parts import Listener, Recognizer
from twister_loop.tts.coqui import CoquiSynthesizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--speaker", default="it-1")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    at = Ledger.read(options.run).finished[-1]
    parts = [at / "lesson", *sorted(at.glob("voices/*/synthetic"))]
    said = chain.from_iterable(Manifest.load(each) for each in parts)
    lesson = Manifest.write((each for each in said if each.text), options.folder / "lesson")
    asr = Recognizer.build({"use": "whisper"})
    champion, texts = Listener(asr, asr.base()), Manifest.load(at / "texts")
    voice = CoquiSynthesizer(speaker=options.speaker, steps=options.steps, save_every=100)
    voice.train(None, lesson, texts, champion, options.folder / "voice", seed=1)


if __name__ == "__main__":
    main()
