"""Reuse of labels from earlier rounds: only the other utterances are transcribed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import NOT_IN_CACHE_KEY
from twister_loop.core.manifest import WINDOW, Manifest, iter_windows
from twister_loop.pipeline.stages.labeling import transcribe
from twister_loop.types import Checkpoint


@dataclass(frozen=True)
class Windowed(ToyRecognizer):
    """A toy recognizer that transcribes with the size of its window, and counts its loads."""

    loads: list[int] = field(default_factory=list, metadata=NOT_IN_CACHE_KEY)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        self.loads.append(1)
        for window in iter_windows(speech):
            count = sum(not utterance.should_skip for utterance in window)
            yield from (
                utterance
                if utterance.should_skip
                else replace(utterance, pred_text=f"{utterance.id} of {count}")
                for utterance in window
            )


def relabel(engine: Windowed, new: set[int], total: int, tmp_path: Path) -> list[str | None]:
    """Return the texts of `total` utterances, all labeled before except the `new` ones."""
    speech = [Utterance(id=str(number)) for number in range(total)]
    labeled = (
        replace(utterance, text=f"kept {utterance.id}", origin="pseudo")
        for number, utterance in enumerate(speech)
        if number not in new
    )
    earlier_labels = Manifest.write(labeled, tmp_path / "round-01" / "filtered_labels")
    pool = Manifest.write(speech, tmp_path / "pool")
    labels = transcribe(
        engine, Checkpoint("toy"), pool, earlier_labels, out=tmp_path / "pseudo_labels"
    )
    assert [utterance.id for utterance in labels] == [utterance.id for utterance in speech]
    assert [utterance.labeled_in for utterance in labels] == [
        None if number in new else 1 for number in range(total)
    ]
    assert not any(utterance.error for utterance in labels)
    return [utterance.text for utterance in labels]


def test_one_model_transcribes_the_new_utterances_window_by_window(tmp_path: Path) -> None:
    engine = Windowed()
    new = {WINDOW + 3, WINDOW + 9, 3 * WINDOW, 3 * WINDOW + 4, 3 * WINDOW + 5}
    texts = relabel(engine, new, 3 * WINDOW + 7, tmp_path)
    assert engine.loads == [1]
    window_counts = {WINDOW + 3: 2, WINDOW + 9: 2}
    new_texts = {number: f"{number} of {window_counts.get(number, 3)}" for number in new}
    assert texts == [new_texts.get(number, f"kept {number}") for number in range(len(texts))]


def test_no_model_is_loaded_if_every_utterance_has_a_label(tmp_path: Path) -> None:
    engine = Windowed()
    relabel(engine, set(), WINDOW + 5, tmp_path)
    assert engine.loads == []
