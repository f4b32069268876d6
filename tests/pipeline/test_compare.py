"""The arms of a comparison, in the toy world."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import ConfigError, StaleError, load
from twister_loop.asr._base import Recognizer
from twister_loop.cli.main import main
from twister_loop.core.manifest import Manifest
from twister_loop.pipeline.experiments.arms import CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import Comparison, compare
from twister_loop.pipeline.experiments.reproduce import reproduce


@pytest.fixture
def plan_path(world: Path) -> Path:
    """With references for the pool, and a recognizer that the loop teaches something."""
    toy.speak(toy.POOL, world.parent / "data" / "said")
    return world


@pytest.fixture
def found(plan_path: Path, tmp_path: Path) -> Comparison:
    plan = load(plan_path, {"pool_references": "data/said", "human": []})
    return compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2))


def test_every_arm_stands_beside_the_untouched_model(found: Comparison) -> None:
    assert [row.arm for row in found.rows] == [
        "untouched",
        "self-training",
        "voice only",
        "full loop",
        "supervised",
        "2 rounds, from champion",
        "2 rounds, from untouched",
    ]
    rows = {row.arm: row for row in found.rows}
    assert rows["untouched"].change is None and rows["full loop"].full_loop_difference is None
    own, loop = rows["self-training"].change, rows["self-training"].full_loop_difference
    assert own and own.rate == 0 and not own.is_significant, (
        "it learns no letter that it did not know"
    )
    assert loop and rows["full loop"].change and loop.rate == rows["full loop"].change.rate <= 0
    for row in found.rows:
        assert len(row.rate_by_seed) == 2
        for each in filter(None, (row.change, row.full_loop_difference)):
            assert each.low <= each.rate <= each.high


def test_there_is_no_share_of_a_gap_that_is_not_seen(found: Comparison) -> None:
    ceiling = next(row for row in found.rows if row.arm == "supervised")
    assert ceiling.change
    shares = [row.gap_closed for row in found.rows if row.arm != "untouched"]
    assert all((share is not None) == ceiling.change.is_significant for share in shares)


def test_an_arm_is_not_repeated_by_the_plan_of_the_whole_comparison(
    found: Comparison, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not the plan that it was made by"):
        list(reproduce(tmp_path / "arms" / "self-training-1", tmp_path / "again"))


def test_arms_differ_in_what_they_are_trained_on_and_in_nothing_else(
    found: Comparison, tmp_path: Path
) -> None:
    def origins(arm: str) -> set[str]:
        mixture = Manifest.load(tmp_path / "arms" / f"{arm}-1" / "round-01" / "mixture")
        return {each.origin for each in mixture}

    assert origins("self-training") == {"pseudo"}
    assert origins("voice-only") == {"synthetic"}
    assert origins("full-loop") == {"pseudo", "synthetic"}
    assert origins("supervised") == {"human"}
    labels = {
        (run / "round-01" / "pseudo_labels" / "made.json").read_bytes()
        for run in (tmp_path / "arms").glob("*-1")
    }
    assert len(labels) == 1


def test_rounds_show_labels_trials_and_what_was_kept(found: Comparison) -> None:
    assert [(step.arm, step.number) for step in found.rounds] == [
        ("2 rounds, from champion", 1),
        ("2 rounds, from champion", 2),
        ("2 rounds, from untouched", 1),
        ("2 rounds, from untouched", 2),
    ]
    for step in found.rounds:
        assert step.label_errors is not None and step.label_errors.length == 13
        assert "toy" in step.trial_rates and 0 < step.kept_share <= 1


def test_what_was_made_once_is_not_made_again(
    found: Comparison, tmp_path: Path, plan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heard(*_: object) -> None:
        raise AssertionError("something was heard again")

    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.transcribe", heard)
    plan = load(plan_path, {"pool_references": "data/said", "human": []})
    assert compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2)) == found


def test_an_ablation_leaves_out_one_part_at_a_time(plan_path: Path, tmp_path: Path) -> None:
    plan = load(
        plan_path,
        {
            "human": [],
            "pack": {"limit": 8},
            "augment": {"effects": ["gain"]},
            "replay": "data/said",
            "voices": {"one": "toy", "other": "toy"},
        },
    )
    folder = tmp_path / "arms"
    found = compare(plan, folder, CompareOptions(ablation=True))
    assert [row.arm for row in found.rows if row.set_name == "test"] == [
        "untouched",
        "full loop",
        "without filters",
        "without voice one",
        "without voice other",
        "without augmentation",
        "without packing",
        "without replay",
    ]
    assert {row.set_name for row in found.rows} == set(plan.sets) - {"dev"}

    def stages(arm: str) -> set[str]:
        return {each.name for each in (folder / f"{arm}-1" / "round-01").iterdir()}

    assert {"packed", "augmented"} <= stages("full-loop")
    assert "augmented" not in stages("without-augmentation")
    assert "packed" not in stages("without-packing")
    others = (folder / "without-voice-one-1" / "round-01" / "voices").iterdir()
    assert [each.name for each in others] == ["other"]
    assert len(Manifest.load(folder / "without-filters-1" / "round-01" / "filtered_labels")) > len(
        Manifest.load(folder / "full-loop-1" / "round-01" / "filtered_labels")
    )


def test_arms_of_one_s_own_share_what_others_have_made(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": [], "pack": {"limit": 8}})
    terms = CompareOptions(ablation=True)
    whole = build_arms(plan, terms)["full loop"]
    assert whole.pack
    apart = replace(whole, pack=replace(whole.pack, gap=1.0))
    found = compare(plan, tmp_path / "arms", terms, {"full loop": whole, "far apart": apart})
    assert {row.arm for row in found.rows} == {"untouched", "full loop", "far apart"}
    one, other = (tmp_path / "arms" / arm / "round-01" for arm in ("full-loop-1", "far-apart-1"))
    for stage, same in (("pseudo_labels", True), ("mixture", True), ("packed", False)):
        files = [each / stage / "manifest.jsonl" for each in (one, other)]
        assert (files[0].read_bytes() == files[1].read_bytes()) == same, stage


def test_without_packing_an_update_sees_as_many_utterances() -> None:
    asr = Recognizer.build({"use": "deepspeech2", "batch": 2})
    assert asr.with_updates(60, 4.4).batch == 9


def test_a_plan_without_a_test_set_has_nothing_to_report_on(plan_path: Path) -> None:
    with pytest.raises(ConfigError, match="a comparison needs a test set"):
        build_arms(load(plan_path, {"test": {}}), CompareOptions())


def test_arms_on_other_terms_do_not_pass_for_these(
    found: Comparison, plan_path: Path, tmp_path: Path
) -> None:
    plan = load(plan_path, {"pool_references": "data/said", "human": [], "seed": 99})
    with pytest.raises(StaleError, match=r"other terms \(seed\); name another folder"):
        compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2))


def test_every_round_needs_an_update(plan_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 updates are too few for 3 rounds"):
        build_arms(load(plan_path), CompareOptions(updates=2))


def test_the_command_prints_the_table_and_keeps_the_numbers(
    plan_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "arms"
    assert main(["compare", str(plan_path), str(folder), "--rounds", "1", "--set", "human=[]"]) == 0
    said = capsys.readouterr().out
    assert "full loop" in said and "not significant" in said
    assert len(json.loads((folder / "comparison.json").read_text())["rows"]) == 4
    with pytest.raises(SystemExit):
        main(["compare", str(plan_path), str(folder), "--seeds", "0"])
