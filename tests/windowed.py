"""Toy rounds in both ways of decoding, on sets of words, of characters and a long recording."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.types import Proportion, Segment
from twister_loop.types import Checkpoint

JAPANESE = "いい天気ですね"
PART = 2
"""Utterances of each set that are decoded in windows."""


@dataclass(frozen=True)
class WindowedToy(ToyRecognizer):
    """A toy recognizer whose windows lose the last letter, which only its timestamps tell."""

    in_windows: bool = False

    def full_window(self) -> Self:
        return replace(self, in_windows=True)

    def decoding_description(self) -> str:
        return "toy, 30 s windows" if self.in_windows else "toy"

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in super().transcribe(checkpoint, speech):
            if not self.in_windows or not utterance.pred_text:
                yield utterance
                continue
            text = utterance.pred_text[:-1]
            # The untouched model, which misreads consonants, also misses where speech ends.
            end = utterance.duration - (0.9 if "z" in (utterance.text or "") else 0.05)
            segment = Segment(start=0.0, end=end, text=text)
            yield replace(utterance, pred_text=text, segments=(segment,))


# The base class names a part by its module; the champions of this one are of the toy engine.
WindowedToy.name = ToyRecognizer.name


def count_toy_timestamps(transcribed: Iterable[Utterance]) -> Proportion:
    """Count right timestamps: a toy recording is speech from its start to its end."""
    ends = [abs(utterance.segments[-1].end - utterance.duration) for utterance in transcribed]
    return Proportion(sum(distance <= 0.5 for distance in ends), len(ends))


def run_rounds(home: Path, rounds: int = 2, key_terms: Sequence[str] = ()) -> Path:
    """Run rounds in both decodings and return the folder of the run.

    Its sets are those of the toy world, three utterances in `test`, a Japanese retention set, and
    one long recording in `talks-long`.
    """
    world, data = toy.build(home), home / "data"
    toy.speak([*toy.TEST, "a rose is red"], data / "test")
    toy.speak([" ".join(["so red a rose is"] * 37)], data / "talks")
    folder = toy.speak(["aia e", "io u ei"], data / "japanese")
    lines = (f'{{"file_name": "{number}.wav", "text": "{JAPANESE}"}}\n' for number in range(2))
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    japanese = {"use": "audiofolder", "folder": "data/japanese", "lang": "ja"}
    changes = {
        "test": {"test": "data/test", "talks-long": "data/talks"},
        "retention": {"vowels": "data/retention", "japanese": japanese},
        "gates": ["significant"],
        "terms": [*key_terms],
    }
    plan = replace(load(world, changes), asr=WindowedToy(), full_window=PART)
    with pytest.MonkeyPatch.context() as patch:
        # Voice activity detection knows no tones, and importing torch takes seconds.
        name = "twister_loop.pipeline.stages.evaluation.count_correct_timestamps"
        patch.setattr(name, count_toy_timestamps)
        for _ in range(rounds):
            next_round(plan, home / "run")
    return home / "run"
