"""The toy world: small folders of speech in the toy language of `audio.toy_language`, and a plan."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from twister_loop.audio import io as audio
from twister_loop.audio import toy_language

HUMAN = ["the quick brown fox", "jumps over the lazy dog"]
POOL = ["a i e o u", "a rose is a rose", "io e lui"]
TEXTS = ["how vexingly quick daft zebras jump", "sphinx of black quartz judge my vow"]
DEVELOPMENT = ["pack my box with five dozen jugs", "waltz bad nymph for quick jigs vex"]
TEST = ["the five boxing wizards jump quickly", "glib jocks quiz nymph to vex dwarf"]
RETENTION = ["aia io e aiuola", "uo ei a ou"]


def speak(texts: Sequence[str], folder: Path, *, labeled: bool = True) -> Path:
    """Record every text in the toy language, as a folder of audio with its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, text in enumerate(texts):
        audio.write(toy_language.speak(text, toy_language.standard()), folder / f"{number}.wav")
        rows.append(json.dumps({"file_name": f"{number}.wav", "text": text}))
    if labeled:
        (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def build(folder: Path) -> Path:
    """Make the data and the plan of the toy world; give the path of the plan."""
    data = folder / "data"
    speak(POOL, data / "pool", labeled=False)
    speak(HUMAN, data / "human")
    speak(DEVELOPMENT, data / "development")
    speak(TEST, data / "test")
    speak(RETENTION, data / "retention")
    (data / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    plan = folder / "toy.yaml"
    shutil.copy(Path(__file__).parents[1] / "configs" / "toy.yaml", plan)
    return plan
