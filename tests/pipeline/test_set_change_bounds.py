"""How much of a held-out set may change before it is another set, and what counts as a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Score, SetKind
from twister_loop.errors import ConfigError
from twister_loop.evaluation.evidence import SetSize
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.set_changes import SetChange, SetChanges, check_set_changes
from twister_loop.pipeline.set_sizes import (
    count_in_windows,
    find_untouched_report,
    measure_set_size,
)
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import ErrorCount, Plan, Report


def line(number: int, **fields: Any) -> Utterance:
    options = {"text": f"word {number}", "lang": "en", "duration": 1.0, **fields}
    return Utterance(id=f"{number:016d}", audio_filepath=Path(f"/{number}.wav"), **options)


def check(
    run: Path,
    *rounds: Sequence[Utterance],
    kind: SetKind = "retention",
    name: str = "set",
) -> list[SetChange]:
    """Check the set of the last round against those of the rounds before it."""
    *earlier, now = rounds
    folders = [run / f"round-{number:02d}" for number in range(1, len(rounds) + 1)]
    for folder, lines in zip(folders, earlier, strict=False):
        Manifest.write(lines, folder / "inputs" / "retention" / "set")
    held_out = HeldOutSet(kind, Manifest.write(now, run / "now"))
    check_set_changes({name: held_out}, folders[:-1], Basic(), folders[-1])
    record = folders[-1] / "inputs" / "set_changes.json"
    return list(SetChanges.load(record.parent).changes) if record.is_file() else []


@pytest.mark.parametrize(
    ("count", "allowed"),
    [(1, 1), (20, 1), (39, 1), (40, 2), (379, 18), (380, 19), (400, 19), (1000, 19)],
)
def test_one_in_twenty_may_change_and_nineteen_at_most(
    tmp_path: Path, count: int, allowed: int
) -> None:
    lines = [line(number) for number in range(count)]
    [change] = check(tmp_path / "allowed", lines, [*lines[allowed:], line(5000)])
    assert (change.gone, change.relabeled, change.added) == (allowed, 0, 1)
    if count > allowed:
        with pytest.raises(ConfigError, match=rf"of {count} utterances .*{allowed + 1} are gone"):
            check(tmp_path / "more", lines, lines[allowed + 1 :])


def test_lost_and_relabeled_ones_count_together(tmp_path: Path) -> None:
    lines = [line(number) for number in range(40)]
    other = replace(lines[-1], text="something else")
    [change] = check(tmp_path / "two", lines, [*lines[1:-1], other])
    assert change == SetChange("set", "retention", since=1, before=40, gone=1, relabeled=1)
    with pytest.raises(ConfigError, match=r"2 are gone \(0\.wav, 1\.wav\) and 1 have another"):
        check(tmp_path / "three", lines, [*lines[2:-1], other])


@pytest.mark.parametrize(
    ("fields", "is_change"),
    [
        ({"text": "WORD 3!"}, False),
        ({"text": "word three"}, False),
        ({"text": "word 4"}, True),
        ({"lang": "it"}, True),
        ({"duration": 1.004}, False),
        ({"duration": 1.02}, True),
        ({"speaker": "ada"}, False),
        ({"audio_filepath": Path("/moved/3.wav")}, False),
    ],
)
def test_reference_language_and_duration_make_another_label(
    tmp_path: Path, fields: dict[str, Any], is_change: bool
) -> None:
    lines = [line(number) for number in range(20)]
    changes = check(tmp_path, lines, [*lines[:3], replace(lines[3], **fields), *lines[4:]])
    assert [change.relabeled for change in changes] == [1] * is_change
    if changes:
        assert str(changes[0]) == (
            "retention.set: since round 1, which had 20 utterances: 1 with another reference, "
            "language or duration"
        )


def test_a_set_that_loses_one_recording_a_round_is_refused_in_the_end(tmp_path: Path) -> None:
    lines = [line(number) for number in range(20)]
    [change] = check(tmp_path / "a", lines, lines[1:])
    assert str(change).endswith("round 1, which had 20 utterances: 1 gone")
    with pytest.raises(ConfigError, match=r"of 20 utterances .* 2 are gone"):
        check(tmp_path / "b", lines, lines[1:], lines[2:])
    # Compared with the last round nothing changed, and what came later counts from then on.
    assert check(tmp_path / "c", lines, lines[1:], lines[1:]) == []
    [added] = check(tmp_path / "d", lines, [*lines, line(50)], [*lines, line(50), line(51)])
    assert (added.since, added.before, added.added, added.gone) == (2, 21, 1, 0)
    # A label that is changed back is that of the first round again.
    other = [replace(lines[0], text="other"), *lines[1:]]
    [back] = check(tmp_path / "e", lines, other, lines)
    assert back.relabeled == 1


@pytest.mark.parametrize(("kind", "name"), [("retention", "renamed"), ("development", "set")])
def test_a_set_that_the_plan_no_longer_has_is_told_once(
    tmp_path: Path, kind: SetKind, name: str
) -> None:
    lines = [line(number) for number in range(20)]
    [change] = check(tmp_path / "first", lines, lines, kind=kind, name=name)
    assert not change.is_in_plan and change.gone == 20
    assert str(change) == "retention.set: the plan has no such set any more; round 1 had 20"
    run = tmp_path / "second"
    Manifest.write(lines, run / "round-02" / "inputs" / "retention" / "other")
    changes = check(run, lines, lines, lines, kind=kind, name=name)
    assert {change.name for change in changes} == {"set", "other"}
    third = tmp_path / "third"
    Manifest.write(lines, third / "round-01" / "inputs" / "retention" / "older")
    told_before = check(third, lines, lines, lines)
    assert told_before == [], "the set `older` was gone in round 2 already"


def test_files_are_named_up_to_three(tmp_path: Path) -> None:
    lines = [line(number) for number in range(20)]
    with pytest.raises(ConfigError) as refused:
        check(tmp_path / "a", lines, lines[4:])
    assert "(0.wav, 1.wav, 2.wav, ...)" in str(refused.value) and "`set-2`" in str(refused.value)
    with pytest.raises(ConfigError, match=r"\(0\.wav, 1\.wav, 2\.wav\)"):
        check(tmp_path / "b", lines, lines[3:])


def size(plan: Plan, *lines: Utterance, untouched: Report | None = None) -> SetSize:
    return measure_set_size(plan, "development", "dev", lines, untouched)


def test_the_size_of_a_set_is_counted(plan: Plan) -> None:
    plan = replace(plan, normalizer=Basic(), full_window=True)
    lines = [
        line(1, text="One, two 3!", speaker="a", duration=2.5),
        line(2, text=None, speaker="b"),
        line(3, text="four", speaker="a"),
    ]
    measured = size(plan, *lines)
    assert measured.tokens["clip"] == {"words": 4, "characters": 15, "mixed": 4}
    assert (measured.utterances, measured.seconds) == (3, 4.5)
    assert (measured.units, measured.speakers, measured.measure) == (2, 2, "words")
    assert measured.error_rates == {} and measured.kind == "development"
    unnamed = size(plan, *lines[:2], replace(lines[2], speaker=None))
    assert (unnamed.units, unnamed.speakers) == (3, 0)
    japanese = size(plan, line(1, text="今日は", lang="ja"))
    assert japanese.measure == "characters" and japanese.tokens["clip"]["characters"] == 3
    assert size(plan).tokens["standard"]["words"] == 0


class Windowed(ToyRecognizer):
    """A recognizer that has another decoding."""

    def full_window(self) -> Windowed:
        return self


def test_windows_are_of_a_part_where_the_recognizer_has_them(plan: Plan) -> None:
    windowed = replace(plan, asr=Windowed())
    counts = {
        requested: count_in_windows(replace(windowed, full_window=requested), 10)
        for requested in (True, False, 4, 10, 30)
    }
    assert counts == {True: 10, False: 0, 4: 4, 10: 10, 30: 10}
    assert count_in_windows(replace(plan, full_window=4), 10) == 10, "only its own decoding"
    lines = [line(number, text="one two") for number in range(10)]
    half = size(replace(windowed, full_window=5), *lines)
    assert half.tokens["clip"]["words"] == 20 and half.tokens["standard"]["words"] == 10


def test_error_rates_are_those_of_the_newest_untouched_report(plan: Plan, tmp_path: Path) -> None:
    def score(name: str, errors: int) -> Score:
        count = ErrorCount(substitutions=errors, hits=10 - errors)
        return Score(
            name=name, kind="development", decoding="", normalizer="basic", normalizer_digest="",
            utterances=1, duration=1.0, words=count, characters=count, mixed=ErrorCount(hits=1),
            raw_words=count,
        )  # fmt: skip

    assert find_untouched_report(None) is None and find_untouched_report(tmp_path / "no") is None
    run = RunFolder.open(tmp_path / "run").path
    assert find_untouched_report(run) is None
    for number in (1, 2, 3):
        (run / f"round-{number:02d}").mkdir()
        if number < 3:  # the last one is not measured yet
            scores = (score("other", 9), score("dev", number))
            report = Report(scores, full_window=(score("dev", number + 5),))
            report.save(run / f"round-{number:02d}" / "untouched")
    untouched = find_untouched_report(run)
    assert untouched and untouched.scores[1].words.errors == 2
    assert size(plan, line(1), untouched=untouched).error_rates == {
        "clip": {"words": 0.2, "characters": 0.2, "mixed": 0.0},
        "standard": {"words": 0.7, "characters": 0.7, "mixed": 0.0},
    }
    renamed = measure_set_size(plan, "development", "new", [line(1)], untouched)
    assert renamed.error_rates == {}
