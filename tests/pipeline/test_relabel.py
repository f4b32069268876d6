"""Labels that are carried over, and what is heard beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from twister_loop import Checkpoint, Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import NOT_IN_CACHE_KEY
from twister_loop.core.manifest import WINDOW, Manifest, iter_windows
from twister_loop.pipeline.stages.labeling import transcribe


@dataclass(frozen=True)
class Windowed(ToyRecognizer):
    """Hears in every window how much it hears there; notes how often its model is loaded."""

    loads: list[int] = field(default_factory=list, metadata=NOT_IN_CACHE_KEY)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        self.loads.append(1)
        for window in iter_windows(speech):
            count = sum(not each.should_skip for each in window)
            yield from (
                each if each.should_skip else replace(each, pred_text=f"{each.id} of {count}")
                for each in window
            )


def heard(engine: Windowed, new: set[int], total: int, tmp_path: Path) -> list[str | None]:
    """What becomes of so many utterances, all known but some."""
    speech = [Utterance(id=str(number)) for number in range(total)]
    known = (
        replace(each, text=f"kept {each.id}", origin="pseudo")
        for number, each in enumerate(speech)
        if number not in new
    )
    lesson = Manifest.write(known, tmp_path / "round-01" / "filtered_labels")
    pool = Manifest.write(speech, tmp_path / "pool")
    made = transcribe(engine, Checkpoint("toy"), pool, lesson, out=tmp_path / "pseudo_labels")
    assert [each.id for each in made] == [each.id for each in speech]
    assert [each.labeled_in for each in made] == [None if n in new else 1 for n in range(total)]
    assert not any(each.error for each in made)
    return [each.text for each in made]


def test_one_model_hears_what_is_new_window_by_window(tmp_path: Path) -> None:
    engine = Windowed()
    new = {WINDOW + 3, WINDOW + 9, 3 * WINDOW, 3 * WINDOW + 4, 3 * WINDOW + 5}
    texts = heard(engine, new, 3 * WINDOW + 7, tmp_path)
    assert engine.loads == [1]
    of = {WINDOW + 3: 2, WINDOW + 9: 2}
    said = {number: f"{number} of {of.get(number, 3)}" for number in new}
    assert texts == [said.get(number, f"kept {number}") for number in range(len(texts))]


def test_no_model_is_loaded_where_all_is_known(tmp_path: Path) -> None:
    engine = Windowed()
    heard(engine, set(), WINDOW + 5, tmp_path)
    assert engine.loads == []
