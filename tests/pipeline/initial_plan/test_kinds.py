"""Odd files and tables of every kind end in a plan that loads, or in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kinds import speak
from tests.kinds._write import wav_bytes
from tests.kinds.folders import NAMES
from tests.table_kinds import ALL_KINDS, TableKind
from twister_loop.core.errors import ConfigError, TwisterError
from twister_loop.pipeline.initial_plan.draft import Wishes
from twister_loop.pipeline.initial_plan.first_plan import write_first_plan
from twister_loop.pipeline.initial_plan.plan_text import write_plan_text
from twister_loop.pipeline.plan_reader import load

from .folders import draft, names, record, transcribe


def read_plan_of(folder: Path, write: Callable[[Path], object]) -> tuple[int, int]:
    """Return the numbers of recordings in the pool and in held-out sets, as the plan lists them."""
    record(folder / "pool", names(3))
    write(folder)
    path = folder.parent / "plan.yaml"
    first = draft(folder)
    text = write_plan_text(first, Wishes(), "openai/whisper-base", [], path, "runs/mine")
    write_first_plan(path, text, first)
    plan = load(path, {"asr": "toy", "trainings": 1, "interpolate": 1, "normalizer": "basic"})
    pool = [line for corpus in plan.pool for line in corpus.utterances() if not line.rejected_by]
    sets = [
        line
        for _, corpus in plan.sets.values()
        if first.development
        for line in corpus.utterances()
        if not line.rejected_by
    ]
    # A held-out recording without a reference would end the round.
    assert all(line.text for line in sets)
    paths = [{line.audio_filepath.resolve() for line in lines} for lines in (pool, sets)]
    assert not paths[0] & paths[1]
    return len(paths[0]), len(paths[1])


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_a_folder_with_an_odd_table_gets_a_plan(kind: TableKind, tmp_path: Path) -> None:
    try:
        pool, _ = read_plan_of(tmp_path / "in", lambda folder: kind.write(folder / "table"))
    except TwisterError as error:
        assert len(str(error)) < 700
    else:
        assert pool >= 3


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_with_an_odd_name_is_in_the_pool(name: str, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        path = bytes(folder / "pool") + b"/" + NAMES[name]
        with open(path, "wb") as file:  # noqa: PTH123  (bytes that are no text)
            file.write(wav_bytes(speak(0.3)))

    pool, _ = read_plan_of(tmp_path / "in", write)
    assert pool == 4


def test_names_that_no_list_can_hold_are_counted_and_folders_of_such_names_are_refused(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    record(folder, [*names(60), "caf\udce9.wav"])
    transcribe(folder, names(40))
    first = draft(folder)
    assert first.pool[0].utterances == 20 and "1 whose names are no text" in first.pool[0].reason
    odd = tmp_path / "caf\udce9"
    record(odd / "pool", names(2))
    with pytest.raises(ConfigError, match="rename it"):
        write_plan_text(draft(odd), Wishes(), "m", [], tmp_path / "plan.yaml", "runs/mine")
