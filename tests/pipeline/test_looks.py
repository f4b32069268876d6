"""Looks at held-out sets are counted over the rounds of a run, by their recordings."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.core.artifacts import write_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import SetKind
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.look_count import count_looks
from twister_loop.pipeline.run_folder import PruneOptions, verdict_of
from twister_loop.types import Plan

Sets = dict[str, tuple[SetKind, Sequence[str]]]
"""Kind and recordings of each set, by name."""


def list_round(folder: Path, sets: Sets, *, report: str | None) -> dict[str, HeldOutSet]:
    """Write the lists of a round, and the record of a report unless it has none."""
    if report:
        (folder / "report").mkdir(parents=True)
        write_json({"candidate": report}, folder / "report" / "made.json")
    return {
        name: HeldOutSet(
            kind,
            Manifest.write(
                [Utterance(id=f"{recording:0>16}") for recording in recordings],
                folder / "inputs" / kind / name,
            ),
        )
        for name, (kind, recordings) in sets.items()
    }


def test_sets_are_recognized_by_their_recordings_whatever_they_are_called(tmp_path: Path) -> None:
    first: Sets = {"dev": ("development", "abc"), "en": ("retention", "x"), "t": ("test", "m")}
    list_round(tmp_path / "round-01", first, report="1")
    second: Sets = {"other": ("development", "def"), "guard": ("retention", "c")}
    list_round(tmp_path / "round-02", second, report="2")
    now: Sets = {
        "renamed": ("development", "ab"),
        "mixed": ("development", "cd"),
        "en": ("retention", "x"),
        "was-test": ("development", "m"),
        "new": ("retention", "yz"),
        "t": ("test", "abc"),
    }
    # Before a round is prepared completely, its folder is hidden.
    looks = count_looks(
        tmp_path / ".round-03", list_round(tmp_path / ".round-03", now, report=None)
    )
    # No gate has seen a test set, and a recording that is cut otherwise is the same.
    assert looks == {"renamed": 2, "mixed": 3, "en": 2, "was-test": 1, "new": 1}


def test_a_part_of_a_recording_is_the_same_recording(tmp_path: Path) -> None:
    list_round(tmp_path / "round-01", {"dev": ("development", "a")}, report="1")
    cut = Manifest.write([Utterance(id=f"{'a':0>16}-2.5", offset=2.5)], tmp_path / "cut")
    sets = {"dev": HeldOutSet("development", cut)}
    assert count_looks(tmp_path / "round-02", sets) == {"dev": 2}


def test_rounds_that_were_set_aside_count_from_their_report_on(tmp_path: Path) -> None:
    dev: Sets = {"dev": ("development", "a")}
    list_round(tmp_path / "round-01", dev, report="1")
    list_round(tmp_path / "round-02.aside-1", dev, report=None)
    list_round(tmp_path / "round-02.aside-2", dev, report="2")
    now = list_round(tmp_path / "round-02", dev, report=None)
    assert count_looks(tmp_path / "round-02", now) == {"dev": 3}
    # The count does not change while the round is resumed and finished.
    list_round(tmp_path / "round-02", {}, report="3")
    assert count_looks(tmp_path / "round-02", now) == {"dev": 3}
    # A copy has the candidate of its original, and is no further look.
    shutil.copytree(tmp_path / "round-01", tmp_path / "round-01 (copy)")
    assert count_looks(tmp_path / "round-02", now) == {"dev": 3}


def test_rounds_that_were_damaged_by_hand_still_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dev: Sets = {"dev": ("development", "a")}
    list_round(tmp_path / "round-01", dev, report="1")
    list_round(tmp_path / "round-02", dev, report="2")
    (tmp_path / "round-01" / "report").rename(tmp_path / "round-01" / "verdict")
    shutil.rmtree(tmp_path / "round-02" / "inputs")
    now = list_round(tmp_path / "round-03", dev, report=None)
    assert count_looks(tmp_path / "round-03", now) == {"dev": 3}
    assert "round-02: its lists are missing, so it counts as a look at every set" in caplog.text


def test_the_verdicts_of_a_run_say_which_look_they_are(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run, pool = tmp_path / "run", tmp_path / "data" / "pool"
    first = next_round(plan, run)
    # Something new each time, or a round after a refused one would be refused itself.
    toy.speak(["uoa uia", "aue i"], pool / "second", labeled=False)
    second = next_round(replace(plan, keep=PruneOptions(last=1)), run)
    toy.speak(["iue aoa", "oui e"], pool / "third", labeled=False)
    toy.speak(["aie ou", "uoi ea", "iou ae"], tmp_path / "data" / "fresh")
    source = plan.source.replace("data/development", "data/fresh").replace("{dev:", "{fresh:")
    (tmp_path / "fresh.yaml").write_text(source)
    third = next_round(load(tmp_path / "fresh.yaml"), run)
    looks = [verdict_of(round_.folder).looks for round_ in (first, second, third)]
    assert looks == [
        {"dev": 1, "vowels": 1},
        {"dev": 2, "vowels": 2},
        {"fresh": 1, "vowels": 3},
    ]
    assert "look 2 at dev and vowels" in caplog.text
    assert "look 1 at fresh; look 3 at vowels" in caplog.text
    assert "development.dev: the plan has no such set any more; round 2 had 2" in caplog.text
