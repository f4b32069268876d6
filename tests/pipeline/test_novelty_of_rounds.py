"""What is news for a round, and what is not: each part of it by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from tests.pipeline.test_run_folder_history import ACCEPTED, REFUSED, decide, go_back, write_round
from twister_loop import Utterance
from twister_loop.core.errors import NothingNew
from twister_loop.core.file_hashes import FileHashCache
from twister_loop.core.forgotten import ForgettingRequest, write_requests
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Tally
from twister_loop.pipeline.novelty import (
    champion_number,
    check_new_audio,
    check_something_new,
    describe_end,
)
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.listing import list_corpora
from twister_loop.types import Plan

LINES = [
    Utterance(id=f"{number}", audio_filepath=Path(f"{number}.wav"), text="a", corpus="calls")
    for number in range(3)
]


def write_inputs(folder: Path, lines: list[Utterance] = LINES, *names: str) -> Path:
    for name in names or ("pool", "human"):
        Manifest.write(lines, folder / "inputs" / name)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunFolder.open(tmp_path / "run")
    return tmp_path / "run"


def prepare(run: Path, lines: list[Utterance] = LINES, *names: str, **note: Any) -> Path:
    """Write the round that is about to begin, as hidden as it is then."""
    folder = write_round(run, 9, None, **{"champion": 0, **note})
    hidden = folder.rename(run / ".round-09")
    return write_inputs(hidden, lines, *names)


def is_news(run: Path, prepared: Path) -> bool:
    try:
        check_something_new(RunFolder.read(run), prepared)
    except NothingNew:
        return False
    return True


def test_the_same_lists_plan_and_champion_are_no_news(run: Path) -> None:
    write_inputs(write_round(run, 1, REFUSED, champion=0))
    with pytest.raises(NothingNew, match="round 1 was refused, and pool, texts"):
        check_something_new(RunFolder.read(run), prepare(run))


@pytest.mark.parametrize(
    ("lines", "names", "note", "new"),
    [
        (LINES[::-1], (), {}, False),  # the order
        ([replace(line, audio_filepath=Path("b") / f"{line.id}.wav") for line in LINES], (), {}, 0),
        ([replace(line, corpus="another folder") for line in LINES], (), {}, False),
        (LINES[:2], (), {}, True),
        ([*LINES, replace(LINES[0], id="4")], (), {}, True),
        ([replace(LINES[0], text="b"), *LINES[1:]], (), {}, True),
        (LINES, ("pool",), {}, True),
        (LINES, ("pool", "human", "texts"), {}, True),
        (LINES, ("pool", "human", "pool/rejected"), {}, False),  # what could not be used
        (LINES, (), {"plan": {"seed": 1}}, True),
        (LINES, (), {"champion": 3}, True),
        (LINES, (), {"seed": 7}, False),
    ],
)
def test_each_part_of_the_news(
    run: Path, lines: list[Utterance], names: tuple[str, ...], note: dict[str, Any], new: bool
) -> None:
    write_inputs(write_round(run, 1, REFUSED, champion=0))
    assert is_news(run, prepare(run, lines, *names, **note)) is bool(new)


def test_every_finished_round_counts_and_not_only_the_last(run: Path) -> None:
    write_inputs(write_round(run, 1, REFUSED, champion=0))
    write_inputs(write_round(run, 2, REFUSED, champion=0), LINES[:1])
    prepared = prepare(run)
    assert not is_news(run, prepared)
    # Speech was removed from that round, so it was trained on more than its lists say.
    request = ForgettingRequest(when="2026-11-29T01:02:03+00:00", by="Ada", rounds=(1,))
    write_requests([request], run)
    assert is_news(run, prepared)


def test_a_round_that_did_not_note_its_champion_began_from_that_of_its_time(run: Path) -> None:
    write_inputs(write_round(run, 1, ACCEPTED), LINES[:1])
    write_inputs(write_round(run, 2, REFUSED))
    assert not is_news(run, prepare(run, champion=1))


def test_the_number_of_the_champion_is_zero_for_the_untouched_model(run: Path) -> None:
    assert champion_number(RunFolder.read(run)) == 0
    write_round(run, 4, ACCEPTED)
    assert champion_number(RunFolder.read(run)) == 4


def test_the_end_of_a_round_is_told(run: Path) -> None:
    first = write_round(run, 1, REFUSED)
    second = write_round(run, 2, ACCEPTED)
    third = write_round(run, 3, ACCEPTED, approval=True)
    run_folder = RunFolder.read(run)
    assert describe_end(run_folder, first) == "was refused"
    assert describe_end(run_folder, second) == "was accepted"
    assert describe_end(run_folder, third) == "was accepted", "and awaits a person's decision"
    decide(third, approved=False)
    assert describe_end(run_folder, third).startswith("was refused by Ada on 2026-11-29")
    go_back(run, (0, 3))
    assert describe_end(run_folder, second) == (
        "was rolled back to the untouched model by Ada on 2026-11-29"
    )


def test_only_audio_that_no_round_has_listed_is_new(plan: Plan, tmp_path: Path) -> None:
    run_folder = RunFolder.open(tmp_path / "run")
    plan = replace(plan, new_audio=replace(plan.new_audio, minutes=0.0))
    everything = check_new_audio(plan, run_folder)
    assert everything.utterances == len(toy.POOL) and everything.duration > 1
    folder = write_round(run_folder.path, 1, REFUSED)
    with FileHashCache(run_folder.path) as hashes:
        listed = list(list_corpora(plan.pool, plan.language, hashes))
    Manifest.write(listed[1:], folder / "inputs" / "pool")
    new = check_new_audio(plan, run_folder)
    assert new == Tally().add(listed[0].duration)
    enough = replace(plan, new_audio=replace(plan.new_audio, minutes=listed[0].duration / 60))
    assert check_new_audio(enough, run_folder) == new
    more = replace(plan, new_audio=replace(plan.new_audio, minutes=listed[0].duration / 60 + 0.01))
    with pytest.raises(NothingNew, match=r"1 new recordings.*since round 1, which was refused"):
        check_new_audio(more, run_folder)
    # A round in progress has listed its pool already.
    Manifest.write(listed[:1], write_round(run_folder.path, 2, None) / "inputs" / "pool")
    with pytest.raises(NothingNew, match=r"0 new recordings, 0\.0 min, since round 1"):
        check_new_audio(plan, run_folder)
