"""Comparison of the full loop with its parts, in the toy world."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import ConfigError, StaleError, Utterance, load
from twister_loop.asr._base import Recognizer
from twister_loop.cli.main import main
from twister_loop.core.artifacts import stage
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Report
from twister_loop.pipeline.experiments.arms import CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import Comparison, compare, share_stages
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.reporting.dashboard import print_comparison


@pytest.fixture
def plan_path(world: Path) -> Path:
    """Plan with references for the pool in `data/said`."""
    toy.speak(toy.POOL, world.parent / "data" / "said")
    return world


@pytest.fixture
def comparison(plan_path: Path, tmp_path: Path) -> Comparison:
    plan = load(plan_path, {"pool_references": "data/said", "human": []})
    return compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2))


def test_every_arm_is_compared_with_the_untouched_model(comparison: Comparison) -> None:
    assert [row.arm for row in comparison.rows] == [
        "untouched",
        "self-training",
        "voice only",
        "full loop",
        "supervised",
        "2 rounds, from champion",
        "2 rounds, from untouched",
    ]
    rows = {row.arm: row for row in comparison.rows}
    assert rows["untouched"].change is None and rows["full loop"].full_loop_difference is None
    own, loop = rows["self-training"].change, rows["self-training"].full_loop_difference
    assert own and own.rate == 0 and not own.is_significant, (
        "self-training teaches the toy recognizer no new letter"
    )
    assert loop and rows["full loop"].change and loop.rate == rows["full loop"].change.rate <= 0
    for row in comparison.rows:
        assert len(row.rate_by_seed) == 2
        for difference in filter(None, (row.change, row.full_loop_difference)):
            assert difference.low <= difference.rate <= difference.high


def test_arms_and_labels_are_read_by_the_measure_of_the_set(
    plan_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    japanese = {"use": "audiofolder", "folder": "data/test", "lang": "ja"}
    changes = {"test": {"test": japanese}, "pool_references": "data/said", "human": []}
    options = CompareOptions(seeds=1, rounds=2)
    comparison = compare(load(plan_path, changes), tmp_path / "arms", options)
    arm = next(row for row in comparison.rows if row.arm == "full loop")
    report = Report.load(tmp_path / "arms" / "full-loop-1" / "round-01" / "report")
    assert arm.measure == "characters"
    assert arm.errors == report.score(arm.set_name).characters
    assert comparison.rounds[0].label_measure == "words", "the pool is English"
    print_comparison(comparison)
    printed = capsys.readouterr().out
    assert "CER %" in printed and "test CER" in printed and "WER %" not in printed


def test_a_gap_that_is_not_significant_has_no_share(comparison: Comparison) -> None:
    ceiling = next(row for row in comparison.rows if row.arm == "supervised")
    assert ceiling.change
    shares = [row.gap_closed for row in comparison.rows if row.arm != "untouched"]
    assert all((share is not None) == ceiling.change.is_significant for share in shares)


def test_an_arm_cannot_be_reproduced_from_the_plan_of_the_comparison(
    comparison: Comparison, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not the plan that it was made by"):
        list(reproduce(tmp_path / "arms" / "self-training-1", tmp_path / "again"))


def test_arms_differ_in_their_training_data_only(comparison: Comparison, tmp_path: Path) -> None:
    def origins(arm: str) -> set[str]:
        mixture = Manifest.load(tmp_path / "arms" / f"{arm}-1" / "round-01" / "mixture")
        return {utterance.origin for utterance in mixture}

    assert origins("self-training") == {"pseudo"}
    assert origins("voice-only") == {"synthetic"}
    assert origins("full-loop") == {"pseudo", "synthetic"}
    assert origins("supervised") == {"human"}
    labels = {
        (run / "round-01" / "pseudo_labels" / "made.json").read_bytes()
        for run in (tmp_path / "arms").glob("*-1")
    }
    assert len(labels) == 1


def test_rounds_have_label_errors_trial_rates_and_kept_shares(comparison: Comparison) -> None:
    assert [(arm_round.arm, arm_round.number) for arm_round in comparison.rounds] == [
        ("2 rounds, from champion", 1),
        ("2 rounds, from champion", 2),
        ("2 rounds, from untouched", 1),
        ("2 rounds, from untouched", 2),
    ]
    for arm_round in comparison.rounds:
        assert arm_round.label_errors is not None and arm_round.label_errors.length == 13
        assert "toy" in arm_round.trial_rates and 0 < arm_round.kept_share <= 1


def test_a_finished_comparison_transcribes_nothing_again(
    comparison: Comparison, tmp_path: Path, plan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("something was transcribed again")

    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.transcribe", fail)
    plan = load(plan_path, {"pool_references": "data/said", "human": []})
    assert compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2)) == comparison


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
    comparison = compare(plan, folder, CompareOptions(ablation=True))
    assert [row.arm for row in comparison.rows if row.set_name == "test"] == [
        "untouched",
        "full loop",
        "without filters",
        "without voice one",
        "without voice other",
        "without augmentation",
        "without packing",
        "without replay",
    ]
    assert {row.set_name for row in comparison.rows} == set(plan.sets) - {"dev"}

    def stages(arm: str) -> set[str]:
        return {path.name for path in (folder / f"{arm}-1" / "round-01").iterdir()}

    assert {"packed", "augmented"} <= stages("full-loop")
    assert "augmented" not in stages("without-augmentation")
    assert "packed" not in stages("without-packing")
    voices = (folder / "without-voice-one-1" / "round-01" / "voices").iterdir()
    assert [voice.name for voice in voices] == ["other"]
    assert len(Manifest.load(folder / "without-filters-1" / "round-01" / "filtered_labels")) > len(
        Manifest.load(folder / "full-loop-1" / "round-01" / "filtered_labels")
    )


def test_custom_arms_share_stages_with_equal_inputs(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": [], "pack": {"limit": 8}})
    options = CompareOptions(ablation=True)
    whole = build_arms(plan, options)["full loop"]
    assert whole.pack
    wide_gap = replace(whole, pack=replace(whole.pack, gap=1.0))
    arms = {"full loop": whole, "far apart": wide_gap}
    comparison = compare(plan, tmp_path / "arms", options, arms)
    assert {row.arm for row in comparison.rows} == {"untouched", "full loop", "far apart"}
    rounds = [tmp_path / "arms" / arm / "round-01" for arm in ("full-loop-1", "far-apart-1")]
    for folder, is_same in (("pseudo_labels", True), ("mixture", True), ("packed", False)):
        first, second = (path / folder / "manifest.jsonl" for path in rounds)
        assert (first.read_bytes() == second.read_bytes()) == is_same, folder


calls: list[str] = []


@stage(version=1)
def write_text(text: str, lang: str, *, out: Path) -> Manifest:
    """Note that the stage ran, and write one utterance."""
    calls.append(lang)
    return Manifest.write([Utterance(id="1", text=text, lang=lang)], out)


def test_a_stage_called_with_keywords_is_shared_between_arms(tmp_path: Path) -> None:
    calls.clear()
    shared = share_stages(tmp_path)(write_text)
    first = shared("ciao", "it", out=tmp_path / "arm-1" / "round-01" / "texts")
    same = shared(lang="it", text="ciao", out=tmp_path / "arm-2" / "round-01" / "texts")
    partly = shared("ciao", lang="it", out=tmp_path / "arm-3" / "round-02" / "texts")
    assert calls == ["it"], "one arm runs the stage, and the others copy its result"
    assert first.path.read_bytes() == same.path.read_bytes() == partly.path.read_bytes()
    records = {artifact.folder / "made.json" for artifact in (first, same, partly)}
    assert len({record.read_bytes() for record in records}) == 1 and len(records) == 3
    shared(text="ciao", lang="fr", out=tmp_path / "arm-4" / "round-01" / "texts")
    assert calls == ["it", "fr"], "other inputs make another result"


def test_without_packing_an_update_takes_as_many_utterances() -> None:
    asr = Recognizer.build({"use": "deepspeech2", "batch": 2})
    assert asr.with_updates(60, 4.4).batch == 9


def test_a_comparison_needs_a_test_set(plan_path: Path) -> None:
    with pytest.raises(ConfigError, match="a comparison needs a test set"):
        build_arms(load(plan_path, {"test": {}}), CompareOptions())


def test_arms_of_another_plan_are_refused(
    comparison: Comparison, plan_path: Path, tmp_path: Path
) -> None:
    plan = load(plan_path, {"pool_references": "data/said", "human": [], "seed": 99})
    with pytest.raises(
        StaleError, match=r"another plan or other options \(seed\); name another folder"
    ):
        compare(plan, tmp_path / "arms", CompareOptions(seeds=2, rounds=2))


def test_every_round_needs_an_update(plan_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 updates are too few for 3 rounds"):
        build_arms(load(plan_path), CompareOptions(updates=2))


def test_the_command_prints_the_table_and_writes_the_numbers(
    plan_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "arms"
    assert main(["compare", str(plan_path), str(folder), "--rounds", "1", "--set", "human=[]"]) == 0
    printed = capsys.readouterr().out
    assert "full loop" in printed and "not significant" in printed
    assert len(json.loads((folder / "comparison.json").read_text())["rows"]) == 4
    with pytest.raises(SystemExit):
        main(["compare", str(plan_path), str(folder), "--seeds", "0"])
