"""Toy world of `twister demo --toy`: speech in the toy language, and a plan that reads it.

A letter of the toy language is a pitch (`audio.toy_language`), so a recognizer and a voice learn
it in milliseconds on any machine. The toy recognizer starts with the vowels only, and has to
learn the consonants from the loop. The tests run on the same world.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..audio import io as audio
from ..audio import toy_language
from ..core.errors import ConfigError

PLAN = Path(__file__).parent / "plans" / "toy.yaml"

# Different sentences everywhere: a run refuses held-out texts among its training data.
HUMAN = ["the quick brown fox", "jumps over the lazy dog"]
# Vowels, for the most part: the untouched recognizer has to label some of the pool correctly.
POOL = ["a i e o u", "a rose is a rose", "io e lui"]
TEXTS = ["how vexingly quick daft zebras jump", "sphinx of black quartz judge my vow"]
# Pangrams, so that every letter is measured.
DEVELOPMENT = ["pack my box with five dozen jugs", "waltz bad nymph for quick jigs vex"]
TEST = ["the five boxing wizards jump quickly", "glib jocks quiz nymph to vex dwarf"]
# Vowels only, which the untouched recognizer knows: two sentences that differ would decide nothing.
RETENTION = ["aia io e aiuo", "uo ei a ou"]


def prepare(folder: Path) -> Path:
    """Write the toy world into a new folder, or return the plan of one that is there.

    Raises:
        ConfigError: The folder holds other files.
    """
    plan = folder / PLAN.name
    if plan.is_file():  # kept as it is: the user may have changed it to try something
        return plan
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: not empty and no toy demo; name a new folder")
    return write_toy_world(folder)


def write_toy_world(folder: Path) -> Path:
    """Write the data and the plan of the toy world, and return the path of the plan.

    folder/
    ├── toy.yaml      the plan
    └── data/         pool, human, development, test, retention, texts.txt
    """
    data = folder / "data"
    record_texts(POOL, data / "pool", labeled=False)
    record_texts(HUMAN, data / "human")
    record_texts(DEVELOPMENT, data / "development")
    record_texts(TEST, data / "test")
    record_texts(RETENTION, data / "retention")
    (data / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    # Last, because `prepare` takes a folder with a plan for complete.
    plan = folder / PLAN.name
    shutil.copy(PLAN, plan)
    return plan


def record_texts(texts: Sequence[str], folder: Path, *, labeled: bool = True) -> Path:
    """Synthesize every text in the toy language, as an audiofolder.

    Args:
        texts: Lower-case letters and spaces.
        folder: Receives `0.wav`, `1.wav`, ... at 16 kHz.
        labeled: Whether the texts are written to `metadata.jsonl` beside the audio.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, text in enumerate(texts):
        audio.write(
            toy_language.synthesize(text, toy_language.standard_codebook()),
            folder / f"{number}.wav",
        )
        rows.append(json.dumps({"file_name": f"{number}.wav", "text": text}))
    # Without metadata an audiofolder is unlabeled speech, which is what a pool is.
    if labeled:
        (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def closing_message(folder: Path) -> str:
    """Return what the demo showed, and the commands to try next."""
    return f"""
What happened: the untouched recognizer knows the vowels only. In round 1 it labeled the pool, a
voice learned from the labels and read the texts, and the recognizer learned the consonants from
that speech. Round 2 could not improve on a champion without errors, so the gates refused it.

Try next:
  twister status {folder}/run --json       all figures, for programs
  twister dashboard {folder}               the page in a browser (extra `dashboard`)
  twister reproduce {folder}/run           run it again and compare every file
  twister run YOUR.yaml runs/mine          your own data: start from a copy of {folder}/toy.yaml"""
